"""Every week, people say which of two models follows the prompts better.

They are people who have shown by examples that they know what is meant. The audience and its
examples are found again in every run.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Asset, task

from rapidata_airflow.operators.audience import RapidataAudienceOperator
from rapidata_airflow.operators.job import RapidataJobOperator

RESULTS = os.environ.get("RAPIDATA_RESULTS") or str(Path.home() / "rapidata-results")
INSTRUCTION = "Which image follows the prompt more accurately?"
MEDIA = "https://assets.rapidata.ai"
PREFERENCES = Asset(name="model_preferences", uri="x-rapidata://model_preferences")

with DAG(
    dag_id="model_evaluation",
    schedule="@weekly",
    catchup=False,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
):
    audience = RapidataAudienceOperator(
        task_id="audience",
        name="Follows prompts",
        examples=[
            {
                "type": "compare",
                "instruction": INSTRUCTION,
                "datapoint": [f"{MEDIA}/{scene}_right.jpg", f"{MEDIA}/{scene}_wrong.jpg"],
                "truth": f"{MEDIA}/{scene}_right.jpg",
                "context": prompt,
            }
            for scene, prompt in (
                ("horse", "A white horse on a beach"),
                ("tower", "A tower of seven red bricks"),
                ("clock", "A clock that shows ten past three"),
            )
        ],
    )

    @task
    def pairs() -> list[list[str]]:
        """What both models made of this week's prompts; a table would be read here."""
        return [
            [f"{MEDIA}/flux_{scene}.jpg", f"{MEDIA}/mj_{scene}.jpg"] for scene in ("book", "duck")
        ]

    compared = RapidataJobOperator(
        task_id="compare",
        job={
            "type": "compare",
            "name": "Weekly comparison",
            "instruction": INSTRUCTION,
            "responses_per_datapoint": 15,
        },
        datapoints=pairs(),
        audience_id=audience.output["audience_id"],
        result_path=f"{RESULTS}/preferences",
        partition={"week": "{{ run_id }}"},
        max_cost=20.0,
        outlets=[PREFERENCES],
    )

    @task
    def report(manifest: dict[str, Any]) -> dict[str, float]:
        """How often each model was preferred."""
        import pandas

        labels = pandas.read_parquet(manifest["labels"])
        shares = labels["label"].str.split("_").str[0].value_counts(normalize=True)
        print(shares)
        return shares.to_dict()

    report(compared.output)
