"""State dicts of STN-iCNN's authors: names, layouts and refusals, against the literal network."""

import functools
from typing import Any

import jax
import numpy as np
import pytest
from literal_stn_icnn import (
    FineNets,
    LocaliseConv15,
    LocaliseResNet18,
    OfficialICNN,
    OfficialSTNICNN,
    aim,
    channels_first,
    channels_last,
    is_decided_back,
    randomise,
)
from needs_torch import torch

from fpliif_jax.configs import stn_icnn_helen_official
from fpliif_jax.interop import InteropError, stn_icnn_from_torch
from fpliif_jax.systems import create_model
from fpliif_jax.systems.stn_icnn.model import STNICNN

SIDE = 176  # of the canvas
KINDS = {"resnet18": LocaliseResNet18, "conv15": LocaliseConv15}

# Sums in float32 in other orders are off by about 1e-6 of the largest value (logits reach 10), a
# crop by the rounding of its positions, 1e-5 pixels; a wrong order or norm by 1e-2 and more.
TOLERANCE = 1e-4


@pytest.fixture(scope="module", params=list(KINDS))
def joined(request: pytest.FixtureRequest) -> tuple[str, OfficialSTNICNN]:
    torch.manual_seed(0)
    network = OfficialSTNICNN(KINDS[request.param], crop_size=81).eval()
    randomise(network, seed=1)
    aim(network, 80 / (SIDE - 1))
    return request.param, network


@pytest.fixture(scope="module")
def parts() -> dict[str, dict[str, torch.Tensor]]:
    torch.manual_seed(0)
    networks = {
        "coarse": OfficialICNN(9),
        "resnet18": LocaliseResNet18(),
        "conv15": LocaliseConv15(),
        "fine": FineNets(),
    }
    for network in networks.values():
        randomise(network, seed=2)
    return {name: network.state_dict() for name, network in networks.items()}


def model_of(localisation: str) -> Any:
    config = stn_icnn_helen_official.get_config().model
    config.localisation = localisation
    return create_model(config)


def assert_same(actual: Any, expected: Any) -> None:
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    jax.tree.map(np.testing.assert_array_equal, actual, expected)


@pytest.mark.slow
def test_the_joined_network_has_the_variables_and_the_outputs_of_the_model(
    joined: tuple[str, OfficialSTNICNN],
) -> None:
    localisation, network = joined
    rng = np.random.default_rng(3)
    resized = rng.random((2, 128, 128, 3), np.float32)
    resized[1, :60] *= 0.2
    canvas = rng.random((2, SIDE, SIDE, 3), np.float32)
    model, variables = model_of(localisation), stn_icnn_from_torch(network.state_dict())

    shapes = jax.eval_shape(model.init, jax.random.key(0), resized, canvas)
    assert jax.tree.structure(variables) == jax.tree.structure(shapes)
    for leaf, shape in zip(jax.tree.leaves(variables), jax.tree.leaves(shapes), strict=True):
        assert isinstance(leaf, np.ndarray)
        assert (leaf.shape, leaf.dtype) == (shape.shape, shape.dtype)

    def label(model: STNICNN, resized: jax.Array, canvas: jax.Array) -> dict[str, Any]:
        if localisation == "resnet18":
            return model(resized, canvas)
        # What follows from θ is compiled once.
        logits = model.label_coarsely(resized)
        return {"coarse_logits": logits, "theta": model.localise(logits, SIDE)}

    compiled = jax.jit(
        functools.partial(model.apply, method=label),
        compiler_options={"xla_backend_optimization_level": 0},
    )
    actual = compiled(variables, resized, canvas)
    with torch.no_grad():
        expected = network(channels_first(resized), channels_first(canvas))
    theta = expected["theta"]
    assert theta[:, :, 0, 0].min() > 0.2 and theta[:, :, 0, 0].max() < 0.9
    assert theta[:, :, :, 2].abs().max() < 0.9
    assert (theta[0] - theta[1]).abs().max() > 1e-4  # it depends on the image
    np.testing.assert_allclose(actual["theta"], theta, rtol=0, atol=1e-6)
    logits = channels_last(expected["coarse_logits"])
    np.testing.assert_allclose(actual["coarse_logits"], logits, rtol=0, atol=TOLERANCE)
    if localisation != "resnet18":
        return
    parts = np.stack(actual["parts"], axis=1)
    np.testing.assert_allclose(parts, channels_last(expected["parts"]), rtol=0, atol=TOLERANCE)
    for logits, array in zip(actual["part_logits"], expected["part_logits"], strict=True):
        assert array.abs().max() > 0.5
        np.testing.assert_allclose(logits, channels_last(array), rtol=0, atol=TOLERANCE)
    # A canvas pixel half way between two of a crop takes one or the other: θ is rounded differently
    # by up to 1e-6, a position by 1e-4 pixels.
    final = channels_last(expected["label_probabilities"])
    decided = is_decided_back(theta.numpy(), 81, SIDE, margin=1e-3)
    assert decided.mean() > 0.9
    probabilities = np.asarray(actual["label_probabilities"])
    np.testing.assert_allclose(probabilities[decided], final[decided], rtol=0, atol=TOLERANCE)
    assert (final[..., 1:] > 0).any(axis=-1).mean() > 0.2


