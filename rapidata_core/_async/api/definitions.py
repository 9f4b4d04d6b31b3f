"""The job service: definitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rapidata_core._async.transport import AsyncTransport, Parameters
from rapidata_core.http import segment
from rapidata_core.policy.retry import Call
from rapidata_core.wire.definition import DefinitionAnswer, DefinitionCreated, RevisionAnswer
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

    async def list(self, filters: Parameters, size: int) -> Sequence[DefinitionAnswer]:
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

    async def cost(self, definition_id: str) -> CostAnswer:
        """``GET /job/definition/{id}/cost-estimate``; 409 while it is not priced yet"""
        return await self._transport.read(
            f"/job/definition/{segment(definition_id)}/cost-estimate",
            CostAnswer,
            about=f"the cost of job definition {definition_id!r}",
        )
