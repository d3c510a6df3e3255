"""Which published table has which of the scores; the same as docs/score.md has in words."""

import dataclasses
from collections.abc import Sequence

from fpliif_jax.experiments.score.counting import CANVAS, NATIVE

_GROUPS = ("eyes", "brows", "mouth", "overall")


@dataclasses.dataclass(frozen=True)
class Use:
    """A table of a paper that has a score.

    Attributes:
      table: which.
      datasets: of the set.
      metrics: as in results.json: 'mean_f1', 'f1' of classes, 'group_f1', 'miou_with_background'.
      scored_at: the protocols; () where it is the size of the network's input, whatever that is.
    """

    table: str
    datasets: tuple[str, ...]
    metrics: tuple[str, ...]
    scored_at: tuple[str, ...]

    @property
    def text(self) -> str:
        """'FP-LIIF Table 1 (256, 512)'."""
        return f"{self.table} ({', '.join(self.scored_at) or 'at its input size'})"


_BOTH = ("lapa", "celebamask_hq")
USES = (
    Use("FP-LIIF Table 1", ("lapa",), ("mean_f1", "f1"), ("256", "512")),
    Use("FP-LIIF Table 2", ("celebamask_hq",), ("mean_f1", "f1"), ("256", "512")),
    Use("FP-LIIF Table 3", ("helen",), ("f1", "group_f1"), ("256",)),
    Use("STN-iCNN Tables 2, 4", ("helen",), ("f1", "group_f1"), (CANVAS,)),
    Use("STN-iCNN Table 3", ("celebamask_hq",), ("f1", "group_f1"), (CANVAS,)),
    Use("FaRL", _BOTH, ("mean_f1", "f1"), (NATIVE,)),
    Use("DML-CSR", _BOTH, ("mean_f1", "f1", "miou_with_background"), (NATIVE,)),
    Use("DML-CSR", ("helen",), ("group_f1",), (NATIVE,)),
    Use("SegFace", _BOTH, ("mean_f1", "f1", "miou_with_background"), ()),
)


def uses(dataset: str, metric: str, class_name: str) -> Sequence[Use]:
    """The tables that have a score of a set; of groups, only eyes, brows, mouth and overall."""
    if metric == "group_f1" and class_name not in _GROUPS:
        return []
    return [use for use in USES if dataset in use.datasets and metric in use.metrics]
