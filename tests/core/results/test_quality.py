"""The gate: what it lets pass, and what it says."""

import json
import pickle
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rapidata_core import errors
from rapidata_core.results.quality import metrics
from rapidata_core.results.quality.gate import QualityGate
from tests.core.results.tallies import label, labels, responses

GOOD = labels(
    label({"a": 4, "b": 0}, truth="a"),
    label({"a": 0, "b": 5}, datapoint=1, truth="b"),
    label({"a": 4, "b": 1}, datapoint=2),
)
BAD = labels(
    label({"a": 4, "b": 0}, truth="a", datapoint_id="1"),
    label({"a": 2, "b": 2}, datapoint=1, truth="b", datapoint_id="2", items=("t|e\nxt <b>",)),
    label({"a": 0, "b": 1}, datapoint=2, datapoint_id="3"),
    label({}, datapoint=3, datapoint_id="4"),
    label({"a": 1, "b": 3}, datapoint=4, datapoint_id="5"),
)
EARLIER = labels(*(label({"a": 3}, datapoint_id=str(n)) for n in (1, 3, 5)))
ALL = QualityGate(
    min_agreement=0.8,
    min_alpha=0.5,
    min_responses=3,
    min_coverage=0.9,
    max_tie_rate=0.1,
    min_gold_accuracy=0.9,
    max_drift=0.2,
)


def test_good_labels_pass():
    gate = QualityGate(min_agreement=0.8, min_alpha=0.6, min_responses=4, min_gold_accuracy=1)
    report = gate.check(GOOD)
    assert report.passed
    assert (report.worst, report.worst_count) == ((), 0)
    report.raise_for_failure()
    assert [check.name for check in report.checks] == [
        "min_agreement",
        "min_alpha",
        "min_responses",
        "min_gold_accuracy",
    ]


def test_the_report_has_the_numbers_of_the_metrics():
    found = ALL.check(BAD, earlier=EARLIER, expected=10).metrics
    assert found == {
        "agreement": metrics.agreement(BAD),
        "alpha": metrics.krippendorff_alpha(BAD),
        "responses": metrics.minimum_responses(BAD),
        "coverage": metrics.coverage(BAD, expected=10),
        "tie_rate": metrics.tie_rate(BAD),
        "gold_accuracy": metrics.gold_accuracy(BAD),
        "drift": metrics.drift(BAD, EARLIER),
        "changed": metrics.changed(BAD, EARLIER),
    }
    assert found["coverage"].value == 0.4


def test_every_limit_can_fail_and_says_how_far():
    report = ALL.check(BAD, earlier=EARLIER)
    assert not report.passed
    assert [check.passed for check in report.checks] == [False] * 7
    by_name = {check.name: check for check in report.checks}
    ties = by_name["max_tie_rate"]
    assert (ties.value, ties.low, ties.limit) == (0.25, None, 0.1)
    assert ties.detail == "max_tie_rate: tie_rate 0.25 does not keep the limit 0.1"
    gold = by_name["min_gold_accuracy"]
    assert (gold.value, gold.low) == (0.5, report.metrics["gold_accuracy"].low)


@pytest.mark.parametrize(
    ("limit", "at", "beyond"),
    [
        ("min_agreement", 0.8666, 0.8667),
        ("min_responses", 4, 5),
        ("min_coverage", 1.0, None),
        ("max_tie_rate", 0.0, None),
        ("min_gold_accuracy", 1.0, None),
    ],
)
def test_a_limit_may_be_reached_but_not_passed(limit, at, beyond):
    assert QualityGate(**{limit: at}).check(GOOD).passed
    if beyond is not None:
        assert not QualityGate(**{limit: beyond}).check(GOOD).passed


def test_floating_point_fails_nobody():
    def shares(first, second):
        return labels(*[label({"a": 1})] * first, *[label({"b": 1})] * second)

    assert metrics.drift(shares(8, 2), shares(6, 4)).value > 0.2
    assert QualityGate(max_drift=0.2).check(shares(8, 2), earlier=shares(6, 4)).passed
    assert not QualityGate(max_drift=0.2).check(shares(81, 19), earlier=shares(6, 4)).passed


def test_what_is_not_defined_never_passes():
    report = ALL.check(labels(label({"a": 1}), label({"a": 1}, datapoint=1)))
    by_name = {check.name: check for check in report.checks}
    for name, reason in {
        "min_agreement": "no datapoint has two answers.*give the responses",
        "min_alpha": "two votes",
        "min_gold_accuracy": '"truth" in its private metadata',
        "max_drift": "give the earlier labels",
    }.items():
        assert by_name[name].value is None
        assert not by_name[name].passed
        assert re.search(f"not defined: .*{reason}", by_name[name].detail)
    empty = ALL.check(labels(), earlier=labels())
    assert [check.value for check in empty.checks] == [None] * 7
    assert not any(check.passed for check in empty.checks)


def test_free_texts_have_no_agreement_even_with_their_responses():
    texts = responses((0, "one"), (0, "one"))
    report = QualityGate(min_agreement=0.1, min_responses=2).check(
        labels(label({}, responses=2)), texts
    )
    assert [check.passed for check in report.checks] == [False, True]


def test_answers_that_are_no_votes_are_measured_by_their_responses():
    table = labels(*(label({}, datapoint=n, responses=2) for n in range(2)))
    tapped = responses(
        (0, [{"x": 10, "y": 10}]),
        (0, [{"x": 11, "y": 10}]),
        (1, [{"x": 10, "y": 10}]),
        (1, [{"x": 90, "y": 90}]),
    )
    report = QualityGate(min_agreement=0.8).check(table, tapped)
    assert report.checks[0].value == 0.5
    assert [(weak.datapoint, weak.agreement) for weak in report.worst] == [(1, 0)]


