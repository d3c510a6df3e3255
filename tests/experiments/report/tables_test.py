"""Tables of the report as CSV and LaTeX, and numbers as text."""

import csv
import io
import re
from typing import Any

import pytest
import report_study

from fpliif_jax.experiments.comparison.study_tables import Published
from fpliif_jax.experiments.report import wording
from fpliif_jax.experiments.report.pages import latex, markdown
from fpliif_jax.experiments.report.pages.tables_csv import render_csv
from fpliif_jax.experiments.stats import number_text
from fpliif_jax.experiments.stats.seed_statistics import Summary
from fpliif_jax.systems.protocol import Protocol


@pytest.fixture(scope="module")
def tables() -> list[dict[str, Any]]:
    return report_study.make_study()["tables"]


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("name", ["=1+1", "+x", "-x", "@sum", "\t=1"])
def test_csv_has_no_text_that_a_spreadsheet_would_carry_out(
    tables: list[dict[str, Any]], name: str
) -> None:
    rows = [{**tables[0]["rows"][0], "label": name, "reason": "-0.5"}]
    (line,) = read(render_csv(report_study.as_table({**tables[0], "rows": rows})))
    assert (line["label"], line["reason"]) == (f"'{name}", "-0.5")


def test_csv_has_every_number_in_full(tables: list[dict[str, Any]]) -> None:
    for table in tables:
        text = render_csv(report_study.as_table(table))
        assert text.startswith("label,system,group,")  # also of a table without rows
        lines = read(text)
        assert len(lines) == len(table["rows"])
        for line, row in zip(lines, table["rows"], strict=True):
            assert line["label"] == row["label"]
            assert line["verdict"] == (row["verdict"] or "")
            for seed, value in row["values"].items():
                assert float(line[f"seed_{seed}"]) == value
            for name in ("t", "bootstrap", "prediction", "image"):
                ends = [line[f"{name}_interval_{end}"] for end in ("low", "high")]
                expected = row[f"{name}_interval"]
                assert [float(end) for end in ends if end] == (expected or [])
            for field, value in (row["summary"] or {}).items():
                assert (float(line[field]) if line[field] else None) == value
            if row["published"] is not None:
                assert line["published_printed"] == row["published"]["printed"]
                assert float(line["published_value"]) == row["published"]["value"]
            for test in row["tests"]:
                cell = line[f"p_{test['name']}"]
                assert (float(cell) if cell else None) == test["p"]


def test_csv_orders_seeds_as_numbers(tables: list[dict[str, Any]]) -> None:
    row = tables[0]["rows"][0] | {"values": {"10": 1.0, "9": 2.0, "1": 3.0, "-2": 4.0, "-1": 5.0}}
    text = render_csv(report_study.as_table(tables[0] | {"rows": [row]}))
    assert re.findall(r"seed_-?\d+", text) == ["seed_1", "seed_9", "seed_10", "seed_-1", "seed_-2"]


def test_latex_escapes_what_it_would_read_as_commands() -> None:
    found = latex.escaped("\\input{x} 5% & a_b $y$ #1 ~ ^ <z> λ = 0 → 64² ± é 人")
    assert found == (
        r"{\textbackslash}input\{x\} 5\% \& a\_b \$y\$ \#1 {\textasciitilde} {\textasciicircum} "
        r"\ensuremath{<}z\ensuremath{>} \ensuremath{\lambda} = 0 {\textrightarrow} 64{\texttwosuperior} "
        r"\ensuremath{\pm} \'e ?"
    )
    # Commands of other packages, or of none.
    assert latex.escaped("ж ⅓ ≙ ŉ ∈ | Λ „ő“ 5 €") == (
        r"? ? ? ? ? | \ensuremath{\Lambda} ?\H{o}{\textquotedblleft} 5 {\texteuro}"
    )


def test_latex_tables_are_whole(tables: list[dict[str, Any]]) -> None:
    for table in tables:
        text = latex.render_latex(report_study.as_table(table))
        text = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
        for pair in (("{", "}"),):
            depth = 0
            for mark in re.findall(r"(?<!\\)[{}]", text):
                depth += 1 if mark == pair[0] else -1
                assert depth >= 0
            assert depth == 0
        assert len(re.findall(r"(?<!\\)\$", text)) % 2 == 0
        for rule in ("toprule", "midrule", "bottomrule", "end{tabular}"):
            assert rule in text
        lines = [line for line in text.splitlines() if line.startswith("{}")]
        assert len(lines) == len(table["rows"])
        assert all(len(re.findall(r"(?<!\\)&", line)) == 5 for line in lines)


