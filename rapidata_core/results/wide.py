"""The wide table that the platform's documents describe: one column per option and metric."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from rapidata_core.results.parse import (
    UNDECIDED,
    Entry,
    RapidataResults,
    assets,
    details,
    entries,
    task_type,
)

if TYPE_CHECKING:
    import pandas

_DETAILS = "detailedResults"
# Per-option metrics of a classification, and their names in the table.
_OPTION_METRICS = {
    "aggregatedResults": "count",
    "aggregatedResultsRatios": "ratio",
    "summedUserScores": "summedUserScore",
    "summedUserScoresRatios": "summedUserScoreRatio",
    "confidencePerCategory": "confidence",
}


def wide_table(results: RapidataResults, *, split_details: bool) -> pandas.DataFrame:
    """See :meth:`rapidata_core.results.RapidataResults.to_pandas`."""
    import pandas

    listed = list(entries(results))
    if split_details and listed and not any(details(entry) for entry in listed):
        raise ValueError("split_details: these results have no single answers")
    kind = task_type(results)
    rows: list[Entry] = []
    for entry in listed:
        if kind in {"Compare", "Ranking"}:
            facts = _asset_facts(entry)
        elif kind != "Classification":
            facts = dict(_flat(_without_details(entry)))
        elif split_details:
            # Metrics stay whole: a column per option would be a column per value of the data.
            facts = _without_details(entry)
        else:
            rows.extend(_option_rows(entry))
            continue
        rows.extend(_detail_rows(facts, entry) if split_details else [facts])
    return pandas.DataFrame(rows)


def _without_details(entry: Entry) -> Entry:
    return {key: value for key, value in entry.items() if key != _DETAILS}


def _detail_rows(facts: Entry, entry: Entry) -> Iterator[Entry]:
    for detail in details(entry):
        yield {**facts, **dict(_flat(detail))}


def _asset_facts(entry: Entry) -> Entry:
    """The scalars, the assets, and each metric once per asset.

    Two assets are A and B; the columns of more have the assets' names.
    """
    named = assets(entry)
    facts: Entry = {k: v for k, v in entry.items() if not isinstance(v, (dict, list))}
    if len(named) == 2:
        sides = dict(zip(("A", "B"), named, strict=True))
        facts.update({f"asset{side}": asset for side, asset in sides.items()})
    else:
        sides = {asset: asset for asset in named}
        facts.update({f"asset_{place}": asset for place, asset in enumerate(named, 1)})
    for metric, values in entry.items():
        if not isinstance(values, dict) or not values:
            continue
        by_option = cast("Entry", values)
        if set(by_option).isdisjoint(named):
            facts.update(_flat({metric: by_option}))
            continue
        facts.update({f"{side}_{metric}": by_option.get(asset) for side, asset in sides.items()})
        facts.update({f"{u}_{metric}": by_option[u] for u in UNDECIDED if u in by_option})
    return facts


def _option_rows(entry: Entry) -> Iterator[Entry]:
    """A row per answer option, with its metrics."""
    metrics = {
        column: cast("Entry", entry[field])
        for field, column in _OPTION_METRICS.items()
        if isinstance(entry.get(field), dict)
    }
    skipped = {_DETAILS, *_OPTION_METRICS}
    facts = dict(_flat({k: v for k, v in entry.items() if k not in skipped}))
    options = dict.fromkeys(option for values in metrics.values() for option in values)
    for option in options:
        row = {column: values.get(option) for column, values in metrics.items()}
        yield {**facts, "option": option, **row}


def _flat(values: Entry, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested dictionaries as one, keys joined by underscores."""
    for key, value in values.items():
        name = f"{prefix}_{key}" if prefix else key
        if isinstance(value, dict):
            yield from _flat(cast("Entry", value), name)
        else:
            yield name, value
