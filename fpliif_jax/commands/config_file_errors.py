"""What a command says of an error in the code of a person's config file."""

import os
import traceback

from fpliif_jax.data_builders.errors import UserError


def as_told(error: BaseException, argument: str, path: str) -> UserError | SystemExit:
    """What an error in a config file ends the command with: its traceback, from that file on.

    It is one line where the file is no Python or has no fitting `get_config`, and of a setting that was refused.

    Args:
      error: what the file's code raised.
      argument: of --config.
      path: of the file.
    """
    if isinstance(error, SyntaxError) and os.path.abspath(error.filename or "") == os.path.abspath(
        path
    ):
        return UserError(f"--config={argument}: {error}: {(error.text or '').strip()}")
    frames = error.__traceback__
    while frames and os.path.abspath(frames.tb_frame.f_code.co_filename) != os.path.abspath(path):
        frames = frames.tb_next
    if frames is None or isinstance(error, UserError):
        return UserError(f"--config={argument}: {error}")
    return SystemExit("".join(traceback.format_exception(type(error), error, frames)).rstrip())
