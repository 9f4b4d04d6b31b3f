"""People look at a sample of new rows; what they agree on decides where the rows go."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, task

from rapidata_airflow.operators.job import RapidataJobOperator
from rapidata_core import QualityGate

RESULTS = os.environ.get("RAPIDATA_RESULTS") or str(Path.home() / "rapidata-results")
SAMPLE = [f"Product description number {number}" for number in range(6)]

with DAG(
    dag_id="data_quality",
    schedule=None,
    default_args={"retries": 2, "retry_delay": timedelta(seconds=10)},
):
    checked = RapidataJobOperator(
        task_id="check",
        job={
            "type": "classification",
            "name": "Product descriptions",
            "instruction": "Is this text about a product?",
            "answer_options": ["yes", "no"],
            "data_type": "text",
            "responses_per_datapoint": 10,
        },
        datapoints=SAMPLE,
        result_path=f"{RESULTS}/descriptions",
        max_cost=5.0,
        quality_gate=QualityGate(min_coverage=1.0, min_agreement=0.6),
        # The branch below decides; by default the task would fail.
        on_quality_failure="report",
    )

    @task.branch
    def decide(manifest: dict[str, Any]) -> str:
        """Publish what people agree on; a person looks at the rest."""
        return "publish" if manifest["quality"]["passed"] else "quarantine"

    @task
    def publish(manifest: dict[str, Any]) -> str:
        """The rows are good enough."""
        return manifest["labels"]

    @task
    def quarantine(manifest: dict[str, Any]) -> list[dict[str, Any]]:
        """Show the checks that failed, and the rows because of which they did."""
        quality = manifest["quality"]
        for check in quality["checks"]:
            print(check)
        return quality["worst"]

    found = checked.output
    decide(found) >> [publish(found), quarantine(found)]
