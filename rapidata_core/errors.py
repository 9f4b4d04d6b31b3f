"""Every exception that this package raises, in one hierarchy.

Each message says what happened, on which object, and what to do next. Secrets are never part of
a message, an attribute or a representation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pydantic

# More than this many sentences or names help nobody.
_MOST = 10


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


def problems_in(error: pydantic.ValidationError) -> list[str]:
    """One sentence per problem, starting with the argument; inputs are not echoed at length."""
    sentences: list[str] = []
    for problem in error.errors(include_url=False, include_input=False):
        first, *rest = problem["loc"] or ("input",)
        # Alternatives of one argument are named by their type; that is no part of the input.
        places = [part for part in rest if not str(part).startswith("list[")]
        where = f"{first}{''.join(f'[{part!r}]' for part in places)}"
        sentences.append(f"{where}: {problem['msg'].removeprefix('Value error, ')}")
    return sentences


def blank(argument: str, text: object) -> list[str]:
    """What is wrong with a text that has to say something; nothing when it does."""
    if isinstance(text, str):
        return [] if text.strip() else [f"{argument}: must not be blank"]
    return [f"{argument}: must be a text, not {text!r}"]


def is_number(value: object) -> bool:
    """Whether something is a number; True and False are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_whole(value: object, least: float) -> bool:
    """Whether something is a whole number that is large enough; True and False are none."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def outside(
    argument: str,
    value: float,
    low: float,
    high: float = inf,
    *,
    without: Sequence[float] = (),
    whole: bool = False,
) -> list[str]:
    """What is wrong with a number that has to be in a range; nothing when it is.

    Args:
        argument: What the number is for.
        value: The number; whatever else it may be is wrong. So is infinity.
        low: The least number that is right.
        high: The greatest.
        without: Those of the two ends that are wrong themselves.
        whole: Whether it has to be a whole number.
    """
    right = is_whole(value, low) if whole else is_number(value) and value >= low
    if right and value <= high and value not in {*without, inf}:
        return []
    ends = [f"{'above' if low in without else 'at least'} {low}"]
    if high < inf:
        ends.append(f"{'below' if high in without else 'at most'} {high}")
    kind = "a whole number, " if whole else ""
    return [f"{argument}: must be {kind}{' and '.join(ends)}, not {value!r}"]


def first(problems: Sequence[str]) -> list[str]:
    """The first problems, and how many more there are."""
    more = len(problems) - _MOST
    return [*problems[:_MOST], *([f"and {more} more"] if more > 0 else [])]


def some(names: Iterable[object]) -> str:
    """The first of the names, and how many more there are."""
    return ", ".join(first([repr(name) for name in names]))


def refuse(problems: Iterable[str]) -> None:
    """Refuse arguments that have problems, each a sentence that starts with the argument's name.

    Raises:
        ValidationError: There are problems; it names all of them.
    """
    listed = list(problems)
    if listed:
        arguments = dict.fromkeys(problem.split(":")[0] for problem in listed)
        raise ValidationError(", ".join(arguments), listed)


def refuse_blank(**texts: object) -> None:
    """Refuse arguments that have to say something and do not.

    Raises:
        ValidationError: It names all of them.
    """
    refuse(problem for argument, text in texts.items() for problem in blank(argument, text))


class AuthenticationError(RapidataError):
    """No credentials, or the platform refused them."""


class NotFoundError(RapidataError):
    """The object does not exist, or these credentials may not see it."""


class RateLimitedError(RapidataError):
    """The platform asked us to slow down for longer than we were willing to wait.

    Attributes:
        retry_after: Seconds that it asked us to wait, or None where it did not say.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.retry_after = retry_after


class ServerError(RapidataError):
    """The platform failed (5xx), or its answer was not what its contract says."""


class ResultsError(RapidataError):
    """A results file cannot be read as one, or is about something else than it should be."""


class ExportError(RapidataError):
    """Something could not be written. Unless the message says otherwise, all is as before."""


