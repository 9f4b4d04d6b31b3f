"""What the sandbox refuses, and how it says so."""

from __future__ import annotations

import base64

import pytest


def token(platform, **form):
    return platform.post("/connect/token", data=form, headers={"Authorization": ""})


def test_tokens_for_credentials_in_either_place(platform):
    sandbox = platform.sandbox
    answer = token(
        platform,
        grant_type="client_credentials",
        client_id=sandbox.client_id,
        client_secret=sandbox.client_secret,
        scope="openid roles email",
    )
    assert answer.status_code == 200
    body = answer.json()
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 3600)
    headers = {"Authorization": f"Bearer {body['access_token']}"}
    assert platform.get("/connect/userinfo", headers=headers).json()["sub"]


@pytest.mark.parametrize("client_id", ["", "other"])
def test_wrong_credentials(platform, client_id):
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": "wrong"}
    answer = token(platform, **form)
    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_client"
    broken = base64.b64encode(b"\xff").decode()
    answer = platform.post("/connect/token", headers={"Authorization": f"Basic {broken}"})
    assert answer.json()["error"] == "invalid_client"


def test_other_grants_are_refused(platform):
    sandbox = platform.sandbox
    answer = token(
        platform,
        grant_type="password",
        client_id=sandbox.client_id,
        client_secret=sandbox.client_secret,
    )
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer nonsense", "Bearer sbx.7fffffff.00", "Basic x"]
)
def test_every_api_call_needs_a_genuine_token(platform, given):
    platform.problem("GET", "/jobs", 401, headers={"Authorization": given})
    platform.problem("POST", "/dataset", 401, {"name": "x"}, headers={"Authorization": given})


def test_an_expired_token_is_refused(platform):
    from rapidata_core.sandbox.api.auth import issue
    from rapidata_core.sandbox.settings import Account

    account = Account.of(0)
    assert account.client_secret == platform.sandbox.client_secret
    good = {"Authorization": f"Bearer {issue(account, 1 << 32)}"}
    platform.ok("GET", "/jobs", headers=good)
    old = {"Authorization": f"Bearer {issue(account, 1)}"}
    assert "expired" in platform.problem("GET", "/jobs", 401, headers=old)["detail"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/audience/none"),
        ("GET", "/audience/none/user-metrics"),
        ("GET", "/dataset/none"),
        ("POST", "/dataset/none/datapoint"),
        ("PATCH", "/dataset/none/name"),
        ("GET", "/dataset/none/datapoints"),
        ("GET", "/asset/batch-upload/none"),
        ("GET", "/job/definition/none"),
        ("GET", "/job/definition/none/revision"),
        ("GET", "/job/definition/none/cost-estimate"),
        ("DELETE", "/job/definition/none"),
        ("GET", "/job/none"),
        ("POST", "/job/none/pause"),
        ("DELETE", "/job/none"),
        ("GET", "/job/none/download-results"),
        ("GET", "/no/such/path"),
        ("GET", "/jobs/"),
    ],
)
def test_unknown_things(platform, method, path):
    platform.problem(method, path, 404)


def test_a_method_that_does_not_exist(platform):
    platform.problem("DELETE", "/jobs", 405)


@pytest.mark.parametrize("body", [b"{", b"[]", b'"text"', b"\xff"])
def test_bodies_that_are_no_objects(platform, body):
    answer = platform.post("/dataset", content=body)
    assert answer.status_code == 400
    assert answer.json()["title"]


def test_every_error_of_a_body_is_listed(platform):
    errors = platform.problem("POST", "/job/definition", 400, {"definitionName": 7})["errors"]
    assert set(errors) == {"definitionName", "workflow", "referee", "datasetId"}


def test_nulls_are_absent_and_unknown_fields_accepted(platform):
    body = {"name": "x", "schema": None, "somethingNew": {"a": 1}}
    platform.ok("POST", "/dataset", body)
    assert "name" in platform.problem("POST", "/dataset", 400, {"name": None})["errors"]


def datapoint_errors(platform, dataset_id, *segments):
    path = f"/dataset/{dataset_id}/datapoint"
    return platform.problem("POST", path, 400, {"segments": list(segments)})["errors"]


def test_datapoints(platform, wire):
    dataset_id = platform.dataset([])
    asset = wire.segment("asset", "Asset", wire.texts("a", "b"))
    context = wire.segment("context", "Text", "x" * 401)
    assert "401" in datapoint_errors(platform, dataset_id, asset, context)["context"][0]
    assert "asset" in datapoint_errors(platform, dataset_id)
    assert "context" in datapoint_errors(
        platform, dataset_id, asset, wire.segment("context", "Text", "")
    )
    unknown = wire.segment(
        "asset", "Asset", {"_t": "ExistingAssetInput", "name": "never-uploaded.png"}
    )
    assert "never-uploaded.png" in datapoint_errors(platform, dataset_id, unknown)["asset"][0]
    odd = wire.segment("taste", "Text", "sweet")
    assert "segments" in datapoint_errors(platform, dataset_id, asset, odd)
    assert platform.ok("GET", f"/dataset/{dataset_id}/progress")["total"] == 0
    exactly = wire.segment("context", "Text", "x" * 400)
    platform.ok("POST", f"/dataset/{dataset_id}/datapoint", {"segments": [asset, exactly]})


