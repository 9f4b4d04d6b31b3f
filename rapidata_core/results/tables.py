"""The two tables that everything else is a view on: labels and responses, for pandas and Arrow."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from rapidata_core.errors import ResultsError
from rapidata_core.results.columns import Batch, Name, Values, View, batches
from rapidata_core.results.schema import (
    BOOL,
    DOUBLE,
    INT,
    STRING,
    Column,
    arrow_schema,
)

if TYPE_CHECKING:
    import pandas
    import pyarrow

_NUMPY = {INT: int, DOUBLE: float, BOOL: bool}


def labels_frame(view: View) -> pandas.DataFrame:
    """See :meth:`Results.labels`."""
    import pandas

    [batch] = batches(view, ("labels",), float("inf"))
    known = {**batch.points, **batch.labels}
    return pandas.DataFrame(
        {
            column.name: _pandas_array(known.get(column.name, []), column)
            for column in view.columns("labels")
        }
    )


def responses_frame(view: View) -> pandas.DataFrame:
    """See :meth:`Results.responses`."""
    import pandas

    [batch] = batches(view, ("responses",), float("inf"))
    rows = _Rows(batch.counts)
    found: dict[str, Any] = {}
    for column in view.columns("responses"):
        if column.name in batch.points:
            points = _pandas_array(batch.points[column.name], column)
            found[column.name] = points.take(rows.datapoint)
        else:
            # Popped: what is an array now is not needed as a list any more.
            found[column.name] = _pandas_array(rows.values(batch.answers, column.name), column)
    return pandas.DataFrame(found, copy=False)


def arrow_table(view: View, table: Name) -> pyarrow.Table:
    """A table as Arrow."""
    import pyarrow

    schema, found = record_batches(view, table)
    return pyarrow.Table.from_batches(list(found), schema)


def record_batches(view: View, table: Name) -> tuple[pyarrow.Schema, Iterator[pyarrow.RecordBatch]]:
    """A table as Arrow, some thousand rows at a time."""
    schema = arrow_schema(view.columns(table))
    make = _labels_batch if table == "labels" else _responses_batch
    return schema, (make(batch, schema) for batch in batches(view, (table,)))


def both_batches(
    view: View,
) -> tuple[
    tuple[pyarrow.Schema, pyarrow.Schema],
    Iterator[tuple[pyarrow.RecordBatch, pyarrow.RecordBatch]],
]:
    """Labels and responses as Arrow, some thousand rows at a time: the file is read once."""
    labels = arrow_schema(view.columns("labels"))
    responses = arrow_schema(view.columns("responses"))
    pairs = (
        (_labels_batch(batch, labels), _responses_batch(batch, responses))
        for batch in batches(view, ("labels", "responses"))
    )
    return (labels, responses), pairs


class _Rows:
    """Where the answers of some datapoints stand in the table of responses."""

    def __init__(self, counts: Sequence[int]) -> None:
        import numpy

        number = numpy.array(counts, int)
        self.count = int(number.sum())
        # Which of the datapoints each answer belongs to.
        self.datapoint = numpy.repeat(numpy.arange(len(number)), number)
        begins = numpy.cumsum(number) - number
        self.response = numpy.arange(self.count) - begins[self.datapoint]

    def values(self, answers: Values, name: str) -> Any:
        """A column of the answers, taken out of them; nulls where it has no value."""
        if name == "response":
            return self.response
        return answers.pop(name, None) or [None] * self.count


def _labels_batch(batch: Batch, schema: pyarrow.Schema) -> pyarrow.RecordBatch:
    known = {**batch.points, **batch.labels}
    arrays = {name: _arrow_array(known.get(name, []), name, schema) for name in schema.names}
    return _record_batch(arrays, schema)


def _responses_batch(batch: Batch, schema: pyarrow.Schema) -> pyarrow.RecordBatch:
    rows = _Rows(batch.counts)
    arrays = {
        name: _arrow_array(batch.points[name], name, schema).take(rows.datapoint)
        if name in batch.points
        else _arrow_array(rows.values(batch.answers, name), name, schema)
        for name in schema.names
    }
    return _record_batch(arrays, schema)


def _record_batch(arrays: Mapping[str, Any], schema: pyarrow.Schema) -> pyarrow.RecordBatch:
    import pyarrow

    return pyarrow.RecordBatch.from_pydict(arrays, schema)


def _arrow_array(values: list[Any], name: str, schema: pyarrow.Schema) -> Any:
    import pyarrow

    with _naming(name):
        return cast("Any", pyarrow.array)(values, cast("Any", schema).field(name).type)


def _pandas_array(values: list[Any], column: Column) -> Any:
    import numpy
    import pandas

    with _naming(column.name):
        if column.type == STRING:
            return pandas.array(values, dtype="string")
        if column.type == INT and column.nullable:
            return pandas.array(values, dtype="Int64")
        if column.type in _NUMPY:
            return numpy.array(values, _NUMPY[column.type])
        return numpy.fromiter(values, object, len(values))


@contextmanager
def _naming(column: str) -> Generator[None]:
    """Say which column it is that a value does not fit into: a number too large, half a character.

    Raises:
        ResultsError: One does not.
    """
    try:
        yield
    except (TypeError, ValueError, OverflowError) as error:
        raise ResultsError(f"The column {column} cannot be made: {error}") from None
