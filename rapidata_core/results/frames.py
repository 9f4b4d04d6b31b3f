"""Tables as plain Python: their rows and columns, null as None."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

from rapidata_core.errors import ValidationError, refuse, some

if TYPE_CHECKING:
    import pandas
    from numpy.typing import NDArray

# Datapoints are numbered per job, and a table may hold several jobs.
Key = tuple[str | None, int]

_MIXED = (
    "several datapoints have the same number; where tables of several files are joined, tell whose "
    "each one is: ResultsFile(path, job_id=…)"
)


def table_problems(argument: str, table: object, columns: Iterable[str]) -> list[str]:
    """What keeps something from being a table with these columns."""
    import pandas

    if not isinstance(table, pandas.DataFrame):
        return [f"{argument}: must be a pandas DataFrame, not {type(table).__name__}"]
    there = some(table.columns) or "none"
    return [
        f"{argument}: column {name} is missing; there are {there}"
        for name in dict.fromkeys(columns)
        if name not in table.columns
    ]


def check_table(argument: str, table: object, columns: Iterable[str]) -> None:
    """Refuse what is no table with these columns.

    Raises:
        ValidationError: It names every column that is missing.
    """
    refuse(table_problems(argument, table, columns))


def column(table: pandas.DataFrame, name: str) -> list[Any]:
    """A column's values."""
    values = cast("Any", table[name])
    return values.astype(object).where(values.notna(), None).tolist()


def rows(table: pandas.DataFrame, *names: str) -> Iterator[tuple[Any, ...]]:
    """Of each row, the values of these columns."""
    return zip(*(column(table, name) for name in names), strict=True)


def records(table: pandas.DataFrame, names: Iterable[str]) -> list[dict[str, Any]]:
    """Of each row, the values of these columns by their names."""
    wanted = list(dict.fromkeys(names))
    return [dict(zip(wanted, row, strict=True)) for row in rows(table, *wanted)]


def keys(table: pandas.DataFrame) -> list[Key]:
    """Which datapoint each row is about.

    Raises:
        ValidationError: Datapoints of several jobs that have no ``job_id`` cannot be told apart.
    """
    found = list(rows(table, "job_id", "datapoint"))
    about: dict[Key, tuple[str, ...]] = {}
    listed = column(table, "items") if "items" in table.columns else ()
    mixed = [
        key
        for key, items in zip(found, listed, strict=False)
        if about.setdefault(key, tuple(items)) != tuple(items)
    ]
    if mixed:
        raise ValidationError("table", [f"{_MIXED} (the first one: {mixed[0][1]})"])
    return found


def numbered(
    values: Iterable[Hashable], known: Sequence[Any] | None = None
) -> tuple[NDArray[Any], list[Any]]:
    """Values as numbers from 0, and what each number stands for: its place in ``known``."""
    import numpy

    listed = list(values)
    names = list(dict.fromkeys(listed)) if known is None else list(known)
    places = {name: place for place, name in enumerate(names)}
    return numpy.array([places[value] for value in listed], dtype=int), names
