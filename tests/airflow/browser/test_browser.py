"""What people see of the provider in Airflow's UI, and what comes of what they click there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from examples.airflow.deployment import Deployment, Run
from rapidata_airflow.version import AIRFLOW_3_3
from rapidata_core.sandbox.process import Sandbox
from tests.airflow.browser.conftest import Keep

playwright = pytest.importorskip(
    "playwright.sync_api", reason="Playwright, which drives the browser, is not installed"
)
if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

pytestmark = pytest.mark.timeout(600)
expect = playwright.expect
# Seconds for what takes a few, however busy the machine is.
RUN_PATIENCE = 400.0


def open_task(page: Page, airflow: Deployment, run: Run, task: str, tab: str) -> None:
    path = f"/dags/{run.dag_id}/runs/{quote(run.run_id)}/tasks/{task}/{tab}"
    page.goto(f"{airflow.api.url}{path}")


def state_of(run: Run, task_id: str) -> str | None:
    return {task["task_id"]: task["state"] for task in run.tasks()}[task_id]


def test_the_connection_form(airflow: Deployment, sandbox: Sandbox, page: Page, keep: Keep):
    page.goto(f"{airflow.api.url}/connections")
    page.get_by_role("button", name="Add Connection").click()
    form = page.get_by_role("dialog")
    form.get_by_role("combobox").click()
    page.keyboard.type("Rapidata")
    page.get_by_role("option", name="Rapidata", exact=True).click()
    form.locator("[name=connection_id]").fill("from_the_form")
    form.locator("[name=login]").fill(sandbox.client_id)
    form.locator("[name=password]").fill(sandbox.client_secret)
    for label in ("Client ID", "Client secret"):
        expect(form.get_by_text(label, exact=True)).to_be_visible()
    for hidden in ("host", "port", "schema"):
        expect(form.locator(f"[name={hidden}]")).to_have_count(0)
    keep(page, "connection")
    form.get_by_role("button", name="Extra Fields", exact=True).click()
    for label in ("Environment", "Namespace", "Max cost per job", "Poll interval"):
        expect(form.get_by_text(label, exact=True)).to_be_visible()
    form.locator("[name=element_environment]").fill(sandbox.url)
    form.locator("[name=element_max_cost_per_job]").fill("2.5")
    form.locator("[name=element_max_cost_per_job]").blur()
    keep(page, "connection_extra")
    form.get_by_role("button", name="Save").click()
    expect(page.get_by_text("from_the_form")).to_be_visible()
    saved = airflow.api.get("/connections/from_the_form")
    assert (saved["conn_type"], saved["login"]) == ("rapidata", sandbox.client_id)
    extra = json.loads(saved["extra"])
    assert (extra["environment"], extra["max_cost_per_job"]) == (sandbox.url, 2.5)


@pytest.fixture(scope="module")
def approved(airflow: Deployment, run: Run, browser: BrowserContext, keep: Keep) -> str:
    """Approve of the run in the form; what the form said."""
    waiting = "awaiting_input" if AIRFLOW_3_3 else "deferred"
    airflow.wait_for("the question", lambda: state_of(run, "approve") == waiting, RUN_PATIENCE)
    page = browser.new_page()
    open_task(page, airflow, run, "approve", "required_actions")
    button = page.get_by_role("button", name="Approve", exact=True)
    expect(button).to_be_enabled()
    expect(page.get_by_text("Estimated cost")).to_be_visible()
    told = page.locator("body").inner_text()
    keep(page, "approval")
    # Who answers within seconds, as no person does, meets a race in Airflow: it takes the end of
    # the worker's process for the end of the task.
    page.wait_for_timeout(20_000)
    button.click()
    expect(page.get_by_text("Response received")).to_be_visible()
    keep(page, "approval_given")
    page.close()
    return told


@pytest.fixture(scope="module")
def labelled(airflow: Deployment, run: Run, approved: str) -> dict[str, Any]:
    """What the task returns that was approved of."""
    ended = ("success", "failed")
    airflow.wait_for("the end", lambda: run.state() in ended, RUN_PATIENCE)
    assert run.state() == "success", run.task_logs()
    return run.xcom("label")


def test_nothing_is_paid_before_somebody_approves(
    approved: str, labelled: dict[str, Any], sandbox: Sandbox
):
    table = [line.split("\t") for line in approved.splitlines()]
    for row in (["Estimated cost", "0.03"], ["Datapoints", "1"], ["Human answers", "3"]):
        assert row in table
    assert "Which reads better?" in approved
    assert labelled["job_id"] == sandbox.ledger()["entries"][0]["id"]
    sandbox.assert_paid_jobs(1)


@pytest.mark.parametrize(
    ("button", "headline"),
    [("Rapidata job", "Which reads better?"), ("Rapidata audience", "Global")],
)
def test_the_links_of_a_task(
    button: str,
    headline: str,
    airflow: Deployment,
    run: Run,
    labelled: dict[str, Any],
    page: Page,
    keep: Keep,
):
    open_task(page, airflow, run, "label", "details")
    link = page.get_by_role("link", name=button, exact=True)
    expect(link).to_be_visible()
    keep(page, "links")
    with page.context.expect_page() as opened:
        link.click()
    expect(opened.value.get_by_role("heading", name=headline)).to_be_visible()
    keep(opened.value, button.lower().replace(" ", "_"))
    opened.value.close()


def test_the_event_of_an_asset(
    airflow: Deployment, labelled: dict[str, Any], page: Page, keep: Keep
):
    page.goto(f"{airflow.api.url}/assets")
    page.get_by_role("link", name="sentences").click()
    # It is shown folded.
    page.locator(".codicon-folding-collapsed").click()
    for told in (labelled["job_id"], '"estimated_cost"', '"rows"', '"uri"'):
        expect(page.locator(".view-lines").get_by_text(told).first).to_be_visible()
    keep(page, "asset_event")
    (event,) = airflow.api.get("/assets/events")["asset_events"]
    names = ("job_id", "rows", "uri", "estimated_cost")
    assert [event["extra"][name] for name in names] == [
        labelled["job_id"],
        1,
        labelled["labels"],
        0.03,
    ]


@pytest.mark.skipif(not AIRFLOW_3_3, reason="Airflow 3.2 stores no states of tasks")
def test_the_state_that_a_task_stores(
    airflow: Deployment, run: Run, labelled: dict[str, Any], page: Page, keep: Keep
):
    open_task(page, airflow, run, "label", "task-state-store")
    expect(page.get_by_text("rapidata_job")).to_be_visible()
    expect(page.get_by_text(labelled["job_id"]).first).to_be_visible()
    keep(page, "task_state")
