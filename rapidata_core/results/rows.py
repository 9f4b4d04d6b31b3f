"""Rows of a table as datapoints: what a question asks about them, and their identities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from rapidata_core.errors import ValidationError, first, some
from rapidata_core.jobs.spec import JobSpec
from rapidata_core.results.identity import OWN_FIELDS, datapoint_ids

if TYPE_CHECKING:
    import pandas

Columns = str | Sequence[str]
On = Columns | Mapping[str, Columns]
_Values = dict[str, list[Any]]


def row_ids(frame: pandas.DataFrame, on: On, question: JobSpec) -> list[str]:
    """The identities of a table's rows: those of the datapoints of :func:`spec_about`.

    Args:
        frame: The table.
        on: Where the datapoints are, see :func:`spec_about`.
        question: What is asked; its own datapoints do not matter.

    Raises:
        ValidationError: See :func:`spec_about`; only a table without rows is no error here.
    """
    values = _values(frame, on, question)
    return datapoint_ids(_asked_about(values, question)) if len(frame) else []


def spec_about(frame: pandas.DataFrame, on: On, question: JobSpec) -> JobSpec:
    """The same question about the rows of a table, one datapoint per row, in their order.

    Args:
        frame: The table, with at least one row.
        on: Where the datapoints are: a column, or a list of columns with the items of a pair or of
            a ranking. Or a mapping to columns from the spec's fields ``datapoints``, ``contexts``,
            ``media_contexts``, ``sentences`` and ``answer_options``: all those that have a value
            for each datapoint. Where a field takes lists, a single column holds lists.
        question: What is asked. Its datapoints and private metadata are left behind.

    Raises:
        ValidationError: Columns are missing or there twice, cells are null or no texts, the columns
            do not suit the question, or a datapoint is not valid. Rows are counted from 0.
    """
    values = _values(frame, on, question)
    if not len(frame):
        raise ValidationError("frame", ["has no rows; there is nothing to ask about"])
    return _asked_about(values, question)


def _asked_about(values: _Values, question: JobSpec) -> JobSpec:
    kept = question.model_fields_set - {*_own_fields(question), "private_metadata"}
    fields: dict[str, Any] = {field: getattr(question, field) for field in kept}
    fields.update(values)
    return type(question)(**fields)


def _values(frame: pandas.DataFrame, on: On, question: JobSpec) -> _Values:
    """The values of the fields that differ from row to row."""
    columns = dict(on) if isinstance(on, Mapping) else {"datapoints": on}
    problems = [*_field_problems(columns, question), *_column_problems(columns, frame)]
    if problems:
        raise ValidationError("on", problems)
    values = {field: _cells(frame, named) for field, named in columns.items()}
    for field, named in columns.items():
        problems += _cell_problems(values[field], named, lists=_takes_lists(field, question))
    if problems:
        raise ValidationError("frame", first(problems))
    return values


def _own_fields(question: JobSpec) -> list[str]:
    """The fields that have a value for each of a question's datapoints."""
    return [
        field
        for field in OWN_FIELDS
        if (value := getattr(question, field, None))
        and not (field == "answer_options" and isinstance(value[0], str))
    ]


def _takes_lists(field: str, question: JobSpec) -> bool:
    if field == "datapoints":
        return isinstance(question.datapoints[0], list)
    return field in {"media_contexts", "answer_options"}


def _field_problems(columns: Mapping[str, Columns], question: JobSpec) -> Iterator[str]:
    fields = type(question).model_fields.keys() - question.refused
    known = [field for field in OWN_FIELDS if field in fields]
    for field, named in columns.items():
        if field not in known:
            yield f"{field!r}: of a {question.type} job, only {', '.join(known)} can have columns"
        elif not isinstance(named, str) and not _takes_lists(field, question):
            yield f"{field}: give one column; each row has one text"
    for field in _own_fields(question):
        if field not in columns:
            yield f"{field}: the question has them for each datapoint; name their column"


def _column_problems(columns: Mapping[str, Columns], frame: pandas.DataFrame) -> Iterator[str]:
    there = list(frame.columns)
    for field, named in columns.items():
        names = _names(named)
        if not names:
            yield f"{field}: names no column"
        for name in dict.fromkeys(names):
            if names.count(name) > 1:
                yield f"{field}: names the column {name!r} twice"
            if name not in there:
                yield f"there is no column {name!r}; there are {some(there)}"
            elif there.count(name) > 1:
                yield f"the frame has the column {name!r} {there.count(name)} times; rename one"


def _cells(frame: pandas.DataFrame, named: Columns) -> list[Any]:
    """What each row has: a cell, or the list of several columns' cells."""
    import numpy

    if not isinstance(named, str):
        return [list(row) for row in zip(*(_cells(frame, name) for name in named), strict=True)]
    # Lists come back from parquet files as arrays.
    return [
        list(cast("Sequence[Any]", cell)) if isinstance(cell, (tuple, numpy.ndarray)) else cell
        for cell in frame[named].tolist()
    ]


def _cell_problems(values: list[Any], named: Columns, *, lists: bool) -> Iterator[str]:
    names = _names(named)
    for row, value in enumerate(values):
        if not lists:
            cells = [(names[0], value)]
        elif not isinstance(named, str):
            cells = list(zip(names, value, strict=True))
        elif isinstance(value, list):
            cells = [(named, cell) for cell in cast("list[Any]", value)]
        else:
            yield f"column {named!r}, row {row}: {_problem(value) or 'is a text, not a list'}"
            continue
        for name, cell in cells:
            if problem := _problem(cell):
                yield f"column {name!r}, row {row}: {problem}"


def _problem(cell: Any) -> str | None:
    """What keeps a cell from being a text."""
    import pandas
    from pandas.api.types import is_scalar

    if isinstance(cell, str):
        return None
    if is_scalar(cell) and pandas.isna(cell):
        return "is null; drop such rows, or fill them"
    return f"must be a text, not {str(cell)[:80]!r} ({type(cell).__name__})"


def _names(named: Columns) -> list[str]:
    return [named] if isinstance(named, str) else list(named)
