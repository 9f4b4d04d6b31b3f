"""Standings and win/loss matrices: what the votes of runs add up to, counted at every look.

Filters apply to the votes: to those who cast them, to the matchups that they are about, and to the
runs and leaderboards that they belong to.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, select

from rapidata_core.sandbox import collection, contests
from rapidata_core.sandbox.api import benchmarks as benchmark_service
from rapidata_core.sandbox.api import jobs
from rapidata_core.sandbox.api import leaderboards as leaderboard_service
from rapidata_core.sandbox.api import participants as participant_service
from rapidata_core.sandbox.api.call import Call, Endpoint, JsonObject
from rapidata_core.sandbox.contests import Matchup, Tally, Vote
from rapidata_core.sandbox.listing import Query, last
from rapidata_core.sandbox.problems import invalid
from rapidata_core.sandbox.questions import Answer, CompareResult
from rapidata_core.sandbox.ranking import matrix
from rapidata_core.sandbox.tables import leaderboard_runs

_FILTER = re.compile(r"([a-z_]+)\[([a-z_]+)\]")
_PEOPLE = ("country", "language", "gender", "age_bucket", "occupation")
_FIELDS = (*_PEOPLE, "tags", "participant_id", "leaderboard_id", "run_id", "prompt_identifier")
_TESTS: dict[str, Callable[[str, str], bool]] = {
    "eq": lambda value, wanted: value == wanted,
    "contains": lambda value, wanted: wanted in value,
    "starts_with": lambda value, wanted: value.startswith(wanted),
    "ends_with": lambda value, wanted: value.endswith(wanted),
    "gt": lambda value, wanted: value > wanted,
    "gte": lambda value, wanted: value >= wanted,
    "lt": lambda value, wanted: value < wanted,
    "lte": lambda value, wanted: value <= wanted,
}
_NEGATIONS = {"neq": "eq", "not_contains": "contains"}
_DIMENSIONS = {
    "AgeBucket": "age_bucket",
    "Gender": "gender",
    "Occupation": "occupation",
    "Country": "country",
    "Language": "language",
}


@dataclass(frozen=True)
class _Condition:
    """One filter; it holds if one of a vote's values fits one of the wanted ones, or none does."""

    field: str
    test: Callable[[str, str], bool]
    wanted: Sequence[str]
    negated: bool

    def holds(self, values: Sequence[str]) -> bool:
        return self.negated != any(self.test(value, one) for value in values for one in self.wanted)


@dataclass(frozen=True)
class _Filter:
    """The filters of a request."""

    conditions: Sequence[_Condition]
    combine: Callable[[Any], bool]

    def accepts(self, vote: Vote, facts: Mapping[str, Sequence[str]]) -> bool:
        if not self.conditions:
            return True
        person = _person(vote)
        return self.combine(
            condition.holds(
                [person[condition.field]] if condition.field in person else facts[condition.field]
            )
            for condition in self.conditions
        )


def leaderboard_standings(call: Call) -> Any:
    """``GET /leaderboard/{id}/standings/query``."""
    row = leaderboard_service.required(call)
    tally = _count(call, row.benchmark_id, [row], weights=False)
    return _standings(call, row.benchmark_id, [row], tally, row.score_shift, row.score_scale)


def benchmark_standings(call: Call) -> Any:
    """``GET /benchmark/{id}/standings/query``: all leaderboards together."""
    benchmark = benchmark_service.required(call)
    boards = _overall(call, benchmark.id)
    tally = _count(call, benchmark.id, boards, weights=True)
    answer = _standings(
        call, benchmark.id, boards, tally, benchmark.score_shift, benchmark.score_scale
    )
    evaluated = _evaluated(call, boards)
    for item in answer["items"]:
        done = evaluated[item["id"]]
        item["isEvaluating"] = item["status"] == "Active"
        item["isPartiallyEvaluated"] = 0 < done < len(boards)
    return answer


def leaderboard_matrix(call: Call) -> Any:
    """``GET /leaderboard/{id}/matrix/query``."""
    row = leaderboard_service.required(call)
    return _matrix(call, row.benchmark_id, _count(call, row.benchmark_id, [row], weights=False))


def benchmark_matrix(call: Call) -> Any:
    """``GET /benchmark/{id}/matrix/query``; ``votes`` are the people behind the matches."""
    benchmark_id = benchmark_service.required(call).id
    tally = _count(call, benchmark_id, _overall(call, benchmark_id), weights=True)
    order = _order(tally)
    return _matrix(call, benchmark_id, tally) | {"votes": matrix(tally.votes, order)}


