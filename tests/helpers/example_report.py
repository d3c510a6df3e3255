"""Renders docs/example_report again, from the numbers and pictures in it: its runs are not kept.

    python -m tests.helpers.example_report

Do this after a change of how reports look. Fields that are new in report.json have to be added to it first.
"""

import html
import json
import pathlib
import re
import sys

from fpliif_jax.experiments.comparison.study import Study
from fpliif_jax.experiments.comparison.study_groups import ReportGroup
from fpliif_jax.experiments.report import write
from fpliif_jax.experiments.report.figures.gallery import Card, Frame, Gallery

sys.path.insert(0, str(pathlib.Path(__file__).parent))  # as in conftest.py

from report_study import as_study

FOLDER = pathlib.Path(__file__).parents[2] / "docs" / "example_report"


def render(folder: pathlib.Path, output: pathlib.Path) -> None:
    """Writes the report in `folder` again, into `output`."""
    study = as_study(json.loads((folder / "report.json").read_text(encoding="utf-8")))
    page = (folder / "report.html").read_text(encoding="utf-8")
    write.write_rendered(study, galleries(page, study), output)


def galleries(page: str, study: Study) -> list[Gallery]:
    """The pictures of a report.html; numbers beside them have the decimals that they are shown with."""
    groups = {group.name: group for group in study.groups}
    return [
        _gallery(text, groups)
        for text in re.findall(r'<details class="gallery".*?</details>', page, re.DOTALL)
    ]


def _gallery(text: str, groups: dict[str, ReportGroup]) -> Gallery:
    summary = r"<summary><b>(.*?)</b> <small>(\w+) split, (\w+) checkpoint, .*?(\d+) images</small>"
    name, split, checkpoint, split_size = re.search(summary, text).groups()
    rows = re.findall(r"<span data-row-text[^>]*><b>(.*?)</b>(?:: (.*?))?</span>", text)
    legend = re.findall(r'<li><span style="background:(.*?)"></span>(.*?)</li>', text)
    return Gallery(
        group=groups[html.unescape(name)],
        split=split,
        checkpoint=checkpoint,
        split_size=int(split_size),
        rows=tuple((html.unescape(title), html.unescape(meaning)) for title, meaning in rows),
        first=int(re.search(r'type="range".*? value="(\d+)"', text)[1]),
        cards=tuple(_card(card) for card in text.split('<div class="card ')[1:]),
        legend=tuple((html.unescape(name), colour) for colour, name in legend),
    )


def _card(text: str) -> Card:
    aspect, photo = re.search(r'--aspect:([\d.]+)(?:;--photo:url\((.*?)\))?"', text).groups()
    caption = r"</span> <b>(.*?)</b> <span>(\d+) of \d+ from the worst · F1 ([\d.]+)</span>"
    example_id, rank, f1 = re.search(caption, text).groups()
    frames = re.findall(r'<img src="(.*?)" alt="(\w+) of .*?" data-rows="([\d ]+)"', text)
    return Card(
        place=text.partition('"')[0],
        example_id=html.unescape(example_id),
        rank=int(rank),
        f1=float(f1),
        aspect=float(aspect),
        photo=photo,
        frames=tuple(
            Frame(kind, uri, tuple(int(row) for row in rows.split())) for uri, kind, rows in frames
        ),
        wrong=tuple(float(share) for share in re.findall(r"; ([\d.]+) % wrong</p>", text)),
    )


if __name__ == "__main__":
    render(FOLDER, FOLDER)
