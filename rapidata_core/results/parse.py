"""Results files: the platform's document as a dictionary, or read datapoint by datapoint."""

from __future__ import annotations

import io
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from rapidata_core.errors import ResultsError, ValidationError
from rapidata_core.results.entry import DETAILS, Entry, brief
from rapidata_core.results.privacy import Privacy
from rapidata_core.results.stream import JsonStream

if TYPE_CHECKING:
    import pandas
    import pyarrow

    from rapidata_core.jobs.spec import JobSpec

# What files call the task, and what we do.
_JOB_TYPES = {
    "Compare": "compare",
    "Classification": "classification",
    "Classify": "classification",
    "Ranking": "ranking",
    "GroupedRanking": "ranking",
    "Locate": "locate",
    "Line": "draw",
    "Transcription": "select_words",
    "FreeText": "free_text",
}
# What only entries of a task have, for files that do not name it.
_TELLING = {
    "winner_index": "compare",
    "winnerIndex": "compare",
    "originalFileName": "classification",
}


class Results:
    """What a results file says, as tables.

    Attributes:
        job_id: The job; None where a file was read without saying whose it is.
        audience_id: Who was asked; None where a file was read without saying whose it is.
        is_partial: Whether the job was not done: datapoints or answers may be missing.
    """

    job_id: str | None = None
    audience_id: str | None = None
    is_partial: bool = False

    @property
    def info(self) -> dict[str, Any]:
        """When the file was made, by which version, of which task."""
        raise NotImplementedError

    def entries(self, *, answers: bool = True) -> Iterator[Entry]:
        """A dictionary per datapoint, in the order of the datapoints.

        Args:
            answers: Whether the single answers are needed. They are most of a file, and reading
                without them is faster; they may be there all the same.

        Raises:
            ResultsError: The file is damaged.
        """
        raise NotImplementedError

    @property
    def job_type(self) -> str:
        """``compare``, ``classification`` … as specs name it; empty if it is not known."""
        # Older files say orderType, and the oldest nothing.
        named = self.info.get("type") or self.info.get("orderType")
        if named:
            return _JOB_TYPES.get(str(named), "")
        first = next(self.entries(), cast("Entry", {}))
        return next((kind for key, kind in _TELLING.items() if key in first), "")

    def to_pandas(self, split_details: bool = False) -> pandas.DataFrame:
        """The table of the platform's documents.

        Compare: a row per datapoint, columns ``A_…`` and ``B_…`` per metric. Ranking: a row per
        datapoint and item. Classification: a row per datapoint and answer option. Others: a row
        per datapoint, nested fields joined by underscores.

        Args:
            split_details: A row per human answer instead.

        Raises:
            ValueError: ``split_details`` is set, but the results have no single answers.
        """
        from rapidata_core.results.wide import wide_table

        return wide_table(self, split_details=split_details)

    def labels(self, spec: JobSpec | None = None) -> pandas.DataFrame:
        """A row per datapoint; :func:`rapidata_core.results.schema.labels_schema` has the columns.

        Args:
            spec: What was asked. Rows then have a ``datapoint_id``, and ``is_incomplete`` knows
                how many answers were wanted.

        Raises:
            ResultsError: The file is damaged, or about something else than the spec.
        """
        from rapidata_core.results import tables

        return tables.labels_frame(tables.View(self, spec))

    def responses(
        self,
        spec: JobSpec | None = None,
        privacy: Privacy = Privacy(),  # noqa: B008 - frozen
    ) -> pandas.DataFrame:
        """A row per answer; :func:`rapidata_core.results.schema.responses_schema` has the columns.

        Args:
            spec: See :meth:`labels`.
            privacy: What to keep about the people who answered.

        Raises:
            ResultsError: The file is damaged, or about something else than the spec.
        """
        from rapidata_core.results import tables

        return tables.responses_frame(tables.View(self, spec, privacy))

    def labels_arrow(self, spec: JobSpec | None = None) -> pyarrow.Table:
        """See :meth:`labels`; needs the extra ``parquet``."""
        from rapidata_core.results import tables

        return tables.arrow_table(tables.View(self, spec), "labels")

    def responses_arrow(
        self,
        spec: JobSpec | None = None,
        privacy: Privacy = Privacy(),  # noqa: B008 - frozen
    ) -> pyarrow.Table:
        """See :meth:`responses`; needs the extra ``parquet``."""
        from rapidata_core.results import tables

        return tables.arrow_table(tables.View(self, spec, privacy), "responses")


