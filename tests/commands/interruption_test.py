"""Tests of fpliif_jax.commands.interruption, in a process of their own."""

import contextlib
import gc
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.machinery import ExtensionFileLoader

import pytest

from fpliif_jax.commands import command_line
from fpliif_jax.commands.interruption import Interruption

PROGRAM = """
import contextlib, signal, sys, time
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # tests may be started by nohup
from fpliif_jax.commands.interruption import Interruption
interruption = Interruption()
with interruption.deferred() if {deferred} else contextlib.nullcontext():
    print("ready", flush=True)
    while not interruption.requested:
        time.sleep(0.01)
    print("saved", flush=True)
    if {linger}:
        time.sleep(60)
sys.exit(interruption.exit_code)
"""


def _run(deferred: bool, *signals: signal.Signals, linger: bool = False) -> tuple[int, str]:
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(deferred=deferred, linger=linger)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout.readline() == "ready\n"
    for number in signals:
        child.send_signal(number)
        time.sleep(0.3)
    output, _ = child.communicate(timeout=30)
    return child.returncode, output


_CODES = [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)]


@pytest.mark.parametrize(("number", "code"), _CODES)
def test_training_saves_before_it_ends(number: signal.Signals, code: int) -> None:
    assert _run(True, number) == (code, "saved\n")


@pytest.mark.parametrize(("number", "code"), _CODES)
def test_anything_else_ends_at_once(number: signal.Signals, code: int) -> None:
    assert _run(False, number) == (code, "")


def test_it_ends_where_standard_error_was_closed_before_it_began() -> None:
    program = (
        "import os, signal\nfrom fpliif_jax.commands.interruption import Interruption\n"
        "from fpliif_jax.data_builders.host import standard_streams\n"
        "standard_streams.outlive_readers()\nInterruption()\nos.kill(os.getpid(), signal.SIGTERM)\n"
    )
    command = ["sh", "-c", 'exec "$@" 2>&-', "sh", sys.executable, "-c", program]
    assert subprocess.run(command, timeout=60).returncode == 143


SWALLOWING_PROGRAM = """
import ctypes, time
from fpliif_jax.commands.interruption import Interruption
Interruption()
@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
def compare(first, second):
    print("ready", flush=True)
    time.sleep(20)
    return 0
pair = (ctypes.c_int * 2)(2, 1)
ctypes.CDLL(None).qsort(pair, 2, ctypes.sizeof(ctypes.c_int), compare)
print("went on", flush=True)
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_native_code_that_calls_python_cannot_swallow_it(number: signal.Signals, code: int) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", SWALLOWING_PROGRAM],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout.readline() == "ready\n"
    child.send_signal(number)
    assert child.communicate(timeout=30) == ("", "interrupted: the same command goes on\n")
    assert child.returncode == code


NATIVE_PROGRAM = """
import contextlib, hashlib, signal, sys
signal.signal(signal.SIGHUP, signal.SIG_DFL)
from fpliif_jax.commands.interruption import Interruption
interruption = Interruption()
with interruption.deferred("ends after this step") if {deferred} else contextlib.nullcontext():
    print("printed, and not yet written")
    print("ready", file=sys.stderr, flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 10**8)  # as JAX does: Python gets no word in for minutes
    print("went on", flush=True)
"""


@contextlib.contextmanager
def _native(deferred: bool) -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen(
        [sys.executable, "-c", NATIVE_PROGRAM.format(deferred=deferred)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stderr.readline() == "ready\n"
        yield child
    finally:
        child.kill()


ENDED = ("printed, and not yet written\n", "interrupted: the same command goes on\n")


def test_while_jax_computes_it_says_at_once_that_it_waits_and_a_second_ctrl_c_ends_it() -> None:
    with _native(deferred=True) as child:
        child.send_signal(signal.SIGINT)
        assert child.stderr.readline() == "\n"
        said = "interrupted: ends after this step; a second Ctrl-C ends at once\n"
        assert child.stderr.readline() == said
        time.sleep(0.3)
        child.send_signal(signal.SIGTERM)  # as a cluster does, by the parent
        time.sleep(0.3)
        assert child.poll() is None
        child.send_signal(signal.SIGINT)
        assert child.communicate(timeout=20) == ENDED
        assert child.returncode == 130


@pytest.mark.parametrize(("number", "code"), _CODES)
def test_native_code_does_not_keep_it_from_ending_at_once(
    number: signal.Signals, code: int
) -> None:
    with _native(deferred=False) as child:
        child.send_signal(number)
        assert child.communicate(timeout=20) == ENDED
        assert child.returncode == code


def test_it_is_of_no_concern_to_it_once_others_handle_signals() -> None:
    handled = []
    interruption = Interruption()
    signal.signal(signal.SIGINT, lambda *_: handled.append(1))
    signal.raise_signal(signal.SIGINT)
    time.sleep(0.7)  # it would have ended this process
    assert handled and not interruption.requested


def test_a_second_ctrl_c_does_not_wait() -> None:
    assert _run(True, signal.SIGINT, signal.SIGINT, linger=True)[0] == 130


def test_one_signal_that_comes_twice_at_once_is_one() -> None:
    interruption = Interruption()
    with interruption.deferred():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
    assert interruption.requested


def test_nohup_is_heeded() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    interruption = Interruption()
    signal.raise_signal(signal.SIGHUP)
    assert not interruption.requested


WRITING_PROGRAM = """
import pathlib, signal, sys, time
from fpliif_jax.commands import command_line
from fpliif_jax.data_builders.host import atomic_folder
# As a terminal has them: what is started in the background may ignore SIGINT, and what nohup starts SIGHUP.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
def work():
    with atomic_folder.replacing(pathlib.Path(sys.argv[1])) as folder:
        (folder / "page").write_text("half")
        try:
            print("ready", flush=True)
            time.sleep(60)
        finally:
            time.sleep({seconds})
