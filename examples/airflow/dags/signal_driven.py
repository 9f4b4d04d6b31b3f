"""A signal asks the same question every day; whenever people are done, a DAG saves the answers.

Run ``daily_signal`` once, and give the ``signal_id`` that its last task returns to Airflow's
environment as ``RAPIDATA_SIGNAL_ID``: then ``daily_answers`` starts by itself.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, task

from rapidata_airflow.assets import signal_asset, watched
from rapidata_airflow.operators.definition import RapidataJobDefinitionOperator
from rapidata_airflow.operators.results import RapidataFetchResultsOperator
from rapidata_airflow.operators.signal import RapidataSignalOperator

RESULTS = os.environ.get("RAPIDATA_RESULTS") or str(Path.home() / "rapidata-results")
SIGNAL_ID = os.environ.get("RAPIDATA_SIGNAL_ID")
JOB = (Path(__file__).resolve().parents[2] / "jobs" / "likert_rating.json").read_text("utf-8")
RETRIES: dict[str, Any] = {"retries": 2, "retry_delay": timedelta(seconds=10)}

with DAG(dag_id="daily_signal", schedule=None, default_args=RETRIES):
    # Run again after a change of the question or the interval: what is there is found again.
    definition = RapidataJobDefinitionOperator(task_id="definition", job=JOB)
    RapidataSignalOperator(
        task_id="signal",
        name="Daily rating",
        audience_id="global",
        job_definition_id=definition.output["job_definition_id"],
        interval_hours=24,
    )

if SIGNAL_ID:
    with DAG(dag_id="daily_answers", schedule=[signal_asset(SIGNAL_ID)], default_args=RETRIES):

        @task
        def finished(**context: Any) -> list[dict[str, Any]]:
            """The jobs that got done; usually one, and more if Airflow was away for days."""
            return watched(context)

        RapidataFetchResultsOperator.partial(
            task_id="fetch",
            result_path=f"{RESULTS}/ratings",
            spec=JOB,
        ).expand(job_id=finished())
