"""Tables of the model cards, made of what is kept of the weights in experiments/results."""

import numpy as np
from kept_tables import kept
from markdown_tables import table

from fpliif_jax.fields.json_types import JsonObject


def groups(weights: str, *without: str) -> str:
    """F1 of groups of drawn faces, but for those by the attributes named."""
    rows = []
    for attribute, of_groups in kept(f"weights/{weights}/groups.json")["attributes"].items():
        if attribute not in without:
            rows.append([f"**{attribute}**", "", "", "", ""])
            rows += [_group(name, score) for name, score in of_groups.items()]
    return table(("", "faces", "mean F1", "all", "lowest class"), rows)


def _group(name: str, score: JsonObject) -> list[str]:
    mean = f"{score['mean_f1']:.1f} ({score['low']:.1f}–{score['high']:.1f})"
    lowest = f"{score['lowest_class']} {score['lowest_f1']:.1f}"
    return [name, str(score["faces"]), mean, f"{score['all_f1']:.1f}", lowest]


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
