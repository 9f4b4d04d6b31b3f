"""Whatever the platform says, its answers are read or refused with our own errors."""

from __future__ import annotations

import contextlib
import importlib
import json
import pkgutil
from datetime import UTC, datetime
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapidata_core import RapidataClient, errors, wire
from rapidata_core._sync.transport import Transport
from rapidata_core.config import Settings
from rapidata_core.policy.answers import error_for
from rapidata_core.policy.retry import RetryPolicy
from rapidata_core.results import parse_results
from rapidata_core.wire.model import WireModel


def models():
    """Every model of the wire, with its module's name."""
    for module in pkgutil.iter_modules(wire.__path__):
        for name, found in vars(importlib.import_module(f"{wire.__name__}.{module.name}")).items():
            is_model = isinstance(found, type) and issubclass(found, pydantic.BaseModel)
            if is_model and found.__module__.endswith(f".{module.name}") and found.model_fields:
                if getattr(found, "__pydantic_generic_metadata__", {}).get("parameters"):
                    continue
                yield pytest.param(found, id=f"{module.name}.{name}")


MODELS = list(models())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
MOMENTS = st.datetimes(min_value=datetime(2020, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def values(annotation: Any, *, required: bool = True):
    """What the platform may send for a field of this type."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return values(arguments[0], required=required)
    if origin in {UnionType, Union}:
        return st.one_of([values(one) for one in arguments])
    if origin is list:
        return st.lists(values(arguments[0]), max_size=2)
    if origin is dict:
        return st.dictionaries(st.text(max_size=5), values(arguments[1]), max_size=2)
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        return documents(annotation)
    plain = {
        # Any text: enums are open.
        str: st.text(min_size=1, max_size=8),
        bool: st.booleans(),
        int: st.integers(0, 2**40),
        float: st.floats(0, 1e9) | st.integers(0, 10**9).map(float),
        datetime: MOMENTS.map(datetime.isoformat),
        type(None): st.none(),
        Any: JSON,
        object: JSON,
    }
    return plain[annotation]


@st.composite
def documents(draw, model):
    """An answer with what its model asks for, with and without the rest, and with more than that.

    What may be missing may be null as well.
    """
    document: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        alias = field.alias or name
        kind = values(field.annotation)
        if field.is_required():
            document[alias] = draw(kind)
        elif draw(st.booleans()):
            document[alias] = draw(st.none() | kind)
    more = draw(st.dictionaries(st.text(min_size=1, max_size=5), JSON, max_size=2))
    return {**{f"x-{name}": value for name, value in more.items()}, **document}


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_every_model_reads_what_the_platform_may_send(model, data):
    document = data.draw(documents(model))
    read = model.model_validate_json(json.dumps(document))
    for name, field in model.model_fields.items():
        alias = field.alias or name
        if document.get(alias) is None:
            default = field.get_default(call_default_factory=True)
            assert getattr(read, name) == default or field.is_required()


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=10, deadline=None)
@given(document=JSON | st.dictionaries(st.text(max_size=5), JSON))
def test_every_model_refuses_what_it_cannot_read_with_one_kind_of_error(model, document):
    # What it raises is turned into a ServerError by the transport, as the tests below show.
    with contextlib.suppress(pydantic.ValidationError):
        model.model_validate_json(json.dumps(document))


def test_there_are_models():
    assert len(MODELS) > 10
    assert all(issubclass(one.values[0], WireModel) for one in MODELS if "auth" not in one.id)


BODIES = {
    "nothing": b"",
    "a page": b"<html><body>We are down for maintenance.</body></html>",
    "half an object": b'{"id": "x", "na',
    "a list": b"[1, 2]",
    "a number": b"7",
    "null": b"null",
    "no UTF-8": b'{"id": "\xff\xfe"}',
    "nested deeply": b"[" * 2000,
    "fields of other types": b'{"id": {}, "jobId": [], "name": 1, "items": 3, "state": false}',
}


PATIENCE = RetryPolicy(attempts=2, first_delay=0, longest_delay=0)


@pytest.fixture
def transport(scripted):
    return Transport(
        Settings.resolve(environment=scripted.url, client_id="id", client_secret="s"), PATIENCE
    )


def needs_something(model):
    return any(field.is_required() for field in model.model_fields.values())


@pytest.mark.parametrize("body", list(BODIES))
def test_answers_that_are_no_answers_are_server_errors(body, scripted, transport):
    headers = {"Content-Type": "application/json"}
    scripted.on("GET", "/thing", (200, headers, BODIES[body]))
    for parameter in MODELS:
        model = parameter.values[0]
        if not issubclass(model, WireModel) or not needs_something(model):
            continue
        with pytest.raises(errors.ServerError, match="the thing"):
            transport.read("/thing", model, about="the thing")


def test_a_body_that_breaks_off_is_no_answer(scripted, transport):
    whole = b'{"id": "x", "name": "y"}'
    headers = {"Content-Type": "application/json", "Content-Length": str(len(whole))}
    scripted.on("GET", "/audience/x", (200, headers, whole[:-5]))
    client = RapidataClient("id", "s", scripted.url, retry=PATIENCE)
    with pytest.raises(errors.TransportError) as raised:
        client.audience.get_audience_by_id("x")
    assert raised.value.sent


@settings(max_examples=100, deadline=None)
@given(
    status=st.integers(300, 599),
    body=st.sampled_from(list(BODIES.values()))
    | st.dictionaries(
        st.sampled_from(["title", "detail", "errors", "traceId", "error", "message"]), JSON
    ).map(lambda document: json.dumps(document).encode()),
)
def test_any_refusal_is_one_of_our_errors(status, body):
    error = error_for(
        status=status,
        headers={},
        body=body,
        request="GET /thing",
        about="the thing",
        environment="rapidata.ai",
        attempts=1,
    )
    assert isinstance(error, errors.RapidataError)
    assert "the thing" in str(error)
    assert f"HTTP {status}" in str(error)


# --- results files --------------------------------------------------------------------------------

COMPARE = {
    "info": {"type": "Compare", "version": "4.1.0"},
    "results": [
        {
            "context": "a book",
            "winner": "a.jpg",
            "assetUrls": {"a.jpg": "https://x/a.jpg", "b.jpg": "https://x/b.jpg"},
            "aggregatedResults": {"a.jpg": 2, "b.jpg": 1},
            "summedUserScores": {"a.jpg": 0.5, "b.jpg": 0.25},
            "detailedResults": [
                {
                    "votedFor": "a.jpg",
                    "userDetails": {
                        "country": "CH",
                        "userScores": {"global": 0.5},
                        "demographics": {"age": "18-29"},
                    },
                }
            ],
        }
    ],
    "summary": {"A_wins_total": 1},
}
CLASSIFICATION = {
    "info": {"type": "Classification"},
    "results": [
        {
            "identifier": "https://x/1.jpg",
            "aggregatedResults": {"good": 2, "bad": 1},
            "summedUserScores": {"good": 0.5},
            "confidencePerCategory": {"good": 0.9},
            "detailedResults": [{"selectedCategory": "good", "userDetails": {"userScore": 0.1}}],
        }
    ],
}


def changed(document):
    """The same document with some values missing, null, or something else."""
    if isinstance(document, dict):
        fields = {name: st.one_of(changed(one), JSON) for name, one in document.items()}
        known = st.fixed_dictionaries({}, optional=fields)
        more = st.dictionaries(st.text(min_size=1, max_size=4), JSON, max_size=1)
        return st.builds(lambda one, two: {**two, **one}, known, more)
    if isinstance(document, list):
        return st.lists(changed(document[0]) | JSON, max_size=3)
    return st.just(document)


@pytest.mark.parametrize("document", [COMPARE, CLASSIFICATION], ids=["compare", "classification"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_tables_of_any_results_file(document, data):
    content = json.dumps(data.draw(changed(document))).encode()
    with contextlib.suppress(errors.ResultsError):
        results = parse_results(content, "job 1")
        labels, responses = results.labels(), results.responses()
        assert set(responses["datapoint"]) <= set(labels["datapoint"])
    with contextlib.suppress(errors.ResultsError):
        parse_results(content, "job 1").to_pandas()
    with contextlib.suppress(errors.ResultsError, ValueError):
        parse_results(content, "job 1").to_pandas(split_details=True)


@given(content=st.binary(max_size=40) | st.sampled_from(list(BODIES.values())))
def test_a_results_file_that_is_none_is_an_error_of_ours(content):
    with contextlib.suppress(errors.ResultsError):
        assert isinstance(parse_results(content, "job 1"), dict)
