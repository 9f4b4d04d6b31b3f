"""One Prefect server and one quick sandbox per test run; nothing of the user's own Prefect."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HOME = Path(tempfile.mkdtemp(prefix="rapidata-prefect-tests-"))

# Prefect reads these once, when it is imported.
for name in [name for name in os.environ if name.startswith(("PREFECT_", "RAPIDATA_"))]:
    del os.environ[name]
os.environ |= {
    "HOME": str(HOME),
    "PREFECT_HOME": str(HOME / "prefect"),
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_TO_API_ENABLED": "false",
    "PREFECT_CLI_PROMPT": "false",
    "PREFECT_CLI_COLORS": "false",
    # A test that forgets the server below fails instead of starting one.
    "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
    "DO_NOT_TRACK": "1",
}

from rapidata_core.sandbox.process import Sandbox  # noqa: E402


def pytest_configure(config: pytest.Config) -> None:
    # Prefect leaves connections to its server open, also in a flow with nothing of ours in it.
    config.addinivalue_line("filterwarnings", "ignore:unclosed <socket.socket:ResourceWarning")


def pytest_unconfigure() -> None:
    shutil.rmtree(HOME, ignore_errors=True)


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[str]:
    """The API's URL of a server that lives as long as the tests."""
    from prefect.settings import get_current_settings
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=110):
        url = get_current_settings().api.url
        assert url is not None
        yield url


@pytest.fixture(scope="session")
def quick_sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(speed=100) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(quick_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """A sandbox whose people need a few hundredths of a second for a small job."""
    quick_sandbox.reset()
    for name, value in quick_sandbox.environ.items():
        monkeypatch.setenv(name, value)
    return quick_sandbox


@pytest.fixture
def question() -> Callable[..., dict[str, Any]]:
    """Make small job specs that differ in their instruction."""

    def make(instruction: str = "Is this a colour?") -> dict[str, Any]:
        return {
            "type": "classification",
            "name": "Colours",
            "instruction": instruction,
            "answer_options": ["yes", "no"],
            "datapoints": ["red", "house"],
            "data_type": "text",
            "responses_per_datapoint": 3,
        }

    return make
