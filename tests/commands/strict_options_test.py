"""Tests of fpliif_jax/commands/strict_options.py, by the commands that it is in."""

import pathlib

import pytest
from absl import flags

from fpliif_jax.commands import command_line, strict_options
from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.experiments import collect, multi_seed
from fpliif_jax.experiments.report import __main__ as report
from fpliif_jax.interop import __main__ as interop


def test_a_report_of_two_folders_is_refused_and_told_how(
    capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path
) -> None:
    """The second of them would be the whole report."""
    with pytest.raises(SystemExit) as ended:
        report.main(["--runs=a", "--runs=b", f"--output={tmp_path / 'report'}"])
    assert ended.value.code == 2 and not list(tmp_path.iterdir())
    said = capsys.readouterr().err
    assert "argument --runs: given more than once; give it once: folder that holds all runs" in said


def test_seeds_one_by_one_are_refused_and_told_how(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        multi_seed.main(["--config=lapa", "--workdir=x", "--seeds=0", "--seeds", "1"])
    assert "--seeds: given more than once; give it once: 0,1,2 or 0-4" in capsys.readouterr().err


def test_options_of_a_group_are_given_once(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        interop.main(["--workdir=x", "--output=a.safetensors", "--output=b.safetensors"])
    assert "argument --output: given more than once" in capsys.readouterr().err


def test_an_empty_option_is_refused_by_argparse_and_absl(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As of `--workdir=$RUN` where RUN is not set."""
    with pytest.raises(SystemExit):
        report.main(["--runs=a", "--output="])
    assert "--output= is empty: leave it out, or give its value" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="^error: --workdir= is empty: leave it out"):
        command_line.parse_flags(["main", "--workdir="])
    strict_options.refuse_empty(["--config.data.cache_dir=", "--quick", "a="])
    strict_options.refuse_empty(["--config.data.cache_dir", ""])
    with pytest.raises(UserError, match="behind --config.seed=1 is empty"):
        strict_options.refuse_empty(["--config.seed=1", ""])


@pytest.mark.parametrize("arguments", [["", "--output=x"], ["a", "--output", ""]])
def test_an_empty_argument_is_not_the_working_folder(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        collect.main(arguments)
    assert ended.value.code == 2
    assert "is empty: leave it out, or give its value" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="^error: an argument.* is empty"):
        command_line.parse_flags(["main", *arguments])


def test_a_parser_takes_the_values_of_each_command_line_and_several_where_it_collects() -> None:
    parser = command_line.CommandParser("experiments.report", "What.")
    parser.add_argument("--number", type=int, default=0)
    parser.add_argument("--each", action="append")
    parser.add_argument("photos", nargs="*")
    for number in (0, 1):  # 0 is the default too
        parsed = parser.parse_args([f"--number={number}", "--each=a", "--each=b", "p", "q"])
        assert vars(parsed) == {"number": number, "each": ["a", "b"], "photos": ["p", "q"]}
    with pytest.raises(SystemExit):
        parser.parse_args(["--number=0", "--number=1"])


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (["--parts=a", "--parts=b"], "--parts is given 2 times; give it once, with commas: --parts=A,B"),
        (["--output=a", "--output=a", "--output=b"], "--output is given 3 times; give it once"),
        (["--quick", "--noquick"], "--quick is given 2 times; give it once"),
    ],
)  # fmt: skip
def test_a_flag_of_absl_is_given_once(given: list[str], line: str) -> None:
    values = flags.FlagValues()
    flags.DEFINE_list("parts", ["a", "b"], "Parts.", flag_values=values)
    flags.DEFINE_string("output", None, "Folder.", flag_values=values)
    flags.DEFINE_bool("quick", False, "A look.", flag_values=values)
    flags.DEFINE_multi_enum("variants", [], ["a", "b"], "Once for each.", flag_values=values)
    values(["", "--variants=a", "--variants=b", *given])
    with pytest.raises(UserError) as refused:
        strict_options.refuse_repeated(values)
    assert str(refused.value) == line
    values.unparse_flags()
    values(["", "--variants=a", "--variants=b", given[-1]])
    strict_options.refuse_repeated(values)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (["--config=lapa", "--config=helen"], "--config"),
        (["--config.train.epochs=1", "--config.train.epochs=2"], "--config.train.epochs"),
    ],
)
def test_settings_are_given_once(given: list[str], name: str) -> None:
    with pytest.raises(SystemExit, match=f"^error: {name} is given 2 times; give it once$"):
        command_line.config_of(given)


def test_names_of_a_tuple_may_be_given_one_by_one() -> None:
    config = command_line.config_of(
        ["--config.data.synthetic.without=camera", "--config.data.synthetic.without=pose"]
    )
    assert config.data.synthetic.without == ("camera", "pose")


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("--no_such=1", "error: Unknown command line flag 'no_such'; see --help"),
        ("--fewest=x", "error: flag --fewest=x: invalid literal for int() with base 10: 'x'; see --help"),
    ],
)  # fmt: skip
def test_an_option_that_absl_cannot_read_is_one_line(
    monkeypatch: pytest.MonkeyPatch, argument: str, told: str
) -> None:
    values = flags.FlagValues()
    flags.DEFINE_integer("fewest", 1, "An option.", flag_values=values)
    monkeypatch.setattr(flags, "FLAGS", values)
    with pytest.raises(SystemExit) as ended:
        command_line.parse_flags(["main", argument])
    assert ended.value.code == told
