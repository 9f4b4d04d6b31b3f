"""What a job asks, and who answers what: a pure function of the job, its people and the seed.

Everybody's answer to everything is decided when a job is created; the clock only says how many of
the answers have arrived. Datapoints are answered round after round, and those that have enough
drop out. The rankings of a ranking job take turns in the same way.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import unquote, urlsplit

from rapidata_core.sandbox import ranking, stopping
from rapidata_core.sandbox.crowd import Labeler, Pool
from rapidata_core.sandbox.qualification import Truths
from rapidata_core.sandbox.questions import (
    Answer,
    Classification,
    CompareResult,
    Comparison,
    FreeText,
    Line,
    Locate,
    Question,
    Transcription,
)
from rapidata_core.sandbox.tasks import RANKING, Referee, Workflow, is_on, number, words_of

Json = Mapping[str, Any]

ASSET_HOST = "https://assets.rapidata.invalid"
"""Where files that were uploaded from a disk would be; reserved names cannot be mistaken."""

UNSURE = ("Both", "Neither")
"""The options that ``compare_unsure`` adds."""

_FIRST_LOOK = 8
"""How many answers are looked at first, to see whether a datapoint may stop early."""


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
    """What is shown: a file, or a text.

    Attributes:
        name: What results call it.
        key: What it is: the text itself, or the name of the uploaded file.
    """

    name: str
    key: str
    asset: Asset | None = None


@dataclass(frozen=True, slots=True)
class Datapoint:
    """A datapoint of a job.

    Attributes:
        id: Its id in the dataset.
        items: One item, or two to be compared.
        asset: What is shown, as it was requested.
        group: The ranking that it belongs to.
        metadata: What the client noted about it.
    """

    id: str
    items: tuple[Item, ...]
    asset: Json
    context: str | None = None
    context_asset: Json | None = None
    options: tuple[str, ...] = ()
    transcription: str | None = None
    group: str = ""
    metadata: Json | None = None


@dataclass(frozen=True, slots=True)
class Ranking:
    """Items that are ranked among each other.

    Attributes:
        names: What results call the items, by their datapoints' ids.
    """

    name: str
    datapoints: tuple[Datapoint, ...]
    names: Mapping[str, str]
    context: str | None = None
    context_asset: Json | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """One labeler's answer.

    Attributes:
        option: What results count it under; empty where nothing is counted.
        pair: In a ranking, the ids of the datapoints that were compared.
        share: In a ranking, the first one's share of the win.
    """

    option: str
    answer: Answer
    person: Labeler
    pair: tuple[str, str] | None = None
    share: float = 0.0


@dataclass(frozen=True)
class Task:
    """Everything that decides the answers of a job, beside the clock.

    Attributes:
        key: Whose answers they are: the job's id.
        units: What the crowd goes through round after round.
        truths: What is known to be true.
    """

    seed: int
    key: str
    pool: Pool
    workflow: Workflow
    referee: Referee
    flags: Mapping[str, str]
    units: tuple[Datapoint, ...] | tuple[Ranking, ...]
    truths: Truths

    @cached_property
    def stops(self) -> tuple[int, ...]:
        """How many answers each unit gets in the end."""
        votes = min(self.referee.votes, self.pool.size)
        if self.referee.budget is not None:
            whole, rest = divmod(self.referee.budget, max(1, len(self.units)))
            return tuple(
                min(whole + (place < rest), self.pool.size) for place in range(len(self.units))
            )
        if self.referee.stops_early:
            return tuple(self._stop(place, votes) for place in range(len(self.units)))
        return tuple(votes * pairs_of(self.workflow, unit) for unit in self.units)

    @property
    def unsure(self) -> bool:
        """Whether comparisons may be answered with both or neither."""
        return is_on(self.flags, "compare_unsure")

    def options_of(self, datapoint: Datapoint) -> tuple[str, ...]:
        """What the answers to a datapoint are counted under."""
        if self.workflow.type == "Compare":
            return tuple(item.name for item in datapoint.items)
        return self.workflow.options or datapoint.options

    def responses_of(self, place: int, count: int) -> list[Response]:
        """A unit's first answers, in order of arrival."""
        unit = self.units[place]
        if isinstance(unit, Ranking):
            return self._matches(place, unit)[:count]
        question = self.question(unit)
        label = self._labeler_of_answers(unit)
        return [
            Response(label(answer), answer, person)
            for person in self.pool.panel(f"{self.key}/{place}", count)
            for answer in (question.answer(self.seed, person),)
        ]

    def question(self, datapoint: Datapoint) -> Question:
        """A datapoint as its labelers see it; not in a ranking, which asks about pairs."""
        return _QUESTIONS[self.workflow.type](self, datapoint)

    def known(self, datapoint: Datapoint, choices: Sequence[str] = ()) -> Any:
        """What is known to be true about a datapoint."""
        return self.truths.about(
            self.workflow.type,
            [item.key for item in datapoint.items],
            datapoint.context,
            datapoint.context_asset,
            choices,
        )

    def _stop(self, place: int, votes: int) -> int:
        unit = self.units[place]
        assert isinstance(unit, Datapoint)
        options, looked = self.options_of(unit), min(_FIRST_LOOK, votes)
        while True:
            seen = [(r.option, r.person.score) for r in self.responses_of(place, looked)]
            stop = stopping.stops_after(self.referee, options, seen)
            if stop is not None or looked >= votes:
                return stop or votes
            looked = min(2 * looked, votes)

    def _labeler_of_answers(self, datapoint: Datapoint) -> Callable[[Any], str]:
        if self.workflow.type == "Classify":
            return lambda answer: answer.category
        if self.workflow.type != "Compare":
            return lambda answer: ""
        names = {item.key: item.name for item in reversed(datapoint.items)}
        return lambda answer: _compared(answer, names)

    def _matches(self, place: int, group: Ranking) -> list[Response]:
        """All answers in a ranking: some votes on each pair, one pair after the other."""
        found = self._all_matches.get(place)
        if found is None:
            found = self._all_matches[place] = list(self._played(group))
        return found

    @cached_property
    def _all_matches(self) -> dict[int, list[Response]]:
        return {}

    def _played(self, group: Ranking) -> Iterator[Response]:
        votes = min(self.referee.votes, self.pool.size)
        pairs = pairs_of(self.workflow, group)
        if not votes or not pairs:
            return
        key = f"{self.key}/{group.name}"
        people = self.pool.panel(key, votes * pairs)
        by_id = {datapoint.id: datapoint for datapoint in group.datapoints}
        content = content_of(group.context, group.context_asset)
        latest: list[Response] = []

        def ask(match: int, first: str, second: str) -> float:
            latest.clear()
            keys = by_id[first].items[0].key, by_id[second].items[0].key
            known = self.truths.about("Compare", keys, group.context, group.context_asset)
            question = Comparison(content, keys, self.unsure, known)
            names = {keys[1]: group.names[second], keys[0]: group.names[first]}
            for turn in range(votes):
                person = people[(match * votes + turn) % len(people)]
                answer = question.answer(self.seed, person)
                share = 0.5 if len(answer.winners) != 1 else float(answer.winners[0] == keys[0])
                option = _compared(answer, names)
                latest.append(Response(option, answer, person, (first, second), share))
            return sum(response.share for response in latest) / votes

        maker = self.workflow.pair_maker
        if maker is None or maker.budget is None:
            for match, (first, second) in enumerate(ranking.all_pairs(list(by_id))):
                ask(match, first, second)
                yield from latest
            return
        played = ranking.matchups(
            list(by_id), pairs, ask, random_ratio=maker.random_ratio, seed=self.seed, key=key
        )
        for _ in played:
            yield from latest


