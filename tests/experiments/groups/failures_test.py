"""Tests of docs/faces/failures.py, which draws the cards' pictures of failures."""

import numpy as np
import pytest

from docs.faces import failures
from fpliif_jax.evaluation import metrics
from fpliif_jax.experiments.groups.scores import Scores
from fpliif_jax.weights import NAMES, model_cards


@pytest.mark.parametrize("name", NAMES)
def test_the_worst_of_each_of_the_worst_groups_are_shown_once(name: str) -> None:
    scored, class_names = failures.read(name)
    groups = failures.worst_groups(Scores.of(scored, class_names, resamples=2))
    worst = model_cards.read(name).worst_group
    assert f"{groups[0].group} {groups[0].attribute}" == worst.name
    behind = [one.all_f1 - one.mean_f1 for one in groups]
    assert behind == sorted(behind, reverse=True) and min(one.faces for one in groups) >= 10
    of_faces = metrics.mean_f1(scored.matrices)
    shown = {int(of_faces.argmin())}  # by the sheet of all faces
    for group, face in failures.worst_faces(scored, groups):
        members = [one[group.attribute] == group.group for one in scored.groups]
        others = np.flatnonzero(members & ~np.isin(np.arange(len(of_faces)), list(shown)))
        assert face == others[of_faces[others].argmin()]
        shown.add(face)
    assert len(shown) == 1 + len(groups)


@pytest.mark.parametrize("name", NAMES)
def test_the_card_shows_its_picture(name: str) -> None:
    page = failures.ROOT / model_cards.read(name).card
    picture = failures.picture(name)
    assert f"]({picture.name})" in page.read_text("utf-8")
    assert picture.stat().st_size < 150_000