def test_latex_rows_have_published_mean_sd_and_n(tables: list[dict[str, Any]]) -> None:
    row = tables[1]["rows"][2]
    mean, sd = row["summary"]["mean"], row["summary"]["sd"]
    low, high = row["t_interval"]
    assert (
        rf"{{}}\ensuremath{{\lambda}} = 40 & 92.35 \ensuremath{{\pm}} 0.06 & "
        rf"{mean:.2f} \ensuremath{{\pm}} {sd:.2f} & 5 & "
        rf"[{low:.2f}, {high:.2f}] & reproduced \\"
        in latex.render_latex(report_study.as_table(tables[1]))
    )


def test_latex_published_numbers_stand_under_each_other_as_printed(
    tables: list[dict[str, Any]],
) -> None:
    row = tables[0]["rows"][0]
    printed = {"96": r"96\phantom{.00}", "97.6": r"97.6\phantom{0}", "90.25": "90.25"}
    rows = [{**row, "published": {**row["published"], "printed": text}} for text in printed]
    text = latex.render_latex(report_study.as_table(tables[0] | {"rows": rows}))
    found = [line.split(" & ")[1] for line in text.splitlines() if line.startswith("{}")]
    assert found == list(printed.values())


def test_latex_sets_apart_what_cannot_be_compared(tables: list[dict[str, Any]]) -> None:
    text = latex.render_latex(report_study.as_table(tables[0]))
    last = text[text.index("Not comparable") :]
    assert "STN-iCNN on drawn faces" in last
    assert "& reproduced" not in last


def test_markdown_keeps_pipes_and_tags_out_of_tables() -> None:
    assert markdown.escaped("a|b <i> [x](y) *z* `c`") == (r"a\|b &lt;i&gt; \[x\]\(y\) \*z\* \`c\`")


def test_a_code_block_is_not_ended_by_its_content() -> None:
    study = report_study.empty_study() | {"commands": ["echo ```` & rm"]}
    text = markdown.render_markdown(report_study.as_study(study), [], {})
    assert "`````bash\necho ```` & rm\n`````" in text


@pytest.mark.parametrize(
    ("name", "title", "meaning"),
    [
        ("48to64", "48 → 64", "decoded at 48², scored at 64²"),
        ("48->64", "48 → 64", "decoded at 48², scored at 64²"),
        ("128", "128", "decoded and scored at 128²"),
        ("64to64", "64", "decoded and scored at 64²"),
        ("true_windows", "true windows", "fine networks on windows around the true centroids"),
        ("other", "other", ""),
    ],
)
def test_rows_are_told_in_words(name: str, title: str, meaning: str) -> None:
    assert (Protocol.of_key(name).title, wording.row_meaning(name)) == (title, meaning)


def test_numbers_as_text() -> None:
    assert number_text.number(-0.126) == "−0.13"
    assert number_text.number(2283019) == "2,283,019"
    assert number_text.number(None) == number_text.number(float("nan")) == "–"
    assert number_text.difference(0.5) == "+0.50"
    assert number_text.difference(-0.5, 1) == "−0.5"
    assert number_text.difference(0.0) == number_text.difference(-0.004) == "0.00"
    assert number_text.difference(0.004) == number_text.number(-0.004) == "0.00"
    assert number_text.interval((-0.004, 0.006), signed=True) == "[0.00, +0.01]"
    assert number_text.difference(None) == number_text.difference(float("nan")) == "–"
    assert number_text.difference(12345.6) == "+12,346"
    assert number_text.interval([1, 2]) == "[1.00, 2.00]"
    assert number_text.interval(None) == "–"
    assert (number_text.p_value(0.0004), number_text.p_value(0.04), number_text.p_value(None)) == (
        "< 0.001",
        "0.040",
        "–",
    )
    assert wording.mean_sd(Summary(3, 92.384, 0.061, None, None, None)) == "92.38 ± 0.06"
    assert wording.mean_sd(Summary(1, 92.384, None, None, None, None)) == "92.38"
    fraction = Published(91.0, ".910", 1, None, 10, "", "fraction")
    assert wording.published(fraction) == "91.0"
    assert wording.published_note(fraction) == "10 runs, printed as .910"
    percent = Published(9.0, "9", 0, 0.1, None, "", "percent")
    assert wording.published_note(percent) == "number of runs not given"
    assert wording.plain({"jax": "0.1", "on": True, "no": None}) == "jax 0.1, on yes, no –"
