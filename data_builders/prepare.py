"""Prepares a data set from its raw download, which is checked file by file.

    python -m data_builders.prepare lapa --manual_dir=DOWNLOADS
    python -m data_builders.prepare celebamask_hq --builder_config=farl --manual_dir=DOWNLOADS --data_dir=PREPARED

What was interrupted is begun again; what is prepared already is compared with the download.
"""

import dataclasses
import errno
import itertools
import os
import pathlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fpliif_jax import data_builders
from fpliif_jax.data_builders.class_list import ClassList
from fpliif_jax.data_builders.errors import DataError, one_line
from fpliif_jax.data_builders.host.home_folder import expanded
from fpliif_jax.data_builders.prepared import label_digests, prepared_set

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

    from fpliif_jax.data_builders.face_parsing_builder import FaceParsingBuilder

_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES)


@dataclasses.dataclass(frozen=True)
class PreparedMetadata:
    """Metadata of a prepared set.

    Attributes:
        name: one of `data_builders.BUILDERS`.
        builder_config: the merge profile of CelebAMask-HQ, None for the other sets.
        fingerprint: SHA-256 (64 hexadecimal digits) of the content of the raw tree, the builder's
            name, config and version: equal fingerprints mean equal examples.
        complete: whether every split has as many images as the official set, if there is one.
        counts: number of images in 'train', 'validation' and 'test', 0 where a split is missing.
        official_counts: those of the official set; None where there is none.
        class_names: index = id.
        official_ids: whether the ids are those of the official set; None where that is not known.
        drawn: whether any face is drawn by `synthetic_faces`; None where that is not recorded.
        drawing: settings of the drawing; None where no face is drawn or they are not known.
        label_digests: by split and id, see `label_digests.label_map_digest`; None where an earlier
            version prepared the set and its folder cannot be written.
    """

    name: str
    builder_config: str | None
    fingerprint: str
    complete: bool
    counts: dict[str, int]
    official_counts: dict[str, int] | None
    class_names: tuple[str, ...]
    official_ids: bool | None = None
    drawn: bool | None = None
    drawing: dict[str, str | int] | None = None
    label_digests: dict[str, dict[str, str]] | None = dataclasses.field(default=None, repr=False)


def prepare(
    name: str,
    *,
    builder_config: str | None = None,
    manual_dir: str | None = None,
    data_dir: str | None = None,
    num_workers: int | None = None,
    rebuild: bool = False,
) -> "FaceParsingBuilder":
    """Makes a prepared set, or makes sure that the one there is the right one.

    Where several processes prepare the same set, one does and the others wait for it.

    Args:
        name: one of `data_builders.BUILDERS`.
        builder_config: merge profile of CelebAMask-HQ, `official` by default.
        manual_dir: folder in which the download was unpacked; may be None where the set is
            prepared.
        data_dir: where prepared sets live, by default TFDS's own ($TFDS_DATA_DIR or
            ~/tensorflow_datasets).
        num_workers: threads, by default one a core.
        rebuild: prepare anew and replace what is there.

    Returns:
        The builder of the prepared set.

    Raises:
        DataError: no data, bad data, a set prepared from another tree, or a folder that cannot be
            written.
    """
    import tensorflow_datasets as tfds

    if num_workers is not None and num_workers < 1:
        raise DataError(f"num_workers is {num_workers}; it has to be at least 1.")
    builder = _builder(name, builder_config, data_dir)
    builder.num_workers = num_workers
    mode = (
        tfds.GenerateMode.REUSE_CACHE_IF_EXISTS
        if rebuild
        else tfds.GenerateMode.REUSE_DATASET_IF_EXISTS
    )
    try:
        builder.download_and_prepare(
            download_config=tfds.download.DownloadConfig(
                manual_dir=manual_dir, download_mode=mode, try_download_gcs=False
            )
        )
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        if isinstance(error, RuntimeError):  # ArrayRecord's, of a full disk as of anything else
            reasons = (os.strerror(number) for number in _OF_THE_DISK)
            reason = next((text for text in reasons if text in str(error)), None)
            if reason is None:
                raise
        path = getattr(error, "filename", None) or builder.prepared_folder()
        raise DataError(f"{path}: {reason}. Correct it, or give another --data_dir.") from error
    return _builder(name, builder_config, data_dir)


def metadata(builder: "tfds.core.DatasetBuilder") -> PreparedMetadata:
    """Metadata of a prepared set, from the builder that `prepare` returned.

    Raises:
        DataError: it is not prepared.
    """
    folder = pathlib.Path(builder.data_dir)
    origin, contents = prepared_set.read_origin(folder), prepared_set.read_contents(folder)
    if origin is None:
        raise DataError(
            f"{builder.data_dir}: there is no prepared set. Run python -m fpliif_jax.data_builders.prepare "
            f"{builder.name} --manual_dir=DIR."
        )
    official_counts = builder.OFFICIAL_COUNTS and dict(builder.OFFICIAL_COUNTS)
    official_ids = None
    if contents and builder.OFFICIAL_IDS is not None:
        ids = itertools.chain.from_iterable(contents.label_digests.values())
        official_ids = set(ids) == builder.OFFICIAL_IDS
    return PreparedMetadata(
        name=builder.name,
        builder_config=builder.builder_config.name if builder.builder_config else None,
        fingerprint=origin.fingerprint,
        complete=official_counts in (None, origin.counts),
        counts=origin.counts,
        official_counts=official_counts,
        class_names=builder.CLASS_NAMES or tuple(origin.class_names or ()),
        official_ids=official_ids,
        drawn=contents.drawn if contents else None,
        drawing=contents.drawing if contents else None,
        label_digests=contents.label_digests if contents else None,
    )


