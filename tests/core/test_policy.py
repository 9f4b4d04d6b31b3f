"""Decisions: retrying, polling, budgets, adopting. No network, no clock."""

import random
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapidata_core import errors
from rapidata_core.policy.answers import error_for
from rapidata_core.policy.polling import PollingPolicy, is_done, obstacle, pause
from rapidata_core.policy.retry import (
    Call,
    Failure,
    RetryPolicy,
    delay_before_retry,
    retry_after_seconds,
)
from rapidata_core.policy.submission import (
    Claim,
    Identity,
    Terms,
    check_budget,
    check_names,
    duplicates_of,
    job_to_adopt,
    until_turn,
)
from rapidata_core.policy.tokens import Token, read_answer
from rapidata_core.types import JobState
from rapidata_core.wire.definition import DefinitionAnswer
from rapidata_core.wire.job import CostAnswer, JobListItem

NOW = datetime(2026, 11, 21, tzinfo=UTC)
failures = st.builds(
    Failure,
    status=st.none() | st.integers(300, 599),
    sent=st.booleans(),
    retry_after=st.none() | st.floats(0, 1000),
)


@given(failure=failures, attempt=st.integers(1, 10))
def test_a_paid_call_is_never_repeated(failure, attempt):
    assert delay_before_retry(Call.COSTS, failure, attempt, RetryPolicy(), random.Random()) is None


@given(failure=failures, attempt=st.integers(1, 4))
def test_a_creating_call_is_repeated_only_when_it_was_not_carried_out(failure, attempt):
    delay = delay_before_retry(Call.CREATES, failure, attempt, RetryPolicy(), random.Random())
    if delay is not None:
        assert not failure.sent or failure.status == 429


@given(failure=failures, attempt=st.integers(1, 10), call=st.sampled_from(Call))
def test_delays_are_bounded(failure, attempt, call):
    policy = RetryPolicy()
    delay = delay_before_retry(call, failure, attempt, policy, random.Random())
    if delay is not None:
        assert attempt < policy.attempts
        assert 0 <= delay <= max(policy.longest_delay, policy.longest_retry_after)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, None])
def test_reads_are_repeated_after_passing_failures(status):
    delay = delay_before_retry(
        Call.REPEATABLE, Failure(status=status), 1, RetryPolicy(), random.Random()
    )
    assert delay is not None
    assert 0.25 <= delay <= 0.5


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 409, 422])
def test_reads_are_not_repeated_after_final_answers(status):
    failure = Failure(status=status)
    assert delay_before_retry(Call.REPEATABLE, failure, 1, RetryPolicy(), random.Random()) is None


def test_retry_after_is_obeyed_up_to_a_point():
    policy, chance = RetryPolicy(longest_retry_after=10), random.Random()
    patient = Failure(status=429, retry_after=7)
    impatient = Failure(status=429, retry_after=11)
    assert delay_before_retry(Call.REPEATABLE, patient, 1, policy, chance) == 7
    assert delay_before_retry(Call.REPEATABLE, impatient, 1, policy, chance) is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("3", 3.0),
        ("0.5", 0.5),
        ("-4", 0.0),
        ("soon", None),
        (format_datetime(NOW + timedelta(seconds=30), usegmt=True), 30.0),
        (format_datetime(NOW - timedelta(seconds=30), usegmt=True), 0.0),
    ],
)
def test_retry_after_in_all_its_forms(header, seconds):
    assert retry_after_seconds(header, NOW) == seconds


def test_looking_becomes_slower_but_never_stops():
    policy, chance = PollingPolicy(), random.Random(1)
    pauses = [pause(waited, policy, chance) for waited in (0, 60, 300, 86400)]
    assert 1.8 <= pauses[0] <= 2.2
    assert pauses == sorted(pauses)
    assert pauses[-1] <= policy.slowest * 1.1


@pytest.mark.parametrize("state", [s for s in JobState if s not in {"Completed", "Failed"}])
def test_states_that_need_somebody_say_who_must_do_what(state):
    problem = obstacle("job_1", state, None, "ContentFlagged")
    if state in {"Submitted", "Queued", "Running"}:
        assert problem is None
    else:
        assert isinstance(problem, errors.JobNeedsAttentionError)
        assert problem.job_id == "job_1"
        assert "(ContentFlagged)" in str(problem)


def test_final_and_unknown_states():
    assert is_done("Completed")
    assert not is_done("Failed")
    assert isinstance(obstacle("j", "Failed", "no answers", None), errors.JobFailedError)
    assert "no answers" in str(obstacle("j", "Failed", "no answers", None))
    assert obstacle("j", "SomethingNew", None, None) is None


