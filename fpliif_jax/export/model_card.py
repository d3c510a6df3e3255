"""The README.md of a model's folder on a hub: what it is, what it scores, how it is used."""

import json
import pathlib
import re
from collections.abc import Iterable

import fpliif_jax
from fpliif_jax import systems
from fpliif_jax.data.set_names import is_scored_drawn, set_name, trained_on
from fpliif_jax.data_builders.errors import one_line
from fpliif_jax.evaluation import score_table
from fpliif_jax.export.network_files import ExportError
from fpliif_jax.fields.json_types import JsonObject
from fpliif_jax.run_folder.run_record import read_record
from fpliif_jax.weights import model_cards, shipped
from fpliif_jax.weights.trained_model import ChosenModel

_TASK = {"type": "image-segmentation"}
_CARD = """---
library_name: fpliif_jax
pipeline_tag: image-segmentation
tags: [face-parsing, jax, onnx]
{license}{index}---

# {title}: {classes} classes of a face

Written by fpliif_jax {version}, {checkpoint} checkpoint, step {step}: {source}.
It labels the pixels of a photo that one face fills: {names}.

{purpose}{usage}
{weights}`config.json` are the settings of the training{drawing}.

## Results

{results}
"""
_PURPOSE = """## What it is for

{purpose}

{not_for}

## How it is used

"""
_SHIPPED_RESULTS = """Mean F1 and F1 by class, pixels of all images together, in percent, with the 95 % percentile
bootstrap interval over images. One run: how much other seeds differ is not measured.

{photographs}

{table}

Worst labelled, of the groups of ten or more drawn faces: {worst}. More, with
where it fails: {card} in the repository of fpliif_jax."""
_WEIGHTS = """`model.safetensors` holds the weights under the names of the exchange format of fpliif_jax, which trains
on, evaluates and labels photos with them. """
_ON_AXES = """`model.onnx` takes the photo as uint8 [{side}, {side}, 3], resized with Pillow's bicubic filter whatever
its shape, and the coordinates of the rows and columns to answer at, in [-1, 1] between the borders of the photo: the
centres of h rows are `(arange(h) + 0.5) / h * 2 - 1`. It gives logits [h, w, {classes}], for any h and w.

```python
import json
import numpy as np
import onnxruntime
from PIL import Image, ImageOps

session = onnxruntime.InferenceSession("model.onnx")
photo = ImageOps.exif_transpose(Image.open("photo.jpg")).convert("RGB")
square = np.asarray(photo.resize(({side}, {side}), Image.Resampling.BICUBIC))
y, x = ((np.arange(n, dtype=np.float32) + 0.5) / n * 2 - 1 for n in (photo.height, photo.width))
(logits,) = session.run(None, {{"photo": square, "y": y.astype(np.float32), "x": x.astype(np.float32)}})
labels = logits.argmax(-1)
names = json.loads(session.get_modelmeta().custom_metadata_map["fpliif_jax"])["class_names"]
```
"""
_ON_CANVAS = """`model.onnx` takes the photo in the middle of a black canvas, uint8 [{side}, {side}, 3], reduced by
Pillow's bicubic filter where its longer side has more than {longest} pixels, and its height and width there. It gives
the values [{side}, {side}, {classes}] of the classes on the canvas, the largest of which is the label, and the
windows that it looked into.

```python
import json
import numpy as np
import onnxruntime
from PIL import Image, ImageOps

session = onnxruntime.InferenceSession("model.onnx")
photo = ImageOps.exif_transpose(Image.open("photo.jpg")).convert("RGB")
longer = max(photo.size)
if longer > {longest}:
    width, height = (max(1, (2 * n * {longest} + longer) // (2 * longer)) for n in photo.size)
    photo = photo.resize((width, height), Image.Resampling.BICUBIC)
top, left = ({side} - photo.height) // 2, ({side} - photo.width) // 2
canvas = np.zeros(({side}, {side}, 3), np.uint8)
canvas[top : top + photo.height, left : left + photo.width] = np.asarray(photo)
size = np.array([photo.height, photo.width], np.int32)
(probabilities,) = session.run(["probabilities"], {{"canvas": canvas, "image_size": size}})
labels = probabilities.argmax(-1)[top : top + photo.height, left : left + photo.width]
names = json.loads(session.get_modelmeta().custom_metadata_map["fpliif_jax"])["class_names"]
```
"""
_OF_OTHERS = "`model.onnx` takes {inputs}, and gives {outputs}.\n"
# By the inputs of the network.
_USAGE: dict[tuple[str, ...], str] = {
    ("photo", "y", "x"): _ON_AXES,
    ("canvas", "image_size"): _ON_CANVAS,
}


