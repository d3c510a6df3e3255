"""What the TFDS builders of the face parsing sets have in common."""

import abc
import functools
import pathlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

from fpliif_jax.data_builders.errors import DataError
from fpliif_jax.data_builders.host.home_folder import expanded
from fpliif_jax.data_builders.prepared import (
    complete_contents,
    label_digests,
    notices,
    origin_check,
    prepared_set,
)
from fpliif_jax.data_builders.prepared.prepared_split import (
    Example,
    PreparedSplit,
    reporting_damage,
)
from fpliif_jax.data_builders.prepared.remedies import Remedies
from fpliif_jax.data_builders.prepared.tolerant_builder import TolerantBuilder
from fpliif_jax.data_builders.raw import fingerprint, raw_images
from fpliif_jax.data_builders.raw.orientation import UPRIGHT
from fpliif_jax.data_builders.raw.raw_tree import RawExample, RawTree
from fpliif_jax.data_builders.synthetic_faces.drawing_versions import refuse_earlier_sides
from fpliif_jax.data_builders.tree_encoding import EncodedExample, TreeEncoding, fingerprint_of


class FaceParsingBuilder(TolerantBuilder, skip_registration=True):
    """Reads a raw tree, checks every file, writes ArrayRecord files in the tree's order.

    Shard by shard, not `GeneratorBasedBuilder`: that one shuffles through a buffer which needs
    TensorFlow as soon as a set is larger than 1 GB. Shuffling is the reader's business.

    A set remembers the tree it was made from, and `download_and_prepare` refuses to take it for
    another one. `download_config.manual_dir` may be left out once the set is prepared.

    Examples have the features
        image: uint8 [H, W, 3], the original JPEG file; a PNG file of the same pixels where that is
            grey or its EXIF orientation turns it.
        label_map: uint8 [h, w, 1], value = class id; h/w is H/W, the sizes may differ.
        id: the official id.
        file_name: path of the image in the raw tree.

    Attributes:
        CLASS_NAMES: names of the classes; index = id. Empty where each raw tree has its own.
        OFFICIAL_COUNTS: number of images in each split of the official set; None where there is none.
        OFFICIAL_IDS: all ids of the official set; None where they are not known here.
        MANUAL_DOWNLOAD_INSTRUCTIONS: what to download, from whom, where to unpack it.
        LABELS_ARE_SCALED: whether the official label maps have another size than their photos.
        num_workers: threads used in preparation; None: one a core.
    """

    VERSION = tfds.core.Version("1.0.0")

    CLASS_NAMES: ClassVar[tuple[str, ...]] = ()
    OFFICIAL_COUNTS: ClassVar[Mapping[str, int] | None] = None
    OFFICIAL_IDS: ClassVar[frozenset[str] | None] = None
    MANUAL_DOWNLOAD_INSTRUCTIONS: ClassVar[str]
    LABELS_ARE_SCALED: ClassVar[bool] = False

    num_workers: int | None = None

    @abc.abstractmethod
    def index_raw_tree(self, manual_dir: pathlib.Path) -> RawTree:
        """Finds the raw tree and lists its examples; reads lists, but no image.

        Raises:
            DataError: the layout is not the official one, or an image or a label is missing.
        """

    def check_photograph(self, content: bytes, path: pathlib.Path) -> raw_images.Photograph:
        """The photograph in a file, as it is stored.

        Raises:
            DataError: the file is not what it has to be.
        """
        return raw_images.check_photograph(content, path)

    @abc.abstractmethod
    def encode_labels(
        self, paths: Sequence[pathlib.Path], contents: Sequence[bytes]
    ) -> tuple[Example, np.ndarray]:
        """The features made from an example's label files, and the label map in them, uint8 [h, w].

        Raises:
            DataError: a file is not what it has to be.
        """

    def label_features(self) -> dict[str, tfds.features.FeatureConnector]:
        """The features that `encode_labels` makes."""
        return {
            "label_map": tfds.features.Image(
                shape=(None, None, 1),
                encoding_format="png",
                use_colormap=True,
                doc=f"Class id of every pixel: {', '.join(self.CLASS_NAMES) or 'see raw_tree.json'}.",
            )
        }

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(encoding_format="jpeg"),
                    **self.label_features(),
                    "id": tfds.features.Text(doc="Official id."),
                    "file_name": tfds.features.Text(doc="Path of the image in the raw tree."),
                }
            )
        )

    def download_and_prepare(
        self, *, download_config: tfds.download.DownloadConfig | None = None, **kwargs: Any
    ) -> None:
        """Prepares the set, or makes sure that the prepared one is the right one. Downloads nothing.

        Args:
            download_config: `manual_dir` is the folder with the unpacked archive; may be None for a
                set that is prepared. `download_mode=tfds.GenerateMode.REUSE_CACHE_IF_EXISTS`
                replaces a prepared set.
            **kwargs: as in TFDS.

        Raises:
            DataError: no data, bad data, or a set prepared from another tree.
        """
        config = download_config or tfds.download.DownloadConfig()
        rebuild = config.download_mode.overwrite_dataset
        folder = self.prepared_folder()
        if prepared_set.recover(folder):
            self.info.read_from_directory(self.data_dir)
        tree = None
        if config.manual_dir is not None:
            manual_dir = expanded(config.manual_dir).absolute()
            refuse_earlier_sides(self.name, manual_dir)
            tree = self.index_raw_tree(manual_dir)
            if not tree.splits:
                raise DataError(
                    f"{tree.root}: every split is empty. {self.remedies.how_to_get_it()}"
                )
        if rebuild or not folder.exists():
            if tree is None:
                raise self.remedies.nothing_prepared(rebuild)
            self._prepare(tree, config, kwargs, rebuild)
        self._check_prepared(tree)
        complete_contents.complete_contents(
            folder, tree, functools.partial(self._digest_labels, tree)
        )
        for split in self.info.splits:
            self.encoded_examples(split).check_ends()
        notices.tell(self.name, folder, self.OFFICIAL_COUNTS, self.remedies.command("DIR"))

    def _prepare(
        self,
        tree: RawTree,
        config: tfds.download.DownloadConfig,
        kwargs: dict[str, Any],
        rebuild: bool,
    ) -> None:
        folder = self.prepared_folder()
        config = config.replace(
            download_mode=tfds.GenerateMode.REUSE_DATASET_IF_EXISTS, try_download_gcs=False
        )
        with prepared_set.lock(folder):
            if folder.exists() and not rebuild:  # Another process did it while this one waited.
                self.info.read_from_directory(self.data_dir)
                return
            self._prepare_beside(tree, config, kwargs)
            self._damage = None
            self.info.read_from_directory(self.data_dir)

    def _prepare_beside(
        self, tree: RawTree, config: tfds.download.DownloadConfig, kwargs: dict[str, Any]
    ) -> None:
        """Makes the set in a folder of its own, so that one that stands can be used until this is whole."""
        folder = self.prepared_folder()
        staging = prepared_set.staging_folder(folder)
        new = type(self)(
            config=self.builder_config.name if self.builder_config else None, data_dir=str(staging)
        )
        new.num_workers, new._tree = self.num_workers, tree
        try:
            super(FaceParsingBuilder, new).download_and_prepare(download_config=config, **kwargs)
            prepared_set.put_in_place(new.prepared_folder(), folder)
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def _download_and_prepare(
        self,
        dl_manager: tfds.download.DownloadManager,
        download_config: tfds.download.DownloadConfig | None = None,
    ) -> None:
        """Writes all shards; TFDS calls it with `data_dir` set to a temporary folder."""
        encode = functools.partial(self._encode_example, self._tree)
        description = f"Preparing {self.name}"
        with TreeEncoding(self._tree, encode, self.num_workers, description) as encoding:
            self._encoding = encoding
            super()._download_and_prepare(dl_manager, download_config)
        encoding.write_notes(pathlib.Path(self.data_dir), self._identity())

    def _shard_iterators_per_split(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, list[Callable[[], Iterator[tuple[str, Example]]]]]:
        """The shards, which TFDS takes one after the other, in this order."""
        return self._encoding.shards()

    def _encode_example(self, tree: RawTree, raw: RawExample) -> EncodedExample:
        """Reads, checks and encodes one example."""
        files = (raw.image, *raw.labels)
        contents = [tree.read(file) for file in files]
        paths = [tree.root / file for file in files]
        photograph = self.check_photograph(contents[0], paths[0])
        labels, label_map = self.encode_labels(paths[1:], contents[1:])
        raw_images.check_same_shape(photograph, paths[0], label_map.shape, paths[1], tree.remedy)
        unusual = {}
        if photograph.orientation != UPRIGHT:
            unusual["turned"] = raw.image
        if label_map.shape != photograph.size and not self.LABELS_ARE_SCALED:
            unusual["scaled"] = raw.labels[0]
        return EncodedExample(
            {"image": photograph.content, **labels, "id": raw.id, "file_name": raw.image},
            fingerprint.upright_digest(files, contents),
            label_digests.label_map_digest(raw.id, label_map),
            unusual,
        )

    def _check_prepared(self, tree: RawTree | None) -> None:
        """Raises DataError unless the set is whole and, where a tree is given, made from it."""
        folder = self.prepared_folder()
        origin = prepared_set.read_origin(folder)
        damage = self._damage or prepared_set.damage_of_shards(folder, self.info.splits, origin)
        if origin is None or damage:
            raise self.damaged(damage or "its raw_tree.json is missing or damaged", tree)
        if not (self.CLASS_NAMES or origin.class_names):
            raise self.damaged("its raw_tree.json names no classes", tree)
        if origin.remarks is None:
            examples = map(self.encoded_examples, self.info.splits)
            origin = origin_check.without_turned_photos(origin, examples, tree, self.remedies)
        if tree is None:
            refuse_earlier_sides(self.name, pathlib.Path(origin.manual_dir))
        else:
            digest = functools.partial(fingerprint_of, self._identity(), tree, self.num_workers)
            origin_check.check_made_from(tree, origin, digest, self.remedies)

    def _digest_labels(self, tree: RawTree | None) -> complete_contents.Digests:
        """Digests of a prepared set's label maps; its tree, where one is given, says which example is where."""
        splits = {
            split: self._open(
                split,
                dict.fromkeys(raw.id for raw in tree.splits.get(split, ())) if tree else None,
            )
            for split in self.info.splits
        }
        return complete_contents.digest_label_maps(self.name, splits, self.num_workers)

    def damaged(self, reason: object, tree: RawTree | None = None) -> DataError:
        """The error that says that the prepared set is damaged, and how to make it anew."""
        return self.remedies.damaged(reason, tree)

    def encoded_examples(self, split: str) -> PreparedSplit:
        """The examples of a split of the prepared set, images as the bytes of their files.

        Reading one raises DataError where it is damaged, or is not what belongs in its place.
        """
        contents = prepared_set.read_contents(self.prepared_folder())
        return self._open(split, contents.label_digests.get(split, {}) if contents else None)

    def _open(self, split: str, expected: Mapping[str, str | None] | None) -> PreparedSplit:
        images = {"image", *self.label_features()}
        decoders = {name: tfds.decode.SkipDecoding() for name in images}
        with reporting_damage(self.damaged):
            source = self.as_data_source(split, decoders=decoders)
            return PreparedSplit(self.info.splits[split], source, expected, self.damaged)

    def _identity(self) -> str:
        config = self.builder_config.name if self.builder_config else ""
        return f"{self.name}/{config}/{self.version}"

    @property
    def remedies(self) -> Remedies:
        """What a person can do about this set."""
        config = self.builder_config and self.builder_config.name
        is_default = config is None or config == self.default_builder_config.name
        return Remedies(
            self.name,
            None if is_default else config,
            self.data_dir_root,
            self.prepared_folder(),
            self.MANUAL_DOWNLOAD_INSTRUCTIONS,
        )
