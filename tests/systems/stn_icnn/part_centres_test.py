"""The parts' centres against SciPy and hand-made cases."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from fpliif_jax.data.facial_parts import PART_LABELS
from fpliif_jax.systems.stn_icnn import part_centres
from fpliif_jax.systems.stn_icnn.part_centres import LARGEST_SIDE

# As in the model, where it is a part of one program: op by op each shape takes dozens.
part_centroids = jax.jit(part_centres.part_centroids, static_argnames="floor")


def test_centroids_are_those_of_scipy() -> None:
    rng = np.random.default_rng(10)
    labels = np.where(rng.random((3, 33, 47)) < 0.7, 0, rng.integers(0, 9, (3, 33, 47)))
    centroids, present = part_centroids(jnp.asarray(labels.astype(np.uint8)), floor=False)
    assert present.all()
    for image, found in zip(labels, np.asarray(centroids), strict=True):
        for own, centre in zip(PART_LABELS, found, strict=True):
            expected = np.mean([ndimage.center_of_mass(image == label) for label in own], axis=0)
            np.testing.assert_allclose(centre, expected, rtol=1e-6)
    floored, _ = part_centroids(jnp.asarray(labels), floor=True)
    np.testing.assert_array_equal(floored, np.floor(centroids))


def test_absent_parts_and_a_mouth_that_lacks_labels() -> None:
    labels = np.zeros((3, 20, 24), np.int32)
    labels[0, 2, 3:7] = 1  # centre (2, 4.5)
    labels[0, 10:12, 5], labels[0, 15, 8] = 6, 8  # (10.5, 5), (15, 8): the inner mouth is closed
    labels[1, 19, 23] = 7
    centroids, present = part_centroids(jnp.asarray(labels), floor=False)
    np.testing.assert_array_equal(
        present, [[True, False, False, False, False, True], [False] * 5 + [True], [False] * 6]
    )
    np.testing.assert_allclose(centroids[0, [0, 5]], [(2, 4.5), (12.75, 6.5)], rtol=1e-6)
    np.testing.assert_array_equal(centroids[1, 5], (19, 23))
    np.testing.assert_array_equal(centroids[~present], 0)
    floored, _ = part_centroids(jnp.asarray(labels))
    np.testing.assert_array_equal(floored[0, [0, 5]], [(2, 4), (12, 6)])


@pytest.mark.parametrize("part", [4, 5])
def test_rounding_down_is_exact_just_below_a_whole_pixel(part: int) -> None:
    """A million pixels around (600, 600), of which one is a row too high and a column too far left."""
    labels = np.zeros((1, 1240, 1240), np.uint8)
    label = PART_LABELS[part][0]
    labels[0, 100:1101, 100:1101] = label
    labels[0, [600, 601], [600, 601]] = 0
    rows, columns = np.nonzero(labels[0])
    exact = [int(axis.sum()) // axis.size for axis in (rows, columns)]
    assert exact == [599, 599]
    assert np.float32(rows.mean()) == 600
    floored, _ = part_centroids(jnp.asarray(labels))
    np.testing.assert_array_equal(floored[0, part], exact)


def test_label_maps_beyond_the_exact_range_are_refused() -> None:
    with pytest.raises(ValueError, match=f"may be {LARGEST_SIDE} at most"):
        part_centroids(jnp.zeros((1, 4, LARGEST_SIDE + 1), jnp.uint8))
    full = np.full((1, LARGEST_SIDE, LARGEST_SIDE), 5, np.uint8)
    centroids, _ = part_centroids(jnp.asarray(full), floor=False)
    np.testing.assert_array_equal(centroids[0, 4], [(LARGEST_SIDE - 1) / 2] * 2)
