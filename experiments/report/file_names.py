"""Names of a report's files, made of ids that may have any letters."""

import re


class FileNames:
    """Gives each file a name of its own, whatever the ids; names that differ in case alone count as equal."""

    def __init__(self, taken: tuple[str, ...]) -> None:
        self._taken = {name.lower() for name in taken}

    def take(self, text: str, *suffixes: str) -> str:
        """A stem like the text, free with all suffixes, which are then taken."""
        stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-.")[:80] or "unnamed"
        name, number = stem, 1
        while any((name + suffix).lower() in self._taken for suffix in suffixes):
            number += 1
            name = f"{stem}-{number}"
        self._taken |= {(name + suffix).lower() for suffix in suffixes}
        return name
