"""Train, ask people what the model is least sure of, retrain, and let people decide on promotion.

Every run asks about new sentences only, and pays for nothing twice: the labels of all runs are one
dataset, in which each run is a partition. Needs scikit-learn, a connection ``rapidata_default``,
and a benchmark with a leaderboard whose id is the parameter ``benchmark_id``.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Param, task

from rapidata_airflow.operators.benchmark import RapidataEvaluateModelOperator
from rapidata_core import QualityGate

FOLDER = Path(os.environ.get("RAPIDATA_RESULTS") or Path.home() / "rapidata-results")
LABELS = FOLDER / "reviews"
ASK_AT_ONCE = 16


def labels_so_far() -> Any:
    """The labels of all earlier runs; None before the first."""
    import pandas

    parts = sorted((LABELS / "labels").rglob("labels.parquet"))
    return pandas.concat([pandas.read_parquet(part) for part in parts]) if parts else None


with DAG(
    dag_id="retraining_loop",
    schedule="@weekly",
    catchup=False,
    # Two runs at once would ask about the same sentences.
    max_active_runs=1,
    params={"benchmark_id": Param("", type="string")},
    # Retrying is safe: a retry goes on with the job that is already paid.
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    render_template_as_native_obj=True,
):

    @task
    def train_and_choose() -> list[str]:
        """Train on what is known, and choose what to ask about."""
        import reviews

        labels = labels_so_far()
        model = reviews.train(reviews.known(labels))
        print(f"accuracy before: {reviews.accuracy(model):.2f}")
        return reviews.most_uncertain(model, labels, ASK_AT_ONCE)["text"].tolist()

    @task.short_circuit
    def is_anything_new(texts: list[str]) -> bool:
        """Without anything to ask about, this run is over."""
        return bool(texts)

    @task.rapidata_job(
        result_path=str(LABELS),
        partition={"run": "{{ run_id }}"},
        max_cost=10.0,
        # Labels on which people do not agree teach nothing.
        quality_gate=QualityGate(min_coverage=1.0, min_agreement=0.5),
    )
    def ask(texts: list[str]) -> Any:
        """Ask people about the chosen sentences."""
        import reviews

        from rapidata_core.results import job_about

        return job_about(reviews.QUESTION, texts)

    @task
    def retrain(manifest: dict[str, Any]) -> dict[str, Any]:
        """Train again, and compare both models on sentences that neither has seen."""
        import pandas
        import reviews

        labels = labels_so_far()
        earlier = labels[labels["job_id"] != manifest["job_id"]]
        old = reviews.train(reviews.known(earlier))
        new = reviews.train(reviews.known(labels))
        held_out = reviews.rows("test")["text"].head(8)
        return {
            "name": f"reviews-{manifest['job_id'][-8:]}",
            "before": reviews.accuracy(old),
            "after": reviews.accuracy(new),
            "prompts": held_out.tolist(),
            "answers": pandas.Series(new.predict(held_out)).tolist(),
        }

    @task.short_circuit
    def is_better(model: dict[str, Any]) -> bool:
        """People need not look at a model that did not get better."""
        print(f"accuracy: {model['before']:.2f} before, {model['after']:.2f} after")
        return model["after"] > model["before"]

    @task.branch
    def decide(standings: dict[str, Any]) -> str:
        """The best model on the leaderboard is the one to use."""
        return "promote" if standings["leaderboards"][0]["rank"] == 1 else "keep"

    @task
    def promote(model: dict[str, Any]) -> None:
        """Put the name of the model to use where the service looks for it."""
        (FOLDER / "model_in_use").write_text(model["name"], encoding="utf-8")

    @task
    def keep() -> None:
        """The model in use stays."""

    texts = train_and_choose()
    manifest = ask(texts)
    is_anything_new(texts) >> manifest
    model = retrain(manifest)
    evaluated = RapidataEvaluateModelOperator(
        task_id="evaluate",
        benchmark_id="{{ params.benchmark_id }}",
        model=model["name"],
        prompts=model["prompts"],
        media=model["answers"],
        data_type="text",
    )
    is_better(model) >> evaluated
    decide(evaluated.output) >> [promote(model), keep()]
