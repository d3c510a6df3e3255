"""Hides parts of faces and measures where the windows go: what `python -m experiments.robustness` does."""

import argparse
import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
from tqdm import tqdm

from fpliif_jax.commands import compilation_cache
from fpliif_jax.data.canvas import canvas_window
from fpliif_jax.data.dataset import evaluation_data, load_dataset
from fpliif_jax.data.facial_parts import PART_LABELS, PART_NAMES
from fpliif_jax.data.resized_split import Split, load_split
from fpliif_jax.data_builders.errors import UserError, counted
from fpliif_jax.experiments.robustness import hiding, sheet
from fpliif_jax.experiments.robustness.recorded import default_margin
from fpliif_jax.experiments.robustness.statistics import CROPPERS, Findings, Statistics
from fpliif_jax.nn.applied import Applied
from fpliif_jax.nn.variables import Variables
from fpliif_jax.run_folder.inference_checkpoint import InferenceCheckpoint
from fpliif_jax.run_folder.run_config import json_config
from fpliif_jax.run_folder.run_record import write_json
from fpliif_jax.run_folder.same_run import refuse_swapped_sides
from fpliif_jax.systems import create_model
from fpliif_jax.systems.pixels import to_unit_range
from fpliif_jax.systems.stn_icnn import framing, part_centres, theta_forms
from fpliif_jax.systems.stn_icnn import settings as stn_icnn_settings
from fpliif_jax.systems.stn_icnn.model import STNICNN
from fpliif_jax.weights import trained_model

Locate = Callable[[Variables, np.ndarray, np.ndarray], dict[str, jax.Array]]


class RobustnessError(UserError):
    """The test cannot be made; the message says why and what to do."""


def hide_each_part(
    image: np.ndarray, labels: np.ndarray, size: tuple[int, int], margin: int
) -> np.ndarray:
    """An image as it is, and with each of its parts hidden.

    Args:
      image: uint8 [S, S, 3], on the canvas.
      labels: uint8 [S, S], 0 … 8.
      size: height and width of the image on the canvas: its padding lends no colour.
      margin: see `hiding.part_region`.

    Returns:
      uint8 [7, S, S, 3]; where a part is absent the image as it is.
    """
    window = canvas_window(len(image), size)
    variants = np.repeat(image[None], 1 + len(PART_LABELS), axis=0)
    shown = labels[window]
    for variant, own in zip(variants[1:], PART_LABELS, strict=True):
        region = hiding.part_region(shown, own, margin)
        barrier = (shown > 0) & ~region
        variant[window] = hiding.fill_from_border(variant[window], region, barrier)
    return variants


def make_locate(trained: InferenceCheckpoint) -> Locate:
    """Builds the jitted function of (variables, canvases uint8 [B, S, S, 3], image sizes int32 [B, 2]).

    Its result has 'mask', K's labels, uint8 [B, s, s]; and 'stn' and 'centroid', θ of both croppers,
    float32 [B, 6, 2, 3].
    """
    settings = stn_icnn_settings.resolve(trained.config.model)
    model = create_model(trained.config.model)

    @jax.jit
    def locate(variables: Variables, canvases: jax.Array, sizes: jax.Array) -> dict[str, jax.Array]:
        side = canvases.shape[1]
        pixels = to_unit_range(canvases)
        resized, shown = framing.coarse_view(pixels, sizes, settings)
        network = Applied(model, variables)
        logits = network(STNICNN.label_coarsely, resized)
        mask = jnp.argmax(logits, axis=-1)
        return {
            "mask": mask.astype(jnp.uint8),
            "stn": network(STNICNN.localise, logits, side, shown),
            "centroid": network(STNICNN.theta_of_mask, mask, side, shown),
        }

    return locate


def find(
    trained: InferenceCheckpoint,
    locate: Locate,
    split: Split,
    chosen: np.ndarray,
    margin: int,
) -> Findings:
    """Hides every part of the chosen images, one after the other, and notes where the windows go.

    Args:
      trained: an STN-iCNN with a localisation network.
      locate: of `make_locate`.
      split: with label maps of the canvas's size.
      chosen: int [N], positions in the split.
      margin: see `hiding.part_region`.
    """
    side = trained.config.data.image_size
    variables = jax.device_put(trained.variables)
    form = trained.config.model.theta_form
    centres_of = jax.jit(lambda theta: theta_forms.centres_of_theta(theta, side, form))
    true_centres = jax.jit(lambda labels: part_centres.part_centroids(labels, floor=False))
    images: list[tuple] = []  # of each, the fields of Findings
    for position in tqdm(chosen, desc="hiding parts", unit="image", leave=False):
        labels = np.asarray(split.labels[side][position])
        variants, sizes = _variants(split, position, labels, margin)
        located = locate(variables, variants, sizes)
        true, present = true_centres(labels[None])
        boxes = [_box(np.isin(labels, own)) for own in PART_LABELS]
        mask = np.asarray(located["mask"])
        has_part = [np.isin(mask, own).any(axis=(1, 2)) for own in PART_LABELS]
        centres = [centres_of(located[cropper]) for cropper in CROPPERS]
        images.append((present[0], true[0], boxes, np.stack(has_part, axis=1), *centres))
    arrays = [np.stack([np.asarray(one) for one in column]) for column in zip(*images, strict=True)]
    return Findings(*arrays[:4], centres=dict(zip(CROPPERS, arrays[4:], strict=True)))