def original_name(url: str) -> str:
    """The last segment of a URL's path: the name under which results list the asset."""
    return unquote(urlsplit(url).path.rstrip("/").rpartition("/")[2]) or urlsplit(url).netloc


def most_responses(workflow: Workflow, referee: Referee, sizes: Sequence[int]) -> int:
    """How many answers a job gets at most, which is what its estimate says.

    Args:
        workflow: What it asks.
        referee: When there are enough answers.
        sizes: How many datapoints each group of datapoints has.
    """
    if referee.budget is not None:
        return referee.budget
    if workflow.type != RANKING:
        return referee.votes * sum(sizes)
    return referee.votes * sum(_pairs(workflow, items) for items in sizes)


def pairs_of(workflow: Workflow, unit: Datapoint | Ranking) -> int:
    """How many comparisons a ranking makes; a datapoint is a single question."""
    return _pairs(workflow, len(unit.datapoints)) if isinstance(unit, Ranking) else 1


def counts_of(stops: Sequence[int], answered: int) -> list[int]:
    """How many answers each unit has when so many have arrived."""
    rounds, left = _full_rounds(stops, answered)
    counts: list[int] = []
    for stop in stops:
        more = stop > rounds and left > 0
        counts.append(min(stop, rounds) + more)
        left -= more
    return counts


