"""What an entry of a results file says: about a datapoint, and what each person answered.

Files differ with their age, so all fields may be missing; what has another type than it should have
is an error, since nothing is to be lost silently.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from operator import itemgetter
from typing import Any, cast

from rapidata_core.errors import ResultsError
from rapidata_core.results.privacy import pseudonym

Entry = dict[str, Any]

# Where the single answers are.
DETAILS = "detailedResults"
# Answers of a comparison that are no items.
UNDECIDED = ("Both", "Neither")
# Where an answer stands in `detailedResults`, and in the platform's typed results.
_ANSWER_FIELDS = {
    "compare": ("votedFor", "winners"),
    "ranking": ("votedFor", "winners"),
    "classification": ("selectedCategory", "category"),
    "free_text": ("answer",),
    "locate": ("coordinates",),
    "draw": ("lines",),
    "select_words": ("selectedWords",),
}
# Fields of a single answer that do not say what was answered, but who did, when and where.
_ABOUT_ANSWERS = {
    *("_t", "id", "rapidId", "createdAt", "compared", "country", "language", "age", "gender"),
    *("occupation", "demographicInformation"),
}
_TEXT, _NUMBER = frozenset({str, type(None)}), frozenset({int, float, type(None)})
_OBJECT = frozenset({dict})
# More people than there are; tables have 64 bits for a number of answers.
_MANY = 2**40


def details(entry: Entry) -> list[Entry]:
    """The single answers of a datapoint.

    Raises:
        ResultsError: They are no list of objects.
    """
    listed: object = entry.get(DETAILS)
    if listed is None:
        return []
    if isinstance(listed, list) and _OBJECT.issuperset(map(type, cast("list[object]", listed))):
        return cast("list[Entry]", listed)
    raise ResultsError(
        f"detailedResults are {brief(cast('object', listed))}, not a list of objects."
    )


def numbers_of(entry: Entry, field: str) -> dict[str, float]:
    """A metric per option or asset; nothing where the file lacks it.

    Raises:
        ResultsError: Something in it is no number.
    """
    found: object = entry.get(field)
    if found is None:
        return {}
    if isinstance(found, dict):
        by_option = cast("Entry", found)
        if None in by_option.values():
            by_option = {name: value for name, value in by_option.items() if value is not None}
        if all(number(value) is not None for value in by_option.values()):
            return by_option
    raise ResultsError(f"{field} are {brief(cast('object', found))}, not numbers by option.")


def number(value: object) -> float | None:
    """A number as it is; None for everything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if isfinite(value) else None


def counts_of(entry: Entry) -> dict[str, int]:
    """How many people gave each answer; nothing where the file does not count.

    Raises:
        ResultsError: Something in it is no number of people.
    """
    found = numbers_of(entry, "aggregatedResults")
    if all(0 <= count < _MANY and count == int(count) for count in found.values()):
        return {option: int(count) for option, count in found.items()}
    raise ResultsError(f"aggregatedResults are {brief(found)}, not numbers of answers.")


def total_votes(entry: Entry) -> int:
    """How many comparisons were made for a ranking; 0 where the file does not tell."""
    found: object = entry.get("totalVotes")
    return found if type(found) is int and 0 <= found < _MANY else 0


def assets(entry: Entry) -> list[str]:
    """The names of the items that were compared or ranked."""
    longest: list[str] = []
    for field in ("assetUrls", "aggregatedResults", "elo"):
        found: object = entry.get(field)
        if isinstance(found, dict) and len(names := cast("Entry", found)) > len(longest):
            # Texts may be called Both and Neither themselves.
            items = [name for name in names if name not in UNDECIDED] or list(names)
            longest = max(longest, items, key=len)
    return longest


