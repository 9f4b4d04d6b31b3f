"""``@task.rapidata_job``. The sandbox's ledger judges what was paid."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas
import pyarrow.parquet
import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG, task
from airflow.sdk.exceptions import AirflowFailException
from airflow.serialization.serialized_objects import DagSerialization
from airflow.utils.db import initdb

import rapidata_airflow.triggers.waiting
from rapidata_airflow.decorators.job import rapidata_job_task
from rapidata_airflow.hooks.rapidata import RapidataHook
from rapidata_core import parse_job
from rapidata_core.errors import ValidationError
from rapidata_core.sandbox.process import Sandbox
from tests.airflow.deferrals import deferred_by, job_of

ContextOf = Callable[..., Any]

QUESTION = {
    "type": "compare",
    "name": "Greetings",
    "instruction": "Which is friendlier?",
    "data_type": "text",
    "responses_per_datapoint": 5,
}
PAIRS = [["Hello", "What?"], ["Good morning", "You again"]]


def operator_of(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """The task that a decorated function is called as."""
    return rapidata_job_task(function, **options)(*arguments).operator


def asked(job_id: str) -> list[Any]:
    """What people are asked about."""
    with RapidataHook().get_conn() as client:
        job = client.job.get_job_by_id(job_id)
        labels = job.get_results(preliminary_results=True).labels()
    return sorted(list(items) for items in labels["items"])


def test_the_function_returns_the_datapoints(sandbox: Sandbox, context_of: ContextOf):
    def ask(pairs: list[list[str]]) -> list[list[str]]:
        return pairs

    operator = operator_of(ask, PAIRS, job=QUESTION)
    assert operator.task_id == "ask"
    job_id = job_of(deferred_by(operator, context_of(operator)))
    sandbox.advance(3600)
    assert asked(job_id) == sorted(PAIRS)
    sandbox.assert_paid_jobs(1)


def test_the_function_returns_a_table(sandbox: Sandbox, context_of: ContextOf):
    def ask() -> pandas.DataFrame:
        return pandas.DataFrame({"answers": PAIRS})

    operator = operator_of(ask, job=QUESTION, columns="answers")
    job_id = job_of(deferred_by(operator, context_of(operator)))
    sandbox.advance(3600)
    assert asked(job_id) == sorted(PAIRS)


def test_the_function_returns_a_file(sandbox: Sandbox, context_of: ContextOf, tmp_path: Path):
    (tmp_path / "pairs.json").write_text(json.dumps(PAIRS), encoding="utf-8")

    def ask() -> str:
        return str(tmp_path / "pairs.json")

    operator = operator_of(ask, job=QUESTION)
    job_id = job_of(deferred_by(operator, context_of(operator)))
    sandbox.advance(3600)
    assert asked(job_id) == sorted(PAIRS)


@pytest.mark.parametrize("make", [dict, json.dumps, parse_job])
def test_the_function_returns_a_whole_job(make: Any, sandbox: Sandbox, context_of: ContextOf):
    def ask() -> Any:
        return make({**QUESTION, "datapoints": PAIRS})

    operator = operator_of(ask)
    job_id = job_of(deferred_by(operator, context_of(operator)))
    sandbox.advance(3600)
    assert asked(job_id) == sorted(PAIRS)


def test_the_function_gets_what_it_names_of_the_context(sandbox: Sandbox, context_of: ContextOf):
    seen: dict[str, Any] = {}

    def ask(pairs: list[list[str]], ds: str | None = None, **context: Any) -> list[list[str]]:
        seen.update(context, ds=ds)
        return pairs

    operator = operator_of(ask, PAIRS, job=QUESTION)
    context = context_of(operator, ds="2026-11-21")
    deferred_by(operator, context)
    assert seen["ds"] == "2026-11-21"
    assert seen["ti"] is context["ti"]


def test_a_retry_adopts_the_job(sandbox: Sandbox, context_of: ContextOf):
    def ask() -> list[list[str]]:
        return PAIRS

    jobs = {
        job_of(deferred_by(operator, context_of(operator, try_number=number)))
        for number in (1, 2)
        for operator in [operator_of(ask, job=QUESTION)]
    }
    assert len(jobs) == 1
    sandbox.assert_paid_jobs(1)


def test_a_retry_that_asks_something_else_fails(sandbox: Sandbox, context_of: ContextOf):
    answers = [PAIRS, PAIRS[:1]]

    def ask() -> list[list[str]]:
        return answers.pop(0)

    operator = operator_of(ask, job=QUESTION)
    deferred_by(operator, context_of(operator))
    with pytest.raises(AirflowFailException, match="asks something else"):
        operator.execute(context_of(operator, try_number=2))
    sandbox.assert_paid_jobs(1)


def test_answers_keep_the_identity_of_their_datapoints(
    sandbox: Sandbox, context_of: ContextOf, go_on: Callable[..., Any], tmp_path: Path
):
    def ask() -> list[list[str]]:
        return PAIRS

    def make() -> Any:
        return operator_of(ask, job=QUESTION, result_path=str(tmp_path))

    first, resumed = make(), make()
    deferred = deferred_by(first, context_of(first))
    sandbox.advance(3600)
    found = go_on(deferred, resumed, context_of(resumed))
    identities = pyarrow.parquet.read_table(found["labels"]).column("datapoint_id").to_pylist()
    assert len(set(identities)) == 2
    assert None not in identities


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ("Hello", "Several datapoints are given as a list"),
        ((pair for pair in PAIRS), "not generator"),
        (None, "not NoneType"),
        (7, "not int"),
        ([], "datapoints"),
    ],
)
def test_anything_else_is_refused(
    returned: Any, said: str, sandbox: Sandbox, context_of: ContextOf
):
    def ask() -> Any:
        return returned

    operator = operator_of(ask, job=QUESTION)
    with pytest.raises(AirflowFailException, match=said):
        operator.execute(context_of(operator))
    assert sandbox.requests() == []


@pytest.mark.parametrize("returned", [PAIRS, None, "no job", {"type": "compare"}])
def test_anything_else_than_a_job_is_refused(
    returned: Any, sandbox: Sandbox, context_of: ContextOf
):
    def ask() -> Any:
        return returned

    operator = operator_of(ask)
    with pytest.raises(AirflowFailException):
        operator.execute(context_of(operator))
    assert sandbox.requests() == []


def test_what_the_function_says_is_not_said_twice():
    async def ask() -> list[list[str]]:
        return PAIRS

    with pytest.raises(ValidationError) as raised:
        operator_of(ask, datapoints=PAIRS, job_definition_id="a definition")
    assert raised.value.problems == [
        "datapoints: what the function returns says it",
        "job_definition_id: what the function returns says it",
        "must be decorated without async: nothing would await it",
    ]


def test_wrong_arguments_are_found_when_the_dag_is_parsed():
    with pytest.raises(ValidationError, match="on_clear"):
        operator_of(lambda: PAIRS, task_id="ask", job=QUESTION, on_clear="never")


def test_dags_with_it_are_serialised():
    with DAG("decorated", schedule=None) as dag:

        @task.rapidata_job(job=QUESTION, max_cost=5.0)
        def ask(pairs: list[list[str]]) -> dict[str, Any]:
            return {"datapoints": pairs}

        ask(PAIRS)
        ask.override(task_id="other", max_cost=1.0)(PAIRS)
        ask.override(task_id="mapped").expand(pairs=[PAIRS, PAIRS])
    assert [dag.get_task(name).max_cost for name in ("ask", "other")] == [5.0, 1.0]
    # Annotated as a mapping, a function would otherwise become many XComs.
    assert not dag.get_task("ask").multiple_outputs
    document = json.loads(json.dumps(DagSerialization.to_dict(dag)))
    assert set(DagSerialization.from_dict(document).task_ids) == {"ask", "other", "mapped"}


@pytest.fixture
def shards(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DAG:
    """The DAG in a file, as Airflow finds it."""
    initdb()
    folder = repository / "tests" / "airflow" / "dags"
    bundle = {
        "name": "tests",
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(folder)},
    }
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps([bundle]))
    monkeypatch.setenv("SHARDS_RESULTS", str(tmp_path / "labels"))
    # `dag.test` runs triggers in this process, so there is no scheduler to be too fast for.
    monkeypatch.setattr(rapidata_airflow.triggers.waiting, "FIRST_POLL_DELAY", 0.1)
    bag = DagBag(folder)
    assert bag.import_errors == {}
    return bag.dags["shards"]


# Airflow's API server runs in this process; what it warns about is not ours to mend.
@pytest.mark.filterwarnings("default")
def test_mapped_shards(shards: DAG, quick_sandbox: Sandbox):
    run = shards.test()
    assert run.state == "success"
    quick_sandbox.assert_paid_jobs(3)
    instances = run.get_task_instances()
    [total] = [ti for ti in instances if ti.task_id == "total"]
    assert total.xcom_pull(task_ids="total") == 6
    # The API server knows the DAG as it is serialised.
    ask = DagSerialization.from_dict(DagSerialization.to_dict(shards)).get_task("ask")
    opened = {ask.get_extra_links(ti, "Rapidata job") for ti in instances if ti.task_id == "ask"}
    jobs = [entry["id"] for entry in quick_sandbox.ledger()["entries"]]
    assert opened == {f"{quick_sandbox.url}/audiences/global/job/{job}" for job in jobs}
