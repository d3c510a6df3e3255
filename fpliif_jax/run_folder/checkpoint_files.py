"""The folders of the checkpoints of a kind, and the digests of their files, <workdir>/checkpoints/<kind>.sha256.json.

Orbax does not notice a changed byte.
"""

import hashlib
import json
import os
import pathlib
import re
import shutil

from fpliif_jax.data_builders.host import atomic_file


class DamageError(Exception):
    """A checkpoint is not what was saved; the message says how that shows."""


def steps(folder: pathlib.Path) -> list[int]:
    """Steps of the complete checkpoints in <workdir>/checkpoints/<kind>, in order; none where there is no folder."""
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    # Orbax writes elsewhere and renames: what bears the name of a step alone is whole.
    return sorted(int(name) for name in names if re.fullmatch("[0-9]{1,18}", name))


def drop_others(folder: pathlib.Path) -> None:
    """Removes the other checkpoints of the kind of <workdir>/checkpoints/<kind>/<step>, the newest one last.

    Each ceases to be one at once: a kill amid the removal leaves none that is damaged.
    """
    for step in steps(folder.parent):
        if step != int(folder.name):
            dropped = folder.parent / f"{step}.orbax-checkpoint-tmp"  # which Orbax clears away
            (folder.parent / str(step)).rename(dropped)
            shutil.rmtree(dropped)


def write_digests(folder: pathlib.Path) -> None:
    """Records the files of a checkpoint, <workdir>/checkpoints/<kind>/<step>."""
    digests = {"step": int(folder.name), "files": _file_digests(folder)}
    with atomic_file.replacing(_digest_file(folder.parent)) as file:
        file.write(json.dumps(digests, indent=2).encode())


def are_as_saved(folder: pathlib.Path) -> bool:
    """Compares a checkpoint's files with their digests; False where there are none of this checkpoint.

    Raises:
      DamageError: names the first file that is missing or another.
    """
    try:
        saved = json.loads(_digest_file(folder.parent).read_text(encoding="utf-8"))
        step, files = saved["step"], dict(saved["files"])
    except (OSError, ValueError, KeyError, TypeError):
        # Of an earlier version, of a run killed before they were written, or damaged themselves:
        # then the digests of arrays and progress speak.
        return False
    if step != int(folder.name):
        return False
    digests = _file_digests(folder)
    for name in sorted(files.keys() | digests.keys()):
        if files.get(name) != digests.get(name):
            problem = "is missing" if name not in digests else "is not what was saved"
            raise DamageError(f"its file {name} {problem}")
    return True


def _digest_file(folder: pathlib.Path) -> pathlib.Path:
    return folder.parent / f"{folder.name}.sha256.json"


def _file_digests(folder: pathlib.Path) -> dict[str, str]:
    digests = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            digests[path.relative_to(folder).as_posix()] = digest
    return digests
