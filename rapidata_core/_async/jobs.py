"""``client.job``: job definitions and jobs, in the words of the platform's documents."""

from __future__ import annotations

import os
import sys
import webbrowser
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import uuid4

from rapidata_core._async.api.jobs import AsyncJobApi
from rapidata_core._async.submit import pay, price
from rapidata_core._async.transport import AsyncTransport
from rapidata_core._async.upload import define
from rapidata_core._async.watch import look, wait
from rapidata_core.concurrency import async_offload
from rapidata_core.errors import ValidationError
from rapidata_core.http import segment
from rapidata_core.jobs import ClassificationJob, CompareJob, JobSpec
from rapidata_core.policy.polling import PollingPolicy
from rapidata_core.policy.submission import Identity, readable
from rapidata_core.results import RapidataResults, parse_results
from rapidata_core.results.export import write_dataset
from rapidata_core.types import CostEstimate, JobProgress, Manifest, Setting
from rapidata_core.wire.job import CostAnswer


class AsyncRapidataJobDefinition:
    """What to ask. It costs nothing until it is assigned to an audience.

    Attributes:
        id: The definition's id.
        name: Its name for people.
    """

    def __init__(self, transport: AsyncTransport, definition_id: str, name: str) -> None:
        self._transport = transport
        self.id = definition_id
        self.name = readable(name)

    @property
    def url(self) -> str:
        """Its page in the dashboard."""
        return f"{self._transport.settings.endpoints.app}/definitions/{segment(self.id)}"

    def preview(self) -> AsyncRapidataJobDefinition:
        """Open the page that shows what labelers will see, where there is a browser."""
        _show(self.url)
        return self

    @property
    async def estimated_cost(self) -> CostEstimate:
        """What a job of this definition is expected to cost."""
        return _estimate(await price(AsyncJobApi(self._transport).definition_cost, self.id))

    def __repr__(self) -> str:
        return f"RapidataJobDefinition(id={self.id!r}, name={self.name!r})"


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
        _show(self.url)

    @property
    async def estimated_cost(self) -> CostEstimate:
        """What the job is expected to cost in all."""
        return _estimate(await price(self._jobs.cost, self.id))

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
        await self.wait(on_progress=_draw, poll_interval=refresh_rate)
        if sys.stderr.isatty():
            sys.stderr.write("\n")

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


