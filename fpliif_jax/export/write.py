"""A trained model as a folder of checked files, all of them or none."""

import dataclasses
import json
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from fpliif_jax import systems
from fpliif_jax.data_builders.errors import naming
from fpliif_jax.data_builders.host import atomic_folder
from fpliif_jax.data_builders.host.home_folder import expanded
from fpliif_jax.export import float16_storage, model_card, network_files
from fpliif_jax.export.network_files import ExportError
from fpliif_jax.interop.run_weights import metadata_of, write_model
from fpliif_jax.pictures.colours import class_colours
from fpliif_jax.run_folder.run_record import check_workdir
from fpliif_jax.systems.network_function import NetworkFunction
from fpliif_jax.systems.state_dict import InteropError
from fpliif_jax.weights.trained_model import ChosenModel

FORMAT_VERSION = 1  # of the metadata, which docs/export.md describes


def check_place(output: str | os.PathLike[str]) -> None:
    """Refuses a folder that is there already, or cannot be made, before anything long begins.

    Raises:
      ExportError: it exists.
      RunRecordError: it cannot be made.
    """
    if os.path.lexists(expanded(output)):
        raise ExportError(f"--output={output} exists already: name a new folder, or delete it")
    check_workdir(expanded(output), "--output")


def export(
    chosen: ChosenModel,
    file_format: str,
    output: str | os.PathLike[str],
    parts: bool,
    float16: bool,
) -> list[str]:
    """Writes a folder.

    Args:
      chosen: the model.
      file_format: 'onnx', 'stablehlo', 'safetensors' or 'hub'.
      output: the folder, which is not there yet; it appears when all files are written and checked.
      parts: 'onnx' as two files, encoder and decoder.
      float16: 'onnx' with weights that float16 holds.

    Returns:
      a line about each file: its size, and its largest difference from JAX.

    Raises:
      ExportError: it cannot be written so, or differs from JAX.
      UserError: as `run_weights.write_model`, or the network has no ONNX operators.
    """
    path = expanded(output)
    check_place(path)
    bicubic = chosen.trained.config.data.bicubic
    if file_format == "hub" and bicubic != "pillow":
        raise ExportError(
            "--format=hub: the card's example resizes with Pillow, and this model was trained with "
            f"config.data.bicubic={bicubic!r}; use --format=onnx"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    make = _write_half if float16 else _write
    with atomic_folder.replacing(path) as folder:
        try:
            with naming(path):
                lines = make(chosen, file_format, folder, parts)
        except InteropError as error:  # names a file in a folder that nobody knows
            raise ExportError(str(error).replace(str(folder), str(path))) from error
        check_place(path)  # which nobody else may have made meanwhile
    return [f"{path / line}" for line in lines]


def metadata(chosen: ChosenModel) -> dict[str, Any]:
    """What a file says of its model: as a safetensors file of ours, and what labelling a photo needs."""
    trained = chosen.trained
    colours = class_colours(trained.class_names)
    windows = systems.of(trained.config).inference.windows
    return metadata_of(trained, chosen.checkpoint) | {
        "format_version": FORMAT_VERSION,
        "title": systems.of(trained.config).title,
        "image_size": trained.config.data.image_size,
        "bicubic": trained.config.data.bicubic,
        "colours": [f"#{bytes(colour.tolist()).hex()}" for colour in colours],
        **({"windows": windows} if windows else {}),
    }


def _write(
    chosen: ChosenModel,
    file_format: str,
    folder: pathlib.Path,
    parts: bool,
    changes: float16_storage.Changes | None = None,
) -> list[str]:
    """Writes the files; `changes` are those of weights that are stored as float16."""
    float16 = changes is not None
    rounding = {"float16": changes._asdict()} if float16 else {}
    text = json.dumps(metadata(chosen) | rounding, ensure_ascii=False, sort_keys=True)
    lines = []
    has_weights = systems.of(chosen.trained.config).exchange.to_torch is not None
    if file_format == "safetensors" or (file_format == "hub" and has_weights):
        name = "model.safetensors"
        written = write_model(chosen.trained, chosen.checkpoint, chosen.origin, folder / name)
        lines.append(f"{name}: {written.values:,} values, sha256 {written.sha256}")
    if file_format in ("onnx", "hub"):
        for name, network in _networks(chosen, parts).items():
            content = network_files.onnx_bytes(network, text, float16)
            call = network_files.onnx_call
            lines.append(_checked(folder / f"{name}.onnx", content, network, call))
    if file_format == "stablehlo":
        network = _networks(chosen, False)["model"]
        content = network_files.stablehlo_bytes(network)
        call = network_files.stablehlo_call
        lines.append(_checked(folder / "model.stablehlo", content, network, call))
        (folder / "model.json").write_text(text + "\n", encoding="utf-8")
        lines.append("model.json: what the model is, its classes and their colours")
    if file_format == "hub":
        config = metadata(chosen)["config"]
        text = json.dumps(config, ensure_ascii=False, indent=2, sort_keys=True)
        (folder / "config.json").write_text(text + "\n", encoding="utf-8")
        (folder / "README.md").write_text(model_card.text(chosen), encoding="utf-8")
        lines += ["config.json: the settings", "README.md: the model card"]
    return lines


def _write_half(
    chosen: ChosenModel, file_format: str, folder: pathlib.Path, parts: bool
) -> list[str]:
    """Writes like `_write`, with the weights rounded to float16."""
    variables = float16_storage.rounded_to_float16(chosen.trained.variables)
    trained = dataclasses.replace(chosen.trained, variables=variables)
    rounded = chosen._replace(trained=trained)
    exact_network, network = (_networks(one, False)["model"] for one in (chosen, rounded))
    changes = float16_storage.changes(exact_network, network)
    lines = _write(rounded, file_format, folder, parts, changes)
    lines[-1] += f"; {changes}"
    return lines


def _networks(chosen: ChosenModel, parts: bool) -> Mapping[str, NetworkFunction]:
    system = systems.of(chosen.trained.config)
    networks = system.inference.make_network_functions(chosen.trained)
    names = ("encoder", "decoder") if parts else ("model",)
    if not set(names) <= networks.keys():
        raise ExportError(f"--parts: {system.title} is one network; leave it out")
    return {name: networks[name] for name in names}


def _checked(
    path: pathlib.Path,
    content: bytes,
    network: NetworkFunction,
    make_call: Callable[[bytes], network_files.Call],
) -> str:
    path.write_bytes(content)
    call = make_call(path.read_bytes())
    differences = network_files.differences(network, call, path.name)
    line = f"{path.name}: {len(content):,} bytes; largest difference from JAX {differences.largest:.1e}, "
    if differences.rounding:
        line += f"where rounding takes JAX itself {differences.rounding:.1e} from the values of float64, "
    if network.takes_nearest:
        line += f"but for {differences.others} positions where rounding decides which of two pixels is nearer, "
    if path.stem != "encoder":
        line += f"{differences.differing} of {differences.positions:,} labels differ, "
    return line + f"at {len(network.examples)} sizes"
