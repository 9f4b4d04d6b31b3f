"""A task fails while people work on a job: nobody waits for it any more."""

from __future__ import annotations

from airflow.sdk import dag, task
from airflow.sdk.exceptions import AirflowFailException

from rapidata_airflow.operators.job import RapidataJobOperator
from rapidata_airflow.operators.pause import RapidataPauseJobOperator

QUESTION = {
    "type": "compare",
    "name": "A pair",
    "instruction": "Which is better?",
    "data_type": "text",
    # So many that people are still at work when the job is paused, on a slow machine, too.
    "datapoints": [[f"a{number}", f"b{number}"] for number in range(500)],
    "responses_per_datapoint": 100,
}


@dag(schedule=None, params={"audience_id": "global"})
def tidy() -> None:
    ask = RapidataJobOperator(
        task_id="ask",
        job=QUESTION,
        audience_id="{{ params.audience_id }}",
        wait_for_completion=False,
    )

    @task
    def work() -> None:
        raise AirflowFailException("it does not work")

    stop = RapidataPauseJobOperator(task_id="stop", job_id=ask.output["job_id"])
    ask >> work() >> stop.as_teardown(setups=ask)


tidy()
