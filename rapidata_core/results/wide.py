"""The wide table that the platform's documents describe: one column per option and metric.

Names, order and values are those of the vendor's SDK, so that its users can change over. It differs
where the vendor's SDK loses something: ``tests/contract/test_results.py`` lists every such case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

from rapidata_core.results.entry import DETAILS, UNDECIDED, Entry, assets, details, number
from rapidata_core.results.parse import Results
from rapidata_core.results.stream import whole_characters

if TYPE_CHECKING:
    import pandas

# Per-option metrics of a classification, and their names in the table.
_OPTION_METRICS = {
    "aggregatedResults": "count",
    "aggregatedResultsRatios": "ratio",
    "summedUserScores": "summedUserScore",
    "summedUserScoresRatios": "summedUserScoreRatio",
    "confidencePerCategory": "confidence",
}
# The metric by which the items of a ranking are ordered.
_SCORE = "elo"
# What a row has in a column that only other rows have; a null in the file is None.
_MISSING = float("nan")


def wide_table(results: Results, *, split_details: bool) -> pandas.DataFrame:
    """See :meth:`rapidata_core.results.Results.to_pandas`."""
    if split_details:
        return _answers_table(results)
    rows_of = _ROWS.get(results.job_type, _flat_rows)
    columns = _Columns({})
    # Tables of tasks that we do not know show everything.
    answers = rows_of is _flat_rows
    for place, entry in enumerate(results.entries(answers=answers)):
        for row in rows_of(place, entry):
            columns.add(row)
    return _frame(columns.filled())


def _answers_table(results: Results) -> pandas.DataFrame:
    """A row per answer: what is known about its datapoint, then what was answered.

    A comparison without answers has one row, as in the vendor's table; other datapoints have none.
    """
    kind = results.job_type
    facts_of = _FACTS.get(kind, _without_details)
    order: dict[str, None] = {}
    facts, answers, counts = _Columns(order), _Columns(order), list[int]()
    lacking = 0
    for place, entry in enumerate(results.entries()):
        lacking += entry.get(DETAILS) is None
        rows = details(entry) or ([{}] if kind == "compare" else [])
        if rows:
            facts.add(facts_of(place, entry))
            counts.append(len(rows))
        for row in rows:
            answers.add_nested(row)
    if lacking and not answers.filled():
        raise ValueError("split_details: these results have no single answers")
    return _joined(facts.filled(), answers.filled(), counts, list(order))


def _joined(
    facts: dict[str, list[Any]],
    answers: dict[str, list[Any]],
    counts: list[int],
    order: Sequence[str],
) -> pandas.DataFrame:
    """Facts, each as often as its datapoint has answers, beside the answers."""
    import numpy
    import pandas

    repeat = numpy.repeat(numpy.arange(len(counts)), counts)
    for name in facts.keys() & answers.keys():
        # The answer's own value counts.
        shared = facts.pop(name)
        answers[name] = [
            shared[place] if value is _MISSING else value
            for place, value in zip(repeat.tolist(), answers[name], strict=True)
        ]
    # First as arrays, then repeated: the same values are not converted over and over.
    known, said = _frame(facts), _frame(answers)
    columns: dict[str, Any] = {
        name: said[name] if name in answers else known[name].array.take(repeat) for name in order
    }
    return pandas.DataFrame(columns, copy=False)


def _frame(columns: dict[str, list[Any]]) -> pandas.DataFrame:
    import pandas

    try:
        return pandas.DataFrame(columns)
    except UnicodeEncodeError:
        # Arrow makes no strings of them; only a document that was not read by us can have them.
        return pandas.DataFrame(whole_characters(columns))


class _Columns:
    """Rows as one list per column, which takes a fraction of the room of a dictionary per row.

    Args:
        order: Takes the columns' names in the order in which they are first seen.
    """

    def __init__(self, order: dict[str, None]) -> None:
        self._order = order
        self._height = 0
        self._root = _Branch("")
        self._columns = self._root.columns

    def add(self, row: Entry) -> None:
        """Add a row."""
        columns, height = self._columns, self._height
        for name, value in row.items():
            column = columns.get(name)
            if column is None:
                column = self._column(name)
            if len(column) != height:
                self._level(column)
            column.append(value)
        self._height += 1

    def add_nested(self, row: Entry) -> None:
        """Add a row whose nested fields become columns, their keys joined by underscores."""
        self._put(row, self._root)
        self._height += 1

    def filled(self) -> dict[str, list[Any]]:
        """The columns, which now all have a value for every row."""
        for column in self._columns.values():
            self._level(column)
        return self._columns

    def _put(self, fields: Entry, branch: _Branch) -> None:
        columns, height = branch.columns, self._height
        for key, value in fields.items():
            if isinstance(value, dict):
                below = branch.branches.get(key) or branch.grow(key)
                self._put(cast("Entry", value), below)
                continue
            column = columns.get(key)
            if column is None:
                column = columns[key] = self._column(branch.prefix + key)
            if len(column) != height:
                self._level(column)
            column.append(value)

    def _column(self, name: str) -> list[Any]:
        # Halves of characters, which JSON can express, are not allowed in names.
        name = name.encode("utf-8", "replace").decode()
        self._order.setdefault(name)
        return self._columns.setdefault(name, [])

    def _level(self, column: list[Any]) -> None:
        """Bring a column to the height of the rows before this one."""
        # Two fields of this row have the same name: the later one counts.
        del column[self._height :]
        column.extend([_MISSING] * (self._height - len(column)))


class _Branch:
    """The columns of the fields below a key. Names are joined once, not for every answer."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.columns: dict[str, list[Any]] = {}
        self.branches: dict[str, _Branch] = {}

    def grow(self, key: str) -> _Branch:
        """A branch for what is nested in a field."""
        made = self.branches[key] = _Branch(f"{self.prefix}{key}_")
        return made


