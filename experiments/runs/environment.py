"""What environment.json says of where a run was trained, and on which data."""

import dataclasses
from collections.abc import Mapping, Sequence

from fpliif_jax.experiments.runs import typed_json
from fpliif_jax.files.json_types import JsonObject


@dataclasses.dataclass(frozen=True)
class Environment:
    """What environment.json says, checked (`schema`); None or nothing where it, or the file, is not there.

    Attributes:
      content: all of it, for who compares field by field.
      framework: that the run was trained with.
      command: that was typed.
      started: when, in UTC.
      follows_seed: the sources of variation whose seed is config.seed.
      git_commit, python, versions: of the code, and of libraries by name.
      devices: that it ran on.
      data_fingerprint, data_digest: of the raw tree and of the label maps of all splits that were trained on.
      data_drawn, data_drawing: whether the faces of that set are drawn, and the settings of their drawing.
      data_counts: images of that set by split.
      whose_left: 'picture' or 'person', of that set.
    """

    content: JsonObject = dataclasses.field(default_factory=dict)
    framework: str | None = None
    command: str | None = None
    started: str | None = None
    follows_seed: Sequence[str] | None = None
    git_commit: str | None = None
    python: str | None = None
    versions: Mapping[str, str | None] = dataclasses.field(default_factory=dict)
    devices: Sequence[str] = ()
    data_fingerprint: str | None = None
    data_digest: str | None = None
    data_drawn: bool | None = None
    data_drawing: JsonObject | None = None
    data_counts: Mapping[str, int] = dataclasses.field(default_factory=dict)
    whose_left: str | None = None

    @classmethod
    def of(cls, content: JsonObject) -> "Environment":
        """The whole file, checked."""
        return typed_json.view(cls, content)
