"""What the PyTorch model promises besides the logits, which parity_test.py compares."""

from typing import Any

import ml_collections
import pytest
from needs_torch import torch

from fpliif_jax.configs import fp_liif
from fpliif_jax.experiments.pytorch.fp_liif import FPLIIF


def small(**changes: Any) -> ml_collections.ConfigDict:
    config = fp_liif.get_config().model
    config.update(features=8, group_blocks=(1, 1, 1), rcmlp_features=(8, 6), mlp_features=(12, 10))
    config.update(changes)
    return config


def model_and_images(**changes: Any) -> tuple[FPLIIF, torch.Tensor]:
    torch.manual_seed(0)
    return FPLIIF(small(**changes)), torch.randn(2, 3, 24, 20)


def test_chunks_bound_how_many_queries_are_decoded_at_once() -> None:
    model, images = model_and_images(query_chunk=100)
    seen = []
    model.decoder.mlp.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].shape[:2]))
    whole = model(images, (33, 10))
    assert set(seen) == {(2, 330)}
    seen.clear()
    with torch.no_grad():
        chunked = model(images, (33, 10))
    # 100 queries over two images; 330 of each are six chunks of 50 and one of 30, four times each.
    assert seen.count((2, 50)) == 24 and seen.count((2, 30)) == 4
    torch.testing.assert_close(chunked, whole, rtol=0, atol=1e-6)
    assert model.decoder(model.encoder(images), torch.zeros(2, 7, 2)).shape == (2, 7, 11)


def test_the_output_has_the_size_of_the_images_unless_told() -> None:
    for decoder in ("liif", "conv_unet"):
        model, images = model_and_images(decoder=decoder)
        assert model(images).shape == (2, 11, 24, 20)
        assert model(images, (7, 50)).shape == (2, 11, 7, 50)


@pytest.mark.parametrize("ensemble", ["average", "area"])
def test_autocast_keeps_coordinates_in_float32(
    ensemble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """bfloat16 has 8 bits: many of 4,096 queries in a row would be at the same place."""
    model, images = model_and_images(ensemble=ensemble)
    grids = []
    grid_sample = torch.nn.functional.grid_sample

    def watched(values: torch.Tensor, grid: torch.Tensor, **options: Any) -> torch.Tensor:
        grids.append(grid)
        return grid_sample(values, grid, **options)

    monkeypatch.setattr(torch.nn.functional, "grid_sample", watched)
    with torch.no_grad():
        exact = model(images, (1, 4096))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rounded = model(images, (1, 4096))
    assert {grid.dtype for grid in grids} == {torch.float32}
    # Half a latent cell of five is clamped at one end.
    assert all(len(grid[0, 0, :, 0].unique()) > 3600 for grid in grids)
    # Logits of size 0.4, over ten layers of 8 bits each.
    torch.testing.assert_close(rounded.float(), exact, rtol=0, atol=0.02)


def test_channels_last_and_compiling_leave_the_logits_as_they_are() -> None:
    """Traced in one graph; what a compiler makes of the graph is its own affair."""
    model, images = model_and_images()
    expected = model(images, (16, 16))
    model = model.to(memory_format=torch.channels_last)
    found = model(images.contiguous(memory_format=torch.channels_last), (16, 16))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(images, (16, 16)), expected, rtol=0, atol=1e-6)
    with torch.no_grad():
        torch.testing.assert_close(compiled(images, (16, 16)), expected, rtol=0, atol=1e-6)
