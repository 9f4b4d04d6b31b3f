"""When to look again, and what a state means for somebody who waits."""

from __future__ import annotations

import random
from dataclasses import dataclass

from rapidata_core.errors import JobFailedError, JobNeedsAttentionError, RapidataError
from rapidata_core.policy.audiences import MIN_EXAMPLES
from rapidata_core.types import JobState

_NEEDS_ATTENTION = {
    JobState.MANUAL_APPROVAL: "waits for the platform's staff to review it; ask Rapidata if it "
    "takes long",
    JobState.SPEND_LIMITED: "has run out of funds; raise the balance or the spend limit in the "
    "dashboard, then resume it",
    JobState.PAUSED: "is paused; resume it (job.resume() or in the dashboard)",
    JobState.BLOCKED: "is blocked because a task was flagged; look at it in the dashboard",
    JobState.STALE_RESULTS: "has results that are out of date; job.get_results() makes them anew",
}


@dataclass(frozen=True)
class PollingPolicy:
    """How often to look.

    Attributes:
        fastest: Seconds between looks at first.
        slowest: Seconds between looks at most.
        growth: Share of the time already waited that the next pause may take, so that a job of
            minutes is noticed in seconds and a job of days costs few requests.
        error_budget: Seconds of uninterrupted failures to look past before giving up.
    """

    fastest: float = 1.0
    slowest: float = 60.0
    growth: float = 0.1
    error_budget: float = 300.0


def pause(waited: float, policy: PollingPolicy, chance: random.Random) -> float:
    """Seconds until the next look, with up to 10 % of jitter."""
    steady = min(max(policy.fastest, waited * policy.growth), policy.slowest)
    return steady * chance.uniform(0.9, 1.1)


def is_done(state: str) -> bool:
    """Whether the job's results are final and can be fetched."""
    return state == JobState.COMPLETED


def obstacle(
    job_id: str, state: str, failure_message: str | None, review_reason: str | None
) -> RapidataError | None:
    """Why the job will not finish by itself, or None when waiting makes sense.

    States that we do not know are waited for: the platform adds them without notice.
    """
    if state == JobState.FAILED:
        why = failure_message or "the platform gives no reason"
        return JobFailedError(
            f"Job {job_id} failed: {why}. Its answers, if any, are in the dashboard.",
            job_id=job_id,
            state=state,
        )
    action = next((text for known, text in _NEEDS_ATTENTION.items() if known == state), None)
    if action is None:
        return None
    reason = f" ({review_reason})" if review_reason else ""
    return JobNeedsAttentionError(
        f"Job {job_id} {action}{reason}. Nothing is lost; wait for it again with its id.",
        job_id=job_id,
        state=state,
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
