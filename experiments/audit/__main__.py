"""Recomputes what can be recomputed of the papers' numbers, and lists each contradiction and doubt with its size.

    python -m experiments.audit
    python -m experiments.audit --format=markdown --output=docs/audit.md

From the published tables (experiments/published), the configs and the models: no data, no training, no GPU. Findings
are no failures: the exit code is 0. docs/audit.md is this command's Markdown.
"""

from absl import logging

from fpliif_jax.commands import command_line
from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.data_builders.host.home_folder import expanded

_COMMAND = "experiments.audit"


def main() -> None:
    """Prints or writes the findings."""
    parser = command_line.CommandParser(_COMMAND, __doc__)
    formats = ("text", "markdown", "json")
    parser.add_argument("--format", choices=formats, default="text", help="how to print")
    parser.add_argument("--output", help="file to write; without it, printed")
    flags = parser.parse_args()
    command_line.run(_COMMAND, _work, flags.format, flags.output)


def _work(form: str, output: str | None) -> None:
    from fpliif_jax.experiments.audit import layout
    from fpliif_jax.run_folder.run_record import write_text

    renderers = {
        "text": layout.to_text,
        "markdown": layout.to_markdown,
        "json": layout.to_json,
    }
    logging.set_verbosity(logging.WARNING)  # JAX tells which backends there are not
    path = expanded(output) if output else None
    if path is not None and not path.parent.is_dir():
        raise UserError(f"--output={path}: there is no folder {path.parent}; make it first")
    content = renderers[form](layout.audit())
    if path is None:
        print(content, end="")
        return
    try:
        write_text(path, content)
    except OSError as error:
        raise UserError(f"--output={path}: {error.strerror or error}") from error
    print(path)


if __name__ == "__main__":
    main()
