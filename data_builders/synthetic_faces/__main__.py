"""Draws faces with exact label maps, in the raw layout of a real data set.

    python -m data_builders.synthetic_faces --layout=lapa --output_dir=D --num_train=100 --num_val=20 --num_test=20
    python -m data_builders.synthetic_faces --layout=helen --output_dir=D --num_train=9 --num_val=1 --num_test=1

The folder becomes the manual_dir of `python -m data_builders.prepare` and of config.data.
"""

import argparse
import io
import sys
from collections.abc import Sequence

from PIL import Image

from fpliif_jax.commands import command_line
from fpliif_jax.data_builders.errors import DataError, counted
from fpliif_jax.data_builders.host import atomic_file
from fpliif_jax.data_builders.host.home_folder import expanded
from fpliif_jax.data_builders.synthetic_faces.contact_sheet import contact_sheet
from fpliif_jax.data_builders.synthetic_faces.dataset import write_dataset
from fpliif_jax.data_builders.synthetic_faces.drawing import STYLES, draw_face
from fpliif_jax.data_builders.synthetic_faces.job import face_seed
from fpliif_jax.data_builders.synthetic_faces.layouts import LAYOUTS, SPLITS
from fpliif_jax.data_builders.synthetic_faces.photographic.also import ADDITIONS
from fpliif_jax.data_builders.synthetic_faces.photographic.without import PARTS

_FACES_ON_SHEET = 24


def _parser() -> argparse.ArgumentParser:
    parser = command_line.CommandParser("data_builders.synthetic_faces", __doc__)
    parser.add_argument("--layout", required=True, choices=LAYOUTS)
    parser.add_argument("--output_dir", required=True, help="becomes the builders' manual_dir")
    parser.add_argument("--num_train", type=int, required=True)
    parser.add_argument("--num_val", type=int, required=True)
    parser.add_argument("--num_test", type=int, required=True)
    parser.add_argument("--image_size", type=int, default=256, help="pixels a side (default 256)")
    parser.add_argument(
        "--mask_size",
        type=int,
        help="pixels a side of CelebAMask-HQ's masks (default: image_size; officially half of it)",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--style", choices=STYLES, default="plain", help="what the faces look like (default plain)"
    )
    parser.add_argument(
        "--without",
        metavar="PART,PART",
        default="",
        help=f"parts that the photographic style leaves out, of {', '.join(PARTS)}",
    )
    parser.add_argument(
        "--also",
        metavar="PART,PART",
        default="",
        help=f"what the photographic style draws beyond its parts, of {', '.join(ADDITIONS)} (default none)",
    )
    parser.add_argument("--num_workers", type=int, help="processes (default: one a core)")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace what stands there, whoever wrote it"
    )
    parser.add_argument(
        "--contact_sheet",
        metavar="FILE.png",
        help="also save a sheet of the first faces beside their label maps",
    )
    return parser


def _save_contact_sheet(
    path: str,
    seed: int,
    counts: tuple[int, ...],
    image_size: int,
    style: str,
    without: Sequence[str],
    also: Sequence[str],
) -> None:
    first = [(split, i) for split, n in zip(SPLITS, counts, strict=True) for i in range(n)]
    seeds = [face_seed(seed, split, i) for split, i in first[:_FACES_ON_SHEET]]
    sheet = contact_sheet([draw_face(s, image_size, style, without, also) for s in seeds])
    target, content = expanded(path), io.BytesIO()
    file_format = Image.registered_extensions().get(target.suffix.lower(), "")
    try:
        sheet.save(
            content, file_format
        )  # in memory: not all formats can be written to a file that is not named
        with atomic_file.replacing(target) as file:
            file.write(content.getvalue())
    except (OSError, KeyError, ValueError) as error:
        reason = getattr(error, "strerror", None) or (
            str(error) if file_format else "its ending names no format"
        )
        raise DataError(
            f"{path}: the contact sheet could not be written ({reason}). Name a .png file in a "
            "folder that exists."
        ) from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    interrupted = "interrupted; nothing was written"
    return command_line.run(
        "data_builders.synthetic_faces", _work, options, interrupted=interrupted
    )


def _work(options: argparse.Namespace) -> int:
    counts = (options.num_train, options.num_val, options.num_test)
    without, also = (parts.split(",") if parts else () for parts in (options.without, options.also))
    root = write_dataset(
        options.layout,
        options.output_dir,
        *counts,
        image_size=options.image_size,
        seed=options.seed,
        num_workers=options.num_workers,
        mask_size=options.mask_size,
        overwrite=options.overwrite,
        style=options.style,
        without=without,
        also=also,
    )
    print(f"{counted(sum(counts), 'face')} in {root}")
    if options.contact_sheet:
        _save_contact_sheet(
            options.contact_sheet,
            options.seed,
            counts,
            options.image_size,
            options.style,
            without,
            also,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
