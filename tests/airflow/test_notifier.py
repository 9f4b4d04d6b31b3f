"""Telling people about jobs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from airflow.sdk import BaseNotifier, BaseOperator

from rapidata_airflow.hooks.rapidata import RapidataHook
from rapidata_airflow.links import JOB_URL
from rapidata_airflow.notifications.rapidata import RapidataNotifier
from rapidata_core import parse_job
from rapidata_core.errors import ValidationError
from rapidata_core.sandbox.process import Sandbox

Connect = Callable[..., None]


class Post(BaseNotifier):
    """Keeps what it was asked to deliver."""

    template_fields = ("text",)

    def __init__(self, sent: list[str], text: str) -> None:
        super().__init__()
        self.sent = sent
        self.text = text

    def notify(self, context: Any) -> None:
        self.sent.append(self.text)


class Broken(BaseNotifier):
    """Delivers nothing."""

    def notify(self, context: Any) -> None:
        raise RuntimeError("no network")


TEXT = "{{ rapidata_job.state }} | {{ rapidata_job.url }} | {{ rapidata_job.message }}"


@pytest.fixture
def context(context_of: Callable[..., Any]) -> dict[str, Any]:
    """What a callback of a task that failed before it had a job is called with."""
    return context_of(BaseOperator(task_id="ask"), map_index=2, exception=ValueError("no file"))


@pytest.fixture
def job_id(sandbox: Sandbox, compare_job: dict[str, Any], context: dict[str, Any]) -> str:
    """A job that is under way, which the task has announced."""
    with RapidataHook().get_conn() as client:
        submission = client.submit(parse_job(compare_job), "global", key="the task")
    context["ti"].xcom_push("job_id", submission.job_id)
    context["ti"].xcom_push(JOB_URL, "https://page.example")
    return submission.job_id


def told(context: dict[str, Any], **options: Any) -> list[str]:
    sent: list[str] = []
    RapidataNotifier([Post(sent, TEXT)], **options)(context)
    return sent


def test_it_says_who_must_do_what(
    sandbox: Sandbox,
    job_id: str,
    context: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
):
    sandbox.set_job_state(job_id, "SpendLimited")
    [text] = told(context, only_attention=True)
    state, url, message = text.split(" | ")
    assert (state, url) == ("SpendLimited", "https://page.example")
    assert job_id in message
    assert "raise the balance" in message
    assert f"{message} {url}" in capsys.readouterr().out


def test_a_job_that_has_failed_says_why(sandbox: Sandbox, job_id: str, context: dict[str, Any]):
    sandbox.set_job_state(job_id, "Failed", failure_message="bad assets")
    [text] = told(context)
    assert text.startswith("Failed | https://page.example | ")
    assert "bad assets" in text
    assert told(context, only_attention=True) == []


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0, "goes on"), (3600, "Completed | https://page.example | ")]
)
def test_a_job_that_needs_nobody(
    seconds: float, expected: str, sandbox: Sandbox, job_id: str, context: dict[str, Any]
):
    sandbox.advance(seconds)
    [text] = told(context)
    assert expected in text
    assert told(context, only_attention=True) == []


def test_a_task_without_a_job_says_why_it_failed(context: dict[str, Any]):
    assert told(context) == ["None | None | The task has no job on record: no file"]
    assert told(context, only_attention=True) == []


def test_a_platform_that_is_away_keeps_nobody_from_being_told(
    job_id: str, context: dict[str, Any], connect: Connect
):
    connect(login="somebody", password="some-secret", host="http://127.0.0.1:1")
    [text] = told(context)
    assert text.startswith(f"None | https://page.example | Cannot tell how job {job_id} is")
    [text] = told(context, rapidata_conn_id="absent")
    assert "airflow connections add absent" in text


def test_a_notifier_that_fails_does_not_silence_the_others(context: dict[str, Any]):
    sent: list[str] = []
    RapidataNotifier([Broken(), Post(sent, TEXT)])(context)
    assert len(sent) == 1


def test_it_tells_again_what_is_new(sandbox: Sandbox, job_id: str, context: dict[str, Any]):
    sent: list[str] = []
    notifier = RapidataNotifier([Post(sent, "{{ rapidata_job.state }}")])
    for state in ("Paused", "SpendLimited"):
        sandbox.set_job_state(job_id, state)
        notifier(context)
    assert sent == ["Paused", "SpendLimited"]


@pytest.mark.parametrize(
    ("notifiers", "problem"),
    [
        (["slack", print], "notifiers[0]: must be a notifier, not str"),
        (Broken(), "notifiers: must be a list of notifiers, not Broken"),
    ],
)
def test_anything_else_is_refused(notifiers: Any, problem: str):
    with pytest.raises(ValidationError) as raised:
        RapidataNotifier(notifiers)
    assert problem in raised.value.problems
