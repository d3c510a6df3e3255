"""Tests of fpliif_jax.input_pipeline."""

import pathlib

import numpy as np
import pytest
from PIL import Image
from tiny_run import tiny_config

from data_builders.errors import DataError
from fpliif_jax import input_pipeline, preprocess


def _split(count: int = 10) -> input_pipeline.Split:
    """Example i has pixels and labels i."""
    values = np.arange(count, dtype=np.uint8)
    images = np.broadcast_to(values[:, None, None, None], (count, 4, 4, 3))
    labels = np.broadcast_to(values[:, None, None], (count, 4, 4))
    ids = np.array([f"face {value}" for value in values])
    return input_pipeline.Split(ids, images, {4: labels, 8: labels.repeat(2, 1).repeat(2, 2)})


def _train(first: int, last: int, *, seed: int = 0, rows: slice = slice(0, 4)) -> list[dict]:
    return list(
        input_pipeline.train_batches(
            _split(),
            label_size=4,
            batch_size=4,
            rows=rows,
            seed=seed,
            first_step=first,
            last_step=last,
        )
    )


def test_every_epoch_has_every_example_once_in_another_order() -> None:
    batches = _train(0, 6)  # 2 epochs of 4 + 4 + 2
    epochs = []
    for epoch in range(2):
        part = batches[3 * epoch : 3 * epoch + 3]
        assert all((batch["epoch"] == epoch).all() for batch in part)
        ids = np.concatenate([batch["example_ids"] for batch in part])
        weights = np.concatenate([batch["weights"] for batch in part])
        np.testing.assert_array_equal(weights, ids >= 0)
        assert sorted(ids[ids >= 0]) == list(range(10))
        epochs.append(list(ids))
    assert epochs[0] != epochs[1]


def test_images_labels_and_ids_belong_together() -> None:
    for batch in _train(0, 3):
        for row, example_id in enumerate(batch["example_ids"]):
            expected = max(example_id, 0)  # padding is black
            assert (batch["images"][row] == expected).all()
            assert (batch["labels"][row] == expected).all()


def test_any_step_can_be_the_first() -> None:
    whole, later = _train(0, 6), _train(4, 6)
    for one, other in zip(whole[4:], later, strict=True):
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


def test_order_depends_on_the_seed() -> None:
    first, second = _train(0, 1)[0], _train(0, 1, seed=1)[0]
    assert list(first["example_ids"]) != list(second["example_ids"])


def test_two_processes_share_the_batch_of_one() -> None:
    for whole, left, right in zip(
        _train(0, 3, rows=slice(0, 6)),  # 4 examples, padded to 6 rows
        _train(0, 3, rows=slice(0, 3)),
        _train(0, 3, rows=slice(3, 6)),
        strict=True,
    ):
        for name in whole:
            np.testing.assert_array_equal(whole[name], np.concatenate([left[name], right[name]]))


def test_evaluation_goes_through_all_in_order() -> None:
    batches = list(
        input_pipeline.evaluation_batches(
            _split(), label_sizes=(4, 8), batch_size=4, rows=slice(0, 4)
        )
    )
    ids = np.concatenate([batch["example_ids"] for batch in batches])
    assert list(ids) == [*range(10), -1, -1]
    assert list(np.concatenate([batch["weights"] for batch in batches])) == [1] * 10 + [0] * 2
    assert batches[1]["labels_8"].shape == (4, 8, 8)
    assert (batches[1]["labels_8"][1] == 5).all()


def test_cache_holds_the_resized_download(
    lapa_download: pathlib.Path, data_dir: pathlib.Path
) -> None:
    config = tiny_config(lapa_download, data_dir).data
    dataset = input_pipeline.load_dataset(config)
    split = input_pipeline.load_split(dataset, "validation", (32, 16))
    assert len(split) == 5
    for position, identifier in enumerate(split.ids):
        folder = lapa_download / "LaPa" / "val"
        image = np.asarray(Image.open(folder / "images" / f"{identifier}.jpg"))
        labels = np.asarray(Image.open(folder / "labels" / f"{identifier}.png"))
        np.testing.assert_array_equal(
            split.images[position], preprocess.resize_image(image, (32, 32), "pillow")
        )
        for size in (32, 16):
            np.testing.assert_array_equal(
                split.labels[size][position],
                preprocess.resize_label_map(
                    labels, (size, size), 11, method="class_bicubic", bicubic="pillow"
                ),
            )


def test_synthetic_faces_need_folders_of_their_own() -> None:
    config = tiny_config().data
    config.synthetic.num_train = 3
    with pytest.raises(DataError, match="folders of their own"):
        input_pipeline.load_dataset(config)


def test_synthetic_faces_are_drawn_once(tmp_path: pathlib.Path) -> None:
    config = tiny_config(tmp_path / "raw", tmp_path / "prepared").data
    config.synthetic.update({"num_train": 2, "num_val": 1, "num_test": 1, "image_size": 48})
    counts = input_pipeline.load_dataset(config).metadata.counts
    assert counts == {"train": 2, "validation": 1, "test": 1}
    (drawn,) = (folder for folder in (tmp_path / "raw").iterdir() if folder.is_dir())
    before = drawn.stat().st_mtime_ns
    input_pipeline.load_dataset(config)
    assert drawn.stat().st_mtime_ns == before
    config.synthetic.num_train = 3  # other faces: other folders, nothing reused
    assert input_pipeline.load_dataset(config).metadata.counts["train"] == 3
