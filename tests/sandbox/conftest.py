"""A small client of the wire, so that the sandbox is tested without the package's own client."""

from __future__ import annotations

import ssl

import httpx
import pytest

SCALE = ["1: Not at all", "2: A little", "3: Moderately", "4: Very well", "5: Perfectly"]


def compare_workflow(instruction="Which is better?"):
    return {
        "_t": "SimpleWorkflow",
        "rapid": {
            "_t": "Compare",
            "asset": {"segment": "asset"},
            "criteria": {"literal": instruction},
            "indexIdentifiers": None,
        },
    }


def classification_workflow(instruction="How well?"):
    return {
        "_t": "SimpleWorkflow",
        "rapid": {
            "_t": "Classify",
            "asset": {"segment": "asset"},
            "title": {"literal": instruction},
            "categories": {"segment": "answer_options"},
        },
    }


def segment(key, kind, content):
    member = {"Text": "text", "Asset": "asset", "OptionList": "options"}[kind]
    return {"key": key, "kind": kind, member: content}


def texts(*items):
    return {"_t": "MultiAssetInput", "assets": [{"_t": "TextAssetInput", "text": i} for i in items]}


def options(values):
    return [{"label": value, "value": value} for value in values]


def trust(sandbox):
    """How to verify a sandbox's certificate."""
    return ssl.create_default_context(cafile=sandbox.ca_file) if sandbox.ca_file else False


class Platform(httpx.Client):
    """A client of one sandbox, with a token."""

    def __init__(self, sandbox):
        super().__init__(base_url=sandbox.url, trust_env=False, verify=trust(sandbox))
        self.sandbox = sandbox
        answer = self.post(
            "/connect/token",
            data={"grant_type": "client_credentials", "scope": "openid email api"},
            auth=(sandbox.client_id, sandbox.client_secret),
        )
        self.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def ok(self, method, path, json=None, **more):
        """The JSON of an answer that must be 200 with a body, or 204 without."""
        answer = self.request(method, path, json=json, **more)
        assert answer.status_code in (200, 204), answer.text
        assert (answer.status_code == 200) == bool(answer.content)
        return answer.json() if answer.content else None

    def problem(self, method, path, status, json=None, **more):
        """The JSON of an answer that must be a problem."""
        answer = self.request(method, path, json=json, **more)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        body = answer.json()
        assert {"title", "detail", "status", "traceId"} <= body.keys()
        assert body["status"] == status
        assert body["traceId"] == answer.headers["x-trace-id"]
        return body

    def dataset(self, segment_lists, schema=None, name="a dataset"):
        dataset_id = self.ok("POST", "/dataset", {"name": name, "schema": schema})["datasetId"]
        for index, segments in enumerate(segment_lists):
            body = {"segments": segments, "sortIndex": index, "group": None}
            self.ok("POST", f"/dataset/{dataset_id}/datapoint", body)
        return dataset_id

    def pairs(self, count=3):
        return self.dataset(
            [
                [
                    segment("asset", "Asset", texts(f"cat {n}", f"dog {n}")),
                    segment("context", "Text", f"context {n}"),
                ]
                for n in range(count)
            ]
        )

    def definition(self, dataset_id, workflow=None, votes=10, name="a definition", flags=()):
        body = {
            "definitionName": name,
            "workflow": workflow or compare_workflow(),
            "referee": {"_t": "NaiveReferee", "totalVotes": votes},
            "datasetId": dataset_id,
            "rapidFeatureFlags": [{"key": key, "value": value} for key, value in flags],
        }
        return self.ok("POST", "/job/definition", body)["definitionId"]

    def job(self, definition_id, name=None, audience="global", **more):
        body = {"jobDefinitionId": definition_id, "audienceId": audience, "revisionNumber": 1}
        return self.ok("POST", "/job", body | {"name": name} | more)["jobId"]

    def compare_job(self, points=3, votes=10, name=None, flags=()):
        return self.job(self.definition(self.pairs(points), votes=votes, flags=flags), name)

    def state(self, job_id):
        return self.ok("GET", f"/job/{job_id}")["state"]

    def results(self, job_id):
        answer = self.get(f"/job/{job_id}/download-results")
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def platform(rapidata_sandbox):
    client = Platform(rapidata_sandbox)
    yield client
    client.close()


@pytest.fixture
def connect():
    """Clients of sandboxes that a test starts by itself."""
    clients = []

    def connect(sandbox):
        clients.append(Platform(sandbox))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


@pytest.fixture
def wire():
    """What builds requests."""
    return Wire


class Wire:
    compare_workflow = staticmethod(compare_workflow)
    classification_workflow = staticmethod(classification_workflow)
    segment = staticmethod(segment)
    texts = staticmethod(texts)
    options = staticmethod(options)
    scale = SCALE
    classification_schema = [
        {"key": "asset", "kind": "Asset", "label": "Asset", "required": True},
        {"key": "context", "kind": "Text", "label": "Context", "required": False, "maxLength": 400},
        {"key": "answer_options", "kind": "OptionList", "label": "Options", "required": True},
    ]