command_line.run("experiments.report", work, interrupted="interrupted; nothing was written")
"""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)]
)
@pytest.mark.parametrize("seconds", [0, 60])
def test_a_command_removes_what_it_had_begun_to_write_unless_told_twice(
    tmp_path: pathlib.Path, number: signal.Signals, code: int, seconds: int
) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", WRITING_PROGRAM.format(seconds=seconds), str(tmp_path / "report")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout.readline() == "ready\n"
    child.send_signal(number)
    if seconds:
        time.sleep(0.5)
        child.send_signal(number)
    _, error = child.communicate(timeout=30)
    assert child.returncode == code
    if not seconds:
        assert error == "interrupted; nothing was written\n"
        assert list(tmp_path.iterdir()) == []


def test_an_error_that_was_made_of_the_signal_is_the_signal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As of one that comes while an extension is imported, which says ImportError."""

    def work() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt as error:
            raise ImportError("encountered an error while initializing the extension") from error

    with pytest.raises(SystemExit) as ended:
        command_line.run("experiments.report", work)
    assert ended.value.code == 143
    assert capsys.readouterr().err == "interrupted\n"
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_a_callback_loses_comes_again(
    capfd: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    """JAX has a callback at every collection of garbage, of whose errors Python only shows the traceback."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it may be ignored
    times = []

    def at_collection(phase: str, information: dict[str, int]) -> None:
        if phase == "stop" and not times:
            times.append(time.monotonic())
            signal.raise_signal(number)

    def work() -> None:
        gc.collect()
        time.sleep(20)

    before = sys.unraisablehook
    gc.callbacks.append(at_collection)
    try:
        with pytest.raises(SystemExit) as ended:
            command_line.run("experiments.report", work)
    finally:
        gc.callbacks.remove(at_collection)
    assert ended.value.code == 128 + number
    assert capfd.readouterr().err == "interrupted\n"
    assert time.monotonic() - times[0] < 10
    assert sys.unraisablehook is before


def test_an_extension_that_is_being_imported_is_waited_for() -> None:
    """JAX's own would end the process: C++ code that expects no exception."""
    ended = []

    def initialise(self: ExtensionFileLoader) -> None:
        signal.raise_signal(signal.SIGTERM)
        ended.append(self)

    def work() -> None:
        initialise(ExtensionFileLoader("extension", "extension.so"))
        time.sleep(20)

    with pytest.raises(SystemExit) as told:
        command_line.run("experiments.report", work)
    assert told.value.code == 143 and len(ended) == 1


@pytest.mark.parametrize(
    "arguments", [["-m", "fpliif_jax.main"], ["-m", "experiments.report"], ["fpliif-study"]]
)
def test_ctrl_c_in_the_first_imports_is_one_line(
    tmp_path: pathlib.Path, arguments: list[str]
) -> None:
    root = pathlib.Path(__file__).parents[2]
    (tmp_path / "ml_collections.py").write_text(
        "import time\nprint('ready', flush=True)\ntime.sleep(60)\n"
    )
    if arguments == ["fpliif-study"]:
        arguments = [str(tmp_path / "fpliif-study")]
        pathlib.Path(*arguments).write_text("import fpliif_jax.experiments.multi_seed\n")
    child = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=root,
        env=os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{root}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # As a terminal has it: what is started in the background may ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert child.stdout.readline() == "ready\n"
    child.send_signal(signal.SIGINT)
    assert child.communicate(timeout=30) == ("", "interrupted\n")
    assert child.returncode == 130


def test_the_package_leaves_the_signals_of_other_programs_alone() -> None:
    program = "import signal\nbefore = signal.getsignal(signal.SIGINT)\nimport fpliif_jax\n"
    program += "assert signal.getsignal(signal.SIGINT) is before\n"
    root = pathlib.Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", program, "fpliif_jax.main"], cwd=root, check=True)