def run(flags: argparse.Namespace) -> None:
    """Makes the test and writes its results; the flags are those of `python -m experiments.robustness`.

    Raises:
      UserError, OSError: what `command_line.run` ends with in one line.
    """
    compilation_cache.enable()
    for name in ("num_images", "num_pictures", "margin", "seed"):
        value = getattr(flags, name)
        if value is not None and value < 0:
            raise RobustnessError(f"--{name}={value}: must be 0 or more")
    chosen_model = trained_model.load(flags)
    trained = chosen_model.trained
    refuse_swapped_sides(trained.sides_are_swapped, chosen_model.origin)
    config = trained.config
    if config.model.get("cropper") != "stn":
        field = "cropper" if "cropper" in config.model else "name"
        kind = f"model.{field}={config.model[field]!r}"
        raise RobustnessError(
            f"{chosen_model.origin} has {kind}: the test compares the croppers of an STN-iCNN that has a localisation "
            "network"
        )
    dataset = load_dataset(_data_config(config, flags))
    if flags.split in dataset.missing_splits:
        raise RobustnessError(f"--split={flags.split}: {dataset.metadata.name} has no such split")
    if dataset.class_names != trained.class_names:
        raise RobustnessError(
            f"{dataset.metadata.name} has the classes {', '.join(dataset.class_names[:4])} …, the model "
            f"{', '.join(trained.class_names[:4])} …: choose another --dataset, or --labels that make them the model's"
        )
    output = trained_model.make_output_folder(flags, "robustness")
    split = load_split(dataset, flags.split, (config.data.image_size,))
    margin = flags.margin
    if margin is None:
        margin = default_margin(config.model.crop_size)
    random = np.random.default_rng(flags.seed)
    chosen = np.arange(len(split))
    if 0 < flags.num_images < len(split):
        chosen = np.sort(random.choice(len(split), flags.num_images, replace=False))
    with jax.default_matmul_precision(config.matmul_precision):
        locate = make_locate(trained)
        findings = find(trained, locate, split, chosen, margin)
        if flags.num_pictures:
            order = random.permutation(len(PART_NAMES))
            columns = _columns(
                trained, locate, split, chosen, findings, margin, order, flags.num_pictures
            )
            sheet.write(columns, trained.class_names, output / "robustness.png")
    statistics = Statistics.of(findings)
    results = {
        "config": json_config(config),
        "model": chosen_model.origin,
        "checkpoint": chosen_model.checkpoint,
        "step": trained.step,
        "split": flags.split,
        "seed": flags.seed,
        "images": len(chosen),
        "margin": margin,
        "dataset": dataset.record() | {"trained_on": trained.fingerprint},
        **dataclasses.asdict(statistics),
    }
    write_json(output / "robustness.json", results)
    print(statistics.as_text())
    print(f"{counted(len(chosen), 'image')} of {flags.split}, {chosen_model.description}: {output}")


def _data_config(
    config: ml_collections.ConfigDict, flags: argparse.Namespace
) -> ml_collections.ConfigDict:
    """config.data of the set that the run is scored on, or of --dataset, with the folders of the command line."""
    if flags.labels is not None and flags.dataset is None:
        raise RobustnessError(
            f"--labels={flags.labels} is for --dataset: the run's own set has its labels"
        )
    config = config.copy_and_resolve_references()
    with config.unlocked():
        if flags.dataset is not None:
            config.eval.update(
                dataset=flags.dataset, labels=flags.labels, manual_dir=None, data_dir=None
            )
        data = evaluation_data(config)
        for field in ("manual_dir", "data_dir"):
            if getattr(flags, field) is not None:
                data[field] = getattr(flags, field)
    return data


def _box(part: np.ndarray) -> tuple[int, int, int, int]:
    """First row and column and last row and column; all 0 where there is nothing."""
    rows, columns = np.nonzero(part)
    if not len(rows):
        return 0, 0, 0, 0
    return rows.min(), columns.min(), rows.max(), columns.max()


def _variants(
    split: Split, position: int, labels: np.ndarray, margin: int
) -> tuple[np.ndarray, np.ndarray]:
    """What `hide_each_part` makes of an image, and its size as often: int32 [7, 2]."""
    size = split.image_sizes[position]
    image = np.asarray(split.images[position])
    height, width = map(int, size)
    variants = hide_each_part(image, labels, (height, width), margin)
    return variants, np.repeat(size[None], len(variants), axis=0)


def _columns(
    trained: InferenceCheckpoint,
    locate: Locate,
    split: Split,
    chosen: np.ndarray,
    findings: Findings,
    margin: int,
    order: np.ndarray,
    count: int,
) -> list[sheet.Column]:
    """The columns of the sheet: evenly spaced images, the hidden part taken in turn from `order`."""
    side = trained.config.data.image_size
    variables = jax.device_put(trained.variables)
    with_parts = np.flatnonzero(findings.present.any(axis=1))
    count = min(count, len(with_parts))
    evenly = with_parts[np.linspace(0, len(with_parts) - 1, count).round().astype(int)]
    columns = []
    for number, index in enumerate(evenly):
        turn = np.roll(order, -number)
        part = int(turn[findings.present[index, turn]][0])
        position = chosen[index]
        labels = np.asarray(split.labels[side][position])
        variants, sizes = _variants(split, position, labels, margin)
        located = jax.device_get(locate(variables, variants, sizes))
        height, width = map(int, sizes[0])
        columns.append(
            sheet.Column(
                title=str(split.ids[position]),
                image=variants[1 + part],
                window=canvas_window(side, (height, width)),
                mask=located["mask"][1 + part],
                mask_shows_canvas=trained.config.model.coarse_from == "canvas",
                hidden_part=part,
                theta_form=trained.config.model.theta_form,
                true_centres=findings.true_centres[index],
                present=findings.present[index],
                thetas={cropper: located[cropper][1 + part] for cropper in reversed(CROPPERS)},
            )
        )
    return columns