def brief(value: object) -> str:
    """A value as an error shows it."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


# --- a datapoint ----------------------------------------------------------------------------------


def items_of(entry: Entry) -> list[str]:
    """What was asked about."""
    # The oldest files have no identifier.
    single = entry.get("identifier") or entry.get("originalFileName")
    return assets(entry) if single is None else [str(single)]


def context_of(entry: Entry) -> str | None:
    """The text that was shown beside it."""
    return _text(entry.get("context"), "context")


def private_metadata(entry: Entry) -> str | None:
    """What labelers never saw, as JSON."""
    metadata = _metadata(entry)
    return json.dumps(metadata, ensure_ascii=False, sort_keys=True) if metadata else None


def truth_of(entry: Entry) -> str | None:
    """The right answer, where whoever asked knows it."""
    return _text(_metadata(entry).get("truth"), "truth")


def _metadata(entry: Entry) -> Entry:
    metadata: object = entry.get("privateMetadata") or {}
    if not isinstance(metadata, dict):
        raise ResultsError(f"privateMetadata is {brief(metadata)}, not an object.")
    return cast("Entry", metadata)


def votes_of(
    counts: Mapping[str, float],
    scores: Mapping[str, float],
    confidences: Mapping[str, float],
    ranks: Mapping[str, float],
) -> list[dict[str, Any]]:
    """What each option got, in the order of the file; a row of the column ``votes``.

    Args:
        counts: Answers.
        scores: The sums of their user scores.
        confidences: The platform's.
        ranks: Scores in a ranking.
    """
    shares, weights = shares_of(counts), shares_of(scores)
    return [
        {
            "option": option,
            "count": int(counts.get(option, 0)),
            "ratio": shares.get(option),
            "user_score": float(scores.get(option, 0)),
            "user_score_ratio": weights.get(option),
            "confidence": confidences.get(option),
            "score": ranks.get(option),
        }
        for option in dict.fromkeys((*counts, *scores, *ranks))
    ]


def shares_of(values: Mapping[str, float]) -> dict[str, float]:
    """The part of each value in their sum; nothing if that is 0."""
    total = sum(values.values())
    return {option: value / total for option, value in values.items()} if total > 0 else {}


def voted(values: Mapping[str, float]) -> dict[str, float]:
    """The options that somebody chose."""
    return {option: value for option, value in values.items() if value > 0}


def highest(values: Mapping[str, float]) -> str | None:
    """The option with the highest value; nobody wins a tie."""
    best = max(values.values(), default=0)
    winners = [option for option, value in values.items() if value == best]
    return winners[0] if len(winners) == 1 else None


def index_of(items: Sequence[str], name: str | None) -> int | None:
    """The place of an item."""
    return items.index(name) if name in items else None


# --- an answer ------------------------------------------------------------------------------------


def responses_of(listed: Sequence[Entry], job_type: str) -> dict[str, list[Any]]:
    """What people answered, in the type that answers of the task have, and who they are.

    Returns:
        The columns ``answer``, ``country``, ``language``, ``user_score`` and ``user_scores``.

    Raises:
        ResultsError: Something has another type.
    """
    found = _of_today(listed, job_type) or _of_any_age(listed, job_type)
    shape = _SHAPES.get(job_type)
    answers = found["answer"]
    found["answer"] = _all_text(answers, "answer") if shape is None else [*map(shape, answers)]
    for field in ("country", "language"):
        _all_text(found[field], field)
    if not _NUMBER.issuperset(map(type, found["user_score"])):
        wrong = next(score for score in found["user_score"] if type(score) not in _NUMBER)
        raise ResultsError(f"user score is {brief(wrong)}, not a number.")
    return found


def _of_today(listed: Sequence[Entry], job_type: str) -> dict[str, list[Any]] | None:
    """The columns of answers that are as files of today have them; None if one is not.

    It is most of the time that a large file takes, so one look at each answer has to do.
    """
    if job_type not in _ANSWER_FIELDS:
        return None
    field = _ANSWER_FIELDS[job_type][0]
    try:
        rows = [
            (
                detail[field],
                (user := detail["userDetails"])["country"],
                user["language"],
                (scores := user["userScores"])["global"],
                None if len(scores) == 1 else _further(scores),
            )
            for detail in listed
        ]
    except (KeyError, TypeError):
        return None
    names = ("answer", "country", "language", "user_score", "user_scores")
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)) if rows else None


def _of_any_age(listed: Sequence[Entry], job_type: str) -> dict[str, list[Any]]:
    users = objects_of(listed, "userDetails")
    # Older files have a single number.
    scores = [user.get("userScores") or {"global": user.get("userScore")} for user in users]
    return {
        "answer": [_answer(detail, job_type) for detail in listed],
        "country": values_of(users, "country"),
        "language": values_of(users, "language"),
        "user_score": values_of(scores, "global"),
        "user_scores": [_further(score) or None for score in scores],
    }


def _answer(detail: Entry, job_type: str) -> Any:
    fields = _ANSWER_FIELDS.get(job_type)
    return _unknown_answer(detail) if fields is None else _find_answer(detail, fields)


def _find_answer(detail: Entry, fields: Sequence[str]) -> Any:
    """An answer in whichever form: by itself, or as in the platform's typed results."""
    nested = detail.get("result")
    for where in (detail, cast("Entry", nested) if isinstance(nested, dict) else {}):
        for name in fields:
            value = where.get(name)
            if isinstance(value, list) and name == "winners":
                winners = cast("list[Any]", value)
                both, neither = UNDECIDED
                return winners[0] if len(winners) == 1 else both if winners else neither
            if value is not None:
                return cast("Any", value)
    return None


