"""State dicts of FP-LIIF: against the list of names, PyTorch's modules and the Flax model; and refusals."""

import pathlib
import time
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import pytest
from needs_torch import torch

from fpliif_jax.configs import fp_liif
from fpliif_jax.experiments.pytorch.fp_liif import FPLIIF
from fpliif_jax.interop import InteropError, fpliif_from_torch, fpliif_to_torch
from fpliif_jax.systems import create_model

NAMES = pathlib.Path(__file__).parent / "fp_liif_state_dict.txt"
BATCH_NORM = {"norm": "batch", "norm_affine": True}
UNET = {"decoder": "conv_unet"}
VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "no norm": {"norm": "none"},
    "affine norm": {"norm_affine": True},
    "batch norm": {"norm": "batch"},
    "affine batch norm": BATCH_NORM,
    "U-Net": UNET,
    "U-Net with affine batch norm": {**UNET, **BATCH_NORM},
    "U-Net on one group": {**UNET, "group_blocks": (2,)},
    "one group": {"group_blocks": (1,)},
    "five groups": {"group_blocks": (1, 2, 1, 3, 1)},
    "one feature": {"features": 1, "rcmlp_features": (1,), "mlp_features": (1,)},
    "one layer before sampling": {"rcmlp_features": (7,)},
    "two classes": {"num_classes": 2},
} | {
    f"unfold {unfold}, rcmlp {rcmlp}, global {whole}": {
        "unfold": unfold,
        "rcmlp": rcmlp,
        "global_feature": whole,
    }
    for unfold in (True, False)
    for rcmlp in (True, False)
    for whole in (True, False)
}


def small_config(changes: dict[str, Any]) -> ml_collections.ConfigDict:
    config = fp_liif.get_config().model
    config.num_classes, config.features, config.group_blocks = 5, 4, (1, 2, 1)
    config.rcmlp_features, config.mlp_features = (9, 6), (12, 10)
    config.update(changes)
    return config


def shapes_of(config: ml_collections.ConfigDict) -> Any:
    images = jax.ShapeDtypeStruct((1, 16, 16, 3), np.float32)
    return jax.eval_shape(create_model(config).init, jax.random.key(0), images)


def random_variables(config: ml_collections.ConfigDict, seed: int = 0) -> Any:
    """Numbers of any size, with zeros of both signs and the smallest there are."""
    rng = np.random.default_rng(seed)

    def draw(leaf: Any) -> np.ndarray:
        values = rng.normal(size=leaf.shape) * 10.0 ** rng.integers(-30, 30, leaf.shape)
        special = rng.choice([0.0, -0.0, 1e-45, -3e38], leaf.shape)
        return np.where(rng.random(leaf.shape) < 0.1, special, values).astype(np.float32)

    return jax.tree.map(draw, shapes_of(config))


def entries_of(changes: dict[str, Any]) -> dict[str, np.ndarray]:
    return fpliif_to_torch(random_variables(small_config(changes)))


def assert_same_bits(actual: Any, expected: Any) -> None:
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        assert (a.dtype, a.shape) == (np.float32, b.shape)
        np.testing.assert_array_equal(a.view(np.uint32), b.view(np.uint32))


def test_the_papers_model_has_the_listed_names_and_shapes() -> None:
    lines = NAMES.read_text().splitlines()[1:]
    listed = [(name, tuple(map(int, shape.split("x")))) for name, shape in map(str.split, lines)]
    variables = random_variables(fp_liif.get_config().model)
    found = fpliif_to_torch(variables)
    assert [(name, array.shape) for name, array in found.items()] == listed
    assert sum(array.size for array in found.values()) == 2283019
    assert_same_bits(fpliif_from_torch(found), variables)


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_round_trips_are_exact_and_pytorch_takes_every_variant(changes: dict[str, Any]) -> None:
    config = small_config(changes)
    variables = random_variables(config)
    entries = fpliif_to_torch(variables)
    assert all(type(array) is np.ndarray for array in entries.values())
    assert all(array.flags.c_contiguous for array in entries.values())
    assert_same_bits(fpliif_from_torch(entries), variables)

    network = FPLIIF(config)
    own = [name for name in network.state_dict() if "num_batches_tracked" not in name]
    assert own == list(entries)
    network.load_state_dict({n: torch.from_numpy(a) for n, a in entries.items()}, strict=True)
    saved = network.state_dict()
    assert_same_bits(fpliif_from_torch(saved), variables)
    there_and_back = fpliif_to_torch(fpliif_from_torch(saved))
    assert_same_bits(there_and_back, {name: saved[name].numpy() for name in own})


