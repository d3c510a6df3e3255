"""A tiny untrained model of each system, and its parser, for all tests of prediction."""

import pytest
import untrained_models

from fpliif_jax import FaceParser
from fpliif_jax.run_folder.inference_checkpoint import InferenceCheckpoint


@pytest.fixture(scope="session")
def checkpoints() -> dict[str, InferenceCheckpoint]:
    return {
        "fp_liif": untrained_models.fp_liif_checkpoint(),
        "stn_icnn": untrained_models.stn_icnn_checkpoint(),
    }


@pytest.fixture(scope="session")
def parsers(checkpoints: dict[str, InferenceCheckpoint]) -> dict[str, FaceParser]:
    return {name: FaceParser(trained) for name, trained in checkpoints.items()}
