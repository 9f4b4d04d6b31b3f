"""The result file of a job, made of the answers so far.

The platform's documents describe the files of comparisons and classifications. Those of the other
tasks are not described; they are made of the same parts, with the field names of the platform's
typed results: ``docs/sandbox-differences.md`` lists what was decided.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rapidata_core.sandbox import ranking, stopping
from rapidata_core.sandbox.clock import rfc3339
from rapidata_core.sandbox.collection import (
    UNSURE,
    Datapoint,
    Ranking,
    Response,
    Task,
    counts_of,
)
from rapidata_core.sandbox.crowd import Labeler
from rapidata_core.sandbox.replies import encode

VERSION = "4.1.0"

_TYPES = {"Classify": "Classification", "GroupedRanking": "Ranking"}
"""What result files call the task, where it is not the definition's type."""

Entry = dict[str, Any]


def result_file(task: Task, name: str, answered: int, made_at: int) -> bytes:
    """The downloaded file of a job, as JSON.

    It is written entry by entry: a hundred thousand answers as objects would keep the garbage
    collector busier than everything else together.
    """
    info = {
        "createdAt": rfc3339(made_at),
        "version": VERSION,
        "type": _TYPES.get(task.workflow.type, task.workflow.type),
        "name": name,
        "instruction": task.workflow.instruction,
    }
    totals: Counter[str] = Counter(_labels(task))
    entries: list[bytes] = []
    for place, count in enumerate(counts_of(task.stops, answered)):
        entry = _entry(task, place, count)
        totals.update(_counted(task, entry))
        entries.append(encode(entry))
    parts = b'{"info":', encode(info), b',"results":[', b",".join(entries), b'],"summary":'
    return b"".join((*parts, encode(totals), b"}"))


def user_details(person: Labeler) -> dict[str, Any]:
    """A labeler as result files describe one."""
    return {
        "country": person.country,
        "language": person.language,
        "userScores": {"global": person.score},
        "demographics": {
            "age": person.age,
            "gender": person.gender,
            "occupation": person.occupation,
        },
    }


def winners(task: Task, answered: int, *, weighted: bool) -> list[int | None]:
    """Which side won each comparison; ``None`` where neither did."""
    metric = "weightedWinnerIndex" if weighted else "winnerIndex"
    counts = counts_of(task.stops, answered)
    return [_entry(task, place, count)[metric] for place, count in enumerate(counts)]


def scores_of(task: Task, group: Ranking, answers: Sequence[Response]) -> dict[str, int]:
    """The scores of the items in a ranking, by their datapoints' ids."""
    wins = ranking.counted(
        group.names, [(*answer.pair, answer.share) for answer in answers if answer.pair is not None]
    )
    return ranking.bradley_terry(wins, task.workflow.start_score)


def _entry(task: Task, place: int, count: int) -> Entry:
    unit, answers = task.units[place], task.responses_of(place, count)
    if isinstance(unit, Ranking):
        return _ranking(task, unit, answers)
    match task.workflow.type:
        case "Compare":
            return _comparison(task, unit, answers)
        case "Classify":
            return _classification(task, unit, answers)
        case _:
            return _free(task, unit, answers)


def _comparison(task: Task, datapoint: Datapoint, answers: Sequence[Response]) -> Entry:
    options = task.options_of(datapoint)
    tallies = _tallies((*options, *_undecided(answers)), answers)
    winner = _best(tallies["aggregatedResults"])
    weighted = _best(tallies["summedUserScores"])
    order = options + (UNSURE if task.unsure else ())
    index = None if winner is None else order.index(winner)
    entry: Entry = {} if datapoint.context is None else {"context": datapoint.context}
    entry |= {
        "winner": winner,
        "winnerIndex": index,
        "winner_index": index,
        "weightedWinner": weighted,
        "weightedWinnerIndex": None if weighted is None else order.index(weighted),
    }
    urls = {item.name: item.asset.url for item in datapoint.items if item.asset is not None}
    if urls:
        entry["assetUrls"] = urls
    return (
        entry
        | tallies
        | _confidences(task, options, answers)
        | {"detailedResults": _details("votedFor", answers)}
        | _metadata(datapoint)
    )


def _classification(task: Task, datapoint: Datapoint, answers: Sequence[Response]) -> Entry:
    options = task.options_of(datapoint)
    return (
        _identity(datapoint)
        | _tallies(options, answers)
        | _confidences(task, options, answers)
        | {"detailedResults": _details("selectedCategory", answers)}
        | _metadata(datapoint)
    )