def demographics(call: Call) -> Any:
    """``GET /benchmark/{id}/demographics``: who voted."""
    benchmark_id = benchmark_service.required(call).id
    votes = [vote for _, cast in _votes(call, _overall(call, benchmark_id)) for vote in cast]
    people = [_person(vote) for vote in votes]
    return {
        "totalVotes": len(votes),
        "dimensions": {
            name[0].lower() + name[1:]: _buckets([person[field] for person in people])
            for name, field in _DIMENSIONS.items()
        },
    }


def breakdown(call: Call) -> Any:
    """``GET /benchmark/{id}/standings/breakdown``: the standings of each group of voters."""
    benchmark = benchmark_service.required(call)
    dimension = last(call.query, "dimension") or ""
    if dimension not in _DIMENSIONS:
        raise invalid({"dimension": [f"dimension is one of {', '.join(_DIMENSIONS)}."]})
    field = _DIMENSIONS[dimension]
    boards = _overall(call, benchmark.id)
    votes = _votes(call, boards)
    counts = Counter(_person(vote)[field] for _, cast in votes for vote in cast)

    def standings(value: str | None) -> list[JsonObject]:
        chosen = [
            (row, [v for v in cast if value is None or _person(v)[field] == value])
            for row, cast in votes
        ]
        tally = _tally(call, benchmark.id, chosen, weights=True)
        answer = _standings(
            call, benchmark.id, boards, tally, benchmark.score_shift, benchmark.score_scale
        )
        return answer["items"]

    return {
        "dimension": dimension,
        "global": standings(None),
        "segments": [
            {"value": value, "votes": count, "items": standings(value)}
            for value, count in counts.most_common()
        ],
    }


def _overall(call: Call, benchmark_id: str) -> list[Row[Any]]:
    """The leaderboards that count for the whole benchmark."""
    rows = leaderboard_service.of_benchmark(call.store, benchmark_id)
    return [row for row in rows if not row.is_excluded]


def _count(call: Call, benchmark_id: str, boards: Sequence[Row[Any]], *, weights: bool) -> Tally:
    return _tally(call, benchmark_id, _votes(call, boards), weights=weights)


def _tally(
    call: Call, benchmark_id: str, votes: Sequence[tuple[Row[Any], list[Vote]]], *, weights: bool
) -> Tally:
    by_score = (last(call.query, "useWeightedScoring") or "false").lower() == "true"
    wanted = [
        condition
        for condition in _read_filter(call.query).conditions
        if condition.field == "participant_id"
    ]
    tally = Tally.of(
        row.id
        for row in participant_service.of_benchmark(call.store, benchmark_id)
        if row.status in ("Submitted", "Disabled")
        and not row.votes_excluded
        and all(condition.holds([row.id]) for condition in wanted)
    )
    for row, cast in votes:
        tally.add(
            cast,
            inversed=row.is_inversed,
            aggregation=row.vote_aggregation,
            weighted=by_score,
            weight=row.weight if weights else 1.0,
        )
    return tally


def _votes(call: Call, boards: Sequence[Row[Any]]) -> list[tuple[Row[Any], list[Vote]]]:
    """The votes that have come so far and that the request asks for, by leaderboard."""
    chosen = _read_filter(call.query)
    answer: list[tuple[Row[Any], list[Vote]]] = []
    for row in boards:
        by_identifier = benchmark_service.prompts_of(call.store, row.benchmark_id)
        tags = {i: benchmark_service.tag_values(prompt) for i, prompt in by_identifier.items()}
        kept: list[Vote] = []
        for run in _runs(call, row):
            place = {"leaderboard_id": [row.id], "run_id": [run.id]}
            for vote in _cast(call, run):
                identifier = vote.matchup.identifier
                facts = place | {
                    "tags": tags.get(identifier, []),
                    "prompt_identifier": [identifier],
                    "participant_id": [
                        vote.matchup.first.participant,
                        vote.matchup.second.participant,
                    ],
                }
                if chosen.accepts(vote, facts):
                    kept.append(vote)
        answer.append((row, kept))
    return answer


def _runs(call: Call, board: Row[Any]) -> Sequence[Row[Any]]:
    wanted = select(leaderboard_runs).where(leaderboard_runs.c.leaderboard_id == board.id)
    return call.store.read(wanted.order_by(leaderboard_runs.c.seq)).all()


def _cast(call: Call, run: Row[Any]) -> list[Vote]:
    """The votes of a run so far: the answers to its job."""
    job = jobs.find(call.store, run.job_id)
    if job is None:
        return []
    found = job
    answered = jobs.answered(call, job)

    def votes() -> list[Vote]:
        task = jobs.task_of(call.store, found)
        pairs = map(contests.from_json, run.matchups)
        counts = collection.counts_of(task.stops, answered)
        return [
            Vote(matchup, response.person, _share(matchup, response.answer))
            for place, (matchup, count) in enumerate(zip(pairs, counts, strict=True))
            for response in task.responses_of(place, count)
        ]

    return call.store.remembered("votes", (job.id, answered), votes)


