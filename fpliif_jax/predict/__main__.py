"""Labels photos and videos with a trained model.

    python -m fpliif_jax.predict --output_dir=predicted photo.jpg
    python -m fpliif_jax.predict --workdir=runs/lapa/seed0 --output_dir=predicted --output_size=512 FOLDER FOLDER

Without --workdir it is a small FP-LIIF that comes with the package, trained on drawn faces alone (--weights=drawn).

For every photo the output folder gets `<stem>_labels.png`, a palette picture whose pixel values are the class ids,
and `<stem>_overlay.jpg`, the photo with the classes' colours laid over it. Folders are searched at
any depth and keep their structure there. Where two photos would get the same name (x.jpg and
x.png, or a/x.jpg and b/x.jpg) the later one gets `x_2`, and a line says so. A photo or folder that
cannot be read is reported and passed over, and the exit code is 1 at the end. Results carry a mark: those of an
earlier run are replaced and never taken for photos; other files in their place are an error.

Of a video (.mp4, .m4v, .mov, .mkv, .webm; the extra 'video') it gets `<stem>_overlay.mp4`, likewise, at the
same times and with the same sound, and with --frame_labels a folder `<stem>_labels` of label maps,
000000.png the first. Videos are labelled where they are named, not where they lie in a folder.

FP-LIIF sees the whole photo, resized to the square it was trained with, and answers at the output
size, whatever that is. STN-iCNN sees it on its canvas, reduced where it is larger, and its label map is
resized to the output size. Photos should be framed like those it was trained on: one face that
fills most of them; --find=auto is for others, with FP-LIIF.
"""

import argparse
import sys
from collections.abc import Sequence

from fpliif_jax.commands import command_line, large_pages
from fpliif_jax.weights import trained_model


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    flags = _parser().parse_args(arguments)
    return command_line.run("fpliif_jax.predict", _work, flags)


def _work(flags: argparse.Namespace) -> int:
    large_pages.restart_with("fpliif_jax.predict")
    from fpliif_jax.predict import label_photos

    return label_photos.run(flags)


def _parser() -> argparse.ArgumentParser:
    parser = command_line.CommandParser("fpliif_jax.predict", __doc__)
    parser.add_argument(
        "photos", nargs="+", help="photos, videos, and folders of photos at any depth"
    )
    trained_model.add_arguments(parser)
    parser.add_argument("--output_dir", required=True, help="folder for the results")
    parser.add_argument(
        "--output_size",
        default="native",
        help="512, HEIGHTxWIDTH, or native: the size of each photo or video (default)",
    )
    parser.add_argument(
        "--find",
        choices=("none", "auto"),  # `find_faces.CHOICES`; --help need not wait for NumPy
        default="none",
        help="auto: find the faces first and parse each in a window of its own; none (default): parse the whole photo",
    )
    parser.add_argument(
        "--batch_size",
        type=int,
        help="most photos at once, where --output_size is not native, or most frames (default: 8; on a CPU 1)",
    )
    parser.add_argument(
        "--frame_labels",
        action="store_true",
        help="of videos, write also a folder with a label map of each frame",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
