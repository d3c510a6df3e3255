"""Tests of fpliif_jax.systems: what every system has, and a third one that is added to the two in one place."""

import dataclasses
import json
import pathlib
import types

import flax.linen as nn
import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import pytest

from fpliif_jax import FaceParser, systems
from fpliif_jax.commands import config_files
from fpliif_jax.commands.interruption import Interruption
from fpliif_jax.configs import shared
from fpliif_jax.data.dataset import load_dataset
from fpliif_jax.data_builders.errors import SettingsError
from fpliif_jax.demo import networks
from fpliif_jax.evaluation.evaluate import evaluate
from fpliif_jax.experiments.benchmark.parts import one_face
from fpliif_jax.experiments.comparison import deviations, readings
from fpliif_jax.experiments.cost import model_cost
from fpliif_jax.export import model_card, write
from fpliif_jax.export.network_files import ExportError
from fpliif_jax.fields.setting_ranges import AUTO
from fpliif_jax.predict.find_faces import FindError
from fpliif_jax.run_folder import checkpoint
from fpliif_jax.run_folder.inference_checkpoint import InferenceCheckpoint, load_for_inference
from fpliif_jax.run_folder.run_config import flatten_config, json_config
from fpliif_jax.systems import labeller
from fpliif_jax.systems.network_function import NetworkFunction
from fpliif_jax.systems.protocol import IGNORE_LABEL, Measure, Prediction, Protocol
from fpliif_jax.systems.reading import Reading
from fpliif_jax.systems.stage import Stage, ValidationScore
from fpliif_jax.systems.system import (
    Inference,
    Network,
    Paper,
    Scoring,
    System,
    Training,
    WeightExchange,
)
from fpliif_jax.training import fitting, loop, preflight
from fpliif_jax.weights.trained_model import ChosenModel


@pytest.mark.parametrize("name", systems.names())
def test_a_system_is_that_of_its_own_config(name: str) -> None:
    system = systems.of_name(name)
    config = system.default_config()
    assert config.model.name == name and systems.of(config) is system
    assert {field: config.data[field] for field in system.data} == dict(system.data)
    for protocol in systems.parse_protocols(config):
        assert system.scoring.parse_protocol(protocol.text, config) == protocol
    if system.paper.main_protocol is not None:
        assert (
            system.scoring.parse_protocol(system.paper.main_protocol, config).key
            == system.paper.main_protocol
        )
    assert system.exchange.config_name in config_files.config_names()


@pytest.mark.parametrize("name", ["resnet", "", None, ("fp_liif",)])
def test_an_unknown_system_is_refused_with_those_there_are(name: object) -> None:
    config = ml_collections.ConfigDict({"model": {"name": name}})
    with pytest.raises(ValueError, match="model.name is .* one of 'fp_liif', 'stn_icnn'"):
        systems.of(config)


_DOUBT = Measure("doubt", ("upper_half", "lower_half"))


class _PixelByPixel(nn.Module):
    """A dense layer on every pixel: the smallest face parser there is."""

    num_classes: int

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        return nn.Dense(self.num_classes)(images.astype(jnp.float32) / 255)


def _stages(
    config: ml_collections.ConfigDict, model: nn.Module, class_names: tuple[str, ...]
) -> list[Stage]:
    def sums(variables: dict, inputs: dict) -> tuple[dict, dict]:
        log_p = jax.nn.log_softmax(model.apply(variables, inputs["images"]))
        labels = jax.nn.one_hot(inputs["labels"], model.num_classes)
        return {"loss": -jnp.sum((log_p * labels).mean((1, 2, 3)) * inputs["weights"])}, {}

    return [
        Stage(
            name="only",
            settings=config.train,
            learning_rates=config.train.learning_rate,
            label_size=config.data.image_size,
            prepare=lambda batch: {key: batch[key] for key in ("images", "labels", "weights")},
            normalisers=lambda inputs: {"examples": jnp.sum(inputs["weights"])},
            sums=sums,
            total=lambda found, counts: (found["loss"] / counts["examples"], {}),
            validation_protocol="whole",
        )
    ]


def _predictor(model: nn.Module, config: ml_collections.ConfigDict, protocols: tuple) -> object:
    def predict(variables: dict, batch: dict) -> dict[str, Prediction]:
        logits = model.apply(variables, batch["images"])
        labels = jnp.argmax(logits, -1).astype(jnp.int32)
        doubt = 1 - jax.nn.softmax(logits).max(-1)
        doubts = doubt.reshape(len(doubt), 2, -1).mean(-1)
        truth = batch[f"labels_{config.data.image_size}"].astype(jnp.int32)
        return {
            protocol.key: Prediction(
                truth if protocol.name == "whole" else jnp.where(truth > 0, truth, IGNORE_LABEL),
                labels,
                {_DOUBT: doubts} if protocol.name == "whole" else {},
            )
            for protocol in protocols
        }

    return predict


