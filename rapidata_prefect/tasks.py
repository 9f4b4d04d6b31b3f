"""Human labels as a task."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect import get_run_logger, task
from prefect.artifacts import (
    acreate_link_artifact,
    acreate_progress_artifact,
    aupdate_progress_artifact,
)
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run, task_run

from rapidata_core import check_directory
from rapidata_core.errors import ValidationError
from rapidata_core.jobs import JobSpec, parse_job
from rapidata_core.policy.submission import fingerprint
from rapidata_core.types import JobProgress
from rapidata_prefect.credentials import RapidataCredentials

if TYPE_CHECKING:
    from rapidata_core import AsyncRapidataJob


def _task_run_name() -> str:
    try:
        return f"rapidata: {parse_job(task_run.get_parameters()['job']).name}"
    except ValidationError:
        # The task itself says what is wrong.
        return "rapidata: not a job"


@task(
    name="rapidata-run-job",
    description="Have people label data, and write their answers as parquet.",
    tags=["rapidata"],
    task_run_name=_task_run_name,
    # The platform's own list of jobs says what was paid; a cache beside it could only disagree.
    cache_policy=NO_CACHE,
)
async def run_job(
    job: JobSpec | Mapping[str, Any] | str,
    audience_id: str = "global",
    *,
    directory: str | os.PathLike[str],
    key: str | None = None,
    credentials: str | RapidataCredentials | None = None,
    max_cost: float | None = None,
    timeout: float | None = None,
    poll_interval: float | None = None,
) -> dict[str, Any]:
    """Have people label data, wait for them, and write their answers as parquet.

    A logical task is paid once. It is recognised by its key; when it has a job already, this task
    adopts that job instead of paying for another one. So it may be retried, by itself or with its
    flow, resumed, or killed and run again.

    Args:
        job: What to ask: a spec, or a mapping or JSON text that describes one.
        audience_id: Whom to ask.
        directory: The answers go to a folder of the job's id in this one: a local path, or a URL
            such as ``s3://bucket/labels``.
        key: The identity of the logical task. By default it is the outermost flow run and what is
            asked of whom: retries of a flow run adopt, another flow run pays for a new job, and
            within one flow run the same question is one job. Give a key of your own, such as
            ``f"alignment/{day}"``, for one job over several flow runs.
        credentials: Name of a ``rapidata-credentials`` block, or a block that was loaded in this
            run; by default the ``RAPIDATA_*`` variables count.
        max_cost: Refuse to pay more than this, by the platform's estimate.
        timeout: Seconds to wait at most. The job goes on; running again with the same key waits
            for it again.
        poll_interval: Seconds between looks; by default it grows with the time waited.

    Returns:
        The fields of :class:`rapidata_core.Manifest`, and ``adopted``: whether the job was there
        already and nothing was paid now.

    Raises:
        ValidationError: An argument is wrong; nothing was sent.
        ValueError: There is no such block.
        AuthenticationError: There are no credentials, or the platform refused them.
        NotFoundError: There is no such audience.
        BudgetExceededError: It would cost more than ``max_cost``; nothing was paid.
        SubmissionConflictError: The key has a job that asks something else.
        AmbiguousSubmissionError: It is unknown whether the job was created; running again with
            the same key finds out.
        JobFailedError: The platform ended the job.
        JobNeedsAttentionError: The job does not go on by itself.
        WaitTimeoutError: It took longer than ``timeout``.
    """
    spec = parse_job(job)
    _check(audience_id, directory, timeout, poll_interval)
    identity = key if key is not None else await _key_of_run(spec, audience_id)
    account = await _load(credentials)
    async with account.get_async_client() as client:
        submission = await client.submit(spec, audience_id, key=identity, max_cost=max_cost)
        found = await client.job.get_job_by_id(submission.job_id)
        get_run_logger().info(
            "job %s %s, estimated cost %.2f: %s",
            found.id,
            "was there already and is adopted" if submission.adopted else "is new",
            submission.estimated_cost,
            found.url,
        )
        await _show_link(found)
        await _follow(found, timeout, poll_interval)
        folder = f"{os.fspath(directory).rstrip('/')}/{found.id}"
        manifest = await found.save_results(folder, spec=spec)
    return {**manifest.as_dict(), "adopted": submission.adopted}


def _check(
    audience_id: str,
    directory: str | os.PathLike[str],
    timeout: float | None,
    poll_interval: float | None,
) -> None:
    problems: list[str] = []
    if not audience_id.strip():
        problems.append("audience_id: must not be blank")
    try:
        check_directory(directory)
    except ValidationError as error:
        problems += [f"directory: {problem}" for problem in error.problems]
    if timeout is not None and not timeout >= 0:
        problems.append(f"timeout: must be at least 0 seconds, not {timeout!r}")
    if poll_interval is not None and not poll_interval > 0:
        problems.append(f"poll_interval: must be above 0 seconds, not {poll_interval!r}")
    if problems:
        raise ValidationError("run_job", problems)


async def _key_of_run(spec: JobSpec, audience_id: str) -> str:
    if flow_run.get_id() is None:
        missing = (
            "key: is needed outside a flow run; give one that stays the same whenever this work "
            "is run again"
        )
        raise ValidationError("run_job", [missing])
    # The outermost run, because Prefect gives a failed subflow a new run when its parent is
    # retried. In a thread, because the look-up blocks.
    root = await asyncio.to_thread(flow_run.get_root_flow_run_id)
    return f"prefect/{root}/{fingerprint(spec, audience_id)}"


async def _load(credentials: str | RapidataCredentials | None) -> RapidataCredentials:
    if credentials is None:
        return RapidataCredentials()
    if isinstance(credentials, RapidataCredentials):
        return credentials
    return await RapidataCredentials.aload(credentials)


async def _follow(
    job: AsyncRapidataJob, seconds: float | None, poll_interval: float | None
) -> None:
    """Wait for a job, and show how far it is in the log and in one artifact."""
    changes: asyncio.Queue[JobProgress | None] = asyncio.Queue()

    async def wait() -> None:
        try:
            await job.wait(seconds, changes.put_nowait, poll_interval)
        finally:
            changes.put_nowait(None)

    waiting = asyncio.create_task(wait())
    artifact: UUID | None = None
    try:
        while (progress := await changes.get()) is not None:
            get_run_logger().info(
                "%s: %s, %.0f %%", job.name, progress.state, progress.completion_percentage
            )
            artifact = await _show_progress(job, progress, artifact)
        await waiting
    finally:
        waiting.cancel()


async def _show_link(job: AsyncRapidataJob) -> None:
    await _shown(
        acreate_link_artifact(
            link=job.url,
            link_text="The job in the Rapidata dashboard",
            key=_artifact_key("job", job),
            description=job.name,
        )
    )


async def _show_progress(
    job: AsyncRapidataJob, progress: JobProgress, artifact: UUID | None
) -> UUID | None:
    description = f"{job.name}: {progress.state}"
    percentage = progress.completion_percentage
    if artifact is None:
        key = _artifact_key("progress", job)
        return await _shown(acreate_progress_artifact(percentage, key, description))
    await _shown(aupdate_progress_artifact(artifact, percentage, description))
    return artifact


def _artifact_key(kind: str, job: AsyncRapidataJob) -> str:
    # Prefect allows nothing but these characters.
    return f"rapidata-{kind}-{re.sub('[^a-z0-9]+', '-', job.id.lower())}"


async def _shown(artifact: Awaitable[UUID]) -> UUID | None:
    """Store an artifact; one that cannot be stored must not end the wait for paid work."""
    try:
        return await artifact
    except Exception as error:
        get_run_logger().warning("cannot store an artifact: %s: %s", type(error).__name__, error)
        return None
