"""A job's questions, its answers so far, and the result file made of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from rapidata_core.sandbox import crowd
from rapidata_core.sandbox.clock import rfc3339
from rapidata_core.sandbox.crowd import Labeler, Question
from rapidata_core.sandbox.lifecycle import Job

VERSION = "4.1.0"
ASSET_HOST = "https://assets.rapidata.invalid"
"""Where files that were uploaded from a disk would be; reserved names cannot be mistaken."""


@dataclass(frozen=True, slots=True)
class Asset:
    """An uploaded file."""

    file_name: str
    original_name: str
    source_url: str | None = None

    @property
    def url(self) -> str:
        """Where a result file says that the asset is."""
        return self.source_url or f"{ASSET_HOST}/{self.file_name}"


@dataclass(frozen=True, slots=True)
class Item:
    """What is shown: a file, or a text."""

    name: str
    key: str
    asset: Asset | None = None


@dataclass(frozen=True, slots=True)
class Datapoint:
    """A datapoint of a job, with its options.

    Attributes:
        place: Its number in the job's order.
        items: One item, or two to be compared.
        options: What the results are keyed by.
    """

    place: int
    items: tuple[Item, ...]
    options: tuple[str, ...]
    context: str | None
    question: Question


@dataclass(frozen=True, slots=True)
class Response:
    """One labeler's answer."""

    place: int
    option: str
    index: int
    person: Labeler


@dataclass(frozen=True, slots=True)
class Task:
    """Everything that decides the answers of a job, beside the clock."""

    seed: int
    pool: str
    job: Job
    type: str
    instruction: str
    datapoints: tuple[Datapoint, ...]


def original_name(url: str) -> str:
    """The last segment of a URL's path: the name under which results list the asset."""
    return unquote(urlsplit(url).path.rstrip("/").rpartition("/")[2]) or urlsplit(url).netloc


def responses_of(task: Task, datapoint: Datapoint, count: int) -> list[Response]:
    """A datapoint's first answers, in order of arrival."""
    key = f"{task.job.id}/{datapoint.place}"
    labels = datapoint.options + (crowd.UNSURE if datapoint.question.unsure else ())
    answers: list[Response] = []
    for person in crowd.panel(task.seed, task.pool, key, count):
        index = crowd.answer(task.seed, datapoint.question, person)
        answers.append(Response(datapoint.place, labels[index], index, person))
    return answers


def counts_by_place(task: Task, answered: int) -> list[int]:
    """How many answers each datapoint has: the crowd goes through them round after round."""
    rounds, rest = divmod(answered, max(1, len(task.datapoints)))
    return [rounds + (place < rest) for place in range(len(task.datapoints))]


def completed_datapoints(job: Job, answered: int) -> int:
    """How many datapoints have all their answers."""
    return max(0, answered - job.datapoint_count * (job.votes - 1))


def responses(task: Task, answered: int) -> list[Response]:
    """All answers so far, in order of arrival."""
    counts = counts_by_place(task, answered)
    columns = [
        responses_of(task, datapoint, count)
        for datapoint, count in zip(task.datapoints, counts, strict=True)
    ]
    rounds = max(counts, default=0)
    return [column[turn] for turn in range(rounds) for column in columns if turn < len(column)]


def result_file(task: Task, answered: int, made_at: int) -> dict[str, Any]:
    """The downloaded file of a job."""
    entry = _comparison if task.type == "Compare" else _classification
    counts = counts_by_place(task, answered)
    entries = [
        entry(datapoint, responses_of(task, datapoint, count))
        for datapoint, count in zip(task.datapoints, counts, strict=True)
    ]
    summarise = _comparison_summary if task.type == "Compare" else _classification_summary
    return {
        "info": {
            "createdAt": rfc3339(made_at),
            "version": VERSION,
            "type": task.type,
            "name": task.job.name,
            "instruction": task.instruction,
        },
        "results": entries,
        "summary": summarise(entries),
    }


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


