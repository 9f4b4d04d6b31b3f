"""Short DAGs, each of which shows something that the other examples do not.

Those that need something on the platform take its id as a parameter. Two are only there on
Airflow 3.3, and one only if ``RAPIDATA_DEFINITION_ID`` says which definition's jobs to watch.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.providers.smtp.notifications.smtp import SmtpNotifier
from airflow.sdk import (
    DAG,
    Asset,
    AssetWatcher,
    ObjectStoragePath,
    PartitionedAssetTimetable,
    task,
)

from rapidata_airflow.assets import watched
from rapidata_airflow.notifications.rapidata import RapidataNotifier
from rapidata_airflow.operators.approval import RapidataSpendApprovalOperator
from rapidata_airflow.operators.audience import RapidataAudienceOperator
from rapidata_airflow.operators.flow import RapidataRankingBatchOperator
from rapidata_airflow.operators.job import RapidataJobOperator
from rapidata_airflow.operators.pause import RapidataPauseJobOperator
from rapidata_airflow.operators.results import RapidataFetchResultsOperator
from rapidata_airflow.operators.signal import (
    RapidataPauseSignalOperator,
    RapidataResumeSignalOperator,
    RapidataTriggerSignalOperator,
)
from rapidata_airflow.policies import RapidataRetryPolicy
from rapidata_airflow.sensors.audience import RapidataAudienceSensor
from rapidata_airflow.sensors.job import RapidataJobSensor
from rapidata_airflow.sensors.leaderboard import RapidataLeaderboardSensor
from rapidata_airflow.sensors.signal import RapidataSignalRunSensor
from rapidata_airflow.triggers.events import RapidataJobEventTrigger
from rapidata_airflow.version import AIRFLOW_3_3
from rapidata_core import SpendCap

# For example s3://aws_default@bucket/labels: the connection's id is before the @.
RESULTS = ObjectStoragePath(
    os.environ.get("RAPIDATA_RESULTS") or str(Path.home() / "rapidata-results")
)
EXAMPLES = Path(__file__).resolve().parents[2]
JOB = (EXAMPLES / "jobs" / "prompt_alignment.json").read_text(encoding="utf-8")
REVIEWS = Asset(name="reviews", uri=(EXAMPLES / "data" / "reviews.csv").as_uri())
DEFINITION_ID = os.environ.get("RAPIDATA_DEFINITION_ID")
RETRIES: dict[str, Any] = {"retries": 2, "retry_delay": timedelta(seconds=10)}
WHEN: dict[str, Any] = (
    {"retry_policy": RapidataRetryPolicy()}
    if AIRFLOW_3_3
    else {"retry_delay": timedelta(minutes=5)}
)


with DAG("approved_spend", schedule=None, default_args=RETRIES):
    key = "approved_spend/{{ run_id }}"
    approve = RapidataSpendApprovalOperator(
        task_id="approve",
        job=JOB,
        key=key,  # so that nothing is uploaded twice
        max_cost=50.0,
        auto_approve_below=1.0,
        body="The comparison for the *release notes*.",
        response_timeout=timedelta(days=2),
    )
    label = RapidataJobOperator(
        task_id="label", job=JOB, key=key, result_path=RESULTS, max_cost=50.0
    )
    approve >> label


with DAG("labels_of_a_table", schedule=[REVIEWS], default_args=RETRIES):
    labelled = RapidataJobOperator(
        task_id="label",
        job="""
            type: classification
            name: Sentiment of reviews
            instruction: Is this review positive or negative?
            answer_options: [positive, negative]
            data_type: text
            responses_per_datapoint: 3
        """,
        datapoints=REVIEWS,
        columns={"datapoints": "text"},
        result_path=RESULTS / "reviews",
        # All runs of a month together, and of other DAGs whose keys begin like this.
        key="reviews/{{ run_id }}",
        cap=SpendCap("reviews/", 100.0, "month"),
    )

    @task
    def count(manifest: dict[str, Any]) -> dict[str, int]:
        """Read the labels where they are, with the connection that their path names."""
        import pandas

        path = ObjectStoragePath(manifest["labels"])
        labels = pandas.read_parquet(path.path, filesystem=path.fs)
        return labels["label"].value_counts().to_dict()

    count(labelled.output)


with DAG("sensors", schedule=None, default_args=RETRIES):
    audience = RapidataAudienceOperator(
        task_id="audience",
        name="Know grammar",
        examples=[
            {
                "type": "compare",
                "instruction": "Which sentence is grammatically more correct?",
                "datapoint": [right, wrong],
                "truth": right,
                "data_type": "text",
            }
            for right, wrong in (
                ("The dogs bark.", "The dogs barks."),
                ("She has gone.", "She has went."),
                ("It is his.", "It is he's."),
            )
        ],
        start_recruiting=True,
    )
    enough = RapidataAudienceSensor(
        task_id="enough", audience_id=audience.output["audience_id"], graduates=5
    )
    ask = RapidataJobOperator(
        task_id="ask",
        job={
            "type": "compare",
            "name": "Grammar",
            "instruction": "Which sentence is grammatically more correct?",
            "datapoints": [["The children were amazed.", "The children were amusing."]],
            "data_type": "text",
        },
        audience_id=audience.output["audience_id"],
        max_cost=5.0,
        wait_for_completion=False,
    )
    done = RapidataJobSensor(
        task_id="done",
        job_id=ask.output["job_id"],
        timeout=3 * 24 * 3600,
        start_from_trigger=True,
    )
    fetch = RapidataFetchResultsOperator(task_id="fetch", job_id=done.output, result_path=RESULTS)
    enough >> ask


with DAG("not_for_ever", schedule=None, default_args=RETRIES):
    ask = RapidataJobOperator(task_id="ask", job=JOB, wait_for_completion=False)
    done = RapidataJobSensor(task_id="done", job_id=ask.output["job_id"], timeout=24 * 3600)
    stop = RapidataPauseJobOperator(task_id="stop", job_id=ask.output["job_id"])
    # Nobody is paid for answers that nobody waits for any more.
    ask >> done >> stop.as_teardown(setups=ask)


with DAG("fire_a_signal", schedule=None, default_args=RETRIES, params={"signal_id": ""}):
    RapidataTriggerSignalOperator(
        task_id="fire",
        signal_id="{{ params.signal_id }}",
        result_path=RESULTS,
        max_cost=5.0,
    )


with DAG("signal_for_a_while", schedule=None, default_args=RETRIES, params={"signal_id": ""}):
    signal_id = "{{ params.signal_id }}"
    resume = RapidataResumeSignalOperator(task_id="resume", signal_id=signal_id)
    run = RapidataSignalRunSensor(task_id="run", signal_id=signal_id)
    answers = RapidataFetchResultsOperator(
        task_id="answers", job_id=run.output, result_path=RESULTS
    )
    pause = RapidataPauseSignalOperator(task_id="pause", signal_id=signal_id)
    # The signal is paused again whatever becomes of the tasks in between.
    resume >> run >> answers >> pause.as_teardown(setups=resume)


with DAG("ranked_texts", schedule=None, default_args=RETRIES, params={"flow_id": ""}):
    RapidataRankingBatchOperator(
        task_id="rank",
        flow_id="{{ params.flow_id }}",
        datapoints=["Fresh bread, daily.", "Bread. Fresh. Daily.", "Daily fresh bread!"],
        data_type="text",
        time_to_live=600,
        result_path=RESULTS / "slogans",
    )


with DAG(
    "best_model",
    schedule=None,
    default_args=RETRIES,
    params={"benchmark_id": "", "leaderboard_id": "", "model": ""},
):
    RapidataLeaderboardSensor(
        task_id="is_best",
        benchmark_id="{{ params.benchmark_id }}",
        leaderboard_id="{{ params.leaderboard_id }}",
        participant="{{ params.model }}",
        max_rank=1,
        min_matches=20,
        soft_fail=True,
        timeout=24 * 3600,
    )


with DAG("watched_over", schedule=None):
    mail = SmtpNotifier(
        to="labels@example.com",
        from_email="airflow@example.com",
        subject="Rapidata: {{ rapidata_job.state }}",
        html_content="{{ rapidata_job.message }} {{ rapidata_job.url }}",
    )
    RapidataJobOperator(
        task_id="label",
        job=JOB,
        result_path=RESULTS,
        max_cost=5.0,
        # Somebody is told at once, and the task waits until the balance is raised.
        on_attention={"SpendLimited": "wait"},
        attention_notifiers=mail,
        # Whatever else goes wrong, the mail says how the job is.
        on_failure_callback=RapidataNotifier([mail]),
        retries=5,
        **WHEN,
    )


if DEFINITION_ID:
    ENDED = Asset(
        name="ended_jobs",
        uri="x-rapidata://ended_jobs",
        watchers=[
            AssetWatcher(
                name="jobs",
                trigger=RapidataJobEventTrigger(
                    job_definition_id=DEFINITION_ID, outcomes=["Completed", "Failed"]
                ),
            )
        ],
    )

    with DAG("after_every_job", schedule=[ENDED]):

        @task
        def tell(**context: Any) -> None:
            """Say how each job ended that has ended since the last run."""
            for job in watched(context):
                print(job["job_url"], job["state"], job["reason"])

        tell()


if AIRFLOW_3_3:
    REGIONS = Asset(name="labels_of_regions", uri="x-rapidata://labels_of_regions")

    with DAG("label_a_region", schedule=None, default_args=RETRIES, params={"region": "north"}):
        RapidataJobOperator(
            task_id="label",
            job=JOB,
            result_path=RESULTS / "regions",
            partition={"region": "{{ params.region }}"},
            max_cost=5.0,
            outlets=[REGIONS],
            partition_key="{{ params.region }}",
        )

    with DAG("use_a_region", schedule=PartitionedAssetTimetable(assets=REGIONS)):

        @task
        def use(**context: Any) -> None:
            """Say which region has new labels."""
            print(context["dag_run"].partition_key)

        use()
