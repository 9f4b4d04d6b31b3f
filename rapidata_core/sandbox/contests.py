"""Benchmarks: which samples of two models are compared, what people prefer, and who won.

The sandbox does not see what a model made. How good a model is derives from its name and from what
a leaderboard asks; how good one of its samples is derives from the model and the sample's content.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

from rapidata_core.sandbox.crowd import Labeler, draw
from rapidata_core.sandbox.qualification import Truths
from rapidata_core.sandbox.ranking import START_SCORE, bradley_terry
from rapidata_core.sandbox.store import Store
from rapidata_core.sandbox.tables import leaderboard_runs

ALL_VOTES, MAJORITY_VOTE = "AllVotes", "MajorityVote"

_MOST_RESPONSES = 10
"""Answers to one matchup at most; beyond that another matchup tells more."""

_GENERAL, _ASPECT = 0.5, 0.2
"""How much of a sample's quality is its model's; the rest is the sample's own."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A sample in a matchup.

    Attributes:
        participant: Whose it is.
        model: The name that the participant had when it was created; renaming improves nobody.
        sample: The sample's id.
        content: What the sample is: the text itself, or the name of the uploaded file.
    """

    participant: str
    model: str
    sample: str
    content: str


@dataclass(frozen=True, slots=True)
class Matchup:
    """Two samples for the same prompt."""

    identifier: str
    first: Entry
    second: Entry

    def as_json(self) -> dict[str, Any]:
        """For the store."""
        return asdict(self)


def from_json(json: Mapping[str, Any]) -> Matchup:
    """A matchup as it came from the store."""
    return Matchup(json["identifier"], Entry(**json["first"]), Entry(**json["second"]))


@dataclass(frozen=True, slots=True)
class Contest:
    """What a run asks.

    Attributes:
        matchups: What is compared, at most once each.
        responses: How many answers each matchup gets.
    """

    matchups: Sequence[Matchup]
    responses: int


@dataclass(frozen=True, slots=True)
class Vote:
    """One answer.

    Attributes:
        share: The first sample's share of the win: 1, 0, or 0.5 for both and for neither.
    """

    matchup: Matchup
    person: Labeler
    share: float


def quality(seed: int, question: str, entry: Entry) -> float:
    """How good a sample is, between 0 and 1."""
    return (
        _GENERAL * draw(seed, "model", entry.model)
        + _ASPECT * draw(seed, "model", entry.model, question)
        + (1 - _GENERAL - _ASPECT) * draw(seed, "sample", entry.model, entry.content)
    )


def contest(
    seed: int,
    run: str,
    entries: Mapping[str, Sequence[Entry]],
    new: set[str],
    budget: int,
    minimum: int,
) -> Contest:
    """Choose what a run compares: new participants with each other and with everybody else.

    Args:
        seed: The sandbox's seed.
        run: The run's id; every run has an order of its own.
        entries: The samples of all participants, by the identifier of their prompt.
        new: The participants that the run is for.
        budget: How many answers the run may cost.
        minimum: How many answers a matchup needs.
    """
    possible = [
        Matchup(identifier, *_sides(seed, run, first, second))
        for identifier, samples in entries.items()
        for place, first in enumerate(samples)
        for second in samples[place + 1 :]
        # Nobody can tell which of two equal samples is better.
        if first.content != second.content
        and first.participant != second.participant
        and not new.isdisjoint(_pair(first, second))
    ]
    possible.sort(key=lambda m: draw(seed, "matchup", run, m.first.sample, m.second.sample))
    chosen = _spread(possible)[: budget // minimum]
    if not chosen:
        return Contest((), minimum)
    return Contest(chosen, max(minimum, min(_MOST_RESPONSES, budget // len(chosen))))


@dataclass(frozen=True, slots=True)
class Preferences(Truths):
    """Which of two samples people find better, whatever is shown with them."""

    def about(
        self,
        task: str,
        keys: Sequence[str],
        context: str | None = None,
        context_asset: Mapping[str, Any] | None = None,
        choices: Sequence[str] = (),
    ) -> Any:
        """See :meth:`Truths.about`."""
        return self.by_content.get(_unordered(*keys))


def preferences(store: Store, job_id: str) -> Preferences | None:
    """What the people who answer a run's job find better; ``None`` for any other job."""
    run = store.find(leaderboard_runs, job_id=job_id)
    if run is None:
        return None
    better: dict[str, str] = {}
    for matchup in map(from_json, run.matchups):
        first, second = matchup.first, matchup.second
        ahead = quality(store.seed, run.question, first) > quality(store.seed, run.question, second)
        # Asked for the worse one, people choose the worse one.
        chosen = first if ahead != run.is_inversed else second
        better.setdefault(_unordered(first.content, second.content), chosen.content)
    return Preferences(better)


