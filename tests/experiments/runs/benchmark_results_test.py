"""Tests of experiments.runs.typed_json and the rows of benchmark.json: what was measured is read, damage is named."""

import copy
import json
import pathlib
from collections.abc import Callable
from typing import Any

import pytest
from made_benchmark import HEAD, measurement

from fpliif_jax.data_builders.host.regular_files import MEBIBYTE
from fpliif_jax.experiments.benchmark import tables
from fpliif_jax.experiments.runs import typed_json
from fpliif_jax.experiments.runs.benchmark_results import SECTIONS, Results
from fpliif_jax.experiments.runs.bounded_files import UnreadableError

KEPT = pathlib.Path(__file__).parents[3] / "experiments" / "results"


def _read(path: pathlib.Path) -> Results:
    return typed_json.read(Results, path, path.parent, MEBIBYTE)


def _without_null(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _without_null(value) for key, value in content.items() if value is not None}
    return [_without_null(one) for one in content] if isinstance(content, list) else content


def test_results_that_are_kept_are_read_whole() -> None:
    """Of the first version on: every row has all its numbers, and what it has become is the same JSON again."""
    sections = set()
    for path in KEPT.glob("*/*.json"):
        content = json.loads(path.read_text(encoding="utf-8"))
        if "config_name" not in content or "settings" not in content:
            continue
        results = _read(path)
        again = typed_json.to_json(results)
        for name in SECTIONS.values():
            rows = _without_null(content.get(name, []))
            assert again.get(name, []) == rows, path
            sections |= {name} if rows else set()
        assert f"on {content['environment']['device']}\n" in tables.to_markdown(results)
    assert sections == {*SECTIONS.values()}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda c: c.pop("settings"), "benchmark.json: object missing required field `settings`"),
        (lambda c: c.update(finished=1), "benchmark.json: finished: expected `bool`, got `int`"),
        (
            lambda c: c["environment"].update(cpu_count=True),
            "benchmark.json: environment.cpu_count: expected `int | null`, got `bool`",
        ),
        (
            lambda c: c["environment"]["versions"].update(jax=1),
            "benchmark.json: environment.versions[...]: expected `str | null`, got `int`",
        ),
        (
            lambda c: c.update(measurements={}),
            "benchmark.json: measurements: expected `array`, got `object`",
        ),
        (
            lambda c: c["measurements"].append(3),
            "benchmark.json: measurements[1]: expected `object`, got `int`",
        ),
        (
            lambda c: c["measurements"][0].pop("candidate"),
            "benchmark.json: measurements[0]: object missing required field `candidate`",
        ),
        (
            lambda c: c["measurements"][0].pop("images_per_second"),
            "benchmark.json: measurements[0]: has no 'images_per_second'",
        ),
        (
            lambda c: c["measurements"][0]["seconds"].append("long"),
            "benchmark.json: measurements[0].seconds[3]: expected `float`, got `str`",
        ),
        (
            lambda c: c["fits"][0]["points"][0].append(5),
            "benchmark.json: fits[0].points[0]: expected `array` of length 2, got 3",
        ),
    ],
)
def test_a_damaged_file_is_one_line_with_its_name_and_the_field(
    damage: Callable[[dict[str, Any]], Any], message: str, tmp_path: pathlib.Path
) -> None:
    line = {"slope": 1.0, "intercept": 0, "r_squared": 1, "points": [[1, 0.5]]}
    content = copy.deepcopy(HEAD)
    content["measurements"] = [measurement("latency", "JAX", 64, 0.01)]
    content["fits"] = [{"of": "batch", "dtype": "float32", **line, "of_a_later_version": 3}]
    path = tmp_path / "benchmark.json"
    path.write_text(json.dumps(content))
    assert _read(path).fits[0].points == ((1, 0.5),)
    damage(content)
    path.write_text(json.dumps(content))
    with pytest.raises(UnreadableError) as raised:
        _read(path)
    assert str(raised.value) == message


def test_no_object_at_all_is_named(tmp_path: pathlib.Path) -> None:
    (tmp_path / "benchmark.json").write_text("[]")
    with pytest.raises(UnreadableError, match=r"^benchmark\.json: expected `object`, got `array`$"):
        _read(tmp_path / "benchmark.json")


def test_damaged_rows_are_left_out_and_named(tmp_path: pathlib.Path) -> None:
    content = copy.deepcopy(HEAD)
    sound = measurement("latency", "JAX", 64, 0.01)
    content["measurements"] = [sound, 3, {**sound, "seconds": ["long"]}, sound]
    path = tmp_path / "benchmark.json"
    path.write_text(json.dumps(content))
    results, problems = typed_json.read_sound_rows(Results, path, tmp_path, MEBIBYTE)
    assert typed_json.to_json(results.measurements) == _without_null([sound, sound])
    assert problems == [
        "benchmark.json: measurements[1]: expected `object`, got `int`",
        "benchmark.json: measurements[2]: seconds[0]: expected `float`, got `str`",
    ]
    for damage, message in (
        ({"measurements": {}}, "benchmark.json: measurements: expected `array`"),
        ({"settings": None}, "benchmark.json: settings: expected `object`"),
    ):
        path.write_text(json.dumps({**content, **damage}))
        with pytest.raises(UnreadableError, match=message):
            typed_json.read_sound_rows(Results, path, tmp_path, MEBIBYTE)
    path.write_text("[]")
    with pytest.raises(UnreadableError, match=r"^benchmark\.json: expected `object`, got `array`$"):
        typed_json.read_sound_rows(Results, path, tmp_path, MEBIBYTE)
