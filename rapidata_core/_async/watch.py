"""Waiting is watching a list: ``GET /jobs?id[in]=…``, slower the longer it takes."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable

from rapidata_core._async.api.audiences import AsyncAudienceApi
from rapidata_core._async.api.jobs import AsyncJobApi
from rapidata_core._async.transport import AsyncTransport
from rapidata_core.concurrency import async_sleep
from rapidata_core.errors import (
    RapidataError,
    RateLimitedError,
    ServerError,
    TransportError,
    WaitTimeoutError,
)
from rapidata_core.policy.audiences import is_hopeless, recruiting
from rapidata_core.policy.polling import PollingPolicy, is_done, nobody_answers, obstacle, pause
from rapidata_core.types import JobProgress
from rapidata_core.wire.job import JobAnswer

_log = logging.getLogger("rapidata_core.watch")


async def wait(
    transport: AsyncTransport,
    job_id: str,
    *,
    audience_id: str | None = None,
    timeout: float | None = None,
    on_progress: Callable[[JobProgress], object] | None = None,
    polling: PollingPolicy | None = None,
) -> JobAnswer:
    """Wait until a job's results are there.

    Args:
        transport: Where to look.
        job_id: The job.
        audience_id: Its audience, where it is to be noticed that nobody will ever answer.
        timeout: Seconds to wait at most; None waits for ever.
        on_progress: Called with every change, and with the first look.
        polling: How often to look.

    Raises:
        WaitTimeoutError: It takes longer; the job goes on.
        JobFailedError: The platform ended it.
        JobNeedsAttentionError: It does not go on by itself.
        NotFoundError: There is no such job.
    """
    policy = polling or PollingPolicy()
    chance = random.Random()
    started = time.monotonic()
    failing_since: float | None = None
    seen: JobProgress | None = None
    # Until it is known that somebody can answer.
    doubted, lonely_looks = audience_id, 0
    while True:
        waited = time.monotonic() - started
        try:
            progress = await look(transport, job_id)
            failing_since = None
        except (RateLimitedError, ServerError, TransportError) as error:
            failing_since = failing_since or time.monotonic()
            if time.monotonic() - failing_since > policy.error_budget:
                raise
            _log.warning("cannot look at job %s, will look again: %s", job_id, error)
        else:
            if progress != seen and on_progress is not None:
                on_progress(progress)
            seen = progress
            job = await finished(transport, job_id, progress.state)
            if job is not None:
                return job
            if doubted is not None:
                if progress.completion_percentage > 0 or await has_people(transport, doubted):
                    doubted = None
                elif lonely_looks:
                    raise nobody_answers(job_id, progress.state, doubted)
                # Recruiting may be just about to begin, so one look is not enough.
                lonely_looks += 1
        if timeout is not None and waited >= timeout:
            raise WaitTimeoutError(
                f"Job {job_id} is not done after {waited:.0f} s. It goes on; wait for it again "
                "with its id.",
                job_id=job_id,
                state=seen.state if seen else "unknown",
            )
        left = float("inf") if timeout is None else timeout - waited
        await async_sleep(max(0.0, min(pause(waited, policy, chance), left)))


async def look(transport: AsyncTransport, job_id: str) -> JobProgress:
    """State and progress as the job list has them; jobs that it lacks are looked up singly."""
    jobs = AsyncJobApi(transport)
    for item in await jobs.list([("id[in]", job_id)], size=1):
        if item.job_id == job_id:
            return JobProgress(item.state, round((item.progress or 0.0) * 100, 1))
    job = await jobs.get(job_id)
    progress = await jobs.progress(job_id)
    return JobProgress(job.state, progress.completion_percentage or 0.0)


async def has_people(transport: AsyncTransport, audience_id: str) -> bool:
    """Whether somebody can answer for an audience, or will. In doubt, yes."""
    audiences = AsyncAudienceApi(transport)
    try:
        metrics = recruiting((await audiences.metrics(audience_id)).users_per_state)
        if metrics is not None and metrics.graduated > 0:
            return True
        return not is_hopeless((await audiences.get(audience_id)).status, metrics)
    except RapidataError as error:
        _log.debug("cannot tell who is in audience %s: %s", audience_id, error)
        return True


async def finished(transport: AsyncTransport, job_id: str, state: str) -> JobAnswer | None:
    """The job if its results are there, None if waiting makes sense.

    Raises:
        JobFailedError: The platform ended it.
        JobNeedsAttentionError: It does not go on by itself.
    """
    if not is_done(state) and obstacle(job_id, state, None, None) is None:
        return None
    # The list lacks the reasons, so the job itself is read once.
    job = await AsyncJobApi(transport).get(job_id)
    problem = obstacle(job_id, job.state, job.failure_message, job.review_reason)
    if problem is not None:
        raise problem
    return job if is_done(job.state) else None
