"""Tests of what is said of the weights: one file holds it, and the pages say nothing else."""

import json
import pathlib
import re
from typing import Any

import pytest

from fpliif_jax import weights
from fpliif_jax.weights import WeightsError, model_cards, shipped, shipped_model

ROOT = pathlib.Path(__file__).parents[2]
README = shipped.path("drawn").with_name("README.md").read_text("utf-8")


def page(name: str) -> str:
    return (ROOT / model_cards.read(name).card).read_text("utf-8")


def plain(text: str) -> str:
    """Markdown in one line, without what stands in brackets to lead elsewhere, and without bold."""
    text = re.sub(r"\s\(\[[^\]]*\]\([^)]*\)\)", "", text)
    return " ".join(re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text).replace("**", "").split())


def sentences(text: str) -> list[str]:
    return [one.rstrip(".") for one in re.split(r"(?<=\.) ", text)]


@pytest.mark.parametrize("name", weights.NAMES)
def test_scores_are_of_the_classes_of_the_weights_and_in_the_page(name: str) -> None:
    card = model_cards.read(name)
    classes = [*shipped_model.load(name).class_names[1:], "mean"]
    assert all(list(scored.f1) == classes for scored in card.scores)
    results = page(name).split("\n## Results\n")[1].split("\n\n")
    (table,) = (part for part in results if part.startswith("| class |"))
    header, _, *rows = [
        [cell.strip(" *") for cell in line.strip("|").split("|")] for line in table.splitlines()
    ]
    assert rows == [[one, *(str(scored.f1[one]) for scored in card.scores)] for one in classes]
    for title, scored in zip(header[1:], card.scores, strict=True):
        kind = "photographs" if scored.of == "photographs" else "drawn test faces"
        assert title.startswith(f"{scored.images} {kind}")


@pytest.mark.parametrize("name", weights.NAMES)
def test_training_data_and_worst_group_are_in_the_page(name: str) -> None:
    card, text = model_cards.read(name), page(name)
    train, validation, test = card.faces
    drawn = f"| data | {train:,} / {validation} / {test} faces drawn at {card.side}² in the style `{card.style}`, its "
    assert drawn + f"version {card.style_version}, seed {card.seed} |" in text
    assert f" {train:,} drawn faces" in shipped.shipped(name).note
    f1, low, high = card.worst_group.f1
    group = f"| {card.worst_group.faces} | {f1:.1f} ({low:.1f}–{high:.1f}) | {card.worst_group.all:.1f} |"
    assert f"| {card.worst_group.name.split()[0]} {group}" in text
    worst = text.split("**The worst**")[1].split(".")[0]
    assert card.worst_group.name in worst


def test_sentences_are_those_of_the_page_and_of_the_readme() -> None:
    card, text = model_cards.read("drawn"), plain(page("drawn"))
    for said in (card.purpose, card.not_for, card.photographs):
        assert [one for one in sentences(said) if one not in text] == []
    short = plain(README).replace("the ones above", "the ones below")
    wanted = [*sentences(card.purpose), *sentences(card.not_for), *sentences(card.photographs)[:2]]
    assert [one for one in wanted if one not in short] == []


def test_the_readme_has_the_numbers() -> None:
    cards = [model_cards.read(name) for name in weights.NAMES]
    rows = [line.strip("| ").split(" | ") for line in README.splitlines() if line.startswith("| ")]
    _, learnt, drawn, photographs, worst = (row[1:] for row in rows)
    for i, card in enumerate(cards):
        assert f"{card.card}](../../{card.card})" in README
        version = f"style version {card.style_version}"
        assert learnt[i] == f"{card.faces[0]:,} drawn faces, {version}"
        assert drawn[i] == str(card.scores[1].f1["mean"])
        assert card.scores[1].title == rows[2][0]
        assert photographs[i] == f"{card.scores[2].f1['mean']}, at {card.scores[2].side}²"
        assert worst[i] == card.worst_group.sentence


def change(content: dict[str, Any], *path: str | int, to: object) -> None:
    for key in path[:-1]:
        content = content[key]
    content[path[-1]] = to


SCORE = ("models", "drawn", "scores", 0)


@pytest.mark.parametrize(
    ("path", "to", "message"),
    [
        (("purpose",), None, None),
        ((*SCORE, "f1", "skin"), [101.0, 90.0, 102.0], "no F1 with an interval"),
        ((*SCORE, "f1", "skin"), [96.7, 97.0, 98.0], "no F1 with an interval"),
        ((*SCORE, "f1", "skin"), [float("nan")] * 3, "no F1 with an interval"),
        ((*SCORE, "f1", "skin"), [90.0, 89.0, 91.0], "a mean that is not"),
        ((*SCORE, "f1"), {"mean": [1, 1, 1]}, "ZeroDivisionError"),
        ((*SCORE, "of"), "paintings", "images of 'paintings'"),
        ((*SCORE, "style_version"), None, "images of 'drawn'"),
        (("models", "drawn", "scores"), [], "scores of other classes"),
        (("models", "drawn", "faces"), [1, 2], "ValueError"),
        (("models", "drawn", "more"), 1, "TypeError"),
        (("models",), {}, "KeyError"),
    ],
)
def test_a_damaged_file_is_one_line(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    path: tuple[str | int, ...],
    to: object,
    message: str | None,
) -> None:
    content = json.loads(model_cards.PATH.read_text("utf-8"))
    change(content, *path, to=to)
    monkeypatch.setattr(model_cards, "PATH", tmp_path / "model_cards.json")
    model_cards.PATH.write_text(json.dumps(content))
    with pytest.raises(WeightsError, match=message or "purpose") as caught:
        model_cards.read("drawn")
    assert str(model_cards.PATH) in str(caught.value) and "\n" not in str(caught.value)
    assert str(caught.value).endswith("; install fpliif_jax anew")


def test_a_missing_file_is_one_line(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_cards, "PATH", tmp_path / "model_cards.json")
    with pytest.raises(WeightsError, match=r"model_cards\.json: No such file.*; install fpliif"):
        model_cards.read("drawn")
    with pytest.raises(WeightsError, match="no weights 'x'"):
        model_cards.read("x")
