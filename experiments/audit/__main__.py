"""Recomputes what can be recomputed of the papers' numbers, and lists each contradiction and doubt with its size.

    python -m experiments.audit
    python -m experiments.audit --format=markdown --output=docs/audit.md
    python -m experiments.audit --format=json

From the published tables (experiments/published), the configs and the models: no data, no training, no GPU. Findings
are no failures: the exit code is 0. docs/audit.md is this command's Markdown.
"""

import pathlib
import sys

from absl import app, flags, logging

from fpliif_jax.data_builders import standard_streams
from fpliif_jax.data_builders.errors import USER_ERRORS, error_line
from fpliif_jax.experiments.audit import layout

_FORMAT = flags.DEFINE_enum("format", "text", ["text", "markdown", "json"], "How to print.")
_OUTPUT = flags.DEFINE_string("output", None, "File to write instead of the standard output.")

_RENDER = {
    "text": layout.to_text,
    "markdown": layout.to_markdown,
    "json": layout.to_json,
}


def main(argv: list[str]) -> None:
    """Prints or writes the audit."""
    logging.set_verbosity(logging.WARNING)  # JAX tells which backends there are not
    if len(argv) > 1:
        sys.exit(f"error: unexpected argument {argv[1]!r}; the flags are --format and --output")
    path = pathlib.Path(_OUTPUT.value) if _OUTPUT.value else None
    if path is not None and not path.parent.is_dir():
        sys.exit(f"error: --output={path}: there is no folder {path.parent}; make it first")
    try:
        content = _RENDER[_FORMAT.value](layout.audit())
    except USER_ERRORS as error:
        sys.exit(error_line(error))
    if path is None:
        print(content, end="")
        return
    try:
        path.write_text(content, encoding="utf-8")
    except OSError as error:
        sys.exit(f"error: --output={path}: {error.strerror or error}")
    print(path)


if __name__ == "__main__":
    standard_streams.outlive_readers()
    app.run(main)
