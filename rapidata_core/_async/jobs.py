"""Jobs: people at work on a definition."""

from __future__ import annotations

import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Literal
from uuid import uuid4

from rapidata_core._async.api.audiences import AsyncAudienceApi
from rapidata_core._async.api.jobs import AsyncJobApi
from rapidata_core._async.pay import pay
from rapidata_core._async.spend import actual_cost, estimate, price
from rapidata_core._async.transport import AsyncTransport, Parameters
from rapidata_core._async.waiting import find_out, steady, wait_until
from rapidata_core._async.watch import wait
from rapidata_core.concurrency import async_monotonic, async_offload, async_sleep
from rapidata_core.display import draw_progress, end_progress, show
from rapidata_core.errors import (
    JobNeedsAttentionError,
    RapidataError,
    ServerError,
    TransportError,
    ValidationError,
    WaitTimeoutError,
    refuse_blank,
)
from rapidata_core.policy.audiences import recruiting
from rapidata_core.policy.polling import is_done, reactions
from rapidata_core.policy.submission import (
    Identity,
    fingerprint,
    noted,
    paused_by,
    readable,
    renamed,
)
from rapidata_core.results import RapidataResults, ResultsFile, parse_results
from rapidata_core.results.export.dataset import check_directory, write_dataset
from rapidata_core.results.export.storage import (
    Location,
    folder_of,
    is_url,
    local_path,
    publish,
    staging,
)
from rapidata_core.results.privacy import Privacy
from rapidata_core.types import (
    CostEstimate,
    JobProgress,
    JobState,
    Manifest,
    Reaction,
    RecruitingMetrics,
)

if TYPE_CHECKING:
    from rapidata_core.jobs.spec import JobSpec
    from rapidata_core.results.quality.gate import QualityGate

_log = logging.getLogger("rapidata_core.jobs")
# A preliminary file takes seconds; this is how long it is asked for.
_PRELIMINARY_PAUSES = (0.2, 0.3, 0.5, *[1.0] * 59)
# Seconds that stale results may be called stale after they were asked for anew.
_RETRY_TIMEOUT = 300.0


