"""The study as one JSON-ready dictionary: what the report renders, and report.json.

    {"title", "root", "margin", "summary": [sentence], "commands": [command],
     "groups": [runs that differ in their seed alone: scores, confusion, curves, deviations, …],
     "tables": [{"id", "title", "unit", "rows", "comparisons"}],
     "incomplete_runs": [{"name", "status", "problem"}],
     "environments": {"common", "differences"}, "external": [file]}

Scores are in percent points, intervals [low, high], and what is undefined is None. Nothing here raises for what a
run's files contain.
"""

import pathlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

from experiments.launching.jobs import last_error
from experiments.published import PublishedValue, read_external
from experiments.study import comparison, costs, deviations, hidden_parts
from experiments.study.comparison import Line
from experiments.study.measured import Key, MeasuredGroup, described
from experiments.study.runs import Run, group_runs, read_runs
from experiments.study.studies import Study, read_studies
from experiments.study.tables import TABLES, Table
from fpliif_jax import checkpoint

_CLASSES = "-classes"  # ends the name of a table by class


def analyse(
    root: pathlib.Path, external: Sequence[pathlib.Path] = ()
) -> tuple[dict[str, Any], dict[str, Run]]:
    """Reads all runs in a folder and compares them with what is published.

    Args:
      root: folder of the runs.
      external: CSV files of numbers measured elsewhere, in the format of experiments/published.

    Returns:
      The study, and by group identifier the run whose examples are shown.

    Raises:
      RunError: root is not a folder.
      PublishedError: an external file cannot be read.
    """
    runs = read_runs(root)
    studies, problems = read_studies(root)
    elsewhere = [value for path in external for value in read_external(path)]
    lines = [
        _line(f"g{index}", MeasuredGroup(group), studies)
        for index, group in enumerate(found for found in group_runs(runs) if found.finished)
    ]
    tables = _tables(lines, studies, elsewhere)
    tables += costs.tables(root, studies) + hidden_parts.tables(root, studies)
    groups = [_group(line, lines) for line in lines]
    incomplete = _incomplete(root, runs, studies, problems, lines)
    margins = [line.margin for line in lines]
    study = {
        "title": _title(studies, lines, root),
        "root": root.resolve().name,
        "margin": min(margins, default=0.5),
        "summary": _summary(lines, tables, incomplete),
        "commands": _commands(studies, runs),
        "groups": groups,
        "tables": tables,
        "incomplete_runs": incomplete,
        "environments": _environments([run for run in runs if run.environment]),
        "external": [path.name for path in external],
    }
    return study, {line.identifier: next(iter(line.measured.runs.values())) for line in lines}


def _study_of(name: str, studies: Sequence[Study]) -> Study | None:
    """The innermost study that a run or a group lies in."""
    holding = [study for study in studies if study.holds(name)]
    return max(holding, key=lambda study: len(study.folder), default=None)


def _line(identifier: str, measured: MeasuredGroup, studies: Sequence[Study]) -> Line:
    first = next(iter(measured.runs.values()))
    study = _study_of(first.name, studies)
    variant = study.variant_of(first.name) if study else None
    if variant is not None:
        return Line(identifier, variant.label, measured, variant)
    variant = deviations.variant_of(measured.results["config"])
    return Line(identifier, measured.group.name, measured, variant)


def _tables(
    lines: Sequence[Line], studies: Sequence[Study], external: Sequence[PublishedValue]
) -> list[dict[str, Any]]:
    """A table for each study of one, then for runs that were started by themselves."""
    made: dict[tuple[str, str], tuple[Table | None, list[Line]]] = {}
    for line in lines:
        first = next(iter(line.measured.runs.values()))
        study = _study_of(first.name, studies)
        if study is not None and study.table is not None:
            table, folder = study.table, study.folder
        else:
            table, folder = _published_table(line), ""
        made.setdefault((table.name if table else "", folder), (table, []))[1].append(line)
    counts = Counter(name for name, _ in made)
    used: set[str] = set()
    tables = []
    for (name, folder), (table, members) in made.items():
        identifier = name or "other"
        if counts[name] > 1 and folder:
            identifier += "-" + "".join(c if c.isalnum() else "-" for c in folder)
        title = table.title if table else "Other runs"
        if counts[name] > 1 and folder:
            title += f" ({folder})"
        tables += _split(_table(identifier, title, table, members, external, used))
    rest = _unmatched(external, used)
    return tables + ([rest] if rest else [])


