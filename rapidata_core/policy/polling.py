"""When to look again, and what a state means for somebody who waits."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast, get_args

from rapidata_core.errors import (
    JobFailedError,
    JobNeedsAttentionError,
    RapidataError,
    RateLimitedError,
    ServerError,
    TransportError,
    ValidationError,
    WaitTimeoutError,
)
from rapidata_core.policy.audiences import MIN_EXAMPLES
from rapidata_core.types import JobState, Reaction
from rapidata_core.wire.model import PAGE_SIZE

# Failures that are looked past for a while.
PASSING = (RateLimitedError, ServerError, TransportError)

_NEEDS_ATTENTION = {
    JobState.MANUAL_APPROVAL: "waits for the platform's staff to review it; ask Rapidata if it "
    "takes long",
    JobState.SPEND_LIMITED: "has run out of funds; raise the balance or the spend limit in the "
    "dashboard, then resume it",
    JobState.PAUSED: "is paused; resume it (job.resume() or in the dashboard)",
    JobState.BLOCKED: "is blocked because a task was flagged; look at it in the dashboard",
    JobState.STALE_RESULTS: "has results that are out of date; job.get_results() makes them anew",
}
_RESUMABLE = (JobState.PAUSED, JobState.SPEND_LIMITED, JobState.BLOCKED)
# States in which nobody answers.
_IDLE = (JobState.SUBMITTED, JobState.QUEUED, *_NEEDS_ATTENTION)


@dataclass(frozen=True)
class PollingPolicy:
    """How often to look.

    Attributes:
        fastest: Seconds between looks at first.
        slowest: Seconds between looks at most.
        growth: Share of the time already waited that the next pause may take, so that a job of
            minutes is noticed in seconds and a job of days costs few requests.
        idle: How many times as long the pauses are while nobody is at work on the job.
        error_budget: Seconds of uninterrupted failures to look past before giving up.
    """

    fastest: float = 2.0
    slowest: float = 60.0
    growth: float = 0.1
    idle: float = 2.0
    error_budget: float = 300.0


def pause(
    waited: float, policy: PollingPolicy, chance: random.Random, *, state: str = "", misses: int = 0
) -> float:
    """Seconds until the next look, with up to 10 % of jitter.

    Args:
        waited: Seconds waited so far.
        policy: How often to look.
        chance: Source of the jitter.
        state: The job's.
        misses: Looks in a row in which the list lacked the job, so that it has to be looked up
            by itself; each doubles the pause.
    """
    wanted = max(policy.fastest, waited * policy.growth)
    if state in _IDLE:
        wanted *= policy.idle
    # Ten doublings are a quarter of an hour at least: no policy wants more.
    wanted = max(wanted, policy.fastest * 2 ** min(misses, 10))
    return min(wanted, policy.slowest) * chance.uniform(0.9, 1.1)


class ErrorBudget:
    """Failures are looked past as long as they do not go on for too long."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._failing_since: float | None = None

    def is_spent(self, now: float) -> bool:
        """Note a failure; tells whether failures have gone on for too long."""
        if self._failing_since is None:
            self._failing_since = now
        return now - self._failing_since > self._seconds

    def refill(self) -> None:
        """Note a success."""
        self._failing_since = None


class Patience:
    """How long somebody waits for something, and when they look next.

    Attributes:
        policy: How often to look.
        started: When the wait began, on any clock that goes on steadily.
        deadline: When it ends; a look that begins then, or later, is the last one.
        due: When to look next.
        errors: Which failures are looked past.
    """

    def __init__(self, policy: PollingPolicy, now: float, timeout: float | None) -> None:
        self.policy = policy
        self.started = now
        self.deadline = float("inf") if timeout is None else now + timeout
        self.due = now
        self.errors = ErrorBudget(policy.error_budget)

    def is_over(self, looked_at: float) -> bool:
        """Whether the look that began then was the last one."""
        return looked_at >= self.deadline

    def postpone(
        self, now: float, chance: random.Random, *, state: str = "", misses: int = 0
    ) -> None:
        """Look again later, but once more at the deadline. See :func:`pause`."""
        waited = now - self.started
        self.due = now + pause(waited, self.policy, chance, state=state, misses=misses)
        # Who still waits after the deadline is about to notice that.
        if now < self.deadline:
            self.due = min(self.due, self.deadline)


