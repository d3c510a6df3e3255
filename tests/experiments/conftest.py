"""What tests of studies share."""

import pytest

from fpliif_jax.experiments.comparison import measured
from fpliif_jax.experiments.report import write


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    # Half of the time of an analysis goes into them; what they are good for is tested in stats/.
    monkeypatch.setattr(measured, "_RESAMPLES", 50)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports without figures, whose drawing takes the time."""
    monkeypatch.setattr(write, "draw_figures", lambda study, names: [])
