"""Where datapoints come from: lists, tables, and files with either of them, wherever they are."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from rapidata_core.errors import RapidataError, ValidationError
from rapidata_core.jobs.datapoint import is_url
from rapidata_core.results.export.storage import Location, as_text, brings_storage, located

if TYPE_CHECKING:
    import pandas
    from upath import UPath

Source: TypeAlias = "Sequence[Any] | pandas.DataFrame | Location"
"""A list of datapoints or of rows, a table, or a file."""


def read_datapoints(source: Source) -> list[Any] | pandas.DataFrame:
    """The datapoints of a list, or the table that has them.

    Args:
        source: A list of datapoints; a list of mappings from columns to cells; a table; or the path
            or URL of a file, told by its ending: ``.parquet`` (or a folder of such files), ``.csv``
            with a header, ``.jsonl``, ``.ndjson``, or ``.json`` with a list.

    Raises:
        ValidationError: It is none of these, or the file cannot be read.
    """
    if isinstance(source, str | os.PathLike) or _is_remote_path(source):
        return _read(cast("Location", source))
    if isinstance(source, Sequence):
        return _listed(source)
    import pandas

    if isinstance(source, pandas.DataFrame):
        return source
    problem = f"must be a list, a pandas DataFrame or a path, not {type(source).__name__}"
    raise ValidationError("datapoints", [problem])


def _is_remote_path(source: object) -> bool:
    return hasattr(source, "fs") and brings_storage(cast("Location", source))


def _listed(items: Sequence[Any]) -> list[Any] | pandas.DataFrame:
    """A list of rows is a table; a list of anything else has the datapoints themselves."""
    if not items or not all(isinstance(item, Mapping) for item in items):
        return list(items)
    import pandas

    return pandas.DataFrame(list(items))


def _read(location: Location) -> list[Any] | pandas.DataFrame:
    # What follows the question mark of a signed URL is a secret.
    shown = as_text(location).partition("?")[0]
    read = _READERS.get(PurePosixPath(shown).suffix.lower())
    try:
        path = located(location)
        # The web has no folders, and is not asked about what may be an image.
        if read is None and not is_url(shown) and path.is_dir():
            read = _read_parquet
        if read is not None:
            return read(path)
    except RapidataError:
        raise
    except Exception as error:
        # Every kind of store, and of file, has its own exceptions.
        problem = f"{shown} cannot be read: {type(error).__name__}"
        detail = f": {error}" if shown == as_text(location) else ""
        raise ValidationError("datapoints", [f"{problem}{detail}"]) from None
    known = ", ".join(_READERS)
    problem = f"{shown!r} is no file that can be read; known endings are {known}"
    raise ValidationError("datapoints", [f"{problem}. Several datapoints are given as a list"])


def _read_parquet(path: Path | UPath) -> pandas.DataFrame:
    import pandas

    if isinstance(path, Path):
        return pandas.read_parquet(path)
    # The path's own file system has its credentials.
    return pandas.read_parquet(path.path, filesystem=cast("Any", path).fs)


def _read_csv(path: Path | UPath) -> pandas.DataFrame:
    import pandas

    with path.open("rb") as file:
        # Every cell is a text; "NA" and "null" are, too.
        return pandas.read_csv(cast("Any", file), dtype=str, keep_default_na=False, na_values=[""])


def _read_json_lines(path: Path | UPath) -> list[Any] | pandas.DataFrame:
    lines = path.read_bytes().splitlines()
    return _listed([json.loads(line) for line in lines if line.strip()])


def _read_json(path: Path | UPath) -> list[Any] | pandas.DataFrame:
    document = json.loads(path.read_bytes())
    if not isinstance(document, list):
        problem = f"{path} must have a list of datapoints or of rows, not {type(document).__name__}"
        raise ValidationError("datapoints", [problem])
    return _listed(cast("list[Any]", document))


_READERS: dict[str, Callable[[Path | UPath], list[Any] | pandas.DataFrame]] = {
    ".parquet": _read_parquet,
    ".csv": _read_csv,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".json": _read_json,
}