def _free(task: Task, datapoint: Datapoint, answers: Sequence[Response]) -> Entry:
    """An entry of a task whose answers are not counted."""
    entry = _identity(datapoint)
    if datapoint.transcription is not None and task.workflow.type == "Transcription":
        entry["transcription"] = datapoint.transcription
    details: list[Entry] = []
    for response in answers:
        detail = response.answer.as_json()
        del detail["_t"]
        detail["userDetails"] = user_details(response.person)
        details.append(detail)
    return entry | {"detailedResults": details} | _metadata(datapoint)


def _ranking(task: Task, group: Ranking, answers: Sequence[Response]) -> Entry:
    names = list(group.names.values())
    scores = scores_of(task, group, answers)
    entry: Entry = {"group": group.name}
    if group.context is not None:
        entry["context"] = group.context
    entry["totalVotes"] = len(answers)
    items = [point.items[0] for point in group.datapoints]
    urls = {
        name: item.asset.url
        for name, item in zip(names, items, strict=True)
        if item.asset is not None
    }
    if urls:
        entry["assetUrls"] = urls
    entry["elo"] = {group.names[point]: score for point, score in scores.items()}
    tallies = _tallies((*names, *_undecided(answers)), answers)
    details = [
        {
            "votedFor": answer.option,
            "compared": [group.names[point] for point in answer.pair or ()],
            "userDetails": user_details(answer.person),
        }
        for answer in answers
    ]
    return entry | tallies | {"detailedResults": details}


def _identity(datapoint: Datapoint) -> Entry:
    item = datapoint.items[0]
    entry: Entry = {"identifier": item.name}
    if item.asset is not None:
        entry["identifier"] = item.asset.source_url or item.asset.original_name
        entry["originalFileName"] = item.asset.original_name
        entry["assetUrl"] = item.asset.url
    if datapoint.context is not None:
        entry["context"] = datapoint.context
    return entry


def _metadata(datapoint: Datapoint) -> Entry:
    return {} if datapoint.metadata is None else {"privateMetadata": dict(datapoint.metadata)}


def _undecided(answers: Sequence[Response]) -> tuple[str, ...]:
    voted = {answer.option for answer in answers}
    return tuple(label for label in UNSURE if label in voted)


def _confidences(task: Task, options: Sequence[str], answers: Sequence[Response]) -> Entry:
    if task.referee.confidence is None:
        return {}
    votes = [(answer.option, answer.person.score) for answer in answers]
    found = stopping.confidences(options, votes)
    return {"confidencePerCategory": {option: round(found[option], 4) for option in options}}


def _tallies(labels: Sequence[str], answers: Sequence[Response]) -> dict[str, dict[str, float]]:
    counts: dict[str, float] = dict.fromkeys(labels, 0)
    scores: dict[str, float] = dict.fromkeys(labels, 0.0)
    for response in answers:
        counts[response.option] += 1
        scores[response.option] += response.person.score
    # Scores have four decimals; rounding the sum removes what floating point adds to them.
    scores = {label: round(score, 4) for label, score in scores.items()}
    return {
        "aggregatedResults": counts,
        "aggregatedResultsRatios": _ratios(counts),
        "summedUserScores": scores,
        "summedUserScoresRatios": _ratios(scores),
    }


def _ratios(values: Mapping[str, float]) -> dict[str, float]:
    total = sum(values.values())
    return {key: value / total if total else 0.0 for key, value in values.items()}


def _best(values: Mapping[str, float]) -> str | None:
    """The key with the highest value, unless there are several or nobody voted."""
    highest = max(values.values())
    best = [key for key, value in values.items() if value == highest]
    return best[0] if len(best) == 1 and highest > 0 else None


def _details(key: str, answers: Sequence[Response]) -> list[Entry]:
    return [
        {key: response.option, "userDetails": user_details(response.person)} for response in answers
    ]


def _labels(task: Task) -> dict[str, int]:
    """What the summary counts, in its order."""
    if task.workflow.type == "Compare":
        return {f"{side}_wins_total": 0 for side in ("A", "B", *(task.workflow.sides or ()))}
    return {} if task.workflow.type == "Classify" else {"totalResponses": 0}


def _counted(task: Task, entry: Entry) -> dict[str, int]:
    """What an entry adds to the summary."""
    match task.workflow.type:
        case "Compare":
            index = entry["winnerIndex"]
            sides = ("AB", task.workflow.sides or ())
            return {f"{names[index]}_wins_total": 1 for names in sides if names and index in (0, 1)}
        case "Classify":
            return entry["aggregatedResults"]
        case _:
            return {"totalResponses": len(entry["detailedResults"])}