# --- what a datapoint is in the table -------------------------------------------------------------


def _without_details(_place: int, entry: Entry) -> Entry:
    """All else as it is: a column per option would be a column per value of the data."""
    return {key: value for key, value in entry.items() if key != DETAILS}


def _pair_facts(_place: int, entry: Entry) -> Entry:
    """The scalars, the assets, and each metric once per asset.

    Two assets are A and B; the columns of more have the assets' names.
    """
    named = assets(entry)
    facts = _scalars(entry)
    if len(named) <= 2:
        sides = list(zip("AB", named, strict=False))
        for side, asset in sides:
            facts[f"asset{side}"] = asset
    else:
        sides = [(asset, asset) for asset in named]
        facts.update({f"asset_{place}": asset for place, asset in enumerate(named, 1)})
    for metric, values in _nested(entry):
        if values.keys().isdisjoint(named):
            facts.update(_flat({metric: values}))
            continue
        for side, asset in sides:
            facts[f"{side}_{metric}"] = values.get(asset)
        _add_undecided(facts, metric, values)
    return facts


def _group_facts(place: int, entry: Entry) -> Entry:
    """What is said about a ranking as a whole."""
    named = assets(entry)
    facts = {"datapoint": place, **_scalars(entry)}
    for metric, values in _nested(entry):
        if values.keys().isdisjoint(named):
            facts.update(_flat({metric: values}))
        else:
            _add_undecided(facts, metric, values)
    return facts


def _scalars(entry: Entry) -> Entry:
    return {key: value for key, value in entry.items() if not isinstance(value, (dict, list))}


def _nested(entry: Entry) -> list[tuple[str, Entry]]:
    return [(key, value) for key, value in entry.items() if isinstance(value, dict)]


def _add_undecided(facts: Entry, metric: str, values: Entry) -> None:
    for answer in UNDECIDED:
        if answer in values:
            facts[f"{answer}_{metric}"] = values[answer]


_FACTS: dict[str, Callable[[int, Entry], Entry]] = {"compare": _pair_facts, "ranking": _group_facts}


def _pair_rows(place: int, entry: Entry) -> Iterator[Entry]:
    yield _pair_facts(place, entry)


def _item_rows(place: int, entry: Entry) -> Iterator[Entry]:
    """A row per item of a ranking: a column per item would be a column per value of the data."""
    named = assets(entry)
    facts = _group_facts(place, entry)
    metrics = {
        metric: values for metric, values in _nested(entry) if not values.keys().isdisjoint(named)
    }
    ranks = _ranks(metrics.get(_SCORE, {}))
    for item in named:
        row = {metric: values.get(item) for metric, values in metrics.items()}
        yield {**facts, "asset": item, "rank": ranks.get(item), **row}
    if not named:
        yield facts


def _ranks(scores: Entry) -> dict[str, int]:
    """1 for the highest score; equal scores share the better rank."""
    known = {item: score for item, value in scores.items() if (score := number(value)) is not None}
    ordered = sorted(known.values(), reverse=True)
    return {item: ordered.index(score) + 1 for item, score in known.items()}


def _option_rows(_place: int, entry: Entry) -> Iterator[Entry]:
    """A row per answer option, with its metrics."""
    metrics = {
        column: cast("Entry", entry[field])
        for field, column in _OPTION_METRICS.items()
        if isinstance(entry.get(field), dict)
    }
    skipped = {DETAILS, *_OPTION_METRICS}
    facts = dict(_flat({k: v for k, v in entry.items() if k not in skipped}))
    options = dict.fromkeys(option for values in metrics.values() for option in values)
    for option in options:
        row = {column: values.get(option) for column, values in metrics.items()}
        yield {**facts, "option": option, **row}
    if not options:
        yield facts


def _flat_rows(_place: int, entry: Entry) -> Iterator[Entry]:
    yield dict(_flat(entry))


_ROWS: dict[str, Callable[[int, Entry], Iterator[Entry]]] = {
    "compare": _pair_rows,
    "ranking": _item_rows,
    "classification": _option_rows,
}


def _flat(values: Entry, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested dictionaries as one, keys joined by underscores."""
    for key, value in values.items():
        name = f"{prefix}_{key}" if prefix else key
        if isinstance(value, dict):
            yield from _flat(cast("Entry", value), name)
        else:
            yield name, value
