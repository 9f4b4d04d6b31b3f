"""``client.audience``: who answers, in the words of the platform's documents."""

from __future__ import annotations

from rapidata_core._async.api.audiences import AsyncAudienceApi
from rapidata_core._async.definitions import AsyncRapidataJobDefinition
from rapidata_core._async.jobs import AsyncRapidataJob, assign
from rapidata_core._async.transport import AsyncTransport
from rapidata_core.errors import ValidationError


class AsyncRapidataAudience:
    """A pool of labelers.

    Attributes:
        id: The audience's id; the pool of everybody is ``global``.
        name: Its name.
    """

    def __init__(self, transport: AsyncTransport, audience_id: str, name: str) -> None:
        self._transport = transport
        self.id = audience_id
        self.name = name

    async def assign_job(self, job_definition: AsyncRapidataJobDefinition) -> AsyncRapidataJob:
        """Let this audience answer a job definition. Every call starts, and pays for, a new job.

        Raises:
            AmbiguousSubmissionError: The answer was lost and the job did not show up; look with
                ``client.job.find_jobs`` before you try again.
        """
        return await assign(self._transport, job_definition.id, job_definition.name, self.id)

    def __repr__(self) -> str:
        return f"RapidataAudience(id={self.id!r}, name={self.name!r})"


class AsyncAudiences:
    """``client.audience``."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport
        self._audiences = AsyncAudienceApi(transport)

    async def get_audience_by_id(self, audience_id: str) -> AsyncRapidataAudience:
        """Find an audience.

        Raises:
            NotFoundError: There is none with this id.
        """
        if not audience_id.strip():
            raise ValidationError("audience_id", ["must not be blank; 'global' is everybody"])
        found = await self._audiences.get(audience_id)
        return AsyncRapidataAudience(self._transport, found.id, found.name)
