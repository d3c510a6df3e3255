"""Files that are always either the old one or the new one, whole; `fpliif_jax.files` does it for what is not here."""

import contextlib
import os
import pathlib
import secrets

from fpliif_jax.data_builders.errors import naming_instead


def write_whole(path: pathlib.Path, content: bytes) -> None:
    """Writes a file; where that fails, an earlier one stays as it is.

    Raises:
      OSError: it cannot be written; names the file.
    """
    # Under a name that is nobody's yet: the folder may have come from elsewhere, with links in it.
    temporary = path.with_name(f"incomplete.{secrets.token_hex(8)}{path.name}")
    with naming_instead(path), open(temporary, "xb") as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            file.close()  # before it takes the place
            os.replace(temporary, path)
        except BaseException:
            # A signal's exception may come just after the replacing.
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
