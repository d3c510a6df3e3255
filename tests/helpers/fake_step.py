"""A step of a job without JAX, for tests of launching: python -m fake_step WHAT FOLDER …"""

import os
import pathlib
import signal
import sys
import time

from fpliif_jax.commands.interruption import SAID_SAVED, Interruption


def main(what: str, folder: str, *rest: str) -> None:
    """Does one thing in a folder.

    write NAME: leaves a file with the GPUs that it sees. fail: as a program with an error for the person does.
    meet OTHER: waits for another step that runs at the same time. save: on SIGTERM leaves 'saved' and says so, exit
    code 143.
    train: the same by the handlers that a run has. late NAME: as write, after its parent was told to stop.
    end CODE: with this exit code, or by the signal −CODE.
    """
    path = pathlib.Path(folder)
    with open(path / "starts", "a", encoding="utf-8") as file:
        file.write(f"{what} {' '.join(rest)}\n")
    if what == "fail":
        sys.exit("error: it is broken; mend it")
    if what == "end":
        code = int(rest[0])
        if code < 0:
            os.kill(os.getpid(), -code)
        sys.exit(code)
    if what == "late":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.kill(os.getppid(), signal.SIGTERM)
    if what == "meet":
        (path / "here").touch()
        deadline = time.monotonic() + 20
        while not (path.parent / rest[1] / "here").exists():
            if time.monotonic() > deadline:
                sys.exit("error: the other one did not come")
            time.sleep(0.02)
    if what == "train":
        interruption = Interruption()
        with interruption.deferred():
            (path / "ready").touch()
            deadline = time.monotonic() + 60
            while not interruption.requested and time.monotonic() < deadline:
                time.sleep(0.02)
        _save(path)
    if what == "save":
        signal.signal(signal.SIGTERM, lambda *_: _save(path))
        (path / "ready").touch()
        time.sleep(60)
    seen = [os.environ.get(name, "-") for name in ("CUDA_VISIBLE_DEVICES", "JAX_PLATFORMS")]
    (path / rest[0]).write_text(" ".join(seen), encoding="utf-8")


def _save(path: pathlib.Path) -> None:
    (path / "saved").touch()
    print(f"{SAID_SAVED}{path}: the same command goes on", file=sys.stderr)
    sys.exit(143)


if __name__ == "__main__":
    main(*sys.argv[1:])