def in_order(task: Task, answered: int) -> list[tuple[int, Response]]:
    """All answers so far with the numbers of their units, in order of arrival."""
    counts = counts_of(task.stops, answered)
    columns = [task.responses_of(place, count) for place, count in enumerate(counts)]
    rounds = max(counts, default=0)
    return [
        (place, column[turn])
        for turn in range(rounds)
        for place, column in enumerate(columns)
        if turn < len(column)
    ]


def units_of(
    workflow: Workflow,
    rows: Sequence[Any],
    contexts: Mapping[str, Sequence[Json]],
    find: Callable[[str], Asset],
) -> tuple[Datapoint, ...] | tuple[Ranking, ...]:
    """The datapoints of a dataset, in their order, as the units of a job.

    Args:
        workflow: What is asked.
        rows: The datapoints' rows.
        contexts: The segments that the groups of datapoints have, by the groups' names.
        find: Finds an uploaded file by its name.
    """
    points = tuple(_datapoint(row, find) for row in rows)
    if workflow.type != RANKING:
        return points
    groups: dict[str, list[Datapoint]] = {}
    for point in points:
        groups.setdefault(point.group, []).append(point)
    return tuple(_ranking(name, group, contexts.get(name, ())) for name, group in groups.items())


def items_of(asset: Json, find: Callable[[str], Asset]) -> tuple[Item, ...]:
    """The files or texts of an asset as it is stored."""
    if asset["_t"] == "MultiAssetInput":
        return tuple(item for part in asset["assets"] for item in items_of(part, find))
    if asset["_t"] == "TextAssetInput":
        return (Item(asset["text"], asset["text"]),)
    known = find(asset["name"])
    return (Item(known.original_name, known.file_name, known),)


def content_of(context: str | None, context_asset: Json | None, shown: Sequence[str] = ()) -> str:
    """What identifies a question beside its options: two with the same have the same truth."""
    return json.dumps([context, context_asset, list(shown)], sort_keys=True)


