"""Measures what training and inference cost here, and PyTorch or ONNX Runtime in the same rounds if asked to.

    python -m experiments.benchmark --config=celebamask_hq --parts=latency,throughput,memory,starts
    python -m experiments.benchmark --config=synthetic --torch --output=experiments/results/my-machine

Parts: latency (one image at a time; for STN-iCNN one face, by step), throughput (the best batch), training (the step
of every stage; FP-LIIF's without augmentation beside PyTorch's), memory, starts (with an empty and a warm compilation
cache), pipeline (the loader alone) and loop (the training loop against the bare step). Only the last two, and latency
of STN-iCNN, need data. Weights are untrained: they do not change the work.

With --output the folder gets benchmark.json, benchmark.md, fps.png and fps.svg; until all is measured, what there
is stands in benchmark-unfinished.json. docs/speed.md says how each number is made.
"""

from absl import flags

from fpliif_jax.commands import command_line
from fpliif_jax.experiments.benchmark.choices import PARTS, TORCH_VARIANTS

command_line.define_config_flag()
flags.DEFINE_string("output", None, "Folder for JSON, tables and plot; none: print only.")
flags.DEFINE_bool("torch", False, "Measure PyTorch too, in the same rounds.")
flags.DEFINE_bool("onnx", False, "Measure forward passes in ONNX Runtime too, on a CPU.")
flags.DEFINE_multi_enum(
    "torch_variants", list(TORCH_VARIANTS), list(TORCH_VARIANTS),
    "PyTorch's ways of running; give the flag once for each.",
)  # fmt: skip
flags.DEFINE_list("parts", list(PARTS), f"What to measure, of {', '.join(PARTS)}.")
flags.DEFINE_list(
    "sizes", None, "Output sizes (64,96,128,192,256,512), or 'rows': those of config.eval.rows."
)
flags.DEFINE_list("dtypes", None, "Types of activations (float32,bfloat16).")
flags.DEFINE_integer("rounds", None, "How often each is timed (7).", lower_bound=1)
flags.DEFINE_float("seconds", None, "Of a round of one candidate (0.5).", lower_bound=0)
flags.DEFINE_float("loop_seconds", None, "Of the training loop (60).")
flags.DEFINE_integer("max_batch", None, "Largest that is tried (256).", lower_bound=1)
flags.DEFINE_bool("quick", False, "Fewer and shorter: a look, not a result.")
flags.DEFINE_string("profile", None, "Folder for a trace of a few forward passes.")


def _work() -> None:
    from fpliif_jax.experiments.benchmark import measure

    measure.main()


if __name__ == "__main__":
    command_line.run_with_flags("experiments.benchmark", __doc__, _work)
