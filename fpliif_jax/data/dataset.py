"""A prepared data set, divided as config.data says; drawn and prepared first where it is not there."""

import dataclasses
import functools
import pathlib
from collections.abc import Sequence

import ml_collections
import numpy as np
from absl import logging

from fpliif_jax.data import canvas, renamed_labels, resize_cache, splits
from fpliif_jax.data_builders import class_names, prepare, synthetic_faces
from fpliif_jax.data_builders.errors import DataError, SettingsError, said
from fpliif_jax.data_builders.face_parsing_builder import FaceParsingBuilder
from fpliif_jax.data_builders.host.home_folder import expanded
from fpliif_jax.data_builders.prepared import label_digests
from fpliif_jax.data_builders.prepared.prepared_split import Example
from fpliif_jax.fields import field_checks
from fpliif_jax.fields.json_types import JsonObject


@dataclasses.dataclass(frozen=True)
class Dataset:
    """A prepared data set and where its resized copies live.

    Attributes:
      builder: the TFDS builder.
      metadata: its counts, fingerprint and class names.
      config: config.data.
    """

    builder: FaceParsingBuilder
    metadata: prepare.PreparedMetadata
    config: ml_collections.ConfigDict

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes in label maps; index = id."""
        return renamed_labels.class_names_of(self.config.labels, self.metadata.class_names)

    @property
    def whose_left(self) -> str:
        """Whose left the names of the classes mean, see `data_builders.class_names`."""
        return class_names.whose_left(self.class_names)

    @property
    def counts(self) -> dict[str, int]:
        """Examples by split as config.data divides the set, 0 where a split is missing."""
        return splits.counts(self.config, self.metadata.counts)

    @property
    def missing_splits(self) -> tuple[str, ...]:
        """Splits without examples."""
        return tuple(split for split, count in self.counts.items() if not count)

    @functools.cached_property
    def digest(self) -> dict[str, dict[str, str | None]] | None:
        """Digests of ids and label maps of the examples that config.data gives each split, and of all of them.

        The label maps are those of the prepared set, not yet resized, renamed (data.labels) or framed. See
        `label_digests.digests_of_splits`; None where the prepared set has no record of them.
        """
        recorded = self.metadata.label_digests
        if recorded is None:
            return None
        own: dict[str, dict[str, str]] = dict.fromkeys(splits.SPLIT_NAMES, {}) | recorded
        for split in splits.SPLIT_NAMES:
            if splits.is_own(self.config, split):
                own[split] = {
                    member.id: recorded[member.split][member.id] for member in self.members(split)
                }
        return label_digests.digests_of_splits(own)

    def record(self) -> JsonObject:
        """What results say of the data, ready for JSON."""
        return {
            "name": self.metadata.name,
            "builder_config": self.metadata.builder_config,
            "complete": self.metadata.complete,
            "official_ids": self.metadata.official_ids,
            "drawn": self.metadata.drawn,
            "drawing": self.metadata.drawing,
            "counts": self.counts,
            "fingerprint": self.metadata.fingerprint,
            "digest": self.digest,
            "whose_left": self.whose_left,
        }

    def environment(self) -> JsonObject:
        """What the record of a training run's surroundings says of the data, ready for JSON."""
        return {
            "data_fingerprint": self.metadata.fingerprint,
            "data_digest": self.digest and self.digest["labels"]["all"],
            "data_drawn": self.metadata.drawn,
            "data_drawing": self.metadata.drawing,
            "data_counts": self.counts,
            "whose_left": self.whose_left,
        }

    @property
    def cache_folder(self) -> pathlib.Path:
        """The folder for what is computed from these very examples, as their resized arrays."""
        metadata = self.metadata
        if self.config.cache_dir:
            cache = expanded(self.config.cache_dir)
        else:
            # The builder's folder is <data_dir>/<name>/[<config>/]<version>.
            data_dir = self.builder.data_path.parent
            while data_dir.name != metadata.name:
                data_dir = data_dir.parent
            cache = pathlib.Path(data_dir.parent) / "resized"
        profile = metadata.builder_config or "default"
        return cache / f"{metadata.name}-{profile}-{metadata.fingerprint[:16]}"

    def cached(
        self,
        folder_name: str,
        source: Sequence[Example],
        arrays: list[resize_cache.ResizedArray],
        description: str,
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """Arrays in a folder of the set's cache, made where they are not there, see `resize_cache.open_or_build`.

        Raises:
          DataError: the disk is full or the cache cannot be written; says what to do.
        """
        try:
            return resize_cache.open_or_build(
                self.cache_folder / folder_name,
                source,
                arrays,
                description=f"{description} of {self.metadata.name}",
                num_workers=self.config.num_workers or None,
            )
        except OSError as error:
            raise DataError(
                f"the cache of resized images cannot be read or written: {said(error)}; set "
                "--config.data.cache_dir to another disk"
            ) from error

    def members(self, name: str) -> list[splits.Member]:
        """Which examples a split has, in order."""
        names = (name,) if self.config.split == "official" else splits.SPLIT_NAMES
        official_ids = {split: self._official_ids(split) for split in names}
        return splits.members(self.config, name, official_ids)

    def _official_ids(self, split: str) -> list[str]:
        """The ids of an official split, from the cache once they were read; empty if it is missing."""
        if not self.metadata.counts[split]:
            return []
        source = self.builder.encoded_examples(split)
        ids, _ = self.cached(split, source, [], f"listing {split}")
        return ids.tolist()


def load_dataset(config: ml_collections.ConfigDict) -> Dataset:
    """Prepares the data set unless it is prepared already; draws it first if it is synthetic.

    Args:
      config: config.data.

    Raises:
      SettingsError: as `check_settings`.
      DataError: the raw files are missing, damaged, or not those the prepared set was made of; or
        they have fewer training images than config.train_subset.
    """
    check_settings(config)
    manual_dir, data_dir = config.manual_dir or None, config.data_dir or None
    if config.synthetic.num_train > 0:
        manual_dir, data_dir = _draw(config)
    builder = prepare.prepare(
        config.name,
        builder_config=None if config.builder_config == "default" else config.builder_config,
        manual_dir=manual_dir,
        data_dir=data_dir,
        num_workers=config.num_workers or None,
    )
    dataset = Dataset(builder, prepare.metadata(builder), config)
    total = sum(dataset.metadata.counts.values())
    if config.split == "first" and sum(config.split_counts) > total:
        raise DataError(
            f"config.data.split_counts is {tuple(config.split_counts)}, and {config.name} has {total} "
            "images: choose at most that many in all"
        )
    available = splits.counts(config, dataset.metadata.counts, subset=False)["train"]
    # Without training images a set can still be evaluated.
    if available and config.train_subset > available:
        raise DataError(
            f"config.data.train_subset is {config.train_subset}, and {config.name} has {available} "
            "training images: choose at most that many, or 0 for all"
        )
    return dataset


def load_datasets(config: ml_collections.ConfigDict, trains: bool) -> tuple[Dataset, Dataset]:
    """The data set that a run is trained on and the one that it is scored on, mostly the same; see `load_dataset`.

    Args:
      config: of the run.
      trains: False where nothing is trained: then both are the one that is scored on.
    """
    scored_on = evaluation_data(config)
    scored = load_dataset(scored_on)
    trained = load_dataset(config.data) if trains and scored_on is not config.data else scored
    return trained, scored


def evaluation_data(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """config.data of the set that a run is scored on: its own, or that of config.eval.dataset.

    The other set has its official split and its default profile, and is framed and resized as the run's own.
    """
    if config.eval.get("dataset") is None:  # which earlier configs do not have
        return config.data
    data = config.data.copy_and_resolve_references()
    own = {
        "labels": config.eval.labels or "all",
        "builder_config": "default",
        "name": config.eval.dataset,
    }
    places = {"manual_dir": config.eval.manual_dir, "data_dir": config.eval.data_dir}
    data.update(own | places | {"split": "official", "split_counts": None, "train_subset": 0})
    data.synthetic.num_train = 0
    return data


def check_settings(config: ml_collections.ConfigDict) -> None:
    """Checks how images are framed, named and divided.

    Args:
      config: config.data.

    Raises:
      SettingsError: names the impossible field, its value and what it may be.
    """
    field_checks.check_section("data", config)
    splits.check_settings(config)
    longest_side = config.get("longest_side")
    if longest_side is not None and config.framing != "canvas":
        raise SettingsError(
            f"config.data.longest_side is {longest_side}; it is for config.data.framing='canvas', not "
            f"{config.framing!r}"
        )
    canvas.check_longest_side(longest_side, config.image_size)


def _draw(config: ml_collections.ConfigDict) -> tuple[str, str]:
    """Draws the synthetic raw download unless it is there; builders take it for an official one.

    Returns:
      (manual_dir, data_dir): folders of their own for these very faces.
    """
    if not config.manual_dir or not config.data_dir:
        raise DataError(
            "synthetic faces need folders of their own: set --config.data.manual_dir and "
            "--config.data.data_dir"
        )
    synthetic = config.synthetic
    counts = f"{synthetic.num_train}-{synthetic.num_val}-{synthetic.num_test}"
    faces = f"{config.name}-{counts}-{synthetic.image_size}px-seed{synthetic.seed}"
    # Earlier drawings, and what was prepared from them, keep their folders: earlier runs were on them.
    earlier = expanded(config.manual_dir) / faces
    version = synthetic_faces.DRAWING_VERSIONS.get(config.name, 1)
    if version > 1:
        faces += f"-drawing{version}"
    style = synthetic.get("style") or "plain"  # earlier runs record none
    without, also = (
        synthetic_faces.each_once(synthetic.get(name) or ()) for name in ("without", "also")
    )
    if style != "plain":
        faces += f"-{style}{synthetic_faces.style_version(style, also)}"
    for name, parts in (("without", without), ("also", also)):
        if parts:
            faces += f"-{name}-{'-'.join(parts)}"
    manual_dir = expanded(config.manual_dir) / faces
    reason = (
        synthetic_faces.why_outdated(config.name, earlier)
        if version > 1 and style == "plain"
        else None
    )
    if reason is not None and not manual_dir.exists():
        logging.warning("%s: drawn anew in %s, for %s", earlier, manual_dir, reason)
    data_dir = expanded(config.data_dir) / faces
    synthetic_faces.write_dataset(
        config.name,
        manual_dir,
        num_train=synthetic.num_train,
        num_val=synthetic.num_val,
        num_test=synthetic.num_test,
        image_size=synthetic.image_size,
        seed=synthetic.seed,
        num_workers=config.num_workers or None,
        style=style,
        without=without,
        also=also,
    )
    return str(manual_dir), str(data_dir)