def _full_rounds(stops: Sequence[int], answered: int) -> tuple[int, int]:
    """How many whole rounds have been made, and how many answers came after them."""
    rounds, left, taking_part = 0, answered, len(stops)
    for stop in sorted(stops):
        # As long as nobody drops out, all rounds are alike.
        alike = min(stop - rounds, left // max(1, taking_part))
        rounds, left = rounds + alike, left - alike * taking_part
        if rounds < stop:
            break
        taking_part -= 1
    return rounds, left


def _pairs(workflow: Workflow, items: int) -> int:
    maker = workflow.pair_maker
    if items < 2:
        return 0
    return items * (items - 1) // 2 if maker is None or maker.budget is None else maker.budget


def _compared(answer: CompareResult, names: Mapping[str, str]) -> str:
    if len(answer.winners) != 1:
        return UNSURE[0] if answer.winners else UNSURE[1]
    return names[answer.winners[0]]


def _datapoint(row: Any, find: Callable[[str], Asset]) -> Datapoint:
    by_key = {segment["key"]: segment for segment in row.segments}
    asset = by_key["asset"]["asset"]
    return Datapoint(
        id=row.id,
        items=_distinct(items_of(asset, find)),
        asset=asset,
        context=by_key.get("context", {}).get("text"),
        context_asset=by_key.get("context_asset", {}).get("asset"),
        options=tuple(
            option["value"] for option in by_key.get("answer_options", {}).get("options", ())
        ),
        transcription=by_key.get("transcription", {}).get("text"),
        group=row.group_name or "",
        metadata=row.private_metadata,
    )


def _ranking(name: str, group: Sequence[Datapoint], segments: Sequence[Json]) -> Ranking:
    by_key = {segment["key"]: segment for segment in segments}
    names = _distinct(tuple(datapoint.items[0] for datapoint in group))
    return Ranking(
        name=name,
        datapoints=tuple(group),
        names={point.id: item.name for point, item in zip(group, names, strict=True)},
        context=by_key.get("context", {}).get("text"),
        context_asset=by_key.get("context_asset", {}).get("asset"),
    )


def _distinct(items: tuple[Item, ...]) -> tuple[Item, ...]:
    """Items whose names differ: two different pictures may both be called ``cat.jpg``."""
    if len(items) < 2:
        return items
    seen: dict[str, int] = {}
    distinct: list[Item] = []
    for item in items:
        seen[item.name] = seen.get(item.name, 0) + 1
        count = seen[item.name]
        name = item.name if count == 1 else f"{item.name} ({count})"
        distinct.append(Item(name, item.key, item.asset))
    return tuple(distinct)


def _content(datapoint: Datapoint) -> str:
    shown = [item.key for item in datapoint.items]
    return content_of(datapoint.context, datapoint.context_asset, shown)


def _classification(task: Task, datapoint: Datapoint) -> Question:
    options = task.options_of(datapoint)
    known = task.known(datapoint, options)
    return Classification(
        content=_content(datapoint),
        options=options,
        ordered=is_on(task.flags, "no_shuffle"),
        known=None if known is None else tuple(known),
    )


def _comparison(task: Task, datapoint: Datapoint) -> Question:
    first, second = datapoint.items
    return Comparison(
        content=content_of(datapoint.context, datapoint.context_asset),
        items=(first.key, second.key),
        unsure=task.unsure,
        known=task.known(datapoint),
    )


def _locate(task: Task, datapoint: Datapoint) -> Question:
    fewest = number(task.flags, "locate_min_points") or 1
    most = number(task.flags, "locate_max_points")
    return Locate(_content(datapoint), fewest, most, _boxes(task.known(datapoint)))


def _line(task: Task, datapoint: Datapoint) -> Question:
    return Line(_content(datapoint), _boxes(task.known(datapoint)))


def _transcription(task: Task, datapoint: Datapoint) -> Question:
    words = words_of(datapoint.transcription or "")
    known = task.known(datapoint, words)
    return Transcription(_content(datapoint), words, None if known is None else tuple(known))


def _free_text(task: Task, datapoint: Datapoint) -> Question:
    return FreeText(
        content=_content(datapoint),
        shortest=number(task.flags, "free_text_minimum_characters") or 1,
        longest=number(task.flags, "free_text_max_characters") or 1024,
        numeric=is_on(task.flags, "keyboard_numeric"),
    )


def _boxes(known: Any) -> tuple[tuple[float, float, float, float], ...] | None:
    if known is None:
        return None
    return tuple((left, top, right, bottom) for left, top, right, bottom in known)


_QUESTIONS: Mapping[str, Callable[[Task, Datapoint], Question]] = {
    "Classify": _classification,
    "Compare": _comparison,
    "Locate": _locate,
    "Line": _line,
    "Transcription": _transcription,
    "FreeText": _free_text,
}