def _published_table(line: Line) -> Table | None:
    """The table that the claims of a line without a study are of."""
    if line.variant is None:
        return None
    return next(table for table in TABLES if line.variant in table.variants)


def _table(
    identifier: str,
    title: str,
    table: Table | None,
    lines: list[Line],
    external: Sequence[PublishedValue],
    used: set[str],
) -> dict[str, Any]:
    if table is not None:
        order = [variant.name for variant in table.variants]
        lines = sorted(lines, key=lambda line: order.index(line.variant.name))
    rows: list[dict[str, Any]] = []
    for line in lines:
        for row in comparison.rows_of(line, external):
            if row["system"] == "ours":
                place = len(rows)
            else:
                row["against"] = place
                used.add(row["system"])
            rows.append(row)
    _tell_apart(rows, lines)
    rows += comparison.peers(lines)
    baseline = None
    if table is not None and table.baseline is not None:
        baseline = next((line for line in lines if line.variant.name == table.baseline), None)
    found = [] if baseline is None else comparison.compare_lines(lines, baseline)
    return {
        "id": identifier,
        "title": title,
        "unit": "F1, percent",
        "rows": rows,
        "comparisons": found + comparison.compare_external(rows),
    }


def _tell_apart(rows: Sequence[dict[str, Any]], lines: Sequence[Line]) -> None:
    """Names the group in labels that several groups have."""
    names = {line.identifier: line.label for line in lines}
    groups: dict[str, set[str]] = {}
    for row in rows:
        groups.setdefault(row["label"], set()).add(row["group"])
    for row in rows:
        if len(groups[row["label"]]) > 1 and row["group"] in names:
            row["label"] = f"{names[row['group']]}: {row['label']}"


def _split(table: dict[str, Any]) -> list[dict[str, Any]]:
    """Means and overall scores in a table of their own, before the classes."""
    rows, comparisons = table["rows"], table["comparisons"]
    parts = []
    for is_main, suffix, title in ((True, "", ""), (False, _CLASSES, ", by class")):
        own = [row for row in rows if (row["class"] in comparison.MAIN_CLASSES) == is_main]
        differences = [
            one for one in comparisons if (one["class"] in comparison.MAIN_CLASSES) == is_main
        ]
        # Places in the whole table become places in this part.
        own = [
            row if row["against"] is None else {**row, "against": own.index(rows[row["against"]])}
            for row in own
        ]
        if own:
            parts.append(
                {
                    **table,
                    "id": table["id"] + suffix,
                    "title": table["title"] + title,
                    "rows": own,
                    "comparisons": differences,
                }
            )
    return parts


def _unmatched(external: Sequence[PublishedValue], used: set[str]) -> dict[str, Any] | None:
    """Numbers measured elsewhere that none of the runs is about: shown, beside nothing."""
    rows = []
    for key, values in comparison.measured_elsewhere(external).items():
        system, dataset, protocol, class_name, metric = key
        if system in used:
            continue
        rows.append(
            {
                "group": None,
                "label": " ".join(filter(None, (system, dataset, protocol, class_name))),
                "system": system,
                "split": "",
                "checkpoint": "",
                "row": protocol,
                "metric": metric,
                "class": class_name,
                "published": None,
                "margin": None,
                "against": None,
                **described(values),
                "tests": [],
                "verdict": None,
                "reason": "no run here is about this number",
            }
        )
    if not rows:
        return None
    title = "Measured elsewhere"
    return {
        "id": "external",
        "title": title,
        "unit": "F1, percent",
        "rows": rows,
        "comparisons": [],
    }


def _group(line: Line, lines: Sequence[Line]) -> dict[str, Any]:
    measured, results = line.measured, line.measured.results
    main = measured.main
    scores = []
    for key, score in measured.scores.items():
        images = measured.images(score) if _deserves_images(key, main) else None
        found = described(score.values, images)
        del found["prediction_interval"]
        scores.append(
            {
                "split": key[0],
                "checkpoint": key[1],
                "row": key[2],
                "metric": key[3],
                "class": key[4],
                **found,
            }
        )
    obstacles = line.obstacles()
    confusion = measured.confusion()
    return {
        "id": line.identifier,
        "name": _name(line, lines),
        "folder": measured.group.name,
        "model": results["model"],
        "dataset": results["dataset"],
        "parameters": results["parameters"],
        "seeds": list(measured.runs),
        "duplicate_seeds": list(measured.group.duplicates),
        "fixed_seeds": {
            source: value
            for source, value in measured.group.config["seeds"].items()
            if value != "follows"
        },
        "settings": _differing_settings(line, lines),
        "runs": [_run(run) for run in measured.group.finished],
        "main": None
        if main is None
        else dict(zip(("split", "checkpoint", "row", "metric", "class"), main, strict=True)),
        "scores": scores,
        "class_names": confusion["class_names"] if confusion else _class_names(results),
        "confusion": confusion,
        "curves": measured.curves(),
        "deviations": [
            {"field": one.field, "here": one.here, "paper": one.paper, "kind": one.kind}
            for one in line.deviations()
        ],
        "comparable": not obstacles,
        "reasons": obstacles,
        "problems": list(dict.fromkeys(measured.problems)),
    }