class AsyncRapidataJob:
    """People at work on a definition.

    Attributes:
        id: The job's id.
        name: Its name for people.
        definition_id: What is asked.
        audience_id: Who is asked.
        created_at: When it was created; by our clock for a job that was just assigned.
    """

    def __init__(
        self,
        transport: AsyncTransport,
        *,
        job_id: str,
        name: str,
        definition_id: str,
        audience_id: str,
        created_at: datetime,
    ) -> None:
        self._transport = transport
        self._jobs = AsyncJobApi(transport)
        self.id = job_id
        self.name = readable(name)
        self.definition_id = definition_id
        self.audience_id = audience_id
        self.created_at = created_at

    @property
    def url(self) -> str:
        """Its page in the dashboard."""
        return self._transport.page("audiences", self.audience_id, "job", self.id)

    @property
    def audience_url(self) -> str:
        """The page of its audience in the dashboard."""
        return self._transport.page("audiences", self.audience_id)

    def view(self) -> None:
        """Open its page, where there is a browser."""
        show(self.url)

    @property
    async def estimated_cost(self) -> CostEstimate:
        """What the job is expected to cost in all."""
        return estimate(await price(self._jobs.cost, self.id))

    @property
    async def actual_cost(self) -> float | None:
        """What the job has cost by the platform's bill, in its currency.

        None where the bill does not tell: before the job is completed and all its answers are on
        the bill, and to credentials that may not see it.
        """
        return await actual_cost(self._transport, self.id)

    async def get_status(self) -> str:
        """Its state; see :class:`rapidata_core.types.JobState`."""
        return (await self._jobs.get(self.id)).state

    async def get_progress(self) -> JobProgress:
        """Its state, how far it is, and how far the recruiting of its audience is."""
        job = await self._jobs.get(self.id)
        progress = await self._jobs.progress(self.id)
        return JobProgress(
            state=job.state,
            completion_percentage=progress.completion_percentage or 0.0,
            response_count=progress.response_count,
            recruiting=await self._recruiting(),
        )

    @property
    async def completed_at(self) -> datetime | None:
        """When the results were there; None before."""
        return (await self._jobs.get(self.id)).completed_at

    async def wait(
        self,
        timeout: float | None = None,
        on_progress: Callable[[JobProgress], object] | None = None,
        poll_interval: float | None = None,
        on_attention: Mapping[str, Reaction] | None = None,
    ) -> None:
        """Wait until the results are there.

        Args:
            timeout: Seconds to wait at most; None waits for ever.
            on_progress: Called with every change.
            poll_interval: Seconds between looks; by default it grows with the time waited.
            on_attention: What to do in states in which somebody has to act (``ManualApproval``,
                ``SpendLimited``, ``Paused``, ``Blocked``, ``StaleResults``): ``fail``, the default;
                ``wait`` until somebody has; or ``resume``, once each time that the job gets into
                the state ``Paused``, ``SpendLimited`` or ``Blocked``, which can cost money.

        Raises:
            WaitTimeoutError: It takes longer; the job goes on.
            JobFailedError: The platform ended it.
            JobNeedsAttentionError: It does not go on by itself; the message says who must do what.
            AmbiguousSubmissionError: It is unknown whether the job was resumed.
        """
        await wait_for_job(
            self._transport, self.id, timeout, on_progress, poll_interval, on_attention
        )

    async def display_progress_bar(self, refresh_rate: float = 5) -> None:
        """Show the progress on standard error until the job is done.

        Args:
            refresh_rate: Seconds between looks.
        """
        try:
            await self.wait(on_progress=draw_progress, poll_interval=refresh_rate)
        finally:
            end_progress()

    async def get_results(
        self,
        preliminary_results: bool = False,
        timeout: float | None = None,
        on_timeout: Literal["raise", "partial"] = "raise",
    ) -> RapidataResults:
        """Wait until the job is done, then fetch its answers.

        Results that the platform calls stale are made anew first, which can cost money.

        Args:
            preliminary_results: Do not wait: what a job that is not done has so far. Some
                datapoints may be missing.
            timeout: Seconds to wait at most; None waits for ever.
            on_timeout: Then ``raise`` an error, or take what there is so far: ``partial``.

        Returns:
            The answers; ``is_partial`` tells whether the job was not done.

        Raises:
            JobFailedError: The platform ended it.
            JobNeedsAttentionError: It does not go on by itself; the message says who must do what.
            WaitTimeoutError: It takes longer, or the platform did not make the preliminary file
                within a minute. The job goes on.
            AmbiguousSubmissionError: It is unknown whether stale results are made anew.
        """
        if on_timeout not in ("raise", "partial"):
            raise ValidationError("on_timeout", [f"must be raise or partial, not {on_timeout!r}"])
        if preliminary_results and not is_done(await self.get_status()):
            return await self._partial_results()
        try:
            await self._wait_for_fresh(timeout)
        except WaitTimeoutError:
            if on_timeout == "raise":
                raise
            return await self._partial_results()
        content = await self._jobs.download_results(self.id)
        return await self._parsed(content, is_partial=False)

    async def download_results(
        self,
        path: str | os.PathLike[str],
        preliminary_results: bool = False,
        timeout: float | None = None,
    ) -> ResultsFile:
        """Wait until the job is done, then fetch its answers into a file, however large.

        Args:
            path: A local path; its folder is made if need be. What is there is replaced when all
                has arrived, and stays if something goes wrong.
            preliminary_results: See :meth:`get_results`.
            timeout: Seconds to wait at most; None waits for ever.

        Returns:
            The answers, to be read from the file datapoint by datapoint.

        Raises:
            ExportError: The file cannot be written.
            ResultsError: What arrived is no results file.
            RapidataError: See :meth:`get_results`.
        """
        if is_url(path):
            problem = f"must be local, not {os.fspath(path)}; save_results writes to object stores"
            raise ValidationError("path", [problem])
        is_partial = preliminary_results and not is_done(await self.get_status())
        if not is_partial:
            await self._wait_for_fresh(timeout)
        folder, name = folder_of(path)
        with staging(folder) as stage:
            await self._fetch(stage / name, is_partial=is_partial)
            await async_offload(publish, stage, folder, [name])
        return await self._read(local_path(path), is_partial=is_partial)

    async def save_results(
        self,
        directory: Location,
        *,
        spec: JobSpec | None = None,
        partition: Mapping[str, str] | None = None,
        gate: QualityGate | None = None,
        privacy: Privacy = Privacy(),  # noqa: B008 - frozen
    ) -> Manifest:
        """Wait until the job is done, then write its answers as a dataset of parquet files.

        Memory does not grow with the results. The arguments are those of
        :func:`rapidata_core.write_dataset`, which says more about them.

        Args:
            directory: A folder for this job alone, or for a dataset of which it is a part; made if
                need be. A local path, a URL such as ``s3://bucket/labels/job``, or a path that
                brings its own file system. Files of an earlier call are replaced.
            spec: What was asked: gives every datapoint its identity, by which tables are joined.
            partition: Which part of the dataset the job is, for example ``{"week": "2026-11-16"}``.
            gate: What is asked of the labels; its report goes into the dataset's manifest.
            privacy: What to keep about the people who answered.

        Raises:
            ValidationError: Nothing can be written there, or another argument is wrong.
            ResultsError: The results are damaged, or about something else than the spec.
            ExportError: Something cannot be written.
            RapidataError: See :meth:`get_results`.
        """
        check_directory(directory)
        await self._wait_for_fresh(None)
        with staging(gettempdir()) as stage:
            results = await self._fetch(stage / "results.json", is_partial=False)
            cost = (await price(self._jobs.cost, self.id)).estimated_cost
            actual = await self._actual_cost_if_told()
            about = await self._about(spec, cost, actual)
            files = await async_offload(
                write_dataset,
                results,
                directory,
                spec=spec,
                privacy=privacy,
                partition=partition,
                about=about,
                gate=gate,
            )
        return Manifest(
            job_id=self.id,
            job_url=self.url,
            name=self.name,
            definition_id=self.definition_id,
            audience_id=self.audience_id,
            estimated_cost=cost,
            actual_cost=actual,
            labels=files.labels,
            label_count=files.label_count,
            responses=files.responses,
            response_count=files.response_count,
            mean_agreement=files.quality["summary"]["mean_agreement"],
            quality=files.gate_in_brief(),
        )

    async def pause(self, by: str | None = None) -> None:
        """Stop collecting answers; :meth:`resume` goes on.

        Args:
            by: Which program does it, for example ``Airflow``. The job's name in the dashboard says
                so, and :meth:`resume_if_paused_by` goes on. A job that is paused already stays
                as it is: whoever has paused it decides when it goes on.

        Raises:
            ValidationError: The job has ended, or ``by`` is no name.
        """
        if by is None:
            await self._jobs.pause(self.id)
            return
        job = await self._jobs.get(self.id)
        full_name = noted(job.name, by)
        if job.state == JobState.PAUSED:
            return
        # First the note: a crash in between leaves a job that goes on, and a note that means
        # nothing, not a pause that nobody knows anything about.
        await self._jobs.rename(self.id, full_name)
        try:
            await self._jobs.pause(self.id)
        except ValidationError:
            await self._jobs.rename(self.id, noted(job.name, None))
            raise

    @property
    async def paused_by(self) -> str | None:
        """Which program has paused it, see :meth:`pause`; None if none has, or if it goes on."""
        job = await self._jobs.get(self.id)
        return paused_by(job.name) if job.state == JobState.PAUSED else None

    async def resume_if_paused_by(self, by: str) -> bool:
        """Go on if a program has paused it, and not a person. This can cost money.

        Args:
            by: The program, as :meth:`pause` was told.

        Returns:
            Whether it was resumed.

        Raises:
            AmbiguousSubmissionError: The answer was lost, and the job does not look resumed.
        """
        job = await self._jobs.get(self.id)
        if paused_by(job.name) != by:
            return False
        is_paused = job.state == JobState.PAUSED
        if is_paused:
            await self.resume()
        # Last, so that a crash in between leaves no pause that looks like a person's.
        await self._jobs.rename(self.id, noted(job.name, None))
        return is_paused

    async def resume(self) -> None:
        """Go on collecting answers. This can cost money.

        Raises:
            AmbiguousSubmissionError: The answer was lost, and the job does not look resumed.
        """
        await resume(self._transport, self.id)

    async def rename(self, name: str) -> AsyncRapidataJob:
        """Give it another name for people; a key and a note of :meth:`pause` stay."""
        refuse_blank(name=name)
        current = (await self._jobs.get(self.id)).name
        await self._jobs.rename(self.id, renamed(current, name))
        self.name = readable(name)
        return self

    async def delete(self) -> None:
        """Delete the job."""
        await self._jobs.delete(self.id)

    async def _about(
        self, spec: JobSpec | None, cost: float, actual: float | None
    ) -> dict[str, object]:
        """What a dataset's manifest says of the job."""
        job = await self._jobs.get(self.id)
        return {
            "actual_cost": actual,
            "definition_id": self.definition_id,
            "estimated_cost": cost,
            "fingerprint": None if spec is None else fingerprint(spec, self.audience_id),
            "job_url": self.url,
            "name": self.name,
            "revision_number": job.revision_number,
            "state": job.state,
        }

    async def _actual_cost_if_told(self) -> float | None:
        """What the job has cost; a bill that cannot be read is no reason to lose its answers."""
        try:
            return await self.actual_cost
        except RapidataError as error:
            _log.warning("cannot tell what job %s has cost: %s", self.id, error)
            return None

    async def _recruiting(self) -> RecruitingMetrics | None:
        """How far the audience's labelers are; None where the platform does not tell."""
        try:
            metrics = await AsyncAudienceApi(self._transport).metrics(self.audience_id)
        except RapidataError:
            return None
        return recruiting(metrics.users_per_state)

    async def _wait_for_fresh(self, timeout: float | None) -> None:
        """Wait; results that are stale are made anew once."""
        ends = None if timeout is None else async_monotonic() + timeout

        def left() -> float | None:
            return None if ends is None else max(0.0, ends - async_monotonic())

        try:
            await self.wait(timeout)
        except JobNeedsAttentionError as error:
            if error.state != JobState.STALE_RESULTS:
                raise

            async def is_fresh() -> bool | None:
                return await self.get_status() != JobState.STALE_RESULTS or None

            await once(
                self._transport, self.id, self._jobs.retry, "retry", {JobState.STALE_RESULTS}
            )
            remaining = left()
            await wait_until(
                is_fresh,
                what=f"The work on new results of job {self.id}",
                timeout=_RETRY_TIMEOUT if remaining is None else min(remaining, _RETRY_TIMEOUT),
                job_id=self.id,
            )
            await self.wait(left())

    async def _partial_results(self) -> RapidataResults:
        """What there is so far."""
        return await self._parsed(await self._preliminary(), is_partial=True)

    async def _fetch(self, path: Path, *, is_partial: bool) -> ResultsFile:
        """Write the results file to a path, and begin to read it, which shows that it is one."""
        if is_partial:
            await async_offload(path.write_bytes, await self._preliminary())
        else:
            await self._jobs.download_results(self.id, path)
        return await self._read(path, is_partial=is_partial)

    async def _read(self, path: Path, *, is_partial: bool) -> ResultsFile:
        return await async_offload(
            ResultsFile,
            path,
            job_id=self.id,
            audience_id=self.audience_id,
            is_partial=is_partial,
        )

    async def _parsed(self, content: bytes, *, is_partial: bool) -> RapidataResults:
        results = await async_offload(parse_results, content, about=f"job {self.id!r}")
        results.job_id, results.audience_id = self.id, self.audience_id
        results.is_partial = is_partial
        return results

    async def _preliminary(self) -> bytes:
        job = await self._jobs.get(self.id)
        if job.pipeline_id is None:
            raise ServerError(f"The platform does not say which pipeline job {self.id} has.")
        download = await self._jobs.start_preliminary(job.pipeline_id)
        for pause in _PRELIMINARY_PAUSES:
            content = await self._jobs.download_preliminary(download.download_id)
            if content:
                return content
            await async_sleep(pause)
        raise WaitTimeoutError(
            f"The platform made no preliminary results of job {self.id} within "
            f"{sum(_PRELIMINARY_PAUSES):.0f} s. The job goes on; try again later.",
            job_id=self.id,
            state=job.state,
        )

    def __repr__(self) -> str:
        return f"RapidataJob(id={self.id!r}, name={self.name!r})"


