"""The two tables that everything else is a view on: labels and responses."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from rapidata_core.results.parse import (
    Entry,
    RapidataResults,
    assets,
    details,
    entries,
    number,
    numbers,
)

if TYPE_CHECKING:
    import pandas

Row = dict[str, Any]

# Column name -> what it holds. The types are Arrow's.
LABELS: dict[str, str] = {
    "datapoint": "int64",  # position in the job definition, from 0
    "items": "list<string>",  # names of the assets, or the texts
    "context": "string",
    # The answer with the most votes; null on a tie, without votes, and for answers that are not
    # chosen among options: points, lines, words, free texts.
    "label": "string",
    "weighted_label": "string",  # the answer with the highest sum of user scores
    "responses": "int64",  # human answers
    "agreement": "double",  # share of the answers that gave the most frequent one, 0..1
    "votes": "list<struct<option: string, count: int64, user_score: double>>",
}
RESPONSES: dict[str, str] = {
    "datapoint": "int64",
    "answer": "string",  # the option or the text; points, lines and words as JSON
    "user_score": "double",  # the labeler's global trust score, 0..1
    "country": "string",
    "language": "string",
    "age": "string",
    "gender": "string",
    "occupation": "string",
}
# Fields of a single answer that name an option or are a text.
_PLAIN_ANSWERS = ("votedFor", "selectedCategory", "answer")
# Fields of a single answer that do not say what was answered.
_ABOUT_ANSWERS = {"_t", "userDetails", "rapidId", "id"}


def label_rows(results: RapidataResults) -> Iterator[Row]:
    """Rows of the table :data:`LABELS`."""
    for datapoint, entry in enumerate(entries(results)):
        counts = numbers(entry, "aggregatedResults")
        scores = numbers(entry, "summedUserScores")
        total = sum(counts.values())
        yield {
            "datapoint": datapoint,
            "items": _items(entry, counts),
            "context": _text(entry.get("context")),
            "label": _highest(counts),
            "weighted_label": _highest(scores),
            "responses": int(total) if counts else len(details(entry)),
            "agreement": max(counts.values()) / total if total > 0 else None,
            "votes": [
                {"option": option, "count": int(count), "user_score": float(scores.get(option, 0))}
                for option, count in counts.items()
            ],
        }


def response_rows(results: RapidataResults) -> Iterator[Row]:
    """Rows of the table :data:`RESPONSES`."""
    for datapoint, entry in enumerate(entries(results)):
        for response in details(entry):
            user = _dictionary(response.get("userDetails"))
            demographics = _dictionary(user.get("demographics"))
            yield {
                "datapoint": datapoint,
                "answer": _answer(response),
                "user_score": _user_score(user),
                "country": _text(user.get("country")),
                "language": _text(user.get("language")),
                "age": _text(demographics.get("age")),
                "gender": _text(demographics.get("gender")),
                "occupation": _text(demographics.get("occupation")),
            }


def frame(rows: Iterator[Row], columns: Mapping[str, str]) -> pandas.DataFrame:
    """Rows as a DataFrame that has its columns even when it has no rows."""
    import pandas

    return pandas.DataFrame(list(rows), columns=list(columns))


def _highest(values: Mapping[str, float]) -> str | None:
    """The option with the highest value; nobody wins a tie."""
    best = max(values.values(), default=0)
    winners = [option for option, value in values.items() if value == best]
    return winners[0] if best > 0 and len(winners) == 1 else None


def _items(entry: Entry, counts: Mapping[str, float]) -> Sequence[str]:
    if entry.get("identifier") is not None:
        return [str(entry["identifier"])]
    return assets(entry) or list(counts)


def _answer(response: Entry) -> str | None:
    """What was answered, as text."""
    for field in _PLAIN_ANSWERS:
        if response.get(field) is not None:
            return _text(response[field])
    nested = _dictionary(response.get("result"))
    if nested:
        return _answer(nested)
    said = [value for field, value in response.items() if field not in _ABOUT_ANSWERS]
    return _text(said[0]) if said else None


def _user_score(user: Entry) -> float | None:
    """Newer files have a score per dimension, older ones a single number."""
    scores = user.get("userScores")
    by_dimension = cast("Entry", scores) if isinstance(scores, dict) else None
    return number(user.get("userScore") if by_dimension is None else by_dimension.get("global"))


def _text(value: object) -> str | None:
    """Text as it is, everything else as JSON."""
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _dictionary(value: object) -> Entry:
    return cast("Entry", value) if isinstance(value, dict) else {}
