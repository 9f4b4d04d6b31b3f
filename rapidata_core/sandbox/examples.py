"""Qualification examples: what may be asked, what may be claimed, and which answer is right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from rapidata_core.sandbox.questions import (
    Answer,
    AttachCategoryResult,
    CompareResult,
    LineResult,
    LocateResult,
    Point,
    TranscriptionResult,
)
from rapidata_core.sandbox.tasks import instruction_problem

Json = Mapping[str, Any]
Problems = Iterator[tuple[str, str]]
"""Fields of a request with what is wrong about them."""


_SIDES = ("xMin", "yMin", "xMax", "yMax")
_PRECISION = 0.8
"""Which share of the points has to be in a box, when an example does not say."""
_COMPLETENESS = 0.5
"""Which share of the boxes has to be met, when an example does not say."""


@dataclass(frozen=True, slots=True)
class _Kind:
    task: str
    instruction: str
    """The member of the payload that holds the instruction."""


_KINDS = {
    "ClassifyExamplePayload": _Kind("Classify", "title"),
    "CompareExamplePayload": _Kind("Compare", "criteria"),
    "LocateExamplePayload": _Kind("Locate", "target"),
    "LineExamplePayload": _Kind("Line", "target"),
    "TranscriptionExamplePayload": _Kind("Transcription", "title"),
}


def task_of(payload: Json) -> str:
    """The task of an example, named like the task of a workflow."""
    return _KINDS[payload["_t"]].task


def instruction_member(payload: Json) -> str:
    """The member of a payload that holds the instruction."""
    return _KINDS[payload["_t"]].instruction


def keys_of(asset: Json) -> tuple[str, ...]:
    """What identifies the items of an asset: a text itself, or the name of an uploaded file."""
    if asset["_t"] == "MultiAssetInput":
        return tuple(key for part in asset["assets"] for key in keys_of(part))
    return (asset["text"] if asset["_t"] == "TextAssetInput" else asset["name"],)


def problems(payload: Json, truth: Json | None, keys: Sequence[str] | None) -> Problems:
    """Everything that is wrong with an example about items with these keys.

    Without keys, because the asset itself is wrong, it is not compared with the rest.
    """
    kind = _KINDS.get(str(payload.get("_t")))
    if kind is None:
        yield "payload", f"{payload.get('_t')!r} is not one of {', '.join(_KINDS)}."
        return
    member = f"payload.{kind.instruction}"
    problem = instruction_problem(member, payload.get(kind.instruction))
    if problem is not None:
        yield member, problem
    wanted = f"{kind.task}ExampleTruth"
    if truth is None:
        yield "truth", "truth is required: nobody can qualify by an example without one."
        truth = {}
    elif truth.get("_t") != wanted:
        yield "truth", f"The truth of a {payload['_t']} is a {wanted}, not {truth.get('_t')!r}."
        truth = {}
    yield from _CHECKS[kind.task](payload, truth, keys)


def is_right(answer: Answer, truth: Json) -> bool:
    """Whether an answer is what an example claims to be true."""
    match answer:
        case AttachCategoryResult(category):
            return category in truth["correctCategories"]
        case CompareResult(winners):
            return winners == (truth["winnerId"],)
        case LocateResult(points):
            return _covers([(point,) for point in points], truth)
        case LineResult(lines):
            return _covers(lines, truth)
        case TranscriptionResult(selected):
            chosen = {index for index, _ in selected}
            correct = {word["wordIndex"] for word in truth["correctWords"]}
            precision = truth.get("requiredPrecision")
            completeness = truth.get("requiredCompleteness")
            common = len(chosen & correct)
            return common >= len(chosen) * (1 if precision is None else precision) and (
                common >= len(correct) * (1 if completeness is None else completeness)
            )
        case _:
            return False


def _covers(marks: Sequence[Sequence[Point]], truth: Json) -> bool:
    """Whether enough of what was marked lies in the boxes, and enough of the boxes is marked."""
    boxes = [tuple(box[side] for side in _SIDES) for box in truth["boundingBoxes"]]
    points = [point for mark in marks for point in mark]
    inside = [
        {number for number, box in enumerate(boxes) if _is_in(point, box)} for point in points
    ]
    precision, completeness = truth.get("requiredPrecision"), truth.get("requiredCompleteness")
    hits = sum(1 for where in inside if where)
    met = len(set[int]().union(*inside))
    return hits >= len(points) * (_PRECISION if precision is None else precision) and (
        met >= len(boxes) * (_COMPLETENESS if completeness is None else completeness)
    )


def _is_in(point: Point, box: Sequence[float]) -> bool:
    return box[0] <= point[0] <= box[2] and box[1] <= point[1] <= box[3]


def _classify(payload: Json, truth: Json, _keys: Sequence[str] | None) -> Problems:
    options: list[str] = []
    for category in _list(payload.get("categories")):
        match category:
            case {"label": str(), "value": str(value)} if value:
                options.append(value)
            case _:
                yield "payload.categories", "Each category is a {label, value} of texts."
    if not options:
        yield "payload.categories", "A classification needs categories."
    elif len(set(options)) < len(options):
        yield "payload.categories", "Two categories have the same value."
    if not truth:
        return
    correct = _list(truth.get("correctCategories"))
    if not correct:
        yield "truth.correctCategories", "At least one category must be correct."
    for category in correct:
        if category not in options:
            yield "truth.correctCategories", f"{category!r} is not one of the categories."


def _compare(_payload: Json, truth: Json, keys: Sequence[str] | None) -> Problems:
    if keys is None:
        return
    if len(set(keys)) != 2 or len(keys) != 2:
        yield "asset", "A comparison needs a MultiAssetInput of exactly two different assets."
    if truth and truth.get("winnerId") not in keys:
        yield (
            "truth.winnerId",
            (
                f"{truth.get('winnerId')!r} is not one of the assets: it is the name of an "
                "uploaded file, or the text itself."
            ),
        )


def _boxes(_payload: Json, truth: Json, _keys: Sequence[str] | None) -> Problems:
    if not truth:
        return
    boxes = _list(truth.get("boundingBoxes"))
    if not boxes:
        yield "truth.boundingBoxes", "At least one box is required."
    for box in boxes:
        if not _is_box(box):
            yield (
                "truth.boundingBoxes",
                (f"{box!r} is not a box: xMin < xMax and yMin < yMax, in percent from 0 to 100."),
            )
    yield from _ratios(truth)


def _transcription(payload: Json, truth: Json, _keys: Sequence[str] | None) -> Problems:
    words: dict[int, str] = {}
    for entry in _list(payload.get("transcription")):
        match entry:
            case {"word": str(word), "wordIndex": int(index)} if index not in words:
                words[index] = word
            case _:
                yield "payload.transcription", f"{entry!r} is not a {{word, wordIndex}}, once each."
    if not words:
        yield "payload.transcription", "A transcription needs words."
    if not truth:
        return
    correct = _list(truth.get("correctWords"))
    if not correct:
        yield "truth.correctWords", "At least one word must be correct."
    for entry in correct:
        match entry:
            case {"word": str(word), "wordIndex": int(index)} if words.get(index) == word:
                pass
            case _:
                yield "truth.correctWords", f"{entry!r} is not a word of the transcription."
    yield from _ratios(truth)


def _ratios(truth: Json) -> Problems:
    for name in ("requiredPrecision", "requiredCompleteness"):
        value = truth.get(name)
        if value is not None and not (_is_number(value) and 0 <= value <= 1):
            yield f"truth.{name}", f"{name} is a number from 0 to 1."


def _is_box(box: Any) -> bool:
    match box:
        case {"xMin": left, "yMin": top, "xMax": right, "yMax": bottom}:
            sides = (left, top, right, bottom)
            return (
                all(_is_number(side) and 0 <= side <= 100 for side in sides)
                and left < right
                and top < bottom
            )
        case _:
            return False


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


_CHECKS = {
    "Classify": _classify,
    "Compare": _compare,
    "Locate": _boxes,
    "Line": _boxes,
    "Transcription": _transcription,
}
