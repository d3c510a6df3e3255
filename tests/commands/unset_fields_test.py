"""Tests of fields that the command line unsets."""

import subprocess
import sys

import pytest

from fpliif_jax.commands import unset_fields
from fpliif_jax.commands.command_line import config_of
from fpliif_jax.fields import config_fields
from fpliif_jax.fields.setting_ranges import Choice


@pytest.mark.parametrize("word", ["none", "None"])
@pytest.mark.parametrize(
    ("config", "field"),
    [
        ("drawn_faces", "data.synthetic.style"),  # a text that the config sets
        ("stn_icnn_helen", "data.longest_side"),  # a number that it sets
        ("synthetic", "data.split_counts"),  # a tuple that is unset
        ("synthetic", "train.init_from"),  # a path
    ],
)
def test_an_optional_field_is_unset(config: str, field: str, word: str) -> None:
    for arguments in ([f"--config.{field}={word}"], [f"--config.{field}", word]):
        value = config_of([f"--config={config}", *arguments, "--config.seed=3"])
        assert value.seed == 3
        for name in field.split("."):
            value = value[name]
        assert value is None


def test_a_field_that_has_to_be_set_reads_the_word_as_its_own() -> None:
    assert config_of(["--config.model.norm=none"]).model.norm == "none"
    with pytest.raises(SystemExit, match="train.epochs=none: invalid literal"):
        config_of(["--config.train.epochs=none"])


def test_no_field_that_may_be_unset_has_the_word_as_a_value() -> None:
    choices = [field.rule for field in config_fields.FIELDS.values()]
    optional = [rule for rule in choices if isinstance(rule, Choice) and rule.is_optional]
    assert optional and not any({"none", "None"} & set(rule.values) for rule in optional)


def test_a_field_that_the_config_has_not_is_misspelt_as_any() -> None:
    with pytest.raises(SystemExit, match="there is no field 'mouth_crop_size'"):
        config_of(["--config=lapa", "--config.model.mouth_crop_size=none"])


@pytest.mark.parametrize("other", ["none", "96"])
def test_a_field_that_is_given_again_is_refused(other: str) -> None:
    field = "--config.data.longest_side"
    for arguments in ([f"{field}=none", f"{field}={other}"], [f"{field}={other}", f"{field}=none"]):
        with pytest.raises(SystemExit, match="data.longest_side is given more than once; give it"):
            config_of(["--config=stn_icnn_helen", *arguments])


def test_all_other_arguments_are_as_they_were() -> None:
    others = ["main", "--workdir", "none", "--config.seed", "1", "--config.model.remat"]
    assert unset_fields.taken_out(others) == (others, [])
    unset = ["--config.data.synthetic.also", "none"]
    for place in (
        1,
        3,
        5,
        6,
    ):  # not between an option and its value; last: behind a flag without one
        given = [*others[:place], *unset, *others[place:]]
        assert unset_fields.taken_out(given) == (others, ["data.synthetic.also"])


def test_a_command_without_such_an_argument_does_not_wait_for_the_table_of_fields() -> None:
    script = (
        "import sys; from fpliif_jax.commands import command_line, unset_fields;"
        "unset_fields.taken_out(['main', '--config.seed=1', '--workdir=none']);"
        "print({'numpy', 'fpliif_jax.fields.config_fields'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr


def test_the_main_command_unsets_a_field_and_counts_it_as_given() -> None:
    script = (
        "from absl import flags; from fpliif_jax import main;"
        "from fpliif_jax.commands import command_line; import sys;"
        "command_line.parse_flags(sys.argv);"
        "print(flags.FLAGS['config'].value.data.synthetic.style, command_line.given_fields())"
    )
    arguments = ["--config=drawn_faces", "--config.data.synthetic.style=none"]
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True
    )
    assert done.stdout == "None ('data.synthetic.style',)\n", done.stderr
