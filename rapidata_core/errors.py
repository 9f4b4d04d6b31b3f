"""Every exception that this package raises, in one hierarchy.

Each message says what happened, on which object, and what to do next. Secrets are never part of
a message, an attribute or a representation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class RapidataError(Exception):
    """Root of all errors of this package.

    Attributes:
        status_code: HTTP status of the answer that caused the error, or None when there was none.
        details: The platform's problem document, or None.
        trace_id: The platform's id of the request; quote it when you ask for support.
        request: Method and path of the request, for example ``POST /job``.
        attempts: How many times the request was sent.
    """

    def __init__(
        self,
        message: str,
        *,
        status_code: int | None = None,
        details: Mapping[str, Any] | None = None,
        trace_id: str | None = None,
        request: str | None = None,
        attempts: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status_code = status_code
        self.details = details
        self.trace_id = trace_id
        self.request = request
        self.attempts = attempts

    def __reduce__(self) -> tuple[Any, ...]:
        # Engines send exceptions between processes; constructors differ, so they are not called.
        return _restore, (type(self), self.args, self.__dict__)

    def __str__(self) -> str:
        facts = [
            self.request,
            f"HTTP {self.status_code}" if self.status_code else None,
            f"{self.attempts} attempts" if self.attempts and self.attempts > 1 else None,
            f"trace id {self.trace_id}" if self.trace_id else None,
        ]
        known = ", ".join(fact for fact in facts if fact)
        return f"{self.message} ({known})" if known else self.message


def _restore(
    kind: type[RapidataError], arguments: tuple[object, ...], attributes: dict[str, Any]
) -> RapidataError:
    error = kind.__new__(kind, *arguments)
    error.__dict__.update(attributes)
    return error


class ValidationError(RapidataError, ValueError):
    """The input is wrong; nothing was uploaded and nothing was paid.

    Attributes:
        problems: Every problem found, one sentence each, starting with the argument's name.
    """

    def __init__(self, subject: str, problems: Sequence[str], **facts: Any) -> None:
        self.subject = subject
        self.problems = list(problems)
        listed = "".join(f"\n  - {problem}" for problem in self.problems)
        super().__init__(f"{subject} is not valid:{listed}", **facts)


class AuthenticationError(RapidataError):
    """No credentials, or the platform refused them."""


class NotFoundError(RapidataError):
    """The object does not exist, or these credentials may not see it."""


class RateLimitedError(RapidataError):
    """The platform asked us to slow down for longer than we were willing to wait."""


class ServerError(RapidataError):
    """The platform failed (5xx), or its answer was not what its contract says."""


class TransportError(RapidataError):
    """No complete answer arrived.

    Attributes:
        sent: False when the request certainly never reached the platform; True when it may have
            been carried out although we saw no answer.
    """

    def __init__(self, message: str, *, sent: bool, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.sent = sent


class BudgetExceededError(RapidataError):
    """The platform's estimate is above ``max_cost``; no job was created."""

    def __init__(self, message: str, *, estimated_cost: float, max_cost: float) -> None:
        super().__init__(message)
        self.estimated_cost = estimated_cost
        self.max_cost = max_cost


class AmbiguousSubmissionError(RapidataError):
    """A paid call got no clear answer and the job did not show up while we looked for it.

    Submitting again with the same key is safe: it looks before it pays.
    """


class SubmissionConflictError(RapidataError):
    """The key already has a job, and that job asks something else.

    Attributes:
        job_id: The job that the key has.
        expected: Fingerprint of what was to be submitted now.
        found: Fingerprint of what the existing job asks.
    """

    def __init__(self, message: str, *, job_id: str, expected: str, found: str) -> None:
        super().__init__(message)
        self.job_id = job_id
        self.expected = expected
        self.found = found


class JobError(RapidataError):
    """Something about one job.

    Attributes:
        job_id: The job; it lives on, whatever happened here.
        state: Its state when the error was raised.
    """

    def __init__(self, message: str, *, job_id: str, state: str, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.job_id = job_id
        self.state = state


class JobFailedError(JobError):
    """The platform ended the job without results."""


class JobNeedsAttentionError(JobError):
    """The job does not go on by itself: somebody has to act."""


class WaitTimeoutError(JobError, TimeoutError):
    """The job was not done in time. It goes on; wait again with its id."""


class FailedUploadException(RapidataError):  # noqa: N818 - the platform documents' own name
    """Some datapoints could not be uploaded; no job definition was created.

    Attributes:
        failed_uploads: The datapoints that failed, as they were given.
        failures_by_reason: The same, grouped by the platform's reason.
    """

    def __init__(self, message: str, *, failures: Mapping[str, Sequence[Any]]) -> None:
        super().__init__(message)
        self.failures_by_reason = {reason: list(items) for reason, items in failures.items()}
        self.failed_uploads = [item for items in self.failures_by_reason.values() for item in items]


# What trying again cannot change: a person has to change the input, the account or the job.
FINAL: tuple[type[RapidataError], ...] = (
    AuthenticationError,
    BudgetExceededError,
    JobFailedError,
    NotFoundError,
    SubmissionConflictError,
    ValidationError,
)
