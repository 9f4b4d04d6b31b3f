"""The fixture ``rapidata_sandbox``: a platform of one's own for every test.

This module is imported in every pytest run of everybody who has the package installed, so it
imports nothing but pytest until a test asks for the fixture.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rapidata_core.sandbox.process import Sandbox


@pytest.fixture(scope="session")
def _rapidata_sandbox_process() -> Iterator[Sandbox]:  # pyright: ignore[reportUnusedFunction]
    """One server per pytest process, hence per worker of pytest-xdist."""
    from rapidata_core.sandbox.process import Sandbox

    with Sandbox.start() as sandbox:
        yield sandbox


@pytest.fixture
def rapidata_sandbox(
    _rapidata_sandbox_process: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> Sandbox:
    """A Rapidata sandbox, empty at the start of each test, with the environment pointing to it."""
    _rapidata_sandbox_process.reset()
    for name, value in _rapidata_sandbox_process.environ.items():
        monkeypatch.setenv(name, value)
    return _rapidata_sandbox_process
