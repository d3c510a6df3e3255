"""One line where another process of a run over several hosts has ended, instead of an aborted process.

JAX's coordination service aborts every process of a run from C++ threads once one of them is gone (SIGABRT, with
pages of stacks), and jaxlib 0.10 can call no Python function instead; so does Gloo, which sums over processes on CPUs,
where a message ends early. So each process of such a run works in a child, and its parent waits, hands on signals and
what the child prints, and says in the end what has happened.
"""

import contextlib
import os
import re
import signal
import sys
import threading
import types

from fpliif_jax.commands import interruption
from fpliif_jax.data_builders.host import standard_streams

# Exit code of a process that another one left alone; sysexits.h: "try again later".
LOST_PEER = 75
_LOST = (
    "another process of this run ended: {reason}; the last checkpoint stands; start the same command in every "
    "process again to go on\n"
)
_APART = "error: the processes could not join: {line}; check the address of process 0, and that all are started\n"
# How the lines of the C++ layer begin in which it tells that a process is gone; then come its stacks.
_COORDINATION = (
    rb"[EF]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ (?:coordination_service\w*\.cc|client\.h):\d+\] "
)
# Of any exception that nothing catches: the line comes in pieces, its type after this one.
_UNCAUGHT = b"terminate called after throwing an instance of '"
_LAST_WORDS = re.compile(_COORDINATION + b"|" + _UNCAUGHT)
_IS_OF_A_PEER = re.compile(_COORDINATION + b"|" + _UNCAUGHT + b"gloo::")
_REASONS = (
    (rb"heartbeat", "it sent no sign of life"),
    (b"'gloo::", "Gloo lost step with it"),
    (rb"Connection reset|[Ss]ocket closed|UNAVAILABLE", "its connection was closed"),
)
_MOST_KEPT = 2**20  # bytes of the C++ layer's output
_PATIENCE = 2.0  # seconds for what is still in the pipe when the child has ended

_joined: int | None = None  # in the child: end of the pipe by which it tells that it has joined


def in_child() -> None:
    """Forks; call it before JAX has started a backend. Returns in the child alone, the parent ends with it.

    The parent's exit code is the child's; LOST_PEER where another process of the run has ended, 1 where the
    processes never joined.
    """
    global _joined
    interruption.follow_parent()
    sys.stdout.flush()
    sys.stderr.flush()
    (reader, writer), (news, teller) = os.pipe(), os.pipe()
    signals = interruption.heeded()
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # until the parent can hand them on
    parent, child = os.getpid(), os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        os.setpgid(0, 0)  # Ctrl-C comes from the parent alone, or it would come twice
        interruption.send_at_parents_end(signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        os.dup2(writer, standard_streams.error_descriptor())
        for end in (reader, writer, news):
            os.close(end)
        _joined = teller
        return

    def hand_on(number: int, frame: types.FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, number)

    for number in signals:
        signal.signal(number, hand_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
    os.close(writer)
    os.close(teller)
    output = bytearray()
    # What the child has started may hold its end of the pipe open for longer than it lives.
    copying = threading.Thread(target=_copy, args=(reader, output), daemon=True)
    copying.start()
    _, status = os.waitpid(child, 0)
    copying.join(_PATIENCE)
    _say(*_ending(os.waitstatus_to_exitcode(status), bytes(output), bool(os.read(news, 1))))


def joined() -> None:
    """Tells the parent that the processes of the run have joined."""
    if _joined is not None:
        os.write(_joined, b"1")


def _ending(code: int, output: bytes, has_joined: bool) -> tuple[int, bytes]:
    """Exit code and message of the parent, from the child's exit code and the output of the C++ layer."""
    match = _IS_OF_A_PEER.search(output)
    if code == LOST_PEER or (code == -signal.SIGABRT and match):
        if not has_joined:
            line = output[match.end() if match else 0 :].split(b"\n")[0][:200]
            return 1, _APART.format(line=line.decode(errors="replace").strip()).encode()
        reason = next(
            (text for pattern, text in _REASONS if re.search(pattern, output)),
            "the connection to it was lost",
        )
        return LOST_PEER, _LOST.format(reason=reason).encode()
    # Output of a child that ended well: nobody needs it.
    return (code if code >= 0 else 128 - code), output if code else b""


def _say(code: int, message: bytes) -> None:
    _write(message)
    os._exit(code)


def _copy(source: int, output: bytearray) -> None:
    """Copies to stderr until the end or until the first of `_LAST_WORDS`; appends the rest to `output`."""
    is_heard = True
    while chunk := os.read(source, 2**16):
        if not output:
            match = _LAST_WORDS.search(chunk)
            place = len(chunk) if match is None else match.start()
            # A terminal that is gone, or a full disk, must not end the run.
            is_heard = is_heard and _write(chunk[:place])
            chunk = chunk[place:]
        output += chunk
        # The beginning has the reason, the end the program's own last words.
        if len(output) > _MOST_KEPT:
            del output[_MOST_KEPT // 2 : len(output) - _MOST_KEPT // 2]


def _write(content: bytes) -> bool:
    """Whether all of it could be written to stderr."""
    try:
        while content:
            content = content[os.write(standard_streams.error_descriptor(), content) :]
    except OSError:
        return False
    return True
