"""DAGs that begin with something on the platform."""

from __future__ import annotations

import os

from airflow.sdk import DAG, get_current_context, task

from rapidata_airflow.assets import signal_asset, watched
from rapidata_airflow.sensors.job import RapidataJobSensor

SIGNAL = signal_asset(
    os.environ["RAPIDATA_SIGNAL"], since=os.environ["RAPIDATA_SINCE"], poll_interval=2
)

with DAG("watching", schedule=[SIGNAL]):

    @task
    def told() -> list[str]:
        return [payload["run_id"] for payload in watched(get_current_context())]

    told()

with DAG("sensing", schedule=None, params={"job_id": ""}):
    RapidataJobSensor(
        task_id="seen", job_id="{{ params.job_id }}", start_from_trigger=True, poke_interval=2
    )
