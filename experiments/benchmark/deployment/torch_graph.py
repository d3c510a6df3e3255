"""FP-LIIF as ONNX files by PyTorch's own exporter, with the inputs and outputs of those by `fpliif_jax.export`.

The decoder has the algebra of `systems.fp_liif.decoder`, rows and columns of coordinates as inputs: the twin in
`experiments.pytorch`, which computes everything as the paper says it, would take several times as long.
"""

import io
import warnings

import torch
from torch import Tensor, nn
from torch.nn import functional

from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.experiments.benchmark import torch_programs
from fpliif_jax.run_folder.inference_checkpoint import InferenceCheckpoint
from fpliif_jax.systems.fp_liif.inputs import INPUT_SCALINGS

_OPSET = 17
_QUERY_SHIFT = 1e-6  # LIIF's
_PAPER = {
    "decoder": "liif", "unfold": True, "rcmlp": True, "global_feature": True, "ensemble": "average",
    "sampling": "bilinear", "position": "absolute",
}  # fmt: skip


def onnx_bytes(trained: InferenceCheckpoint, part: str) -> bytes:
    """A file of the whole 'model', the 'encoder' or the 'decoder'.

    Raises:
      UserError: the network is no FP-LIIF with the paper's decoder.
    """
    config = trained.config.model
    if any(getattr(config, name, None) != value for name, value in _PAPER.items()):
        raise UserError("only FP-LIIF with the paper's decoder is written in PyTorch")
    photo = torch.zeros((trained.config.data.image_size,) * 2 + (3,), dtype=torch.uint8)
    module = _PARTS[part](trained).eval()
    with torch.no_grad():
        grid = _Encoder(trained).eval()(photo)
    axes = {"y": torch.linspace(-0.9, 0.9, 7), "x": torch.linspace(-0.9, 0.9, 5)}
    inputs = {
        "model": {"photo": photo, **axes},
        "encoder": {"photo": photo},
        "decoder": {"latent_grid": grid, **axes},
    }[part]
    output = "latent_grid" if part == "encoder" else "logits"
    free = {} if part == "encoder" else {"y": {0: "h"}, "x": {0: "w"}, output: {0: "h", 1: "w"}}
    file = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        # The exporter without onnxscript is announced to go; its hints on traced numbers are of no matter here.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            # pyrefly: ignore[bad-argument-type] - without dynamo it writes to a file object as well
            module, tuple(inputs.values()), file, dynamo=False, opset_version=_OPSET,
            input_names=list(inputs), output_names=[output], dynamic_axes=free,
        )  # fmt: skip
    return file.getvalue()


class _Encoder(nn.Module):
    def __init__(self, trained: InferenceCheckpoint) -> None:
        super().__init__()
        self.twin = torch_programs.make_model(trained.config, trained.variables, "cpu")
        mean, deviation = INPUT_SCALINGS[trained.config.data.input_scaling]
        self.mean, self.deviation = (torch.tensor(one)[:, None, None] for one in (mean, deviation))

    def forward(self, photo: Tensor) -> Tensor:
        """uint8 [S, S, 3] -> [n, n, F]."""
        pixels = (photo.permute(2, 0, 1).float() / 255 - self.mean) / self.deviation
        return self.twin.encode(pixels[None])[-1][0].permute(1, 2, 0)


class _Decoder(nn.Module):
    def __init__(self, trained: InferenceCheckpoint) -> None:
        super().__init__()
        decoder = torch_programs.make_model(trained.config, trained.variables, "cpu").decoder
        self.reducing = nn.ModuleList(_linear(decoder.rcmlp))
        self.mlp = nn.ModuleList(_linear(decoder.mlp))

    def forward(self, latent: Tensor, y: Tensor, x: Tensor) -> Tensor:
        """[n, n, F], [h], [w] -> [h, w, C]."""
        cells, _, features = latent.shape
        unfolded, *reducing = _linear(self.reducing)
        first, *hidden, last = _linear(self.mlp)
        kernel = unfolded.weight.view(-1, features, 3, 3)
        grid = functional.conv2d(latent.permute(2, 0, 1)[None], kernel, unfolded.bias, padding=1)
        grid = grid[0].permute(1, 2, 0)
        for layer in reducing:
            grid = layer(functional.relu(grid))
        of_grid, of_mean, of_place = first.weight.split([grid.shape[-1], features, 2], dim=1)
        per_image = of_mean @ latent.mean(dim=(0, 1)) + first.bias
        grid = (grid @ of_grid.T).flatten(1)
        shifts = (-1 / cells, 1 / cells)
        of_rows = y[:, None] * of_place[:, 0] + per_image
        of_columns = x[:, None] * of_place[:, 1]
        total = torch.zeros(())
        for down in shifts:
            rows = (_interpolation(y, down, cells) @ grid).unflatten(1, (cells, -1))
            rows = rows + of_rows[:, None]
            for right in shifts:
                values = functional.relu(_interpolation(x, right, cells) @ rows + of_columns)
                values = values.flatten(0, 1)  # onnxruntime fuses products on two axes with biases
                for layer in hidden:
                    values = functional.relu(layer(values))
                total = total + values
        return last(total / len(shifts) ** 2).view(y.shape[0], x.shape[0], -1)


class _Model(nn.Module):
    def __init__(self, trained: InferenceCheckpoint) -> None:
        super().__init__()
        self.encoder, self.decoder = _Encoder(trained), _Decoder(trained)

    def forward(self, photo: Tensor, y: Tensor, x: Tensor) -> Tensor:
        """uint8 [S, S, 3], [h], [w] -> [h, w, C]."""
        return self.decoder(self.encoder(photo), y, x)


_PARTS = {"model": _Model, "encoder": _Encoder, "decoder": _Decoder}


def _linear(layers: nn.Module) -> list[nn.Linear]:
    """Linear layers, those that have weights, in order."""
    return [one for one in layers.children() if isinstance(one, nn.Linear)]


def _interpolation(coordinates: Tensor, shift: float, cells: int) -> Tensor:
    """The matrix [q, cells] that samples a row of cells at shifted coordinates, as `grid_sampling` makes it."""
    limit = 1 - _QUERY_SHIFT
    shifted = (coordinates + (shift + _QUERY_SHIFT)).clamp(-limit, limit)
    places = (((shifted + 1) * cells - 1) / 2).clamp(0, cells - 1)
    return functional.relu(1 - (places[:, None] - torch.arange(cells)).abs())
