"""Tables as parquet, JSON lines or CSV: written batch by batch, so that memory does not grow."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, TextIO, cast

from rapidata_core.errors import ResultsError

if TYPE_CHECKING:
    import pyarrow

FileFormat = Literal["parquet", "jsonl", "csv"]
Write = Callable[["pyarrow.RecordBatch"], None]

# Rows of a parquet row group at least: tiny ones make readers slow, and a writer holds one of them.
_ROWS = 16_384
# Characters; drawings are long. The module's own limit protects from files that are no tables.
_LONGEST_CELL = (1 << 31) - 1


@contextmanager
def table_writer(path: Path, schema: pyarrow.Schema, file_format: FileFormat) -> Generator[Write]:
    """A file to write a table into, one batch after the other. Equal rows make equal bytes."""
    if file_format == "parquet":
        with _parquet_writer(path, schema) as write:
            yield write
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        yield _json_lines(file) if file_format == "jsonl" else _csv_lines(file, schema)


def copy_without(
    source: IO[bytes], target: Path, file_format: FileFormat, column: str, value: str
) -> int:
    """Copy a table, but for the rows that have a value in a column of texts.

    Returns:
        How many rows were left out.

    Raises:
        ResultsError: The source is no such table.
    """
    try:
        if file_format == "parquet":
            return _copy_parquet(source, target, column, value)
        with target.open("w", encoding="utf-8", newline="") as file:
            copy = _copy_json_lines if file_format == "jsonl" else _copy_csv_lines
            return copy(source, file, column, value)
    except (ValueError, TypeError, KeyError, IndexError, csv.Error) as error:
        problem = f"A table cannot be read as {file_format}: {error}. Write the dataset again."
        raise ResultsError(problem) from error


@contextmanager
def _parquet_writer(path: Path, schema: pyarrow.Schema) -> Generator[Write]:
    import pyarrow
    from pyarrow import parquet

    waiting: list[pyarrow.RecordBatch] = []

    def flush() -> None:
        table = pyarrow.Table.from_batches(waiting, schema)
        writer.write_table(table)
        waiting.clear()

    def write(batch: pyarrow.RecordBatch) -> None:
        waiting.append(batch)
        if sum(one.num_rows for one in waiting) >= _ROWS:
            flush()

    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        yield write
        if waiting:
            flush()


def _json_lines(file: TextIO) -> Write:
    def write(batch: pyarrow.RecordBatch) -> None:
        rows = (json.dumps(row, ensure_ascii=False) for row in batch.to_pylist())
        file.writelines(f"{row}\n" for row in rows)

    return write


def _csv_lines(file: TextIO, schema: pyarrow.Schema) -> Write:
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(schema.names)

    def write(batch: pyarrow.RecordBatch) -> None:
        rows.writerows([_cell(value) for value in row.values()] for row in batch.to_pylist())

    return write


def _cell(value: Any) -> Any:
    """Lists as JSON; truths as JSON and pandas write them."""
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    return str(value).lower() if isinstance(value, bool) else value


def _copy_parquet(source: IO[bytes], target: Path, column: str, value: str) -> int:
    import pyarrow
    from pyarrow import parquet

    table = parquet.ParquetFile(source)
    left_out = 0
    with _parquet_writer(target, table.schema_arrow) as write:
        for batch in table.iter_batches(_ROWS):  # pyright: ignore[reportUnknownMemberType]
            values = cast("list[Any]", batch.column(column).to_pylist())
            kept = [found != value for found in values]
            write(batch.filter(pyarrow.array(kept, pyarrow.bool_())))
            left_out += kept.count(False)
    return left_out


def _copy_json_lines(source: IO[bytes], target: TextIO, column: str, value: str) -> int:
    left_out = 0
    for line in source:
        if json.loads(line)[column] == value:
            left_out += 1
        else:
            target.write(line.decode())
    return left_out


def _copy_csv_lines(source: IO[bytes], target: TextIO, column: str, value: str) -> int:
    longest = csv.field_size_limit(_LONGEST_CELL)
    try:
        rows = csv.reader(line.decode() for line in source)
        copy = csv.writer(target, lineterminator="\n")
        header = next(rows, list[str]())
        copy.writerow(header)
        place = header.index(column)
        left_out = 0
        for row in rows:
            if row[place] == value:
                left_out += 1
            else:
                copy.writerow(row)
        return left_out
    finally:
        csv.field_size_limit(longest)
