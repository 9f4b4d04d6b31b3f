"""Where people tapped and what they painted."""

import itertools
import random
import sys
from math import hypot

import numpy
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapidata_core import errors
from rapidata_core.results.quality.answers import mean_overlap
from rapidata_core.results.quality.geometry import locate_agreement, locate_clusters
from rapidata_core.results.quality.painting import draw_agreement, painted, paintings
from tests.core.results.tallies import responses

coordinate = st.floats(0, 100, width=32)
places = st.tuples(coordinate, coordinate)


def points(*where):
    return [{"x": x, "y": y} for x, y in where]


def stroke(*where, size=5.0):
    return {"size": size, "points": points(*where)}


# Points


def test_clusters_are_the_places_that_people_mean():
    found = locate_clusters(
        responses(
            (0, points((10, 10), (80, 80))),
            (0, points((12, 10))),
            (0, points((11, 13), (11, 13))),
            (0, []),
            (1, points((50, 50))),
        )
    )
    first, second, other = found.to_dict("records")
    assert (first["job_id"], first["datapoint"], first["cluster"]) == ("j", 0, 0)
    assert (first["points"], first["responses"], first["share"]) == (4, 3, 0.75)
    assert (first["x"], first["y"]) == (11, 11.5)
    squares = [(x - 11) ** 2 + (y - 11.5) ** 2 for x, y in [(10, 10), (12, 10), (11, 13), (11, 13)]]
    assert first["spread"] == pytest.approx((sum(squares) / 4) ** 0.5)
    assert (second["cluster"], second["x"], second["spread"], second["share"]) == (1, 80, 0, 0.25)
    assert (other["datapoint"], other["cluster"], other["share"]) == (1, 0, 1)


def naive_clusters(where, radius):
    """Average linkage, by its definition."""
    clusters = [[place] for place in where]
    while len(clusters) > 1:
        distance, one, other = min(
            (numpy.mean([hypot(a[0] - b[0], a[1] - b[1]) for a in p for b in q]), i, j)
            for (i, p), (j, q) in itertools.combinations(enumerate(clusters), 2)
        )
        if distance > radius:
            break
        clusters[one] += clusters.pop(other)
    return sorted((len(c), *numpy.mean(c, axis=0).round(6)) for c in clusters)


@pytest.mark.parametrize("seed", range(8))
def test_clusters_against_a_naive_implementation(seed):
    drawn = random.Random(seed)
    centres = [(drawn.uniform(0, 100), drawn.uniform(0, 100)) for _ in range(3)]
    where = [(drawn.gauss(x, 4), drawn.gauss(y, 4)) for x, y in centres for _ in range(7)]
    found = locate_clusters(responses(*((0, points(place)) for place in where)), radius=6)
    listed = zip(found["points"], found["x"].round(6), found["y"].round(6), strict=True)
    assert sorted(listed) == naive_clusters(where, 6)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.lists(places, max_size=3), min_size=1, max_size=6), st.randoms())
def test_the_order_of_answers_makes_no_difference(answers, order):
    shuffled = [order.sample(answer, len(answer)) for answer in answers]
    order.shuffle(shuffled)
    tables = [responses(*((0, points(*a)) for a in listed)) for listed in (answers, shuffled)]
    pandas.testing.assert_frame_equal(*map(locate_clusters, tables))
    pandas.testing.assert_frame_equal(*map(locate_agreement, tables))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=3), st.randoms())
def test_equal_distances_do_not_depend_on_the_order_either(grid, order):
    where = [(4 * x, 4 * y) for x, y in grid]
    first = locate_clusters(responses(*((0, points(place)) for place in where)))
    order.shuffle(where)
    second = locate_clusters(responses(*((0, points(place)) for place in where)))
    pandas.testing.assert_frame_equal(first, second)


def test_points_in_a_row_make_no_endless_cluster():
    found = locate_clusters(responses(*((0, points((x, 50))) for x in range(0, 100, 4))), radius=5)
    assert len(found) > 5
    assert found["spread"].max() < 5


def test_tables_without_points_have_their_columns():
    full = locate_clusters(responses((0, points((1, 1)))))
    for table in (responses(), responses((0, []))):
        empty = locate_clusters(table)
        assert empty.empty
        assert empty.dtypes.astype(str).to_dict() == full.dtypes.astype(str).to_dict()


def near_share(one, other, radius):
    if not one and not other:
        return 1
    hits = [
        any(hypot(a[0] - b[0], a[1] - b[1]) <= radius for b in q)
        for p, q in ((one, other), (other, one))
        for a in p
    ]
    return sum(hits) / len(hits)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.lists(places, max_size=4), min_size=2, max_size=5), st.floats(1, 60))