def test_each_state_dict_alone_is_its_part(parts: dict[str, Any]) -> None:
    for localisation in KINDS:
        whole = {f"modelA.{name}": value for name, value in parts["coarse"].items()}
        whole |= {f"stn_model.{name}": value for name, value in parts[localisation].items()}
        whole |= {f"modelC.{name}": value for name, value in parts["fine"].items()}
        expected = stn_icnn_from_torch(whole)
        for part, name in (
            ("coarse", "coarse"),
            (localisation, "localisation"),
            ("fine", "fine"),
        ):
            found = stn_icnn_from_torch(parts[part])
            assert_same(found, {kind: {name: tree[name]} for kind, tree in expected.items()})

        saved = {"model1": parts["coarse"], "select_net": parts[localisation]}
        saved |= {"model2": parts["fine"], "step": 7, "epoch": 2, "best_error": 0.1}
        saved |= {"optimizer": {"state": {}, "param_groups": [{"lr": 0.0}]}}
        assert_same(stn_icnn_from_torch(saved), expected)
        del saved["model2"]
        some = stn_icnn_from_torch(saved)
        assert set(some["params"]) == set(some["batch_stats"]) == {"coarse", "localisation"}


def test_layouts_and_statistics(parts: dict[str, Any]) -> None:
    variables = stn_icnn_from_torch(parts["resnet18"])
    params, statistics = variables["params"]["localisation"], variables["batch_stats"]
    kernel = parts["resnet18"]["model_res.conv1.weight"].numpy()
    assert params["conv1"]["kernel"][3, 5, 8, 60] == kernel[60, 8, 3, 5]
    dense = parts["resnet18"]["model_res.fc.weight"].numpy()
    assert params["dense"]["kernel"][500, 35] == dense[35, 500]
    norm = {
        "weight": params["layer2_0_downsample_bn"]["scale"],
        "bias": params["layer2_0_downsample_bn"]["bias"],
        "running_mean": statistics["localisation"]["layer2_0_downsample_bn"]["mean"],
        "running_var": statistics["localisation"]["layer2_0_downsample_bn"]["var"],
    }
    for name, value in norm.items():
        theirs = parts["resnet18"][f"model_res.layer2.0.downsample.1.{name}"]
        np.testing.assert_array_equal(value, theirs.numpy())


def test_arrays_of_other_types_give_float32_of_their_own(parts: dict[str, Any]) -> None:
    expected = stn_icnn_from_torch(parts["conv15"])
    doubles = {name: value.double().numpy() for name, value in parts["conv15"].items()}
    assert_same(stn_icnn_from_torch(doubles), expected)
    halves = {name: value.bfloat16() for name, value in parts["conv15"].items()}
    found = stn_icnn_from_torch(halves)
    rounded = {name: value.float() for name, value in halves.items()}
    assert_same(found, stn_icnn_from_torch(rounded))
    assert all(leaf.dtype == np.float32 for leaf in jax.tree.leaves(found))
    arrays = {name: value.numpy().copy() for name, value in parts["conv15"].items()}
    found = stn_icnn_from_torch(arrays)
    for array in arrays.values():
        array[...] = 0
    assert_same(found, expected)


def test_num_batches_tracked_is_ignored_wherever(parts: dict[str, Any]) -> None:
    counted = dict(parts["coarse"])
    assert "input_bnm.0.num_batches_tracked" in counted
    plain = {name: value for name, value in counted.items() if "tracked" not in name}
    strange = {**plain, "num_batches_tracked": 3, "a.num_batches_tracked": None}
    assert_same(stn_icnn_from_torch(plain), stn_icnn_from_torch(counted))
    assert_same(stn_icnn_from_torch(strange), stn_icnn_from_torch(counted))


def test_what_the_authors_network_has_and_never_reads(parts: dict[str, Any]) -> None:
    """Checked here by asking PyTorch: these have no gradient. They must be there, and make no difference."""
    torch.manual_seed(0)
    network = OfficialICNN(9)
    network(torch.rand(1, 3, 16, 16)).sum().backward()
    unused = {name for name, value in network.named_parameters() if value.grad is None}
    used = {name for name, value in network.named_parameters() if value.grad is not None}
    assert len(unused) == 2 * (4 + 4 + 1) * 2 + 4  # conv and norm of 9 nodes, and two norms
    expected = stn_icnn_from_torch(parts["coarse"])
    assert len(jax.tree.leaves(expected["params"])) == len(used)
    changed = {
        name: value * 2 if name in unused else value for name, value in parts["coarse"].items()
    }
    assert_same(stn_icnn_from_torch(changed), expected)
    for name in unused:
        without = {key: value for key, value in parts["coarse"].items() if key != name}
        with pytest.raises(InteropError, match=name.replace(".", r"\.")):
            stn_icnn_from_torch(without)
        with pytest.raises(InteropError, match=name.replace(".", r"\.") + r" is \[3\], expected"):
            stn_icnn_from_torch({**parts["coarse"], name: torch.zeros(3)})


