"""What a fault on the line does is what it says."""

import asyncio

import pytest

from rapidata_core.http import httpx
from tests.chaos.platform import FAULTLESS, URL, Fault, Line, Platform, play
from tests.chaos.runner import run

TOKEN = {"grant_type": "client_credentials", "scope": "api"}


def send(*faults, planned=()):
    """Ask for tokens; returns what each request became, and how many the sandbox was asked."""

    async def scene():
        platform = await Platform.fresh()
        await platform.control("POST", "/_sandbox/faults", list(planned))
        plan = iter(faults)
        line = Line(platform, lambda _: next(plan), lambda: None)
        seen = []
        async with httpx.AsyncClient(transport=line) as client:
            for _ in faults:
                account = platform.account.client_id, platform.account.client_secret
                try:
                    answer = await client.post(f"{URL}/connect/token", data=TOKEN, auth=account)
                    seen.append(answer.status_code)
                except httpx.TransportError as error:
                    seen.append(type(error).__name__)
        at_once = len((await platform.control("GET", "/_sandbox/requests"))["requests"])
        await asyncio.sleep(10)
        later = len((await platform.control("GET", "/_sandbox/requests"))["requests"])
        return seen, at_once, later

    return play(scene)


@pytest.mark.parametrize(
    ("fault", "seen", "at_once", "later"),
    [
        (FAULTLESS, 200, 1, 1),
        (Fault("answer", stall=3, late=3), 200, 1, 1),
        (Fault("refused", carried_out=False), "ConnectError", 0, 0),
        (Fault("lost", carried_out=False), "ReadError", 0, 0),
        (Fault("lost"), "ReadError", 1, 1),
        (Fault("lost", late=5), "ReadError", 0, 1),
        (Fault("truncated"), "RemoteProtocolError", 1, 1),
        (Fault("503", carried_out=False), 503, 0, 0),
        (Fault("503"), 503, 1, 1),
        (Fault("429", carried_out=False), 429, 0, 0),
    ],
    ids=str,
)
def test_faults(fault, seen, at_once, later):
    assert send(fault) == ([seen], at_once, later)


@pytest.mark.parametrize(
    ("planned", "seen"),
    [
        ({"phase": "after_commit", "action": "drop"}, "ReadError"),
        ({"phase": "mid_body", "action": "truncate"}, "RemoteProtocolError"),
        ({"phase": "before", "action": "status", "status": 503}, 503),
    ],
)
def test_the_sandboxs_own_faults(planned, seen):
    plan = [{"path": ".*", **planned}]
    assert send(FAULTLESS, FAULTLESS, planned=plan)[0] == [seen, 200]


def test_nothing_leaves_a_process_that_was_killed():
    """Not even what its own code would do when it ends; but what it sent before arrives."""
    said = []

    async def scene():
        platform = await Platform.fresh()
        plan = iter([Fault("killed", late=5), *[FAULTLESS] * 9])

        async def work(client):
            try:
                await client.audience.get_audience_by_id("global")
            finally:
                said.append("cleaning up")
                await client.audience.get_audience_by_id("curated")
                said.append("never")

        end = await run(platform, lambda _: next(plan), work)
        before = (await platform.control("GET", "/_sandbox/requests"))["requests"]
        await asyncio.sleep(10)
        after = (await platform.control("GET", "/_sandbox/requests"))["requests"]
        return end, before, [request["path"] for request in after]

    end, before, after = play(scene)
    assert (end.error, end.job_id, said) == ("killed", None, ["cleaning up"])
    assert before == []
    assert after == ["/connect/token"]
