"""Max pooling against PyTorch."""

import jax.numpy as jnp
import literal_stn_icnn as literal
import numpy as np
import pytest
from needs_torch import torch

from fpliif_jax.nn.max_pool import max_pool

functional = torch.nn.functional


@pytest.mark.parametrize("size", [2, 3])
def test_pooling_is_pytorchs(size: int) -> None:
    x = np.random.default_rng(1).normal(size=(2, 21, 16, 3)).astype(np.float32) - 9
    expected = functional.max_pool2d(
        literal.channels_first(x), size, 2, padding=size // 2 * (size == 3)
    )
    found = max_pool(jnp.asarray(x), size)
    np.testing.assert_array_equal(found, literal.channels_last(expected))