def test_agreement_of_points_against_loops(answers, radius):
    # Distances that are just the radius may fall on either side of it.
    pairs = itertools.combinations([p for answer in answers for p in answer], 2)
    if any(abs(hypot(a[0] - b[0], a[1] - b[1]) - radius) < 1e-9 for a, b in pairs):
        return
    naive = [near_share(a, b, radius) for a, b in itertools.combinations(answers, 2)]
    found = locate_agreement(responses(*((0, points(*a)) for a in answers)), radius)
    assert found["agreement"].tolist() == pytest.approx([numpy.mean(naive)])


def test_agreement_of_points_at_its_ends():
    found = locate_agreement(
        responses(
            *[(0, points((1, 1))), (0, points((1, 4)))],
            *[(1, points((1, 1))), (1, points((9, 9)))],
            *[(2, []), (2, [])],
            *[(3, []), (3, points((1, 1)))],
            *[(4, points((1, 1)))],
            *[(5, [])],
        )
    )
    assert found["agreement"].fillna(-1).tolist() == [1, 0, 1, 0, -1, -1]
    assert found["responses"].tolist() == [2, 2, 2, 2, 1, 1]


@pytest.mark.parametrize("radius", [0, -1, float("nan"), float("inf"), "5", None, True])
@pytest.mark.parametrize("measure", [locate_agreement, locate_clusters])
def test_a_radius_is_above_zero(measure, radius):
    with pytest.raises(errors.ValidationError, match="radius: must be above 0"):
        measure(responses((0, points((1, 1)))), radius)


