"""How far the decoder is from that of LIIF's authors, for docs/parity.md: it needs their repository.

git clone https://github.com/yinboc/liif CLONE && git -C CLONE checkout 4c833f8f9d5d038df3ee2b50ebe649c30e628c0f
python -m docs.liif_decoder CLONE --output=experiments/results/liif_decoder/differences.json
"""

import argparse
import importlib
import pathlib
import sys
import types
from typing import Any

import jax.numpy as jnp
import numpy as np
import torch

from fpliif_jax.configs import fp_liif
from fpliif_jax.experiments.benchmark import machine
from fpliif_jax.experiments.pytorch.fp_liif import FPLIIF, cell_centres
from fpliif_jax.interop import fpliif_from_torch
from fpliif_jax.run_folder import run_record
from fpliif_jax.systems import create_model

GRIDS = ((16, 16), (13, 24), (8, 5), (48, 48), (64, 64))
_FEATURES, _HIDDEN, _CLASSES = 64, (256, 256, 256, 256), 11


def queries(height: int, width: int) -> dict[str, np.ndarray]:
    """Coordinates (y, x) by what they are of a latent grid: float32 [Q, 2]."""
    denser = [(4 * height, 4 * width), (3 * height + 1, 2 * width + 3)]
    rows, columns = np.meshgrid(np.arange(2 * height + 1), np.arange(2 * width + 1), indexing="ij")
    halves = np.stack((rows / height - 1, columns / width - 1), axis=-1)
    at_rim = np.isin(rows, (1, 2 * height - 1)) | np.isin(columns, (1, 2 * width - 1))
    found = {
        "5,000 random": np.random.default_rng(0).uniform(-1, 1, (5_000, 2)),
        "the grid of 4 times the latent size; one of 3 h + 1 by 2 w + 3": np.concatenate(
            [cell_centres(*size).reshape(-1, 2) for size in denser]
        ),
        "corners, middles of sides and centres of all cells, but for the next row's": halves[
            ~at_rim
        ],
        "those on lines through the centres of the outermost cells": halves[at_rim],
    }
    return {kind: points.astype(np.float32) for kind, points in found.items()}


def _published(clone: pathlib.Path) -> Any:
    """The authors' network without an upsampling encoder; they log to TensorBoard and compute on a GPU."""
    sys.path.insert(0, str(clone))
    sys.modules["tensorboardX"] = types.SimpleNamespace(SummaryWriter=None)
    torch.Tensor.cuda = lambda tensor: tensor
    models = importlib.import_module("models")
    return models.make(
        {
            "name": "liif",
            "args": {
                "encoder_spec": {"name": "edsr-baseline", "args": {"no_upsampling": True}},
                "imnet_spec": {
                    "name": "mlp",
                    "args": {"out_dim": _CLASSES, "hidden_list": list(_HIDDEN)},
                },
                "cell_decode": False,
            },
        }
    )


def largest_differences(clone: pathlib.Path) -> list[dict[str, Any]]:
    """The largest differences from the authors' logits, of PyTorch's and of JAX's, by kind of query."""
    config = fp_liif.get_config().model
    config.update(features=_FEATURES, mlp_features=_HIDDEN, num_classes=_CLASSES, group_blocks=(1,))
    config.update(sampling="nearest", ensemble="area", position="relative")
    config.update(rcmlp=False, global_feature=False)
    torch.manual_seed(0)
    published, literal, model = _published(clone), FPLIIF(config), create_model(config)
    literal.decoder.mlp.load_state_dict(published.imnet.layers.state_dict())
    variables = fpliif_from_torch(literal.state_dict())
    found: dict[str, dict[str, float]] = {}
    for size in GRIDS:
        published.feat = torch.randn(2, _FEATURES, *size)
        grid = {"latent_grid": jnp.asarray(published.feat.permute(0, 2, 3, 1).numpy())}
        for kind, points in queries(*size).items():
            coordinates = torch.from_numpy(points).expand(2, -1, -1)
            with torch.no_grad():
                theirs = published.query_rgb(coordinates).numpy()
                ours = literal.decoder(published.feat, coordinates).numpy()
            of_jax = model.apply(variables, grid, coordinates.numpy(), method="decode_queries")
            row = found.setdefault(kind, {"logits": 0.0, "pytorch": 0.0, "jax": 0.0})
            for name, values in (
                ("logits", theirs),
                ("pytorch", ours - theirs),
                ("jax", of_jax - theirs),
            ):
                row[name] = max(row[name], float(np.abs(values).max()))
    return [{"queries": kind, **row} for kind, row in found.items()]


def main() -> None:
    """Writes the file."""
    flags = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    flags.add_argument("clone", type=pathlib.Path, help="of the authors' repository")
    flags.add_argument("--output", type=pathlib.Path, required=True, help="JSON file to write")
    parsed = flags.parse_args()
    environment = machine.environment(with_torch=True)
    rows = largest_differences(parsed.clone)
    run_record.write_json(parsed.output, {"environment": environment, "rows": rows})


if __name__ == "__main__":
    main()
