"""A process that labels photos: python -m experiments.benchmark.deployment.label_photos STARTED WEIGHTS SIZE PHOTOS.

STARTED is the monotonic clock when it was started. The answer is a line of JSON: since the start, 'seconds' of the
clock and 'processor_seconds' of all threads until the weights were 'read' and until the 'first' label map was there,
and of every 'further' photo its own.
"""

import json
import sys
import time

from fpliif_jax import FaceParser


def main() -> None:
    """Labels the photos and answers."""
    started, weights, size, *photos = sys.argv[1:]
    clocks = {
        "seconds": lambda: time.monotonic() - float(started),
        "processor_seconds": time.process_time,
    }
    parser = FaceParser.from_pretrained(weights)
    marks = [{name: clock() for name, clock in clocks.items()}]
    for photo in photos:
        _ = parser(photo, size=int(size)).labels
        marks.append({name: clock() for name, clock in clocks.items()})
    answer = {}
    for name in clocks:
        read, first, *others = (mark[name] for mark in marks)
        pairs = zip([first, *others], others, strict=False)
        further = [after - before for before, after in pairs]
        answer[name] = {"read": read, "first": first, "further": further}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
