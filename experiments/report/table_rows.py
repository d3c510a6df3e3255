"""What the rows of a table have in common, what tells them apart, and which of them are judged."""

from typing import Any

from fpliif_jax.experiments.report import wording

_FIELDS = ("split", "checkpoint", "row", "metric", "class")


def with_group_names(study: dict[str, Any]) -> dict[str, Any]:
    """The study with the name of its group in every row, to tell apart rows of several groups."""
    names = {group["id"]: str(group["name"]) for group in study["groups"]}
    tables = [
        table | {"rows": [row | {"group_name": names.get(row["group"])} for row in table["rows"]]}
        for table in study["tables"]
    ]
    return study | {"tables": tables}


def common_text(table: dict[str, Any]) -> str:
    """'test split, best checkpoint, row 64, mean F1': what holds for all rows that have values."""
    rows = [row for row in table["rows"] if has_values(row)]
    common = {field: rows[0][field] for field in _FIELDS if rows and len(_values(rows, field)) == 1}
    parts = [wording.score_place(common)]
    if common.get("metric"):
        parts.append(wording.metric_name(common["metric"], common.get("class")))
    return ", ".join(part for part in parts if part)


def detail(table: dict[str, Any], row: dict[str, Any]) -> str:
    """What tells a row apart beside its label: fields that differ within the table."""
    rows = [other for other in table["rows"] if has_values(other)]
    differing = {field: row[field] for field in _FIELDS if len(_values(rows, field)) > 1}
    parts = []
    said = str(row["label"]).replace("_", " ")
    is_told = row["class"] not in (None, "mean") and wording.class_title(row["class"]) in said
    if ("metric" in differing or "class" in differing) and row["metric"] and not is_told:
        parts.append(wording.metric_name(row["metric"], row["class"]))
    parts.append(wording.score_place(differing))
    others = {other["group"] for other in rows if other["label"] == row["label"]}
    if len(others) > 1 and row.get("group_name"):
        parts.append(row["group_name"])
    if row["system"] != "ours" and row["system"] not in row["label"]:
        parts.append(str(row["system"]))
    return ", ".join(part for part in parts if part and part not in said)


def has_values(row: dict[str, Any]) -> bool:
    """Whether anything was measured for a row."""
    return row["summary"] is not None and row["summary"]["mean"] is not None


def full_name(table: dict[str, Any], row: dict[str, Any]) -> str:
    """Label and detail on one line."""
    more = detail(table, row)
    return f"{row['label']}, {more}" if more else str(row["label"])


def judged(table: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows beside a published number, with a verdict."""
    return [row for row in table["rows"] if row["verdict"] not in (None, "not comparable")]


def set_apart(table: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows that may not be compared with the published number."""
    return [row for row in table["rows"] if row["verdict"] == "not comparable"]


def unjudged(table: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows without a verdict: nothing was published, or nothing was run."""
    return [row for row in table["rows"] if row["verdict"] is None]


def has_published(table: dict[str, Any]) -> bool:
    """Whether any row stands beside a published number."""
    return any(row["published"] is not None for row in table["rows"])


def published_in_points(row: dict[str, Any]) -> bool:
    """Whether the margin of equivalence, in F1 points, means anything for a row."""
    return (row["published"] or {}).get("unit") in ("percent", "fraction")


def _values(rows: list[dict[str, Any]], field: str) -> set[Any]:
    return {row[field] for row in rows if row[field] is not None}
