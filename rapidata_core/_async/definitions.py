"""Job definitions: what is asked; and ``client.job``, which makes them and finds jobs again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from rapidata_core._async.api.definitions import AsyncDefinitionApi
from rapidata_core._async.jobs import AsyncRapidataJob, estimate, find_jobs, get_job
from rapidata_core._async.submit import price
from rapidata_core._async.transport import AsyncTransport
from rapidata_core._async.upload import define
from rapidata_core.display import show
from rapidata_core.errors import ValidationError
from rapidata_core.http import segment
from rapidata_core.jobs import ClassificationJob, CompareJob, JobSpec
from rapidata_core.policy.submission import readable
from rapidata_core.types import CostEstimate, Setting


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
        show(self.url)
        return self

    @property
    async def estimated_cost(self) -> CostEstimate:
        """What a job of this definition is expected to cost."""
        return estimate(await price(AsyncDefinitionApi(self._transport).cost, self.id))

    def __repr__(self) -> str:
        return f"RapidataJobDefinition(id={self.id!r}, name={self.name!r})"


class AsyncJobs:
    """``client.job``."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

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
        if not definition_id.strip():
            raise ValidationError("definition_id", ["must not be blank"])
        found = await AsyncDefinitionApi(self._transport).get(definition_id)
        return AsyncRapidataJobDefinition(self._transport, found.definition_id, found.name)

    async def get_job_by_id(self, job_id: str) -> AsyncRapidataJob:
        """Find a job again.

        Raises:
            NotFoundError: There is none with this id.
        """
        return await get_job(self._transport, job_id)

    async def find_jobs(
        self, name: str = "", amount: int = 10, page: int = 1
    ) -> list[AsyncRapidataJob]:
        """Jobs whose name contains a text, newest first.

        Args:
            name: The text; empty finds all.
            amount: Jobs per page.
            page: Number of the page, from 1.
        """
        return await find_jobs(self._transport, name, amount, page)


def _given(**arguments: Any) -> dict[str, Any]:
    """The arguments that were given: None stands for the spec's default."""
    return {name: value for name, value in arguments.items() if value is not None}
