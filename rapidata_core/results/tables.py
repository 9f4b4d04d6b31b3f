"""The two tables that everything else is a view on: labels and responses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from rapidata_core.results.parse import Entry, RapidataResults, entries

if TYPE_CHECKING:
    import pandas

Row = dict[str, Any]

# Column name -> what it holds. The types are Arrow's.
LABELS: dict[str, str] = {
    "datapoint": "int64",  # position in the job definition, from 0
    "items": "list<string>",  # names of the assets, or the texts
    "context": "string",
    "label": "string",  # the answer with the most votes; null on a tie and without votes
    "weighted_label": "string",  # the answer with the highest sum of user scores
    "responses": "int64",  # human answers
    "agreement": "double",  # share of the answers that gave the most frequent one, 0..1
    "votes": "list<struct<option: string, count: int64, user_score: double>>",
}
RESPONSES: dict[str, str] = {
    "datapoint": "int64",
    "answer": "string",
    "user_score": "double",  # the labeler's global trust score, 0..1
    "country": "string",
    "language": "string",
    "age": "string",
    "gender": "string",
    "occupation": "string",
}
_UNDECIDED = {"Both", "Neither"}


def label_rows(results: RapidataResults) -> Iterator[Row]:
    """Rows of the table :data:`LABELS`."""
    for datapoint, entry in enumerate(entries(results)):
        counts = _numbers(entry, "aggregatedResults")
        scores = _numbers(entry, "summedUserScores")
        total = sum(counts.values())
        yield {
            "datapoint": datapoint,
            "items": _items(entry, counts),
            "context": entry.get("context"),
            "label": _highest(counts),
            "weighted_label": _highest(scores),
            "responses": int(total),
            "agreement": max(counts.values()) / total if total else None,
            "votes": [
                {"option": option, "count": int(count), "user_score": float(scores.get(option, 0))}
                for option, count in counts.items()
            ],
        }


def response_rows(results: RapidataResults) -> Iterator[Row]:
    """Rows of the table :data:`RESPONSES`."""
    for datapoint, entry in enumerate(entries(results)):
        for response in cast("list[Entry]", entry.get("detailedResults") or []):
            user = cast("Entry", response.get("userDetails") or {})
            demographics = cast("Entry", user.get("demographics") or {})
            yield {
                "datapoint": datapoint,
                "answer": response.get("votedFor", response.get("selectedCategory")),
                "user_score": _user_score(user),
                "country": user.get("country"),
                "language": user.get("language"),
                **{field: demographics.get(field) for field in ("age", "gender", "occupation")},
            }


def frame(rows: Iterator[Row], columns: Mapping[str, str]) -> pandas.DataFrame:
    """Rows as a DataFrame that has its columns even when it has no rows."""
    import pandas

    return pandas.DataFrame(list(rows), columns=list(columns))


def _numbers(entry: Entry, field: str) -> dict[str, float]:
    return cast("dict[str, float]", entry.get(field) or {})


def _highest(values: Mapping[str, float]) -> str | None:
    """The option with the highest value; nobody wins a tie."""
    best = max(values.values(), default=0)
    winners = [option for option, value in values.items() if value == best]
    return winners[0] if best > 0 and len(winners) == 1 else None


def _items(entry: Entry, counts: Mapping[str, float]) -> Sequence[str]:
    if "identifier" in entry:
        return [str(entry["identifier"])]
    named = cast("Mapping[str, Any]", entry.get("assetUrls") or counts)
    return [name for name in named if name not in _UNDECIDED]


def _user_score(user: Entry) -> float | None:
    """Newer files have a score per dimension, older ones a single number."""
    scores = user.get("userScores")
    by_dimension = cast("Entry", scores) if isinstance(scores, dict) else None
    score = by_dimension.get("global") if by_dimension is not None else user.get("userScore")
    return None if score is None else float(score)