@dataclass
class Tally:
    """Who beat whom, under one way of counting."""

    wins: dict[str, dict[str, float]]
    votes: dict[str, dict[str, float]]
    responses: dict[str, int]
    total: int = 0

    @classmethod
    def of(cls, participants: Iterable[str]) -> Tally:
        """Nobody has won yet."""
        everybody = list(participants)
        return cls(
            wins={one: {} for one in everybody},
            votes={one: {} for one in everybody},
            responses=dict.fromkeys(everybody, 0),
        )

    def add(
        self,
        votes: Iterable[Vote],
        *,
        inversed: bool,
        aggregation: str,
        weighted: bool,
        weight: float,
    ) -> None:
        """Count votes.

        Args:
            votes: Of one leaderboard; those of other participants do not count.
            inversed: Whoever was chosen lost.
            aggregation: ``AllVotes`` counts each, ``MajorityVote`` each matchup once.
            weighted: Count by the user scores of those who answered.
            weight: Of the leaderboard; a negative one turns its results round.
        """
        by_matchup: defaultdict[Matchup, list[Vote]] = defaultdict(list)
        for vote in votes:
            if vote.matchup.first.participant in self.wins and (
                vote.matchup.second.participant in self.wins
            ):
                by_matchup[vote.matchup].append(vote)
        for matchup, cast in by_matchup.items():
            first, second = matchup.first.participant, matchup.second.participant
            self.total += len(cast)
            for side in (first, second):
                self.responses[side] += len(cast)
            raw = _shares(cast, inversed, weighted=False)
            _count(self.votes, first, second, *raw)
            points = _shares(cast, inversed, weighted=weighted)
            if aggregation == MAJORITY_VOTE:
                points = _majority(points, len(cast))
            if weight < 0:
                points = points[1], points[0]
            _count(self.wins, first, second, abs(weight) * points[0], abs(weight) * points[1])

    def won(self, participant: str) -> float:
        """The matches that a participant won."""
        return sum(self.wins[participant].values())

    def played(self, participant: str) -> float:
        """The matches that a participant took part in."""
        lost = sum(row.get(participant, 0.0) for row in self.wins.values())
        return self.won(participant) + lost

    def scores(self, shift: float, scale: float) -> dict[str, float | None]:
        """Everybody's score; ``None`` without a match."""
        plain = bradley_terry(self.wins)
        return {
            one: START_SCORE + shift + scale * (plain[one] - START_SCORE)
            if self.played(one)
            else None
            for one in self.wins
        }


def _shares(cast: Sequence[Vote], inversed: bool, *, weighted: bool) -> tuple[float, float]:
    first = second = 0.0
    for vote in cast:
        worth = vote.person.score if weighted else 1.0
        share = 1 - vote.share if inversed else vote.share
        first += worth * share
        second += worth * (1 - share)
    return round(first, 6), round(second, 6)


def _majority(points: tuple[float, float], votes: int) -> tuple[float, float]:
    # Unweighted, a matchup is worth one match; weighted, what its voters are worth on average.
    worth = (points[0] + points[1]) / votes
    if points[0] == points[1]:
        return worth / 2, worth / 2
    return (worth, 0.0) if points[0] > points[1] else (0.0, worth)


def _count(
    table: dict[str, dict[str, float]], first: str, second: str, for_first: float, for_second: float
) -> None:
    for winner, loser, points in ((first, second, for_first), (second, first, for_second)):
        if points:
            table[winner][loser] = round(table[winner].get(loser, 0.0) + points, 6)


def _pair(first: Entry, second: Entry) -> tuple[str, str]:
    one, other = sorted((first.participant, second.participant))
    return one, other


def _unordered(first: str, second: str) -> str:
    return "\x1f".join(sorted((first, second)))


def _sides(seed: int, run: str, first: Entry, second: Entry) -> tuple[Entry, Entry]:
    swapped = draw(seed, "side", run, first.sample, second.sample) < 0.5
    return (second, first) if swapped else (first, second)


def _spread(possible: Sequence[Matchup]) -> list[Matchup]:
    """Round after round through the pairs of participants, so that a small budget reaches all."""
    by_pair: defaultdict[tuple[str, str], list[Matchup]] = defaultdict(list)
    for matchup in possible:
        by_pair[_pair(matchup.first, matchup.second)].append(matchup)
    rounds = range(max(map(len, by_pair.values()), default=0))
    return [row[turn] for turn, row in product(rounds, by_pair.values()) if turn < len(row)]