async def get_job(transport: AsyncTransport, job_id: str) -> AsyncRapidataJob:
    """Find a job again.

    Raises:
        NotFoundError: There is none with this id.
    """
    refuse_blank(job_id=job_id)
    found = await AsyncJobApi(transport).get(job_id)
    return AsyncRapidataJob(
        transport,
        job_id=found.job_id,
        name=found.name,
        definition_id=found.definition_id,
        audience_id=found.audience_id,
        created_at=found.created_at,
    )


async def wait_for_job(
    transport: AsyncTransport,
    job_id: str,
    timeout: float | None,
    on_progress: Callable[[JobProgress], object] | None,
    poll_interval: float | None,
    on_attention: Mapping[str, Reaction] | None,
) -> None:
    """See :meth:`AsyncRapidataJob.wait`."""
    refuse_blank(job_id=job_id)
    await wait(
        transport,
        job_id,
        timeout=timeout,
        on_progress=on_progress,
        polling=steady(poll_interval),
        reactions=reactions(on_attention),
        resume=lambda: resume(transport, job_id),
    )


async def resume(transport: AsyncTransport, job_id: str) -> None:
    """See :meth:`AsyncRapidataJob.resume`."""
    before = {JobState.PAUSED, JobState.SPEND_LIMITED, JobState.BLOCKED}
    await once(transport, job_id, AsyncJobApi(transport).resume, "resume", before)


