"""Tests of docs/predict.md, docs/export.md and docs/demo.md: what they say of weights in use is in the JSON."""

import json
import pathlib
from typing import Any

import made_parts

from fpliif_jax.experiments.benchmark.deployment import graphs

_ROOT = pathlib.Path(__file__).parents[1]
_KEPT = _ROOT / "experiments" / "results" / "amd-epyc-2-cores-deployment"


def _rows(name: str) -> list[dict[str, Any]]:
    return json.loads((_KEPT / f"{name}.json").read_text("utf-8"))["rows"]


def _page(name: str) -> str:
    return (_ROOT / "docs" / name).read_text("utf-8")


def test_every_file_has_its_table_and_its_link_on_a_page() -> None:
    for name in (path.stem for path in _KEPT.glob("*.json")):
        (page,) = (page for page, parts in made_parts.PARTS.items() if name in parts)
        assert f"{_KEPT.name}/{name}.json)" in _page(page)


def test_frames_that_two_free_cores_have_time_for_are_those_of_the_json() -> None:
    frames = [2 / sum(row["processor_seconds"].values()) for row in _rows("drawn-video")[:2]]
    said = "time for {:.1f} and {:.1f} frames of `.mp4` a second".format(*frames)
    assert said in " ".join(_page("predict.md").split())


def test_no_file_from_jax_takes_more_than_1_3_times_as_long_as_pytorch_s() -> None:
    whole = {row["output_size"]: row for row in _rows("drawn-graphs") if row["what"] == "model"}
    assert whole.keys() == set(graphs.SIZES)
    assert all(row["ratio"]["median"] < 1.3 for row in whole.values())
    milliseconds = 1000 * min(whole[256]["measurements"][0]["seconds"])
    said = f"takes {milliseconds:.0f} ms for photo, encoder and decoder at 256²"
    assert said in _page("demo.md").replace("\n", " ")


def test_the_network_of_stn_icnn_has_as_many_operators_as_both_pages_say() -> None:
    (nodes,) = {row["nodes"] for row in _rows("drawn_stn_icnn-differences") if "nodes" in row}
    assert f"The ONNX file has {nodes:,} nodes." in _page("export.md")
    assert f"The network is {nodes:,} operators" in _page("demo.md")
