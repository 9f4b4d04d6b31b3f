"""A real Airflow in a real browser: one start of each for all tests of this folder."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from examples.airflow.deployment import Deployment, Run
from rapidata_core.sandbox.process import Sandbox

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

DAGS = Path(__file__).parent / "dags"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
# It talks to nobody but Airflow and the sandbox.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# Seconds for whatever a page has to show, however busy the machine is.
PATIENCE = 120.0

Keep = Callable[..., None]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start() as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def airflow(
    sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory, chromium: str
) -> Iterator[Deployment]:
    connection = {
        "conn_type": "rapidata",
        "login": sandbox.client_id,
        "password": sandbox.client_secret,
        "host": sandbox.url,
    }
    variables = {
        "AIRFLOW_CONN_RAPIDATA_DEFAULT": json.dumps(connection),
        # Otherwise a task gives up when the API server is busy with a page for five seconds.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "120",
        "RAPIDATA_RESULTS": str(tmp_path_factory.mktemp("results")),
        "RAPIDATA_SETTLE": "4",
    }
    deployment = Deployment(tmp_path_factory.mktemp("airflow"), DAGS, variables)
    try:
        with deployment:
            yield deployment
    except BaseException:
        print(deployment.last_words())
        raise


@pytest.fixture(scope="module")
def run(airflow: Deployment) -> Run:
    """A run that waits for its approval."""
    return airflow.trigger("approved_labels")


@pytest.fixture(scope="module")
def chromium() -> str:
    if CHROMIUM is None:
        pytest.skip("There is no Chromium on this machine")
    return CHROMIUM


@pytest.fixture(scope="module")
def browser(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    # The tests are skipped where it is not installed.
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=1000 * PATIENCE)
    with sync_playwright() as driver:
        context = driver.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("profile"),
            executable_path=chromium,
            args=FLAGS,
            viewport={"width": 1400, "height": 1000},
            locale="en-US",
        )
        context.set_default_timeout(1000 * PATIENCE)
        yield context
        context.close()


@pytest.fixture
def page(browser: BrowserContext) -> Iterator[Page]:
    page = browser.new_page()
    yield page
    page.close()


@pytest.fixture(scope="module")
def keep(tmp_path_factory: pytest.TempPathFactory) -> Keep:
    """Keep a picture of a page, where RAPIDATA_SCREENSHOTS says."""
    wanted = os.environ.get("RAPIDATA_SCREENSHOTS")
    folder = Path(wanted) if wanted else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)

    def take(page: Page, name: str) -> None:
        page.screenshot(path=folder / f"{name}.png")

    return take