def _name(line: Line, lines: Sequence[Line]) -> str:
    """The line's label in its table, with its folder where several have it."""
    is_unique = sum(other.label == line.label for other in lines) == 1
    return line.label if is_unique else f"{line.label} ({line.measured.group.name})"


def _deserves_images(key: Key, main: Key | None) -> bool:
    """Resampling takes a moment: the classes of the main row, and the means of all others."""
    return key[3] == "mean_f1" or (main is not None and key[:3] == main[:3])


def _class_names(results: dict[str, Any]) -> list[str]:
    return ["background", *results["evaluations"][0]["class_f1"]]


def _differing_settings(line: Line, lines: Sequence[Line]) -> dict[str, Any]:
    """The fields in which the groups of this study differ."""
    configs = [
        {
            field: value
            for field, value in checkpoint.flatten_config(other.config).items()
            if not deviations.is_immaterial(field)
        }
        for other in lines
    ]
    own = configs[lines.index(line)]
    fields = sorted({field for config in configs for field in config})
    return {
        field: own.get(field)
        for field in fields
        if any(config.get(field) != own.get(field) for config in configs)
    }


def _run(run: Run) -> dict[str, Any]:
    train = run.results.get("train") or {}
    environment = run.environment or {}
    return {
        "name": run.name,
        "seed": run.seed,
        "seconds": train.get("seconds"),
        "images_per_second": train.get("images_per_second"),
        "git_commit": environment.get("git_commit"),
        "command": environment.get("command"),
        "notes": run.results["notes"],
    }


def _incomplete(
    root: pathlib.Path,
    runs: Sequence[Run],
    studies: Sequence[Study],
    problems: Sequence[str],
    lines: Sequence[Line],
) -> list[dict[str, Any]]:
    """Runs that are broken, half finished or never started, and evaluations that cannot be used."""
    found = [
        {"name": run.name, "status": run.status, "problem": run.problem}
        for run in runs
        if run.status != "finished"
    ]
    names = {run.name for run in runs}
    for study in studies:
        for job in study.jobs:
            name = f"{study.folder}/{job}" if study.folder else job
            if name not in names and "/seed" in f"/{job}":
                error = last_error(root / name / "run.log")
                problem = error or "it has left nothing; the same command starts it"
                status = "failed" if error else "not started"
                found.append({"name": name, "status": status, "problem": problem})
    for problem in problems:
        found.append({"name": problem.split(":")[0], "status": "broken", "problem": problem})
    for line in lines:
        for problem in dict.fromkeys(line.measured.problems):
            found.append(
                {"name": line.measured.group.name, "status": "evaluation", "problem": problem}
            )
        for seed in line.measured.group.duplicates:
            problem = f"seed {seed} was run more than once: the first of these runs counts"
            found.append(
                {"name": line.measured.group.name, "status": "duplicate", "problem": problem}
            )
    return found


def _commands(studies: Sequence[Study], runs: Sequence[Run]) -> list[str]:
    """What was typed, once each: the studies' commands, then those of all runs."""
    commands = [study.command for study in studies]
    commands += [
        run.environment["command"]
        for run in runs
        if run.environment and isinstance(run.environment.get("command"), str)
    ]
    return list(dict.fromkeys(commands))


def _environments(runs: Sequence[Run]) -> dict[str, Any]:
    """What the numbers may depend on outside of the config: what all runs share, and what they do not."""
    flat = {run.name: checkpoint.flatten_config(run.environment) for run in runs}
    for fields in flat.values():
        fields.pop("command", None)
    names = list(dict.fromkeys(field for fields in flat.values() for field in fields))
    common, differences = {}, []
    for field in names:
        values = {name: fields.get(field) for name, fields in flat.items()}
        first = next(iter(values.values()))
        if all(value == first for value in values.values()):
            common[field] = first
        else:
            differences.append({"field": field, "values": values})
    return {"common": common, "differences": differences}


