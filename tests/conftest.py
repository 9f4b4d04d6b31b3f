"""Every test that talks to a sandbox also checks the conversation against the API description."""

from __future__ import annotations

import pytest

from tests import openapi


@pytest.fixture(autouse=True)
def _as_described(request):
    if "rapidata_sandbox" not in request.fixturenames:
        yield
        return
    if "_hermetic" in request.fixturenames:
        # It clears the variables that the sandbox sets, so it comes first.
        request.getfixturevalue("_hermetic")
    sandbox = request.getfixturevalue("rapidata_sandbox")
    yield
    openapi.check(sandbox)
