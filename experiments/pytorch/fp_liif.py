"""FP-LIIF (Sarkar et al., arXiv:2303.15122) as the paper describes it, in PyTorch.

Nothing is rearranged: features are unfolded, sampled with `grid_sample` at four shifted copies of the queries,
joined with the global feature and the position, and the whole MLP is evaluated four times. Layout [B, C, H, W].
Parameters have PyTorch's default initialisation and the names of the exchange format (`fpliif_jax.interop`).
"""

from collections.abc import Callable, Sequence

import ml_collections
import torch
from torch import Tensor, nn
from torch.nn import functional

from fpliif_jax.experiments.pytorch.unet import UNetDecoder
from fpliif_jax.fields.setting_ranges import AUTO
from fpliif_jax.systems.fp_liif import query_plan

# LIIF moves every query by this much, so that one on the border of two cells is never decided by a
# rounding error, and keeps it as far inside the image.
_QUERY_SHIFT = 1e-6
_BACKENDS = {"cpu": "cpu", "cuda": "gpu"}  # JAX's names of PyTorch's devices
_MEMBERS = ((-1, -1), (-1, 1), (1, -1), (1, 1))  # shifts in y and x, in half latent cells


def normalisation(config: ml_collections.ConfigDict) -> Callable[[int], nn.Module]:
    """A factory of the norm layers of `config.model`, by number of channels."""
    options = {"eps": config.norm_epsilon, "affine": config.norm_affine}
    if config.norm == "instance":
        return lambda features: nn.InstanceNorm2d(features, **options)
    if config.norm == "batch":
        return lambda features: nn.BatchNorm2d(features, **options)
    return lambda features: nn.Identity()


class ResBlock(nn.Module):
    """Residual block with a norm after both convolutions (§3.2, Fig. 5)."""

    def __init__(self, features: int, norm: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.norm1 = norm(features)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)
        self.norm2 = norm(features)

    def forward(self, x: Tensor) -> Tensor:
        """[B, c, H, W] -> the same shape."""
        hidden = functional.relu(self.norm1(self.conv1(x)))
        return self.norm2(self.conv2(hidden)) + x


class Group(nn.Module):
    """Residual blocks, and for the last group a convolution, with the group's input added (§3.2)."""

    def __init__(
        self, num_blocks: int, has_tail: bool, features: int, norm: Callable[[int], nn.Module]
    ) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*[ResBlock(features, norm) for _ in range(num_blocks)])
        self.tail = nn.Conv2d(features, features, 3, padding=1) if has_tail else None

    def forward(self, x: Tensor) -> Tensor:
        """[B, c, H, W] -> the same shape."""
        hidden = self.blocks(x)
        return (hidden if self.tail is None else self.tail(hidden)) + x


