"""The report as files: complete, self-contained, escaped, and put in place all at once."""

import base64
import hashlib
import html.parser
import json
import pathlib
import re
import time
from typing import Any

import pytest
import report_study

from fpliif_jax.experiments.comparison.analysis import analyse
from fpliif_jax.experiments.report import ReportError, write, write_report
from fpliif_jax.run_folder import run_lock


class Page(html.parser.HTMLParser):
    """Elements in order, and the text outside of styles and scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements, self.texts, self.open, self.script = [], [], [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list) -> None:
        self.elements.append((tag, dict(attributes)))
        if tag in ("style", "script"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if not self.open:
            self.texts.append(data)
        elif self.open[-1] == "script":
            self.script += data

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def all(self, tag: str, **wanted: str) -> list[dict[str, str]]:
        wanted = {name.rstrip("_"): value for name, value in wanted.items()}
        return [
            attributes
            for name, attributes in self.elements
            if name == tag and wanted.items() <= attributes.items()
        ]


@pytest.fixture(scope="module")
def study() -> dict[str, Any]:
    return report_study.make_study()


@pytest.fixture(scope="module")
def report(study: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    output = tmp_path_factory.mktemp("written") / "report"
    write_report(report_study.as_study(study), {"g0": report_study.make_examples()}, output)
    return output


@pytest.fixture(scope="module")
def page(report: pathlib.Path) -> Page:
    return Page((report / "report.html").read_text(encoding="utf-8"))


def rows_of(study: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for table in study["tables"] for row in table["rows"]]


def test_json_is_the_study(report: pathlib.Path, study: dict[str, Any]) -> None:
    assert json.loads((report / "report.json").read_text(encoding="utf-8")) == study
    for table in study["tables"]:
        written = json.loads((report / f"{table['id']}.json").read_text(encoding="utf-8"))
        assert written == table


def test_every_row_has_its_numbers_and_its_verdict(
    page: Page, report: pathlib.Path, study: dict[str, Any]
) -> None:
    text = page.text
    source = (report / "report.html").read_text(encoding="utf-8")
    claims = re.findall(r'data-label="Published">([^< ]*)', source)
    printed = [row["published"]["printed"] if row["published"] else "–" for row in rows_of(study)]
    assert sorted(claims) == sorted(printed)
    tables = [a for a in page.all("table") if a["class"].startswith("results")]
    assert len(tables) == 3  # two tables and one of comparisons
    assert len(
        [a for a in page.all("tr") if re.fullmatch(r"table-\d-row-\d", a.get("id", ""))]
    ) == (len(rows_of(study)))
    for row in rows_of(study):
        for value in row["values"].values():
            assert f"{value:.2f}" in text
        for bounds in (row["t_interval"], row["prediction_interval"]):
            if bounds is not None:
                assert f"[{bounds[0]:.2f}, {bounds[1]:.2f}]" in text
    counts = {"same": 4, "near": 1, "off": 1, "open": 1, "apart": 1}
    for slug, count in counts.items():
        words = [a for a in page.all("span") if a.get("class") == f"verdict {slug}"]
        # not comparable: the row, and two groups under "What was run"
        assert len(words) == count + (2 if slug == "apart" else 0)


def test_what_cannot_be_compared_is_set_apart(page: Page, report: pathlib.Path) -> None:
    text = (report / "report.html").read_text(encoding="utf-8")
    part = re.search(r'<tbody class="apart">(.*?)</tbody>', text, re.DOTALL)[1]
    assert "STN-iCNN on drawn faces" in part and "not comparable" in part
    assert ">reproduced" not in part and " reproduced" not in part
    outside = text.replace(part, "")
    assert not re.search(r'<tr id="[^"]*">\s*<td[^>]*><b>STN-iCNN on drawn faces', outside)
    assert "drawn faces, not Helen" in page.text


def test_a_study_without_finished_runs_has_no_link_to_them(tmp_path: pathlib.Path) -> None:
    (tmp_path / "runs" / "seed0").mkdir(parents=True)
    (tmp_path / "runs" / "seed0" / "config.json").write_text("{}")
    report, _ = analyse(tmp_path / "runs")
    write_report(report, {}, tmp_path / "report")
    text = (tmp_path / "report" / "report.html").read_text("utf-8")
    ids = set(re.findall(r'id="([^"]+)"', text))
    assert set(re.findall(r'<a href="#([^"]+)"', text)) <= ids


def test_own_runs_come_first_where_the_tables_say_nothing_of_them(
    study: dict[str, Any], tmp_path: pathlib.Path
) -> None:
    """Nothing is comparable and no rows are compared with each other: published numbers alone would fill the page."""
    apart = [
        table | {"rows": [row for row in table["rows"] if row["verdict"] == "not comparable"]}
        for table in study["tables"]
    ]
    alone = {
        "groups": [group | {"comparable": False} for group in study["groups"]],
        "tables": [table | {"comparisons": []} for table in apart],
    }
    runs, published = "What was run", "Published and measured"
    for changes, first, second in (
        (alone, runs, published),
        ({**alone, "tables": apart}, published, runs),  # which compare their rows
        ({}, published, runs),  # some of which is judged
    ):
        write_report(report_study.as_study(study | changes), {}, tmp_path / "report")
        page, text = (
            (tmp_path / "report" / f"report.{ending}").read_text("utf-8")
            for ending in ("html", "md")
        )
        assert text.index(f"## {first}") < text.index(f"## {second}")
        assert page.index(f"<h2>{first}") < page.index(f"<h2>{second}")
        assert page.index(f">{first}</a>") < page.index(f">{second}</a>")


def test_the_page_needs_nothing_from_elsewhere(page: Page, report: pathlib.Path) -> None:
    text = (report / "report.html").read_text(encoding="utf-8")
    for _, attributes in page.elements:
        for name in ("src", "href", "xlink:href", "srcset", "action", "data"):
            assert attributes.get(name, "#").startswith(("#", "data:image/"))
    assert "http" not in re.sub(r"http-equiv", "", text)
    assert not re.findall(r"@import|url\((?!#|data:image/)", text)
    assert {tag for tag, _ in page.elements}.isdisjoint(
        {"link", "iframe", "object", "base", "form"}
    )


def test_the_page_forbids_other_scripts(page: Page) -> None:
    policy = [a for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    digest = base64.b64encode(hashlib.sha256(page.script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy[0]["content"]
    assert policy[0]["content"].startswith("default-src 'none'")
    assert not any(name.startswith("on") for _, a in page.elements for name in a)


def test_names_from_outside_stay_text(page: Page, report: pathlib.Path) -> None:
    assert len(page.all("script")) == 1
    assert report_study.HOSTILE in page.text
    assert "<script>alert" not in (report / "report.html").read_text(encoding="utf-8")
    for figure in report.glob("*.svg"):
        assert "<script" not in figure.read_text(encoding="utf-8")
    markdown = (report / "report.md").read_text(encoding="utf-8")
    assert "<script" not in markdown


def test_nothing_undefined_is_printed(page: Page, report: pathlib.Path) -> None:
    for text in (
        page.text,
        (report / "report.md").read_text(encoding="utf-8"),
        *(path.read_text(encoding="utf-8") for path in report.glob("*.tex")),
        *(path.read_text(encoding="utf-8") for path in report.glob("*.csv")),
        *(path.read_text(encoding="utf-8") for path in report.glob("*.svg")),
    ):
        assert not re.search(r"\b(nan|NaN|None|inf|undefined|null)\b", text)


def test_all_sections_tell_what_the_study_has(page: Page, study: dict[str, Any]) -> None:
    ids = [attributes["id"] for attributes in page.all("section")]
    assert ids == [
        "tables",
        "groups",
        "curves",
        "classes",
        "confusion",
        "gallery",
        "environment",
        "deviations",
        "incomplete",
        "commands",
        "terms",
    ]
    for sentence in study["summary"]:
        assert sentence in page.text
    for run in study["incomplete_runs"]:
        assert run["name"] in page.text
    joined = "".join(page.texts)
    for command in study["commands"]:
        assert command in joined
    for expected in ("6d2610d", "4cda144", "jax 0.10.2, numpy 2.4.6", "results_of_pytorch.csv"):
        assert expected in page.text
    assert "train.epochs 10 200 scale all" in page.text
    assert "+1.15 [+0.90, +1.40] paired t, n = 5 < 0.001 < 0.001 –" in page.text


def test_anchors_lead_somewhere_and_ids_are_unique(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag, attributes in page.elements:
        if tag in ("a", "use"):
            assert attributes["href"][1:] in ids


def test_figures_have_words_for_who_cannot_see_them(page: Page) -> None:
    figures = [a for a in page.all("div", role="img") if "scroll" in a.get("class", "")]
    figures += page.all("figure", role="img")
    assert len(figures) == 2 + 8 + 5 + 5
    assert all(len(attributes["aria-label"]) > 40 for attributes in figures)
    assert all(attributes.get("alt") for attributes in page.all("img"))


def test_markdown_links_to_files_that_are_there(
    report: pathlib.Path, study: dict[str, Any]
) -> None:
    text = (report / "report.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert "forest-table5.svg" in links and "report.html" in links
    assert all((report / link).is_file() for link in links)
    for row in rows_of(study):
        for value in row["values"].values():
            assert f"{value:.2f}" in text


def test_markdown_tables_have_as_many_cells_as_columns(report: pathlib.Path) -> None:
    text = (report / "report.md").read_text(encoding="utf-8")
    for block in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        cells = [len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()]
        assert len(set(cells)) == 1


def test_rows_of_several_groups_are_told_apart(quick: None, tmp_path: pathlib.Path) -> None:
    study = report_study.make_study()
    rows = study["tables"][1]["rows"]
    for row in rows:
        row["label"] = "FP-LIIF"
    study["tables"][1]["rows"] = rows[:2]
    write_report(report_study.as_study(study), {}, tmp_path)
    source = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert re.findall(r"<b>FP-LIIF</b><small>([^<]*)<", source)[-2:] == [
        "table5/lambda=0",
        "table5/lambda=10",
    ]
    assert "FP-LIIF, table5/lambda=0 &" in (tmp_path / "table5.tex").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8")) == study


def test_what_all_rows_say_is_said_once(quick: None, tmp_path: pathlib.Path) -> None:
    study = report_study.make_study()
    apart = study["tables"][0]["rows"][4]
    study["tables"] = [study["tables"][0] | {"rows": [apart] * 14}]
    write_report(report_study.as_study(study), {}, tmp_path)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "Not comparable: shown, not judged. drawn faces, not Helen" in page.text
    assert page.text.count("drawn faces, not Helen") == 2  # there, and at the group
    assert page.text.count("FP-LIIF Table 1") == 1 + 2  # the source; the title and its link
    assert "14 rows, all of them not comparable" in page.text


def test_rows_that_nobody_ran_are_listed_apart(report: pathlib.Path) -> None:
    source = (report / "report.html").read_text(encoding="utf-8")
    part = re.search(r"1 published row without a run here</summary>(.*?)</details>", source, re.S)[
        1
    ]
    assert "EHANet" in part and "91.50" in part and part.count("<tr id=") == 1


def test_a_verdict_on_runs_that_cannot_be_compared_is_refused() -> None:
    for verdict in ("reproduced", "reproduced within margin", "not reproduced"):
        study = report_study.make_study()
        study["tables"][0]["rows"][4]["verdict"] = verdict
        with pytest.raises(ValueError, match="STN-iCNN on drawn faces.* may not be compared"):
            report_study.as_study(study)


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("verdict", "splendid", "'splendid' is not a valid Verdict"),
        ("group", "g99", "'FP-LIIF' is of 'g99', which is no group"),
        ("summary", None, "'FP-LIIF' is reproduced, but there is nothing to compare"),
        ("published", None, "'FP-LIIF' is reproduced, but there is nothing to compare"),
    ],
)
def test_contradictions_are_refused(field: str, value: Any, problem: str) -> None:
    study = report_study.make_study()
    study["tables"][0]["rows"][0][field] = value
    with pytest.raises(ValueError, match=problem):
        report_study.as_study(study)


def test_only_what_needs_no_runs_may_have_a_verdict_without_them(
    quick: None, tmp_path: pathlib.Path
) -> None:
    study = report_study.make_study()
    row = study["tables"][0]["rows"][0]
    row |= {"group": None, "metric": "fps"}
    with pytest.raises(ValueError, match="'FP-LIIF' is reproduced"):
        report_study.as_study(study)
    row["rests_on_runs"] = False
    write_report(report_study.as_study(study), {}, tmp_path / "report")
    row["group"] = "g3"  # a group that may not be compared
    with pytest.raises(ValueError, match="'FP-LIIF' is reproduced"):
        report_study.as_study(study)


def test_a_row_without_a_verdict_needs_its_group_too() -> None:
    study = report_study.make_study()
    study["tables"][0]["rows"][3]["group"] = "g99"
    with pytest.raises(ValueError, match="'g99', which is no group"):
        report_study.as_study(study)


def test_numbers_that_json_lacks_are_refused(quick: None, tmp_path: pathlib.Path) -> None:
    study = report_study.make_study() | {"margin": float("nan")}
    with pytest.raises(ReportError, match="JSON"):
        write_report(report_study.as_study(study), {}, tmp_path)


def test_an_empty_study_is_a_report(tmp_path: pathlib.Path) -> None:
    write_report(report_study.as_study(report_study.empty_study()), {}, tmp_path)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "No run was found in runs" in page.text
    assert {a["id"] for a in page.all("section")} == {
        "environment",
        "deviations",
        "incomplete",
        "commands",
        "terms",
    }
    assert not page.all("a", href="#incomplete")


def test_a_group_alone_is_a_report(tmp_path: pathlib.Path) -> None:
    for index in (4, 5):  # one seed; nothing known
        study = report_study.make_study() | {"tables": []}
        study["groups"] = [study["groups"][index]]
        write_report(report_study.as_study(study), {}, tmp_path)
        page = Page((tmp_path / "report.html").read_text())
        assert study["groups"][0]["name"] in page.text
        for text in (page.text, (tmp_path / "report.md").read_text()):
            assert "need 3 seeds: no score here has as many, and so none has it." in text


def test_an_inconclusive_row_may_have_no_values(quick: None, tmp_path: pathlib.Path) -> None:
    study = report_study.make_study()
    nothing = {"n": 0, "mean": None, "sd": None, "sem": None, "minimum": None, "maximum": None}
    study["tables"][0]["rows"][2] |= {"summary": nothing, "values": {}, "t_interval": None}
    write_report(report_study.as_study(study), {}, tmp_path)


def test_a_failure_leaves_the_old_report(
    quick: None, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_report(report_study.as_study(report_study.empty_study()), {}, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr(write, "render_html", lambda *arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_report(report_study.as_study(report_study.make_study()), {}, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_stale_files_go_and_foreign_files_stay(quick: None, tmp_path: pathlib.Path) -> None:
    write_report(report_study.as_study(report_study.make_study()), {}, tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "table5.csv").write_text("changed by hand")
    assert (tmp_path / "table1.csv").exists()
    write_report(report_study.as_study(report_study.empty_study()), {}, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "notes.txt",
        "report.html",
        "report.json",
        "report.md",
        "report_files.json",
        "table5.csv",
    ]


def test_the_list_of_files_cannot_name_others(quick: None, tmp_path: pathlib.Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("x")
    output = tmp_path / "report"
    output.mkdir()
    digest = hashlib.sha256(b"x").hexdigest()
    (output / "report_files.json").write_text(json.dumps({"../outside.txt": digest, "..": digest}))
    write_report(report_study.as_study(report_study.empty_study()), {}, output)
    assert outside.exists()


def test_table_ids_cannot_lead_elsewhere_or_collide(quick: None, tmp_path: pathlib.Path) -> None:
    study = report_study.make_study()
    for table, name in zip(study["tables"], ("../../up", "report", "REPORT"), strict=True):
        table["id"] = name
    output = tmp_path / "report"
    write_report(report_study.as_study(study), {}, output)
    assert [path.name for path in tmp_path.iterdir()] == ["report"]
    assert json.loads((output / "report.json").read_text(encoding="utf-8")) == study
    assert sorted(path.name for path in output.glob("*.csv")) == [
        "REPORT-3.csv",
        "report-2.csv",
        "up.csv",
    ]


def test_a_folder_that_cannot_be_written_is_told(quick: None, tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match="file"):
        write_report(report_study.as_study(report_study.empty_study()), {}, tmp_path / "file")


def test_a_folder_that_another_report_is_written_into_is_left_alone(
    quick: None, tmp_path: pathlib.Path
) -> None:
    study = report_study.as_study(report_study.empty_study())
    with run_lock.writing(tmp_path):
        with pytest.raises(run_lock.RunLockError, match="another process is at work in .*--output"):
            write_report(study, {}, tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == [".writing"]
    write_report(study, {}, tmp_path)
    assert (tmp_path / "report.html").exists() and not (tmp_path / ".writing").exists()


def test_a_file_that_cannot_be_written_is_named_as_it_would_be_called(
    quick: None, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: pathlib.Path, content: bytes) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    study = report_study.as_study(report_study.empty_study())
    with monkeypatch.context() as patched, pytest.raises(ReportError) as told:
        patched.setattr(pathlib.Path, "write_bytes", refuse)
        write_report(study, {}, tmp_path)
    assert f"{tmp_path / 'report.json'}: Permission denied; name a folder" in str(told.value)
    (tmp_path / "report.md").mkdir()
    with pytest.raises(ReportError, match="/report.md: Is a directory; name a folder"):
        write_report(study, {}, tmp_path)


def test_the_same_study_gives_the_same_bytes(
    report: pathlib.Path, study: dict[str, Any], tmp_path: pathlib.Path
) -> None:
    time.sleep(1.1)  # dates in files have seconds
    write_report(report_study.as_study(study), {"g0": report_study.make_examples()}, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        path.name: path.read_bytes() for path in report.iterdir()
    }