def _protocol(text: str, config: ml_collections.ConfigDict) -> Protocol:
    if text not in ("whole", "foreground"):
        raise SettingsError(f"{text!r}: a protocol is whole or foreground")
    return Protocol(config.data.image_size, config.data.image_size, text)


class _Labeller:
    """Every pixel of a photo by itself, so that its own size is the network's."""

    def __init__(self, trained: InferenceCheckpoint) -> None:
        self.class_names = trained.class_names
        self._logits = lambda images: _PixelByPixel(len(self.class_names)).apply(
            trained.variables, images
        )

    def network_input(self, photo: np.ndarray) -> labeller.Inputs:
        return {"images": photo}

    def plan(self, size: tuple[int, int] | None, batch_size: int) -> tuple[labeller.Label, int]:
        return self.label, 1

    def label(self, inputs: labeller.Inputs, size: tuple[int, int]) -> np.ndarray:
        return np.argmax(self.probabilities(inputs, size), 1).astype(np.uint8)

    def probabilities(self, inputs: labeller.Inputs, size: tuple[int, int]) -> np.ndarray:
        logits = self._logits(jnp.asarray(inputs["images"]))
        resized = jax.image.resize(logits, (len(logits), *size, logits.shape[-1]), "nearest")
        return np.moveaxis(np.asarray(jax.nn.softmax(resized)), -1, 1)

    def lower(
        self, inputs: labeller.Inputs, size: tuple[int, int]
    ) -> dict[str, jax.stages.Lowered]:
        return {"logits": jax.jit(self._logits).lower(inputs["images"])}


def _network_functions(trained: InferenceCheckpoint) -> dict[str, NetworkFunction]:
    model, side = _PixelByPixel(len(trained.class_names)), trained.config.data.image_size
    return {
        "model": NetworkFunction(
            call=lambda pixels: [model.apply(trained.variables, pixels)],
            inputs={"pixels": jax.ShapeDtypeStruct((side, side, 3), jnp.uint8)},
            outputs=("logits",),
            examples=[(np.arange(side**2 * 3, dtype=np.uint8).reshape(side, side, 3),)],
        )
    }


# Looked up as the two are: a module with a SYSTEM.
SYSTEM = System(
    title="Pixel by pixel",
    default_config=lambda: _third_config(),
    data={"framing": "square"},
    has_torch_twin=False,
    network=Network(
        create=lambda config, axis_name: _PixelByPixel(config.num_classes),
        input_shapes=lambda config, size: (jax.ShapeDtypeStruct((1, size, size, 3), jnp.uint8),),
        multiply_accumulates=lambda config, image_size, output_size: iter(
            [("dense", 3 * config.num_classes * image_size**2)]
        ),
    ),
    training=Training(
        make_stages=_stages,
        validation_scores={
            "only": ValidationScore("doubt", "doubt, a share", smallest_is_best=True)
        },
    ),
    scoring=Scoring(parse_protocol=_protocol, make_predictor=_predictor),
    inference=Inference(
        decodes_any_size=False,
        make_labeller=_Labeller,
        make_network_functions=_network_functions,
    ),
    exchange=WeightExchange(from_torch=lambda state: {}, to_torch=None, config_name=""),
    paper=Paper(main_score=lambda dataset: ("mean_f1", "mean"), main_protocol="whole"),
)


def _third_config(
    manual_dir: pathlib.Path | str = "", data_dir: pathlib.Path | str = ""
) -> ml_collections.ConfigDict:
    """As the page has it: from `shared`, with the fields that each system has of its own and no others."""
    config = shared.get_config()
    config.model = ml_collections.ConfigDict({"name": "pixel_by_pixel", "num_classes": 11})
    config.model.dtype = config.get_ref("dtype")
    config.train.stages = ("only",)
    config.train.learning_rate = 0.1
    config.eval.rows = ("whole", "foreground")
    config.data.manual_dir, config.data.data_dir = str(manual_dir), str(data_dir)
    config.data.image_size, config.data.num_workers = 32, 2
    config.train.batch_size, config.eval.batch_size = 4, 4
    config.train.epochs, config.train.log_every_steps = 4, 3
    config.eval.num_pictures = 2
    return config.lock()


def test_a_third_system_costs_what_it_says_at_the_only_size_that_it_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(systems._SYSTEMS, "pixel_by_pixel", __name__)
    config = _third_config()
    costs = model_cost.cost(config)
    assert costs.parameters == 4 * 11
    assert [(row.output_size, row.gmacs) for row in costs.rows] == [(32, 33 * 32**2 / 1e9)]


def test_what_is_not_made_for_a_third_system_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(systems._SYSTEMS, "pixel_by_pixel", __name__)
    of_third = types.SimpleNamespace(config=_third_config())
    with pytest.raises(ExportError, match="Pixel by pixel does neither: python -m fpliif_jax.exp"):
        networks.abilities(types.SimpleNamespace(trained=of_third))
    with pytest.raises(SettingsError, match="STN-iCNN's; Pixel by pixel has others"):
        one_face.one_face(of_third)