class Encoder(nn.Module):
    """Image to latent grid: groups of residual blocks, strided convolutions between them (§3.2)."""

    def __init__(
        self, features: int, group_blocks: Sequence[int], norm: Callable[[int], nn.Module]
    ) -> None:
        super().__init__()
        last = len(group_blocks) - 1
        self.head = nn.Conv2d(3, features, 3, padding=1)
        self.groups = nn.ModuleList(
            Group(num_blocks, index == last, features, norm)
            for index, num_blocks in enumerate(group_blocks)
        )
        self.downs = nn.ModuleList(
            nn.Conv2d(features, features, 3, stride=2, padding=1) for _ in range(last)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Images [B, 3, H, W] -> latent grid [B, c, H/4, W/4], rounded up, for three groups."""
        return self.group_outputs(images)[-1]

    def group_outputs(self, images: Tensor) -> list[Tensor]:
        """What each group makes of images [B, 3, H, W]: [B, c, ·, ·] at full, half, quarter … size."""
        outputs = [self.groups[0](self.head(images))]
        for down, group in zip(self.downs, self.groups[1:], strict=True):
            outputs.append(group(down(outputs[-1])))
        return outputs


def make_mlp(widths: Sequence[int]) -> nn.Sequential:
    """Linear layers of these widths with ReLU between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in zip(widths[:-1], widths[1:], strict=True):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def cell_centres(height: int, width: int, device: torch.device | None = None) -> Tensor:
    """Coordinates (y, x) in (-1, 1) of the centres of a grid of cells: float32 [height, width, 2]."""
    y = (torch.arange(height, device=device) + 0.5) / height * 2 - 1
    x = (torch.arange(width, device=device) + 0.5) / width * 2 - 1
    return torch.stack(torch.meshgrid(y, x, indexing="ij"), dim=-1)


def sample(grid: Tensor, coordinates: Tensor, mode: str) -> Tensor:
    """Samples a grid at coordinates, the border cells going on beyond their centres.

    Args:
      grid: [B, f, n_h, n_w].
      coordinates: float32 [B, Q, 2], (y, x) in [-1, 1]; they are never rounded to less than float32.
      mode: 'bilinear' or 'nearest'.

    Returns:
      float32 [B, Q, f].
    """
    sampled = functional.grid_sample(
        grid.to(coordinates.dtype),
        coordinates.flip(-1)[:, None],
        mode=mode,
        padding_mode="border",
        align_corners=False,
    )
    return sampled[:, :, 0].transpose(1, 2)


def _most_queries(backend: str, config: ml_collections.ConfigDict) -> int:
    if config.query_chunk == AUTO:
        return query_plan.most_queries(backend, None, config)
    return config.query_chunk


class LIIFDecoder(nn.Module):
    """Latent grid to logits at any coordinates (§3.1, §3.3; LIIF is arXiv:2012.09161)."""

    def __init__(self, config: ml_collections.ConfigDict) -> None:
        """Takes the fields of `config.model`."""
        super().__init__()
        self.unfold, self.global_feature = config.unfold, config.global_feature
        self.ensemble, self.sampling = config.ensemble, config.sampling
        self.position = config.position
        self._most_queries = {
            device: _most_queries(backend, config) for device, backend in _BACKENDS.items()
        }
        width = config.features * (9 if config.unfold else 1)
        self.rcmlp = None
        if config.rcmlp:
            self.rcmlp = make_mlp([width, *config.rcmlp_features])
            width = config.rcmlp_features[-1]
        inputs = width + (config.features if config.global_feature else 0) + 2
        self.mlp = make_mlp([inputs, *config.mlp_features, config.num_classes])

    def forward(self, latent: Tensor, coordinates: Tensor) -> Tensor:
        """Logits at coordinates.

        Without gradients at most `config.query_chunk` queries are decoded at once, counted over all images,
        which bounds the memory; where it is 'auto', as many as in JAX.

        Args:
          latent: [B, c, n_h, n_w].
          coordinates: float32 [B, Q, 2], (y, x) in [-1, 1] between the borders of the image.

        Returns:
          [B, Q, C].
        """
        batch, _, height, width = latent.shape
        features = latent
        if self.unfold:
            features = functional.unfold(latent, 3, padding=1).view(batch, -1, height, width)
        if self.rcmlp is not None:
            features = self.rcmlp(features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        mean = latent.mean(dim=(2, 3)) if self.global_feature else None
        if torch.is_grad_enabled():
            return self._decode(features, mean, coordinates)
        chunks = coordinates.split(max(1, self._most_queries[latent.device.type] // batch), dim=1)
        return torch.cat([self._decode(features, mean, chunk) for chunk in chunks], dim=1)

    def _decode(self, features: Tensor, mean: Tensor | None, coordinates: Tensor) -> Tensor:
        """Features [B, f, n_h, n_w], their global feature [B, c], queries [B, Q, 2] -> [B, Q, C]."""
        batch, _, height, width = features.shape
        y, x = coordinates.unbind(-1)
        limit = 1 - _QUERY_SHIFT
        predictions, areas = [], []
        for down, right in ((0, 0),) if self.ensemble == "none" else _MEMBERS:
            shifted_y = (y + (down / height + _QUERY_SHIFT)).clamp(-limit, limit)
            shifted_x = (x + (right / width + _QUERY_SHIFT)).clamp(-limit, limit)
            shifted = torch.stack((shifted_y, shifted_x), dim=-1)
            inputs = [sample(features, shifted, self.sampling)]
            if mean is not None:
                inputs.append(mean[:, None].expand(-1, coordinates.shape[1], -1))
            if self.position == "relative" or self.ensemble == "area":
                centres = cell_centres(height, width, features.device).permute(2, 0, 1)
                nearest = sample(centres.expand(batch, -1, -1, -1), shifted, "nearest")
                offset_y, offset_x = (coordinates - nearest).unbind(-1)
                offset = torch.stack((offset_y * height, offset_x * width), dim=-1)
                areas.append((offset[..., :1] * offset[..., 1:]).abs() + 1e-9)
            # pyrefly: ignore[unbound-name] - positions are absolute or relative
            inputs.append(coordinates if self.position == "absolute" else offset)
            predictions.append(self.mlp(torch.cat(inputs, dim=-1)))
        if self.ensemble != "area":
            return torch.stack(predictions).mean(dim=0)
        # A member weighs as much as the rectangle opposite to it.
        weights = torch.stack(areas[::-1]) / torch.stack(areas).sum(dim=0)
        return (torch.stack(predictions) * weights).sum(dim=0)


class FPLIIF(nn.Module):
    """Encoder and decoder; takes the fields of `config.model`, see `fpliif_jax.create_model`.

    `query_chunk` bounds the memory where there are no gradients; `remat` and `dtype` are the caller's matter
    (`torch.autocast`), and `initializer` is PyTorch's own.
    """

    def __init__(self, config: ml_collections.ConfigDict) -> None:
        super().__init__()
        norm = normalisation(config)
        self.encoder = Encoder(config.features, config.group_blocks, norm)
        if config.decoder == "conv_unet":
            num_skips = len(config.group_blocks) - 1
            self.decoder = UNetDecoder(config.num_classes, config.features, num_skips, norm)
        else:
            self.decoder = LIIFDecoder(config)

    def forward(self, images: Tensor, output_size: tuple[int, int] | None = None) -> Tensor:
        """Raw logits (before any temperature) on a regular grid of any size.

        Args:
          images: [B, 3, H, W], normalised.
          output_size: (h, w); the size of the images by default.

        Returns:
          [B, C, h, w].
        """
        return self.decode(self.encode(images), output_size or (images.shape[2], images.shape[3]))

    def encode(self, images: Tensor) -> list[Tensor]:
        """What `decode` needs of images [B, 3, H, W]: the outputs of all groups, the latent grid last."""
        return self.encoder.group_outputs(images)

    def decode(self, groups: list[Tensor], output_size: tuple[int, int]) -> Tensor:
        """Logits [B, C, *output_size] from what `encode` returns."""
        if isinstance(self.decoder, UNetDecoder):
            logits = self.decoder(groups)
            return functional.interpolate(logits, output_size, mode="bilinear")
        latent = groups[-1]
        centres = cell_centres(*output_size, device=latent.device).view(1, -1, 2)
        logits = self.decoder(latent, centres.expand(len(latent), -1, -1))
        return logits.transpose(1, 2).unflatten(2, output_size)
