"""How a job can end for a task, and which endings a retry can mend."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from enum import StrEnum

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from rapidata_core.errors import (
    FINAL,
    JobNeedsAttentionError,
    RapidataError,
    WaitTimeoutError,
)


class Outcome(StrEnum):
    """The ``status`` of a trigger's event."""

    COMPLETED = "completed"
    FAILED = "failed"
    """No retry can mend it."""
    NEEDS_ATTENTION = "needs_attention"
    """Somebody has to act on the platform; a retry finds out whether somebody has."""
    TIMEOUT = "timeout"
    """The job goes on; a retry waits for it again."""
    ERROR = "error"
    """A retry may help."""


def outcome_of(error: Exception) -> Outcome:
    """How a job ends for a task that meets this error."""
    if isinstance(error, FINAL):
        return Outcome.FAILED
    if isinstance(error, JobNeedsAttentionError):
        return Outcome.NEEDS_ATTENTION
    if isinstance(error, WaitTimeoutError):
        return Outcome.TIMEOUT
    return Outcome.ERROR


def task_error(outcome: str, message: str) -> AirflowException:
    """The exception with which a task fails; Airflow retries it unless the outcome is final."""
    if outcome == Outcome.FAILED:
        return AirflowFailException(message)
    return AirflowException(message)


@contextmanager
def failing_the_task() -> Generator[None]:
    """Turn the client's errors into the task's.

    Raises:
        AirflowFailException: No retry can mend it.
        AirflowException: A retry may.
    """
    try:
        yield
    except RapidataError as error:
        raise task_error(outcome_of(error), str(error)) from error
