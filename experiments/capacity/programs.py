"""The programs that training, evaluation and prediction run, compiled for devices that are not here."""

import dataclasses
import re
from collections.abc import Callable, Iterator
from typing import Any

import jax
import ml_collections
import numpy as np

from fpliif_jax import systems
from fpliif_jax.commands.memory import is_out_of_memory
from fpliif_jax.data.batches import blank_batch
from fpliif_jax.devices import parallel
from fpliif_jax.evaluation import scoring
from fpliif_jax.nn.variables import Variables
from fpliif_jax.run_folder.inference_checkpoint import InferenceCheckpoint
from fpliif_jax.systems import create_model, parse_protocols
from fpliif_jax.systems.stage import Stage
from fpliif_jax.systems.step_numbers import StepNumbers
from fpliif_jax.training import fitting
from fpliif_jax.training.optimizer import make_optimizer
from fpliif_jax.training.step import State, init_state, make_fitted_step

PROGRAMS = ("training", "evaluation", "prediction")
# Of the learning rate's schedule: a constant of the program, whatever its value.
_STEPS_PER_EPOCH = 1000
# Triton's matrix products are made for tiles that are chosen by trying. Without that XLA takes some that do not suit
# every product, and gives up; on a chip it takes cuBLAS there.
_NO_TILES = "Couldn't find output tile sizes"
_WITHOUT_TRITON = {"xla_gpu_enable_triton_gemm": False}
_NOTE_WITHOUT_TRITON = "matrix products by cuBLAS alone: Triton's untried tiles do not suit one"


@dataclasses.dataclass(frozen=True)
class Compiled:
    """One thing that is done, and what it was compiled to.

    Attributes:
      name: 'training: parsing', 'evaluation', 'prediction'.
      images: that one device works on in a call, padding included.
      modules: HLO of each program that one call runs, in order; none where it could not be compiled.
      planned: `fitting.planned_bytes` of each; None of one whose memory the compiler does not tell.
      chosen: `step_numbers.StepNumbers` of a training step; None elsewhere.
      note: how it had to be compiled, if not as the others, and what the compiler does not tell.
      problem: why there are no modules: the compiler's own word that the program takes too much memory.
    """

    name: str
    images: int
    modules: tuple[str, ...] = ()
    planned: tuple[dict[str, int] | None, ...] = ()
    chosen: StepNumbers | None = None
    note: str | None = None
    problem: str | None = None


def compile_all(
    config: ml_collections.ConfigDict,
    absent: parallel.AbsentDevices,
    names: tuple[str, ...],
    tell: Callable[[str], object],
) -> Iterator[Compiled]:
    """Compiles what an experiment runs, one after the other, each for minutes.

    Args:
      config: a whole experiment; `preflight.apply_to_jax` has been called with it.
      absent: what is compiled for.
      names: of PROGRAMS.
      tell: is told what comes next.
    """
    variables = _blank_variables(config)
    makers = {"training": _training, "evaluation": _evaluation, "prediction": _prediction}
    for name in PROGRAMS:
        if name in names:
            yield from makers[name](config, absent, variables, tell)


def _class_names(config: ml_collections.ConfigDict) -> tuple[str, ...]:
    """Made-up ones: what they are called changes no program."""
    return tuple(f"class {index}" for index in range(config.model.num_classes))


def _blank_variables(config: ml_collections.ConfigDict) -> Variables:
    """The model's variables, all zero: values change no program."""
    shapes = systems.variable_shapes(config)
    return jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)


def _on_each_device(tree: Any, absent: parallel.AbsentDevices) -> Any:
    """Shapes of a tree that is replicated: [...] -> [devices, ...]."""
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct((len(absent.devices), *np.shape(leaf)), leaf.dtype), tree
    )


def _training(
    config: ml_collections.ConfigDict,
    absent: parallel.AbsentDevices,
    variables: Variables,
    tell: Callable[[str], object],
) -> Iterator[Compiled]:
    """The step of every stage, with what is 'auto' chosen as a run on these devices would."""
    model = create_model(config.model, parallel.AXIS)
    for stage in systems.of(config).training.make_stages(config, model, _class_names(config)):
        name = f"training: {stage.name}"
        tell(name)
        optimizer = make_optimizer(stage.settings, stage.learning_rates, _STEPS_PER_EPOCH)
        state = init_state(variables, stage, optimizer)
        yield _training_step(config, absent, stage, name, optimizer, state)


