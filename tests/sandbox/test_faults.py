"""What goes wrong on purpose."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
import time
from types import SimpleNamespace
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from rapidata_core.sandbox import gateway
from rapidata_core.sandbox.api.auth import issue
from rapidata_core.sandbox.app import create_app
from rapidata_core.sandbox.faults import FaultPlan, read_plan
from rapidata_core.sandbox.problems import Problem
from rapidata_core.sandbox.process import Sandbox, SandboxError
from rapidata_core.sandbox.settings import Account
from rapidata_core.sandbox.store import Store

DROP = {"path": "/jobs", "phase": "before", "action": "drop"}
MINUTE = 60


def struck(sandbox):
    """What the journal says was struck: path, status, phase and action."""
    return [
        (entry["path"], entry["status"], entry["fault"]["phase"], entry["fault"]["action"])
        for entry in sandbox.requests()
        if entry["fault"] is not None
    ]


def job_body(platform):
    return {"jobDefinitionId": platform.definition(platform.pairs()), "audienceId": "global"}


def token(sandbox):
    """What a client logs in for."""
    answer = httpx.post(
        f"{sandbox.url}/connect/token",
        data={"grant_type": "client_credentials"},
        auth=(sandbox.client_id, sandbox.client_secret),
        trust_env=False,
    )
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


# Lost and replaced answers


def test_a_fault_before_execution(platform):
    body = job_body(platform)
    refuse = {"phase": "before", "action": "status", "status": 503, "retry_after": 7}
    platform.sandbox.faults([{"method": "POST", "path": "/job", **refuse}])
    answer = platform.post("/job", json=body)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    assert answer.headers["content-type"] == "application/problem+json"
    platform.sandbox.assert_paid_jobs(0)
    platform.ok("POST", "/job", body)
    platform.sandbox.assert_paid_jobs(1)
    statuses = [entry["status"] for entry in platform.sandbox.requests() if entry["path"] == "/job"]
    assert statuses == [503, 200]
    assert struck(platform.sandbox) == [("/job", 503, "before", "status")]


@pytest.mark.parametrize("lost", [{"action": "drop"}, {"action": "status", "status": 504}])
def test_a_fault_after_execution_loses_the_answer_not_the_work(platform, lost):
    body = job_body(platform) | {"name": "once"}
    platform.sandbox.faults([{"path": "/job", "phase": "after_commit", **lost}])
    if lost["action"] == "drop":
        with pytest.raises(httpx.RemoteProtocolError):
            platform.post("/job", json=body)
    else:
        assert platform.post("/job", json=body).status_code == 504
    assert platform.ok("GET", "/jobs?name[eq]=once")["total"] == 1
    platform.sandbox.assert_paid_jobs(1)
    status = lost.get("status")
    assert struck(platform.sandbox) == [("/job", status, "after_commit", lost["action"])]


def test_the_nth_request_is_dropped_unexecuted(platform):
    fault = {"method": "POST", "path": "/data.*", "nth": 3, "phase": "before", "action": "drop"}
    platform.sandbox.faults([fault])
    ids = [platform.ok("POST", "/dataset", {"name": str(n)})["datasetId"] for n in range(2)]
    platform.ok("GET", f"/dataset/{ids[0]}")
    with pytest.raises(httpx.RemoteProtocolError):
        platform.post("/dataset", json={"name": "lost"})
    ids.append(platform.ok("POST", "/dataset", {"name": "last"})["datasetId"])
    platform.sandbox.reset()
    # The dropped request made nothing, not even an id.
    assert [platform.ok("POST", "/dataset", {"name": "x"})["datasetId"] for _ in range(3)] == ids


def test_own_bodies_and_cleared_faults(platform):
    page = {"status": 200, "body": "<html>", "content_type": "text/html"}
    fault = {"path": "/jobs", "phase": "before", "action": "status", **page}
    platform.sandbox.faults([fault, fault])
    answer = platform.get("/jobs")
    assert (answer.text, answer.headers["content-type"].split(";")[0]) == ("<html>", "text/html")
    platform.sandbox.clear_faults()
    platform.ok("GET", "/jobs")


def test_the_control_api_is_spared(platform):
    platform.sandbox.faults([{"path": ".*", "phase": "before", "action": "drop", "nth": 1}])
    platform.sandbox.now()
    platform.sandbox.ledger()
    with pytest.raises(httpx.RemoteProtocolError):
        platform.get("/jobs")


def test_one_of_two_faults_waits_for_the_next_request(platform):
    platform.sandbox.faults([DROP, DROP | {"action": "status", "status": 500}])
    with pytest.raises(httpx.RemoteProtocolError):
        platform.get("/jobs")
    assert platform.get("/jobs").status_code == 500
    platform.ok("GET", "/jobs")


# Broken and late answers


def raw(sandbox, method, path, body=None):
    """The head of an answer, and as much of its body as arrives."""
    where = urlsplit(sandbox.url)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=30)
    with contextlib.closing(connection):
        connection.request(method, path, None if body is None else json.dumps(body), token(sandbox))
        response = connection.getresponse()
        try:
            return response, response.read()
        except http.client.IncompleteRead as error:
            return response, error.partial


def test_an_answer_breaks_off_in_the_middle(platform):
    body = job_body(platform)
    whole = len(json.dumps(platform.ok("POST", "/job", body), separators=(",", ":")))
    platform.sandbox.faults([{"path": "/job", "phase": "mid_body", "action": "truncate"}] * 2)
    response, content = raw(platform.sandbox, "POST", "/job", body)
    assert (response.status, int(response.headers["content-length"])) == (200, whole)
    assert len(content) == whole // 2
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete"):
        platform.post("/job", json=body)
    platform.sandbox.assert_paid_jobs(3)
    assert struck(platform.sandbox) == [("/job", 200, "mid_body", "truncate")] * 2


def test_an_answer_without_a_body_is_lost_as_a_whole(platform):
    job_id = platform.compare_job()
    platform.sandbox.faults([{"path": "/job/.*/pause", "action": "truncate"}])
    with pytest.raises(httpx.RemoteProtocolError):
        platform.post(f"/job/{job_id}/pause")
    assert platform.state(job_id) == "Paused"


def test_a_body_comes_in_pieces(platform):
    platform.compare_job()
    platform.sandbox.faults([{"path": "/jobs", "phase": "slow", "action": "delay", "seconds": 0.5}])
    begun = time.perf_counter()
    with platform.stream("GET", "/jobs") as answer:
        pieces = list(answer.iter_raw())
    assert time.perf_counter() - begun >= 0.5
    assert len(pieces) > 1
    (*_, entry) = platform.sandbox.requests(answers=True)
    assert json.loads(b"".join(pieces)) == entry["answer"]


@pytest.mark.parametrize("phase", ["before", "after_commit"])
def test_a_client_gives_up_on_a_late_answer(platform, phase):
    body = job_body(platform)
    late = {"path": "/job", "phase": phase, "action": "delay", "seconds": 1}
    platform.sandbox.faults([late])
    with pytest.raises(httpx.ReadTimeout):
        platform.post("/job", json=body, timeout=0.1)
    # It is carried out all the same.
    while not platform.sandbox.ledger()["paid_jobs"]:
        time.sleep(0.05)
    assert struck(platform.sandbox) == [("/job", 200, phase, "delay")]


class Exchange:
    """One request to the application, without a server."""

    def __init__(self, app, method, path, body=None, headers=()):
        self.app = app
        self.content = b"" if body is None else json.dumps(body).encode()
        self.sent = []
        self.aborted = False
        self.scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": b"",
            "headers": [(key.lower().encode(), text.encode()) for key, text in headers],
            "state": {"abort": self.abort},
        }

    def abort(self):
        self.aborted = True

    async def receive(self):
        if self.aborted:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": self.content}

    async def send(self, message):
        assert not self.aborted
        self.sent.append(message)

    async def run(self):
        await self.app(self.scope, self.receive, self.send)
        return self

    @property
    def status(self):
        return self.sent[0]["status"] if self.sent else None

    @property
    def body(self):
        return b"".join(message["body"] for message in self.sent[1:])


@pytest.fixture
def store():
    with contextlib.closing(Store(None, 0, 1.0)) as store:
        yield store


async def test_the_application_breaks_without_a_server(store):
    app = create_app(store)
    drop = {"path": "/x", "action": "drop", "phase": "after_commit"}
    await Exchange(
        app, "POST", "/_sandbox/faults", [drop, {"path": "/x", "action": "truncate"}]
    ).run()
    dropped = await Exchange(app, "GET", "/x").run()
    assert (dropped.aborted, dropped.sent) == (True, [])
    truncated = await Exchange(app, "GET", "/x").run()
    (length,) = [
        int(text) for key, text in truncated.sent[0]["headers"] if key == b"content-length"
    ]
    assert (truncated.aborted, truncated.status, len(truncated.body)) == (True, 404, length // 2)
    assert truncated.sent[-1]["more_body"]
    whole = await Exchange(app, "GET", "/x").run()
    assert (whole.aborted, len(whole.body)) == (False, length)


@pytest.mark.parametrize(
    ("phase", "expected"),
    [
        ("before", [(7.0, 0, 0)]),
        ("after_commit", [(7.0, 1, 0)]),
        ("slow", [(0.7, 1, sent) for sent in range(1, 11)]),
    ],
)
async def test_when_what_is_late_happens(store, monkeypatch, phase, expected):
    """Each sleep with how many requests were carried out, and how much was sent, before."""
    app = create_app(
        store, faults=[{"path": ".*", "phase": phase, "action": "delay", "seconds": 7}]
    )
    sleeps = []

    async def sleep(seconds):
        sleeps.append((seconds, len(app._journal.json()), len(exchange.sent)))

    monkeypatch.setattr(gateway, "asyncio", SimpleNamespace(sleep=sleep))
    exchange = Exchange(app, "GET", "/nothing")
    await exchange.run()
    assert sleeps == expected
    assert json.loads(exchange.body)["status"] == 404
    assert not exchange.sent[-1].get("more_body")


# What befalls the platform


def test_all_tokens_expire_at_once(platform):
    sandbox = platform.sandbox
    other = token(sandbox)
    sandbox.faults([{"path": "/jobs", "action": "expire_tokens", "nth": 2}])
    platform.ok("GET", "/jobs")
    assert "expired" in platform.problem("GET", "/jobs", 401)["detail"]
    platform.problem("GET", "/audiences", 401, headers=other)
    renewed = token(sandbox)
    platform.ok("GET", "/jobs", headers=renewed)
    platform.problem("GET", "/jobs", 401)
    assert struck(sandbox) == [("/jobs", 401, "before", "expire_tokens")]
    # Whoever keeps a token across a reset goes on.
    sandbox.reset()
    platform.ok("GET", "/jobs")
    platform.ok("GET", "/jobs", headers=renewed)


def test_a_job_is_sent_to_review(platform):
    body = job_body(platform)
    platform.sandbox.faults([{"action": "review"}])
    # Other requests are not meant, and do not count.
    platform.ok("GET", "/jobs")
    job_id, other = (platform.ok("POST", "/job", body)["jobId"] for _ in range(2))
    job = platform.ok("GET", f"/job/{job_id}")
    assert (job["state"], job["reviewReason"]) == ("ManualApproval", "ContentFlagged")
    assert platform.state(other) != "ManualApproval"
    platform.sandbox.advance(10 * MINUTE)
    assert platform.state(job_id) == "ManualApproval"
    platform.ok("POST", f"/job/{job_id}/resume")
    platform.sandbox.advance(10 * MINUTE)
    assert platform.state(job_id) == "Completed"
    assert struck(platform.sandbox) == [("/job", 200, "after_commit", "review")]


def test_where_no_job_comes_to_be_there_is_none_to_review(platform):
    platform.sandbox.faults([{"action": "review"}, {"action": "stick"}])
    platform.problem("POST", "/job", 400, {})
    platform.problem("POST", "/asset/batch-upload", 400, {})
    assert [action for *_, action in struck(platform.sandbox)] == ["review", "stick"]


def test_the_balance_runs_out(platform):
    body = job_body(platform)
    before = platform.ok("POST", "/job", body)["jobId"]
    spend = {"method": "POST", "path": "/job", "action": "spend", "amount": 999.5}
    platform.sandbox.faults([spend])
    answer = platform.ok("POST", "/job", body)
    assert answer["costWarning"]["availableBalance"] == 0.2
    assert platform.state(answer["jobId"]) == "SpendLimited"
    assert platform.state(before) != "SpendLimited"
    ledger = platform.sandbox.ledger()
    assert [(entry["kind"], entry["amount"]) for entry in ledger["entries"]] == [
        ("job", 0.3),
        ("spend", 999.5),
    ]
    assert (ledger["balance"], ledger["paid_jobs"]) == (0.2, 1)
    summary = platform.ok("GET", "/billing/summary")
    assert (summary["availableAmount"], summary["currentPeriodUsage"]) == (0.2, 999.8)
    period = platform.ok("GET", "/billing-period/active")
    assert (period["totalNetCost"], period["totalResponseCount"]) == (999.8, 99_980)
    assert sum(item["amount"] for item in period["lineItems"]) == 999.8
    groups = platform.ok("GET", "/billing/costs/groups")["items"]
    assert [group["netCost"] for group in groups] == [999.5, 0.3]
    assert sum(group["responseCount"] for group in groups) == 99_980


def test_a_batch_gets_stuck(platform):
    platform.sandbox.faults([{"action": "stick"}])
    body = {"urls": ["https://example.com/a.png"]}
    stuck, other = (
        platform.ok("POST", "/asset/batch-upload", body)["batchUploadId"] for _ in range(2)
    )
    platform.sandbox.advance(10**6)
    batch = platform.ok("GET", f"/asset/batch-upload/{stuck}")
    assert (batch["status"], batch["completedCount"]) == ("Processing", 0)
    path = f"/asset/batch-upload/status?batchUploadIds={stuck}&batchUploadIds={other}"
    status = platform.ok("GET", path)
    assert (status["status"], status["completedBatches"]) == ("Processing", [other])


# Lists that lag


def everything(platform):
    """One object of each kind; returns the lists that show them, and paths of some objects."""
    ok = platform.ok
    dataset_id = platform.pairs()
    definition_id = platform.definition(dataset_id)
    job_id = platform.job(definition_id)
    signal = {"name": "s", "audienceId": "global", "jobDefinitionId": definition_id}
    signal_id = ok("POST", "/signal", signal | {"intervalSeconds": 10**7, "isPublic": False})["id"]
    ok("POST", f"/signal/{signal_id}/trigger")
    ranking = {"validationSetId": None, "featureFlags": None}
    flow_id = ok("POST", "/flow/ranking", {"name": "f", "criteria": "Which?"} | ranking)["flowId"]
    item = {"datasetId": platform.pairs(), "timeToLiveInSeconds": None}
    item_id = ok("POST", f"/flow/ranking/{flow_id}/item", item)["flowItemId"]
    audience_id = ok("POST", "/audience", {"name": "a", "filters": []})["audienceId"]
    benchmark_id = ok("POST", "/benchmark", {"name": "b"})["id"]
    segments = [{"key": "prompt", "kind": "Text", "text": "Paint"}]
    prompt = {"identifier": "p", "segments": segments, "tags": []}
    ok("POST", f"/benchmark/{benchmark_id}/prompt", prompt)
    board = {"benchmarkId": benchmark_id, "name": "l", "instruction": "Which?"}
    ok("POST", "/leaderboard", board | {"showPrompt": False, "voteAggregation": "MajorityVote"})
    model = ok("POST", f"/benchmark/{benchmark_id}/participants", {"name": "m"})["participantId"]
    lists = (
        "/jobs",
        "/job/definitions",
        f"/job/definition/{definition_id}/revisions",
        f"/dataset/{dataset_id}/datapoints",
        "/audience/global/jobs",
        "/signal",
        f"/signal/{signal_id}/run",
        "/flow",
        f"/flow/ranking/{flow_id}/item",
        "/audiences",
        "/benchmarks",
        f"/benchmark/{benchmark_id}/prompts",
        f"/benchmark/{benchmark_id}/participants",
        f"/benchmark/{benchmark_id}/leaderboards",
        "/leaderboards",
    )
    objects = (
        f"/job/{job_id}",
        f"/job/definition/{definition_id}",
        f"/signal/{signal_id}",
        f"/flow/{flow_id}",
        f"/flow/ranking/item/{item_id}",
        f"/audience/{audience_id}",
        f"/benchmark/{benchmark_id}",
        f"/participant/{model}",
    )
    return lists, objects


def test_lists_do_not_show_what_is_new(platform):
    platform.sandbox.advance(5000)
    platform.sandbox.faults([{"path": ".*", "action": "lag", "seconds": 1000}])
    lists, objects = everything(platform)
    # The audiences that everybody has are old enough.
    usual = dict.fromkeys(lists, 0) | {"/audiences": 3}

    def new():
        return {path: platform.ok("GET", path)["total"] - usual[path] for path in lists}

    assert set(new().values()) == {0}
    assert platform.ok("GET", "/jobs?page_size=1&sort=-created_at")["items"] == []
    for path in objects:
        platform.ok("GET", path)
    platform.sandbox.advance(500)
    assert set(new().values()) == {0}
    platform.sandbox.advance(600)
    assert all(new().values()), new()


def test_what_is_older_shows_first_and_faults_come_on_top(platform):
    definition_id = platform.definition(platform.pairs())
    sandbox = platform.sandbox
    sandbox.faults([{"path": "/jobs", "method": "get", "action": "lag", "seconds": 1000}, DROP])
    with pytest.raises(httpx.RemoteProtocolError):
        platform.get("/jobs")
    first = platform.job(definition_id, "x first")
    sandbox.advance(600)
    second = platform.job(definition_id, "x second")
    seen = []
    for _ in range(3):
        page = platform.ok("GET", "/jobs?name[starts_with]=x&sort=-created_at")
        seen.append([job["jobId"] for job in page["items"]])
        assert page["total"] == len(page["items"])
        sandbox.advance(600)
    assert seen == [[], [first], [second, first]]
    # Only the list that was named lags.
    assert platform.ok("GET", "/job/definitions")["total"] == 1
    assert struck(sandbox) == [
        ("/jobs", None, "before", "drop"),
        *[("/jobs", 200, "before", "lag")] * 3,
    ]
    third = platform.job(definition_id)
    assert platform.ok("GET", "/jobs")["total"] == 2
    sandbox.clear_faults()
    assert platform.ok("GET", "/jobs")["items"][-1]["jobId"] == third


def test_lists_show_what_is_new_after_some_reads(platform):
    definition_id = platform.definition(platform.pairs())
    platform.job(definition_id)
    platform.sandbox.faults([{"path": "/job.*", "action": "lag", "reads": 2}])
    platform.job(definition_id)
    platform.definition(platform.pairs())
    totals = [platform.ok("GET", "/jobs")["total"] for _ in range(2)]
    platform.job(definition_id)
    totals += [platform.ok("GET", "/jobs")["total"] for _ in range(3)]
    # The first job was there before the lag; each other one is shown by the third read after it.
    assert totals == [1, 1, 2, 2, 3]
    # Reads of another list are none of this one.
    totals = [platform.ok("GET", "/job/definitions")["total"] for _ in range(3)]
    assert totals == [1, 1, 2]


async def test_without_a_lag_nothing_changes(store):
    asked = []
    event.listen(store._engine, "before_cursor_execute", lambda *given: asked.append(given[2:4]))
    app = create_app(store, faults=[{"path": "/flow", "action": "lag", "seconds": 5}])
    login = [("Authorization", f"Bearer {issue(Account.of(0), 1 << 32)}")]

    async def statements():
        asked.clear()
        assert (await Exchange(app, "GET", "/jobs", headers=login).run()).status == 200
        return [statement for statement, _ in asked]

    # The first request of all asks some things more.
    await statements()
    elsewhere = await statements()
    await Exchange(app, "DELETE", "/_sandbox/faults").run()
    assert await statements() == elsewhere
    lag = [{"path": "/jobs", "action": "lag", "seconds": 5}]
    await Exchange(app, "POST", "/_sandbox/faults", lag).run()
    assert len(await statements()) == len(elsewhere)
    assert await statements() != elsewhere


# What is random


def hits(plan, count=200):
    return [plan.next_for("GET", "/jobs") is not None for _ in range(count)]


def random_plan(seed, **more):
    plan = FaultPlan(seed)
    plan.plan([{"path": "/jobs", "phase": "before", "action": "drop", **more}], 0)
    return plan


def test_the_same_requests_meet_the_same_faults():
    plan, fault = random_plan(1, probability=0.5), {**DROP, "probability": 0.5}
    first = hits(plan)
    assert first == hits(random_plan(1, probability=0.5)) != hits(random_plan(2, probability=0.5))
    assert 60 < sum(first) < 140
    assert hits(plan) != first
    plan.reset()
    assert not any(hits(plan))
    plan.plan([fault], 0)
    assert hits(plan) == first


def test_certain_and_impossible():
    assert hits(random_plan(0, probability=1), 5) == [True] * 5
    assert hits(random_plan(0, probability=0)) == [False] * 200
    assert hits(random_plan(0, nth=2), 4) == [False, True, False, False]


def test_a_share_of_the_requests_fails_until_that_is_cleared(platform):
    platform.sandbox.faults([{**DROP, "action": "status", "status": 503, "probability": 0.5}])
    statuses = [platform.get("/jobs").status_code for _ in range(40)]
    assert set(statuses) == {200, 503}
    platform.sandbox.reset()
    platform.sandbox.faults([{**DROP, "action": "status", "status": 503, "probability": 0.5}])
    assert [platform.get("/jobs").status_code for _ in range(40)] == statuses
    platform.sandbox.clear_faults()
    assert {platform.get("/jobs").status_code for _ in range(20)} == {200}


# Crashes


VICTIM = """
import json, http.client, sys
host, authorization = sys.argv[1:]
connection = http.client.HTTPConnection(host, timeout=60)
print("ready", flush=True)
sys.stdin.readline()
connection.request("POST", "/dataset", json.dumps({"name": "x"}), {"Authorization": authorization})
connection.getresponse().read()
print("alive", flush=True)
"""


@pytest.mark.parametrize(
    ("phase", "made", "status"),
    [("before", 0, None), ("after_commit", 1, None), ("after_answer", 1, 200)],
)
def test_a_process_is_killed(platform, phase, made, status):
    sandbox = platform.sandbox
    first = platform.ok("POST", "/dataset", {"name": "x"})["datasetId"]
    second = platform.ok("POST", "/dataset", {"name": "x"})["datasetId"]
    sandbox.reset()
    command = [sys.executable, "-c", VICTIM, urlsplit(sandbox.url).netloc]
    with subprocess.Popen(
        [*command, platform.headers["Authorization"]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as victim:
        assert victim.stdout.readline() == "ready\n"
        kill = {"method": "POST", "path": "/dataset", "phase": phase, "action": "kill"}
        sandbox.faults([kill | {"pid": victim.pid}])
        said, _ = victim.communicate("go\n", timeout=60)
    assert (victim.returncode, said) == (-9, "")
    assert struck(sandbox) == [("/dataset", status, phase, "kill")]
    assert platform.ok("POST", "/dataset", {"name": "x"})["datasetId"] == [first, second][made]


@pytest.fixture
def sleeper():
    """A process that does nothing until it may end."""
    command = [sys.executable, "-c", "input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        yield process
        process.communicate(b"\n")


async def test_who_is_killed_after_the_answer_cannot_use_it(store, sleeper, monkeypatch):
    signals = []

    def kill(_pid, number):
        signals.append((number.name, len(exchange.sent)))

    fault = {"path": ".*", "phase": "after_answer", "action": "kill", "pid": sleeper.pid}
    app = create_app(store, faults=[fault], may_kill=True)
    monkeypatch.setattr(gateway, "os", SimpleNamespace(kill=kill))
    exchange = Exchange(app, "GET", "/x")
    await exchange.run()
    # Each with how much of the answer was sent before.
    assert signals == [("SIGSTOP", 0), ("SIGKILL", 2)]
    assert exchange.aborted


def refused(sandbox, fault):
    """What the sandbox says to one malformed fault, by field."""
    answer = httpx.post(f"{sandbox.url}/_sandbox/faults", json=[DROP, fault], trust_env=False)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.json()["errors"]


def test_who_is_not_killed(platform):
    sandbox = platform.sandbox
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    kill = {"path": "/jobs", "phase": "before", "action": "kill"}
    for pid in (None, -1, 0, 1, True, sandbox.pid, gone.pid, 10**30):
        assert list(refused(sandbox, kill | {"pid": pid})) == ["[1].pid"], pid
    # A page in somebody's browser reaches the sandbox, too, but cannot hide where it comes from.
    answer = platform.post(
        "/_sandbox/faults",
        json=[kill | {"pid": os.getppid()}],
        headers={"Origin": "https://x.example"},
    )
    assert answer.status_code == 403
    platform.ok("GET", "/jobs")


def test_strangers_kill_nobody():
    with Sandbox.start_with(["--host", "0.0.0.0", "--allow-remote", "--port", "0"]) as sandbox:
        kill = {"path": "/jobs", "phase": "before", "action": "kill", "pid": os.getpid()}
        assert list(refused(sandbox, kill)) == ["[1].action"]


# Plans


@pytest.mark.parametrize(
    ("fault", "field"),
    [
        ({"phase": "later"}, "phase"),
        ({"phase": None}, "phase"),
        ({"phase": 7}, "phase"),
        ({"action": "explode"}, "action"),
        ({"action": None}, "action"),
        ({"action": "status"}, "status"),
        ({"action": "status", "status": 99}, "status"),
        ({"action": "status", "status": 204, "body": "x"}, "body"),
        ({"action": "status", "status": 503, "retry_after": [1]}, "retry_after"),
        ({"action": "status", "status": 503, "retry_after": "1\r\nX: y"}, "retry_after"),
        ({"action": "status", "status": 503, "content_type": "\u0142"}, "content_type"),
        ({"path": "("}, "path"),
        ({"path": "a{99999999999}"}, "path"),
        ({"path": None}, "path"),
        ({"method": 1}, "method"),
        ({"nth": 0}, "nth"),
        ({"nth": "1"}, "nth"),
        ({"nth": 1, "probability": 0.5}, "probability"),
        ({"probability": 1.5}, "probability"),
        ({"probability": 10**400}, "probability"),
        ({"propability": 0.5}, "propability"),
        # What belongs to other actions or phases.
        ({"seconds": 1}, "seconds"),
        ({"status": 503}, "status"),
        ({"phase": "mid_body"}, "phase"),
        ({"phase": "slow"}, "phase"),
        ({"phase": "after_answer"}, "phase"),
        ({"action": "truncate"}, "phase"),
        ({"action": "delay"}, "seconds"),
        ({"action": "delay", "seconds": -1}, "seconds"),
        ({"action": "delay", "seconds": 10**10}, "seconds"),
        ({"action": "expire_tokens", "phase": "after_commit"}, "phase"),
        ({"action": "spend"}, "amount"),
        ({"action": "spend", "amount": 0}, "amount"),
        ({"action": "spend", "amount": 1e-7}, "amount"),
        ({"action": "spend", "amount": 0.015}, "amount"),
        ({"action": "spend", "amount": 1e12}, "amount"),
        ({"action": "review", "phase": None}, "path"),
        ({"action": "review", "phase": None, "path": "/job", "method": "GET"}, "method"),
        ({"action": "stick", "phase": None, "path": "/job"}, "path"),
        ({"action": "lag"}, "seconds"),
        ({"action": "lag", "seconds": 1, "reads": 1}, "seconds"),
        ({"action": "lag", "reads": 0}, "reads"),
        ({"action": "lag", "seconds": 1, "nth": 1}, "nth"),
        ({"action": "lag", "seconds": 1, "probability": 1}, "probability"),
        ({"action": "lag", "seconds": 1, "method": "POST"}, "method"),
        ({"action": "kill"}, "pid"),
    ],
)
def test_malformed_faults(platform, fault, field):
    assert list(refused(platform.sandbox, DROP | fault)) == [f"[1].{field}"]
    # Not the well-formed one either.
    platform.ok("GET", "/jobs")


def test_the_fixture_says_what_is_wrong(platform):
    with pytest.raises(SandboxError, match=r"400.*nth counts from 1"):
        platform.sandbox.faults([DROP | {"nth": 0}])


@pytest.mark.parametrize("body", [b"{}", b"[1]", b"[", b"\xff", b"[" * 100_000, b""])
def test_what_is_no_list_of_faults(platform, body):
    assert "plan" in platform.problem("POST", "/_sandbox/faults", 400, content=body)["title"]


TEXTS = ["method", "path", "phase", "action", "content_type"]
NUMBERS = ["nth", "probability", "status", "retry_after", "seconds", "reads", "amount", "pid"]
FIELDS = [*TEXTS, *NUMBERS, "body", "other"]
ACTIONS = "drop status delay truncate expire_tokens spend review stick lag kill explode"
PHASES = "before after_commit mid_body slow after_answer later"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=3,
)


@st.composite
def plausible(draw):
    """Something like a fault."""
    fault = draw(st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=3))
    fault |= {"path": draw(st.sampled_from(["/jobs", ".*", "("]) | VALUES)}
    fault |= {"action": draw(st.sampled_from(ACTIONS.split()) | VALUES)}
    phase = draw(st.sampled_from([None, *PHASES.split()]) | VALUES)
    numbers = st.sampled_from([0, 0.5, 1, 2, 200, 503, 1e300, float("nan"), float("inf")])
    for field in draw(st.sets(st.sampled_from(NUMBERS), max_size=3)):
        fault[field] = draw(numbers)
    return fault | {"phase": phase}


@pytest.mark.filterwarnings("ignore:Possible nested set:FutureWarning")
@settings(deadline=None)
@given(st.lists(plausible(), max_size=3))
def test_a_plan_is_taken_or_its_field_is_named(wanted):
    plan = FaultPlan(0)
    found = problem_with(lambda: plan.plan(wanted, 0))
    if found is None:
        assert plan.plan([], 0) == len(wanted)
        return
    assert found.status == 400
    assert found.errors
    places = {f"[{place}].{field}" for place in range(len(wanted)) for field in FIELDS}
    assert found.errors.keys() <= places
    assert plan.plan([], 0) == 0


def problem_with(call):
    try:
        call()
    except Problem as problem:
        return problem


@pytest.mark.filterwarnings("ignore:Possible nested set:FutureWarning")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(content=st.lists(plausible(), max_size=2).map(json.dumps) | VALUES.map(json.dumps))
def test_no_plan_breaks_the_sandbox(platform, content):
    answer = platform.post("/_sandbox/faults", content=content)
    platform.sandbox.clear_faults()
    assert answer.status_code in (200, 400), answer.text


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    status=st.sampled_from([200, 204, 304, 503]) | st.integers(200, 599),
    more=st.fixed_dictionaries(
        {}, optional={"body": VALUES, "retry_after": VALUES, "content_type": st.text(max_size=9)}
    ),
)
def test_what_is_taken_can_be_answered(platform, status, more):
    # Not a path of the API description, which knows no such answers.
    fault = {"path": "/x", "phase": "before", "action": "status", "status": status, **more}
    try:
        platform.sandbox.faults([fault])
    except SandboxError:
        return
    assert platform.get("/x").status_code == status


@given(st.binary(max_size=20))
def test_any_bytes_are_a_plan_or_none(content):
    problem = problem_with(lambda: read_plan(content))
    assert problem is None or problem.status == 400


# From the beginning


def test_a_file_of_faults(tmp_path, connect):
    file = tmp_path / "faults.json"
    file.write_text(json.dumps([DROP, {"path": "/flow", "action": "lag", "seconds": 10}]))
    with Sandbox.start_with(["--port", "0", "--faults", str(file)]) as sandbox:
        platform = connect(sandbox)
        with pytest.raises(httpx.RemoteProtocolError):
            platform.get("/jobs")
        platform.ok("GET", "/jobs")
        platform.ok("GET", "/flow")
        assert struck(sandbox)[-1] == ("/flow", 200, "before", "lag")
        # They belong to the start, not to what a reset brings back.
        sandbox.reset()
        platform.ok("GET", "/jobs")
        platform.ok("GET", "/flow")
        assert struck(sandbox) == []


@pytest.mark.parametrize(
    ("content", "words", "said"),
    [
        (None, ["sandbox"], "No such file"),
        ("{}", ["sandbox"], "not a list of faults"),
        ("[", ["sandbox", "exec"], "JSON"),
        (json.dumps([DROP, DROP | {"nth": 0}]), ["sandbox"], "[1].nth: nth counts from 1."),
    ],
)
def test_a_file_that_is_no_plan(tmp_path, content, words, said):
    file = tmp_path / "faults.json"
    if content is not None:
        file.write_text(content)
    command = [sys.executable, "-m", "rapidata_core.cli", *words, "--port", "0"]
    command += ["--faults", str(file), *(["--", "true"] if "exec" in words else [])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2, done.stderr
    assert str(file) in done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_sandbox_starts_with_faults(connect):
    with Sandbox.start(faults=[DROP]) as sandbox:
        platform = connect(sandbox)
        with pytest.raises(httpx.RemoteProtocolError):
            platform.get("/jobs")
    with pytest.raises(SandboxError, match="nth counts from 1"):
        Sandbox.start(faults=[DROP | {"nth": 0}])
