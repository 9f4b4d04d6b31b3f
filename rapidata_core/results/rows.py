"""Rows of a table as datapoints: what a question asks about them, and their identities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from rapidata_core.errors import ValidationError, first, refuse, some
from rapidata_core.jobs import described_fields, job_type
from rapidata_core.jobs.spec import JobSpec
from rapidata_core.results.identity import OWN_FIELDS, datapoint_ids
from rapidata_core.results.sources import Source, read_datapoints

if TYPE_CHECKING:
    import pandas

Columns = str | Sequence[str]
On = Columns | Mapping[str, Columns]
_Values = dict[str, list[Any]]

# What the arguments are called, for errors.
_SPEC_ABOUT = {"frame": "frame", "on": "on"}
_JOB_ABOUT = {"frame": "datapoints", "on": "columns"}
# Types whose datapoints are lists of items.
_ABOUT_SEVERAL = ("compare", "ranking")
# Valid values of the fields that a table replaces.
_EXAMPLE: dict[str, Any] = {
    "datapoints": ["a"],
    "contexts": ["a"],
    "media_contexts": [["a"]],
    "sentences": ["a b"],
    "answer_options": [["a", "b"]],
}


def row_ids(frame: pandas.DataFrame, on: On, question: JobSpec) -> list[str]:
    """The identities of a table's rows: those of the datapoints of :func:`spec_about`.

    Args:
        frame: The table.
        on: Where the datapoints are, see :func:`spec_about`.
        question: What is asked; its own datapoints do not matter.

    Raises:
        ValidationError: See :func:`spec_about`; only a table without rows is no error here.
    """
    values = _values(frame, on, question, _SPEC_ABOUT)
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
    return _about_rows(frame, on, question, _SPEC_ABOUT)


def job_about(
    description: JobSpec | Mapping[str, Any] | str,
    datapoints: Source,
    columns: On | None = None,
) -> JobSpec:
    """A job about datapoints that are kept apart from what is asked about them.

    Args:
        description: What to ask: a spec, a mapping, or a text in JSON or YAML, without datapoints.
            Those that it has are replaced.
        datapoints: As a spec takes them; or a table with a row for each: a list of mappings, a
            pandas DataFrame, or a file. See :func:`rapidata_core.results.sources.read_datapoints`.
        columns: Where a table has the datapoints, see ``on`` of :func:`spec_about`. By default in
            columns that are called as the fields: ``datapoints``, ``contexts`` and so on.

    Raises:
        ValidationError: The description, the datapoints or the columns are not valid, a file
            cannot be read, or a table has no rows.
    """
    fields = _described(description)
    found = read_datapoints(datapoints)
    if not isinstance(found, list):
        on = _same_names(found, fields) if columns is None else columns
        return _about_rows(found, on, _question(fields, on), _JOB_ABOUT)
    problems = [] if columns is None else ["columns: only tables have columns; leave it out"]
    if fields.pop("datapoints", None):
        fields.pop("private_metadata", None)
        problems += [
            f"description: its {field} belong to its own datapoints; leave both out"
            for field in OWN_FIELDS
            if _is_per_datapoint(field, fields.get(field))
        ]
    refuse(problems)
    return job_type(fields)(**fields, datapoints=found)


def _described(description: JobSpec | Mapping[str, Any] | str) -> dict[str, Any]:
    if not isinstance(description, JobSpec):
        return described_fields(description)
    said = {field: getattr(description, field) for field in description.model_fields_set}
    return {**said, "type": description.type}


def _same_names(frame: pandas.DataFrame, fields: Mapping[str, Any]) -> On:
    """The columns of a table that are called as fields that have a value for each datapoint."""
    if "datapoints" not in frame.columns:
        problem = f"say which column has the datapoints; there are {some(frame.columns)}"
        raise ValidationError("columns", [problem])
    chosen = job_type(fields)
    known = chosen.model_fields.keys() - chosen.refused
    return {field: field for field in OWN_FIELDS if field in known and field in frame.columns}


def _question(fields: Mapping[str, Any], on: On) -> JobSpec:
    """What is asked, about a datapoint that stands for those of a table."""
    chosen = job_type(fields)
    named = {"datapoints", *(on if isinstance(on, Mapping) else ())}
    asked = {name: fields[name] for name in fields.keys() - named - {"private_metadata"}}
    own = sorted(field for field in OWN_FIELDS if _is_per_datapoint(field, asked.get(field)))
    if own:
        problem = "the description has them for each datapoint; name their column"
        raise ValidationError("columns", [f"{field}: {problem}" for field in own])
    example = dict(_EXAMPLE)
    if chosen.model_fields["type"].default in _ABOUT_SEVERAL:
        example["datapoints"] = [["a", "b"]]
    known = chosen.model_fields.keys() - chosen.refused
    return chosen(**asked, **{field: example[field] for field in named & known & example.keys()})


def _about_rows(
    frame: pandas.DataFrame, on: On, question: JobSpec, called: Mapping[str, str]
) -> JobSpec:
    values = _values(frame, on, question, called)
    if not len(frame):
        raise ValidationError(called["frame"], ["has no rows; there is nothing to ask about"])
    return _asked_about(values, question)


def _asked_about(values: _Values, question: JobSpec) -> JobSpec:
    kept = question.model_fields_set - {*_own_fields(question), "private_metadata"}
    fields: dict[str, Any] = {field: getattr(question, field) for field in kept}
    fields.update(values)
    return type(question)(**fields)


def _values(
    frame: pandas.DataFrame, on: On, question: JobSpec, called: Mapping[str, str]
) -> _Values:
    """The values of the fields that differ from row to row; ``called`` names the arguments."""
    columns = dict(on) if isinstance(on, Mapping) else {"datapoints": on}
    problems = [*_field_problems(columns, question), *_column_problems(columns, frame)]
    if problems:
        raise ValidationError(called["on"], problems)
    values = {field: _cells(frame, named) for field, named in columns.items()}
    for field, named in columns.items():
        problems += _cell_problems(values[field], named, lists=_takes_lists(field, question))
    if problems:
        raise ValidationError(called["frame"], first(problems))
    return values


def _own_fields(question: JobSpec) -> list[str]:
    """The fields that have a value for each of a question's datapoints."""
    return [
        field for field in OWN_FIELDS if _is_per_datapoint(field, getattr(question, field, None))
    ]


def _is_per_datapoint(field: str, value: Any) -> bool:
    """Whether a field has a value for each datapoint; answer options may be the same for all."""
    if not isinstance(value, list | tuple) or not value:
        return False
    return field != "answer_options" or not isinstance(value[0], str)


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
