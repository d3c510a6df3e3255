"""Tests of experiments/cost/__main__.py: against Table 6, and against PyTorch's and JAX's own tensor shapes."""

import json
import math
import pathlib
import subprocess
import sys
import types
from collections.abc import Callable
from typing import Any

import jax
import jax.extend.core
import ml_collections
import pytest
from needs_torch import torch

from fpliif_jax import systems
from fpliif_jax.commands import command_line
from fpliif_jax.configs import celebamask_hq, lapa, stn_icnn_helen
from fpliif_jax.data_builders.errors import SettingsError, UserError
from fpliif_jax.experiments.cost import __main__ as cost_command
from fpliif_jax.experiments.cost import model_cost
from fpliif_jax.experiments.published import published_values
from fpliif_jax.experiments.pytorch.fp_liif import FPLIIF
from fpliif_jax.nn import layers
from fpliif_jax.systems import create_model, multiply_accumulates

nn = torch.nn


def same_digits(value: float, printed: str) -> bool:
    digits = len(printed.partition(".")[2])
    return f"{value:.{digits}f}" == printed


def small(**changes: Any) -> ml_collections.ConfigDict:
    config = lapa.get_config()
    config.data.image_size = 32
    config.model.update(
        features=6, group_blocks=(1, 2, 2), rcmlp_features=(10, 7), mlp_features=(9, 8)
    )
    config.model.update(changes)
    return config


# ------------------------------------------------------------------------------- against the paper


def test_table_6_to_its_printed_digits() -> None:
    found = model_cost.cost(celebamask_hq.get_config())
    assert found.parameters == 2_285_075
    assert found.published_parameters == 2.29
    by_size = {row.output_size: row for row in found.rows}
    for size, printed in ((64, "27.44"), (96, "32.25"), (128, "39"), (192, "58.24"), (256, "85.2")):
        assert same_digits(by_size[size].gmacs, printed)
        assert by_size[size].published_gmacs == float(printed)
    assert by_size[512].published_gmacs is None
    for row in found.rows:
        assert sum(row.parts.values()) == pytest.approx(row.gmacs)


def test_affine_norm_costs_one_more_an_element() -> None:
    config = celebamask_hq.get_config()
    plain = model_cost.cost(config).rows
    config.model.norm_affine = True
    found = model_cost.cost(config)
    # Two norms a block: 4 at 256², 12 at 128², 32 at 64², of 64 channels.
    elements = 64 * (4 * 256**2 + 12 * 128**2 + 32 * 64**2)
    for row, before in zip(found.rows, plain, strict=True):
        assert row.gmacs - before.gmacs == pytest.approx(elements / 1e9)
        assert row.published_gmacs is None  # another model than the paper's
    assert found.parameters == 2_285_075 + 2 * 64 * 48


@pytest.mark.parametrize(
    "change",
    [
        {"model.num_classes": 11},
        {"model.ensemble": "none"},
        {"model.features": 32},
        {"data.image_size": 128},
    ],
)
def test_another_model_is_not_compared_with_the_paper(change: dict[str, Any]) -> None:
    config = celebamask_hq.get_config()
    config.update_from_flattened_dict(change)
    found = model_cost.cost(config)
    assert found.published_parameters is None
    assert all(row.published_gmacs is None for row in found.rows)


def test_settings_without_effect_on_the_cost_are_the_papers_model_still() -> None:
    config = celebamask_hq.get_config()
    config.model.update(query_chunk=1000, remat=True, initializer="lecun_normal")
    assert model_cost.is_papers(config)


def test_only_the_output_sizes_of_table_6_are_compared() -> None:
    table = [v for v in published_values() if v.source == "FP-LIIF Table 6" and v.metric == "gmacs"]
    found = model_cost.cost(celebamask_hq.get_config()).rows
    compared = {row.output_size for row in found if row.published_gmacs is not None}
    assert compared == {int(value.protocol) for value in table} and len(table) == 5


# ------------------------------------------------------------------- against shapes in PyTorch


