"""Datapoints and their answers as columns: some thousand rows at a time, as lists of plain values.

Of these, Arrow and pandas make arrays at once. What is the same for all answers of a datapoint is
kept once per datapoint.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import log2
from typing import TYPE_CHECKING, Any, Literal

from rapidata_core.errors import ResultsError
from rapidata_core.results.entry import (
    Entry,
    compared_of,
    context_of,
    counts_of,
    details,
    highest,
    index_of,
    items_of,
    labeler_of,
    numbers_of,
    objects_of,
    private_metadata,
    responses_of,
    shares_of,
    texts_of,
    total_votes,
    truth_of,
    voted,
    votes_of,
)
from rapidata_core.results.parse import Results
from rapidata_core.results.privacy import Privacy
from rapidata_core.results.schema import (
    DEMOGRAPHICS,
    Column,
    labels_schema,
    responses_schema,
)

if TYPE_CHECKING:
    from rapidata_core.jobs.spec import JobSpec

Values = dict[str, list[Any]]
Name = Literal["labels", "responses"]

# Rows that are made at once: enough for arrays to pay off, and few megabytes.
_ROWS = 32_768
# Tasks in which people choose.
_CHOICES = {"compare", "classification", "ranking"}


@dataclass(frozen=True)
class View:
    """What to make tables of.

    Attributes:
        results: The answers.
        spec: What was asked, if known.
        privacy: What to keep about the people who answered.
    """

    results: Results
    spec: JobSpec | None = None
    privacy: Privacy = field(default_factory=Privacy)

    def __post_init__(self) -> None:
        found = self.results.job_type
        if self.spec is not None and found and found != self.spec.type:
            raise ResultsError(f"These are results of a {found} job; the spec is {self.spec.type}.")

    @cached_property
    def job_type(self) -> str:
        """The task type; empty if unknown."""
        return self.spec.type if self.spec is not None else self.results.job_type

    def columns(self, table: Name) -> tuple[Column, ...]:
        """The schema of a table."""
        if table == "labels":
            return labels_schema()
        return responses_schema(self.job_type, demographics=self.privacy.demographics)

    def ids(self) -> Iterator[str | None]:
        """The identity of each entry, in order."""
        if self.spec is None:
            while True:
                yield None
        # Specs are pydantic models, which tables without one do not need.
        from rapidata_core.results.identity import datapoint_ids, places

        entries = self.results.entries(answers=False)
        shown = [(tuple(items_of(entry)), context_of(entry)) for entry in entries]
        known = datapoint_ids(self.spec)
        for place in places(self.spec, shown):
            yield None if place is None else known[place]

    def wanted(self) -> int | None:
        """How many answers a datapoint that is done has; None if that differs, or is unknown."""
        spec = self.spec
        if spec is None or spec.type == "ranking":
            return None
        stops = ("confidence_threshold", "quorum_threshold")
        if any(getattr(spec, stop, None) is not None for stop in stops):
            return None
        return spec.responses_per_datapoint


@dataclass
class Batch:
    """Some datapoints and their answers, as columns. Columns without any value are left out.

    Attributes:
        points: What both tables say of a datapoint: a value per datapoint.
        labels: What only the labels say: a value per datapoint.
        answers: What only the responses say: a value per answer.
        counts: How many answers each datapoint has.
    """

    points: Values = field(default_factory=lambda: defaultdict[str, list[Any]](list))
    labels: Values = field(default_factory=lambda: defaultdict[str, list[Any]](list))
    answers: Values = field(default_factory=lambda: defaultdict[str, list[Any]](list))
    counts: list[int] = field(default_factory=list[int])

    def size(self) -> int:
        """Rows of both tables together."""
        return len(self.counts) + len(self.answers["answer"])


def batches(view: View, tables: Collection[Name], rows: float = _ROWS) -> Iterator[Batch]:
    """All datapoints, in batches of about so many rows; one batch at least.

    Args:
        view: Of what.
        tables: For which tables; the columns of the other one stay empty.
        rows: How many.

    Raises:
        ResultsError: Something in the file is not what it should be; it names the datapoint.
    """
    reader = _Reader(view, tables)
    for place, (entry, identity) in enumerate(
        zip(view.results.entries(), view.ids(), strict=False)
    ):
        try:
            reader.add(place, entry, identity)
        except ResultsError as error:
            raise ResultsError(f"Datapoint {place} of the results: {error.message}") from None
        except (AttributeError, TypeError, ValueError, KeyError, OverflowError) as error:
            raise ResultsError(f"Datapoint {place} of the results is malformed: {error}") from None
        if reader.batch.size() >= rows:
            yield reader.take()
    yield reader.take()


class _Reader:
    """Makes columns of entries."""

    def __init__(self, view: View, tables: Collection[Name]) -> None:
        self._tables = tables
        self._job_id = view.results.job_id
        self._audience_id = view.results.audience_id
        self._is_partial = view.results.is_partial
        self._type = view.job_type
        self._by_item = self._type in {"compare", "ranking"}
        self._privacy = view.privacy
        self._wanted = view.wanted()
        self.batch = Batch()

    def take(self) -> Batch:
        """What was made since the last time."""
        made, self.batch = self.batch, Batch()
        return made

    def add(self, place: int, entry: Entry, identity: str | None) -> None:
        """Add a datapoint and its answers."""
        listed, items = details(entry), items_of(entry)
        point = {
            "job_id": self._job_id,
            "audience_id": self._audience_id,
            "datapoint": place,
            "datapoint_id": identity,
            "items": items,
            "context": context_of(entry),
            "private_metadata": private_metadata(entry),
        }
        for name, value in point.items():
            self.batch.points[name].append(value)
        if "labels" in self._tables:
            for name, value in self._label(entry, items, listed).items():
                self.batch.labels[name].append(value)
        if "responses" in self._tables:
            for name, values in self._answers(listed, items):
                self.batch.answers[name] += values
        self.batch.counts.append(len(listed))

    def _label(self, entry: Entry, items: Sequence[str], listed: Sequence[Entry]) -> dict[str, Any]:
        counts = counts_of(entry)
        if not counts and self._type in _CHOICES:
            answers: list[str | None] = responses_of(listed, self._type)["answer"]
            counts = dict(Counter(answer for answer in answers if answer is not None))
        scores = numbers_of(entry, "summedUserScores")
        confidences = numbers_of(entry, "confidencePerCategory")
        ranks = numbers_of(entry, "elo")
        total = sum(counts.values())
        shares = shares_of(counts)
        leading = ranks if self._type == "ranking" and ranks else voted(counts)
        label, weighted = highest(leading), highest(voted(scores))
        responses = total if counts else total_votes(entry) or len(listed)
        ordered = [*sorted(shares.values(), reverse=True), 0.0]
        too_few = self._is_partial if self._wanted is None else responses < self._wanted
        return {
            "label": label,
            "label_index": index_of(items, label) if self._by_item else None,
            "weighted_label": weighted,
            "weighted_label_index": index_of(items, weighted) if self._by_item else None,
            "responses": responses,
            "votes": votes_of(counts, scores, confidences, ranks),
            "agreement": ordered[0] if total else None,
            "margin": ordered[0] - ordered[1] if total else None,
            "entropy": -sum(p * log2(p) for p in ordered if p) + 0.0 if total else None,
            "confidence": max(confidences.values(), default=None),
            "is_tie": label is None and responses > 0 and bool(leading),
            "is_incomplete": responses == 0 or too_few,
            "truth": truth_of(entry),
        }

    def _answers(self, listed: list[Entry], items: Sequence[str]) -> Iterator[tuple[str, Any]]:
        found = responses_of(listed, self._type)
        yield from found.items()
        if self._by_item:
            index = {item: place for place, item in enumerate(items)}
            yield "answer_index", [*map(index.get, found["answer"])]
            if self._type == "ranking":
                yield "compared", [compared_of(detail, index) for detail in listed]
        if self._privacy.demographics:
            people = objects_of(objects_of(listed, "userDetails"), "demographics")
            for fact in DEMOGRAPHICS:
                yield fact, texts_of(people, fact)
        key = self._privacy.labeler_key
        if key is not None:
            yield "labeler", [labeler_of(detail, key) for detail in listed]
