"""``client.order``: what the documents had before definitions and jobs, made of these two.

An order is a job definition that is run once, for everybody (the audience ``global``).
"""

from __future__ import annotations

import warnings
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from rapidata_core._async.audiences import GLOBAL
from rapidata_core._async.definitions import AsyncJobs, AsyncRapidataJobDefinition
from rapidata_core._async.jobs import AsyncRapidataJob, get_job
from rapidata_core._async.submit import find_order_job, submit_order
from rapidata_core._async.transport import AsyncTransport
from rapidata_core.display import show
from rapidata_core.errors import FailedUploadException, NotFoundError, ValidationError
from rapidata_core.results import RapidataResults
from rapidata_core.types import CostEstimate

_NOT_RUN = "Created"


class AsyncRapidataOrder:
    """A job definition that is run once, for everybody.

    Attributes:
        id: The id of its job definition, before and after it runs.
        name: Its name for people.
        job_definition: What is asked.
    """

    def __init__(
        self,
        transport: AsyncTransport,
        job_definition: AsyncRapidataJobDefinition,
        job: AsyncRapidataJob | None = None,
    ) -> None:
        self._transport = transport
        self._job = job
        self.id = job_definition.id
        self.name = job_definition.name
        self.job_definition = job_definition

    async def run(self) -> AsyncRapidataOrder:
        """Start it. An order is paid once: running it again, from anywhere, changes nothing.

        Raises:
            AmbiguousSubmissionError: The answer was lost and the job did not show up. Run it
                again: that looks before it pays.
        """
        if self._job is None:
            submission = await submit_order(self._transport, self.id, self.name, GLOBAL)
            self._job = AsyncRapidataJob(
                self._transport,
                job_id=submission.job_id,
                name=self.name,
                definition_id=self.id,
                audience_id=GLOBAL,
                created_at=datetime.now(UTC),
            )
        return self

    def preview(self) -> AsyncRapidataOrder:
        """Open the page that shows what labelers will see, where there is a browser."""
        self.job_definition.preview()
        return self

    def view(self) -> None:
        """Open its page, where there is a browser."""
        show(self._job.url if self._job else self.job_definition.url)

    @property
    async def estimated_cost(self) -> CostEstimate:
        """What it is expected to cost in all."""
        return await self.job_definition.estimated_cost

    async def get_status(self) -> str:
        """``Created`` before it runs, then as :class:`rapidata_core.types.JobState` says."""
        job = await self._find_job()
        return _NOT_RUN if job is None else await job.get_status()

    async def display_progress_bar(self, refresh_rate: float = 5) -> None:
        """Show the progress on standard error until it is done.

        Args:
            refresh_rate: Seconds between looks.

        Raises:
            ValidationError: It does not run yet.
        """
        await (await self._running()).display_progress_bar(refresh_rate)

    async def get_results(self, preliminary_results: bool = False) -> RapidataResults:
        """Wait until it is done, then fetch its answers.

        Args:
            preliminary_results: Do not wait: what there is so far.

        Raises:
            ValidationError: It does not run yet.
        """
        return await (await self._running()).get_results(preliminary_results)

    async def _running(self) -> AsyncRapidataJob:
        job = await self._find_job()
        if job is None:
            raise ValidationError(f"order {self.id!r}", ["does not run yet; call run() first"])
        return job

    async def _find_job(self) -> AsyncRapidataJob | None:
        """The job, which another object or another process may have started."""
        if self._job is None:
            found = await find_order_job(self._transport, self.id, GLOBAL)
            if found is not None:
                self._job = await get_job(self._transport, found.job_id)
        return self._job

    def __repr__(self) -> str:
        return f"RapidataOrder(id={self.id!r}, name={self.name!r})"


