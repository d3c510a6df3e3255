"""STN-iCNN in PyTorch, to check the Flax model against: the authors' network under the names of
their state dicts, and the paper's where it differs. Layout [B, C, H, W].
"""

from collections.abc import Callable

import numpy as np
from needs_torch import torch

nn = torch.nn
functional = torch.nn.functional

WIDTHS = (8, 16, 24, 32)
Tensor = torch.Tensor


def halve(x: Tensor) -> Tensor:
    return functional.max_pool2d(x, 3, stride=2, padding=1)


def enlarge(x: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(x, size=like.shape[2:], mode="nearest")


def conv(inputs: int, outputs: int, size: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, size, padding=size // 2)


def interlink(rows: list[Tensor], row: int) -> Tensor:
    """What a row of an interlinked layer sees: the finer row, itself, the coarser row."""
    seen = [rows[row]]
    if row > 0:
        seen = [halve(rows[row - 1]), *seen]
    if row < 3:
        seen = [*seen, enlarge(rows[row + 1], rows[row])]
    return torch.cat(seen, dim=1)


def pyramid(images: Tensor) -> list[Tensor]:
    scales = [images]
    while len(scales) < 4:
        scales.append(halve(scales[-1]))
    return scales


class Node(nn.Module):
    """A row of an interlinked layer. Every node owns an output convolution, few are asked for it."""

    def __init__(self, row: int) -> None:
        super().__init__()
        own, seen = WIDTHS[row], sum(WIDTHS[max(row - 1, 0) : row + 2])
        output = own + WIDTHS[row + 1] if row < 3 else 64
        self.inter_conv_node = conv(seen, own, 5)
        self.inter_conv_node_batchnorm = nn.BatchNorm2d(own)
        self.conv_node = conv(own, own, 5)
        self.conv_node_batchnorm = nn.BatchNorm2d(own)
        self.output_conv_node = conv(output, own, 5)
        self.output_conv_node_batchnorm = nn.BatchNorm2d(own)

    def forward(self, seen: Tensor) -> Tensor:
        x = self.inter_conv_node_batchnorm(self.inter_conv_node(seen)).relu()
        return self.conv_node_batchnorm(self.conv_node(x)).relu()

    def integrate(self, own: Tensor, coarser: Tensor) -> Tensor:
        joined = torch.cat([own, enlarge(coarser, own)], dim=1)
        return self.output_conv_node_batchnorm(self.output_conv_node(joined)).tanh()


class Interlinked(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.iCNN_Nodelist = nn.ModuleList(Node(row) for row in range(4))

    def forward(self, rows: list[Tensor]) -> list[Tensor]:
        return [node(interlink(rows, row)) for row, node in enumerate(self.iCNN_Nodelist)]


class OfficialICNN(nn.Module):
    """The authors' coarse network, and with other numbers of labels their fine ones."""

    def __init__(self, labels: int) -> None:
        super().__init__()
        self.input_conv = nn.ModuleList(conv(3, width, 5) for width in WIDTHS)
        self.input_bnm = nn.ModuleList(nn.BatchNorm2d(width) for width in WIDTHS)
        self.interlink_layers = nn.ModuleList(Interlinked() for _ in range(3))
        self.last_conv1 = conv(8, 2 * labels + 8, 5)
        self.last_con1_bnm = nn.BatchNorm2d(2 * labels + 8)
        self.last_conv2 = conv(2 * labels + 8, labels, 5)
        self.last_con2_bnm = nn.BatchNorm2d(labels)  # not called
        self.last_conv3 = conv(labels, labels, 9)
        self.last_conv3_bnm = nn.BatchNorm2d(labels)  # not called

    def forward(self, images: Tensor) -> Tensor:
        layers = zip(self.input_conv, self.input_bnm, pyramid(images), strict=True)
        rows = [norm(convolve(x)).tanh() for convolve, norm, x in layers]
        for layer in self.interlink_layers:
            rows = layer(rows)
        x = rows[3]
        for row in (2, 1, 0):
            x = self.interlink_layers[2].iCNN_Nodelist[row].integrate(rows[row], x)
        x = self.last_con1_bnm(self.last_conv1(x)).tanh()
        return self.last_conv3(self.last_conv2(x))


class BasicBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        stride = 1 if inputs == outputs else 2
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        if stride == 2:
            shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        shortcut = self.downsample(x) if hasattr(self, "downsample") else x
        return (self.bn2(self.conv2(self.bn1(self.conv1(x)).relu())) + shortcut).relu()


class ResNet18(nn.Module):
    """Of nine channels and 36 outputs, with torchvision's names."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(9, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        for group, (inputs, outputs) in enumerate(((64, 64), (64, 128), (128, 256), (256, 512))):
            blocks = nn.Sequential(BasicBlock(inputs, outputs), BasicBlock(outputs, outputs))
            self.add_module(f"layer{group + 1}", blocks)
        self.fc = nn.Linear(512, 36)

    def forward(self, x: Tensor) -> Tensor:
        x = halve(self.bn1(self.conv1(x)).relu())
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean(dim=(2, 3)))


class LocaliseResNet18(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.model_res = ResNet18()

    def forward(self, probabilities: Tensor) -> Tensor:
        return masked(self.model_res(probabilities))


class LocaliseConv15(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for index in range(14):
            stride = 2 if index in (0, 2, 4, 6, 8, 10) else 1
            size = (3, 2) if index == 10 else 3
            layers += [nn.Conv2d(9 if index == 0 else 6, 6, size, stride, 1), nn.BatchNorm2d(6)]
            layers += [nn.ReLU()] if index != 9 else []
        self.localize_net = nn.Sequential(*layers, conv(6, 6, 3), nn.Tanh())

    def forward(self, probabilities: Tensor) -> Tensor:
        return masked(self.localize_net(probabilities))


def masked(theta: Tensor) -> Tensor:
    return theta.reshape(-1, 6, 2, 3) * torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])


class FineNets(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.model = nn.ModuleList(OfficialICNN(labels) for labels in (2, 2, 2, 4))

    def forward(self, parts: Tensor) -> list[Tensor]:
        logits = []
        for part, network in enumerate((0, 0, 1, 1, 2, 3)):
            if part in (1, 3):
                logits.append(self.model[network](parts[:, part].flip(3)).flip(3))
            else:
                logits.append(self.model[network](parts[:, part]))
        return logits


class OfficialSTNICNN(nn.Module):
    """The three networks and what is between them."""

    def __init__(self, localise: type[nn.Module], crop_size: int) -> None:
        super().__init__()
        self.modelA = OfficialICNN(9)
        self.stn_model = localise()
        self.modelC = FineNets()
        self.crop_size = crop_size

    def forward(self, resized: Tensor, canvas: Tensor) -> dict[str, Tensor | list[Tensor]]:
        coarse_logits = self.modelA(resized)
        theta = self.stn_model(coarse_logits.softmax(1))
        parts = crop(canvas, theta, self.crop_size)
        part_logits = self.modelC(parts)
        return {
            "coarse_logits": coarse_logits,
            "theta": theta,
            "parts": parts,
            "part_logits": part_logits,
            "label_probabilities": map_back(
                [logits.softmax(1) for logits in part_logits], theta, canvas.shape[2]
            ),
        }


def sample(
    image: Tensor, theta: Tensor, size: int, mode: str, align_corners: bool = True
) -> Tensor:
    """[B, C, H, W] where θ [B, 2, 3] takes a grid of size²."""
    shape = [len(image), image.shape[1], size, size]
    grid = functional.affine_grid(theta, shape, align_corners=align_corners)
    return functional.grid_sample(
        image, grid, mode, padding_mode="zeros", align_corners=align_corners
    )


def crop(
    images: Tensor, theta: Tensor, size: int, mode: str = "bilinear", align_corners: bool = True
) -> Tensor:
    crops = [
        sample(images, theta[:, part], size, mode, align_corners) for part in range(theta.shape[1])
    ]
    return torch.stack(crops, dim=1)


def map_back(
    probabilities: list[Tensor], theta: Tensor, side: int, align_corners: bool = True
) -> Tensor:
    last_row = torch.tensor([0.0, 0.0, 1.0]).expand(*theta.shape[:2], 1, 3)
    inverse = torch.inverse(torch.cat([theta, last_row], dim=2))[:, :, :2]
    background, labels = torch.ones(()), []
    for part, values in enumerate(probabilities):
        found = sample(values, inverse[:, part], side, "nearest", align_corners)
        present = sample(1 - values[:, :1], inverse[:, part], side, "nearest", align_corners)
        background = background * (1 - present)
        labels.append(found[:, 1:])
    return torch.cat([background, *labels], dim=1)


def is_decided(
    theta: np.ndarray,
    size: int,
    lengths: tuple[int, int],
    margin: float,
    align_corners: bool = True,
) -> np.ndarray:
    """Which pixels [B, N, size, size] of windows lie further than `margin` pixels from half way between two.

    For the others rounding decides which pixel of an image of height and width `lengths` is nearest.
    """
    grid = np.linspace(-1, 1, size) if align_corners else (2 * np.arange(size) + 1) / size - 1
    far = []
    for axis, length in ((1, lengths[0]), (0, lengths[1])):
        scale, shift = (np.float64(theta[..., axis, entry, None]) for entry in (axis, 2))
        places = (grid * scale + shift + 1) / 2
        positions = places * (length - 1) if align_corners else places * length - 0.5
        far.append(np.abs(positions - np.floor(positions) - 0.5) > margin)
    return far[0][..., :, None] & far[1][..., None, :]


def is_decided_back(
    theta: np.ndarray, size: int, side: int, margin: float, align_corners: bool = True
) -> np.ndarray:
    """Which canvas pixels [B, side, side] `map_back` finds decidedly in crops of `size`: see `is_decided`."""
    inverse = np.zeros(theta.shape)
    for axis in range(2):
        scale, shift = np.float64(theta[..., axis, axis]), np.float64(theta[..., axis, 2])
        inverse[..., axis, axis], inverse[..., axis, 2] = 1 / scale, -shift / scale
    return is_decided(inverse, side, (size, size), margin, align_corners).all(axis=1)


# ----------------------------------------------------------------------------------- the paper


class Block(nn.Module):
    """3×3 convolution, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = conv(inputs, outputs, 3)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x)).relu()


class PaperICNN(nn.Module):
    """Fig. 2, under Flax's names."""

    def __init__(self, labels: int) -> None:
        super().__init__()
        blocks = {f"input_{row}": (3, WIDTHS[row]) for row in range(4)}
        for layer in range(3):
            for row in range(4):
                seen = sum(WIDTHS[max(row - 1, 0) : row + 2])
                blocks[f"interlink_{layer}_{row}_0"] = (seen, WIDTHS[row])
        for row in range(3):
            blocks[f"integration_{row}"] = (WIDTHS[row] + WIDTHS[row + 1], WIDTHS[row])
        blocks |= {"head_0": (8, 2 * labels + 8), "head_1": (2 * labels + 8, labels)}
        for name, widths in blocks.items():
            self.add_module(name, Block(*widths))
        self.head_2 = nn.ModuleDict({"conv": conv(labels, labels, 3)})

    def forward(self, images: Tensor) -> Tensor:
        block: Callable[[str], nn.Module] = self.get_submodule
        rows = [block(f"input_{row}")(x) for row, x in enumerate(pyramid(images))]
        for layer in range(3):
            rows = [
                block(f"interlink_{layer}_{row}_0")(interlink(rows, row))
                for row in range(len(rows))
            ]
        x = rows[3]
        for row in (2, 1, 0):
            x = block(f"integration_{row}")(torch.cat([rows[row], enlarge(x, rows[row])], dim=1))
        return self.head_2["conv"](self.head_1(self.head_0(x)))


class PaperLocalise(nn.Module):
    """Fig. 3 for inputs of 128², under Flax's names; the last features are read row by row."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        inputs = 9
        for index in range(8):
            self.add_module(f"conv_{index}", Block(inputs, widths[index // 2]))
            inputs = widths[index // 2]
        self.dense = nn.Linear(7 * 7 * inputs, 36)

    def forward(self, x: Tensor) -> Tensor:
        for index in range(8):
            x = self.get_submodule(f"conv_{index}")(x)
            if index % 2:
                x = functional.avg_pool2d(x, 3, stride=2)
        return masked(self.dense(x.permute(0, 2, 3, 1).flatten(1)))


# ------------------------------------------------------------------------------------- weights


def randomise(network: nn.Module, seed: int) -> None:
    """Random weights with which signals keep their size, so that mistakes show, and statistics as if trained."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(like: Tensor, low: float, high: float) -> Tensor:
        return torch.rand(like.shape, generator=generator) * (high - low) + low

    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                bound = (6 / module.weight[0].numel()) ** 0.5
                module.weight.copy_(uniform(module.weight, -bound, bound))
            if isinstance(module, nn.BatchNorm2d):
                module.weight.copy_(uniform(module.weight, 0.5, 1.5))
                module.bias.copy_(uniform(module.bias, -0.3, 0.3))
                module.running_mean.copy_(uniform(module.running_mean, -0.3, 0.3))
                module.running_var.copy_(uniform(module.running_var, 0.5, 2))


def aim(network: OfficialSTNICNN, scale: float) -> None:
    """Windows of about `scale`, all over the canvas, which still depend on the coarse labels."""
    with torch.no_grad():
        if isinstance(network.stn_model, LocaliseConv15):
            last = network.stn_model.localize_net[-2]
            last.weight.mul_(0.2)
            last.bias.copy_(torch.linspace(0.8, 1.2, 6) * float(np.arctanh(scale)))
            return
        theta = torch.zeros(6, 2, 3)
        theta[:, 0, 0], theta[:, 1, 1] = scale, 0.9 * scale
        theta[:, :, 2] = torch.linspace(-0.7, 0.7, 12).reshape(6, 2).flip(1)
        network.stn_model.model_res.fc.weight.mul_(0.05)
        network.stn_model.model_res.fc.bias.copy_(theta.flatten())


def channels_last(x: Tensor) -> np.ndarray:
    """[…, C, H, W] -> [… H, W, C]."""
    return x.detach().movedim(-3, -1).numpy()


def channels_first(x: np.ndarray) -> Tensor:
    """[B, H, W, C] -> [B, C, H, W]."""
    return torch.tensor(x).permute(0, 3, 1, 2)
