"""A process that draws a share of a set: `python -m data_builders.synthetic_faces.worker JSON`.

`write_dataset` starts these rather than `multiprocessing` workers, which would import the calling
program (and with it JAX) once more in each. One line on stdout for each face written.
"""

import json
import signal
import sys
from pathlib import Path

from fpliif_jax.data_builders.synthetic_faces.job import Job, draw_share


def main() -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers itself
    order = json.loads(sys.argv[1])
    shares = draw_share(
        Job(**order["job"]), Path(order["root"]), order["worker"], order["num_workers"]
    )
    try:
        for task in shares:
            print(task.number, flush=True)
    except BrokenPipeError:  # the parent is gone: nobody wants the rest
        return 1
    except OSError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
