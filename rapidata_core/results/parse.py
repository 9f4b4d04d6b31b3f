"""The results file as a dictionary, and what it says in a form that does not depend on its age."""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import isfinite
from typing import TYPE_CHECKING, Any, cast

from rapidata_core.errors import ServerError

if TYPE_CHECKING:
    import pandas

Entry = dict[str, Any]

# Answers of a comparison that are no items.
UNDECIDED = ("Both", "Neither")


class RapidataResults(dict[str, Any]):
    """A job's results, exactly as the platform delivers them, with views on them as tables.

    Attributes:
        is_partial: Whether the job was not done: datapoints or answers may be missing. It is no
            part of the dictionary, so results are equal that say the same.
    """

    is_partial: bool = False

    def to_pandas(self, split_details: bool = False) -> pandas.DataFrame:
        """The table of the platform's documents.

        Compare: a row per datapoint, columns ``A_…`` and ``B_…`` per metric. Ranking: the same
        with the assets' names. Classification: a row per datapoint and answer option. Others: a
        row per datapoint, nested fields joined by underscores.

        Args:
            split_details: A row per human answer instead.

        Raises:
            ValueError: ``split_details`` is set, but the results have no single answers.
        """
        from rapidata_core.results.wide import wide_table

        return wide_table(self, split_details=split_details)

    def labels(self) -> pandas.DataFrame:
        """A row per datapoint; the columns are :data:`rapidata_core.results.tables.LABELS`."""
        from rapidata_core.results import tables

        return tables.frame(tables.label_rows(self), tables.LABELS)

    def responses(self) -> pandas.DataFrame:
        """A row per human answer; columns :data:`rapidata_core.results.tables.RESPONSES`."""
        from rapidata_core.results import tables

        return tables.frame(tables.response_rows(self), tables.RESPONSES)


def parse_results(content: bytes, about: str) -> RapidataResults:
    """Read a results file.

    Args:
        content: The file.
        about: Whose results they are, for the error.

    Raises:
        ServerError: It is no results file.
    """
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ServerError(f"The results of {about} are not JSON: {error}") from None
    if not isinstance(document, dict):
        raise ServerError(f"The results of {about} are a {type(document).__name__}, not an object.")
    return RapidataResults(cast("dict[str, Any]", document))


def task_type(results: RapidataResults) -> str:
    """``Compare``, ``Classification`` or what the platform adds; empty in files that lack it."""
    found = results.get("info")
    info = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    # Older files say orderType, and some say Classify.
    named = str(info.get("type") or info.get("orderType") or "")
    return "Classification" if named == "Classify" else named


def entries(results: RapidataResults) -> Iterator[Entry]:
    """One dictionary per datapoint, in the order of the datapoints.

    Files of the early-stopping pages nest the list one level deeper.
    """
    listed: Any = results.get("results")
    if isinstance(listed, dict):
        listed = cast("dict[str, Any]", listed).get("data")
    return iter(dictionaries(listed))


def details(entry: Entry) -> list[Entry]:
    """The single answers of a datapoint."""
    return dictionaries(entry.get("detailedResults"))


def numbers(entry: Entry, field: str) -> dict[str, float]:
    """A metric per option or asset; what is no number is left out."""
    values = cast("Entry", entry.get(field)) if isinstance(entry.get(field), dict) else {}
    known = ((option, number(value)) for option, value in values.items())
    return {option: value for option, value in known if value is not None}


def number(value: object) -> float | None:
    """A number as it is; None for everything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if isfinite(value) else None


def assets(entry: Entry) -> list[str]:
    """The names of the items that were compared or ranked."""
    for field in ("assetUrls", "aggregatedResults"):
        named = entry.get(field)
        if isinstance(named, dict) and named:
            return [name for name in cast("Entry", named) if name not in UNDECIDED]
    return []


def dictionaries(listed: object) -> list[Entry]:
    """The entries of a list; nothing where a file has no list, or something else in it."""
    if not isinstance(listed, list):
        return []
    found = cast("list[object]", listed)
    return [cast("Entry", entry) for entry in found if isinstance(entry, dict)]