async def once(
    transport: AsyncTransport,
    job_id: str,
    act: Callable[[str], Awaitable[None]],
    verb: str,
    before: set[JobState],
) -> None:
    """Make a call that can cost money once, and know afterwards whether it happened.

    Args:
        transport: Where to.
        job_id: The job.
        act: The call.
        verb: Its name, for the error.
        before: The states in which it changes something. A job that is in another one
            afterwards has changed.
    """

    async def has_changed() -> bool | None:
        return (await AsyncJobApi(transport).get(job_id)).state not in before or None

    try:
        await act(job_id)
    except ValidationError:
        # Perhaps another runner was faster.
        if not await has_changed():
            raise
    except (TransportError, ServerError) as error:
        await find_out(
            has_changed,
            error,
            request=f"POST /job/{job_id}/{verb}",
            advice=f"Look at get_status() before you {verb} it again.",
        )


async def find_jobs(
    transport: AsyncTransport, name: str, amount: int, page: int, filters: Parameters = ()
) -> list[AsyncRapidataJob]:
    """Jobs whose name contains a text, newest first; ``filters`` narrow it further."""
    named = [("name[contains]", name)] if name else []
    return [
        AsyncRapidataJob(
            transport,
            job_id=item.job_id,
            name=item.name,
            definition_id=item.job_definition_id,
            audience_id=item.audience_id,
            created_at=item.created_at,
        )
        for item in await AsyncJobApi(transport).list([*named, *filters], page=page, size=amount)
    ]