@pytest.mark.parametrize("part", ["coarse", "resnet18", "conv15", "fine"])
def test_every_missing_and_every_misshapen_entry_is_named(parts: dict[str, Any], part: str) -> None:
    names = [name for name in parts[part] if not name.endswith("num_batches_tracked")]
    for name in names[:: max(1, len(names) // 40)]:
        entries = dict(parts[part])
        shape = list(entries.pop(name).shape)
        with pytest.raises(InteropError) as missing:
            stn_icnn_from_torch(entries)
        assert f"1 missing: {name}" in str(missing.value)
        with pytest.raises(InteropError) as misshapen:
            stn_icnn_from_torch({**entries, name: np.zeros([*shape, 1])})
        message = f"1 of another shape: {name} is {[*shape, 1]}, expected {shape}"
        assert message in str(misshapen.value)


def test_unknown_entries_and_many_problems_are_named(parts: dict[str, Any]) -> None:
    entries = dict(parts["conv15"])
    for index in (0, 3, 6):
        del entries[f"localize_net.{index}.weight"], entries[f"localize_net.{index}.bias"]
    entries |= {"localize_net.99.weight": torch.zeros(1), "other": torch.zeros(1), 3: None}
    with pytest.raises(InteropError) as caught:
        stn_icnn_from_torch(entries)
    message = str(caught.value)
    assert "6 missing: localize_net.0.weight, localize_net.0.bias" in message
    assert "and 1 more" in message
    assert "3 unknown: localize_net.99.weight, other, 3" in message
    assert "localisation" in message


def test_parts_of_the_joined_network_and_of_checkpoints_are_named(parts: dict[str, Any]) -> None:
    halved = {f"modelA.{name}": value for name, value in parts["coarse"].items()}
    with pytest.raises(InteropError, match=r"missing: stn_model\.model_res\.conv1\.weight"):
        stn_icnn_from_torch(halved)
    both = {**parts["coarse"], **parts["conv15"]}
    with pytest.raises(InteropError, match=r"unknown: localize_net\.0\.weight"):
        stn_icnn_from_torch(both)
    swapped = {"model1": parts["conv15"]}
    with pytest.raises(InteropError, match=r"missing: model1\.input_conv\.0\.weight"):
        stn_icnn_from_torch(swapped)
    with pytest.raises(InteropError, match="'model1' of the checkpoint is a list"):
        stn_icnn_from_torch({"model1": [1, 2]})


@pytest.mark.parametrize(
    "value",
    [
        None,
        0.5,
        "text",
        [0.0] * 6,
        np.array(["a"] * 6),
        np.array([None] * 6),
        np.zeros(6, complex),
        np.zeros(6, bool),
        torch.zeros(6, dtype=torch.complex64),
        torch.zeros(6).to_sparse(),
        torch.empty(6, device="meta"),
        np.array([0, 0, np.nan, 0, 0, 0]),
        torch.full((6,), float("inf")),
        np.full(6, 1e300),
    ],
    ids=str,
)
def test_values_that_are_no_real_numbers_are_named(parts: dict[str, Any], value: Any) -> None:
    entries = {**parts["conv15"], "localize_net.0.bias": value}
    with pytest.raises(InteropError, match=r"1 not arrays of finite.*: localize_net\.0\.bias \("):
        stn_icnn_from_torch(entries)


def test_a_tensor_that_claims_to_be_huge_is_not_made(parts: dict[str, Any]) -> None:
    claim = torch.zeros(1).expand(10**12)
    with pytest.raises(InteropError, match=r"localize_net\.0\.bias is \[1000000000000\]"):
        stn_icnn_from_torch({**parts["conv15"], "localize_net.0.bias": claim})


@pytest.mark.parametrize(
    "value", [{}, {"weight": np.zeros(3)}, [1], None, {"model.input_conv.0.weight": 1}, {3: 4}]
)
def test_other_kinds_are_told_what_is_accepted(value: Any) -> None:
    with pytest.raises(InteropError, match="Accepted are .*FaceModel.*modelA.*'select_net'"):
        stn_icnn_from_torch(value)


def test_what_wraps_a_state_dict_is_taken_off(parts: dict[str, Any]) -> None:
    plain = stn_icnn_from_torch(parts["conv15"])
    for wrap in ("module.{}", "_orig_mod.{}", "module._orig_mod.{}", "_orig_mod.module.{}"):
        wrapped = {wrap.format(name): value for name, value in parts["conv15"].items()}
        assert_same(stn_icnn_from_torch(wrapped), plain)
        assert_same(stn_icnn_from_torch({"epoch": 3, "state_dict": wrapped}), plain)
        assert_same(stn_icnn_from_torch({"select_net": wrapped, "step": 3}), plain)
