"""What environment.json says of where a run was trained, and on which data."""

import dataclasses

from fpliif_jax.experiments.runs import typed_json
from fpliif_jax.experiments.runs.value_types import (
    Count,
    Digest,
    Framework,
    SeedSource,
    ShortText,
    Side,
    is_moment,
)
from fpliif_jax.fields.json_types import JsonObject

_LONGEST_DEVICES = 1000  # characters: the report names each kind once


@dataclasses.dataclass(frozen=True, kw_only=True)
class Environment:
    """Content of environment.json; None or empty where a field, or the file, is not there.

    Attributes:
      content: all of it, for who compares field by field.
      framework: that the run was trained with.
      command: that was typed.
      started: when, in UTC.
      first_commit: of the code that it was started by, where that was not `git_commit`, by which it went on.
      follows_seed: the sources of variation whose seed is config.seed.
      git_commit, python, versions: of the code, and of libraries by name.
      platform, processor, cpu_count, process_count, backend, matmul_precision, xla_flags: of the machine.
      devices: that it ran on.
      data_fingerprint, data_digest: of the raw tree and of the label maps of all splits that were trained on.
      data_drawn, data_drawing: whether the faces of that set are drawn, and the settings of their drawing.
      data_counts: images of that set by split.
      whose_left: 'picture' or 'person', of that set.
    """

    content: JsonObject = dataclasses.field(default_factory=dict)
    framework: Framework | None = None
    command: str | None = None
    started: str | None = None
    first_commit: ShortText | None = None
    git_commit: ShortText | None = None
    python: ShortText | None = None
    versions: dict[ShortText, ShortText | None] = dataclasses.field(default_factory=dict)
    platform: ShortText | None = None
    processor: ShortText | None = None
    cpu_count: Count | None = None
    process_count: Count | None = None
    backend: ShortText | None = None
    matmul_precision: ShortText | None = None
    xla_flags: str | None = None
    devices: tuple[str, ...] = ()
    data_fingerprint: ShortText | None = None
    data_digest: Digest | None = None
    data_drawn: bool | None = None
    data_drawing: JsonObject | None = None
    data_counts: dict[str, Count] = dataclasses.field(default_factory=dict)
    whose_left: Side | None = None
    follows_seed: tuple[SeedSource, ...] | None = None

    def __post_init__(self) -> None:
        """Refuses what the types cannot."""
        if len(", ".join(set(self.devices))) > _LONGEST_DEVICES:
            raise ValueError(f"devices have a text of more than {_LONGEST_DEVICES:,} characters")
        if self.started is not None and not is_moment(self.started):
            raise ValueError("started is not a moment in UTC such as 2026-11-26T21:03:05+00:00")

    @property
    def commits(self) -> set[str | None]:
        """Commits of the code that it was started by first and last; runs of earlier versions tell the last alone."""
        return {self.git_commit, self.content.get("first_commit", self.git_commit)}

    @classmethod
    def of(cls, content: JsonObject, name: str = "environment.json") -> "Environment":
        """The whole file.

        Raises:
          UnreadableError: names the first field that is impossible.
        """
        return typed_json.parse_whole(cls, content, name)