def test_the_worst_datapoints_come_first_with_their_reasons():
    worst = ALL.check(BAD, earlier=EARLIER).worst
    # Most reasons first; then those about whose agreement nothing is known.
    assert [weak.datapoint for weak in worst] == [1, 2, 4, 3]
    tie, single, changed, nothing = worst
    assert tie.reasons == ("agreement 0.333333", "tie", "truth 'b', label None")
    assert single.reasons == ("1 responses", "label 'b', earlier 'a'")
    assert nothing.reasons == ("0 responses",)
    assert nothing.agreement is None
    assert changed.reasons == ("agreement 0.5", "label 'b', earlier 'a'")
    assert (tie.job_id, tie.datapoint_id, tie.items) == ("j", "2", ("t|e\nxt <b>",))


def test_only_failed_checks_blame_datapoints():
    report = QualityGate(min_responses=1, max_tie_rate=0.5).check(BAD)
    assert [check.passed for check in report.checks] == [False, True]
    assert [weak.datapoint for weak in report.worst] == [3]


def test_coverage_blames_those_without_answers():
    report = QualityGate(min_coverage=1).check(BAD)
    assert [(weak.datapoint, weak.reasons) for weak in report.worst] == [(3, ("0 responses",))]


def test_alpha_blames_those_below_the_average():
    report = QualityGate(min_alpha=0.9).check(GOOD)
    assert [weak.datapoint for weak in report.worst] == [2]


def test_a_report_shows_at_most_twenty():
    rows = [label({"a": 2, "b": 2}, datapoint=n) for n in range(50)]
    report = QualityGate(max_tie_rate=0).check(labels(*rows))
    assert (len(report.worst), report.worst_count) == (20, 50)
    assert "20 of 50 datapoints" in report.to_markdown()


# The report elsewhere


def test_a_report_is_plain_json():
    said = ALL.check(BAD, earlier=EARLIER).as_dict()
    assert json.loads(json.dumps(said, allow_nan=False)) == said
    assert said["passed"] is False
    assert said["metrics"]["tie_rate"] == {"value": 0.25, "low": None, "high": None, "count": 4}
    assert said["worst"][0]["items"] == ["t|e\nxt <b>"]
    assert said["worst_count"] == 4


def cells(line):
    return re.findall(r"\|((?:[^|\\]|\\.)*)(?=\|)", line)


def test_markdown_tables_have_as_many_cells_in_each_row():
    text = ALL.check(BAD, earlier=EARLIER).to_markdown()
    first, second = (
        [line for line in block.split("\n") if line.startswith("|")]
        for block in text.split("datapoints that cause this")
    )
    assert {len(cells(line)) for line in first} == {5}
    assert {len(cells(line)) for line in second} == {5}
    assert len(first) == 2 + 7 + 1  # the change is shown although nothing limits it
    assert len(second) == 2 + 4
    assert "Quality gate: **failed**" in text
    assert r"t\|e xt \<b\>" in text
    assert "**passed**" in QualityGate(min_responses=1).check(GOOD).to_markdown()


@settings(deadline=None, max_examples=50)
@given(st.text())
@example("a\\|b")
@example("a|b\\")
def test_no_text_leaves_its_cell(text):
    report = QualityGate(max_tie_rate=0).check(labels(label({"a": 1, "b": 1}, items=(text,))))
    lines = report.to_markdown().split("\n")
    assert len(cells(lines[-2])) == 5
    assert lines[-4].startswith("| datapoint |")


def test_a_failed_gate_raises_what_engines_show():
    report = ALL.check(BAD)
    with pytest.raises(errors.QualityGateError) as caught:
        report.raise_for_failure()
    message = str(caught.value)
    assert all(check.name in message for check in report.checks)
    assert caught.value.report is report
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.report) == (message, report)
    assert isinstance(caught.value, errors.FINAL)


# The gate


def test_an_empty_gate_is_an_error():
    with pytest.raises(errors.ValidationError, match="set at least one of min_agreement"):
        QualityGate()


def test_wrong_limits_are_named_together():
    with pytest.raises(errors.ValidationError) as caught:
        QualityGate(
            min_agreement=1.1,
            min_alpha=-2,
            min_responses=1.5,
            min_coverage=True,
            max_tie_rate="0.1",
            min_gold_accuracy=float("nan"),
            max_drift=-0.1,
        )
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "min_agreement",
        "min_alpha",
        "min_responses",
        "min_coverage",
        "max_tie_rate",
        "min_gold_accuracy",
        "max_drift",
    ]


@pytest.mark.parametrize(
    "limits", [{"min_alpha": -1}, {"min_responses": 1}, {"max_drift": 0}, {"min_coverage": 1}]
)
def test_the_ends_of_the_ranges_are_limits(limits):
    assert QualityGate(**limits)


@pytest.mark.parametrize("limit", [0, -1, True, "3"])
def test_responses_are_at_least_one(limit):
    with pytest.raises(errors.ValidationError, match="min_responses: must be a whole number"):
        QualityGate(min_responses=limit)


def test_missing_columns_are_named():
    with pytest.raises(errors.ValidationError) as caught:
        ALL.check(BAD.drop(columns=["truth", "is_tie"]))
    assert [problem.split()[2] for problem in caught.value.problems] == ["is_tie", "truth"]
    with pytest.raises(errors.ValidationError, match="expected"):
        ALL.check(BAD, expected=2)
