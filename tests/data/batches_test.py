"""Tests of fpliif_jax.data.batches."""

import numpy as np

from fpliif_jax.data.batches import EpochOrder, evaluation_batches, steps_per_epoch, train_batches
from fpliif_jax.data.resized_split import Split


def _split(count: int = 10) -> Split:
    """Example i has pixels and labels i, and a picture of (i + 1) × 2."""
    values = np.arange(count, dtype=np.uint8)
    images = np.broadcast_to(values[:, None, None, None], (count, 4, 4, 3))
    labels = np.broadcast_to(values[:, None, None], (count, 4, 4))
    ids = np.array([f"face {value}" for value in values])
    sizes = np.stack([values + 1, np.full(count, 2)], axis=1).astype(np.int32)
    maps = {4: labels, 8: labels.repeat(2, 1).repeat(2, 2)}
    return Split(ids, images, maps, sizes)


def _train(
    first: int, last: int, *, seed: int = 0, local_slice: slice = slice(0, 4), **options: int
) -> list[dict]:
    return list(
        train_batches(
            _split(),
            label_size=4,
            order=EpochOrder(batch_size=4, seed=seed, **options),
            local_slice=local_slice,
            steps=range(first, last),
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
            size = (example_id + 1, 2) if example_id >= 0 else (0, 0)
            assert tuple(batch["image_sizes"][row]) == size
            assert batch["copy"][row] == 0
            assert (batch["images"][row] == expected).all()
            assert (batch["labels"][row] == expected).all()


def test_any_step_can_be_the_first() -> None:
    whole, later = _train(0, 6), _train(4, 6)
    for one, other in zip(whole[4:], later, strict=True):
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


def test_an_epoch_of_copies_has_each_copy_of_each_example_once() -> None:
    assert steps_per_epoch(10, 4, copies=5) == 13
    batches = _train(0, 26, copies=5)  # 2 epochs of 12 batches of 4 and one of 2
    epochs = []
    for epoch in range(2):
        part = batches[13 * epoch : 13 * epoch + 13]
        assert all((batch["epoch"] == epoch).all() for batch in part)
        pairs = [
            (example_id, copy)
            for batch in part
            for example_id, copy in zip(batch["example_ids"], batch["copy"], strict=True)
        ]
        assert pairs[-2:] == [(-1, 0), (-1, 0)]
        assert sorted(pairs[:-2]) == [(i, copy) for i in range(10) for copy in range(5)]
        epochs.append(pairs)
        for batch in part:
            assert batch["copy"].dtype == batch["image_sizes"].dtype == np.int32
            assert (batch["labels"][:, 0, 0] == np.maximum(batch["example_ids"], 0)).all()
    assert epochs[0] != epochs[1]
    # Shuffled together: the first ten are not copies of the first few images, nor all of one copy.
    assert len({i for i, _ in epochs[0][:10]}) > 4 and len({c for _, c in epochs[0][:10]}) > 1


def test_two_processes_share_the_copies() -> None:
    (whole,) = _train(12, 13, copies=5, local_slice=slice(0, 6))
    (left,) = _train(12, 13, copies=5, local_slice=slice(0, 1))
    (right,) = _train(12, 13, copies=5, local_slice=slice(1, 6))
    for name in whole:
        np.testing.assert_array_equal(whole[name], np.concatenate([left[name], right[name]]))


def test_a_later_stage_goes_on_counting_epochs() -> None:
    for one, other in zip(_train(3, 6), _train(0, 3, first_epoch=1), strict=True):
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


def test_order_depends_on_the_seed() -> None:
    first, second = _train(0, 1)[0], _train(0, 1, seed=1)[0]
    assert list(first["example_ids"]) != list(second["example_ids"])


def test_two_processes_share_the_batch_of_one() -> None:
    for whole, left, right in zip(
        _train(0, 3, local_slice=slice(0, 6)),  # 4 examples, padded to 6 rows
        _train(0, 3, local_slice=slice(0, 3)),
        _train(0, 3, local_slice=slice(3, 6)),
        strict=True,
    ):
        for name in whole:
            np.testing.assert_array_equal(whole[name], np.concatenate([left[name], right[name]]))


def test_evaluation_goes_through_all_in_order() -> None:
    batches = list(
        evaluation_batches(_split(), label_sizes=(4, 8), batch_size=4, local_slice=slice(0, 4))
    )
    ids = np.concatenate([batch["example_ids"] for batch in batches])
    assert list(ids) == [*range(10), -1, -1]
    assert list(np.concatenate([batch["weights"] for batch in batches])) == [1] * 10 + [0] * 2
    assert batches[1]["labels_8"].shape == (4, 8, 8)
    assert (batches[1]["labels_8"][1] == 5).all()
    sizes = np.concatenate([batch["image_sizes"] for batch in batches])
    assert sizes.tolist() == [[i + 1, 2] for i in range(10)] + [[0, 0]] * 2