class TransportError(RapidataError):
    """No complete answer arrived.

    Attributes:
        sent: False when the request certainly never reached the platform; True when it may have
            been carried out although we saw no answer.
    """

    def __init__(self, message: str, *, sent: bool, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.sent = sent


def is_undone(error: RapidataError) -> bool:
    """Whether a request that failed was certainly not carried out, and may be sent again."""
    return isinstance(error, RateLimitedError) or (
        isinstance(error, TransportError) and not error.sent
    )


class BudgetExceededError(RapidataError):
    """The platform's estimate is above ``max_cost``, or a spend cap does not allow it.

    There is no new job: none was created, or it was deleted again, as the cap was used up by other
    runners at the same moment.

    Attributes:
        estimated_cost: What it would cost; of a cap, with everything that counts towards it.
        max_cost: The limit.
    """

    def __init__(self, message: str, *, estimated_cost: float, max_cost: float) -> None:
        super().__init__(message)
        self.estimated_cost = estimated_cost
        self.max_cost = max_cost


class AmbiguousSubmissionError(RapidataError):
    """A paid call got no clear answer, and reading did not tell what became of it.

    The message says where to look before you try again. Submitting again with the same key is
    always safe: that looks before it pays.
    """


class KeyConflictError(RapidataError):
    """The key already has something on the platform, and that is not what is asked for now.

    Attributes:
        object_id: What the key has: a job, a signal, or a flow item.
        expected: What was asked for now, or its fingerprint.
        found: The same of what the key has.
    """

    def __init__(self, message: str, *, object_id: str, expected: str, found: str) -> None:
        super().__init__(message)
        self.object_id = object_id
        self.expected = expected
        self.found = found


class SubmissionConflictError(KeyConflictError):
    """The key already has a job, and that job asks something else.

    Attributes:
        job_id: The job that the key has.
        expected: Fingerprint of what was to be submitted now.
        found: Fingerprint of what the existing job asks.
    """

    def __init__(self, message: str, *, job_id: str, expected: str, found: str) -> None:
        super().__init__(message, object_id=job_id, expected=expected, found=found)
        self.job_id = job_id


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


class AudienceNeedsAttentionError(RapidataError):
    """Nobody will ever qualify for the audience unless somebody acts.

    Attributes:
        audience_id: The audience.
    """

    def __init__(self, message: str, *, audience_id: str, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.audience_id = audience_id


class WaitTimeoutError(JobError, TimeoutError):
    """The job was not done in time. It goes on; wait again with its id."""


@dataclass(frozen=True)
class FailedUpload:
    """One datapoint that could not be uploaded, and why.

    Attributes:
        item: The datapoint, a :class:`rapidata_core.jobs.Datapoint`.
        error_message: What went wrong, in the same words for all datapoints with the same problem.
        error_type: ``AssetUploadFailed``, ``RapidataError`` (the platform refused the datapoint),
            or ``OutcomeUnknown`` (the answer was lost, and reading did not tell).
        timestamp: When it failed.
        exception: The error behind it, if there was one.
        reason: Of a failed asset, what was wrong with it: ours of a file, the platform's of a URL.
        stage: Where the platform failed on a URL, for example ``download``.
        http_status: What the server behind the URL answered.
    """

    item: Any
    error_message: str
    error_type: str
    timestamp: datetime
    exception: Exception | None = None
    reason: str | None = None
    stage: str | None = None
    http_status: int | None = None


class FailedUploadException(RapidataError):  # noqa: N818 - the platform documents' own name
    """Some datapoints could not be uploaded. What succeeded stays on the platform.

    Attributes:
        dataset: The dataset with the datapoints that succeeded; its ``add_datapoints`` takes
            ``failed_uploads``. None when it was refused before anything was sent.
        job_definition: The definition made of what succeeded; None when nothing did, or when
            incomplete definitions are not wanted.
        order: The order of ``job_definition``, where ``client.order`` was asked for one.
        detailed_failures: What failed and why, one :class:`FailedUpload` per datapoint.

    ``dataset``, ``job_definition``, ``order`` and :meth:`retry` need the client's connection, so a
    copy in another process has them no more.
    """

    def __init__(
        self,
        message: str,
        *,
        detailed_failures: Sequence[FailedUpload],
        dataset: Any = None,
        job_definition: Any = None,
        retry: Callable[[], Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.detailed_failures = list(detailed_failures)
        self.dataset = dataset
        self.job_definition = job_definition
        self.order: Any = None
        self._retry = retry

    @property
    def failed_uploads(self) -> list[Any]:
        """The datapoints that failed."""
        return [failure.item for failure in self.detailed_failures]

    @property
    def failures_by_reason(self) -> dict[str, list[Any]]:
        """The datapoints that failed, by ``error_message``."""
        grouped: dict[str, list[Any]] = {}
        for failure in self.detailed_failures:
            grouped.setdefault(failure.error_message, []).append(failure.item)
        return grouped

    def retry(self) -> Any:
        """Upload what failed once more, at its old place; to be awaited with the async client.

        Returns:
            The job definition, complete now.

        Raises:
            FailedUploadException: Some of it failed again.
        """
        if self._retry is None:
            raise RapidataError(
                "This copy of the error has no connection any more: it comes from another process. "
                "Submit again; what was uploaded before is not uploaded twice."
            )
        return self._retry()

    def __reduce__(self) -> tuple[Any, ...]:
        restore, (kind, arguments, attributes) = super().__reduce__()
        gone = dict.fromkeys(("dataset", "job_definition", "order", "_retry"))
        return restore, (kind, arguments, {**attributes, **gone})


class RevisionConflictError(RapidataError):
    """A job definition has a newer revision than the one that was to be changed.

    Attributes:
        job_definition_id: The definition.
        base_revision: The revision that the change was made to.
        latest_revision: The newest one, or None if the platform did not say.
    """

    def __init__(
        self,
        message: str,
        *,
        job_definition_id: str,
        base_revision: int,
        latest_revision: int | None,
        **facts: Any,
    ) -> None:
        super().__init__(message, **facts)
        self.job_definition_id = job_definition_id
        self.base_revision = base_revision
        self.latest_revision = latest_revision


class SignalRunError(RapidataError):
    """A firing of a signal made no job.

    Attributes:
        signal_id: The signal; it goes on.
        run_id: The firing.
        status: ``Skipped``, or ``Failed``.
    """

    def __init__(self, message: str, *, signal_id: str, run_id: str, status: str) -> None:
        super().__init__(message)
        self.signal_id = signal_id
        self.run_id = run_id
        self.status = status


class FlowItemFailedError(RapidataError):
    """The platform ended a flow item without results.

    Attributes:
        flow_item_id: The item.
    """

    def __init__(self, message: str, *, flow_item_id: str) -> None:
        super().__init__(message)
        self.flow_item_id = flow_item_id


class IncompleteUploadError(FailedUploadException):
    """Some prompts or samples did not get to a benchmark. The others did, and stay there.

    ``failed_uploads`` has them as they were given; :meth:`retry` sends them again.

    Attributes:
        benchmark: The benchmark whose prompts they are, or None.
        participant: The participant whose samples they are, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        detailed_failures: Sequence[FailedUpload],
        retry: Callable[[], Any],
        benchmark: Any = None,
        participant: Any = None,
    ) -> None:
        super().__init__(message, detailed_failures=detailed_failures, retry=retry)
        self.benchmark = benchmark
        self.participant = participant

    def __reduce__(self) -> tuple[Any, ...]:
        restore, (kind, arguments, attributes) = super().__reduce__()
        gone = dict.fromkeys(("benchmark", "participant"))
        return restore, (kind, arguments, {**attributes, **gone})


class QualityGateError(RapidataError):
    """The labels are not good enough. They, and what they cost, stay as they are.

    Attributes:
        report: What was found, a :class:`rapidata_core.results.quality.gate.QualityReport`.
    """

    def __init__(self, message: str, *, report: Any) -> None:
        super().__init__(message)
        self.report = report


# What trying again cannot change: a person has to change the input, the account or the job.
FINAL: tuple[type[RapidataError], ...] = (
    AuthenticationError,
    BudgetExceededError,
    FlowItemFailedError,
    JobFailedError,
    KeyConflictError,
    NotFoundError,
    QualityGateError,
    RevisionConflictError,
    ValidationError,
)
