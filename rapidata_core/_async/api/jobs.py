"""The job service: jobs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rapidata_core._async.transport import AsyncTransport, Parameters
from rapidata_core.http import segment
from rapidata_core.policy.retry import Call
from rapidata_core.wire.job import (
    CostAnswer,
    JobAnswer,
    JobCreated,
    JobListItem,
    PreliminaryDownload,
    ProgressAnswer,
)
from rapidata_core.wire.model import Page


class AsyncJobApi:
    """``/job…`` and ``/jobs``"""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def create(
        self,
        *,
        definition_id: str,
        audience_id: str,
        revision_number: int,
        name: str,
        preceding_job_id: str | None = None,
        check_for_explicit_content: bool | None = None,
        before: float | None = None,
    ) -> JobCreated:
        """``POST /job``: costs money; see :meth:`AsyncTransport.send` for ``before``"""
        wishes = {
            "precedingJobId": preceding_job_id,
            "checkForExplicitContent": check_for_explicit_content,
        }
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
                **{wish: value for wish, value in wishes.items() if value is not None},
            },
            before=before,
        )

    async def list_all(self, filters: Parameters) -> Sequence[JobListItem]:
        """``GET /jobs``: all pages, newest first"""
        return await self._transport.read_all(
            "/jobs",
            Page[JobListItem],
            about="jobs",
            params=[("sort", "-created_at"), *filters],
        )

    async def list(
        self, filters: Parameters = (), *, sort: str = "-created_at", page: int = 1, size: int = 100
    ) -> Sequence[JobListItem]:
        """``GET /jobs``"""
        return await self._transport.read_page(
            "/jobs",
            Page[JobListItem],
            about="jobs",
            page=page,
            size=size,
            sort=sort,
            filters=filters,
        )

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

    async def download_results(self, job_id: str, into: Path | None = None) -> bytes:
        """``GET /job/{id}/download-results``: the file; :meth:`AsyncTransport.send` has ``into``"""
        return await self._transport.send(
            "GET",
            f"/job/{segment(job_id)}/download-results",
            call=Call.REPEATABLE,
            about=f"the results of job {job_id!r}",
            into=into,
        )

    async def pause(self, job_id: str) -> None:
        """``POST /job/{id}/pause``"""
        await self._act(job_id, "pause", Call.REPEATABLE)

    async def resume(self, job_id: str) -> None:
        """``POST /job/{id}/resume``: can cost money"""
        await self._act(job_id, "resume", Call.COSTS)

    async def retry(self, job_id: str) -> None:
        """``POST /job/{id}/retry``: makes stale results anew, and can cost money"""
        await self._act(job_id, "retry", Call.COSTS)

    async def rename(self, job_id: str, name: str) -> None:
        """``PATCH /job/{id}``"""
        await self._transport.send(
            "PATCH",
            f"/job/{segment(job_id)}",
            call=Call.REPEATABLE,
            about=f"job {job_id!r}",
            json={"name": name},
        )

    async def start_preliminary(self, pipeline_id: str) -> PreliminaryDownload:
        """``POST /pipeline/{id}/preliminary-download``: asking twice makes a second file"""
        return await self._transport.ask(
            "POST",
            f"/pipeline/{segment(pipeline_id)}/preliminary-download",
            PreliminaryDownload,
            call=Call.REPEATABLE,
            about=f"preliminary results of pipeline {pipeline_id!r}",
            json={"sendEmail": False},
        )

    async def download_preliminary(self, download_id: str) -> bytes:
        """``GET /pipeline/preliminary-download/{id}``: the file itself; empty until it is there"""
        return await self._transport.send(
            "GET",
            f"/pipeline/preliminary-download/{segment(download_id)}",
            call=Call.REPEATABLE,
            about=f"preliminary results {download_id!r}",
        )

    async def delete(self, job_id: str) -> None:
        """``DELETE /job/{id}``"""
        await self._transport.send(
            "DELETE", f"/job/{segment(job_id)}", call=Call.REPEATABLE, about=f"job {job_id!r}"
        )

    async def _act(self, job_id: str, verb: str, call: Call) -> None:
        await self._transport.send(
            "POST", f"/job/{segment(job_id)}/{verb}", call=call, about=f"job {job_id!r}"
        )
