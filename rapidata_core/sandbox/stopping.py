"""When a datapoint has enough answers, although it could have more.

The platform says what its two rules do, not how it computes confidence. This module takes the
posterior of a naive Bayes model: a labeler with the user score s, between 0 and 1, chooses the
right one of K options with the probability p = 1/K + (1 - 1/K) s, and otherwise any other one;
before the first answer all options are equally likely. So an option's weight is the product of p
over those who chose it and of (1 - p) / (K - 1) over the others. This is the one-coin model of
A. P. Dawid and A. M. Skene, "Maximum likelihood estimation of observer error-rates using the EM
algorithm", Applied Statistics 28 (1979), with known error rates. It gives the 0.9943 and 0.0057 of
the example in the platform's documents: four answers for the same one of two options, by the user
scores 0.3, 0.8486, 0.4469 and 0.4911.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from rapidata_core.sandbox.tasks import Referee

Vote = tuple[str, float]
"""The option that somebody chose, and their user score."""

_SUREST = 0.999
"""Nobody is right for sure, or a single answer would be final."""


def confidences(options: Sequence[str], votes: Sequence[Vote]) -> dict[str, float]:
    """The probability of each option to be the right one; votes for anything else do not count."""
    logs = dict.fromkeys(options, 0.0)
    for option, score in votes:
        if option in logs:
            logs[option] += _evidence(len(logs), score)
    return _normalised(logs)


def stops_after(referee: Referee, options: Sequence[str], votes: Sequence[Vote]) -> int | None:
    """After how many of the votes a datapoint is done; ``None`` when it wants more of them.

    Args:
        referee: One that stops early.
        options: What can be right.
        votes: The votes in their order, from the first one on.
    """
    if referee.quorum is not None:
        return _agreed(referee.quorum, referee.votes, votes)
    logs = dict.fromkeys(options, 0.0)
    for number, (option, score) in enumerate(votes, 1):
        if option not in logs:
            continue
        logs[option] += _evidence(len(logs), score)
        if _normalised(logs)[option] >= (referee.confidence or 1):
            return number
    return None


def _agreed(quorum: int, most_votes: int, votes: Sequence[Vote]) -> int | None:
    """After how many votes enough agree, or cannot any more."""
    counts: dict[str, int] = {}
    for number, (option, _) in enumerate(votes, 1):
        counts[option] = counts.get(option, 0) + 1
        highest = max(counts.values())
        if highest >= quorum or highest + most_votes - number < quorum:
            return number
    return None


def _normalised(logs: Mapping[str, float]) -> dict[str, float]:
    highest = max(logs.values())
    weights = {option: math.exp(log - highest) for option, log in logs.items()}
    total = math.fsum(weights.values())
    return {option: weight / total for option, weight in weights.items()}


def _evidence(options: int, score: float) -> float:
    """By how much an answer speaks for the chosen option rather than for another one."""
    if options == 1:
        return 0.0
    right = min(_SUREST, 1 / options + (1 - 1 / options) * score)
    return math.log(right) - math.log((1 - right) / (options - 1))