def listed(job_id, created, fingerprint="f" * 16, key="a" * 16):
    name = Identity(fingerprint, key).job("n")
    return JobListItem(
        job_id=job_id,
        name=name,
        job_definition_id="d",
        audience_id="global",
        state="Running",
        created_at=NOW + timedelta(seconds=created),
    )


def test_the_oldest_job_is_adopted():
    jobs = [listed("b", 1), listed("c", 0), listed("a", 1)]
    identity = Identity("f" * 16, "a" * 16)
    for on_changed in ("error", "adopt", "new"):
        assert job_to_adopt(jobs, identity, on_changed) == jobs[1]
        assert job_to_adopt(jobs[::-2], identity, on_changed).job_id == "a"
        assert job_to_adopt([], identity, on_changed) is None


def test_what_a_race_made_is_what_asks_the_same_and_is_younger():
    kept = listed("b", 1)
    others = [listed("a", 0), listed("c", 2), listed("d", 3, fingerprint="0" * 16)]
    done = listed("e", 4).model_copy(update={"state": "Completed"})
    assert duplicates_of(kept, [kept, *others, done]) == [others[1]]


LIFE, HOLD = 20, 10


def queued(runners):
    """The tickets of runners: when each was asked for, made and answered."""
    return [
        DefinitionAnswer(
            definition_id=f"d{number}",
            name=Identity("f" * 16, "a" * 16).ticket("n", f"{number:x}"),
            created_at=NOW + timedelta(seconds=asked + late),
        )
        for number, (asked, late, _) in enumerate(runners)
    ]


def may_pay(number, runners, moment):
    """Whether a runner pays that looks at a moment, at which all tickets made by then show."""
    asked, late, answer = runners[number]
    claim = Claim(f"{number:x}", f"d{number}", asked, asked + late + answer)
    shown = [one for one in queued(runners) if one.created_at <= NOW + timedelta(seconds=moment)]
    wait = until_turn(shown, claim, moment, LIFE)
    return wait == 0.0 and moment >= claim.answered and moment - asked < HOLD


delays = st.integers(0, 7)
runners = st.lists(st.tuples(st.integers(0, 30), delays, delays), min_size=2, max_size=4)


@given(runners=runners)
def test_two_runners_never_pay_before_the_other_ones_job_shows(runners):
    """Whoever pays is done, and its job shows, within HOLD after its last chance to pay."""
    paying = [
        (number, moment)
        for moment in range(60)
        for number in range(len(runners))
        if may_pay(number, runners, moment)
    ]
    for one, first in paying:
        for other, second in paying:
            if one != other and first <= second:
                assert second >= first + (LIFE - HOLD)


@given(runners=runners)
def test_somebody_may_pay(runners):
    """Nobody waits for nobody: the oldest ticket's holder pays as soon as it has its answer."""
    oldest = min(range(len(runners)), key=lambda n: (sum(runners[n][:2]), f"d{n}"))
    asked, late, answer = runners[oldest]
    assert may_pay(oldest, runners, asked + late + answer) == (late + answer < HOLD)


def test_a_ticket_that_does_not_show_says_nothing():
    [ticket] = queued([(0.0, 0.0, 0.0)])
    assert until_turn([ticket], Claim("1", "d1", 5.0, 5.0), 5.0, LIFE) is None
    assert until_turn([], Claim("0", "d0", 0.0, 0.0), 5.0, LIFE) is None


def test_drafts_are_not_waited_for_and_a_ticket_made_twice_counts_once():
    identity = Identity("f" * 16, "a" * 16)
    twice = queued([(1.0, 0.0, 0.0), (2.0, 0.0, 0.0)])
    twice[1] = twice[1].model_copy(update={"name": twice[0].name})
    draft = twice[0].model_copy(
        update={"name": identity.draft("n"), "created_at": NOW, "definition_id": "x"}
    )
    claim = Claim("0", "d1", 1.0, 3.0)
    assert until_turn([*twice, draft], claim, 4.0, LIFE) == 0.0
    other = draft.model_copy(update={"name": identity.ticket("n", "ff")})
    # Made a second before ours, which we know of for a second.
    assert until_turn([*twice, other], claim, 4.0, LIFE) == LIFE - 2.0


def test_a_list_that_ignores_the_filter_is_not_believed():
    identity = Identity("f" * 16, "a" * 16)
    ending = identity.name_ending
    check_names([listed("a", 0).name, listed("b", 0, fingerprint="0" * 16).name], ending)
    check_names([], ending)
    for stray in ("Somebody else's job", listed("c", 0, key="b" * 16).name):
        with pytest.raises(errors.ServerError, match="nothing was paid now"):
            check_names([listed("a", 0).name, stray], ending)


