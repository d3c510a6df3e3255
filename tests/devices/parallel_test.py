"""Tests of fpliif_jax.devices.parallel on four virtual devices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fpliif_jax.devices import joining, parallel


def test_a_batch_comes_back_in_order() -> None:
    assert jax.device_count() == 4
    batch = {"x": np.arange(24, dtype=np.float32).reshape(8, 3)}
    gathered = parallel.pmap(lambda shard: parallel.all_gather(shard))(parallel.shard(batch))
    np.testing.assert_array_equal(parallel.unreplicate(gathered)["x"], batch["x"])


def test_psum_adds_over_all_devices() -> None:
    shards = parallel.shard(np.arange(8.0, dtype=np.float32))
    total = parallel.pmap(lambda shard: parallel.psum(jnp.sum(shard)))(shards)
    assert parallel.unreplicate(total) == 28


def test_replicate_and_back_changes_nothing() -> None:
    tree = {"a": np.float32(0.1), "b": {"c": np.arange(5, dtype=np.int32)}}
    copies = parallel.replicate(tree)
    assert copies["b"]["c"].shape == (4, 5)
    back = parallel.unreplicate(copies)
    assert back["a"] == tree["a"]
    assert back["b"]["c"].dtype == np.int32
    np.testing.assert_array_equal(back["b"]["c"], tree["b"]["c"])


def test_what_is_replicated_lies_where_a_step_leaves_it_and_may_be_donated() -> None:
    memory = np.empty(4 * 4096 + 64, np.uint8)
    aligned = memory[-memory.ctypes.data % 64 :][: 4 * 4096].view(
        np.float32
    )  # a CPU device may take it as it lies
    aligned[:] = np.arange(4096)
    copies = parallel.replicate({"a": aligned})
    aligned[:] = 0
    tree = {"a": np.arange(4096, dtype=np.float32)}
    np.testing.assert_array_equal(parallel.unreplicate(copies)["a"], tree["a"])
    places = {shard.data.unsafe_buffer_pointer() for shard in copies["a"].addressable_shards}
    assert len(places) == 4
    add = parallel.pmap(lambda tree: jax.tree.map(lambda leaf: leaf + 1, tree), donate_argnums=(0,))
    added = add(copies)
    assert added["a"].sharding == copies["a"].sharding
    assert copies["a"].is_deleted()
    assert not aligned.any()
    for shard in added["a"].addressable_shards:
        np.testing.assert_array_equal(shard.data[0], tree["a"] + 1)


@pytest.mark.parametrize(
    ("batch_size", "microbatch", "rows"), [(33, 0, 9), (64, 0, 16), (33, 4, 12), (1, 0, 1)]
)
def test_padded_rows_per_device(batch_size: int, microbatch: int, rows: int) -> None:
    assert parallel.rows_per_device(batch_size, microbatch) == rows
    assert parallel.local_rows(batch_size, microbatch) == slice(0, 4 * rows)


def test_half_a_cluster_address_is_refused() -> None:
    with pytest.raises(joining.ParallelError, match="together"):
        joining.initialize("auto", "localhost:1234", None, None)


def test_programs_are_made_for_devices_that_are_not_here() -> None:
    """Two of the four stand for them: shapes, shares of a batch and the program are of two."""
    absent = parallel.AbsentDevices(tuple(jax.devices()[2:]), "gpu", 10**9)
    with parallel.compiling_for(absent):
        assert parallel.backend_and_memory() == ("gpu", 10**9)
        assert parallel.rows_per_device(33, 4) == 20
        assert parallel.local_rows(33, 4) == slice(0, 40)
        batch = parallel.shard(np.arange(8, dtype=np.float32))
        assert batch.shape == (2, 4)
        total = parallel.pmap(lambda shard: parallel.psum(jnp.sum(shard)))
        compiled = total.lower(jax.ShapeDtypeStruct(batch.shape, batch.dtype)).compile()
        assert set(total(batch).devices()) == set(absent.devices)
    assert compiled.as_text().count("replica_groups={{0,1}}") == 1
    assert parallel.backend_and_memory() == ("cpu", None)
    assert parallel.rows_per_device(33, 4) == 12


def test_an_error_does_not_leave_devices_behind_that_are_not_here() -> None:
    absent = parallel.AbsentDevices(tuple(jax.devices()[2:]), "gpu", 10**9)
    with pytest.raises(ZeroDivisionError), parallel.compiling_for(absent):
        1 / 0  # noqa: B018
    assert parallel.rows_per_device(64) == 16
