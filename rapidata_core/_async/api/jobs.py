"""The job service: definitions and jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rapidata_core._async.transport import AsyncTransport, Parameters
from rapidata_core.http import segment
from rapidata_core.policy.retry import Call
from rapidata_core.wire.job import (
    CostAnswer,
    DefinitionAnswer,
    DefinitionCreated,
    JobAnswer,
    JobCreated,
    JobListItem,
    ProgressAnswer,
    RevisionAnswer,
)
from rapidata_core.wire.model import Page


class AsyncJobApi:
    """``/job…``"""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def create_definition(self, body: Mapping[str, Any]) -> DefinitionCreated:
        """``POST /job/definition``"""
        return await self._transport.ask(
            "POST",
            "/job/definition",
            DefinitionCreated,
            call=Call.CREATES,
            about=f"job definition {body['definitionName']!r}",
            json=body,
        )

    async def get_definition(self, definition_id: str) -> DefinitionAnswer:
        """``GET /job/definition/{id}``"""
        return await self._transport.read(
            f"/job/definition/{segment(definition_id)}",
            DefinitionAnswer,
            about=f"job definition {definition_id!r}",
        )

    async def list_definitions(self, filters: Parameters, size: int) -> list[DefinitionAnswer]:
        """``GET /job/definitions``, oldest first"""
        answer = await self._transport.read(
            "/job/definitions",
            Page[DefinitionAnswer],
            about="job definitions",
            params=[("page", "1"), ("page_size", str(size)), ("sort", "created_at"), *filters],
        )
        return answer.items

    async def get_revision(self, definition_id: str) -> RevisionAnswer:
        """``GET /job/definition/{id}/revision``: the latest one"""
        return await self._transport.read(
            f"/job/definition/{segment(definition_id)}/revision",
            RevisionAnswer,
            about=f"job definition {definition_id!r}",
        )

    async def definition_cost(self, definition_id: str) -> CostAnswer:
        """``GET /job/definition/{id}/cost-estimate``; 409 while it is not priced yet"""
        return await self._transport.read(
            f"/job/definition/{segment(definition_id)}/cost-estimate",
            CostAnswer,
            about=f"the cost of job definition {definition_id!r}",
        )

    async def create(
        self, *, definition_id: str, audience_id: str, revision_number: int, name: str
    ) -> JobCreated:
        """``POST /job``: costs money"""
        return await self._transport.ask(
            "POST",
            "/job",
            JobCreated,
            call=Call.COSTS,
            about=f"a job of definition {definition_id!r} for audience {audience_id!r}",
            json={
                "jobDefinitionId": definition_id,
                "audienceId": audience_id,
                "revisionNumber": revision_number,
                "name": name,
            },
        )

    async def list(
        self, filters: Parameters = (), *, sort: str = "-created_at", page: int = 1, size: int = 100
    ) -> Sequence[JobListItem]:
        """``GET /jobs``"""
        answer = await self._transport.read(
            "/jobs",
            Page[JobListItem],
            about="jobs",
            params=[("page", str(page)), ("page_size", str(size)), ("sort", sort), *filters],
        )
        return answer.items

    async def get(self, job_id: str) -> JobAnswer:
        """``GET /job/{id}``"""
        return await self._transport.read(
            f"/job/{segment(job_id)}", JobAnswer, about=f"job {job_id!r}"
        )

    async def progress(self, job_id: str) -> ProgressAnswer:
        """``GET /job/{id}/progress``"""
        return await self._transport.read(
            f"/job/{segment(job_id)}/progress", ProgressAnswer, about=f"job {job_id!r}"
        )

    async def cost(self, job_id: str) -> CostAnswer:
        """``GET /job/{id}/cost-estimate``; 409 while it is not priced yet"""
        return await self._transport.read(
            f"/job/{segment(job_id)}/cost-estimate", CostAnswer, about=f"the cost of job {job_id!r}"
        )

    async def download_results(self, job_id: str) -> bytes:
        """``GET /job/{id}/download-results``: the file itself"""
        return await self._transport.send(
            "GET",
            f"/job/{segment(job_id)}/download-results",
            call=Call.REPEATABLE,
            about=f"the results of job {job_id!r}",
        )

    async def pause(self, job_id: str) -> None:
        """``POST /job/{id}/pause``"""
        await self._act(job_id, "pause", Call.REPEATABLE)

    async def resume(self, job_id: str) -> None:
        """``POST /job/{id}/resume``: can cost money"""
        await self._act(job_id, "resume", Call.COSTS)

    async def delete(self, job_id: str) -> None:
        """``DELETE /job/{id}``"""
        await self._transport.send(
            "DELETE", f"/job/{segment(job_id)}", call=Call.REPEATABLE, about=f"job {job_id!r}"
        )

    async def _act(self, job_id: str, verb: str, call: Call) -> None:
        await self._transport.send(
            "POST", f"/job/{segment(job_id)}/{verb}", call=call, about=f"job {job_id!r}"
        )