def pages(dues: Iterable[tuple[float, str]], now: float) -> list[list[str]]:
    """What to ask the job list now.

    All jobs that are due are asked about, the most overdue first. What is left of the last page
    goes to those that are due next: they cost no further request.

    Args:
        dues: When each of those who wait looks next, and at which job.
        now: The time.

    Returns:
        Ids of jobs, each once, in pages of :data:`PAGE_SIZE` at most; nothing if no job is due.
    """
    asked: dict[str, None] = {}
    for due, job_id in sorted(dues):
        if due > now and len(asked) % PAGE_SIZE == 0:
            break
        asked.setdefault(job_id)
    jobs = list(asked)
    return [jobs[start : start + PAGE_SIZE] for start in range(0, len(jobs), PAGE_SIZE)]


def is_done(state: str) -> bool:
    """Whether the job's results are final and can be fetched."""
    return state == JobState.COMPLETED


def has_ended(state: str) -> bool:
    """Whether a job is done, or failed."""
    return state in (JobState.COMPLETED, JobState.FAILED)


def reactions(on_attention: Mapping[str, str] | None) -> dict[str, Reaction]:
    """What to do in states in which somebody has to act; states that are not named fail.

    Raises:
        ValidationError: There is no such state or reaction; every problem is listed.
    """
    problems: list[str] = []
    for state, reaction in (on_attention or {}).items():
        if state not in _NEEDS_ATTENTION:
            known = ", ".join(_NEEDS_ATTENTION)
            problems.append(f"on_attention: {state!r} is none of {known}")
        elif reaction not in get_args(Reaction):
            known = ", ".join(get_args(Reaction))
            problems.append(f"on_attention[{str(state)!r}]: {reaction!r} is none of {known}")
        elif reaction == "resume" and state not in _RESUMABLE:
            known = ", ".join(_RESUMABLE)
            problems.append(f"on_attention[{str(state)!r}]: only {known} can be resumed")
    if problems:
        raise ValidationError("on_attention", problems)
    return cast("dict[str, Reaction]", dict(on_attention or {}))


def call_to_action(job_id: str, state: str, review_reason: str | None) -> str | None:
    """Who must do what before the job goes on; None when it goes on by itself.

    States that we do not know are waited for: the platform adds them without notice.
    """
    action = next((text for known, text in _NEEDS_ATTENTION.items() if known == state), None)
    if action is None:
        return None
    reason = f" ({review_reason})" if review_reason else ""
    return f"Job {job_id} {action}{reason}."


def obstacle(
    job_id: str, state: str, failure_message: str | None, review_reason: str | None
) -> RapidataError | None:
    """Why the job will not finish by itself, or None when waiting makes sense."""
    if state == JobState.FAILED:
        why = failure_message or "the platform gives no reason"
        return JobFailedError(
            f"Job {job_id} failed: {why}. Its answers, if any, are in the dashboard.",
            job_id=job_id,
            state=state,
        )
    action = call_to_action(job_id, state, review_reason)
    if action is None:
        return None
    return JobNeedsAttentionError(
        f"{action} Nothing is lost; wait for it again with its id.", job_id=job_id, state=state
    )


def out_of_time(job_id: str, state: str | None, waited: float) -> WaitTimeoutError:
    """What is raised at a deadline."""
    return WaitTimeoutError(
        f"Job {job_id} is not done after {waited:.0f} s. It goes on; wait for it again with its "
        "id.",
        job_id=job_id,
        state=state or "unknown",
    )


def nobody_answers(job_id: str, state: str, audience_id: str) -> JobNeedsAttentionError:
    """Why a job of an audience without people will not finish by itself."""
    return JobNeedsAttentionError(
        f"Job {job_id} gets no answers: nobody has qualified for audience {audience_id}, and "
        f"nobody is being recruited for it. It needs at least {MIN_EXAMPLES} qualification "
        "examples (audience.add_compare_example and the like) and audience.start_recruiting(). "
        "Then wait for the job again.",
        job_id=job_id,
        state=state,
    )


def audience_is_gone(job_id: str, state: str, audience_id: str) -> JobNeedsAttentionError:
    """Why a job of an audience that was deleted will not finish by itself."""
    return JobNeedsAttentionError(
        f"Job {job_id} gets no answers: its audience {audience_id} is gone. Delete the job, and "
        "assign its definition to another audience. If answers come nevertheless, wait for the "
        "job again.",
        job_id=job_id,
        state=state,
    )
