"""A failure once more, request by request.

``python -m tests.chaos.replay VERB SEED`` plays a schedule (without a verb: of ``submit``),
``python -m tests.chaos.replay VERB REQUEST PHASE`` a point of the sweep.
"""

from __future__ import annotations

import logging
import sys

from tests.chaos import sweep
from tests.chaos.schedules import draw, judge


def main(arguments: list[str]) -> int:
    match arguments:
        case [seed]:
            return _schedule("submit", int(seed))
        case [verb, seed]:
            return _schedule(verb, int(seed))
        case [verb, request, phase]:
            return _point(sweep.Point(verb, int(request), phase))
        case _:
            sys.exit(__doc__)


def _schedule(verb: str, seed: int) -> int:
    logging.basicConfig(level=logging.WARNING, format=" " * 13 + "%(name)s: %(message)s")
    logging.getLogger("rapidata_core").setLevel(logging.INFO)
    for (worker, kind, number), fault in sorted(draw(seed, verb).faults.items()):
        print(f"planned: worker {worker}, {kind} {number}: {fault}")
    verdict = judge(seed, verb, print)
    print(verdict)
    return int(not verdict.good)


def _point(point: sweep.Point) -> int:
    outcome = sweep.attempt(point, print)
    print(outcome)
    return int(not outcome.good)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
