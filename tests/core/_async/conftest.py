"""What the tests of the client share: a client of the sandbox, and ways not to wait."""

import pytest

from rapidata_core import AsyncRapidataClient
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
