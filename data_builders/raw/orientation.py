"""The EXIF orientation of photographs: one rule for training, evaluation and prediction.

A photograph is what viewers show: its pixels turned or mirrored as its tag says. A tag that is
damaged or means nothing counts as none, and no other entry of the EXIF block is looked at, for
cameras and editors leave many that are broken.
"""

import io
import warnings

from PIL import ExifTags, Image

UPRIGHT = 1
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Pillow also finds the tag in XMP, where there is none in EXIF.
_TRACES = (b"Exif", b"tiff:Orientation")


def orientation(picture: Image.Image) -> int:
    """The orientation that a picture's file states, 2 … 8; 1 (`UPRIGHT`) for all others.

    A PNG file may state it after its pixels: load them first.
    """
    try:
        stated = picture.getexif().get(ExifTags.Base.Orientation, UPRIGHT)
        return int(stated) if stated in _TURNS else UPRIGHT
    except Exception:  # Pillow raises nearly anything for a damaged block
        return UPRIGHT


def upright(picture: Image.Image) -> Image.Image:
    """The picture turned as its file states, or the picture itself where there is nothing to turn.

    Unlike Pillow's `ImageOps.exif_transpose`, which writes the other tags anew, it cannot fail.
    """
    turn = _TURNS.get(orientation(picture))
    return picture if turn is None else picture.transpose(turn)


def orientation_of_file(content: bytes) -> int:
    """The orientation that a JPEG or PNG file states before its pixels; 1 if it is neither."""
    if not any(trace in content for trace in _TRACES):
        return UPRIGHT
    try:
        with Image.open(io.BytesIO(content), formats=("JPEG", "PNG")) as picture:
            return orientation(picture)
    except Exception:  # as above
        return UPRIGHT


# Of a damaged block, Pillow tells in a warning what it leaves out. Nothing is lost here by that.
warnings.filterwarnings("ignore", module=r"PIL\.TiffImagePlugin")
