"""The same forward pass and gradient step in PyTorch, eager and compiled, as programs to be timed."""

import dataclasses
import importlib.util
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from fpliif_jax.experiments.benchmark import jax_programs
from fpliif_jax.experiments.benchmark.timing import NotMeasuredError, Program
from fpliif_jax.nn.variables import Variables

NAME = "PyTorch"


@dataclasses.dataclass(frozen=True)
class TorchVariant:
    """A way of running the model.

    Attributes:
      compiled: by torch.compile in its default mode, for fixed shapes.
      channels_last: layout of weights and images in memory.
    """

    compiled: bool
    channels_last: bool

    @property
    def name(self) -> str:
        """Its name in tables."""
        name = "torch.compile" if self.compiled else "PyTorch eager"
        return f"{name}, channels last" if self.channels_last else name


VARIANTS = {
    "eager": TorchVariant(False, False),
    "eager_channels_last": TorchVariant(False, True),
    "compile": TorchVariant(True, False),
    "compile_channels_last": TorchVariant(True, True),
}


def is_installed() -> bool:
    """Whether there is a PyTorch."""
    return importlib.util.find_spec("torch") is not None


def device_name() -> str:
    """The kind of device that JAX has: 'cuda' or 'cpu'.

    Raises:
      NotMeasuredError: PyTorch does not see it, so there is nothing to compare.
    """
    import torch

    if jax.default_backend() == "cpu":
        return "cpu"
    if jax.default_backend() != "gpu" or not torch.cuda.is_available():
        raise NotMeasuredError(
            f"JAX runs on {jax.default_backend()}, which this PyTorch ({torch.__version__}) does not see"
        )
    return "cuda"


def facts() -> dict[str, Any]:
    """Version, threads and devices of PyTorch, ready for JSON."""
    import torch

    return {
        "version": torch.__version__,
        "cuda": torch.version.cuda,
        "threads": torch.get_num_threads(),
        "devices": [
            torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())
        ],
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
    }


def prepare(config: ConfigDict) -> None:
    """Gives PyTorch what JAX has on a GPU: TF32 for float32 unless the config forbids it, and a choice
    of convolution algorithms by trying them."""
    import torch

    if torch.cuda.is_available():
        allowed = config.matmul_precision == "default"
        torch.set_float32_matmul_precision("high" if allowed else "highest")
        torch.backends.cudnn.allow_tf32 = allowed
        torch.backends.cudnn.benchmark = True


def forget_compiled() -> None:
    """Frees what torch.compile keeps, which is limited in number; no program of before may be used."""
    import torch

    torch.compiler.reset()


def make_model(config: ConfigDict, variables: Variables, device: str) -> Any:
    """`experiments.pytorch.fp_liif.FPLIIF` with the weights of the Flax model."""
    import torch

    from fpliif_jax.experiments.pytorch.fp_liif import FPLIIF
    from fpliif_jax.interop import fpliif_to_torch

    model = FPLIIF(config.model)
    state = {
        name: torch.from_numpy(np.array(value))
        for name, value in fpliif_to_torch(variables).items()
    }
    model.load_state_dict(state, strict=False)  # counters of batch norm are not among them
    return model.to(device)


def logits(
    config: ConfigDict, variables: Variables, images: np.ndarray, output_size: int
) -> np.ndarray:
    """Logits of normalised images [B, H, W, 3], by the eager model in float32: [B, h, w, C]."""
    import torch

    device = device_name()
    model = make_model(config, variables, device).eval()
    with torch.inference_mode():
        output = model(_channels_first(images, device), (output_size, output_size))
    return output.float().permute(0, 2, 3, 1).cpu().numpy()


def forward(
    config: ConfigDict,
    variables: Variables,
    output_size: int,
    batch: int,
    variant: TorchVariant,
    dtype: str,
) -> Program:
    """A forward pass from normalised images on the device to label maps on it, as in `jax_programs.forward`.

    Args:
      config: of FP-LIIF.
      variables: of the Flax model, on the host.
      output_size: side of the label maps.
      batch: images in a call.
      variant: how.
      dtype: 'float32', or 'bfloat16' for autocast.
    """
    import torch

    device = device_name()
    layout = _layout(variant)
    model = make_model(config, variables, device).eval().to(memory_format=layout)
    images = _channels_first(jax_programs.random_images(config, batch), device)
    images = images.to(memory_format=layout)

    def labels(images: torch.Tensor) -> torch.Tensor:
        return model(images, (output_size, output_size)).argmax(1)

    function = _compiled(labels, variant)

    def start() -> Any:
        with torch.inference_mode(), _autocast(device, dtype):
            output = function(images)
        return output, _event(device)

    return Program(start=start, wait=_wait, images=batch)


def gradient_step(
    config: ConfigDict,
    variables: Variables,
    batch: dict[str, np.ndarray],
    variant: TorchVariant,
    dtype: str,
) -> Program:
    """Loss, gradients and Adam on one device, without augmentation.

    Args:
      config: of FP-LIIF.
      variables: of the Flax model, on the host.
      batch: 'images' uint8 [B, S, S, 3] and 'labels' uint8 [B, S, S].
      variant: how.
      dtype: 'float32', or 'bfloat16' for autocast.
    """
    import torch

    from fpliif_jax.experiments.pytorch import losses

    device = device_name()
    layout = _layout(variant)
    model = make_model(config, variables, device).train().to(memory_format=layout)
    pixels = torch.from_numpy(batch["images"]).to(device).permute(0, 3, 1, 2)
    labels = torch.from_numpy(batch["labels"]).to(device)
    weights = torch.ones(len(labels), device=device)
    optimizer = torch.optim.Adam(model.parameters(), config.train.learning_rate, fused=True)
    size = (config.data.image_size, config.data.image_size)

    def loss(pixels: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        images = (pixels.float() / 255 - 0.5) / 0.5  # other scalings are as much work
        output = model(images.contiguous(memory_format=layout), size)
        labels = labels.long()
        counts = losses.pixel_counts(labels, weights, config.loss)
        return losses.loss_terms(output, labels, weights, counts, config.loss)["loss"]

    function = _compiled(loss, variant)

    def start() -> Any:
        optimizer.zero_grad(set_to_none=True)
        with _autocast(device, dtype):
            value = function(pixels, labels)
        value.backward()
        optimizer.step()
        return value.detach(), _event(device)

    def wait(handle: Any) -> None:
        _wait(handle)
        handle[0].item()  # the loss goes to the host, as in JAX

    return Program(start=start, wait=wait, images=len(batch["images"]))


def _channels_first(images: np.ndarray, device: str) -> Any:
    import torch

    return torch.from_numpy(images).to(device).permute(0, 3, 1, 2).contiguous()


def _layout(variant: TorchVariant) -> Any:
    import torch

    return torch.channels_last if variant.channels_last else torch.contiguous_format


def _compiled(function: Callable[..., Any], variant: TorchVariant) -> Callable[..., Any]:
    import torch

    return torch.compile(function, dynamic=False) if variant.compiled else function


def _autocast(device: str, dtype: str) -> Any:
    import torch

    return torch.autocast(device, dtype=torch.bfloat16, enabled=dtype == "bfloat16")


def _event(device: str) -> Any:
    """A mark after what was queued so far; None where calls return when they are finished."""
    import torch

    if device == "cpu":
        return None
    event = torch.cuda.Event()
    event.record()
    return event


def _wait(handle: Any) -> None:
    _, event = handle
    if event is not None:
        event.synchronize()