def test_classification_needs_options(platform, wire):
    dataset_id = platform.dataset([], wire.classification_schema)
    asset = wire.segment("asset", "Asset", {"_t": "TextAssetInput", "text": "a"})
    assert "answer_options" in datapoint_errors(platform, dataset_id, asset)
    empty = wire.segment("answer_options", "OptionList", [])
    assert "answer_options" in datapoint_errors(platform, dataset_id, asset, empty)


def definition_errors(platform, dataset_id, workflow, referee=None):
    body = {
        "definitionName": "d",
        "workflow": workflow,
        "referee": referee or {"_t": "NaiveReferee", "totalVotes": 1},
        "datasetId": dataset_id,
    }
    return platform.problem("POST", "/job/definition", 400, body)["errors"]


def test_definitions(platform, wire):
    pairs = platform.pairs()
    compare = wire.compare_workflow()
    single = platform.dataset(
        [[wire.segment("asset", "Asset", {"_t": "TextAssetInput", "text": "a"})]]
    )
    assert "two items" in definition_errors(platform, single, compare)["datasetId"][0]
    three = platform.dataset([[wire.segment("asset", "Asset", wire.texts("a", "b", "c"))]])
    assert "two items" in definition_errors(platform, three, compare)["datasetId"][0]
    no_options = definition_errors(platform, single, wire.classification_workflow())
    assert "answer options" in no_options["datasetId"][0]
    assert "datasetId" in definition_errors(platform, "none", compare)
    assert "datasetId" in definition_errors(platform, platform.dataset([]), compare)
    blank = wire.compare_workflow(" ")
    assert "workflow" in definition_errors(platform, pairs, blank)
    assert platform.ok("GET", "/job/definitions")["total"] == 0


@pytest.mark.parametrize(
    "referee",
    [
        {"_t": "EarlyStoppingReferee", "threshold": 1, "maxVotes": 10},
        {"_t": "EarlyStoppingReferee", "threshold": 0.0, "maxVotes": 10},
        {"_t": "EarlyStoppingReferee", "threshold": "0.9", "maxVotes": 10},
        {"_t": "EarlyStoppingReferee", "threshold": 0.9},
        {"_t": "QuorumReferee", "threshold": 0, "maxVotes": 10},
        {"_t": "QuorumReferee", "threshold": 11, "maxVotes": 10},
        {"_t": "QuorumReferee", "threshold": 2.5, "maxVotes": 10},
        {"_t": "BudgetReferee", "totalBudget": 0},
        {"_t": "DiceReferee", "totalVotes": 10},
        {"_t": "NaiveReferee", "totalVotes": 0},
        {"_t": "NaiveReferee", "totalVotes": True},
        {"_t": "NaiveReferee", "totalVotes": 10**7},
    ],
)
def test_referees(platform, wire, referee):
    errors = definition_errors(platform, platform.pairs(), wire.compare_workflow(), referee)
    assert errors.keys() & {"referee", "referee.threshold"}


def test_what_is_not_simulated_says_so(platform, wire):
    evaluation = {"_t": "EvaluationWorkflow", "criteria": "?"}
    errors = definition_errors(platform, platform.pairs(), evaluation)
    assert "does not simulate" in errors["workflow"][0]
    for task in ("Scrub", "BoundingBox", "Polygon", "NamedEntity"):
        for rapid in (
            {"rapid": {"_t": task, "asset": {"segment": "asset"}}},
            {"blueprint": {"_t": f"{task}Blueprint", "target": "?"}},
        ):
            workflow = {"_t": "SimpleWorkflow"} | rapid
            errors = definition_errors(platform, platform.pairs(), workflow)
            assert "does not simulate" in errors["workflow"][0]


def test_jobs(platform):
    definition_id = platform.definition(platform.pairs())
    good = {"jobDefinitionId": definition_id, "audienceId": "global", "revisionNumber": 1}

    def errors(**change):
        return set(platform.problem("POST", "/job", 400, good | change)["errors"])

    assert errors(audienceId="aud_none") == {"audienceId"}
    assert errors(jobDefinitionId="none", audienceId="none") == {"jobDefinitionId", "audienceId"}
    assert errors(revisionNumber=2) == {"revisionNumber"}
    assert errors(revisionNumber="1") == {"revisionNumber"}
    assert errors(audienceId=None) == {"audienceId"}
    assert platform.sandbox.ledger()["entries"] == []
    assert platform.ok("GET", "/jobs")["total"] == 0


def test_the_clock_does_not_go_back(platform):
    platform.problem("POST", "/_sandbox/clock", 400, {"advance_seconds": -1})
    platform.problem("POST", "/_sandbox/clock", 400, {"advance_seconds": "1"})
