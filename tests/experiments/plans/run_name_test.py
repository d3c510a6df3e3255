"""Tests of experiments.plans.run_name: what runs are called."""

import pytest

from fpliif_jax.experiments.plans.run_name import RunName


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("lambda=20/seed3", RunName("lambda=20", 3)),
        ("a/b/seed0", RunName("a/b", 0)),
        ("seedling/seed10", RunName("seedling", 10)),
        ("seed3", RunName("", 3)),
        (f"a/seed{10**17}", RunName("a", 10**17)),
    ],
)
def test_a_name_is_read_as_it_is_written(text: str, name: RunName) -> None:
    assert RunName.parse(text) == name
    assert str(name) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "a", "a/seed", "a/seed-1", "a/seed03", "a/seed3/", "a/seed3/b", "/seed3", "a/seed٣"),
        *("a/seed3\n", "a\n/seed3", "a\x1b/seed3", f"a/seed{'9' * 5000}"),
    ],
)
def test_what_is_called_otherwise_is_no_run(text: str) -> None:
    assert RunName.parse(text) is None
