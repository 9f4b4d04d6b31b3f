"""Label a large table in shards: one job each, all at once, with one budget for all together."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, task

RESULTS = os.environ.get("RAPIDATA_RESULTS") or str(Path.home() / "rapidata-results")
SHARDS = 20

with DAG(
    dag_id="sharded_labels",
    schedule=None,
    default_args={"retries": 2, "retry_delay": timedelta(seconds=10)},
):

    @task
    def shards() -> list[int]:
        """One number per shard."""
        return list(range(SHARDS))

    @task.rapidata_job(
        job={
            "type": "classification",
            "name": "Tone of messages",
            "instruction": "Is this message friendly?",
            "answer_options": ["friendly", "neutral", "unfriendly"],
            "data_type": "text",
            "responses_per_datapoint": 5,
        },
        result_path=f"{RESULTS}/messages",
        partition={"shard": "{{ ti.map_index }}"},
        # A job that would cost more than what is left of it is not started.
        run_budget=20.0,
    )
    def ask(shard: int) -> list[str]:
        """The messages of a shard; a table would be read here."""
        return [f"Message {number} of shard {shard}" for number in range(3)]

    @task
    def total(manifests: list[dict[str, Any]]) -> dict[str, Any]:
        """What all shards together have."""
        found = list(manifests)
        return {
            "jobs": len(found),
            "labels": sum(manifest["label_count"] for manifest in found),
            "estimated_cost": sum(manifest["estimated_cost"] for manifest in found),
        }

    total(ask.expand(shard=shards()))
