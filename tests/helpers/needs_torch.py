"""PyTorch for the tests that compare with it: `from needs_torch import torch`.

A file that does so is skipped, with the reason, where PyTorch is not installed. `.ci/run` sets
FPLIIF_JAX_REQUIRE_TORCH, and there it is an error.
"""

import os

import pytest

if os.environ.get("FPLIIF_JAX_REQUIRE_TORCH"):
    import torch
else:
    torch = pytest.importorskip(
        "torch", reason="PyTorch is not installed: pip install -r requirements-test.txt"
    )
# Test files run beside each other, and PyTorch's threads wait busily.
torch.set_num_threads(1)
