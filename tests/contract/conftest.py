"""The vendor's own SDK, unmodified, talks to our sandbox over TLS.

It caches and stores things in the user's home, so the home is a temporary folder before it is
imported.
"""

from __future__ import annotations

import os
import tempfile
import time

import pytest

from rapidata_core.sandbox.process import Sandbox
from tests import openapi

_HOME = tempfile.TemporaryDirectory(prefix="contract-home-")
os.environ["HOME"] = _HOME.name
os.environ["RAPIDATA_DISABLE_OTLP"] = "1"
# A command that opens nothing.
os.environ["BROWSER"] = "true"

_sleep = time.sleep
_platforms: list[Sandbox] = []


def _jump(seconds: float) -> None:
    """Nobody waits: the sandbox's clock jumps ahead instead."""
    if _platforms and seconds >= 0.25:
        _platforms[-1].advance(20 * seconds)
    else:
        _sleep(seconds)


# Before the vendor's SDK, which waits in many places, takes it from there.
time.sleep = _jump


def pytest_configure(config):
    # The vendor's SDK leaves connections open and uses what its libraries deprecate.
    config.addinivalue_line("filterwarnings", "ignore")


@pytest.fixture(scope="session")
def platform():
    """A sandbox whose clock is fast enough for an SDK that looks every five seconds."""
    with Sandbox.start(tls=True, speed=20) as sandbox:
        _platforms.append(sandbox)
        yield sandbox
        _platforms.remove(sandbox)


@pytest.fixture
def sandbox(platform, monkeypatch):
    platform.reset()
    for name, value in platform.environ.items():
        monkeypatch.setenv(name, value)
    # The SDK remembers in its process what it has uploaded; so do we, in the home that is ours.
    monkeypatch.setenv("RAPIDATA_cacheToDisk", "true")
    # The SDK asks a code host for its newest version; there is nobody behind this port.
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    incomplete = _note_incomplete_answers(monkeypatch)
    yield platform
    openapi.check(platform)
    assert not incomplete


def _note_incomplete_answers(monkeypatch):
    """Collect what the vendor's models miss in our answers, though nobody may read those fields."""
    from rapidata.api_client.lazy_model import LazyValidatedModel

    lenient = LazyValidatedModel._lazy_construct.__func__
    found = []

    def note(model, data, error):
        made = lenient(model, data, error)
        found.append(f"{model.__name__}: {error}")
        return made

    monkeypatch.setattr(LazyValidatedModel, "_lazy_construct", classmethod(note))
    return found


@pytest.fixture
def vendor(sandbox):
    """The vendor's client, set up by environment variables alone."""
    import rapidata

    return rapidata.RapidataClient()


@pytest.fixture
def ours(sandbox):
    from rapidata_core import RapidataClient

    with RapidataClient() as client:
        yield client
