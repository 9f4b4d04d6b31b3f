"""What labelers painted: the area of everybody, of most, and how far people agree.

Coordinates are percent of the picture's width and height.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rapidata_core.errors import outside, refuse
from rapidata_core.results.quality.answers import (
    agreement_table,
    answers_by_datapoint,
    mean_overlap,
)

if TYPE_CHECKING:
    import pandas
    from numpy.typing import NDArray

_FINEST = 1000
# Cells: about 100 MB while they are computed.
_AT_ONCE = 1_000_000


@dataclass(frozen=True)
class Painting:
    """What all labelers together painted on one datapoint.

    Attributes:
        job_id: The job.
        datapoint: Position of the datapoint in the job's results.
        responses: Human answers.
        share: Per cell, the share of the answers that painted it, 0..1: an array of
            ``resolution`` rows, the uppermost first, by ``resolution`` columns.
        agreement: Mean intersection over union of two answers, 0..1, or None with one answer.
    """

    job_id: str | None
    datapoint: int
    responses: int
    share: NDArray[Any]
    agreement: float | None

    @property
    def union(self) -> NDArray[Any]:
        """The cells that anybody painted."""
        return self.share > 0

    def consensus(self, at_least: float = 0.5) -> NDArray[Any]:
        """The cells that at least this share of the labelers painted."""
        # Shares are sums of fractions: 0.6 must reach 0.6.
        return self.union & (self.share >= at_least - 1e-6)


def paintings(responses: pandas.DataFrame, resolution: int = 100) -> Iterator[Painting]:
    """What was painted on each datapoint, one after the other; see :func:`painted`.

    Args:
        responses: The responses of a draw job.
        resolution: Cells sideways and up and down, 1 to 1000. Memory is its square in bytes, times
            the answers to one datapoint.

    Raises:
        ValidationError: These are no responses of a draw job, or the resolution is out of range.
    """
    refuse(outside("resolution", resolution, 1, _FINEST, whole=True))
    found = answers_by_datapoint(responses, "strokes")
    return (
        _painting(job_id, datapoint, answers, resolution)
        for (job_id, datapoint), answers in found.items()
    )


def _painting(
    job_id: str | None, datapoint: int, answers: Sequence[Sequence[Any]], resolution: int
) -> Painting:
    import numpy

    masks = numpy.zeros((len(answers), resolution, resolution), dtype=bool)
    for place, strokes in enumerate(answers):
        masks[place] = painted(strokes, resolution, resolution)
    share = masks.mean(axis=0, dtype="float32")
    overlap = mean_overlap(masks.reshape(len(answers), -1))
    return Painting(job_id, datapoint, len(answers), share, overlap)


def painted(strokes: Iterable[Mapping[str, Any]], width: int, height: int) -> NDArray[Any]:
    """The cells that strokes paint.

    The picture is divided into cells. A stroke paints those whose centre is within half its
    ``size`` of its line, and always those that its line runs through; without a size, only these.
    The platform does not document the unit of ``size``: it is taken as percent of the picture,
    like coordinates.

    Args:
        strokes: Each with ``size``, and ``points`` with x and y.
        width: Cells sideways.
        height: Cells up and down.

    Returns:
        An array of bools: ``height`` rows, the uppermost first, by ``width`` columns.
    """
    import numpy

    listed = [line for stroke in strokes for line in _lines(stroke)]
    lines = numpy.array(listed, dtype=float).reshape(-1, 5)
    cell = numpy.array([100 / width, 100 / height])
    # Half a cell's diagonal: no point of a line is further from the centre of its own cell. Sizes
    # that are null became NaN, which fmax leaves out.
    reach = numpy.fmax(lines[:, 4:] / 2, numpy.hypot(*cell) / 2) + 1e-9
    starts, ends = lines[:, :2], lines[:, 2:4]
    low = numpy.floor((numpy.minimum(starts, ends) - reach) / cell)
    high = numpy.ceil((numpy.maximum(starts, ends) + reach) / cell)
    mask = numpy.zeros((height, width), dtype=bool)
    band = max(1, _AT_ONCE // width)
    for top in range(0, height, band):
        corners = (0, top), (width, min(top + band, height))
        first, last = (edge.clip(*corners).astype(int) for edge in (low, high))
        for line, cells in _cells_around(first, last - first):
            away = _distance(lines[line], (cells + 0.5) * cell)
            column, row = cells[away <= reach[line, 0]].T
            mask[row, column] = True
    return mask


def _cells_around(
    first: NDArray[Any], extent: NDArray[Any]
) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """The cells around lines, as many at once as memory allows: whose they are, and where."""
    import numpy

    counts = extent.prod(axis=1)
    breaks = numpy.flatnonzero(numpy.diff(counts.cumsum() // _AT_ONCE)) + 1
    for own in numpy.split(numpy.arange(len(counts)), breaks):
        line = numpy.repeat(own, counts[own])
        begins = counts[own].cumsum() - counts[own]
        place = numpy.arange(len(line)) - numpy.repeat(begins, counts[own])
        down, across = numpy.divmod(place, extent[line, 0])
        yield line, first[line] + numpy.stack([across, down], axis=1)


def _distance(lines: NDArray[Any], places: NDArray[Any]) -> NDArray[Any]:
    """How far each place is from its line."""
    import numpy

    along, away = lines[:, 2:4] - lines[:, :2], places - lines[:, :2]
    length = (along**2).sum(axis=1)
    # Where on the line, 0 to 1, it is closest to the place.
    nearest = ((away * along).sum(axis=1) / numpy.where(length, length, 1)).clip(0, 1)
    return numpy.hypot(*(away - nearest[:, None] * along).T)


def _lines(stroke: Mapping[str, Any]) -> Iterator[tuple[float, ...]]:
    """The straight parts of a stroke: x, y, x, y, size."""
    points = [(p["x"], p["y"]) for p in stroke["points"]]
    # A single tap is a line from the point to itself.
    for start, end in zip(points[: max(len(points) - 1, 1)], points[1:] or points, strict=True):
        yield (*start, *end, stroke["size"])


def draw_agreement(responses: pandas.DataFrame, resolution: int = 100) -> pandas.DataFrame:
    """How far two labelers paint the same cells: intersection over union (Jaccard 1912).

    Args:
        responses: The responses of a draw job.
        resolution: See :func:`paintings`.

    Returns:
        A row per datapoint: ``job_id``, ``datapoint``, ``responses``, and ``agreement`` (mean over
        all pairs of answers, 0..1; null with one answer). Two empty answers agree.

    Raises:
        ValidationError: See :func:`paintings`.
    """
    found = paintings(responses, resolution)
    return agreement_table({(p.job_id, p.datapoint): (p.responses, p.agreement) for p in found})