def test_without_scipy_it_says_what_to_install(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "scipy"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr("rapidata_core.results.quality.answers.find_spec", lambda name: None)
    table = responses((0, points((1, 1))), (0, points((1, 2))))
    with pytest.raises(errors.ValidationError, match=r"rapidata-orchestration\[quality\]"):
        locate_clusters(table)
    assert locate_agreement(table)["agreement"].tolist() == [1]


# Strokes


def naive_mask(strokes, width, height):
    """Whether each cell's centre is within half the size of a dense row of points on the lines."""
    mask = numpy.zeros((height, width), dtype=bool)
    thinnest = hypot(50 / width, 50 / height)
    for one in strokes:
        corners = [(p["x"], p["y"]) for p in one["points"]]
        lines = list(itertools.pairwise(corners)) or [(corners[0], corners[0])]
        row = [
            (a[0] + (b[0] - a[0]) * t / 2000, a[1] + (b[1] - a[1]) * t / 2000)
            for a, b in lines
            for t in range(2001)
        ]
        xs, ys = numpy.array(row).T
        for i, j in numpy.ndindex(mask.shape):
            x, y = (j + 0.5) / width * 100, (i + 0.5) / height * 100
            distance = numpy.hypot(xs - x, ys - y).min()
            mask[i, j] |= distance <= max((one["size"] or 0) / 2, thinnest)
    return mask


@pytest.mark.parametrize("seed", range(6))
def test_masks_against_a_naive_rasteriser(seed):
    drawn = random.Random(seed)
    strokes = [
        stroke(
            *((drawn.uniform(-5, 105), drawn.uniform(-5, 105)) for _ in range(count)),
            size=drawn.choice([None, 0.1, 6, 13.7]),
        )
        for count in (1, 2, 4)
    ]
    for width, height in [(23, 23), (31, 17), (5, 40)]:
        found = painted(strokes, width, height)
        # The dense row of points is a little coarser than the line.
        assert (found != naive_mask(strokes, width, height)).sum() <= 1
        assert found.any()


def test_long_strokes_are_painted_part_by_part(monkeypatch):
    drawn = random.Random(9)
    where = [(drawn.uniform(0, 100), drawn.uniform(0, 100)) for _ in range(30)]
    table = responses((0, [stroke(*where), stroke(*where[:3], size=1)]))
    (whole,) = paintings(table)
    for cells in (5000, 700, 50):
        monkeypatch.setattr("rapidata_core.results.quality.painting._AT_ONCE", cells)
        (parts,) = paintings(table)
        assert (parts.union == whole.union).all()


def test_a_stroke_paints_where_it_is():
    (found,) = paintings(responses((0, [stroke((20, 90), (60, 90), size=10)])), resolution=10)
    assert found.share.shape == (10, 10)
    # Rows are from top to bottom, columns from left to right.
    assert {(int(i), int(j)) for i, j in numpy.argwhere(found.union)} >= {(9, 2), (9, 5), (8, 3)}
    assert not found.union[:7].any()
    assert not found.union[:, 8:].any()


@pytest.mark.parametrize("size", [0, None, float("nan")])
@pytest.mark.parametrize(("width", "height"), [(1, 1), (7, 7), (40, 30), (100, 100)])
@pytest.mark.parametrize(("x", "y"), [(33.3, 66.6), (50, 50), (0, 0), (100, 100)])
def test_the_thinnest_stroke_leaves_a_mark(size, width, height, x, y):
    found = painted([stroke((x, y), size=size)], width, height)
    assert 1 <= found.sum() <= 4
    assert found[min(int(y / 100 * height), height - 1), min(int(x / 100 * width), width - 1)]


def test_strokes_without_a_size_can_disagree():
    left, right = stroke((10, 10), (10, 90), size=None), stroke((90, 10), (90, 90), size=None)
    assert draw_agreement(responses((0, [left]), (0, [right])))["agreement"].tolist() == [0]


def test_strokes_outside_paint_nothing():
    outside = [stroke((300, 300), (200, 300)), stroke((-90, -50)), {"size": 5, "points": []}]
    (found,) = paintings(responses((0, outside)))
    assert not found.union.any()


def test_the_area_of_all_and_of_most():
    left, right = stroke((10, 50), (40, 50)), stroke((60, 50), (90, 50))
    table = responses((0, [left]), (0, [left, right]), (0, [left]), (0, []), (1, [right]))
    everybody, one = paintings(table, resolution=50)
    assert (everybody.job_id, everybody.datapoint, everybody.responses) == ("j", 0, 4)
    left_only, both = painted([left], 50, 50), painted([left, right], 50, 50)
    assert (everybody.union == both).all()
    assert (everybody.consensus() == left_only).all()
    assert (everybody.consensus(0.75) == left_only).all()
    assert (everybody.consensus(0.25) == both).all()
    assert not everybody.consensus(1).any()
    assert one.agreement is None
    # Left and left; left and both, twice; and each of them with nothing.
    third = left_only.sum() / both.sum()
    assert everybody.agreement == pytest.approx((1 + 2 * third + 3 * 0) / 6)
    agreed = draw_agreement(table, resolution=50)
    assert agreed["agreement"].fillna(-1).tolist() == [everybody.agreement, -1]


def test_those_who_painted_nothing_agree():
    assert draw_agreement(responses((0, []), (0, [])))["agreement"].tolist() == [1]


@settings(deadline=None, max_examples=50)
@given(st.integers(2, 5), st.integers(0, 9), st.integers(0, 2**32 - 1))
def test_overlap_against_sets(count, size, seed):
    members = numpy.random.default_rng(seed).random((count, size)) < 0.4
    sets = [set(numpy.flatnonzero(row).tolist()) for row in members]
    naive = [len(a & b) / len(a | b) if a | b else 1 for a, b in itertools.combinations(sets, 2)]
    assert mean_overlap(members) == pytest.approx(numpy.mean(naive))


def test_overlap_of_more_than_a_block():
    members = numpy.zeros((2, 200_000), dtype=bool)
    members[0, :150_000] = members[1, 50_000:] = True
    assert mean_overlap(members) == 0.5


def test_one_datapoint_is_painted_at_a_time():
    paint = paintings(responses(*((place, [stroke((50, 50))]) for place in range(5))))
    assert next(paint).datapoint == 0
    assert next(paint).datapoint == 1


@pytest.mark.parametrize("resolution", [0, 1001, 2.5, 2.0, True, "9"])
def test_a_resolution_is_within_its_range(resolution):
    with pytest.raises(
        errors.ValidationError, match="resolution: must be a whole number, at least 1"
    ):
        paintings(responses(), resolution)


def test_points_are_no_strokes():
    with pytest.raises(errors.ValidationError, match="must be strokes, and these are points"):
        draw_agreement(responses((0, points((1, 1)))))


def test_datapoints_of_two_files_are_not_taken_for_one():
    first, second = (
        responses((0, points(where)), (0, points(where))).assign(items=[[name]] * 2)
        for name, where in (("a.jpg", (10, 10)), ("b.jpg", (90, 90)))
    )
    with pytest.raises(errors.ValidationError, match="several datapoints have the same number"):
        locate_agreement(pandas.concat([first, second]))
    known = pandas.concat([first.assign(job_id="job_1"), second.assign(job_id="job_2")])
    assert list(locate_agreement(known)["agreement"]) == [1, 1]
