"""Ask people two questions, and keep their answers as parquet files.

Needs a connection ``rapidata_default``. The folder for the answers is ``RAPIDATA_RESULTS``: a path
that all workers share, or a URL such as ``s3://bucket/labels``.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG

from rapidata_airflow.operators.job import RapidataJobOperator

JOBS = Path(__file__).resolve().parents[2] / "jobs"
RESULTS = os.environ.get("RAPIDATA_RESULTS") or str(Path.home() / "rapidata-results")

with DAG(
    dag_id="human_labels",
    schedule=None,
    # Retrying is safe: a retry goes on with the job that is already paid.
    default_args={"retries": 2, "retry_delay": timedelta(seconds=10)},
):
    for name in ("prompt_alignment", "likert_rating"):
        RapidataJobOperator(
            task_id=name,
            job=(JOBS / f"{name}.json").read_text(encoding="utf-8"),
            result_path=RESULTS,
            max_cost=5.0,
        )
