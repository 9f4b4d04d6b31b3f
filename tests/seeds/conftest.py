"""A home and a browser of their own, for the tests and for the programs that they start."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _hermetic(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    # A command that opens nothing.
    monkeypatch.setenv("BROWSER", "true")
