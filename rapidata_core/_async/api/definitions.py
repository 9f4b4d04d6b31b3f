"""The job service: definitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rapidata_core._async.transport import AsyncTransport, Parameters
from rapidata_core.http import segment
from rapidata_core.policy.retry import Call
from rapidata_core.wire.definition import (
    DefinitionAnswer,
    DefinitionCreated,
    RevisionAnswer,
    RevisionCreated,
    RevisionItem,
)
from rapidata_core.wire.job import CostAnswer
from rapidata_core.wire.model import Page


class AsyncDefinitionApi:
    """``/job/definition…``"""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def create(self, body: Mapping[str, Any]) -> DefinitionCreated:
        """``POST /job/definition``"""
        return await self._transport.ask(
            "POST",
            "/job/definition",
            DefinitionCreated,
            call=Call.CREATES,
            about=f"job definition {body['definitionName']!r}",
            json=body,
        )

    async def get(self, definition_id: str) -> DefinitionAnswer:
        """``GET /job/definition/{id}``"""
        return await self._transport.read(
            f"/job/definition/{segment(definition_id)}",
            DefinitionAnswer,
            about=f"job definition {definition_id!r}",
        )

    async def list(
        self, filters: Parameters, size: int, *, page: int = 1, sort: str = "created_at"
    ) -> Sequence[DefinitionAnswer]:
        """``GET /job/definitions``, oldest first unless sorted otherwise"""
        return await self._transport.read_page(
            "/job/definitions",
            Page[DefinitionAnswer],
            about="job definitions",
            page=page,
            size=size,
            sort=sort,
            filters=filters,
        )

    async def list_all(self, filters: Parameters) -> Sequence[DefinitionAnswer]:
        """``GET /job/definitions``: all pages, newest first"""
        return await self._transport.read_all(
            "/job/definitions",
            Page[DefinitionAnswer],
            about="job definitions",
            params=[("sort", "-created_at"), *filters],
        )

    async def get_revision(self, definition_id: str, number: int | None = None) -> RevisionAnswer:
        """``GET /job/definition/{id}/revision``: the latest one, or the one of a number"""
        chosen = "" if number is None else f"/{number}"
        return await self._transport.read(
            f"/job/definition/{segment(definition_id)}/revision{chosen}",
            RevisionAnswer,
            about=f"revision {number} of job definition {definition_id!r}"
            if number is not None
            else f"job definition {definition_id!r}",
        )

    async def revisions(self, definition_id: str) -> Sequence[RevisionItem]:
        """``GET /job/definition/{id}/revisions``: all of them, oldest first"""
        return await self._transport.read_all(
            f"/job/definition/{segment(definition_id)}/revisions",
            Page[RevisionItem],
            about=f"job definition {definition_id!r}",
            params=[("sort", "revision_number")],
        )

    async def create_revision(self, definition_id: str, body: Mapping[str, Any]) -> RevisionCreated:
        """``POST /job/definition/{id}/revision``; 409 if it is not the latest that is changed"""
        return await self._transport.ask(
            "POST",
            f"/job/definition/{segment(definition_id)}/revision",
            RevisionCreated,
            call=Call.CREATES,
            about=f"a new revision of job definition {definition_id!r}",
            json=body,
        )

    async def clone(self, definition_id: str, name: str) -> DefinitionCreated:
        """``POST /job/definition/{id}/clone``: another one of the latest revision's dataset

        Repeated after a lost answer, it leaves one more; that costs nothing.
        """
        return await self._transport.ask(
            "POST",
            f"/job/definition/{segment(definition_id)}/clone",
            DefinitionCreated,
            call=Call.REPEATABLE,
            about=f"job definition {definition_id!r}",
            json={"definitionName": name},
        )

    async def rename(self, definition_id: str, name: str) -> None:
        """``PATCH /job/definition/{id}``"""
        await self._transport.send(
            "PATCH",
            f"/job/definition/{segment(definition_id)}",
            call=Call.REPEATABLE,
            about=f"job definition {definition_id!r}",
            json={"name": name},
        )

    async def delete(self, definition_id: str) -> None:
        """``DELETE /job/definition/{id}``"""
        await self._transport.send(
            "DELETE",
            f"/job/definition/{segment(definition_id)}",
            call=Call.REPEATABLE,
            about=f"job definition {definition_id!r}",
        )

    async def cost(self, definition_id: str) -> CostAnswer:
        """``GET /job/definition/{id}/cost-estimate``; 409 while it is not priced yet"""
        return await self._transport.read(
            f"/job/definition/{segment(definition_id)}/cost-estimate",
            CostAnswer,
            about=f"the cost of job definition {definition_id!r}",
        )
