"""Microbatch and query chunk that fit into the memory, and that a run keeps."""

import json
import math
import pathlib

import jax
import ml_collections
import numpy as np
import pytest
from tiny_run import tiny_config

from fpliif_jax import systems
from fpliif_jax.commands.interruption import Interruption
from fpliif_jax.configs import lapa, stn_icnn_helen
from fpliif_jax.data.batches import blank_batch
from fpliif_jax.data.dataset import load_dataset
from fpliif_jax.devices import parallel
from fpliif_jax.fields.setting_ranges import AUTO
from fpliif_jax.run_folder import checkpoint
from fpliif_jax.run_folder.inference_checkpoint import load_for_inference
from fpliif_jax.run_folder.run_config import json_config
from fpliif_jax.run_folder.run_record import write_json
from fpliif_jax.systems import create_model
from fpliif_jax.systems.step_numbers import StepNumbers
from fpliif_jax.training import fitting, loop
from fpliif_jax.training.optimizer import make_optimizer
from fpliif_jax.training.progress import Progress
from fpliif_jax.training.step import init_state, init_variables, make_fitted_step

GIB = 2**30
PIXELS = 256**2


def never(numbers: StepNumbers, estimate: int) -> float:
    raise AssertionError(f"compiled for {numbers}")


def chosen(
    config: ml_collections.ConfigDict, memory_gib: float, gib_of_an_image: float, rows: int
) -> tuple[StepNumbers, list[int]]:
    """What is chosen on a GPU where steps take 1 GiB and so much for each image; the microbatches tried."""
    tried = []

    def planned(numbers: StepNumbers, estimate: int) -> float:
        tried.append(numbers["train.microbatch"])
        return (1 + numbers["train.microbatch"] * gib_of_an_image) * GIB

    batch_size = rows * jax.device_count()
    numbers, line = fitting.choose(config, batch_size, "gpu", int(memory_gib * GIB), planned)
    assert line.startswith(f"microbatch: {numbers['train.microbatch']} of {rows} images at once")
    return numbers, tried


@pytest.mark.parametrize(
    ("memory_gib", "gib_of_an_image", "rows", "microbatch", "tried"),
    [
        # 24, 40 and 80 GB cards, of which JAX takes three quarters, with plans as guessed, half of that and twice.
        (17, 1.4, 64, 8, [4, 8]),
        (17, 2, 64, 4, [4]),
        (17, 4, 64, 2, [4, 2]),
        (29, 1.4, 64, 16, [8, 16]),
        (58, 1.4, 64, 32, [16, 32]),
        (58, 2, 33, 17, [17]),
        (1000, 2, 64, 64, [64]),
        (1000, 2, 1, 1, [1]),
    ],
)
def test_the_largest_microbatch_that_fits(
    memory_gib: float, gib_of_an_image: float, rows: int, microbatch: int, tried: list[int]
) -> None:
    numbers, found = chosen(lapa.get_config(), memory_gib, gib_of_an_image, rows)
    assert numbers == {
        "train.microbatch": microbatch,
        "model.query_chunk": microbatch * PIXELS,
        "model.remat": False,
    }
    assert found == tried


def test_where_not_one_image_fits_its_queries_are_decoded_in_chunks() -> None:
    numbers, tried = chosen(lapa.get_config(), 4, 5, 64)
    assert tried == [1]
    assert numbers == {
        "train.microbatch": 1,
        "model.query_chunk": PIXELS,
        "model.remat": True,
    }
    config = lapa.get_config()
    config.data.image_size = 1024
    numbers, _ = chosen(config, 4, 5, 64)
    assert numbers["model.query_chunk"] == 2**17


def test_numbers_of_the_config_are_kept() -> None:
    config = lapa.get_config()
    config.model.query_chunk = 1000
    numbers, _ = chosen(config, 17, 2, 64)
    assert (numbers["train.microbatch"], numbers["model.query_chunk"]) == (4, 1000)
    config.train.microbatch = 3
    numbers, line = fitting.choose(config, 64, "gpu", GIB, never)
    assert line is None
    assert numbers == {"train.microbatch": 3, "model.query_chunk": 1000, "model.remat": False}


@pytest.mark.parametrize("backend", ["cpu", "gpu"])
def test_nothing_is_compiled_where_there_is_no_choice(backend: str) -> None:
    config = lapa.get_config()
    config.model.norm = "batch"
    numbers, line = fitting.choose(config, 64, backend, 17 * GIB, never)
    assert (numbers["train.microbatch"], line) == (0, None)
    config = stn_icnn_helen.get_config()
    assert fitting.choose(config, 64, "gpu", GIB, never) == ({"train.microbatch": 0}, None)


@pytest.mark.parametrize(
    ("size", "features", "rows", "microbatch"),
    [
        (256, 64, 64, 1),
        (512, 64, 64, 1),  # not even one image stays in the cache
        (128, 32, 32, 4),
        (128, 32, 33, 3),  # 33, 17, 9, 5, 3
        (64, 16, 32, 0),
        (64, 16, 33, 17),
    ],
)
def test_on_a_cpu_activations_of_a_microbatch_stay_in_the_cache(
    size: int, features: int, rows: int, microbatch: int
) -> None:
    config = lapa.get_config()
    config.data.image_size, config.model.features = size, features
    config.model.query_chunk = 4096
    numbers, line = fitting.choose(config, rows * jax.device_count(), "cpu", None, never)
    assert numbers["train.microbatch"] == microbatch
    assert line == (
        f"microbatch: {microbatch} of {rows} images at once, as a CPU is fastest"
        if microbatch
        else None
    )
    config.train.microbatch = 0
    assert fitting.choose(config, 64, "cpu", None, never)[0]["train.microbatch"] == 0


