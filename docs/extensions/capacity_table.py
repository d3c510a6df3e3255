"""The table of docs/capacity.md, made of what is kept of programs that were compiled and not run."""

from kept_tables import kept
from markdown_tables import table

from fpliif_jax.fields.json_types import JsonObject

_HEAD = (
    *("compiled, not run", "chip", "images", "microbatch", "GiB, at least", "fits", "kernels"),
    *("GB an image", "GFLOP an image", "ceiling, images/s", "bound by"),
)
_FILES = (
    *("stn_icnn_helen-h100", "lapa-a100", "lapa-a100_40gb", "lapa-h100-4-devices", "lapa-h100"),
    *("lapa-training-of-4-h100", "lapa-rtx4090", "lapa-l4", "lapa-training-v5e", "lapa-v5e"),
    *("lapa-v6e", "lapa-bfloat16-training-a100", "lapa-bfloat16-training-h100"),
    *("lapa-bfloat16-training-of-4-h100", "lapa-bfloat16-training-rtx4090"),
    *("lapa-bfloat16-prediction-a100", "lapa-bfloat16-prediction-h100"),
    *("lapa-evaluation-a100", "lapa-evaluation-rtx4090", "lapa-evaluation-v5e"),
)


def compiled() -> str:
    """A row a program."""
    files = [kept(f"compiled-not-run/{name}.json") for name in _FILES]
    return table(_HEAD, (_row(file, one) for file in files for one in file["programs"]))


def _row(file: JsonObject, program: JsonObject) -> list[str]:
    config, devices, images = file["config"], file["num_devices"], program["images"]
    products = sum(flops for kind, flops in program["flops"].items() if "products" in kind)
    shares = sorted(program["ceiling"]["shares"].items(), key=lambda one: -one[1])
    microbatch = (program["chosen"] or {}).get("train.microbatch", "–")
    is_given = microbatch == config["train"]["microbatch"]
    return [
        file["config_name"].replace("_", "-")
        + (" in bfloat16" if config["dtype"] == "bfloat16" else "")
        + f", {program['name']}",
        file["chip"]["name"] + (f" ×{devices}" if devices > 1 else ""),
        str(images),
        f"{microbatch}, as given" if is_given else str(microbatch),
        f"{program['planned_bytes']['total'] / 2**30:.2f}",
        "yes" if program["fits"] else "no",
        f"{program['kernels']:,}",
        *(f"{count / images / 1e9:.3g}" for count in (program["bytes"], products)),
        f"{program['ceiling']['images_per_second']:,.0f}",
        ", ".join(f"{what} {share:.0%}" for what, share in shares if share >= 0.005),
    ]
