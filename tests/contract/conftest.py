"""The vendor's own SDK, unmodified, talks to our sandbox over TLS.

It caches and stores things in the user's home, so the home is a temporary folder before it is
imported.
"""

from __future__ import annotations

import os
import tempfile

import pytest

from rapidata_core.sandbox.process import Sandbox

_HOME = tempfile.TemporaryDirectory(prefix="contract-home-")
os.environ["HOME"] = _HOME.name
os.environ["RAPIDATA_DISABLE_OTLP"] = "1"


def pytest_configure(config):
    # The vendor's SDK leaves connections open and uses what its libraries deprecate.
    config.addinivalue_line("filterwarnings", "ignore")


@pytest.fixture(scope="session")
def platform():
    """A sandbox whose clock is fast enough for an SDK that looks every five seconds."""
    with Sandbox.start(tls=True, speed=20) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(platform, monkeypatch):
    platform.reset()
    for name, value in platform.environ.items():
        monkeypatch.setenv(name, value)
    # The SDK asks a code host for its newest version; there is nobody behind this port.
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return platform


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
