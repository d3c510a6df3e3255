"""Types that a user's program gets from the public API; `.ci/types` checks them, nothing runs this."""

from collections.abc import Iterator
from typing import assert_type

import flax.linen as nn
import numpy as np
from PIL import Image

import fpliif_jax
from fpliif_jax import systems, weights
from fpliif_jax.configs import fp_liif
from fpliif_jax.data_builders import BUILDERS
from fpliif_jax.data_builders.face_parsing_builder import FaceParsingBuilder
from fpliif_jax.interop import fpliif_to_torch
from fpliif_jax.predict.face_parser import FaceParser
from fpliif_jax.predict.parsed_photo import ParsedPhoto
from fpliif_jax.run_folder.inference_checkpoint import InferenceCheckpoint
from fpliif_jax.systems.system import System


def use(photo: np.ndarray) -> None:
    parser = fpliif_jax.FaceParser.from_pretrained("drawn")
    assert_type(parser, FaceParser)
    assert_type(parser(photo), ParsedPhoto)
    assert_type(parser([photo]), list[ParsedPhoto])
    assert_type(parser.stream([photo]), Iterator[ParsedPhoto])
    assert_type(parser(photo).labels, np.ndarray)
    assert_type(parser(photo).overlay(), Image.Image)
    assert_type(fpliif_jax.create_model(fp_liif.get_config().model), nn.Module)
    assert_type(systems.of_name("fp_liif"), System)
    assert_type(weights.NAMES, tuple[str, ...])
    assert_type(weights.load("drawn"), InferenceCheckpoint)
    assert_type(BUILDERS["lapa"], type[FaceParsingBuilder])
    assert_type(fpliif_jax.__version__, str)
    assert_type(fpliif_to_torch({}), dict[str, np.ndarray])
