"""Where labelers tapped: clusters of points, and how far people agree.

Coordinates are percent of the picture's width and height, so a distance of 5 is 5 % of the width
sideways and 5 % of the height up and down. What labelers drew is in
:mod:`rapidata_core.results.quality.painting`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from rapidata_core.errors import outside, refuse
from rapidata_core.results.quality.answers import (
    agreement_table,
    answers_by_datapoint,
    check_installed,
)

if TYPE_CHECKING:
    import pandas

_CLUSTER = {
    "job_id": "string",
    **dict.fromkeys(("datapoint", "cluster"), "int64"),
    **dict.fromkeys(("x", "y", "spread"), "float64"),
    **dict.fromkeys(("points", "responses"), "int64"),
    "share": "float64",
}


def locate_clusters(responses: pandas.DataFrame, radius: float = 5.0) -> pandas.DataFrame:
    """Find the places that labelers pointed at.

    Points are joined by average linkage (Sokal & Michener 1958) as long as two clusters are no
    further apart than the radius, measured as the mean distance of their points. Unlike linking
    each point to its neighbour, this makes no chains across the picture. The order of the answers
    does not matter.

    Args:
        responses: The responses of a locate job.
        radius: In percent of the picture.

    Returns:
        A row per cluster, those with most labelers first: ``job_id``, ``datapoint``, ``cluster``
        (from 0 within the datapoint), ``x``, ``y`` (mean of the points), ``spread`` (root mean
        square distance from there), ``points``, ``responses`` (answers with a point in it), and
        ``share`` (those of all answers to the datapoint, 0..1).

    Raises:
        ValidationError: These are no responses of a locate job, the radius is not above 0, or SciPy
            is not installed.
    """
    import pandas

    refuse(outside("radius", radius, 0, without=[0]))
    check_installed("scipy")
    rows = [
        {"job_id": job_id, "datapoint": datapoint, "cluster": place, **cluster}
        for (job_id, datapoint), answers in answers_by_datapoint(responses, "points").items()
        for place, cluster in enumerate(_clusters(answers, radius))
    ]
    return pandas.DataFrame(rows, columns=list(_CLUSTER)).astype(_CLUSTER)


def _clusters(answers: Sequence[Sequence[Any]], radius: float) -> list[dict[str, Any]]:
    import numpy
    from scipy.cluster import hierarchy  # pyright: ignore[reportMissingTypeStubs]
    from scipy.spatial import distance  # pyright: ignore[reportMissingTypeStubs]

    # Sorted, so that ties between distances do not depend on the order of the answers.
    marked = sorted((p["x"], p["y"], who) for who, answer in enumerate(answers) for p in answer)
    if not marked:
        return []
    points = numpy.array([(x, y) for x, y, _ in marked], dtype=float)
    owners = numpy.array([who for *_, who in marked])
    names = numpy.ones(1, dtype=int)
    if len(points) > 1:
        linking, measuring = cast("Any", hierarchy), cast("Any", distance)
        tree = linking.linkage(measuring.pdist(points), "average")
        names = linking.fcluster(tree, radius, "distance")
    found: list[dict[str, Any]] = []
    for name in numpy.unique(names):
        own, people = points[names == name], len(set(owners[names == name].tolist()))
        centre = own.mean(axis=0)
        found.append(
            {
                "x": float(centre[0]),
                "y": float(centre[1]),
                "spread": float(numpy.sqrt(((own - centre) ** 2).sum(axis=1).mean())),
                "points": len(own),
                "responses": people,
                "share": people / len(answers),
            }
        )
    return sorted(found, key=lambda c: (-c["responses"], -c["points"], c["x"], c["y"]))


def locate_agreement(responses: pandas.DataFrame, radius: float = 5.0) -> pandas.DataFrame:
    """How far two labelers point at the same places.

    Of two answers, the share of all their points that have a point of the other answer within the
    radius: the coefficient of Dice (1945), with "close" for "equal". Two empty answers agree.

    Args:
        responses: The responses of a locate job.
        radius: In percent of the picture.

    Returns:
        A row per datapoint: ``job_id``, ``datapoint``, ``responses``, and ``agreement`` (mean over
        all pairs of answers, 0..1; null with one answer).

    Raises:
        ValidationError: These are no responses of a locate job, or the radius is not above 0.
    """
    refuse(outside("radius", radius, 0, without=[0]))
    found = answers_by_datapoint(responses, "points")
    return agreement_table({key: (len(a), _nearness(a, radius)) for key, a in found.items()})


def _nearness(answers: Sequence[Sequence[Any]], radius: float) -> float | None:
    import numpy

    owners = numpy.array([who for who, answer in enumerate(answers) for _ in answer], dtype=int)
    points = numpy.array([(p["x"], p["y"]) for answer in answers for p in answer], dtype=float)
    if not len(points):
        return None if len(answers) < 2 else 1.0
    sideways, upwards = (points[:, None, axis] - points[None, :, axis] for axis in (0, 1))
    near = (numpy.hypot(sideways, upwards) <= radius).astype(float)
    belongs = (owners[:, None] == numpy.arange(len(answers))).astype(float)
    # Per pair of answers: how many points of the first have one of the second close by.
    hits = belongs.T @ (near @ belongs > 0)
    sizes = belongs.sum(axis=0)
    one, other = numpy.triu_indices(len(answers), 1)
    close, every = (hits + hits.T)[one, other], sizes[one] + sizes[other]
    if not len(every):
        return None
    return float(numpy.where(every > 0, close / numpy.maximum(every, 1), 1.0).mean())
