"""Nothing in a compiled training step of either system is summed in an order that a GPU is free to choose.

Needs what compiles for NVIDIA GPUs (`pip install "fpliif_jax[chips]"`), but no GPU: nothing is run.
"""

import importlib.util
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("jax_cuda13_plugin") is None,
        reason="needs jax_cuda13_plugin, which compiles for NVIDIA GPUs",
    ),
]

ROOT = pathlib.Path(__file__).parents[3]
# PTX of atomic operations on memory: threads come to it in any order.
_ATOMIC = re.compile(r"^\s*(?:@%?\w+\s+)?((?:atom|red)\.\S+)", re.MULTILINE)
_SCATTER = """
from fpliif_jax.experiments.capacity import before_jax, chips
before_jax.prepare_jax()
import jax, jax.numpy as jnp
from fpliif_jax.experiments.capacity import hlo, hlo_text, topology
absent = topology.absent_devices(chips.chip_named("h100"), 1)
place = jax.sharding.SingleDeviceSharding(absent.devices[0])
shapes = [jax.ShapeDtypeStruct(shape, kind, sharding=place) for shape, kind in
          (((10,), jnp.float32), ((5000,), jnp.int32), ((5000,), jnp.float32))]
added = jax.jit(lambda x, i, u: x.at[i].add(u)).lower(*shapes).compile()
print(len(hlo.unordered_sums(hlo_text.parse(added.as_text()))))
"""


def _run(folder: pathlib.Path, *command: str) -> str:
    """Standard output; what was compiled lies in the folder."""
    environment = {**os.environ, "XLA_FLAGS": f"--xla_dump_to={folder}"}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def _atomics(folder: pathlib.Path) -> tuple[int, set[str]]:
    """Files of PTX in a folder, and the atomic instructions in them."""
    texts = [path.read_text() for path in folder.rglob("*.ptx")]
    return len(texts), {found for text in texts for found in _ATOMIC.findall(text)}


@pytest.mark.parametrize(
    ("config", "fields", "steps"),
    [
        # The paper's layers, fewer of them, on smaller images; two parts of a batch.
        (
            "lapa",
            (
                "--config.data.image_size=64",
                "--config.model.group_blocks=(1,1,1)",
                "--config.train.batch_size=4",
                "--config.train.microbatch=2",
            ),
            1,
        ),
        (
            "stn_icnn_helen",
            (
                "--config.data.image_size=256",
                "--config.train.batch_size=4",
                "--config.train.stages=('coarse','localisation','fine','end_to_end')",
            ),
            4,
        ),
    ],
)
def test_training_steps_have_no_atomics_and_no_scatter(
    tmp_path: pathlib.Path, config: str, fields: tuple[str, ...], steps: int
) -> None:
    command = ("-m", "experiments.capacity", f"--config={config}", "--chip=h100")
    printed = _run(tmp_path, *command, "--programs=training", "--format=json", *fields)
    programs = json.loads(printed)["programs"]
    assert len(programs) == steps
    assert [entry["unordered_sums"] for entry in programs] == [0] * steps
    count, atomics = _atomics(tmp_path)
    assert count > 10
    assert atomics == set()


def test_a_scatter_is_found_where_there_is_one(tmp_path: pathlib.Path) -> None:
    """Without the flag that training sets: both ways of looking see it."""
    assert int(_run(tmp_path, "-c", _SCATTER)) == 1
    count, atomics = _atomics(tmp_path)
    assert count >= 1 and atomics