def _comparison(datapoint: Datapoint, answers: Sequence[Response]) -> dict[str, Any]:
    labels = datapoint.options + tuple(
        label for label in crowd.UNSURE if any(answer.option == label for answer in answers)
    )
    tallies = _tallies(labels, answers)
    winner = _best(tallies["aggregatedResults"])
    weighted = _best(tallies["summedUserScores"])
    order = datapoint.options + (crowd.UNSURE if datapoint.question.unsure else ())
    index = None if winner is None else order.index(winner)
    entry: dict[str, Any] = {} if datapoint.context is None else {"context": datapoint.context}
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
    return entry | tallies | {"detailedResults": _details("votedFor", answers)}


def _classification(datapoint: Datapoint, answers: Sequence[Response]) -> dict[str, Any]:
    item = datapoint.items[0]
    entry: dict[str, Any] = {"identifier": item.name}
    if item.asset is not None:
        entry["identifier"] = item.asset.source_url or item.asset.original_name
        entry["originalFileName"] = item.asset.original_name
        entry["assetUrl"] = item.asset.url
    if datapoint.context is not None:
        entry["context"] = datapoint.context
    tallies = _tallies(datapoint.options, answers)
    return entry | tallies | {"detailedResults": _details("selectedCategory", answers)}


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


def _details(key: str, answers: Sequence[Response]) -> list[dict[str, Any]]:
    return [
        {key: response.option, "userDetails": user_details(response.person)} for response in answers
    ]


def _comparison_summary(entries: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    winners = [entry["winnerIndex"] for entry in entries]
    return {"A_wins_total": winners.count(0), "B_wins_total": winners.count(1)}


def _classification_summary(entries: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    totals: dict[str, int] = {}
    for entry in entries:
        for option, count in entry["aggregatedResults"].items():
            totals[option] = totals.get(option, 0) + count
    return totals


Find = Callable[[str], Asset]


def datapoints_of(
    rows: Sequence[list[dict[str, Any]]],
    *,
    compared: bool,
    literal_options: Sequence[str] | None,
    ordered: bool,
    unsure: bool,
    find: Find,
) -> Iterator[Datapoint]:
    """The segments of a dataset's datapoints, in their order, as the questions of a job."""
    for place, segments in enumerate(rows):
        by_key = {segment["key"]: segment for segment in segments}
        items = _distinct(items_of(by_key["asset"]["asset"], find))
        context = by_key.get("context", {}).get("text")
        names = tuple(item.name for item in items)
        options = names if compared else _options(by_key, literal_options)
        # Items are identified by what they are, so moving one to the other side changes nothing.
        shown = tuple(item.key for item in items)
        yield Datapoint(
            place=place,
            items=items,
            options=options,
            context=context,
            question=Question(
                content=_content(context, by_key.get("context_asset"), () if compared else shown),
                options=shown if compared else options,
                compared=compared,
                ordered=ordered,
                unsure=unsure,
            ),
        )


def items_of(asset: Mapping[str, Any], find: Find) -> tuple[Item, ...]:
    """The files or texts of an asset as it is stored."""
    if asset["_t"] == "MultiAssetInput":
        return tuple(item for part in asset["assets"] for item in items_of(part, find))
    if asset["_t"] == "TextAssetInput":
        return (Item(asset["text"], asset["text"]),)
    known = find(asset["name"])
    return (Item(known.original_name, known.file_name, known),)


def _distinct(items: tuple[Item, ...]) -> tuple[Item, ...]:
    """Items whose names differ: two different pictures may both be called ``cat.jpg``."""
    seen: dict[str, int] = {}
    distinct: list[Item] = []
    for item in items:
        seen[item.name] = seen.get(item.name, 0) + 1
        count = seen[item.name]
        name = item.name if count == 1 else f"{item.name} ({count})"
        distinct.append(Item(name, item.key, item.asset))
    return tuple(distinct)


def _options(
    segments: Mapping[str, Mapping[str, Any]], literal_options: Sequence[str] | None
) -> tuple[str, ...]:
    if literal_options is not None:
        return tuple(literal_options)
    return tuple(option["value"] for option in segments["answer_options"]["options"])


def _content(
    context: str | None, context_asset: Mapping[str, Any] | None, shown: Sequence[str]
) -> str:
    asset = None if context_asset is None else context_asset["asset"]
    return json.dumps([context, asset, list(shown)], sort_keys=True)
