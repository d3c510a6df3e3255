"""Tables of the model cards, made of what is kept of the weights in experiments/results."""

import numpy as np
from kept_tables import kept
from markdown_tables import table

from fpliif_jax.fields.json_types import JsonObject
from fpliif_jax.weights import NAMES

# Of `experiments.groups.kinds`: all kinds, but of half-length pictures only those by `drawn`; these by the other
# weights; all kinds by a run of `configs/synthetic.py`.
_KINDS = ("weights", "half_length", "synthetic")


def groups(weights: str, *without: str) -> str:
    """F1 of groups of drawn faces, but for those by the attributes named."""
    rows = []
    for attribute, of_groups in kept(f"weights/{weights}/groups.json")["attributes"].items():
        if attribute not in without:
            rows.append([f"**{attribute}**", "", "", "", ""])
            rows += [_group(name, score) for name, score in of_groups.items()]
    return table(("", "faces", "mean F1", "all", "lowest class"), rows)


def _group(name: str, score: JsonObject) -> list[str]:
    lowest = f"{score['lowest_class']} {score['lowest_f1']:.1f}"
    return [name, str(score["faces"]), _mean(score), f"{score['all_f1']:.1f}", lowest]


def kinds() -> str:
    """Mean F1 of all weights, and of a run on plain faces, on each kind of drawn faces."""
    rows = [row for name in _KINDS for row in kept(f"drawn_kinds/{name}.json")["rows"]]
    columns = list(dict.fromkeys((row["kind"], row["find"]) for row in rows))
    found = {(row["model"], row["kind"], row["find"]): row for row in rows}
    models = dict.fromkeys(row["model"] for row in rows)
    lines = []
    for title, key in (("ten classes", "ten"), ("eight parts", "eight")):
        lines.append([f"**{title}**"] + [""] * len(columns))
        for model in models:
            if key == "eight" or found[model, *columns[0]][key]:
                scores = [found.get((model, *column), {}).get(key) for column in columns]
                name = f"`{model}`" if model in NAMES else "`configs/synthetic.py`"
                lines.append([name, *(_mean(score) if score else "–" for score in scores)])
    head = [kind if find == "none" else f'{kind}, `find="{find}"`' for kind, find in columns]
    return table(("", *head), lines)


def half_length(weights: str) -> str:
    """What finding faces is worth on half-length pictures."""
    rows = kept("drawn_kinds/weights.json")["rows"]
    of_kind = (row for row in rows if (row["kind"], row["model"]) == ("half-length", weights))
    none, auto = sorted(of_kind, key=lambda row: row["find"] == "auto")
    before, after = (row["ten"]["mean_f1"] for row in (none, auto))
    found, faces = auto["windows"]["1"], auto["ten"]["faces"]
    return f"{before:.1f} to {after:.1f}, with one face found in {found} of {faces}"


def _mean(score: JsonObject) -> str:
    return f"{score['mean_f1']:.1f} ({score['low']:.1f}–{score['high']:.1f})"


def hidden_parts() -> str:
    """Windows of `drawn_stn_icnn` when parts of photographs are hidden; all parts of a row count alike."""
    measured = kept("weights/drawn_stn_icnn/robustness.json")
    parts = measured["parts"]
    rows = {
        "all parts": [measured["overall"]],
        "… where the coarse mask lost the part": [measured["when_lost"]],
        "brows": [parts["brow1"], parts["brow2"]],
        "eyes": [parts["eye1"], parts["eye2"]],
        "nose": [parts["nose"]],
        "mouth": [parts["mouth"]],
    }
    head = "STN, before → hidden", "centroid, before → hidden"
    last = "window still centred in the part, STN / centroid"
    return table(("", *head, last), (_hidden(*row) for row in rows.items()))


def _hidden(name: str, parts: list[JsonObject]) -> list[str]:
    counts = [one["hidden"] for one in parts]
    cells, inside = [f"{name} ({sum(counts)})"], []
    for windows in ("stn", "centroid"):
        of_parts = [one[windows] for one in parts]
        before, after = (
            np.average([one[key]["mean"] for one in of_parts], weights=counts)
            for key in ("distance_before", "distance_after")
        )
        cells.append(f"{before:.1f} → {after:.1f}")
        share = np.average([one["inside_after"] for one in of_parts], weights=counts)
        inside.append(f"{100 * share:.0f} %")
    return [*cells, " / ".join(inside)]
