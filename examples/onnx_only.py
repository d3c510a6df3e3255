"""Labels a photo with an exported model; needs onnxruntime, NumPy and Pillow alone.

    python examples/onnx_only.py model.onnx photo.jpg labels.png
    python examples/onnx_only.py FOLDER photo.jpg labels.png --output_size=512x384

The model is a file of `python -m fpliif_jax.export --format=onnx`, or a folder of it, also with encoder and decoder as
two files (--parts). The label map is a palette PNG of class ids, of the photo's size or HEIGHTxWIDTH.
"""

import argparse
import json
import pathlib
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

QUERIES = 2**15  # pixels answered at once, in whole rows: bounds the memory
MAX_PIXELS = 179_000_000  # of a label map: as many as Pillow takes of a photo


def load(model: pathlib.Path) -> tuple[list[onnxruntime.InferenceSession], dict]:
    """The networks, one after the other, and what the file says of them."""
    files = [model]
    if model.is_dir():
        files = [model / name for name in ("model.onnx", "encoder.onnx", "decoder.onnx")]
        files = [file for file in files if file.exists()]
        if not files:
            sys.exit(f"error: {model}: has no .onnx file that python -m fpliif_jax.export writes")
    try:
        sessions = [
            onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]) for file in files
        ]
        metadata = json.loads(sessions[-1].get_modelmeta().custom_metadata_map["fpliif_jax"])
        if metadata["format_version"] != 1 or metadata["bicubic"] != "pillow":
            raise ValueError("another version, or another way of resizing")
        return sessions, metadata
    except Exception as error:  # onnxruntime raises many kinds
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        sys.exit(f"error: {model}: not a model that this program can use: {reason}")


def output_size(text: str) -> list[int]:
    """Height and width."""
    try:
        size = [int(number) for number in text.split("x")]
    except ValueError:
        size = []
    if len(size) != 2 or min(size) < 1:
        sys.exit(f"error: --output_size={text}: give HEIGHTxWIDTH")
    if size[0] * size[1] > MAX_PIXELS:
        sys.exit(f"error: --output_size={text}: more than {MAX_PIXELS} pixels")
    return size


def centres(count: int) -> np.ndarray:
    """Coordinates of the centres of rows or columns, float32 [count] in (-1, 1)."""
    return ((np.arange(count) + 0.5) / count * 2 - 1).astype(np.float32)


def label(
    sessions: list[onnxruntime.InferenceSession], photo: Image.Image, side: int, size: list[int]
) -> np.ndarray:
    """Class ids, uint8 [height, width], of a photo that is shown to the network as a square of that side."""
    height, width = size
    square = photo.resize((side, side), Image.Resampling.BICUBIC)
    inputs = {"photo": np.asarray(square)}
    for session in sessions[:-1]:
        names = [output.name for output in session.get_outputs()]
        inputs = dict(zip(names, session.run(names, inputs), strict=True))
    labels = np.empty((height, width), np.uint8)
    rows = max(1, QUERIES // width)
    for top in range(0, height, rows):
        y = centres(height)[top : top + rows]
        (logits,) = sessions[-1].run(["logits"], {**inputs, "y": y, "x": centres(width)})
        labels[top : top + rows] = logits.argmax(axis=-1)
    return labels


def label_on_canvas(
    session: onnxruntime.InferenceSession, photo: Image.Image, data: dict, size: list[int]
) -> np.ndarray:
    """Class ids, uint8 [height, width], of a photo that is shown to STN-iCNN in the middle of a black canvas.

    It is reduced where it is larger than `data`, the settings of the training, say; labels of another size than it has
    there are resized class by class.
    """
    side = data["image_size"]
    longest, longer = data.get("longest_side") or side, max(photo.size)
    if longer > longest:
        width, height = (max(1, (2 * n * longest + longer) // (2 * longer)) for n in photo.size)
        photo = photo.resize((width, height), Image.Resampling.BICUBIC)
    shown = [photo.height, photo.width]
    rows, columns = (slice((side - n) // 2, (side - n) // 2 + n) for n in shown)
    canvas = np.zeros((side, side, 3), np.uint8)
    canvas[rows, columns] = np.asarray(photo)
    inputs = {"canvas": canvas, "image_size": np.array(shown, np.int32)}
    (values,) = session.run(["probabilities"], inputs)
    labels = values[rows, columns].argmax(axis=-1).astype(np.uint8)
    if shown == size:
        return labels
    shares = []
    for one in range(values.shape[-1]):
        is_there = Image.fromarray((labels == one).astype(np.float32))
        shares.append(np.asarray(is_there.resize(size[::-1], Image.Resampling.BICUBIC)))
    return np.argmax(shares, axis=0).astype(np.uint8)


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("photo", type=pathlib.Path)
    parser.add_argument("labels", type=pathlib.Path)
    parser.add_argument("--output_size", metavar="HEIGHTxWIDTH")
    flags = parser.parse_args()
    size = output_size(flags.output_size) if flags.output_size else None
    if flags.labels.suffix.lower() != ".png":
        sys.exit(f"error: {flags.labels}: must end with .png: other formats do not keep class ids")
    sessions, metadata = load(flags.model)
    try:
        photo = ImageOps.exif_transpose(Image.open(flags.photo)).convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        sys.exit(f"error: {flags.photo}: cannot be read: {error}")
    size = size or [photo.height, photo.width]
    if sessions[0].get_inputs()[0].name == "canvas":
        labels = label_on_canvas(sessions[0], photo, metadata["config"]["data"], size)
    else:
        labels = label(sessions, photo, metadata["image_size"], size)
    picture = Image.fromarray(labels)
    picture.putpalette(b"".join(bytes.fromhex(colour[1:]) for colour in metadata["colours"]))
    try:
        picture.save(flags.labels)
    except OSError as error:
        sys.exit(f"error: {flags.labels}: cannot be written: {error.strerror or error}")
    shares = np.bincount(labels.ravel(), minlength=len(metadata["class_names"])) / labels.size
    named = zip(metadata["class_names"], shares, strict=True)
    print(", ".join(f"{name} {share:.1%}" for name, share in named if share))


if __name__ == "__main__":
    main()