async def assign(
    transport: AsyncTransport,
    definition_id: str,
    name: str,
    audience_id: str,
    *,
    revision_number: int | None = None,
    run_after: AsyncRapidataJob | str | None = None,
) -> AsyncRapidataJob:
    """Start a new job, paid for, each time this is called.

    The job's name ends in a marker of its own, so that a lost answer is resolved by reading. To pay
    once for a task that may run again, use ``client.submit`` with a key.

    Args:
        transport: Where to.
        definition_id: What to ask.
        name: The job's name for people.
        audience_id: Whom to ask.
        revision_number: Which revision of the definition; the latest one by default.
        run_after: A job, or its id, that has to be done before this one starts.
    """
    identity = Identity(fingerprint=uuid4().hex[:16], key=uuid4().hex[:16])
    full_name = identity.job(name)
    paid = await pay(
        transport,
        definition_id,
        audience_id,
        identity,
        full_name,
        revision_number=revision_number,
        preceding_job_id=run_after.id if isinstance(run_after, AsyncRapidataJob) else run_after,
        advice=f"Look with client.job.find_jobs({full_name!r}) before you assign it again.",
    )
    # Nothing is asked after the payment: a failure now would lose the job's id.
    return AsyncRapidataJob(
        transport,
        job_id=paid.job_id,
        name=name,
        definition_id=definition_id,
        audience_id=audience_id,
        created_at=datetime.now(UTC),
    )
