"""Waiting is watching a list: ``GET /jobs?id[in]=…``, slower the longer it takes."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable

from rapidata_core._async.api.jobs import AsyncJobApi
from rapidata_core._async.transport import AsyncTransport
from rapidata_core.concurrency import async_sleep
from rapidata_core.errors import RateLimitedError, ServerError, TransportError, WaitTimeoutError
from rapidata_core.policy.polling import PollingPolicy, is_done, obstacle, pause
from rapidata_core.types import JobProgress
from rapidata_core.wire.job import JobAnswer

_log = logging.getLogger("rapidata_core.watch")


async def wait(
    transport: AsyncTransport,
    job_id: str,
    *,
    timeout: float | None = None,
    on_progress: Callable[[JobProgress], object] | None = None,
    polling: PollingPolicy | None = None,
) -> JobAnswer:
    """Wait until a job's results are there.

    Args:
        transport: Where to look.
        job_id: The job.
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
    return JobProgress(job.state, (await jobs.progress(job_id)).completion_percentage)


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
