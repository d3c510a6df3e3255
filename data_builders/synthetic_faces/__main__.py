"""`python -m data_builders.synthetic_faces --layout=lapa --output_dir=D --num_train=100 …`"""

import argparse
import sys

from fpliif_jax.data_builders import standard_streams
from fpliif_jax.data_builders.errors import USER_ERRORS, DataError, error_line
from fpliif_jax.data_builders.synthetic_faces.contact_sheet import contact_sheet
from fpliif_jax.data_builders.synthetic_faces.dataset import write_dataset
from fpliif_jax.data_builders.synthetic_faces.drawing import draw_face
from fpliif_jax.data_builders.synthetic_faces.job import face_seed
from fpliif_jax.data_builders.synthetic_faces.layouts import LAYOUTS, SPLITS

_FACES_ON_SHEET = 24


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m data_builders.synthetic_faces",
        description="Draw faces with exact label maps, in the raw layout of a real data set.",
        allow_abbrev=False,
    )
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


def _save_contact_sheet(path: str, seed: int, counts: tuple[int, ...], image_size: int) -> None:
    first = [(split, i) for split, n in zip(SPLITS, counts, strict=True) for i in range(n)]
    seeds = [face_seed(seed, split, i) for split, i in first[:_FACES_ON_SHEET]]
    try:
        contact_sheet([draw_face(s, image_size) for s in seeds]).save(path)
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path}: the contact sheet could not be written ({error}). Name a .png file in a "
            "folder that exists."
        ) from error


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    args = _parser().parse_args(arguments)
    counts = (args.num_train, args.num_val, args.num_test)
    try:
        root = write_dataset(
            args.layout,
            args.output_dir,
            *counts,
            image_size=args.image_size,
            seed=args.seed,
            num_workers=args.num_workers,
            mask_size=args.mask_size,
            overwrite=args.overwrite,
        )
        print(f"{sum(counts)} faces in {root}")
        if args.contact_sheet:
            _save_contact_sheet(args.contact_sheet, args.seed, counts, args.image_size)
    except USER_ERRORS as error:
        print(error_line(error), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; nothing was written", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    standard_streams.outlive_readers()
    sys.exit(main())
