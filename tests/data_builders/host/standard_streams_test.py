"""Commands whose standard error or output cannot be written: none hangs, none ends before its work is done."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[3]
# Bars of two threads, and then of one more.
_BARS = """
import sys, threading
from tqdm import tqdm
from fpliif_jax.data_builders.host import standard_streams

standard_streams.outlive_readers()

def work(stream):
    for _ in tqdm(range(3), file=stream, mininterval=0):
        tqdm.write("a line", file=sys.stderr)
        print("progress", file=sys.stderr, flush=True)

threads = [threading.Thread(target=work, args=[stream]) for stream in (None, sys.stderr)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
work(None)
with open(sys.argv[1], "w") as file:
    file.write("done")
print("result")
"""


def _start(arguments: list[str], stream: str, kind: str) -> tuple[int, str]:
    """Runs Python with a stream that cannot be written; gives exit code and what the other one got."""
    reader, writer = os.pipe()
    if kind == "closed pipe":
        os.close(reader)
    elif kind == "full disk":
        os.close(writer)
        writer = os.open("/dev/full", os.O_WRONLY)
    other = "stdout" if stream == "stderr" else "stderr"
    command = [sys.executable, *arguments]
    if kind == "none":
        number = {"stdout": 1, "stderr": 2}[stream]
        command = ["sh", "-c", f'exec "$@" {number}>&-', "sh", *command]
    child = subprocess.run(
        command,
        cwd=ROOT,
        timeout=240,
        text=True,
        check=False,
        **{stream: writer, other: subprocess.PIPE},
    )
    os.close(writer)
    return child.returncode, getattr(child, other)


@pytest.mark.parametrize("kind", ["closed pipe", "full disk", "none"])
def test_bars_and_lines_on_a_standard_error_that_fails(tmp_path: pathlib.Path, kind: str) -> None:
    done = tmp_path / "done"
    code, output = _start(["-c", _BARS, str(done)], "stderr", kind)
    assert (code, output, done.read_text()) == (0, "result\n", "done")


@pytest.mark.parametrize("kind", ["closed pipe", "none"])
def test_a_reader_of_results_that_has_gone(tmp_path: pathlib.Path, kind: str) -> None:
    done = tmp_path / "done"
    code, errors = _start(["-c", _BARS, str(done)], "stdout", kind)
    assert code == 0 and done.read_text() == "done"
    assert "Exception" not in errors and "Broken" not in errors


def test_results_that_a_full_disk_cannot_take_are_told(tmp_path: pathlib.Path) -> None:
    code, errors = _start(["-c", _BARS, str(tmp_path / "done")], "stdout", "full disk")
    assert code != 0 and "No space left on device" in errors


@pytest.mark.parametrize("kind", ["closed pipe", "full disk", "none"])
def test_a_set_is_prepared_without_a_standard_error(
    tmp_path: pathlib.Path, lapa_download: pathlib.Path, kind: str
) -> None:
    module = "fpliif_jax.data_builders.prepare"
    arguments = ["-m", module, "lapa", f"--manual_dir={lapa_download}", f"--data_dir={tmp_path}"]
    code, output = _start(arguments, "stderr", kind)
    assert code == 0 and "fingerprint" in output


@pytest.mark.parametrize("module", ["fpliif_jax.main", "fpliif_jax.experiments.report"])
def test_a_reader_of_help_that_has_gone(module: str) -> None:
    """Of commands of absl's flags and of argparse's, which all end in `command_line`."""
    code, errors = _start(["-m", module, "--help"], "stdout", "closed pipe")
    assert (code, errors) == (0, "")


def test_what_the_terminal_has_no_character_for_has_a_backslash() -> None:
    program = (
        "from fpliif_jax.data_builders.host import standard_streams\n"
        "standard_streams.outlive_readers()\nprint('\\u03bb = 1, \\udcff.png')\n"
    )
    for encoding, expected in (
        ("ascii", rb"\u03bb = 1, \udcff.png"),
        ("utf-8", rb"%b = 1, \udcff.png"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env=os.environ | {"PYTHONIOENCODING": encoding},
            capture_output=True,
            check=True,
        )
        assert done.stdout.strip() == expected.replace(b"%b", "λ".encode())
