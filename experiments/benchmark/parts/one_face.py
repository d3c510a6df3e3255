"""Part 'latency' of STN-iCNN: one face from the photo to its label map, and its steps.

The photo is uint8 on the host, and so is the label map, as in `fpliif_jax.predict`. All of the network is one jitted
call, with no way back to the host in between; its steps, which can only be timed by calling them one by one with their
input on the device already, may add up to more than the whole. The paper (§3.1) has 80 ms for STN-iCNN and 86 ms for
the baseline with the centroid cropper on a GTX 1080 Ti.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from fpliif_jax import systems
from fpliif_jax.data.canvas import canvas_window
from fpliif_jax.data_builders.errors import SettingsError
from fpliif_jax.experiments.benchmark import jax_programs
from fpliif_jax.experiments.benchmark.plan import Plan
from fpliif_jax.experiments.benchmark.timing import Candidate, Program, Timed, measure_in_turn
from fpliif_jax.experiments.runs.benchmark_results import FaceStep, OneFace
from fpliif_jax.nn.applied import Applied
from fpliif_jax.nn.variables import Variables
from fpliif_jax.run_folder.inference_checkpoint import InferenceCheckpoint
from fpliif_jax.systems import create_model
from fpliif_jax.systems.stn_icnn import framing, settings
from fpliif_jax.systems.stn_icnn.labeller import STNICNNLabeller
from fpliif_jax.systems.stn_icnn.model import STNICNN
from fpliif_jax.training.step import init_variables

NAMES = {"stn": "STN-iCNN", "centroid": "baseline"}


def one_face(plan: Plan) -> None:
    """Milliseconds of the config's cropper and of the centroid cropper, on a photo of the training set.

    Raises:
      SettingsError: the config is of a system without windows.
    """
    system = systems.of(plan.config)
    if not system.inference.windows:
        raise SettingsError(f"the steps that are timed are STN-iCNN's; {system.title} has others")
    split = plan.train_split
    height, width = map(int, split.image_sizes[0])
    side = plan.config.data.image_size
    photo = np.asarray(split.images[0])[canvas_window(side, (height, width))]
    for cropper in dict.fromkeys((plan.config.model.cropper, "centroid")):
        config = jax_programs.with_fields(plan.config, model__cropper=cropper)
        programs = _programs(config, photo, plan.dataset.class_names)
        timings = measure_in_turn(
            [Candidate(name, lambda program=program: program) for name, program in programs],
            rounds=plan.rounds,
            seconds=plan.seconds,
            pipelined=False,
            tell=plan.tell,
        )
        steps = tuple(_step(timed) for timed in timings)
        plan.record.add(OneFace(NAMES[cropper], photo.shape[:2], side, steps))


def _step(timed: Timed) -> FaceStep:
    median = None if timed.problem else 1000 * float(np.median(timed.seconds))
    return FaceStep(timed.name, tuple(timed.seconds), median, timed.problem or None)


def _programs(
    config: ConfigDict, photo: np.ndarray, class_names: tuple[str, ...]
) -> list[tuple[str, Program]]:
    """'whole', and the steps in order."""
    model = create_model(config.model)
    variables = init_variables(model, config)
    labeller = STNICNNLabeller(InferenceCheckpoint(config, variables, class_names, 0, None))

    def from_photo_to_label_map() -> np.ndarray:
        inputs = {name: leaf[None] for name, leaf in labeller.network_input(photo).items()}
        return labeller.label(inputs, photo.shape[:2])

    side = config.data.image_size
    own = settings.resolve(config.model)
    on_device = jax.device_put(variables)
    inputs = labeller.network_input(photo)
    canvas = jax.device_put(inputs["images"][None].astype(np.float32) / np.float32(255))
    sizes = jax.device_put(inputs["image_sizes"][None])

    @jax.jit
    def locate(variables: Variables, canvas: jax.Array, sizes: jax.Array) -> jax.Array:
        resized, shown = framing.coarse_view(canvas, sizes, own)
        network = Applied(model, variables)
        logits = network(STNICNN.label_coarsely, resized)
        return network(STNICNN.localise, logits, side, shown)

    @jax.jit
    def label_parts(
        variables: Variables, canvas: jax.Array, theta: jax.Array
    ) -> tuple[jax.Array, ...]:
        network = Applied(model, variables)
        return network(STNICNN.label_parts, network(STNICNN.crop, canvas, theta))

    @jax.jit
    def join(
        variables: Variables, part_logits: tuple[jax.Array, ...], theta: jax.Array
    ) -> jax.Array:
        probabilities = Applied(model, variables)(STNICNN.join, part_logits, theta, side)
        return jnp.argmax(probabilities, axis=-1).astype(jnp.uint8)

    theta = locate(on_device, canvas, sizes)
    part_logits = label_parts(on_device, canvas, theta)
    return [
        ("whole", Program(from_photo_to_label_map, lambda label_map: None, images=1)),
        ("coarse mask and windows", _on_device(locate, on_device, canvas, sizes)),
        ("crops and their labels", _on_device(label_parts, on_device, canvas, theta)),
        ("map-back", _on_device(join, on_device, part_logits, theta)),
    ]


def _on_device(function: Callable[..., Any], *arguments: Any) -> Program:
    return Program(functools.partial(function, *arguments), jax.block_until_ready, images=1)
