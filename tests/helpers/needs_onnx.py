"""ONNX and onnxruntime for the tests of exported files: `from needs_onnx import onnx, onnxruntime`.

A file that does so is skipped, with the reason, where they are not installed. `.ci/run` sets
FPLIIF_JAX_REQUIRE_ONNX, and there it is an error.
"""

import os

import pytest

if os.environ.get("FPLIIF_JAX_REQUIRE_ONNX"):
    import onnx
    import onnxruntime
else:
    reason = "not installed: pip install -r requirements-test.txt"
    onnx = pytest.importorskip("onnx", reason=reason)
    onnxruntime = pytest.importorskip("onnxruntime", reason=reason)

__all__ = ["onnx", "onnxruntime"]