class Counter:
    """Counts what a PyTorch network does, from the shapes of the tensors that pass through it."""

    def __init__(self, part_of: Callable[[str], str], affine_norm: int) -> None:
        self.parts: dict[str, int] = {}
        self._part_of, self._affine_norm = part_of, affine_norm

    def watch(self, network: nn.Module) -> None:
        for name, module in network.named_modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                module.register_forward_hook(self._weighted(self._part_of(name)))
            if isinstance(module, nn.InstanceNorm2d | nn.BatchNorm2d):
                module.register_forward_hook(self._normed(self._part_of(name)))

    def add(self, part: str, operations: int) -> None:
        self.parts[part] = self.parts.get(part, 0) + operations

    def _weighted(self, part: str) -> Callable[..., None]:
        def count(module: nn.Module, inputs: Any, output: torch.Tensor) -> None:
            # Every output value is a sum over the weights of its channel.
            self.add(part, output.numel() * module.weight[0].numel())

        return count

    def _normed(self, part: str) -> Callable[..., None]:
        def count(module: nn.Module, inputs: Any, output: torch.Tensor) -> None:
            self.add(part, output.numel() * (self._affine_norm if module.affine else 4))

        return count


def part_of_fp_liif(name: str) -> str:
    half, what, *rest = name.split(".")
    if "norm" in name:
        return "encoder: norms"
    if half == "encoder":
        number = f" {int(rest[0]) + 1}" if rest else ""
        return f"encoder: {what.rstrip('s')}{number}"
    return f"decoder: {what.upper()}"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"num_classes": 19, "norm_affine": True},
        {"unfold": False},
        {"rcmlp": False},
        {"unfold": False, "rcmlp": False, "global_feature": False},
        {"global_feature": False, "position": "relative"},
        {"ensemble": "none", "sampling": "nearest"},
        {"ensemble": "area", "position": "relative"},
        {"norm": "none", "group_blocks": (3, 1)},
        {"norm": "batch", "norm_affine": True, "features": 5},
    ],
)
def test_literal_fp_liif_in_pytorch(
    changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = small(**changes).model
    network = FPLIIF(config)
    counter = Counter(part_of_fp_liif, affine_norm=5)
    counter.watch(network)
    grid_sample = nn.functional.grid_sample

    def sample(values: torch.Tensor, *arguments: Any, **options: Any) -> torch.Tensor:
        sampled = grid_sample(values, *arguments, **options)
        # The network looks cell centres up always, and needs them for relative positions only.
        if values.shape[1] != 2 or config.position == "relative":
            counter.add("decoder: sampling", 4 * sampled.numel())
        return sampled

    monkeypatch.setattr(nn.functional, "grid_sample", sample)
    if config.global_feature:
        network.decoder.register_forward_pre_hook(
            lambda _, inputs: counter.add("decoder: global feature", inputs[0].numel())
        )
    with torch.no_grad():
        for image_size, output_size in ((32, 20), (29, 33)):
            counter.parts.clear()
            network(torch.zeros(1, 3, image_size, image_size), (output_size, output_size))
            found = multiply_accumulates.count(config, image_size, output_size)
            assert {name: count for name, count in found.items() if count} == counter.parts


# --------------------------------------------------------------------- against shapes in JAX


def convolution_operations(jaxpr: Any) -> int:
    """Of all convolutions of a traced function, from their shapes."""
    total = 0
    for equation in jaxpr.eqns:
        if equation.primitive.name == "conv_general_dilated":
            kernel = equation.invars[1].aval.shape  # height, width, inputs, outputs
            total += math.prod(equation.outvars[0].aval.shape) * math.prod(kernel[:3])
        for inner in jax.extend.core.jaxprs_in_params(equation.params):
            total += convolution_operations(inner)
    return total


@pytest.mark.parametrize(("image_size", "output_size"), [(32, 32), (18, 41)])
@pytest.mark.parametrize("affine", [False, True])
def test_unet_decoder(image_size: int, output_size: int, affine: bool) -> None:
    config = small(decoder="conv_unet", norm_affine=affine)
    config.data.image_size = image_size
    model = create_model(config.model)
    shapes = systems.of(config).network.input_shapes(config.model, image_size)
    variables = jax.eval_shape(model.init, jax.random.key(0), *shapes)
    found = multiply_accumulates.count(config.model, image_size, output_size)

    jaxpr = jax.make_jaxpr(model.apply)(variables, *shapes).jaxpr
    convolutions = [
        count for name, count in found.items() if not name.endswith(("norms", "sampling"))
    ]
    assert sum(convolutions) == convolution_operations(jaxpr)

    def norm_outputs(variables: Any, images: Any) -> Any:
        return model.apply(
            variables,
            images,
            capture_intermediates=lambda module, _: isinstance(module, layers.InstanceNorm),
        )[1]

    outputs = jax.tree.leaves(jax.eval_shape(norm_outputs, variables, *shapes))
    elements = sum(math.prod(output.shape) for output in outputs)
    norms = found["encoder: norms"] + found["decoder: norms"]
    assert norms == (5 if affine else 4) * elements

    # Up from the pooled grid to three sizes, with 8 F, 4 F and F channels; then to the output.
    half = math.ceil(image_size / 2)
    sides, channels = (math.ceil(half / 2), half, image_size), (8 * 6, 4 * 6, 6)
    sampled = sum(side**2 * count for side, count in zip(sides, channels, strict=True))
    sampled += output_size**2 * 11 if output_size != image_size else 0
    assert found["decoder: sampling"] == 4 * sampled


# --------------------------------------------------------------------------------- the command


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "experiments.cost", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_json_alone_on_stdout(tmp_path: pathlib.Path) -> None:
    output = tmp_path / "cost.json"
    done = run("--config=configs/celebamask_hq.py", "--format=json", f"--output={output}")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found["parameters"], int)
    assert [row["output_size"] for row in found["rows"]] == [64, 96, 128, 192, 256, 512]
    assert all(isinstance(row["gmacs"], float) for row in found["rows"])
    written = json.loads(output.read_text())
    assert written.pop("config")["data"]["name"] == "celebamask_hq"
    assert written == found


