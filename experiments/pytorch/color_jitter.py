"""Brightness, contrast, saturation and hue of float images as torchvision's `ColorJitter` defines them, in PyTorch."""

import torch
from torch import Tensor

_LUMA = (0.2989, 0.587, 0.114)  # torchvision's digits of ITU-R 601


def color_jitter(images: Tensor, factors: Tensor, orders: Tensor) -> Tensor:
    """Applies the four adjustments to each image in an order of its own.

    Args:
      images: float32 [B, 3, H, W] in [0, 1].
      factors: float32 [B, 4]: brightness, contrast and saturation factors, and the hue shift in turns.
      orders: integer [B, 4] on the CPU, each a permutation of 0 … 3 (brightness, contrast, saturation, hue).

    Returns:
      float32 [B, 3, H, W] in [0, 1].
    """
    images = images.clone()
    adjustments = (_brightness, _contrast, _saturation, _hue)
    for turn in orders.unbind(1):
        for kind, adjust in enumerate(adjustments):
            rows = (turn == kind).nonzero()[:, 0].to(images.device)
            if len(rows):
                images[rows] = adjust(images[rows], factors[rows, kind, None, None, None])
    return images


def _grey(images: Tensor) -> Tensor:
    """[B, 3, H, W] -> [B, 1, H, W]."""
    red, green, blue = images.split(1, dim=1)
    return _LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue


def _blend(images: Tensor, others: Tensor | float, factors: Tensor) -> Tensor:
    return (factors * images + (1 - factors) * others).clamp(0, 1)


def _brightness(images: Tensor, factors: Tensor) -> Tensor:
    return _blend(images, 0.0, factors)


def _contrast(images: Tensor, factors: Tensor) -> Tensor:
    return _blend(images, _grey(images).mean(dim=(1, 2, 3), keepdim=True), factors)


def _saturation(images: Tensor, factors: Tensor) -> Tensor:
    return _blend(images, _grey(images), factors)


def _hue(images: Tensor, shifts: Tensor) -> Tensor:
    """Turns the hue of HSV by `shifts` turns."""
    hue, saturation, value = _to_hsv(images).unbind(1)
    turned = torch.stack(((hue + shifts[:, 0]) % 1.0, saturation, value), dim=1)
    return _to_rgb(turned)


def _to_hsv(images: Tensor) -> Tensor:
    """RGB -> HSV, [B, 3, H, W] each, all in [0, 1]; the hue of grey is 0."""
    red, green, blue = images.unbind(1)
    value, smallest = images.amax(dim=1), images.amin(dim=1)
    chroma = value - smallest
    divisor = torch.where(chroma > 0, chroma, 1.0)
    sixths = torch.where(
        value == red,
        (green - blue) / divisor,
        torch.where(value == green, 2 + (blue - red) / divisor, 4 + (red - green) / divisor),
    )
    saturation = chroma / torch.where(value > 0, value, 1.0)
    return torch.stack(((sixths / 6) % 1.0, saturation, value), dim=1)


def _to_rgb(images: Tensor) -> Tensor:
    """HSV -> RGB by the usual table of six sectors, [B, 3, H, W] each."""
    hue, saturation, value = images.unbind(1)
    sector = (hue * 6).floor()
    within = hue * 6 - sector
    low = value * (1 - saturation)
    falling = value * (1 - saturation * within)
    rising = value * (1 - saturation * (1 - within))
    table = torch.stack(
        (
            torch.stack((value, falling, low, low, rising, value), dim=1),
            torch.stack((rising, value, value, falling, low, low), dim=1),
            torch.stack((low, low, rising, value, value, falling), dim=1),
        ),
        dim=1,
    )  # [B, channel, sector, H, W]
    index = (sector.long() % 6)[:, None, None].expand(-1, 3, 1, -1, -1)
    return table.gather(2, index)[:, :, 0].clamp(0, 1)