def _unknown_answer(detail: Entry) -> str | None:
    """What was answered to a task that we do not know: a text as it is, all else as JSON."""
    said = [
        value
        for name, value in detail.items()
        if name not in _ABOUT_ANSWERS and not name.lower().startswith(("user", "labeler"))
    ]
    if not said or said[0] is None or isinstance(said[0], str):
        return said[0] if said else None
    # In whatever depth: nobody who reads an answer is to learn who gave it.
    return json.dumps(_without_people(said[0]), ensure_ascii=False)


def _without_people(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_people(part) for part in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    return {
        name: _without_people(part)
        for name, part in cast("Entry", value).items()
        if not name.lower().startswith(("user", "labeler"))
    }


def _points(answer: Any) -> list[dict[str, float]] | None:
    if answer is None:
        return None
    return [{"x": _float(point["x"]), "y": _float(point["y"])} for point in answer]


def _lines(answer: Any) -> list[dict[str, Any]] | None:
    if answer is None:
        return None
    return [
        {
            "size": None if line.get("size") is None else _float(line["size"]),
            "points": _points(line.get("points")) or [],
        }
        for line in answer
    ]


def _words(answer: Any) -> list[dict[str, Any]] | None:
    if answer is None:
        return None
    return [{"word": str(word["word"]), "index": int(word["wordIndex"])} for word in answer]


_SHAPES: dict[str, Callable[[Any], Any]] = {
    "locate": _points,
    "draw": _lines,
    "select_words": _words,
}


def compared_of(detail: Entry, index: Mapping[str, int]) -> list[int | None] | None:
    """The places of the two items of a ranking that were shown."""
    named = detail.get("compared")
    return None if named is None else [index.get(name) for name in named]


def labeler_of(detail: Entry, key: str) -> str | None:
    """Who answered, as a pseudonym; None where the platform does not say."""
    [user] = objects_of([detail], "userDetails")
    labeler = detail.get("userId") or user.get("userId")
    return None if labeler is None else pseudonym(labeler, key)


def values_of(owners: Sequence[Entry], field: str) -> list[Any]:
    """A field of several objects; None where it is missing."""
    try:
        # Half the time of get(), of which a large file needs millions.
        return [*map(itemgetter(field), owners)]
    except KeyError:
        return [owner.get(field) for owner in owners]


def objects_of(owners: Sequence[Entry], field: str) -> list[Entry]:
    """A field of several objects that is an object itself; empty where it is missing."""
    found = values_of(owners, field)
    return found if _OBJECT.issuperset(map(type, found)) else [value or {} for value in found]


def texts_of(owners: Sequence[Entry], field: str) -> list[str | None]:
    """A field of several objects that is a text; None where it is missing."""
    return _all_text(values_of(owners, field), field)


def _all_text(found: list[Any], field: str) -> list[str | None]:
    if not _TEXT.issuperset(map(type, found)):
        for value in found:
            _text(value, field)
    return found


def _further(scores: Entry) -> list[dict[str, Any]]:
    return [
        {"dimension": dimension, "score": _float(score)}
        for dimension, score in scores.items()
        if dimension != "global" and score is not None
    ]


def _float(value: Any) -> float:
    if value is None or type(value) not in _NUMBER:
        raise ResultsError(f"{brief(value)} is no number.")
    return float(value)


def _text(value: object, field: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise ResultsError(f"{field} is {brief(value)}, not a text.")