def _training_step(
    config: ml_collections.ConfigDict,
    absent: parallel.AbsentDevices,
    stage: Stage,
    name: str,
    optimizer: Any,
    state: State,
) -> Compiled:
    batch_size = stage.settings.batch_size
    shapes = _on_each_device(state, absent)
    with parallel.compiling_for(absent):
        step, microbatch, chosen = make_fitted_step(
            config, _class_names(config), stage, optimizer, shapes
        )
        images = parallel.rows_per_device(batch_size, microbatch)
        rows = images * len(absent.devices)
        batch = blank_batch(rows, config.data.image_size, stage.label_size)
        batch["stop"] = np.zeros(rows, np.float32)
        lowered = step.lower(shapes, parallel.shard(batch))
        return _compiled(name, images, [lowered], chosen)


def _evaluation(
    config: ml_collections.ConfigDict,
    absent: parallel.AbsentDevices,
    variables: Variables,
    tell: Callable[[str], object],
) -> Iterator[Compiled]:
    """The step that scores a batch by all of config.eval.rows."""
    tell("evaluation")
    protocols = parse_protocols(config)
    own = systems.of(config).network.inference_variables(config.model, variables)
    with parallel.compiling_for(absent):
        step = scoring.make_eval_step(create_model(config.model), config, protocols)
        images = parallel.rows_per_device(config.eval.batch_size)
        rows = images * len(absent.devices)
        batch = blank_batch(rows, config.data.image_size, 1)
        fed = {name: batch[name] for name in ("images", "image_sizes", "example_ids", "weights")}
        for size in scoring.label_sizes(protocols):
            fed[f"labels_{size}"] = np.zeros((rows, size, size), np.uint8)
        lowered = step.lower(_on_each_device(own, absent), parallel.shard(fed))
        yield _compiled("evaluation", images, [lowered])


def _prediction(
    config: ml_collections.ConfigDict,
    absent: parallel.AbsentDevices,
    variables: Variables,
    tell: Callable[[str], object],
) -> Iterator[Compiled]:
    """One photo, labelled at the side of the network's input, on one device."""
    tell("prediction")
    trained = InferenceCheckpoint(config, variables, _class_names(config), 0, None)
    labeller = systems.of(config).inference.make_labeller(trained)
    side = config.data.image_size
    photo = labeller.network_input(np.zeros((side, side, 3), np.uint8))
    inputs = jax.tree.map(lambda leaf: leaf[None], photo)
    with parallel.compiling_for(absent):
        lowered = labeller.lower(inputs, (side, side))
        yield _compiled("prediction", 1, list(lowered.values()))


def _compiled(
    name: str, images: int, lowered: list[Any], chosen: StepNumbers | None = None
) -> Compiled:
    programs, notes = [], []
    try:
        for one in lowered:
            program, note = _compile(one)
            programs.append(program)
            notes += [note] if note else []
    except jax.errors.JaxRuntimeError as error:
        if not is_out_of_memory(error):
            raise
        problem = re.sub(r"\s+", " ", str(error).splitlines()[0]).strip()
        return Compiled(name, images, chosen=chosen, problem=problem)
    planned = tuple(map(fitting.planned_bytes, programs))
    if untold := planned.count(None):
        notes.append(f"the compiler does not tell the memory of {untold} of {len(planned)} modules")
    return Compiled(
        name,
        images,
        modules=tuple(program.as_text() for program in programs),
        planned=planned,
        chosen=chosen,
        note="; ".join(dict.fromkeys(notes)) or None,
    )


def _compile(lowered: Any) -> tuple[Any, str | None]:
    """A compiled program, and how it had to be compiled where that is another way."""
    try:
        return lowered.compile(), None
    except jax.errors.JaxRuntimeError as error:
        if _NO_TILES not in str(error):
            raise
    return lowered.compile(compiler_options=_WITHOUT_TRITON), _NOTE_WITHOUT_TRITON
