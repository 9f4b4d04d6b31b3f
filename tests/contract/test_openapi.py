"""The check of every conversation against the API description finds what disagrees with it.

The check itself runs behind every test that talks to a sandbox.
"""

from __future__ import annotations

import pytest

from tests import openapi

pytestmark = pytest.mark.skipif(
    not openapi.FOLDER.is_dir(), reason=f"there is no {openapi.FOLDER.name} folder"
)
SIGNAL = {
    "name": "Daily",
    "audienceId": "global",
    "jobDefinitionId": "x",
    "intervalSeconds": 60,
}


def problems(method, path, *, answer=None, body=None, query="", status=200, agent="ours"):
    entry = {
        "method": method,
        "path": path,
        "query": query,
        "status": status,
        "body": body,
        "answer": answer,
        "user_agent": openapi.OURS if agent == "ours" else agent,
    }
    return list(openapi.Description.load().problems(entry))


def test_what_agrees_is_no_problem():
    created = {"id": "x", "nextRunAt": "2026-01-31T08:00:00Z"}
    assert problems("POST", "/signal", body=SIGNAL, answer=created) == []
    nulls = {**SIGNAL, "description": None, "revisionNumber": None}
    assert problems("POST", "/signal", body=nulls, answer=created) == []
    assert problems("GET", "/unheard/of", answer={"anything": 1}) == []
    assert problems("POST", "/signal", body={}, answer={"title": "Bad"}, status=400) == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"answer": {"id": "x"}}, "'nextRunAt' is a required property"),
        ({"answer": {"id": 7, "nextRunAt": "2026-01-31T08:00:00Z"}}, "answer: id: 7 is not"),
        ({"body": {**SIGNAL, "intervalSeconds": "60"}}, "request: intervalSeconds: '60' is not"),
        ({"body": {"name": "Daily"}}, "'audienceId' is a required property"),
        ({"body": {**SIGNAL, "interval": 60}}, "request: interval: there is no such field"),
        ({"body": None}, "request: body: None is not of type 'object'"),
        ({"query": "dry_run=true"}, "request: ?dry_run: there is no such parameter"),
        ({"status": 204}, "the answer 204 is not described"),
    ],
)
def test_what_disagrees_is_a_problem(wrong, said):
    right = {"body": SIGNAL, "answer": {"id": "x", "nextRunAt": "2026-01-31T08:00:00Z"}}
    found = problems("POST", "/signal", **{**right, **wrong})
    assert any(said in problem for problem in found), found


def test_the_kind_decides_what_is_asked_for():
    filters = [{"_t": "CountryFilter", "countries": ["CH"]}, {"_t": "CountryFilter"}]
    found = problems("POST", "/audience", body={"name": "x", "filters": filters}, answer=None)
    assert any("filters.1: 'countries' is a required" in problem for problem in found)
    assert not any("filters.0" in problem for problem in found)


def test_requests_of_others_are_their_own_business():
    created = {"id": "x", "nextRunAt": "2026-01-31T08:00:00Z"}
    assert problems("POST", "/signal", body={}, answer=created, agent="python-httpx") == []


def test_a_conversation_that_disagrees_fails(sandbox, monkeypatch):
    from rapidata_core import RapidataClient

    RapidataClient().audience.get_audience_by_id("global")
    openapi.check(sandbox)
    with monkeypatch.context() as patch:
        patch.setattr(openapi.Description, "problems", lambda *_: iter(["wrong"]))
        with pytest.raises(AssertionError, match="wrong"):
            openapi.check(sandbox)