def test_a_field_of_a_third_system_is_its_own_whatever_another_has_of_that_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(systems._SYSTEMS, "pixel_by_pixel", __name__)
    config = _third_config()
    with config.unlocked():
        config.model.query_chunk = config.train.microbatch = AUTO
    chosen = fitting.choose(config, 64, "gpu", 2**30, lambda numbers, estimate: 0)
    assert chosen == ({"train.microbatch": 0}, None)


def test_a_page_of_a_third_system_takes_its_logits_as_its_loss_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(systems._SYSTEMS, "pixel_by_pixel", __name__)
    of_third = types.SimpleNamespace(trained=types.SimpleNamespace(config=_third_config()))
    for own, scale in (({}, 1.0), ({"logit_scale": lambda config: 3.0}, 3.0)):
        any_size = dataclasses.replace(SYSTEM.inference, decodes_any_size=True, **own)
        with monkeypatch.context() as patch:
            patch.setitem(globals(), "SYSTEM", dataclasses.replace(SYSTEM, inference=any_size))
            assert networks.abilities(of_third)["logit_scale"] == scale


def test_what_nobody_has_listed_its_paper_does_not_leave_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(systems._SYSTEMS, "pixel_by_pixel", __name__)
    paper = {"model.name": "pixel_by_pixel", "data.name": "lapa"}
    assert readings.is_open(paper, "dtype", "bfloat16")
    assert not readings.is_open(paper, "train.epochs", 3)
    own = dataclasses.replace(SYSTEM.paper, readings=lambda paper: (Reading("train.epochs", (3,)),))
    monkeypatch.setitem(globals(), "SYSTEM", dataclasses.replace(SYSTEM, paper=own))
    assert readings.is_open(paper, "train.epochs", 3)
    assert not readings.is_open(paper, "dtype", "bfloat16")


def test_fields_of_a_third_system_count_as_it_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = json_config(_third_config())
    assert deviations.variant_of(config) is None  # a name of no system
    monkeypatch.setitem(systems._SYSTEMS, "pixel_by_pixel", __name__)
    own = dataclasses.replace(
        SYSTEM.paper, effective=lambda fields: fields | {"model.num_classes": 1}
    )
    monkeypatch.setitem(globals(), "SYSTEM", dataclasses.replace(SYSTEM, paper=own))
    assert deviations.variant_of(config) is None
    assert readings.effective(flatten_config(config))["model.num_classes"] == 1


def test_a_third_system_is_checked_trained_evaluated_used_and_exported_with_one_line_added(
    tmp_path: pathlib.Path,
    lapa_download: pathlib.Path,
    data_dir: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(systems._SYSTEMS, "pixel_by_pixel", __name__)
    config = _third_config(lapa_download, data_dir)
    with config.unlocked():
        config.train.microbatch = 2  # it has no batch norm, and no field that says so
    preflight.check_settings(config)
    with pytest.raises(ValueError, match="config.eval.rows has '32': a protocol is whole"):
        systems.parse_protocols(config, ("32",))
    dataset = load_dataset(config.data)
    assert loop.train(config, tmp_path, dataset, Interruption())
    results = evaluate(config, tmp_path, dataset)
    assert {found["row"] for found in results["evaluations"]} == {"whole", "foreground"}
    assert {"doubt" in found for found in results["evaluations"] if found["row"] == "whole"} == {
        True
    }
    assert results["model"] == "pixel_by_pixel"
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    validated = {line["step"]: line["doubt"] for line in lines if line["split"] == "validation"}
    assert {tuple(doubt) for doubt in validated.values()} == {("mean", *_DOUBT.parts)}
    least = min(validated, key=lambda step: validated[step]["mean"])
    assert checkpoint.saved_step(tmp_path, "best") == least
    losses = [line["loss"] for line in lines if "loss" in line]
    assert losses[-1] < losses[0]

    photo = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    parser = FaceParser.from_run(tmp_path)
    with pytest.raises(FindError, match="parses no windows of a photo: use find='none'"):
        parser(photo, find="auto")
    parsed = parser(photo)
    assert parsed.labels.shape == (40, 50)
    np.testing.assert_array_equal(parsed.probabilities.argmax(0), parsed.labels)

    chosen = ChosenModel(load_for_inference(tmp_path), "best", str(tmp_path), "a run")
    (line,) = write.export(chosen, "onnx", tmp_path / "onnx", parts=False, float16=False)
    assert "0 of 1,024 labels differ" in line
    takes = "`model.onnx` takes `pixels`, uint8 [32, 32, 3], and gives `logits`."
    assert takes in model_card.text(chosen).splitlines()