def _title(studies: Sequence[Study], lines: Sequence[Line], root: pathlib.Path) -> str:
    titles = list(dict.fromkeys(study.table.title for study in studies if study.table))
    if len(titles) == 1:
        return titles[0]
    told = [_about(line) for line in lines] or [root.resolve().name]
    return f"Reproducibility study: {', '.join(dict.fromkeys(told))}"


def _about(line: Line) -> str:
    """'FP-LIIF, lapa', or '…, drawn faces in the layout of lapa'."""
    system = {"fp_liif": "FP-LIIF", "stn_icnn": "STN-iCNN"}[line.config["model"]["name"]]
    name = line.measured.results["dataset"]["name"]
    drawn = line.config["data"].get("synthetic", {}).get("num_train")
    return f"{system}, {f'drawn faces in the layout of {name}' if drawn else name}"


def _summary(
    lines: Sequence[Line], tables: Sequence[dict[str, Any]], incomplete: Sequence[dict[str, Any]]
) -> list[str]:
    """What a reader should know first, in plain sentences."""
    sentences = []
    if lines:
        count = sum(len(line.measured.runs) for line in lines)
        settings_ = "one setting" if len(lines) == 1 else f"{len(lines)} settings"
        sentences.append(f"{count} finished run{'s' if count != 1 else ''} of {settings_}.")
    elif not tables:
        sentences.append("There is no finished run here.")
    if incomplete:
        noun = "thing is" if len(incomplete) == 1 else "things are"
        sentences.append(
            f"{len(incomplete)} {noun} unfinished, missing or broken: see the list below."
        )
    if lines and all(line.obstacles() for line in lines):
        reason = lines[0].obstacles()[0]
        sentences.append(f"Nothing here can be held against a paper: {reason}.")
    else:
        sentences += _verdicts(tables)
    if lines:
        sentences += _spreads(lines)
    for table in tables:
        sentences += _differences(table)
    return sentences


def _verdicts(tables: Sequence[dict[str, Any]]) -> list[str]:
    """How many published numbers have which verdict: means and overall scores, then classes."""
    sentences = []
    for is_class, what in ((False, "means, overall scores and costs"), (True, "class scores")):
        words = Counter(
            row["verdict"]
            for table in tables
            for row in table["rows"]
            if row["verdict"] and row["system"] == "ours"
            if table["id"].endswith(_CLASSES) == is_class
        )
        if words:
            told = ", ".join(f"{number} {word}" for word, number in words.items())
            sentences.append(f"Of {sum(words.values())} published {what}: {told}.")
    return sentences


def _spreads(lines: Sequence[Line]) -> list[str]:
    """How far seeds, and test images, move the main score: of the setting with most runs, the paper's first."""

    def importance(line: Line) -> tuple[int, bool]:
        table = _published_table(line)
        is_baseline = table is not None and line.variant.name == table.baseline
        return len(line.measured.runs), is_baseline

    line = max(lines, key=importance)
    main = line.measured.main
    if main is None:
        return []
    score = line.measured.scores[main]
    found = described(score.values, line.measured.images(score))
    mean, sd, images = found["summary"]["mean"], found["summary"]["sd"], found["image_sd"]
    of_what = "mean F1" if main[3] == "mean_f1" else "overall F1"
    if sd is None:
        return [
            f"{line.label}: {of_what} {mean:.2f}, one run: nothing can be said about its variance."
        ]
    text = f"{line.label}: {of_what} {mean:.2f}, SD {sd:.2f} over {len(score.values)} seeds"
    if images is not None:
        text += f"; with other test images of the same kind it would move by an SD of {images:.2f}"
    return [text + "."]


def _differences(table: dict[str, Any]) -> list[str]:
    """Which lines of a table differ from its baseline, and numbers from elsewhere from ours, beyond doubt."""
    sentences = []
    for kind, what in (
        ("lines", "between its lines"),
        ("elsewhere", "to what was measured elsewhere"),
    ):
        made = [one for one in table["comparisons"] if one["kind"] == kind]
        clear = [one for one in made if one["p_holm"] < 0.05]
        told = [
            f"{one['a']} − {one['b']}: {one['difference']:+.2f}".replace("-", "−") for one in clear
        ]
        if told:
            sentences.append(
                f"{table['title']}: differences beyond the seeds' noise (Holm, 5 %): {'; '.join(told)}."
            )
        elif made:
            sentences.append(
                f"{table['title']}: no difference {what} stands out from the seeds' noise."
            )
    return sentences
