"""Jobs: people at work on a definition."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

from rapidata_core._async.api.jobs import AsyncJobApi
from rapidata_core._async.submit import pay, price
from rapidata_core._async.transport import AsyncTransport, Parameters
from rapidata_core._async.watch import look, wait
from rapidata_core.concurrency import async_offload
from rapidata_core.display import draw_progress, end_progress, show
from rapidata_core.errors import ValidationError
from rapidata_core.http import segment
from rapidata_core.policy.polling import PollingPolicy
from rapidata_core.policy.submission import Identity, readable
from rapidata_core.results import RapidataResults, parse_results
from rapidata_core.results.export import write_dataset
from rapidata_core.types import CostEstimate, JobProgress, Manifest
from rapidata_core.wire.job import CostAnswer


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
        app = self._transport.settings.endpoints.app
        return f"{app}/audiences/{segment(self.audience_id)}/job/{segment(self.id)}"

    def view(self) -> None:
        """Open its page, where there is a browser."""
        show(self.url)

    @property
    async def estimated_cost(self) -> CostEstimate:
        """What the job is expected to cost in all."""
        return estimate(await price(self._jobs.cost, self.id))

    async def get_status(self) -> str:
        """Its state; see :class:`rapidata_core.types.JobState`."""
        return (await self._jobs.get(self.id)).state

    async def get_progress(self) -> JobProgress:
        """Its state and how far it is."""
        return await look(self._transport, self.id)

    async def wait(
        self,
        timeout: float | None = None,
        on_progress: Callable[[JobProgress], object] | None = None,
        poll_interval: float | None = None,
    ) -> None:
        """Wait until the results are there.

        Args:
            timeout: Seconds to wait at most; None waits for ever.
            on_progress: Called with every change.
            poll_interval: Seconds between looks; by default it grows with the time waited.

        Raises:
            WaitTimeoutError: It takes longer; the job goes on.
            JobFailedError: The platform ended it.
            JobNeedsAttentionError: It does not go on by itself.
        """
        polling = PollingPolicy() if poll_interval is None else _steady(poll_interval)
        await wait(
            self._transport, self.id, timeout=timeout, on_progress=on_progress, polling=polling
        )

    async def display_progress_bar(self, refresh_rate: float = 5) -> None:
        """Show the progress on standard error until the job is done.

        Args:
            refresh_rate: Seconds between looks.
        """
        await self.wait(on_progress=draw_progress, poll_interval=refresh_rate)
        end_progress()

    async def get_results(self) -> RapidataResults:
        """Wait until the job is done, then fetch its answers."""
        await self.wait()
        content = await self._jobs.download_results(self.id)
        return await async_offload(parse_results, content, about=f"job {self.id!r}")

    async def save_results(self, directory: str | os.PathLike[str]) -> Manifest:
        """Wait until the job is done, then write its answers as parquet.

        Args:
            directory: A folder for this job alone, made if need be: a local path, or a URL such
                as ``s3://bucket/labels/job``. Files of an earlier call are replaced.
        """
        files = await async_offload(write_dataset, await self.get_results(), directory)
        cost = await price(self._jobs.cost, self.id)
        return Manifest(
            job_id=self.id,
            job_url=self.url,
            name=self.name,
            definition_id=self.definition_id,
            audience_id=self.audience_id,
            estimated_cost=cost.estimated_cost,
            labels=files.labels,
            label_count=files.label_count,
            responses=files.responses,
            response_count=files.response_count,
        )

    async def pause(self) -> None:
        """Stop collecting answers; :meth:`resume` goes on."""
        await self._jobs.pause(self.id)

    async def resume(self) -> None:
        """Go on collecting answers. This can cost money."""
        await self._jobs.resume(self.id)

    async def delete(self) -> None:
        """Delete the job."""
        await self._jobs.delete(self.id)

    def __repr__(self) -> str:
        return f"RapidataJob(id={self.id!r}, name={self.name!r})"


async def get_job(transport: AsyncTransport, job_id: str) -> AsyncRapidataJob:
    """Find a job again.

    Raises:
        NotFoundError: There is none with this id.
    """
    if not job_id.strip():
        raise ValidationError("job_id", ["must not be blank"])
    found = await AsyncJobApi(transport).get(job_id)
    return AsyncRapidataJob(
        transport,
        job_id=found.job_id,
        name=found.name,
        definition_id=found.definition_id,
        audience_id=found.audience_id,
        created_at=found.created_at,
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
    transport: AsyncTransport, definition_id: str, name: str, audience_id: str
) -> AsyncRapidataJob:
    """Start a new job, paid for, each time this is called.

    The job's name ends in a marker of its own, so that a lost answer is resolved by reading. To pay
    once for a task that may run again, use ``client.submit`` with a key.
    """
    identity = Identity(fingerprint=uuid4().hex[:16], key=uuid4().hex[:16])
    full_name = identity.name(name)
    paid = await pay(transport, definition_id, audience_id, identity, full_name)
    # Nothing is asked after the payment: a failure now would lose the job's id.
    return AsyncRapidataJob(
        transport,
        job_id=paid.job_id,
        name=name,
        definition_id=definition_id,
        audience_id=audience_id,
        created_at=datetime.now(UTC),
    )


def estimate(answer: CostAnswer) -> CostEstimate:
    """The platform's estimate as users see it."""
    return CostEstimate(answer.estimated_cost, answer.datapoint_count, answer.required_responses)


def _steady(seconds: float) -> PollingPolicy:
    if not seconds > 0:
        raise ValidationError("poll_interval", [f"must be above 0 seconds, not {seconds!r}"])
    return PollingPolicy(fastest=seconds, slowest=seconds)
