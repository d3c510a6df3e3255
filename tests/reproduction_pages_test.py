"""Tests of docs/reproduction.md and docs/reproduction_stn_icnn.md: what choices were measured to do."""

import pathlib
import re

import pytest
from effect_tables import EFFECTS

_DOCS = pathlib.Path(__file__).parents[1] / "docs"
_SECTIONS = {
    "photographs": "photographs.md#fp-liifs-claims-and-open-questions",
    "window_drift": "photographs.md#do-the-windows-of-stn-icnn-drift-and-why",
}


@pytest.mark.parametrize("page", EFFECTS)
def test_effects_are_of_choices_of_the_page_and_of_the_study_that_it_names(page: str) -> None:
    text = (_DOCS / page).read_text("utf-8")
    choices, title, rest = text.partition("### Measured effect, small\n")
    assert title
    (study,) = {runs.partition("/")[0] for *_, runs in EFFECTS[page]}
    assert f"([verdicts]({_SECTIONS[study]})" in " ".join(rest.split())
    assert all(re.search(rf"^\|.*{re.escape(field)}", choices, re.M) for field, *_ in EFFECTS[page])