def text(chosen: ChosenModel) -> str:
    """The card: its scores are those of the exported checkpoint, and it names no place of this machine.

    Raises:
      ExportError: the run has a results.json or environment.json that cannot be read.
    """
    trained = chosen.trained
    results = _results(chosen)
    data, system = trained.config.data, systems.of(trained.config)
    network = system.inference.make_network_functions(trained)["model"]
    usage = _USAGE.get(tuple(network.inputs), _OF_OTHERS).format(
        side=data.image_size,
        longest=data.get("longest_side") or data.image_size,
        classes=len(trained.class_names),
        inputs=", ".join(
            f"`{name}`, {of_input.dtype} {list(of_input.shape)}"
            for name, of_input in network.inputs.items()
        ),
        outputs=", ".join(f"`{name}`" for name in network.outputs),
    )
    results_text, index = "No results are recorded.", ""
    own = _shipped_card(chosen)
    if own:
        results_text, index = _shipped_results(own), _model_index(map(_of_shipped, own.scores))
    elif results:
        # pyrefly: ignore[bad-argument-type] - `_results` has tried it
        results_text = f"```text\n{score_table.table(results)}\n```"
        index = _model_index([_of_run(results)])
    return _CARD.format(
        license="license: apache-2.0\n" if own else "",
        index=index,
        purpose=_PURPOSE.format(purpose=own.purpose, not_for=own.not_for) if own else "",
        drawing=_drawing(own) if own else "",
        title=system.title,
        classes=len(trained.class_names),
        names=", ".join(map(one_line, trained.class_names)),
        version=fpliif_jax.__version__,
        checkpoint=chosen.checkpoint,
        step=trained.step,
        source=source(chosen),
        usage=usage,
        weights=_WEIGHTS if system.exchange.to_torch else "",
        results=results_text,
    )


def _shipped_card(chosen: ChosenModel) -> model_cards.ModelCard | None:
    name = chosen.origin.removeprefix("--weights=")
    is_shipped = name != chosen.origin and name in shipped.NAMES
    return model_cards.read(name) if is_shipped else None


def _drawing(own: model_cards.ModelCard) -> str:
    return (
        f". The training data: {own.drawing}. `data.synthetic` there has no version, and where faces were drawn before "
        "the run no number of them"
    )


def _shipped_results(own: model_cards.ModelCard) -> str:
    rows = [["class", *(scored.title for scored in own.scores)], ["---"] * (len(own.scores) + 1)]
    rows += [[name, *(str(scored.f1[name]) for scored in own.scores)] for name in own.scores[0].f1]
    return _SHIPPED_RESULTS.format(
        table="\n".join(f"| {' | '.join(row)} |" for row in rows),
        photographs=own.photographs,
        worst=own.worst_group.sentence,
        card=own.card,
    )


def source(chosen: ChosenModel) -> str:
    """Where the model is from, without places: the note on its weights, or what a run was trained on.

    Raises:
      ExportError: the run has an environment.json that cannot be read.
    """
    if chosen.trained.note:
        return _without_path(chosen.trained.note)
    environment = _record(pathlib.Path(chosen.origin) / "environment.json") or {}
    return f"trained on {trained_on(chosen.trained.config, environment)}"


def _without_path(note: str) -> str:
    """A note of `interop.read_weights` without the place of the file."""
    return re.sub(r"^weights of .* \(sha256", "weights of a file (sha256", one_line(note))


def _record(path: pathlib.Path) -> JsonObject | None:
    """A JSON object that a run leaves, None where there is none.

    Raises:
      ExportError: it cannot be read.
    """
    try:
        return read_record(path)
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from error


def _damaged(path: pathlib.Path, error: Exception) -> ExportError:
    return ExportError(
        f"{path} is damaged or of another program ({type(error).__name__}); move it, or evaluate the run again"
    )


def _results(chosen: ChosenModel) -> JsonObject | None:
    """results.json of the run, of the checkpoint and with a mean F1 alone; None where there is none."""
    path = pathlib.Path(chosen.origin) / "results.json"
    results = _record(path)
    if results is None:
        return None
    try:
        dataset = results["dataset"]
        is_drawn = is_scored_drawn(results.get("config", {}), dataset.get("drawn"))
        scored = {
            "model": chosen.trained.config.model.name,
            "dataset": {"name": one_line(dataset["name"]), "drawn": is_drawn},
            "evaluations": [
                entry
                for entry in results["evaluations"]
                if entry["checkpoint"] == chosen.checkpoint and entry["mean_f1"] is not None
            ],
            "notes": [_without_path(note) for note in results["notes"]],
        }
        # pyrefly: ignore[bad-argument-type] - what else it is, is told below
        score_table.table(scored)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(path, error) from error
    return scored if scored["evaluations"] else None


def _of_run(results: JsonObject) -> JsonObject:
    """Scores of a run on one set, as hubs read them."""
    metrics = [
        _metric(f"mean F1, {entry['split']}, {entry['row']}", entry["mean_f1"])
        for entry in results["evaluations"]
    ]
    name, is_drawn = results["dataset"]["name"], results["dataset"]["drawn"]
    dataset = {"name": set_name(name, is_drawn), "type": "drawn_faces" if is_drawn else name}
    return {"task": _TASK, "dataset": dataset, "metrics": metrics}


def _of_shipped(scored: model_cards.Scored) -> JsonObject:
    """Scores of weights of the package on one set, as hubs read them."""
    is_drawn = scored.of == "drawn"
    dataset = {
        "name": scored.title if is_drawn else f"{scored.title}, of CelebAMask-HQ",
        "type": "drawn_faces" if is_drawn else "celebamask_hq",
    }
    split = "test" if is_drawn else "validation"
    metric = _metric(f"mean F1, {split}, {scored.side}", round(scored.f1["mean"].f1 / 100, 4))
    return {"task": _TASK, "dataset": dataset, "metrics": [metric]}


def _metric(name: str, f1: float) -> JsonObject:
    return {"type": "f1", "name": name, "value": f1}


def _model_index(results: Iterable[JsonObject]) -> str:
    """The scores as hubs read them: YAML, of which JSON is a part."""
    index = [{"name": "fpliif_jax", "results": list(results)}]
    return f"model-index: {json.dumps(index, ensure_ascii=False)}\n"
