"""What the tests of the client share: a client of the sandbox, and ways not to wait."""

import pytest

from rapidata_core import AsyncRapidataClient


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
