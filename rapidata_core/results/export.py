"""The only writers: results as a dataset on disk or in an object store."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING
from uuid import uuid4

from rapidata_core.errors import ValidationError
from rapidata_core.results.parse import RapidataResults
from rapidata_core.results.tables import LABELS, RESPONSES, Row, label_rows, response_rows

if TYPE_CHECKING:
    import pyarrow


@dataclass(frozen=True)
class Dataset:
    """Where answers were written.

    Attributes:
        labels: Parquet file with a row per datapoint.
        responses: Parquet file with a row per human answer.
        label_count: Rows in ``labels``.
        response_count: Rows in ``responses``.
    """

    labels: str
    responses: str
    label_count: int
    response_count: int


def check_directory(directory: str | os.PathLike[str]) -> None:
    """Find out before anything is paid whether :func:`write_dataset` could write there at all.

    Nothing is written; permissions and free space are not checked.

    Raises:
        ValidationError: The directory is blank or its kind of storage unknown, or pyarrow is not
            installed.
    """
    text = os.fspath(directory)
    problems: list[str] = []
    if not text.strip():
        problems.append("must not be blank")
    if find_spec("pyarrow") is None:
        problems.append("parquet needs pyarrow: install rapidata-orchestration[parquet]")
    elif "://" in text:
        problems += _storage_problems(text)
    if problems:
        raise ValidationError("directory", problems)


def _storage_problems(url: str) -> list[str]:
    import fsspec  # pyright: ignore[reportMissingTypeStubs]

    protocol = url.split("://", 1)[0]
    try:
        fsspec.get_filesystem_class(protocol)  # pyright: ignore[reportUnknownMemberType]
    except (ImportError, ValueError) as error:
        return [f"cannot write to {protocol}:// ({error})"]
    return []


def write_dataset(results: RapidataResults, directory: str | os.PathLike[str]) -> Dataset:
    """Write both tables as parquet. Writing again replaces the files, each in one step.

    Args:
        results: A job's results.
        directory: A folder, made if need be: a local path, or a URL such as ``s3://bucket/labels``
            for which the matching fsspec package is installed.

    Raises:
        ValidationError: See :func:`check_directory`.
    """
    check_directory(directory)
    labels = _arrow(label_rows(results), LABELS)
    responses = _arrow(response_rows(results), RESPONSES)
    return Dataset(
        labels=_write(labels, directory, "labels.parquet"),
        responses=_write(responses, directory, "responses.parquet"),
        label_count=labels.num_rows,
        response_count=responses.num_rows,
    )


def _arrow(rows: Iterator[Row], columns: Mapping[str, str]) -> pyarrow.Table:
    import pyarrow

    types: dict[str, pyarrow.DataType] = {
        "int64": pyarrow.int64(),
        "double": pyarrow.float64(),
        "string": pyarrow.string(),
        "list<string>": pyarrow.list_(pyarrow.string()),
        "list<struct<option: string, count: int64, user_score: double>>": pyarrow.list_(
            pyarrow.struct(
                [
                    pyarrow.field("option", pyarrow.string()),
                    pyarrow.field("count", pyarrow.int64()),
                    pyarrow.field("user_score", pyarrow.float64()),
                ]
            )
        ),
    }
    schema = pyarrow.schema([(name, types[kind]) for name, kind in columns.items()])
    return pyarrow.Table.from_pylist(list(rows), schema=schema)


def _write(table: pyarrow.Table, directory: str | os.PathLike[str], name: str) -> str:
    if "://" in os.fspath(directory):
        return _write_remote(table, os.fspath(directory), name)
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    # A reader, or a crash in between, sees the old file or the new one, never half of one.
    temporary = folder / f".{name}.{uuid4().hex}"
    try:
        _write_parquet(table, temporary)
        temporary.replace(folder / name)
    finally:
        temporary.unlink(missing_ok=True)
    return str((folder / name).resolve())


def _write_remote(table: pyarrow.Table, directory: str, name: str) -> str:
    from upath import UPath

    folder = UPath(directory)
    folder.mkdir(parents=True, exist_ok=True)
    # Object stores make a file visible when it is closed, whole.
    with (folder / name).open("wb") as file:
        _write_parquet(table, file)
    return str(folder / name)


def _write_parquet(table: pyarrow.Table, where: Path | IO[bytes]) -> None:
    from pyarrow import parquet

    parquet.write_table(table, where)  # pyright: ignore[reportUnknownMemberType]