def counts(
    name: str,
    *,
    builder_config: str | None = None,
    manual_dir: str | None = None,
    data_dir: str | None = None,
) -> dict[str, int] | None:
    """Number of images in 'train', 'validation' and 'test' of a set that is prepared, or that is there to be.

    Nothing is prepared, and no image is read.

    Args:
        name, builder_config, manual_dir, data_dir: as in `prepare`.

    Returns:
        The counts; None where neither a prepared set nor a download is known.

    Raises:
        DataError: the layout of the download is not the official one.
    """
    builder = _builder(name, builder_config, data_dir)
    origin = prepared_set.read_origin(builder.prepared_folder())
    if origin is not None:
        return origin.counts
    if manual_dir is None:
        return None
    return builder.index_raw_tree(expanded(manual_dir).absolute()).counts()


def class_names(name: str, data_dir: str | None = None) -> tuple[str, ...]:
    """Names of a set's classes; index = id.

    Raises:
        DataError: each raw tree of the set has its own, and none is prepared in `data_dir`.
    """
    names = data_builders.BUILDERS[name].CLASS_NAMES
    if names:
        return names
    builder = _builder(name, None, data_dir)
    origin = prepared_set.read_origin(builder.prepared_folder())
    if origin is None or not origin.class_names:
        raise DataError(
            f"{builder.prepared_folder()}: the classes of {name} are not known before it is prepared. Run "
            f"python -m fpliif_jax.data_builders.prepare {name} --manual_dir=DIR."
        )
    return tuple(origin.class_names)


def _builder(name: str, builder_config: str | None, data_dir: str | None) -> "FaceParsingBuilder":
    builders = data_builders.BUILDERS
    if name not in builders:
        raise DataError(f"There is no data set {name!r}; there are {', '.join(builders)}.")
    builder_class = builders[name]
    if builder_config and builder_config not in builder_class.builder_configs:
        configs = ", ".join(builder_class.builder_configs) or "none"
        raise DataError(
            f"Data set {name} has no builder_config {builder_config!r}; it has: {configs}."
        )
    folder = os.path.abspath(expanded(data_dir)) if data_dir else None
    try:
        os.fsencode(folder or "").decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{folder}: this name is not UTF-8; give another --data_dir.") from error
    return builder_class(config=builder_config or None, data_dir=folder)


def _in_one_line(prepared: PreparedMetadata) -> str:
    parts = [", ".join(f"{split} {count:,}" for split, count in prepared.counts.items())]
    if prepared.official_counts is None:
        parts += _classes_in_words(prepared.class_names)
    parts.append(f"fingerprint {prepared.fingerprint}")
    if prepared.label_digests is not None:
        digests = label_digests.digests_of_splits(prepared.label_digests)
        parts += [f"digest of all {what} {by_split['all']}" for what, by_split in digests.items()]
    if prepared.drawn:
        settings = ", ".join(f"{name} {value}" for name, value in (prepared.drawing or {}).items())
        parts.append("the faces are drawn" + (f" ({settings})" if settings else ""))
    return "; ".join(parts)


def _classes_in_words(names: tuple[str, ...]) -> list[str]:
    pairs = ClassList(names).mirrored_pairs()
    swapped = ", ".join(f"{first} and {second}" for first, second in pairs)
    return [
        f"{len(names)} classes: {', '.join(names)}",
        f"a flip swaps {swapped}" if pairs else "a flip swaps no classes",
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit code."""
    from fpliif_jax.commands import command_line  # `prepare` from Python needs no command line

    parser = command_line.CommandParser("data_builders.prepare", __doc__)
    parser.add_argument("name", choices=data_builders.NAMES, help="the data set")
    parser.add_argument("--manual_dir", help="folder in which the download was unpacked")
    parser.add_argument("--data_dir", help="where prepared sets live (default: TFDS's own)")
    parser.add_argument(
        "--builder_config", help="merge profile of celebamask_hq: official, farl or own_masks"
    )
    parser.add_argument("--num_workers", type=int, help="threads (default: one a core)")
    parser.add_argument("--rebuild", action="store_true", help="replace what is already prepared")
    return command_line.run(
        "data_builders.prepare",
        _work,
        vars(parser.parse_args(arguments)),
        interrupted="interrupted; nothing was prepared",
    )


def _work(options: dict[str, Any]) -> int:
    builder = prepare(**options)
    print(one_line(f"{builder.data_dir}: {_in_one_line(metadata(builder))}"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