class AsyncJobs:
    """``client.job``."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport
        self._jobs = AsyncJobApi(transport)

    async def create_job_definition(self, spec: JobSpec) -> AsyncRapidataJobDefinition:
        """Upload what a spec needs and define the job.

        Raises:
            FailedUploadException: Some datapoints could not be uploaded.
        """
        definition_id = await define(self._transport, spec, spec.name)
        return AsyncRapidataJobDefinition(self._transport, definition_id, spec.name)

    async def create_compare_job_definition(
        self,
        name: str,
        instruction: str,
        datapoints: Sequence[Sequence[str]],
        data_type: Literal["media", "text"] = "media",
        responses_per_datapoint: int = 10,
        contexts: Sequence[str] | None = None,
        media_contexts: Sequence[Sequence[str]] | None = None,
        a_b_names: Sequence[str] | None = None,
        settings: Sequence[Setting] | None = None,
        private_metadata: Sequence[dict[str, str]] | None = None,
    ) -> AsyncRapidataJobDefinition:
        """Define a job in which labelers choose one of two items; see :class:`CompareJob`."""
        return await self.create_job_definition(
            CompareJob(
                **_given(
                    name=name,
                    instruction=instruction,
                    datapoints=datapoints,
                    data_type=data_type,
                    responses_per_datapoint=responses_per_datapoint,
                    contexts=contexts,
                    media_contexts=media_contexts,
                    a_b_names=a_b_names,
                    settings=settings,
                    private_metadata=private_metadata,
                )
            )
        )

    async def create_classification_job_definition(
        self,
        name: str,
        instruction: str,
        answer_options: Sequence[str],
        datapoints: Sequence[str],
        data_type: Literal["media", "text"] = "media",
        responses_per_datapoint: int = 10,
        contexts: Sequence[str] | None = None,
        media_contexts: Sequence[Sequence[str]] | None = None,
        settings: Sequence[Setting] | None = None,
        private_metadata: Sequence[dict[str, str]] | None = None,
    ) -> AsyncRapidataJobDefinition:
        """Define a job in which labelers choose an option; see :class:`ClassificationJob`."""
        return await self.create_job_definition(
            ClassificationJob(
                **_given(
                    name=name,
                    instruction=instruction,
                    answer_options=answer_options,
                    datapoints=datapoints,
                    data_type=data_type,
                    responses_per_datapoint=responses_per_datapoint,
                    contexts=contexts,
                    media_contexts=media_contexts,
                    settings=settings,
                    private_metadata=private_metadata,
                )
            )
        )

    async def get_job_definition_by_id(self, definition_id: str) -> AsyncRapidataJobDefinition:
        """Find a definition again.

        Raises:
            NotFoundError: There is none with this id.
        """
        _require_id("definition_id", definition_id)
        found = await self._jobs.get_definition(definition_id)
        return AsyncRapidataJobDefinition(self._transport, found.definition_id, found.name)

    async def get_job_by_id(self, job_id: str) -> AsyncRapidataJob:
        """Find a job again.

        Raises:
            NotFoundError: There is none with this id.
        """
        _require_id("job_id", job_id)
        found = await self._jobs.get(job_id)
        return AsyncRapidataJob(
            self._transport,
            job_id=found.job_id,
            name=found.name,
            definition_id=found.definition_id,
            audience_id=found.audience_id,
            created_at=found.created_at,
        )

    async def find_jobs(
        self, name: str = "", amount: int = 10, page: int = 1
    ) -> list[AsyncRapidataJob]:
        """Jobs whose name contains a text, newest first.

        Args:
            name: The text; empty finds all.
            amount: Jobs per page.
            page: Number of the page, from 1.
        """
        filters = [("name[contains]", name)] if name else []
        return [
            AsyncRapidataJob(
                self._transport,
                job_id=item.job_id,
                name=item.name,
                definition_id=item.job_definition_id,
                audience_id=item.audience_id,
                created_at=item.created_at,
            )
            for item in await self._jobs.list(filters, page=page, size=amount)
        ]

    async def assign(
        self, definition: AsyncRapidataJobDefinition, audience_id: str
    ) -> AsyncRapidataJob:
        """Start a new job, paid for, each time this is called.

        The job's name ends in a marker of its own, so that a lost answer is resolved by reading.
        To pay once for a task that may run again, use ``client.submit`` with a key.
        """
        identity = Identity(fingerprint=uuid4().hex[:16], key=uuid4().hex[:16])
        name = identity.name(definition.name)
        paid = await pay(self._transport, definition.id, audience_id, identity, name)
        # Nothing is asked after the payment: a failure now would lose the job's id.
        return AsyncRapidataJob(
            self._transport,
            job_id=paid.job_id,
            name=name,
            definition_id=definition.id,
            audience_id=audience_id,
            created_at=datetime.now(UTC),
        )


def _estimate(answer: CostAnswer) -> CostEstimate:
    return CostEstimate(answer.estimated_cost, answer.datapoint_count, answer.required_responses)


def _given(**arguments: Any) -> dict[str, Any]:
    """The arguments that were given: None stands for the spec's default."""
    return {name: value for name, value in arguments.items() if value is not None}


def _require_id(argument: str, identifier: str) -> None:
    if not identifier.strip():
        raise ValidationError(argument, ["must not be blank"])


def _steady(seconds: float) -> PollingPolicy:
    if not seconds > 0:
        raise ValidationError("poll_interval", [f"must be above 0 seconds, not {seconds!r}"])
    return PollingPolicy(fastest=seconds, slowest=seconds)


def _show(url: str) -> None:
    # Where there is no browser (a worker, a container), the address itself is what helps.
    if not webbrowser.open(url):
        sys.stderr.write(f"{url}\n")


def _draw(progress: JobProgress) -> None:
    filled = round(progress.completion_percentage / 4)
    bar = "#" * filled + "-" * (25 - filled)
    line = f"[{bar}] {progress.completion_percentage:5.1f} % {progress.state:<9}"
    # A terminal shows one line that grows, a log file a line per change.
    sys.stderr.write(f"\r{line}" if sys.stderr.isatty() else f"{line.rstrip()}\n")
    sys.stderr.flush()
