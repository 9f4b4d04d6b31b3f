"""Metrics of the tables that jobs of the sandbox make."""

import pytest

from rapidata_core.results.quality import metrics
from rapidata_core.results.quality.gate import QualityGate
from rapidata_core.results.quality.geometry import locate_agreement, locate_clusters
from rapidata_core.results.quality.painting import draw_agreement, paintings
from rapidata_core.results.quality.pairwise import bradley_terry, comparisons
from rapidata_core.results.quality.words import word_agreement, word_shares
from tests.core.results.conftest import IMAGES, SPECS

# Of a ranking of two items, as of a comparison, the votes tell the agreement: here are three.
RANKING = SPECS["ranking"].model_copy(update={"datapoints": [IMAGES]})


@pytest.fixture
def tables(run):
    def both(spec):
        results = run(spec)
        return results.labels(spec), results.responses(spec)

    return both


@pytest.mark.parametrize("spec", (SPECS | {"ranking": RANKING}).values(), ids=SPECS)
def test_every_type_of_job_has_a_report(tables, spec):
    labels, responses = tables(spec)
    gate = QualityGate(min_agreement=0.01, min_responses=3, min_coverage=1)
    report = gate.check(labels, responses, earlier=labels, expected=len(spec.datapoints))
    by_name = {check.name: check for check in report.checks}
    assert by_name["min_responses"].passed
    assert by_name["min_coverage"].passed
    if spec.type == "free_text":
        assert by_name["min_agreement"].value is None
    else:
        assert 0 < by_name["min_agreement"].value <= 1
    votes = spec.type in {"classification", "compare"}
    assert (metrics.agreement(labels).value is not None) == votes
    assert report.metrics["changed"].value == 0
    assert report.to_markdown()


def test_points_strokes_and_words_of_jobs(tables):
    _, points = tables(SPECS["locate"])
    clusters = locate_clusters(points)
    assert clusters[["x", "y"]].min(axis=None) >= 0
    assert clusters["points"].sum() == points["answer"].map(len).sum()
    assert len(locate_agreement(points)) == 3
    _, strokes = tables(SPECS["draw"])
    found = list(paintings(strokes))
    assert [painting.datapoint for painting in found] == [0, 1, 2]
    assert all(painting.union.any() for painting in found)
    assert draw_agreement(strokes)["agreement"].between(0, 1).all()
    _, selected = tables(SPECS["select_words"])
    first = selected[selected["datapoint"] == 0]
    assert set(word_shares(first)["word"]) <= {"every", "word", "of", "it"}
    assert word_agreement(selected)["responses"].tolist() == [4, 4]


def test_a_ranking_of_a_job(tables):
    labels, responses = tables(RANKING)
    found = bradley_terry(comparisons(responses), bootstrap=50)
    assert sorted(found["item"]) == ["a.jpg", "b.jpg", "c.jpg"]
    assert found["wins"].sum() == len(responses)
    scores = {vote["option"]: vote["score"] for vote in labels["votes"][0]}
    assert found["item"][0] == max(scores, key=scores.get)


def test_labels_and_responses_of_a_comparison_are_the_same_comparisons(tables):
    labels, responses = tables(SPECS["compare"])
    counted, single = (
        comparisons(table).groupby(["winner", "loser"])["weight"].sum().to_dict()
        for table in (labels, responses)
    )
    assert counted == single
