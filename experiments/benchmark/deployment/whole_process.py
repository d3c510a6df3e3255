"""What another process takes from its start to its end: python whole_process.py COMMAND.

The answer is a line of JSON: 'seconds' of the clock, 'processor_seconds' of all threads, and 'peak_bytes', the most
memory that the process had at a time. What the system tells as that peak includes the process that started it: so this
is a program that imports next to nothing, and is started by its path.
"""

import json
import os
import signal
import subprocess
import sys
import time

_KIBIBYTE = 2**10  # the system counts the peak in KiB


def main() -> None:
    """Runs the command and answers, or ends as it did: with 128 and the number of what killed it, as in a shell."""
    started = time.monotonic()
    process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode < 0:
        number = -process.returncode
        print(f"killed by signal {number} ({signal.strsignal(number)})", file=sys.stderr)
        sys.exit(128 + number)
    if process.returncode:
        sys.exit(process.returncode)
    answer = {
        "seconds": seconds,
        "processor_seconds": usage.ru_utime + usage.ru_stime,
        "peak_bytes": usage.ru_maxrss * _KIBIBYTE,
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
