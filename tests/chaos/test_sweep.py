"""Every request of every paid verb, interrupted; see :mod:`tests.chaos.sweep`.

A failure names the command that tries its point again.
"""

import pytest

from tests.chaos.sweep import BEFORE_SEND, PHASES, sweep
from tests.chaos.verbs import UNKEYED, VERBS

# The other ways differ little from one of these; `make chaos` tries all of them.
SOME = (BEFORE_SEND, "killed, carried out", "lost, carried out", "truncated")


def bad(swept):
    return [f"{one} {one.point.replay}" for one in swept.outcomes if not one.good]


@pytest.mark.timeout(400)
@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_is_paid_once_wherever_it_is_interrupted(verb):
    phases = tuple(PHASES) if verb.name == "submit" else SOME
    (swept,) = sweep([verb], phases, lanes=6 if verb.name == "submit" else 3)
    assert bad(swept) == []
    struck = sum(outcome.struck for outcome in swept.outcomes)
    assert struck >= (swept.clean_requests - 1) * len(phases)


def test_what_has_no_key_is_paid_twice():
    """Else the judge would be blind."""
    (swept,) = sweep([UNKEYED], ["killed, carried out"], lanes=2)
    assert sum(outcome.duplicates for outcome in swept.outcomes) == 1
