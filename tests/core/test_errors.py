"""Errors travel between processes, and say all they know."""

import pickle
from datetime import UTC, datetime

import pytest

from rapidata_core import errors

NOW = datetime(2026, 2, 2, tzinfo=UTC)
FACTS = {"status_code": 500, "trace_id": "t", "request": "GET /x", "attempts": 3}
ERRORS = [
    errors.RapidataError("m", details={"a": 1}, **FACTS),
    errors.ValidationError("spec", ["a: b"], **FACTS),
    errors.AuthenticationError("m"),
    errors.NotFoundError("m"),
    errors.RateLimitedError("m"),
    errors.ServerError("m"),
    errors.ResultsError("m"),
    errors.ExportError("m"),
    errors.QualityGateError("m", report=None),
    errors.AmbiguousSubmissionError("m"),
    errors.TransportError("m", sent=True, **FACTS),
    errors.BudgetExceededError("m", estimated_cost=2.0, max_cost=1.0),
    errors.KeyConflictError("m", object_id="o", expected="a", found="b"),
    errors.SubmissionConflictError("m", job_id="j", expected="a", found="b"),
    errors.JobFailedError("m", job_id="j", state="Failed"),
    errors.JobNeedsAttentionError("m", job_id="j", state="Paused"),
    errors.AudienceNeedsAttentionError("m", audience_id="a"),
    errors.WaitTimeoutError("m", job_id="j", state="Running"),
    errors.FailedUploadException(
        "m", detailed_failures=[errors.FailedUpload("url", "gone", "AssetUploadFailed", NOW)]
    ),
    errors.RevisionConflictError("m", job_definition_id="d", base_revision=1, latest_revision=2),
    errors.SignalRunError("m", signal_id="s", run_id="r", status="Skipped"),
    errors.FlowItemFailedError("m", flow_item_id="f"),
    errors.IncompleteUploadError(
        "m", detailed_failures=[errors.FailedUpload("url", "gone", "X", NOW)], retry=None
    ),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_survive_pickling(error):
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)


def test_every_error_is_tested_and_has_the_root():
    classes = {c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, Exception)}
    assert classes - {type(error) for error in ERRORS} == {errors.JobError}
    assert all(issubclass(c, errors.RapidataError) for c in classes)


def test_what_is_known_is_shown():
    shown = str(ERRORS[1])
    assert shown == "spec is not valid:\n  - a: b (GET /x, HTTP 500, 3 attempts, trace id t)"
    assert str(errors.RapidataError("plain")) == "plain"


@pytest.mark.parametrize(
    ("value", "arguments", "problem"),
    [
        (0, {"low": 0, "high": 1}, None),
        (1, {"low": 0, "high": 1}, None),
        (-0.1, {"low": 0, "high": 1}, "at least 0 and at most 1, not -0.1"),
        (1.1, {"low": 0, "high": 1}, "at least 0 and at most 1, not 1.1"),
        (True, {"low": 0}, "at least 0, not True"),
        ("1", {"low": 0}, "at least 0, not '1'"),
        (float("nan"), {"low": 0}, "at least 0, not nan"),
        (float("inf"), {"low": 0}, "at least 0, not inf"),
        (0, {"low": 0, "high": 1, "without": [0]}, "above 0 and at most 1, not 0"),
        (1, {"low": 0, "high": 1, "without": [0]}, None),
        (1, {"low": 0, "high": 1, "without": [0, 1]}, "above 0 and below 1, not 1"),
        (2, {"low": 1, "whole": True}, None),
        (2.0, {"low": 1, "whole": True}, "a whole number, at least 1, not 2.0"),
        (0, {"low": 1, "whole": True}, "a whole number, at least 1, not 0"),
    ],
)
def test_what_is_outside_of_a_range(value, arguments, problem):
    expected = [f"x: must be {problem}"] if problem else []
    assert errors.outside("x", value, **arguments) == expected


def test_lists_say_how_much_they_leave_out():
    assert errors.some([1, "a"]) == "1, 'a'"
    assert errors.first(list("abcdefghij")) == list("abcdefghij")
    assert errors.first(list("abcdefghijkl")) == [*"abcdefghij", "and 2 more"]


def test_all_arguments_with_problems_are_named_once():
    errors.refuse([])
    with pytest.raises(errors.ValidationError) as caught:
        errors.refuse(["a: one: b", "c: two", "a: three"])
    assert caught.value.subject == "a, c"
    assert caught.value.problems == ["a: one: b", "c: two", "a: three"]
