"""Buttons on the page of a task. That they open what they should is seen in a whole DAG run."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator
from airflow.sdk.execution_time.xcom import XCom
from airflow.serialization.serialized_objects import DagSerialization

from rapidata_airflow import links

LINKS = {
    "Rapidata audience": links.RapidataAudienceLink(),
    "Rapidata benchmark": links.RapidataBenchmarkLink(),
    "Rapidata job": links.RapidataJobLink(),
    "Rapidata job definition": links.RapidataJobDefinitionLink(),
}


class Task(BaseOperator):
    operator_extra_links = tuple(LINKS.values())


def test_a_serialised_dag_knows_where_their_addresses_are():
    with DAG("links", schedule=None) as dag:
        Task(task_id="ask")
    document = json.loads(json.dumps(DagSerialization.to_dict(dag)))
    task = DagSerialization.from_dict(document).get_task("ask")
    found = {link.name: link.xcom_key for link in task.operator_extra_links}
    assert found == {
        "Rapidata audience": "audience_url",
        "Rapidata benchmark": "benchmark_url",
        "Rapidata job": "job_url",
        "Rapidata job definition": "job_definition_url",
    }


@pytest.mark.parametrize("name", LINKS)
@pytest.mark.parametrize(("pushed", "expected"), [("https://page", "https://page"), (None, "")])
def test_the_address_is_what_the_task_has_pushed(
    name: str, pushed: Any, expected: str, monkeypatch: pytest.MonkeyPatch
):
    link = LINKS[name]
    pages = {("the task", link.xcom_key): pushed}
    monkeypatch.setattr(XCom, "get_value", lambda *, ti_key, key: pages[ti_key, key])
    assert link.get_link(Task(task_id="ask"), ti_key="the task") == expected