@pytest.mark.parametrize("changes", [BATCH_NORM, {**UNET, **BATCH_NORM}], ids=["LIIF", "U-Net"])
def test_every_entry_means_the_same_on_both_sides(changes: dict[str, Any]) -> None:
    """Running statistics and scales included: with random ones, every exchange would show."""
    config = small_config(changes)
    torch.manual_seed(0)
    network = FPLIIF(config).eval()
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if "norm" in name and "tracked" not in name:
                value.copy_(torch.rand(value.shape) + 0.5)
    images = np.random.default_rng(1).normal(size=(2, 18, 14, 3)).astype(np.float32)
    apply = jax.jit(
        lambda variables: create_model(config).apply(variables, images),
        compiler_options={"xla_backend_optimization_level": 0},
    )
    actual = apply(fpliif_from_torch(network.state_dict()))
    with torch.no_grad():
        expected = network(torch.from_numpy(images).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    # Sums in float32 in other orders: about 4e-7 of the largest value; an exchange, 1e-2 and more.
    scale = expected.abs().max()
    np.testing.assert_allclose(actual, expected, rtol=0, atol=5e-6 * scale)


def test_kernels_are_transposed_and_nothing_else() -> None:
    variables = random_variables(small_config({}))
    params, entries = variables["params"], fpliif_to_torch(variables)
    kernel = params["encoder"]["groups_1"]["blocks_1"]["conv2"]["kernel"]
    assert entries["encoder.groups.1.blocks.1.conv2.weight"][3, 1, 2, 0] == kernel[2, 0, 1, 3]
    dense = params["decoder"]["mlp_2"]["kernel"]
    assert entries["decoder.mlp.2.weight"][9, 11] == dense[11, 9]


def test_no_memory_is_shared() -> None:
    variables = random_variables(small_config(BATCH_NORM))
    entries = fpliif_to_torch(variables)
    back = fpliif_from_torch(entries)
    kept = jax.tree.map(np.copy, (entries, back))
    for leaf in jax.tree.leaves(variables):
        leaf[...] = 7
    assert_same_bits((entries, back), kept)
    for array in entries.values():
        array[...] = 8
    assert_same_bits(back, kept[1])


def test_arrays_and_tensors_of_other_types_give_float32_of_their_own() -> None:
    variables = jax.tree.map(
        # What bfloat16 and float16 both hold.
        lambda leaf: np.random.default_rng(0).integers(-99, 99, leaf.shape).astype(np.float32),
        shapes_of(small_config(BATCH_NORM)),
    )
    expected = fpliif_to_torch(variables)
    for dtype in (jnp.float32, jnp.bfloat16, jnp.float16):
        arrays = jax.tree.map(lambda leaf, dtype=dtype: jnp.asarray(leaf, dtype), variables)
        assert_same_bits(fpliif_to_torch(arrays), expected)
        hosted = {name: np.asarray(jnp.asarray(a, dtype)) for name, a in expected.items()}
        assert_same_bits(fpliif_from_torch(hosted), variables)
    for convert in (
        lambda a: a.astype(np.float64),
        lambda a: a.astype(">f4"),
        lambda a: np.asfortranarray(a),
        lambda a: torch.from_numpy(a).bfloat16(),
        lambda a: torch.nn.Parameter(torch.from_numpy(a).double()),
    ):
        given = {name: convert(array) for name, array in expected.items()}
        assert_same_bits(fpliif_from_torch(given), variables)


def test_counters_of_batches_are_ignored_wherever() -> None:
    entries = entries_of(BATCH_NORM)
    strange = {**entries, "num_batches_tracked": None, "a.num_batches_tracked": 10**9}
    assert_same_bits(fpliif_from_torch(strange), fpliif_from_torch(entries))


# ----------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize("variant", ["default", "affine batch norm", "U-Net", "one group"])
def test_every_missing_misshapen_and_infinite_entry_is_named(variant: str) -> None:
    complete = entries_of(VARIANTS[variant])
    assert len(complete) >= 18
    for name, array in complete.items():
        shape = list(array.shape)
        entries = {key: value for key, value in complete.items() if key != name}
        with pytest.raises(InteropError) as missing:
            fpliif_from_torch(entries)
        assert str(missing.value).endswith(f"classes: 1 missing: {name}")
        with pytest.raises(InteropError) as misshapen:
            fpliif_from_torch({**entries, name: np.zeros([*shape, 1])})
        message = f"classes: 1 of another shape: {name} is {[*shape, 1]}, expected {shape}"
        assert str(misshapen.value).endswith(message)
        broken = np.zeros(shape)
        broken.flat[-1] = np.nan
        with pytest.raises(InteropError) as infinite:
            fpliif_from_torch({**entries, name: broken})
        message = f"classes: 1 not arrays of finite floating-point numbers: {name} (float64)"
        assert str(infinite.value).endswith(message)


@pytest.mark.parametrize("dtype", [np.int32, np.int8, bool, np.complex64])
def test_what_is_no_floating_point_number_is_named_with_its_type(dtype: type) -> None:
    complete = entries_of({})
    name = "decoder.mlp.0.weight"
    for value in (np.ones_like(complete[name], dtype), torch.ones(complete[name].shape).bool()):
        with pytest.raises(InteropError) as refused:
            fpliif_from_torch({**complete, name: value})
        assert f"not arrays of finite floating-point numbers: {name} ({value.dtype})" in str(
            refused.value
        )


def test_widths_that_disagree_are_told_of_the_one_that_is_wrong() -> None:
    entries = entries_of({})
    for name, wrong in (
        ("encoder.head.weight", (8, 3, 3, 3)),
        ("encoder.downs.0.bias", (8,)),
        ("decoder.rcmlp.0.weight", (9, 12)),  # neither the 36 unfolded nor the 4
        ("decoder.rcmlp.2.bias", (60,)),
        ("decoder.mlp.0.weight", (12, 11)),  # neither 12 with the global feature nor 8 without
        ("decoder.mlp.2.weight", (10, 13)),
    ):
        expected = list(entries[name].shape)
        with pytest.raises(InteropError) as caught:
            fpliif_from_torch({**entries, name: np.zeros(wrong)})
        end = f"4 features, groups of 1, 2, 1 blocks, LIIF decoder and 5 classes: 1 of another shape: {name} is "
        assert str(caught.value).endswith(f"{end}{list(wrong)}, expected {expected}")


def test_gaps_are_filled_and_parts_of_two_networks_refused() -> None:
    entries = entries_of({"group_blocks": (1, 3, 1)})
    gap = {name: value for name, value in entries.items() if "groups.1.blocks.1" not in name}
    with pytest.raises(InteropError, match=r"4 missing: encoder\.groups\.1\.blocks\.1\.conv1\.w"):
        fpliif_from_torch(gap)
    layers = {
        n: v for n, v in entries.items() if not n.startswith(("decoder.mlp.2.", "decoder.mlp.4."))
    }
    with pytest.raises(
        InteropError, match=r"2 missing: decoder\.mlp\.2\.weight, decoder\.mlp\.2\."
    ):
        fpliif_from_torch(layers)
    unet = {n: v for n, v in entries_of(UNET).items() if n.startswith("decoder.head")}
    with pytest.raises(
        InteropError, match=r"2 unknown: decoder\.head\.weight, decoder\.head\.bias"
    ):
        fpliif_from_torch({**entries, **unet})
    tail = {"encoder.groups.0.tail.bias": np.zeros(4)}
    with pytest.raises(InteropError, match=r"1 unknown: encoder\.groups\.0\.tail\.bias"):
        fpliif_from_torch({**entries, **tail})
    scale = {"encoder.groups.0.blocks.0.norm1.weight": np.zeros(4)}
    with pytest.raises(InteropError, match=r"1 unknown: encoder\.groups\.0\.blocks\.0\.norm1\.w"):
        fpliif_from_torch({**entries, **scale})


@pytest.mark.parametrize(
    "name",
    [
        "encoder.groups.1000000000.blocks.0.conv1.weight",
        "encoder.groups.999999999.blocks.999999999.conv1.weight",
        "encoder.groups.0.blocks.999999999.conv1.weight",
        "encoder.downs.999999998.bias",
        "decoder.mlp.999999998.weight",
        "decoder.mlp.1.weight",
        "decoder.rcmlp." + "9" * 5000 + ".bias",
        "encoder.groups.00.blocks.0.conv1.weight",
        "encoder.groups.-1.tail.weight",
        "encoder.groups.٠.tail.weight",
        "encoder.head.weight\nerror",
        "module.encoder.head.weight",
        10**6000,
        ("a", 3),
    ],
    ids=range(14),
)
def test_names_of_no_network_are_named_at_once(name: Any) -> None:
    entries = {**entries_of({}), name: np.zeros(3)}
    started = time.process_time()
    with pytest.raises(InteropError, match="1 unknown: ") as caught:
        fpliif_from_torch(entries)
    assert time.process_time() - started < 2  # milliseconds; counting to 10**9 would take minutes
    assert len(str(caught.value)) < 2000
    assert "\n" not in str(caught.value)


def test_many_hostile_entries_take_time_in_proportion() -> None:
    """20,000 entries that could ask for 10,000 groups of 10,000 blocks."""
    nothing = np.zeros(1)
    hostile = {f"encoder.groups.{i}.blocks.0.conv1.weight": nothing for i in range(10_000)}
    hostile |= {f"encoder.groups.0.blocks.{i}.conv1.{'x' * 200}": nothing for i in range(10_000)}
    started = time.process_time()
    with pytest.raises(InteropError) as caught:
        fpliif_from_torch(hostile)
    # Half a second, of this process alone, as machines are busy.
    assert time.process_time() - started < 10
    assert len(str(caught.value)) < 4000


def test_a_tensor_that_claims_to_be_huge_is_not_made() -> None:
    claim = torch.zeros(1).expand(10**12)
    with pytest.raises(InteropError, match=r"encoder\.head\.bias is \[1000000000000\], expected"):
        fpliif_from_torch({**entries_of({}), "encoder.head.bias": claim})


@pytest.mark.parametrize(
    "value",
    [None, 0.5, "text", [0.0] * 4, np.array(["a"] * 4), np.zeros(4, complex), np.zeros(4, bool),
     torch.zeros(4, dtype=torch.complex64), torch.zeros(4).to_sparse(),
     torch.empty(4, device="meta"), np.full(4, 1e300)],
    ids=str,
)  # fmt: skip
def test_values_that_are_no_real_numbers_are_named(value: Any) -> None:
    with pytest.raises(InteropError, match=r"1 not arrays of finite.*: encoder\.head\.bias \("):
        fpliif_from_torch({**entries_of({}), "encoder.head.bias": value})


@pytest.mark.parametrize("value", [{}, {"weight": np.zeros(3)}, [1], None, {3: 4}], ids=str)
def test_other_kinds_are_told_what_is_accepted(value: Any) -> None:
    with pytest.raises(InteropError, match=r"not weights of FP-LIIF.*Accepted are .*encoder\.head"):
        fpliif_from_torch(value)
    with pytest.raises(InteropError, match="not variables of FP-LIIF"):
        fpliif_to_torch(value)


def test_variables_of_no_network_are_refused() -> None:
    variables = random_variables(small_config(BATCH_NORM))
    params = variables["params"]
    end = "4 features, groups of 1, 2, 1 blocks, LIIF decoder and 5 classes: 1 "

    def refused(change: Any, message: str) -> None:
        changed = jax.tree.map(np.copy, variables)
        change(changed["params"], changed["batch_stats"])
        with pytest.raises(InteropError) as caught:
            fpliif_to_torch(changed)
        assert str(caught.value).endswith(end + message)

    dense = params["decoder"]["mlp_2"]["kernel"]
    assert dense.shape == (12, 10)
    place = "params/decoder/mlp_2/kernel"
    refused(lambda p, s: p["decoder"]["mlp_2"].pop("kernel"), f"missing: {place}")
    refused(
        lambda p, s: p["decoder"]["mlp_2"].update(kernel=np.zeros((13, 10))),
        f"of another shape: {place} is [13, 10], expected [12, 10]",
    )
    refused(
        lambda p, s: p["decoder"]["mlp_2"].update(kernel=dense * np.nan),
        f"not arrays of finite floating-point numbers: {place} (float32)",
    )
    refused(
        lambda p, s: s["encoder"]["groups_0"]["blocks_0"]["norm1"].pop("var"),
        "missing: batch_stats/encoder/groups_0/blocks_0/norm1/var",
    )
    refused(
        lambda p, s: p.update({"encoder.head": {"bias": np.zeros(4)}}),
        "unknown: params/encoder.head/bias",
    )
    with pytest.raises(InteropError, match="1 unknown: opt_state/encoder/head/scale"):
        fpliif_to_torch({**variables, "opt_state": {"encoder": {"head": {"scale": np.zeros(4)}}}})
