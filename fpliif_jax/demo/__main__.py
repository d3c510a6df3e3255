"""Writes a page that labels photos in the browser, with a trained model.

    python -m fpliif_jax.demo --weights=drawn --serve
    python -m fpliif_jax.demo --workdir=runs/synthetic/seed0 --output=demo

The network runs in the page, by onnxruntime-web: a photo never leaves it, and once loaded it works without a network.
The camera's picture is labelled live. Of FP-LIIF, a slider goes from labels of 32² to those of 1024², by the same
weights; of STN-iCNN, the six windows that it looks into are drawn over the photo.

--output writes a folder for any static web server; a page of an earlier time is replaced, nothing else is. --serve
shows it on this machine until Ctrl-C, with the headers that let it use several threads. onnxruntime-web is fetched by
npm, once, in the one version whose digest is known here; --runtime takes its archive from a file instead.
"""

import argparse
import shlex
import sys
from collections.abc import Sequence

from fpliif_jax.commands import command_line
from fpliif_jax.data_builders.host.home_folder import expanded
from fpliif_jax.weights import shipped, trained_model

DEFAULT_PORT = 8000


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command."""
    flags = _parser().parse_args(arguments)
    if flags.output is None and flags.serve is None:
        sys.exit("error: give --output=FOLDER to write the page, --serve to look at it, or both")
    if flags.serve is not None and not 0 <= flags.serve <= 65535:
        sys.exit(f"error: --serve={flags.serve}: a port is 0 (any free one) to 65535")
    command_line.run("fpliif_jax.demo", _work, flags, interrupted="stopped")


def _work(flags: argparse.Namespace) -> None:
    import tempfile

    import jax

    from fpliif_jax.demo import build_page, page_folder, serve

    # The page is compared with programs of a CPU, whatever else is here.
    jax.config.update("jax_platforms", "cpu")
    with tempfile.TemporaryDirectory(prefix="fpliif-demo-") as temporary:
        output = expanded(flags.output or f"{temporary}/page")
        page_folder.check_place(output)
        # First of all what can fail at once: a port in use, no such model, no npm.
        server = None if flags.serve is None else serve.listen(flags.serve)
        chosen = trained_model.load(flags, shipped.DEFAULT)
        for line in build_page.build(chosen, output, flags.runtime):
            print(line)
        if server is None:
            folder = shlex.quote(str(output))
            print(f"look at it: python -m http.server --bind 127.0.0.1 --directory {folder}")
        else:
            with server:
                serve.serve(server, output)


def _parser() -> argparse.ArgumentParser:
    parser = command_line.CommandParser("fpliif_jax.demo", __doc__)
    trained_model.add_arguments(parser)
    parser.add_argument("--output", metavar="FOLDER", help="folder to write the page to")
    parser.add_argument(
        "--serve",
        nargs="?",
        type=int,
        const=DEFAULT_PORT,
        metavar="PORT",
        help=f"show the page at 127.0.0.1 until Ctrl-C (default port: {DEFAULT_PORT})",
    )
    parser.add_argument(
        "--runtime",
        metavar="ARCHIVE.tgz",
        help="onnxruntime-web as `npm pack` fetches it, instead of fetching it",
    )
    return parser


if __name__ == "__main__":
    main()
