"""Job definitions that tasks make or find."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from rapidata_airflow.operators.definition import RapidataJobDefinitionOperator
from rapidata_core import RapidataClient, parse_job
from rapidata_core.errors import ValidationError
from rapidata_core.sandbox.process import Sandbox

ContextOf = Callable[..., Any]


def test_a_definition_is_made_once(
    sandbox: Sandbox,
    client: RapidataClient,
    context_of: ContextOf,
    compare_job: dict[str, Any],
):
    found = []
    for job in (compare_job, json.dumps(compare_job), parse_job(compare_job)):
        operator = RapidataJobDefinitionOperator(task_id="define", job=job)
        found.append(operator.execute(context := context_of(operator)))
    assert found[0] == found[1] == found[2] == json.loads(json.dumps(found[0]))
    definition = client.job.get_job_definition_by_id(found[0]["job_definition_id"])
    assert found[0] == {
        "job_definition_id": definition.id,
        "job_definition_url": definition.url,
        "revision_number": 1,
        "estimated_cost": definition.estimated_cost.estimated_cost,
    }
    assert context["ti"].xcoms["job_definition_url"] == definition.url
    assert len(client.job.find_job_definitions()) == 1
    sandbox.assert_paid_jobs(0)


def test_columns_of_nothing(compare_job: dict[str, Any]):
    with pytest.raises(ValidationError, match="give the datapoints, too"):
        RapidataJobDefinitionOperator(task_id="define", job=compare_job, columns=["left"])


def test_datapoints_from_elsewhere(
    sandbox: Sandbox,
    client: RapidataClient,
    context_of: ContextOf,
    compare_job: dict[str, Any],
    tmp_path: Path,
):
    question = {key: compare_job[key] for key in ("type", "name", "instruction")}
    pairs = compare_job["datapoints"]
    table = tmp_path / "pairs.jsonl"
    rows = [json.dumps({"left": left, "right": right}) for left, right in pairs]
    table.write_text("\n".join(rows), "utf-8")
    whole = RapidataJobDefinitionOperator(task_id="define", job={**question, "datapoints": pairs})
    listed = RapidataJobDefinitionOperator(task_id="define", job=question, datapoints=pairs)
    read = RapidataJobDefinitionOperator(
        task_id="define", job=question, datapoints=str(table), columns=["left", "right"]
    )
    ids = {one.execute(context_of(one))["job_definition_id"] for one in (whole, listed, read)}
    assert len(ids) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"job": "not: a job"},
        {"job": {"type": "compare", "name": "no datapoints"}},
        {"job": 7},
        {"datapoints": []},
        {"datapoints": "pairs.txt"},
        {"columns": ["left"], "datapoints": [{"right": "x"}]},
    ],
)
def test_mistakes_are_found_before_anything_is_sent(
    sandbox: Sandbox, context_of: ContextOf, compare_job: dict[str, Any], wrong: dict[str, Any]
):
    operator = RapidataJobDefinitionOperator(**{"task_id": "define", "job": compare_job, **wrong})
    with pytest.raises(AirflowFailException):
        operator.execute(context_of(operator))
    assert sandbox.requests() == []