class RapidataResults(dict[str, Any], Results):
    """A job's results, exactly as the platform delivers them, with views on them as tables.

    ``job_id``, ``audience_id`` and ``is_partial`` are no part of the dictionary, so results are
    equal that say the same.
    """

    @property
    def info(self) -> dict[str, Any]:
        """When the file was made, by which version, of which task."""
        return _information(self.get("info"))

    def entries(self, *, answers: bool = True) -> Iterator[Entry]:
        """A dictionary per datapoint, in the order of the datapoints."""
        listed: Any = self.get("results")
        if isinstance(listed, dict):
            # Files of the early-stopping pages nest the list one level deeper.
            listed = cast("Entry", listed).get("data")
        if listed is None:
            return
        if not isinstance(listed, list):
            raise ResultsError(f"The results are a {type(listed).__name__}, not a list.")
        for place, entry in enumerate(cast("list[object]", listed)):
            yield _entry(entry, place)


class ResultsFile(Results):
    """A results file that is read datapoint by datapoint: memory does not grow with the file.

    Args:
        source: A file's path, or its content.
        job_id: Whose results they are.
        audience_id: Who was asked.
        is_partial: Whether the job was not done.
        job_type: What they have to be about: ``compare``, ``classification`` ….

    Raises:
        ResultsError: It is no results file, or about another task.
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | bytes,
        *,
        job_id: str | None = None,
        audience_id: str | None = None,
        is_partial: bool = False,
        job_type: str | None = None,
    ) -> None:
        self.job_id = job_id
        self.audience_id = audience_id
        self.is_partial = is_partial
        self._source = source if isinstance(source, bytes) else Path(source)
        self._info = self._read_info()
        if job_type is not None and self.job_type != job_type:
            raise ResultsError(
                f"{self._about} is about {self.job_type or 'an unknown task'}, not {job_type}."
            )

    @property
    def info(self) -> dict[str, Any]:
        """When the file was made, by which version, of which task."""
        return self._info

    def entries(self, *, answers: bool = True) -> Iterator[Entry]:
        """A dictionary per datapoint, in the order of the datapoints."""
        found = False
        with self._open() as stream:
            for key in stream.fields():
                if key == "results":
                    found = True
                    yield from _listed(stream, without=None if answers else DETAILS)
                else:
                    stream.value()
            stream.end()
        _check(found, self._about)

    @property
    def _about(self) -> str:
        if self.job_id is not None:
            return f"job {self.job_id!r}"
        return "the given bytes" if isinstance(self._source, bytes) else str(self._source)

    def _read_info(self) -> dict[str, Any]:
        """The envelope's facts, which stand before the answers in all files that are known."""
        with self._open() as stream:
            for key in stream.fields():
                if key == "info":
                    return _information(stream.value())
                if key == "results":
                    for _ in _listed(stream, without=DETAILS):
                        pass
                else:
                    stream.value()
        return {}

    @contextmanager
    def _open(self) -> Generator[JsonStream]:
        with self._bytes() as file:
            yield JsonStream(file, self._about)

    def _bytes(self) -> IO[bytes]:
        if isinstance(self._source, bytes):
            return io.BytesIO(self._source)
        try:
            return self._source.open("rb")
        except OSError as error:
            raise ValidationError("source", [f"cannot be read: {error}"]) from None


def parse_results(content: bytes, about: str) -> RapidataResults:
    """Read a results file as a whole.

    Args:
        content: The file.
        about: Whose results they are, for the error.

    Raises:
        ResultsError: It is no results file.
    """
    stream = JsonStream(io.BytesIO(content), about)
    if not stream.next_is("{"):
        raise ResultsError(f"The results of {about} are not a JSON object.")
    found: dict[str, Any] = {}
    for key in stream.fields():
        # The large list item by item, which the faster reader can do.
        found[key] = list(stream.items()) if stream.next_is("[") else stream.value()
    stream.end()
    _check("results" in found, about)
    return RapidataResults(found)


def _check(has_results: bool, about: str) -> None:
    # Another document of the platform, an error for example, is no job without answers.
    if not has_results:
        raise ResultsError(f"The results of {about} have no field 'results': fetch them again.")


def _listed(stream: JsonStream, without: str | None = None) -> Iterator[Entry]:
    """The entries of the value that comes next."""
    if stream.next_is("{"):
        # Files of the early-stopping pages nest the list one level deeper.
        for key in stream.fields():
            if key == "data":
                yield from _listed(stream, without)
            else:
                stream.value()
        return
    if not stream.next_is("["):
        found = stream.value()
        if found is not None:
            raise ResultsError(f"The results are {brief(found)}, not a list.")
        return
    for place, entry in enumerate(stream.items(without)):
        yield _entry(entry, place)


def _entry(value: object, place: int) -> Entry:
    if not isinstance(value, dict):
        raise ResultsError(f"Datapoint {place} of the results is {brief(value)}, not an object.")
    return cast("Entry", value)


def _information(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
