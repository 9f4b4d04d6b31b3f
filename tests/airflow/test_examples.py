"""The example DAGs, in this process; people work while they wait."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas
import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.models.asset import AssetEvent
from airflow.models.xcom import XComModel
from airflow.sdk import DAG
from airflow.utils.db import initdb
from airflow.utils.session import create_session

import rapidata_airflow.triggers.waiting
from rapidata_airflow.version import AIRFLOW_3_3
from rapidata_core import QualityGate, RapidataClient
from rapidata_core.sandbox.process import Sandbox
from tests.airflow.conftest import connect_to

# Airflow's API server runs in this process; what it warns about is not ours to mend.
pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the DAGs write; they ask the environment when they are parsed."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("results")
        patch.setenv("RAPIDATA_RESULTS", str(folder))
        patch.setenv("RAPIDATA_SIGNAL_ID", "a signal")
        patch.setenv("RAPIDATA_DEFINITION_ID", "a definition")
        yield folder


@pytest.fixture(scope="module")
def dags(results: Path) -> dict[str, DAG]:
    initdb()
    bag = DagBag()
    assert bag.import_errors == {}
    return dict(bag.dags)


class Run:
    """A DAG run that is over."""

    def __init__(self, dag: DAG, run_id: str, states: dict[str, str]) -> None:
        self._dag, self._run_id = dag, run_id
        self.states = states

    def returned(self, task_id: str) -> Any:
        with create_session() as session:
            (entry,) = session.query(XComModel).filter_by(
                dag_id=self._dag.dag_id,
                run_id=self._run_id,
                task_id=task_id,
                key="return_value",
            )
            return XComModel.deserialize_value(entry)


@pytest.fixture(scope="module")
def fast_sandbox() -> Iterator[Sandbox]:
    """Where people need no time."""
    with Sandbox.start(speed=1000) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(fast_sandbox: Sandbox, connect: Callable[..., None]) -> Sandbox:
    fast_sandbox.reset()
    connect_to(fast_sandbox, connect)
    return fast_sandbox


@pytest.fixture
def run(
    dags: dict[str, DAG], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Run]:
    # `dag.test` runs triggers in this process, so there is no scheduler to be too fast for.
    monkeypatch.setattr(rapidata_airflow.triggers.waiting, "FIRST_POLL_DELAY", 0.0)
    monkeypatch.setenv("RAPIDATA_SETTLE", "2")

    def once(dag_id: str, **options: Any) -> Run:
        dag = dags[dag_id]
        done = dag.test(**options)
        states = {ti.task_id: str(ti.state) for ti in done.get_task_instances()}
        assert done.state == "success", states
        return Run(dag, done.run_id, states)

    return once


def test_models_are_compared_by_people_who_have_qualified(
    run: Callable[..., Run], sandbox: Sandbox, results: Path
):
    for times in (1, 2):
        done = run("model_evaluation")
        manifest = done.returned("compare")
        assert manifest["audience_id"] == done.returned("audience")["audience_id"]
        assert Path(manifest["labels"]).is_relative_to(results / "preferences")
        assert sum(done.returned("report").values()) == pytest.approx(1)
        # Each run is paid; the audience and its examples are found again.
        sandbox.assert_paid_jobs(times)
        made = [(one["method"], one["path"]) for one in sandbox.requests()]
        assert made.count(("POST", "/audience")) == 1


@pytest.mark.parametrize(
    ("gate", "end"),
    [(QualityGate(min_coverage=1.0), "publish"), (QualityGate(min_agreement=1.0), "quarantine")],
    ids=["good", "bad"],
)
def test_quality_decides_where_rows_go(
    run: Callable[..., Run],
    dags: dict[str, DAG],
    monkeypatch: pytest.MonkeyPatch,
    gate: QualityGate,
    end: str,
):
    monkeypatch.setattr(dags["data_quality"].get_task("check"), "quality_gate", gate)
    done = run("data_quality")
    ends = {task: done.states[task] for task in ("publish", "quarantine")}
    assert ends == {"publish": "skipped", "quarantine": "skipped", end: "success"}
    if end == "quarantine":
        # It shows because of which rows.
        assert done.returned("quarantine")[0]["reasons"]


def test_twenty_shards_have_one_budget(run: Callable[..., Run], sandbox: Sandbox, results: Path):
    done = run("sharded_labels")
    total = done.returned("total")
    sandbox.assert_paid_jobs(20)
    assert (total["jobs"], total["labels"]) == (20, 60)
    assert 0 < total["estimated_cost"] <= 20
    labels = pandas.read_parquet(results / "messages" / "labels")
    assert len(labels) == 60
    assert labels["shard"].nunique() == 20


def test_a_signal_is_made_once(run: Callable[..., Run], sandbox: Sandbox):
    first, second = (run("daily_signal").returned("signal")["signal_id"] for _ in range(2))
    assert first == second
    # Nothing fires in the beginning.
    sandbox.assert_paid_jobs(0)


def test_people_make_a_model_better(run: Callable[..., Run], sandbox: Sandbox, results: Path):
    with RapidataClient(sandbox.client_id, sandbox.client_secret, sandbox.url) as client:
        teach(client)
        benchmark = client.mri.create_new_benchmark("Models", prompts=["The bread was fine."])
        benchmark.add_prompts(identifiers=(texts := held_out()), prompts=texts)
        benchmark.create_leaderboard("Right?", "Which word describes it?", level_of_detail="debug")
        benchmark.evaluate_model("positive", ["positive"] * 8, prompts=texts, data_type="text")
    asked: list[str] = []
    accuracies: list[float] = []
    for _ in range(3):
        done = run("retraining_loop", run_conf={"benchmark_id": benchmark.id})
        asked += done.returned("train_and_choose")
        model = done.returned("retrain")
        accuracies += [model["after"]]
        better = model["after"] > model["before"]
        assert done.states["evaluate"] == ("success" if better else "skipped")
        if better:
            best = done.returned("evaluate")["leaderboards"][0]["rank"] == 1
            assert done.states["promote"] == ("success" if best else "skipped")
            assert done.states["keep"] == ("skipped" if best else "success")
        if done.states["promote"] == "success":
            assert (results / "model_in_use").read_text() == model["name"]
    # Nobody was asked about the same twice, and what people said was learnt.
    assert len(asked) == len(set(asked)) == 48
    assert accuracies[0] < 0.7
    assert accuracies[-1] > 0.8


def test_what_is_cheap_needs_no_approval(run: Callable[..., Run], sandbox: Sandbox):
    done = run("approved_spend")
    assert done.returned("approve")["chosen_options"] == ["Approve"]
    assert done.returned("label")["estimated_cost"] == done.returned("approve")["estimated_cost"]
    sandbox.assert_paid_jobs(1)
    # What the approval has uploaded is what is paid for.
    made = [(one["method"], one["path"]) for one in sandbox.requests()]
    assert made.count(("POST", "/dataset")) == 1


def test_a_table_is_labelled(run: Callable[..., Run], sandbox: Sandbox):
    done = run("labels_of_a_table")
    sandbox.assert_paid_jobs(1)
    assert done.returned("label")["label_count"] == 120
    assert set(done.returned("count")) == {"positive", "negative"}


def test_sensors_wait_for_people_and_for_their_answers(
    run: Callable[..., Run], dags: dict[str, DAG], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
):
    for name in ("enough", "done"):
        monkeypatch.setattr(dags["sensors"].get_task(name), "poke_interval", 0.2)
    done = run("sensors")
    assert done.returned("enough")["graduated"] >= 5
    assert done.returned("fetch")["job_id"] == done.returned("ask")["job_id"]
    sandbox.assert_paid_jobs(1)


def test_a_job_that_is_done_needs_no_pause(
    run: Callable[..., Run], dags: dict[str, DAG], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(dags["not_for_ever"].get_task("done"), "poke_interval", 0.2)
    assert run("not_for_ever").returned("stop") == {"paused": []}


def test_signals_are_fired_and_are_on_for_a_while(
    run: Callable[..., Run],
    dags: dict[str, DAG],
    sandbox: Sandbox,
    client: RapidataClient,
    monkeypatch: pytest.MonkeyPatch,
):
    definition = client.job.create_compare_job_definition(
        "Greetings", "Which is friendlier?", [["Hello!", "What?"]], data_type="text"
    )
    signal = client.signals.create_signal("Greetings", "global", definition, 1)
    signal.pause()
    conf = {"signal_id": signal.id}
    monkeypatch.setattr(dags["signal_for_a_while"].get_task("run"), "poke_interval", 0.2)
    done = run("signal_for_a_while", run_conf=conf)
    assert done.returned("answers")["job_id"] == done.returned("run")["job_id"]
    assert signal.reload().is_paused
    fired = run("fire_a_signal", run_conf=conf).returned("fire")
    # While it was on, it may have fired more than once.
    paid = [entry["id"] for entry in sandbox.ledger()["entries"]]
    assert {fired["job_id"], done.returned("run")["job_id"]} <= set(paid)
    assert fired["job_id"] == paid[-1]


def test_texts_are_ranked(run: Callable[..., Run], sandbox: Sandbox, client: RapidataClient):
    flow = client.flow.create_ranking_flow("Slogans", "Which sounds better?")
    found = run("ranked_texts", run_conf={"flow_id": flow.id}).returned("rank")
    assert len(found["ranking"]) == 3
    assert len(sandbox.ledger()["entries"]) == 1


def test_mails_are_only_for_trouble(run: Callable[..., Run], sandbox: Sandbox):
    run("watched_over")
    sandbox.assert_paid_jobs(1)


@pytest.mark.skipif(not AIRFLOW_3_3, reason="from Airflow 3.3 on, tasks choose partitions")
def test_labels_of_a_region_are_a_partition(run: Callable[..., Run], results: Path):
    run("label_a_region", run_conf={"region": "south"})
    assert list((results / "regions" / "labels").glob("region=south/*"))
    with create_session() as session:
        (event,) = session.query(AssetEvent).filter_by(source_dag_id="label_a_region")
        assert event.partition_key == "south"


def teach(client: RapidataClient) -> None:
    """Let the simulated people know the sentiments: they take examples for the truth."""
    audience = client.audience.create_audience("Those who know")
    with (Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]) / "../../data/reviews.csv").open() as file:
        for row in csv.DictReader(file):
            audience.add_classification_example(
                instruction="Is this review positive or negative?",
                answer_options=["positive", "negative"],
                datapoint=row["text"],
                truth=[row["sentiment"]],
                data_type="text",
            )


def held_out() -> list[str]:
    with (Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]) / "../../data/reviews.csv").open() as file:
        return [row["text"] for row in csv.DictReader(file) if row["split"] == "test"][:8]
