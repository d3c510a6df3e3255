"""The README.md of a model's folder on a hub: what it is, what it scores, how it is used."""

import json
import os
import pathlib
from typing import Any

import fpliif_jax
from fpliif_jax import systems
from fpliif_jax.data_builders.errors import one_line
from fpliif_jax.data_builders.host.regular_files import MEBIBYTE, read_regular
from fpliif_jax.evaluation import results as results_file
from fpliif_jax.export.network_files import ExportError
from fpliif_jax.weights.trained_model import ChosenModel

_CARD = """---
library_name: fpliif_jax
pipeline_tag: image-segmentation
tags: [face-parsing, jax, onnx]
{index}---

# {title}: {classes} classes of a face

A model of [fpliif_jax](https://pypi.org/project/fpliif_jax) {version}, {checkpoint} checkpoint, step {step}, trained on
{data}. It labels the pixels of a photo that one face fills: {names}.

`model.onnx` takes the photo as uint8 [{side}, {side}, 3], resized with Pillow's bicubic filter whatever its shape, and
the coordinates of the rows and columns to answer at, in [-1, 1] between the borders of the photo: the centres of h
rows are `(arange(h) + 0.5) / h * 2 - 1`. It gives logits [h, w, {classes}], for any h and w.

```python
import json
import numpy as np
import onnxruntime
from PIL import Image

session = onnxruntime.InferenceSession("model.onnx")
photo = Image.open("photo.jpg").convert("RGB")
square = np.asarray(photo.resize(({side}, {side}), Image.Resampling.BICUBIC))
y, x = ((np.arange(n, dtype=np.float32) + 0.5) / n * 2 - 1 for n in (photo.height, photo.width))
(logits,) = session.run(None, {{"photo": square, "y": y.astype(np.float32), "x": x.astype(np.float32)}})
labels = logits.argmax(-1)
names = json.loads(session.get_modelmeta().custom_metadata_map["fpliif_jax"])["class_names"]
```

`model.safetensors` holds the weights under the names of the exchange format of fpliif_jax, which trains on, evaluates
and labels photos with them. `config.json` are the settings of the training.

## Results

{results}
"""


def text(chosen: ChosenModel) -> str:
    """The card.

    Raises:
      ExportError: the run has a results.json that cannot be read.
    """
    trained = chosen.trained
    results = _results(chosen.origin)
    data = trained.config.data
    return _CARD.format(
        index=_model_index(results, trained.config) if results else "",
        title=systems.of(trained.config).title,
        classes=len(trained.class_names),
        names=", ".join(map(one_line, trained.class_names)),
        version=fpliif_jax.__version__,
        checkpoint=chosen.checkpoint,
        step=trained.step,
        data=f"{data.name} at {data.image_size}² pixels",
        side=data.image_size,
        results=f"```text\n{results_file.table(results)}\n```"
        if results
        else "No results are recorded.",
    )


def _results(origin: str) -> dict[str, Any] | None:
    """results.json of the run, None where there is none."""
    path = pathlib.Path(origin) / "results.json"
    if not os.path.lexists(path):
        return None
    try:
        results = json.loads(read_regular(path, 16 * MEBIBYTE))
        results_file.table(results)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ExportError(
            f"{path} is damaged or of another program ({type(error).__name__}); move it, or evaluate the run again"
        ) from error
    return results


def _model_index(results: dict[str, Any], config: Any) -> str:
    """The scores as hubs read them: YAML, of which JSON is a part."""
    metrics = [
        {
            "type": "f1",
            "name": f"mean F1, {entry['split']}, {entry['row']}",
            "value": entry["mean_f1"],
        }
        for entry in results["evaluations"]
        if entry["mean_f1"] is not None
    ]
    task = {"type": "image-segmentation"}
    dataset = {"name": config.data.name, "type": config.data.name}
    one = {"task": task, "dataset": dataset, "metrics": metrics}
    index = [{"name": "fpliif_jax", "results": [one]}]
    return f"model-index: {json.dumps(index)}\n"
