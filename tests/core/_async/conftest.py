"""What the tests of the client share: a client of the sandbox, and ways not to wait."""

from itertools import count

import pytest

from rapidata_core import AsyncRapidataClient, errors
from rapidata_core._async.transport import AsyncTransport
from rapidata_core.policy.retry import RetryPolicy


@pytest.fixture
async def client(rapidata_sandbox):
    async with AsyncRapidataClient(environment=rapidata_sandbox.url) as client:
        yield client


@pytest.fixture
def impatient(monkeypatch):
    """Lost answers are looked for at once."""
    for home in ("audiences", "waiting"):
        monkeypatch.setattr(f"rapidata_core._async.{home}.SETTLE_PAUSES", (0.0, 0.0))


@pytest.fixture
def hurry(rapidata_sandbox, monkeypatch):
    """Nobody waits in a test: each pause lets the clock jump."""

    async def skip(seconds):
        rapidata_sandbox.advance(seconds)

    monkeypatch.setattr("rapidata_core._async.waiting.async_sleep", skip)


class Killed(BaseException):
    """The process died."""


@pytest.fixture
def restarted(rapidata_sandbox, monkeypatch):
    """Makes the client of a new process, which looks a second later each time it looks."""

    async def skip(seconds):
        rapidata_sandbox.advance(1)

    monkeypatch.setattr("rapidata_core._async.waiting.async_sleep", skip)

    def make(settle=0.2):
        retry = RetryPolicy(attempts=2, first_delay=0.01)
        return AsyncRapidataClient(environment=rapidata_sandbox.url, settle=settle, retry=retry)

    return make


@pytest.fixture
def pays_once(rapidata_sandbox, restarted, monkeypatch):
    """Checks that a call pays once, whatever happens to any of its requests.

    The process dies before a request or after it; or the answer to a request that changes
    something is lost, before it is carried out or after, or is an error. Then the call is made
    again, by a new process. The sandbox's ledger is the judge.
    """
    real = AsyncTransport.send
    # How many requests there are until the one that is struck.
    left = {}

    async def send(self, method, path, **more):
        if not left or (left["writes"] and method == "GET"):
            return await real(self, method, path, **more)
        left["requests"] -= 1
        if left["requests"]:
            return await real(self, method, path, **more)
        left["struck"] = f"{method} {path}"
        strike = left["strike"]
        if strike == "killed before":
            raise Killed
        if isinstance(strike, dict):
            rapidata_sandbox.faults([{"method": method, "path": path, **strike}])
        answer = await real(self, method, path, **more)
        if strike == "killed after":
            raise Killed
        return answer

    monkeypatch.setattr(AsyncTransport, "send", send)

    async def until_done(call):
        for _ in range(5):
            try:
                async with restarted() as client:
                    return await call(client)
            except (errors.AmbiguousSubmissionError, errors.ServerError, errors.TransportError):
                # It said that it does not know, so it may be asked again.
                left.clear()
        raise AssertionError("it does not end")

    async def check(prepare, *, settled=lambda: None):
        strikes = [
            "killed before",
            "killed after",
            {"phase": "before", "action": "drop"},
            {"phase": "after_commit", "action": "drop"},
            {"phase": "after_commit", "action": "status", "status": 503},
        ]
        for strike in strikes:
            for nth in count(1):
                rapidata_sandbox.reset()
                left.clear()
                async with restarted() as client:
                    call = await prepare(client)
                before = paid(rapidata_sandbox)
                left.update(requests=nth, strike=strike, writes=isinstance(strike, dict))
                try:
                    first = await until_done(call)
                except Killed:
                    first = None
                struck = left.get("struck", "")
                done = left.get("requests", 0) > 0
                left.clear()
                rapidata_sandbox.clear_faults()
                again = await until_done(call)
                settled()
                new = [one for one in paid(rapidata_sandbox) if one not in before]
                assert len(new) == 1, f"{strike} at {struck}, request {nth}: paid {new}"
                assert first in (None, again), f"{strike} at {struck}, request {nth}"
                if done:
                    # There are fewer requests than that.
                    break
            assert nth > 1

    return check


def paid(sandbox):
    """The ids of what was charged and not given back."""
    entries = sandbox.ledger()["entries"]
    back = {entry["id"] for entry in entries if entry["kind"] == "refund"}
    return [entry["id"] for entry in entries if entry["id"] not in back]
