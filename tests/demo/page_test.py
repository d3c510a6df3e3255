"""The page as it is written: its parts fit each other, name no other place, and can be read by everybody."""

import re

import pytest

from fpliif_jax.demo import build_page, serve

FILES = {name: content.decode() for name, content in build_page.page_files().items()}
HTML, STYLE = FILES["index.html"], FILES["style.css"]
SCRIPTS = {name: text for name, text in FILES.items() if name.endswith(".js")}


def test_what_modules_import_and_the_page_names_is_there() -> None:
    made = {"files.js"}  # beside them, when a page is made
    for name, text in SCRIPTS.items():
        imported = re.findall(r"from '\./([\w.]+)'|importScripts\('([\w.]+)'\)", text)
        for module in filter(None, (name for pair in imported for name in pair)):
            assert module in FILES.keys() | made, f"{name}: {module}"
    for target in re.findall(r'(?:href|src)="([^"#]+)"', HTML):
        assert target in FILES, target
    assert {"worker.js", "sw.js"} <= FILES.keys()


def test_every_element_that_is_looked_for_is_there() -> None:
    ids = re.findall(r'\bid="([\w-]+)"', HTML)
    assert len(ids) == len(set(ids))
    used = set(re.findall(r"\bfind\('([\w-]+)'\)", "".join(SCRIPTS.values())))
    assert len(used) > 10 and used <= set(ids)
    deeds = set(re.findall(r'data-do="([\w-]+)"', HTML))
    assert all(re.search(rf"^  '?{deed}'?[:,]", SCRIPTS["main.js"], re.M) for deed in deeds)
    for reference in re.findall(r'aria-labelledby="([\w-]+)"|\bfor="([\w-]+)"', HTML):
        assert set(filter(None, reference)) <= set(ids)


def test_nothing_is_fetched_from_elsewhere() -> None:
    for name, text in FILES.items():
        if name not in ("icon.svg", "LICENCES.txt"):  # a namespace, and addresses to be read
            assert not re.search(r"https?:|//[a-z]+\.", text), name
    assert "style=" not in HTML and "onclick" not in HTML  # the policy would refuse them
    policy = serve.policy_of(HTML)
    assert policy.startswith("default-src 'none';")


def _luminance(colour: str) -> float:
    """WCAG 2.2's relative luminance of '#rrggbb'."""
    if len(colour) == 4:
        colour = "#" + "".join(2 * digit for digit in colour[1:])
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrasts_are_those_of_wcag_aa(scheme: str) -> None:
    blocks = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    colours: dict[str, str] = {}
    for block in blocks[: 1 if scheme == "light" else 2]:
        colours |= dict(re.findall(r"--([\w-]+): (#\w+);", block))

    def contrast(one: str, other: str) -> float:
        lower, higher = sorted(_luminance(colours[name]) for name in (one, other))
        return (higher + 0.05) / (lower + 0.05)

    for ink in ("ink", "muted", "accent"):
        for paper in ("paper", "sunk", "raised"):
            assert contrast(ink, paper) >= 4.5, (ink, paper)
    assert contrast("on-accent", "accent") >= 4.5
    assert contrast("error", "error-paper") >= 4.5
    for paper in ("paper", "sunk", "raised"):
        assert contrast("edge", paper) >= 3, paper  # edges of controls