def test_a_job_that_asks_something_else_is_not_adopted():
    with pytest.raises(errors.SubmissionConflictError) as caught:
        job_to_adopt([listed("a", 0, fingerprint="0" * 16)], Identity("f" * 16, "a" * 16), "error")
    assert (caught.value.job_id, caught.value.found) == ("a", "0" * 16)
    assert "0" * 16 in str(caught.value)
    assert "f" * 16 in str(caught.value)


def test_budgets():
    check_budget(10.0, None)
    check_budget(10.0, 10.0)
    with pytest.raises(errors.BudgetExceededError, match=r"10\.01.*max_cost=10\.00"):
        check_budget(10.01, 10.0)
    for wrong in (-1.0, float("nan"), "5", True):
        with pytest.raises(errors.ValidationError):
            Terms(max_cost=wrong)
    Terms(0, 2, "adopt", 0.5)
    with pytest.raises(errors.ValidationError) as caught:
        Terms(-1, 1.5, "ask", "x")
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "max_cost",
        "attempt",
        "on_changed",
        "failure_tolerance",
    ]


@pytest.mark.parametrize("amount", ['"12"', "-1", "true", "null"])
def test_money_is_read_strictly(amount):
    with pytest.raises(ValueError, match="estimatedCost"):
        CostAnswer.model_validate_json(
            f'{{"estimatedCost": {amount}, "datapointCount": 1, "requiredResponses": 1}}'
        )


def answer(status, document=b"{}", **headers):
    return error_for(
        status=status,
        headers=headers,
        body=document,
        request="GET /job/x",
        about="job 'x'",
        environment="rapidata.ai",
        attempts=2,
    )


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, errors.AuthenticationError),
        (403, errors.AuthenticationError),
        (404, errors.NotFoundError),
        (400, errors.ValidationError),
        (422, errors.ValidationError),
        (429, errors.RateLimitedError),
        (302, errors.ServerError),
        (500, errors.ServerError),
        (418, errors.ServerError),
    ],
)
def test_each_status_has_its_error(status, kind):
    error = answer(status)
    assert type(error) is kind
    assert error.status_code == status
    assert "GET /job/x" in str(error)
    assert "2 attempts" in str(error)


def test_errors_carry_what_the_platform_says():
    problem = b'{"title": "Bad", "detail": "Too old", "traceId": "t-body", "errors": {"a": ["b"]}}'
    assert answer(404, problem).trace_id == "t-body"
    assert "Too old" in str(answer(404, problem))
    assert answer(500, problem, **{"x-trace-id": "t-head"}).trace_id == "t-head"
    assert answer(400, problem).problems == ["a: b"]
    assert answer(400, b"<html>").problems == ["the platform answered 400"]


def token(status=200, body=b"", content_type="application/json"):
    return read_answer(
        status=status,
        content_type=content_type,
        body=body,
        url="https://auth.rapidata.ai/connect/token",
        client_id="me",
        now=1000.0,
    )


def test_tokens_are_renewed_before_they_expire():
    hour = token(body=b'{"access_token": "s", "expires_in": 3600}')
    assert (hour.expires_at, hour.renew_at) == (4600.0, 4540.0)
    # A short-lived token must not be renewed before every call.
    assert Token.living("s", 50, 1000.0).renew_at == 1040.0
    assert token(body=b'{"access_token": "s"}').expires_at == 4600.0
    assert "s'" not in repr(hour)


@pytest.mark.parametrize(
    ("answered", "message"),
    [
        ({"status": 401, "body": b'{"error": "invalid_client"}'}, "refused client id 'me'"),
        ({"status": 400, "body": b'{"error": "invalid_client"}'}, "refused client id 'me'"),
        ({"status": 400, "body": b'{"error": "invalid_scope"}'}, r"no token \(invalid_scope\)"),
        ({"status": 404, "body": b"<html>"}, "Is the environment right"),
        ({"body": b"<html>", "content_type": "text/html"}, "answered text/html that is no token"),
        ({"body": b'{"access_token": ""}'}, "that is no token"),
        ({"body": b"[]"}, "that is no token"),
    ],
)
def test_what_is_no_token(answered, message):
    with pytest.raises(errors.AuthenticationError, match=message):
        token(**answered)


def test_a_failing_token_endpoint_is_no_matter_of_credentials():
    with pytest.raises(errors.ServerError):
        token(status=503)