def _share(matchup: Matchup, answer: Answer) -> float:
    winners = answer.winners if isinstance(answer, CompareResult) else ()
    return float(winners[0] == matchup.first.content) if len(winners) == 1 else 0.5


def _person(vote: Vote) -> dict[str, str]:
    person = vote.person
    return {
        "country": person.country,
        "language": person.language,
        "gender": person.gender,
        "age_bucket": person.age,
        "occupation": person.occupation,
    }


def _read_filter(query: Query) -> _Filter:
    lists: dict[str, list[str]] = {}
    conditions: list[_Condition] = []
    for key, text in query:
        match = _FILTER.fullmatch(key)
        if match is None:
            continue
        name, operator = match.groups()
        if name not in _FIELDS:
            raise invalid({key: [f"{name} is not one of {', '.join(_FIELDS)}."]})
        if operator == "in":
            lists.setdefault(name, []).append(text)
            continue
        test = _TESTS.get(_NEGATIONS.get(operator, operator))
        if test is None:
            raise invalid({key: [f"{operator} is not an operator."]})
        conditions.append(_Condition(name, test, [text], operator in _NEGATIONS))
    conditions += [_Condition(name, _TESTS["eq"], texts, False) for name, texts in lists.items()]
    return _Filter(conditions, any if last(query, "logic") == "or" else all)


def _standings(
    call: Call,
    benchmark_id: str,
    boards: Sequence[Row[Any]],
    tally: Tally,
    shift: float,
    scale: float,
) -> JsonObject:
    scores = tally.scores(shift, scale)
    busy = _evaluating(call, boards)
    items: list[JsonObject] = []
    for row in participant_service.of_benchmark(call.store, benchmark_id):
        if row.id not in scores:
            continue
        played = tally.played(row.id)
        idle = "Idle" if played else "Created"
        items.append(
            participant_service.details(row)
            | {
                "id": row.id,
                "name": row.name,
                "status": "Active" if row.id in busy else idle,
                "score": scores[row.id],
                "wins": round(tally.won(row.id), 6),
                "totalMatches": round(played, 6),
                "responseCount": tally.responses[row.id],
                "isDisabled": row.status == "Disabled",
                "confidenceInterval": None,
            }
        )
    # Sorting is stable: whoever has no score stays in order of creation, behind the others.
    items.sort(key=lambda item: -_rank(item["score"]))
    return {"items": items, "totalResponses": tally.total}


def _rank(score: float | None) -> float:
    return float("-inf") if score is None else score


def _order(tally: Tally) -> list[str]:
    """Everybody, the strongest first."""
    scores = tally.scores(0.0, 1.0)
    return sorted(scores, key=lambda one: -_rank(scores[one]))


def _matrix(call: Call, benchmark_id: str, tally: Tally) -> JsonObject:
    order = _order(tally)
    rows = participant_service.of_benchmark(call.store, benchmark_id)
    names = {row.id: row.name for row in rows}
    index = [names[one] for one in order]
    return {"index": index, "columns": index, "data": matrix(tally.wins, order)}


def _evaluating(call: Call, boards: Sequence[Row[Any]]) -> set[str]:
    """The participants that take part in a run that is still going on."""
    return {
        side["participant"]
        for board in boards
        for run in _runs(call, board)
        if leaderboard_service.run_state(call, run) in leaderboard_service.OPEN
        for matchup in run.matchups
        for side in (matchup["first"], matchup["second"])
    }


def _evaluated(call: Call, boards: Sequence[Row[Any]]) -> Counter[str]:
    """In how many leaderboards each participant was compared."""
    counts: Counter[str] = Counter()
    for board in boards:
        counts.update(
            {
                side["participant"]
                for run in _runs(call, board)
                for matchup in run.matchups
                for side in (matchup["first"], matchup["second"])
            }
        )
    return counts


def _buckets(values: Sequence[str]) -> list[JsonObject]:
    return [
        {"value": value, "votes": count, "share": round(count / len(values), 6)}
        for value, count in Counter(values).most_common()
    ]


ENDPOINTS = (
    Endpoint("GET", "/leaderboard/{leaderboard_id}/standings/query", leaderboard_standings),
    Endpoint("GET", "/leaderboard/{leaderboard_id}/matrix/query", leaderboard_matrix),
    Endpoint("GET", "/benchmark/{benchmark_id}/standings/query", benchmark_standings),
    Endpoint("GET", "/benchmark/{benchmark_id}/standings/breakdown", breakdown),
    Endpoint("GET", "/benchmark/{benchmark_id}/matrix/query", benchmark_matrix),
    Endpoint("GET", "/benchmark/{benchmark_id}/demographics", demographics),
)
