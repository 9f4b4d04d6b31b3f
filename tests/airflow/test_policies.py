"""When tasks are tried again."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization

from rapidata_airflow.operators.job import RapidataJobOperator
from rapidata_airflow.outcomes import Outcome, RapidataTaskError, failing_the_task
from rapidata_airflow.policies import RapidataRetryPolicy
from rapidata_airflow.version import AIRFLOW_3_3
from rapidata_core import errors

needs_policies = pytest.mark.skipif(not AIRFLOW_3_3, reason="Airflow 3.2 has no retry policies")


@pytest.mark.skipif(AIRFLOW_3_3, reason="this Airflow has retry policies")
def test_an_older_airflow_is_told_so():
    with pytest.raises(errors.ValidationError, match=r"needs Airflow 3\.3"):
        RapidataRetryPolicy()


def as_of_the_task(error: errors.RapidataError) -> BaseException:
    """What the task fails with when its client raises the error."""
    with pytest.raises(Exception) as raised, failing_the_task():  # noqa: PT011
        raise error
    return raised.value


NEEDS_SOMEBODY = errors.JobNeedsAttentionError("paused", job_id="j", state="Paused")
OUT_OF_TIME = errors.WaitTimeoutError("not done", job_id="j", state="Running")


def decision(error: BaseException, try_number: int = 1) -> tuple[str, float | None]:
    found = RapidataRetryPolicy(timedelta(hours=2)).evaluate(error, try_number, max_tries=9)
    delay = found.retry_delay
    return found.action.value, None if delay is None else delay.total_seconds()


@needs_policies
@pytest.mark.parametrize("wrapped", [as_of_the_task, lambda error: error])
@pytest.mark.parametrize(
    ("error", "delay"),
    [
        (NEEDS_SOMEBODY, 7200),
        (OUT_OF_TIME, 0),
        (errors.RateLimitedError("slow down", retry_after=300), 300),
        (errors.RateLimitedError("slow down"), 30),
        (errors.ServerError("it broke"), 30),
        (errors.TransportError("no answer", sent=True), 30),
    ],
)
def test_errors_that_pass_are_tried_again(wrapped: Any, error: errors.RapidataError, delay: float):
    assert decision(wrapped(error)) == ("retry", delay)


@needs_policies
def test_what_a_trigger_has_met_is_tried_again():
    # Its error stays behind on the triggerer.
    assert decision(RapidataTaskError("paused", Outcome.NEEDS_ATTENTION)) == ("retry", 7200)
    assert decision(RapidataTaskError("it broke", Outcome.ERROR)) == ("retry", 30)


@needs_policies
def test_the_delays_grow_up_to_a_limit():
    delays = [decision(errors.ServerError("it broke"), number)[1] for number in (1, 2, 3, 9, 1000)]
    assert delays == [30, 60, 120, 600, 600]


@needs_policies
def test_what_no_retry_can_mend_is_not_tried_again():
    # Tasks of ours fail with an exception that Airflow never asks about.
    assert decision(errors.AuthenticationError("wrong secret")) == ("fail", None)


@needs_policies
def test_other_exceptions_are_left_to_the_task():
    assert decision(ValueError("a bug")) == ("default", None)


@needs_policies
def test_a_negative_delay_is_refused():
    with pytest.raises(errors.ValidationError, match="attention_delay: must not be negative"):
        RapidataRetryPolicy(timedelta(seconds=-1))


@needs_policies
def test_the_policy_comes_back_from_json():
    policy = RapidataRetryPolicy(timedelta(minutes=5))
    data = json.loads(json.dumps(policy.serialize()))
    assert RapidataRetryPolicy.deserialize(data).attention_delay == timedelta(minutes=5)


@needs_policies
def test_a_dag_with_the_policy_is_serialised(compare_job: dict[str, Any]):
    with DAG("policies", schedule=None) as dag:
        RapidataJobOperator(
            task_id="ask", job=compare_job, retries=3, retry_policy=RapidataRetryPolicy()
        )
    document = json.loads(json.dumps(DagSerialization.to_dict(dag)))
    assert DagSerialization.from_dict(document).get_task("ask").has_retry_policy
