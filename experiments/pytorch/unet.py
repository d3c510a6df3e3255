"""The convolutional U-Net decoder of the ablation "Network without LIIF Decoder" (§5.1), in PyTorch.

The paper gives it no more than a name and a number of parameters; what it is made of is in
`fpliif_jax.systems.fp_liif.unet`.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional


class DoubleConvolution(nn.Module):
    """Two rounds of 3×3 convolution, norm and ReLU."""

    def __init__(self, inputs: int, features: int, norm: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, features, 3, padding=1)
        self.norm1 = norm(features)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)
        self.norm2 = norm(features)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, features, H, W]."""
        hidden = functional.relu(self.norm1(self.conv1(x)))
        return functional.relu(self.norm2(self.conv2(hidden)))


class UNetDecoder(nn.Module):
    """Logits at the size of the image from the latent grid and the groups before it."""

    def __init__(
        self, num_classes: int, features: int, num_skips: int, norm: Callable[[int], nn.Module]
    ) -> None:
        super().__init__()
        widths = [4 * features] + [features] * num_skips
        self.latent = DoubleConvolution(features, 4 * features, norm)
        self.bottleneck = DoubleConvolution(4 * features, 8 * features, norm)
        self.ups = nn.ModuleList(
            nn.Conv2d(below, width, 3, padding=1)
            for below, width in zip([8 * features, *widths[:-1]], widths, strict=True)
        )
        self.joins = nn.ModuleList(DoubleConvolution(2 * width, width, norm) for width in widths)
        self.head = nn.Conv2d(widths[-1], num_classes, 1)

    def forward(self, groups: list[Tensor]) -> Tensor:
        """Logits [B, C, H, W] from the outputs of the encoder's groups, finest first, [B, features, ·, ·]."""
        *skips, latent_grid = groups
        latent = self.latent(latent_grid)
        # A grid of odd height keeps its last row.
        hidden = self.bottleneck(functional.max_pool2d(latent, 2, ceil_mode=True))
        for up, join, skip in zip(self.ups, self.joins, (latent, *skips[::-1]), strict=True):
            hidden = up(functional.interpolate(hidden, skip.shape[2:], mode="bilinear"))
            hidden = join(torch.cat((hidden, skip), dim=1))
        return self.head(hidden)
