"""FP-LIIF in PyTorch exactly as the paper describes it, to check the Flax model against.

Nothing is rearranged: features are unfolded, sampled with `grid_sample` at four shifted copies of
the queries, joined with the global feature and the position, and the whole MLP is evaluated four
times. Layout [B, C, H, W]; the names of the parameters are those of the exchange format.
"""

import torch
from torch import nn
from torch.nn import functional


def make_norm(kind: str, features: int, affine: bool, epsilon: float) -> nn.Module:
    if kind == "instance":
        return nn.InstanceNorm2d(features, eps=epsilon, affine=affine)
    if kind == "batch":
        return nn.BatchNorm2d(features, eps=epsilon, affine=affine)
    return nn.Identity()


class ResBlock(nn.Module):
    def __init__(self, features: int, norm: str, affine: bool, epsilon: float) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.norm1 = make_norm(norm, features, affine, epsilon)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)
        self.norm2 = make_norm(norm, features, affine, epsilon)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = functional.relu(self.norm1(self.conv1(x)))
        return self.norm2(self.conv2(hidden)) + x


class Group(nn.Module):
    def __init__(self, blocks: int, tail: bool, features: int, *norm: object) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*[ResBlock(features, *norm) for _ in range(blocks)])
        self.tail = nn.Conv2d(features, features, 3, padding=1) if tail else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.blocks(x)
        return (hidden if self.tail is None else self.tail(hidden)) + x


class Encoder(nn.Module):
    def __init__(self, features: int, group_blocks: tuple[int, ...], *norm: object) -> None:
        super().__init__()
        last = len(group_blocks) - 1
        self.head = nn.Conv2d(3, features, 3, padding=1)
        self.groups = nn.ModuleList(
            Group(blocks, index == last, features, *norm)
            for index, blocks in enumerate(group_blocks)
        )
        self.downs = nn.ModuleList(
            nn.Conv2d(features, features, 3, stride=2, padding=1) for _ in range(last)
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.groups[0](self.head(images))
        for down, group in zip(self.downs, self.groups[1:], strict=True):
            x = group(down(x))
        return x


def make_mlp(widths: list[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in zip(widths[:-1], widths[1:], strict=True):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def make_coordinates(height: int, width: int) -> torch.Tensor:
    """Cell centres in [-1, 1], y before x: [height * width, 2]."""
    y = (torch.arange(height) + 0.5) / height * 2 - 1
    x = (torch.arange(width) + 0.5) / width * 2 - 1
    return torch.stack(torch.meshgrid(y, x, indexing="ij"), dim=-1).reshape(-1, 2)


class Decoder(nn.Module):
    def __init__(self, config: object) -> None:
        super().__init__()
        self.config = config
        width = config.features * (9 if config.unfold else 1)
        if config.rcmlp:
            self.rcmlp = make_mlp([width, *config.rcmlp_features])
            width = config.rcmlp_features[-1]
        inputs = width + (config.features if config.global_feature else 0) + 2
        self.mlp = make_mlp([inputs, *config.mlp_features, config.num_classes])

    def forward(self, latent: torch.Tensor, coordinates: torch.Tensor) -> torch.Tensor:
        """latent [B, c, n_h, n_w], coordinates [B, Q, 2] -> logits [B, Q, C]."""
        config = self.config
        batch, _, height, width = latent.shape
        queries = coordinates.shape[1]
        features = latent
        if config.unfold:
            features = functional.unfold(latent, 3, padding=1).view(batch, -1, height, width)
        if config.rcmlp:
            features = self.rcmlp(features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        global_feature = latent.mean(dim=(2, 3))[:, None].expand(batch, queries, -1)
        centres = make_coordinates(height, width).view(1, height, width, 2).permute(0, 3, 1, 2)
        centres = centres.to(latent).expand(batch, 2, height, width)
        cells = torch.tensor([height, width]).to(latent)

        signs = [(-1, -1), (-1, 1), (1, -1), (1, 1)]
        if config.ensemble == "none":
            signs = [(0, 0)]
        predictions, areas = [], []
        for sign in signs:
            shifted = coordinates + torch.tensor(sign).to(latent) / cells + 1e-6
            shifted = shifted.clamp(-1 + 1e-6, 1 - 1e-6)
            grid = shifted.flip(-1)[:, None]

            def sample(values: torch.Tensor, mode: str, grid: torch.Tensor) -> torch.Tensor:
                sampled = functional.grid_sample(
                    values, grid, mode=mode, padding_mode="border", align_corners=False
                )
                return sampled[:, :, 0].permute(0, 2, 1)

            relative = (coordinates - sample(centres, "nearest", grid)) * cells
            inputs = [sample(features, config.sampling, grid)]
            if config.global_feature:
                inputs.append(global_feature)
            inputs.append(coordinates if config.position == "absolute" else relative)
            predictions.append(self.mlp(torch.cat(inputs, dim=-1)))
            areas.append((relative[..., 0] * relative[..., 1]).abs() + 1e-9)
        if config.ensemble != "area":
            return torch.stack(predictions).mean(dim=0)
        total = torch.stack(areas).sum(dim=0)
        opposite = [areas[3], areas[2], areas[1], areas[0]]
        return sum(
            prediction * (area / total)[..., None]
            for prediction, area in zip(predictions, opposite, strict=True)
        )


class LiteralFPLIIF(nn.Module):
    """Takes the fields of `config.model`."""

    def __init__(self, config: object) -> None:
        super().__init__()
        norm = (config.norm, config.norm_affine, config.norm_epsilon)
        self.encoder = Encoder(config.features, config.group_blocks, *norm)
        self.decoder = Decoder(config)

    def forward(self, images: torch.Tensor, output_size: tuple[int, int]) -> torch.Tensor:
        """images [B, 3, H, W] -> logits [B, C, h, w]."""
        coordinates = make_coordinates(*output_size).to(images)
        coordinates = coordinates[None].expand(images.shape[0], -1, 2)
        logits = self.decoder(self.encoder(images), coordinates)
        return logits.permute(0, 2, 1).reshape(images.shape[0], -1, *output_size)
