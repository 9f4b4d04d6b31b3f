"""Mapped jobs of which a function says what people are asked about."""

from __future__ import annotations

import os
from typing import Any

from airflow.sdk import dag, task

JOB = {
    "type": "compare",
    "name": "Shards",
    "instruction": "Which is friendlier?",
    "data_type": "text",
    "responses_per_datapoint": 5,
}


@dag(schedule=None)
def shards() -> None:
    @task
    def numbers() -> list[int]:
        return [0, 1, 2]

    @task.rapidata_job(job=JOB, result_path=os.environ["SHARDS_RESULTS"])
    def ask(greeting: str, shard: int) -> list[list[str]]:
        return [[f"{greeting}, shard {shard}", f"Shard {shard}, line {i}"] for i in range(2)]

    @task
    def total(manifests: list[dict[str, Any]]) -> int:
        return sum(manifest["label_count"] for manifest in manifests)

    total(ask.partial(greeting="Hello").expand(shard=numbers()))


shards()
