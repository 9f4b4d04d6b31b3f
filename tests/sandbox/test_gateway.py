"""What surrounds the handlers: routes, latency, the journal's size, what happens to a bug."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from rapidata_core.sandbox.api.call import Endpoint
from rapidata_core.sandbox.app import create_app
from rapidata_core.sandbox.journal import CAPACITY, Journal
from rapidata_core.sandbox.problems import Problem
from rapidata_core.sandbox.process import Sandbox, SandboxError
from rapidata_core.sandbox.routing import Routes
from rapidata_core.sandbox.store import Store


def routes(*paths):
    def handler(_call):
        raise AssertionError

    return Routes(Endpoint(method, path, handler) for method, path in map(str.split, paths))


@pytest.mark.parametrize(
    ("request_line", "endpoint", "parameters"),
    [
        ("GET /jobs", "GET /jobs", {}),
        ("HEAD /jobs", "GET /jobs", {}),
        ("GET /", "GET /", {}),
        ("GET /job/7", "GET /job/{job_id}", {"job_id": "7"}),
        ("GET /job/a b", "GET /job/{job_id}", {"job_id": "a b"}),
        ("POST /job/7/pause", "POST /job/{job_id}/pause", {"job_id": "7"}),
        ("POST /job/definition", "POST /job/definition", {}),
        # The fixed segment has no such method, but the parameter does.
        ("PATCH /job/definition", "PATCH /job/{id}", {"id": "definition"}),
        ("GET /job/definition/x", "GET /job/definition/{definition_id}", {"definition_id": "x"}),
        # The fixed segment leads nowhere.
        ("POST /job/definition/pause", "POST /job/{job_id}/pause", {"job_id": "definition"}),
    ],
)
def test_the_most_specific_endpoint_answers(request_line, endpoint, parameters):
    known = routes(
        "GET /",
        "GET /jobs",
        "GET /job/{job_id}",
        "PATCH /job/{id}",
        "POST /job/{job_id}/pause",
        "POST /job/definition",
        "GET /job/definition/{definition_id}",
    )
    found, values = known.find(*request_line.split(" ", 1))
    assert f"{found.method} {found.path}" == endpoint
    assert values == parameters


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        ("GET /job", 404),
        ("GET /job/", 404),
        ("GET /jobs/", 404),
        ("GET /job/7/pause/now", 404),
        ("GET *", 404),
        ("DELETE /jobs", 405),
        ("GET /job/7/pause", 405),
    ],
)
def test_what_no_endpoint_answers_is_refused(request_line, status):
    known = routes("GET /jobs", "GET /job/{job_id}", "POST /job/{job_id}/pause")
    endpoint, _ = known.find(*request_line.split())
    assert endpoint.open
    with pytest.raises(Problem) as refused:
        endpoint.handler(None)
    assert refused.value.status == status


def test_two_endpoints_cannot_answer_the_same_path():
    with pytest.raises(AssertionError, match="answer the same path"):
        routes("GET /job/{job_id}", "GET /job/{id}")


def test_latency_is_added_to_each_answer_and_not_to_their_sum(connect):
    with Sandbox.start(latency=300) as sandbox, ThreadPoolExecutor(10) as pool:
        platform = connect(sandbox)
        begun = time.perf_counter()
        statuses = list(pool.map(lambda _: platform.get("/jobs").status_code, range(10)))
        lasted = time.perf_counter() - begun
        assert statuses == [200] * 10
        assert 0.3 <= lasted < 10 * 0.3
        # The control API is not part of the platform.
        assert min(_lasted(sandbox.now) for _ in range(5)) < 0.3


def _lasted(function):
    begun = time.perf_counter()
    function()
    return time.perf_counter() - begun


def test_a_dropped_answer_is_late_too(connect):
    with Sandbox.start(latency=300) as sandbox:
        platform = connect(sandbox)
        sandbox.faults([{"path": "/jobs", "phase": "after_commit", "action": "drop"}])

        def fail():
            with pytest.raises(httpx.RemoteProtocolError):
                platform.get("/jobs")

        assert _lasted(fail) >= 0.3


@pytest.mark.parametrize("latency", [-1, 60_001])
def test_a_latency_makes_sense(latency, capfd):
    with pytest.raises(SandboxError):
        Sandbox.start(latency=latency)
    assert "between 0 and 60000" in capfd.readouterr().err


async def test_a_bug_is_a_500_and_is_logged(caplog):
    store = Store(None, 0, 1.0)
    app = create_app(store)
    store.close()
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as client:
        answer = await client.get("/_sandbox/ledger")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "GET /_sandbox/ledger failed" in caplog.text
    assert "Traceback" in caplog.text


def note(journal, path="/x", body=b"", answer=b""):
    journal.note(
        method="POST",
        path=path,
        query="a=b",
        status=200,
        body=body,
        content_type="application/json",
        at=0,
        user_agent="",
        answer=answer,
    )


def test_the_journal_tells_sizes_and_keeps_no_large_bodies():
    journal = Journal()
    note(journal, body=b"[1]", answer=b"[2, 3]")
    note(journal, body=b'"' + b"x" * 100_000 + b'"', answer=b"y" * 70_000)
    note(journal, "/connect/token", body=b'"secret"', answer=b'"secret"')
    small, large, secret = journal.json(answers=True)
    assert (small["body"], small["answer"]) == ([1], [2, 3])
    assert (small["body_bytes"], small["answer_bytes"]) == (3, 6)
    assert large["body"] == {"omitted_bytes": 100_002}
    assert large["answer"] == {"omitted_bytes": 70_000}
    assert secret["query"] == ""
    assert secret["body"] == secret["answer"] == {"omitted_bytes": 8}
    assert "answer" not in journal.json()[0]


def test_the_journal_forgets_the_oldest():
    journal = Journal()
    for number in range(CAPACITY + 5):
        note(journal, f"/{number}")
    assert len(journal.json()) == CAPACITY
    assert journal.json()[0]["path"] == "/5"
    journal.clear()
    for number in range(1100):
        note(journal, f"/{number}", answer=b"1" * 64 * 1024)
    assert len(journal.json()) == 1024
    assert journal.json()[-1]["path"] == "/1099"


def test_lists_are_asked_anew(platform):
    """Statements are kept; what they found is not."""
    first = platform.compare_job()
    assert platform.ok("GET", "/jobs?page_size=1")["total"] == 1
    second = platform.compare_job()
    page = platform.ok("GET", "/jobs?page_size=1")
    assert (page["total"], page["totalPages"]) == (2, 2)
    newest = platform.ok("GET", "/jobs?page_size=1&sort=-created_at")
    assert [one["items"][0]["jobId"] for one in (page, newest)] == [first, second]
