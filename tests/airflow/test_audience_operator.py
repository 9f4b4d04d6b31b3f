"""Audiences that tasks make or find."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from rapidata_airflow.operators.audience import RapidataAudienceOperator
from rapidata_core import CountryFilter, LanguageFilter, RapidataClient
from rapidata_core.errors import ValidationError
from rapidata_core.jobs import CompareExample
from rapidata_core.sandbox.process import Sandbox

ContextOf = Callable[..., Any]
EXAMPLES = [
    {
        "type": "compare",
        "instruction": "Which is more?",
        "datapoint": [str(number), str(number + 1)],
        "truth": str(number + 1),
        "data_type": "text",
    }
    for number in range(3)
]
FILTERS = [CountryFilter(["DE"]), LanguageFilter(["de"])]


def make(**arguments: Any) -> RapidataAudienceOperator:
    given = {"task_id": "people", "name": "Counters", "examples": EXAMPLES, **arguments}
    return RapidataAudienceOperator(**given)


def test_an_audience_is_made_once(sandbox: Sandbox, client: RapidataClient, context_of: ContextOf):
    operator = make(filters=FILTERS, target_accuracy=0.8, start_recruiting=True)
    found = operator.execute(context := context_of(operator))
    assert json.loads(json.dumps(found)) == found
    audience = client.audience.get_audience_by_id(found["audience_id"])
    assert found == {
        "audience_id": audience.id,
        "audience_url": audience.url,
        "name": "Counters",
    }
    assert context["ti"].xcoms["audience_url"] == audience.url
    assert audience.filters == FILTERS
    assert len(audience.get_examples()) == 3
    assert audience.status != "Created"
    # A retry, and another DAG that names it otherwise.
    again = make(filters=FILTERS, target_accuracy=0.8, start_recruiting=True, name="Others")
    assert again.execute(context_of(again, try_number=2))["audience_id"] == audience.id
    assert len(client.audience.find_audiences("Counters")) == 1
    assert len(audience.get_examples()) == 3


def test_examples_and_filters_in_all_their_forms(sandbox: Sandbox, context_of: ContextOf):
    objects = [
        CompareExample(**{name: value for name, value in one.items() if name != "type"})
        for one in EXAMPLES
    ]
    first = make(examples=objects, filters=FILTERS)
    second = make(filters=[one.wire() for one in FILTERS])
    third = make()
    ids = [one.execute(context_of(one))["audience_id"] for one in (first, second, third)]
    assert ids[0] == ids[1] != ids[2]


def test_recruiting_is_left_to_the_job(
    sandbox: Sandbox, client: RapidataClient, context_of: ContextOf
):
    operator = make()
    found = operator.execute(context_of(operator))
    assert client.audience.get_audience_by_id(found["audience_id"]).status == "Created"


def test_all_mistakes_are_found_before_anything_is_sent(sandbox: Sandbox, context_of: ContextOf):
    operator = make(
        name=" ",
        examples=[{**EXAMPLES[0], "truth": "7"}, {"type": "guess"}],
        filters=[{"_t": "CountryFilter", "countries": ["Germany"]}],
    )
    with pytest.raises(AirflowFailException) as raised:
        operator.execute(context_of(operator))
    for problem in ("name: must not", "examples[0]: truth", "examples[1]: type", "'Germany'"):
        assert problem in str(raised.value)
    assert sandbox.requests() == []


@pytest.mark.parametrize("examples", ["a text", {"type": "compare"}, [], None])
def test_examples_that_are_no_list(sandbox: Sandbox, context_of: ContextOf, examples: Any):
    operator = make(examples=examples)
    with pytest.raises(AirflowFailException, match="examples"):
        operator.execute(context_of(operator))
    assert sandbox.requests() == []


@pytest.mark.parametrize("wrong", [{"target_accuracy": 2.0}, {"min_tasks": 0}])
def test_mistakes_are_found_when_the_dag_is_parsed(wrong: dict[str, Any]):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        make(**wrong)
