"""How work can end for a task, and which endings a retry can mend."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from enum import StrEnum

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from rapidata_core.errors import (
    FINAL,
    AudienceNeedsAttentionError,
    JobNeedsAttentionError,
    RapidataError,
    ValidationError,
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
    """The work goes on; a retry waits for it again."""
    ERROR = "error"
    """A retry may help."""


class RapidataTaskError(AirflowException):
    """A task failed, and a retry may mend it.

    Attributes:
        outcome: How the work ended.
    """

    def __init__(self, message: str, outcome: Outcome = Outcome.ERROR) -> None:
        super().__init__(message)
        self.outcome = outcome


def outcome_of(error: Exception) -> Outcome:
    """How work ends for a task that meets this error."""
    if isinstance(error, FINAL):
        return Outcome.FAILED
    if isinstance(error, JobNeedsAttentionError | AudienceNeedsAttentionError):
        return Outcome.NEEDS_ATTENTION
    if isinstance(error, WaitTimeoutError):
        return Outcome.TIMEOUT
    return Outcome.ERROR


def task_error(outcome: str, message: str) -> AirflowException:
    """The exception with which a task fails; Airflow retries it unless the outcome is final."""
    if outcome == Outcome.FAILED:
        return AirflowFailException(message)
    return RapidataTaskError(message, Outcome(outcome))


@contextmanager
def failing_the_task() -> Generator[None]:
    """Turn the client's errors into the task's.

    Raises:
        AirflowFailException: No retry can mend it.
        RapidataTaskError: A retry may.
    """
    try:
        yield
    except RapidataError as error:
        raise task_error(outcome_of(error), str(error)) from error


def reaction_problems(on_attention: Mapping[str, str] | None) -> list[str]:
    """What is wrong with reactions to states in which somebody has to act."""
    from rapidata_core.policy.polling import reactions

    try:
        reactions(on_attention)
    except ValidationError as error:
        return error.problems
    return []