def _train(
    config: ml_collections.ConfigDict, workdir: pathlib.Path, stop: bool = False
) -> tuple[dict, StepNumbers]:
    workdir.mkdir(exist_ok=True)
    interruption = Interruption()
    interruption.requested = stop
    dataset = load_dataset(config.data)
    dataset.metadata.counts["validation"] = 0  # scores change no parameter
    loop.train(config, workdir, dataset, interruption)
    recorded = json.loads((workdir / "environment.json").read_text())["chosen"]
    assert checkpoint.read_progress(workdir, "last")["chosen"] == recorded
    return load_for_inference(workdir, "last").variables, recorded


@pytest.mark.slow
def test_a_run_keeps_what_was_chosen_when_it_goes_on_elsewhere(
    tmp_path: pathlib.Path,
    lapa_download: pathlib.Path,
    data_dir: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = tiny_config(lapa_download, data_dir)
    config.train.epochs, config.train.batch_size = 2, 8  # two rows a device
    on_a_cpu, recorded = _train(config, tmp_path / "cpu")
    cpu = {"train.microbatch": 0, "model.query_chunk": 2 * 32 * 32, "model.remat": False}
    assert recorded == cpu
    assert "microbatch" not in capsys.readouterr().err

    with monkeypatch.context() as patch:
        patch.setattr(parallel, "backend_and_memory", lambda: ("gpu", 1))
        whole, recorded = _train(config, tmp_path / "whole")
        small = {"train.microbatch": 1, "model.query_chunk": 32, "model.remat": True}
        assert recorded == small
        assert "microbatch: 1 of 2 images at once" in capsys.readouterr().err
        _train(config, tmp_path / "moved", stop=True)
    environment, began = tmp_path / "moved" / "environment.json", "2026-11-26T21:03:05+00:00"
    write_json(environment, json.loads(environment.read_text()) | {"started": began})
    moved, recorded = _train(config, tmp_path / "moved")
    assert recorded == small
    assert json.loads(environment.read_text())["started"] == began
    assert jax.tree.all(jax.tree.map(np.array_equal, moved, whole))
    assert not jax.tree.all(jax.tree.map(np.array_equal, moved, on_a_cpu))  # there are bits to keep

    config.model.query_chunk = 32  # what it began with, said
    _train(config, tmp_path / "moved")
    config.model.query_chunk = 64
    with pytest.raises(checkpoint.CheckpointError, match="config.model.query_chunk was"):
        _train(config, tmp_path / "moved")


def test_earlier_runs_go_on_with_the_numbers_of_their_config(
    tmp_path: pathlib.Path, lapa_download: pathlib.Path, data_dir: pathlib.Path
) -> None:
    config = tiny_config(lapa_download, data_dir)
    config.train.epochs = 2
    config.train.microbatch, config.model.query_chunk = 0, 100
    progress = Progress(json_config(config), fingerprint="")
    assert fitting.numbers_of_run(progress) == {
        "train.microbatch": 0,
        "model.query_chunk": 100,
        "model.remat": False,
    }
    whole, _ = _train(config, tmp_path / "whole")
    _train(config, tmp_path / "earlier", stop=True)
    moved, recorded = _train(tiny_like(config), tmp_path / "earlier")
    assert recorded["model.query_chunk"] == 100
    assert jax.tree.all(jax.tree.map(np.array_equal, moved, whole))


def tiny_like(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """The same, with both numbers left to the program."""
    now = fitting.with_numbers(config, {"train.microbatch": AUTO, "model.query_chunk": AUTO})
    return now.lock()


@pytest.mark.slow
def test_the_chosen_step_is_not_compiled_again(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny_config(tmp_path, tmp_path)
    config.train.batch_size = 8
    names = tuple(f"class {index}" for index in range(11))
    stages = systems.of(config).training.make_stages(
        config, create_model(config.model, parallel.AXIS), names
    )
    model = create_model(config.model)
    optimizer = make_optimizer(config.train, 1e-3, 10)
    state = init_state(init_variables(model, config), stages[0], optimizer)
    state = parallel.replicate(state)
    monkeypatch.setattr(parallel, "backend_and_memory", lambda: ("gpu", 2**40))
    compiled = []

    def listen(event: str, duration: float, **_: object) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            compiled.append(duration)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        step, microbatch, _ = make_fitted_step(config, names, stages[0], optimizer, state)
        assert microbatch == 2
        assert len(compiled) == 1
        batch = blank_batch(8, 32, 32)
        batch = parallel.shard({**batch, "stop": np.zeros(8, np.float32)})
        state, _ = step(state, batch)
        state, values = step(state, batch)
        assert math.isfinite(parallel.unreplicate(values)["loss"])
        assert len(compiled) == 1
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
