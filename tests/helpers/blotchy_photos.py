"""Photos and runs for tests of prediction with the tiny models of `untrained_models`."""

import io
import pathlib

import numpy as np
from PIL import Image

from fpliif_jax.run_folder import checkpoint
from fpliif_jax.run_folder.inference_checkpoint import InferenceCheckpoint
from fpliif_jax.run_folder.run_config import json_config


def make_photo(height: int = 40, width: int = 30, seed: int = 0) -> np.ndarray:
    """Coloured blotches, so that an untrained model gives several classes."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 6, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC))


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def save_run(workdir: pathlib.Path, trained: InferenceCheckpoint) -> None:
    progress = {
        "config": json_config(trained.config),
        "class_names": list(trained.class_names),
        "step": trained.step,
        "fingerprint": trained.fingerprint,
    }
    checkpoint.save(workdir, "best", trained.step, trained.variables, progress)
