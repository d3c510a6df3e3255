"""Tests of the README and docs/: links, lengths, and what the pages take from the code."""

import ast
import pathlib
import re
import tomllib
from collections.abc import Iterator

import field_tables
import label_classes
import made_parts
import numpy as np
import plain_docstrings
import pytest
import yaml

import fpliif_jax
from fpliif_jax import systems
from fpliif_jax.data_builders import class_names
from fpliif_jax.fields import config_fields
from fpliif_jax.pictures.label_maps import palette_image

ROOT = pathlib.Path(__file__).parents[1]
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "data_builders/**/*.md", "experiments/published/*.md")
    for path in ROOT.glob(pattern)
    if "example_report" not in path.parts
)
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
# First words of docstrings that lean on the name above them: "Of the values" is no answer to what a function returns.
_FRAGMENT = re.compile(
    r"(Above|As|At|By|For|From|In|Inside|None|Of|On|Over|Own|That|Those|Through|To|Under|Until|With|Without)\b"
)
_CODE = re.compile(r"^(`{3,}).*?^\1`*$", re.DOTALL | re.MULTILINE)


def _text(page: pathlib.Path) -> str:
    return _CODE.sub("", page.read_text(encoding="utf-8"))


def _anchors(page: pathlib.Path) -> set[str]:
    """As GitHub and MyST make them of headings: lower case, no punctuation, hyphens for spaces."""
    headings = re.findall(r"^#+ (.+)$", _text(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _links(page: pathlib.Path) -> Iterator[tuple[pathlib.Path, str]]:
    for target in re.findall(r"\]\(([^)\s]+)\)", _text(page)):
        if not re.match(r"\w+:", target):
            name, _, anchor = target.partition("#")
            yield (page.parent / name if name else page), anchor


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_somewhere(page: pathlib.Path) -> None:
    for target, anchor in _links(page):
        assert target.exists(), target
        assert not anchor or anchor in _anchors(target), f"{target}#{anchor}"


def test_links_are_found() -> None:
    assert sum(1 for page in PAGES for _ in _links(page)) > 100


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_lines_of_prose_and_commands_fit_120_columns(page: pathlib.Path) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if len(line) > 120 and not line.startswith("|")] == []


def test_the_readme_is_short_enough_to_be_read() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 170
    assert [line for line in lines if len(line) > 110] == []


def test_the_readme_has_the_test_command_where_the_checks_look_for_it() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    command = re.search(r"<!-- test command -->\n```bash\n(.*?)```\n<!-- end -->", text, re.DOTALL)
    assert "python -m pytest" in command[1].replace("\\\n", "")
    assert text.count("<!-- test command -->") == 1


def test_modules_of_commands_are_there() -> None:
    commands = {
        name
        for page in PAGES
        for name in re.findall(r"python -m ([\w.]+)", page.read_text(encoding="utf-8"))
    }
    own = {name for name in commands if (ROOT / name.partition(".")[0]).is_dir()}
    assert len(own) > 10
    for name in own:
        # An installed fpliif_jax holds the folders that lie beside it here.
        modules = {name, name.removeprefix("fpliif_jax.")}
        paths = [ROOT / module.replace(".", "/") for module in modules]
        assert any(
            path.with_suffix(".py").exists() or (path / "__main__.py").exists() for path in paths
        ), name


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_rows_of_tables_are_lines(page: pathlib.Path) -> None:
    rules = [line for line in _text(page).splitlines() if re.search(r"\|-{3,}\|", line)]
    assert all(re.fullmatch(r" *(\| ?-{3,} ?)+\|", line) for line in rules), rules


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_tests_that_are_named_are_there(page: pathlib.Path) -> None:
    for path in re.findall(r"\btests/[\w/]+(?:\.\w+)?", page.read_text(encoding="utf-8")):
        assert (ROOT / path).exists(), path


def test_commands_choose_tests_that_are_there() -> None:
    chosen = [
        match
        for page in PAGES
        for match in re.findall(r"pytest (tests/\S+) -k (\w+)", page.read_text(encoding="utf-8"))
    ]
    assert chosen
    for file, word in chosen:
        source = (ROOT / file).read_text(encoding="utf-8")
        assert re.search(rf"^def test_\w*{word}", source, re.MULTILINE), (file, word)


@pytest.mark.parametrize("page", made_parts.PARTS)
def test_what_pages_have_of_the_code_is_current(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert made_parts.current(page) == text, "PYTHONPATH=. python docs/extensions/made_parts.py"


def test_config_files_of_the_pages_are_all_there_are() -> None:
    named = set(re.findall(r"`(\w+)\.py`\]", _text(ROOT / "docs" / "training.md")))
    experiments = {path.stem for path in (ROOT / "configs").glob("*.py")}
    assert named == experiments - {"__init__", "shared", *systems.names()}


# ------------------------------------------------------------------------------- what code is read


@pytest.mark.parametrize("name", label_classes.SETS)
def test_colours_of_the_class_tables_are_those_of_a_label_picture(name: str) -> None:
    names = label_classes.SETS[name]
    picture = palette_image(np.arange(len(names), dtype=np.uint8)[None], names)
    painted = [f"#{bytes(pixel.tolist()).hex()}" for pixel in np.asarray(picture.convert("RGB"))[0]]
    classes = label_classes.classes(names)
    assert [one.colour for one in classes] == painted
    assert [(one.label_id, one.name) for one in classes] == list(enumerate(names))


def test_sides_of_the_class_tables() -> None:
    lapa, celebamask_hq = (
        {
            one.name: (one.part, one.picture_side, one.person_side)
            for one in label_classes.classes(names)
        }
        for names in (class_names.LAPA_AND_HELEN, class_names.CELEBAMASK_HQ)
    )
    assert lapa["left_eye"] == ("eye", "left", "right")
    assert lapa["right_brow"] == ("brow", "right", "left")
    assert celebamask_hq["l_eye"] == ("eye", "right", "left")
    assert celebamask_hq["r_ear"] == ("ear", "left", "right")
    assert celebamask_hq["ear_r"] == ("earring", "", "")
    assert celebamask_hq["neck_l"] == ("necklace", "", "")
    assert celebamask_hq["l_lip"] == ("lower lip", "", "")


def test_the_page_of_config_fields_has_every_field() -> None:
    rows = re.findall(r"^\| `(\S+)` \|.*$", field_tables.fields(), re.MULTILINE)
    assert sorted(rows) == sorted(config_fields.FIELDS)
    norm = r"^\| `model.norm` \| `instance` \| – \|.* instance, batch, none \| experiment \|$"
    assert re.search(norm, field_tables.fields(), re.MULTILINE)  # a third system adds a column


def test_docstrings_need_no_marks() -> None:
    docstring = [
        "|θ| of `a", "b*` and left_, *.pt.", "", "    x   y", "", "Args:", "  x_y: of `z_`.", "",
        "Returns:", "  A dict: of *all*.", "", "Raises:", "  ValueError: never.",
    ]  # fmt: skip
    assert plain_docstrings.plain(docstring) == [
        r"\|θ\| of ``a", r"b*`` and left\_, \*.pt.", "", ".. code-block:: text", "", "    x   y", "",
        "Args:", "  x_y: of ``z_``.", "", ":returns:", r"  A dict: of \*all\*.", "", "Raises:",
        "  ValueError: never.",
    ]  # fmt: skip


def _docstrings(code: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node)
            if docstring is not None:
                yield node.body[0].lineno, docstring


def _fragments(code: str) -> list[int]:
    return [line for line, text in _docstrings(code) if _FRAGMENT.match(text)]


@pytest.mark.parametrize("room", ["configs", "data_builders", "docs", "experiments", "fpliif_jax"])
def test_docstrings_say_what_the_thing_is(room: str) -> None:
    files = sorted((ROOT / room).rglob("*.py"))
    codes = {path.relative_to(ROOT): path.read_text(encoding="utf-8") for path in files}
    assert any(text for code in codes.values() for _, text in _docstrings(code))
    assert [f"{path}:{line}" for path, code in codes.items() for line in _fragments(code)] == []


def test_fragments_are_found() -> None:
    code = '''"""Offers scores."""\ndef mean():\n    """Of the values; None where there is none."""\n'''
    assert _fragments(code) == [3]


# --------------------------------------------------------------------------------------- citation


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert citation["version"] == fpliif_jax.__version__
    assert citation["license"] == project["license"]
    assert f"## {fpliif_jax.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    identifiers = [one["identifiers"][0]["value"] for one in citation["references"]]
    assert identifiers == ["arXiv:2303.15122", "arXiv:2002.04831"]
