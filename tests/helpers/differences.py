"""Differences of two programs that compute the same, as tests find them."""


class Differences(dict[str, float]):
    """The largest of each kind."""

    def note(self, kind: str, value: float) -> None:
        """Takes one more; of those of a kind the largest stays."""
        self[kind] = max(self.get(kind, 0.0), float(value))
