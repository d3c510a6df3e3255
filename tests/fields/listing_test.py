"""Tests of fpliif_jax/fields/listing.py and in_words.py."""

import ml_collections
import pytest

from fpliif_jax.configs import stn_icnn
from fpliif_jax.fields import config_fields, field_checks, in_words, listing
from fpliif_jax.fields.setting_ranges import Number, NumberOrAuto, Numbers, Rule


def test_every_field_is_listed_once_with_its_value_what_it_may_be_and_its_role() -> None:
    config = stn_icnn.get_config()
    text = listing.listing(config, 10_000)
    for name, value in field_checks.fields_of(config):
        rule, role = config_fields.FIELDS[name].rule, config_fields.FIELDS[name].role
        line = f"  {name} = {in_words.shown(value)} | {in_words.rule_in_words(rule)} | {role.name.lower()}"
        assert text.splitlines().count(line) == 1, name
    groups = [line for line in text.splitlines() if line and not line.startswith(" ")]
    assert len(groups) == len(set(groups)) and {"train", "model", "augment"} <= set(groups)
    for role in config_fields.Role:
        assert f"  {role.name.lower()}: {role.value}" in text


def test_a_narrow_terminal_has_every_word_of_a_wide_one() -> None:
    config = stn_icnn.get_config()
    narrow = listing.listing(config, 60)
    assert narrow.split() == listing.listing(config, 10_000).split()
    assert max(map(len, narrow.splitlines())) <= 60


def test_fields_of_somebody_s_own_experiment_are_listed_too() -> None:
    config = ml_collections.ConfigDict({"seed": 3, "mine": {"depth": 2}})
    text = listing.listing(config, 80)
    assert "seeds\n  seed = 3 | a whole number from 0 to 2147483647 | seed\n" in text
    assert "mine\n  mine.depth = 2 | a field of this experiment's own\n" in text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "none"), ("", "''"), (["a"], "('a',)"), ((1, 2), "(1, 2)"), (1e-5, "1e-05"), (True, "True")],
)  # fmt: skip
def test_values_as_they_are_shown(value: object, text: str) -> None:
    assert in_words.shown(value) == text


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (Number(1, 10**9, is_whole=True), "a whole number from 1"),
        (Number(0, 10, is_above=True, is_optional=True), "a number above 0 to 10, or none"),
        (NumberOrAuto(Number(1, 10**9, is_whole=True)), "a whole number from 1, or auto"),
        (Numbers(Number(0, 1), 3), "3 numbers from 0 to 1"),
        (Numbers(Number(1, 9, is_whole=True), fewest=2), "2 or more whole numbers from 1 to 9"),
        (
            Numbers(Number(0.05, 20), 2, is_interval=True),
            "2 numbers from 0.05 to 20, the lower one first",
        ),
    ],
)
def test_rules_in_words(rule: Rule, words: str) -> None:
    assert in_words.rule_in_words(rule) == words


def test_fewer_numbers_than_there_must_be_are_refused() -> None:
    rule = config_fields.FIELDS["model.row_features"].rule
    assert rule.problem((8, 16)) is None
    assert rule.problem((8,)) == "must be 2 or more numbers in brackets"