class AsyncOrders:
    """``client.order``: deprecated in favour of ``client.job`` and audiences.

    The ``create_..._order`` methods take the arguments of the ``create_..._job_definition`` methods
    of ``client.job``.
    """

    def __init__(self, transport: AsyncTransport, jobs: AsyncJobs) -> None:
        self._transport = transport
        self._jobs = jobs

    async def create(
        self,
        name: str,
        instruction: str,
        datapoints: Sequence[Any],
        answer_options: Sequence[str] | None = None,
        **more: Any,
    ) -> AsyncRapidataOrder:
        """Make an order: a classification where there are answer options, else a comparison.

        Args:
            name: For people.
            instruction: The question that labelers see.
            datapoints: Single items, or pairs of them.
            answer_options: The options to choose from.
            more: As for the job definition.

        Raises:
            FailedUploadException: Some datapoints could not be uploaded; its ``order`` is the
                order of the others.
        """
        _deprecated("create", "client.job.create_classification_job_definition and the like")
        given = {"name": name, "instruction": instruction, "datapoints": datapoints, **more}
        if answer_options is not None:
            given["answer_options"] = answer_options
            return await self._create(self._jobs.create_classification_job_definition, given)
        return await self._create(self._jobs.create_compare_job_definition, given)

    async def create_classification_order(self, **arguments: Any) -> AsyncRapidataOrder:
        """See the class."""
        _deprecated("create_classification_order", _replacement("classification"))
        return await self._create(self._jobs.create_classification_job_definition, arguments)

    async def create_compare_order(self, **arguments: Any) -> AsyncRapidataOrder:
        """See the class."""
        _deprecated("create_compare_order", _replacement("compare"))
        return await self._create(self._jobs.create_compare_job_definition, arguments)

    async def create_locate_order(self, **arguments: Any) -> AsyncRapidataOrder:
        """See the class."""
        _deprecated("create_locate_order", _replacement("locate"))
        return await self._create(self._jobs.create_locate_job_definition, arguments)

    async def create_draw_order(self, **arguments: Any) -> AsyncRapidataOrder:
        """See the class."""
        _deprecated("create_draw_order", _replacement("draw"))
        return await self._create(self._jobs.create_draw_job_definition, arguments)

    async def create_select_words_order(self, **arguments: Any) -> AsyncRapidataOrder:
        """See the class."""
        _deprecated("create_select_words_order", _replacement("select_words"))
        return await self._create(self._jobs.create_select_words_job_definition, arguments)

    async def create_free_text_order(self, **arguments: Any) -> AsyncRapidataOrder:
        """See the class."""
        _deprecated("create_free_text_order", _replacement("free_text"))
        return await self._create(self._jobs.create_free_text_job_definition, arguments)

    async def create_ranking_order(self, **arguments: Any) -> AsyncRapidataOrder:
        """See the class."""
        _deprecated("create_ranking_order", _replacement("ranking"))
        return await self._create(self._jobs.create_ranking_job_definition, arguments)

    async def get_order_by_id(self, order_id: str) -> AsyncRapidataOrder:
        """Find an order again.

        Args:
            order_id: The id of the order, which is that of its job definition, or of its job.

        Raises:
            NotFoundError: There is neither.
        """
        _deprecated("get_order_by_id", "client.job.get_job_definition_by_id or get_job_by_id")
        try:
            return self._order(await self._jobs.get_job_definition_by_id(order_id))
        except NotFoundError:
            job = await self._jobs.get_job_by_id(order_id)
        definition = await self._jobs.get_job_definition_by_id(job.definition_id)
        return AsyncRapidataOrder(self._transport, definition, job)

    async def find_orders(
        self, name: str = "", amount: int = 10, page: int = 1
    ) -> list[AsyncRapidataOrder]:
        """Orders whose name contains a text, newest first; every job definition counts as one.

        Args:
            name: The text; empty finds all.
            amount: Orders per page.
            page: Which page, from 1.
        """
        _deprecated("find_orders", "client.job.find_job_definitions or find_jobs")
        found = await self._jobs.find_job_definitions(name, amount, page)
        return [self._order(definition) for definition in found]

    async def _create(
        self,
        create: Callable[..., Awaitable[AsyncRapidataJobDefinition]],
        arguments: dict[str, Any],
    ) -> AsyncRapidataOrder:
        try:
            return self._order(await create(**arguments))
        except FailedUploadException as error:
            if error.job_definition is not None:
                error.order = self._order(error.job_definition)
            raise

    def _order(self, definition: AsyncRapidataJobDefinition) -> AsyncRapidataOrder:
        return AsyncRapidataOrder(self._transport, definition)


def _replacement(kind: str) -> str:
    return f"client.job.create_{kind}_job_definition and audience.assign_job"


def _deprecated(name: str, replacement: str) -> None:
    warnings.warn(
        f"client.order.{name} is deprecated; use {replacement}.", DeprecationWarning, stacklevel=3
    )
