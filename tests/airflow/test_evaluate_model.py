"""Models on a benchmark. The sandbox's ledger judges what was paid."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from airflow.models.trigger import Trigger
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from airflow.sdk.module_loading import import_string

from rapidata_airflow.operators.benchmark import RapidataEvaluateModelOperator
from rapidata_airflow.triggers.benchmark import RapidataEvaluationTrigger
from rapidata_core import RapidataBenchmark, RapidataClient
from rapidata_core.errors import ValidationError
from rapidata_core.sandbox.process import Sandbox
from tests.airflow.deferrals import deferred_by

ContextOf = Callable[..., Any]
Make = Callable[..., RapidataEvaluateModelOperator]
PROMPTS = ["Say hello", "Say goodbye"]


@pytest.fixture
def benchmark(client: RapidataClient) -> RapidataBenchmark:
    """A benchmark with two leaderboards, and a model that was evaluated."""
    benchmark = client.mri.create_new_benchmark("Greetings", prompts=PROMPTS)
    for name in ("Style", "Tone"):
        benchmark.create_leaderboard(name, f"Which has the better {name}?", level_of_detail="debug")
    benchmark.evaluate_model("old", ["Hi.", "Bye."], prompts=PROMPTS, data_type="text")
    return benchmark


@pytest.fixture
def make(request: pytest.FixtureRequest) -> Make:
    def make(**arguments: Any) -> RapidataEvaluateModelOperator:
        given = {
            "task_id": "evaluate",
            "model": "new",
            "media": ["Hello, friend!", "Goodbye, friend!"],
            "prompts": PROMPTS,
            "data_type": "text",
            **arguments,
        }
        if "benchmark_id" not in given:
            given["benchmark_id"] = request.getfixturevalue("benchmark").id
        return RapidataEvaluateModelOperator(**given)

    return make


def test_a_model_is_evaluated(
    sandbox: Sandbox,
    benchmark: RapidataBenchmark,
    make: Make,
    context_of: ContextOf,
    go_on: Callable[..., Any],
):
    before = len(sandbox.ledger()["entries"])
    deferred = deferred_by(operator := make(), context := context_of(operator))
    assert context["ti"].xcoms["benchmark_url"] == benchmark.url
    sandbox.advance(7 * 24 * 3600)
    fresh = make()
    found = go_on(deferred, fresh, context_of(fresh))
    assert json.loads(json.dumps(found)) == found
    assert (found["benchmark_id"], found["model"]) == (benchmark.id, "new")
    for standing in (found["overall"], *found["leaderboards"]):
        assert standing["rank"] in (1, 2)
        assert 0 <= standing["wins"] <= standing["matches"]
        assert standing["matches"] > 0
    boards = benchmark.leaderboards
    assert [one["leaderboard_id"] for one in found["leaderboards"]] == [one.id for one in boards]
    assert [one["name"] for one in found["leaderboards"]] == ["Style", "Tone"]
    for board, standing in zip(boards, found["leaderboards"], strict=True):
        scores = board.get_standings().set_index("name")["score"]
        assert standing["score"] == scores["new"]
        assert standing["rank"] == 1 + (scores["old"] > scores["new"])
    # One run of each leaderboard.
    assert len(sandbox.ledger()["entries"]) - before == 2


def test_a_retry_finds_the_model_that_was_submitted(
    sandbox: Sandbox, make: Make, context_of: ContextOf
):
    first = deferred_by(operator := make(), context_of(operator))
    entries = sandbox.ledger()["entries"]
    second = deferred_by(operator := make(), context_of(operator, try_number=2))
    assert (
        second.trigger.serialize()[1]["participant_id"]
        == (first.trigger.serialize()[1]["participant_id"])
    )
    assert sandbox.ledger()["entries"] == entries


def test_it_waits_in_the_worker(sandbox: Sandbox, make: Make, context_of: ContextOf):
    operator = make(deferrable=False, poll_interval=0.05, timeout=timedelta(seconds=0.3))
    with pytest.raises(AirflowException, match="The evaluation of 'new'") as raised:
        operator.execute(context_of(operator))
    assert not isinstance(raised.value, AirflowFailException)
    entries = sandbox.ledger()["entries"]
    sandbox.advance(7 * 24 * 3600)
    found = operator.execute(context_of(operator, try_number=2))
    assert found["overall"]["matches"] > 0
    assert sandbox.ledger()["entries"] == entries


def test_a_leaderboard_about_other_prompts_says_nothing_of_the_model(
    sandbox: Sandbox,
    benchmark: RapidataBenchmark,
    make: Make,
    context_of: ContextOf,
    go_on: Callable[..., Any],
):
    deferred = deferred_by(operator := make(), context_of(operator))
    sandbox.advance(7 * 24 * 3600)
    benchmark.create_leaderboard("Later", "Which is later?", skip_initial_run=True)
    event = {
        "status": "completed",
        "benchmark_id": benchmark.id,
        "participant_id": deferred.trigger.serialize()[1]["participant_id"],
        "overall": {"rank": 1, "score": 1200.0, "wins": 1, "matches": 2},
    }
    (later,) = [
        one
        for one in operator.execute_complete(context_of(operator), event)["leaderboards"]
        if one["name"] == "Later"
    ]
    assert (later["rank"], later["score"]) == (None, None)


def test_all_mistakes_are_found_before_anything_is_sent(sandbox: Sandbox, context_of: ContextOf):
    operator = RapidataEvaluateModelOperator(
        task_id="evaluate",
        benchmark_id=" ",
        model="",
        media="one.jpg",
        data_type="video",
        poll_interval=-1.0,
    )
    with pytest.raises(AirflowFailException) as raised:
        operator.execute(context_of(operator))
    for name in ("benchmark_id", "name", "media", "data_type", "identifiers", "poll_interval"):
        assert f"\n  - {name}: " in str(raised.value)
    assert sandbox.requests() == []


def test_mistakes_are_found_when_the_dag_is_parsed(make: Make):
    with pytest.raises(ValidationError, match="timeout"):
        make(benchmark_id="a benchmark", timeout=timedelta(0))


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [({"benchmark_id": "none"}, "none"), ({"prompts": ["Say hello", "Shout"]}, "Shout")],
)
def test_what_is_not_there_fails_the_task_for_good(
    sandbox: Sandbox, make: Make, context_of: ContextOf, wrong: dict[str, Any], problem: str
):
    operator = make(**wrong)
    entries = sandbox.ledger()["entries"]
    with pytest.raises(AirflowFailException, match=problem):
        operator.execute(context_of(operator))
    assert sandbox.ledger()["entries"] == entries


def test_the_trigger_survives_the_way_to_the_triggerer():
    arguments = {
        "benchmark_id": "a benchmark",
        "participant_id": "a model",
        "rapidata_conn_id": "another",
        "deadline": 1.5,
        "poll_interval": 3.0,
        "first_poll_delay": 1.0,
    }
    path, kwargs = RapidataEvaluationTrigger(**arguments).serialize()
    assert kwargs == arguments
    assert import_string(path)(**kwargs).serialize() == (path, kwargs)
    stored = Trigger.from_object(RapidataEvaluationTrigger(**arguments))
    assert Trigger._decrypt_kwargs(stored.encrypted_kwargs) == arguments


async def test_an_unknown_model_is_final(sandbox: Sandbox):
    event = await RapidataEvaluationTrigger(benchmark_id="one", participant_id="two").outcome()
    assert (event["participant_id"], event["status"]) == ("two", "failed")