def test_an_impossible_model_is_one_line() -> None:
    done = run("--config=configs/celebamask_hq.py", "--config.model.norm=group")
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("error: config.model.norm is 'group'")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("data.image_size", 0, r"config\.data\.image_size is 0; it must be at least 8"),
        ("model.features", 0, r"config\.model\.features is 0; it must be at least 1"),
        ("model.group_blocks", (), r"config\.model\.group_blocks is \(\); it must be one or more"),
    ],
)
def test_an_impossible_setting_is_named(field: str, value: object, message: str) -> None:
    config = small()
    config.update_from_flattened_dict({field: value})
    with pytest.raises(SettingsError, match=message):
        model_cost.cost(config)


def test_a_bug_shows_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise ValueError("operands could not be broadcast together")

    monkeypatch.setattr(model_cost, "cost", broken)
    monkeypatch.setattr(cost_command, "_CONFIG", types.SimpleNamespace(value=small()))
    with pytest.raises(ValueError, match="broadcast") as raised:
        command_line.run("experiments.cost", cost_command._work)
    assert not isinstance(raised.value, UserError)


def test_the_table_shows_the_papers_row() -> None:
    config = celebamask_hq.get_config()
    lines = model_cost.to_text(model_cost.cost(config), config).splitlines()
    assert len({len(line) for line in lines[2:]}) == 1  # aligned
    assert lines[-2].split() == ["Table", "6", "27.44", "32.25", "39", "58.24", "85.2", "–"]
    config.model.num_classes = 11
    assert "Table 6" not in model_cost.to_text(model_cost.cost(config), config)


def test_of_stn_icnn_parameters_are_counted_alone() -> None:
    config = stn_icnn_helen.get_config()
    whole = model_cost.cost(config)
    assert model_cost.to_text(whole, config) == (
        "6,325,153 parameters. Operations are not counted: the paper of STN-iCNN prints none."
    )
    config.model.cropper = "centroid"
    baseline = model_cost.cost(config)
    assert baseline.parameters < whole.parameters  # no localisation network
    assert whole.rows == baseline.rows == []
