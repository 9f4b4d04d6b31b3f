"""Labels that a person has to approve of before they are paid, and an asset that they update."""

from __future__ import annotations

import os
from datetime import timedelta

from airflow.sdk import DAG, Asset

from rapidata_airflow.operators.approval import RapidataSpendApprovalOperator
from rapidata_airflow.operators.job import RapidataJobOperator
from rapidata_core import CompareJob

JOB = CompareJob(
    name="Which reads better?",
    instruction="Which sentence is grammatically more correct?",
    data_type="text",
    datapoints=[["The children were amazed.", "The children were amusing."]],
    responses_per_datapoint=3,
)

with DAG("approved_labels"):
    approve = RapidataSpendApprovalOperator(
        task_id="approve",
        job=JOB,
        body="Asked for by the *browser test*.",
        response_timeout=timedelta(hours=1),
    )
    label = RapidataJobOperator(
        task_id="label",
        job=JOB,
        result_path=os.environ["RAPIDATA_RESULTS"],
        outlets=[Asset("sentences", uri="x-rapidata://sentences")],
    )
    approve >> label
