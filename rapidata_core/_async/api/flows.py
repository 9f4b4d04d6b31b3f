"""The flow service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from rapidata_core._async.transport import AsyncTransport, Parameters
from rapidata_core.http import segment
from rapidata_core.policy.retry import Call
from rapidata_core.wire.flow import (
    ClassificationAnswer,
    FlowAnswer,
    FlowCreated,
    FlowItemAnswer,
    FlowItemCreated,
    FlowListItem,
    MatrixAnswer,
    RankingAnswer,
)
from rapidata_core.wire.model import Page

Kind = Literal["ranking", "simple"]


class AsyncFlowApi:
    """``/flow…``"""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def create(self, kind: Kind, body: Mapping[str, Any]) -> FlowCreated:
        """``POST /flow/{kind}``: costs nothing before it has items"""
        return await self._transport.ask(
            "POST",
            f"/flow/{kind}",
            FlowCreated,
            call=Call.CREATES,
            about=f"flow {body['name']!r}",
            json=body,
        )

    async def get(self, flow_id: str) -> FlowAnswer:
        """``GET /flow/{id}``"""
        return await self._transport.read(
            f"/flow/{segment(flow_id)}", FlowAnswer, about=f"flow {flow_id!r}"
        )

    async def list(
        self, filters: Parameters = (), *, page: int = 1, size: int = 100
    ) -> Sequence[FlowListItem]:
        """``GET /flow``, newest first"""
        return await self._transport.read_page(
            "/flow",
            Page[FlowListItem],
            about="flows",
            page=page,
            size=size,
            filters=filters,
        )

    async def update(self, kind: Kind, flow_id: str, changes: Mapping[str, Any]) -> None:
        """``PATCH /flow/{kind}/{id}``; what is absent stays as it is"""
        await self._transport.send(
            "PATCH",
            f"/flow/{kind}/{segment(flow_id)}",
            call=Call.REPEATABLE,
            about=f"flow {flow_id!r}",
            json=changes,
        )

    async def delete(self, flow_id: str) -> None:
        """``DELETE /flow/{id}``"""
        await self._transport.send(
            "DELETE", f"/flow/{segment(flow_id)}", call=Call.REPEATABLE, about=f"flow {flow_id!r}"
        )

    async def create_item(
        self, kind: Kind, flow_id: str, body: Mapping[str, Any]
    ) -> FlowItemCreated:
        """``POST /flow/{kind}/{id}/item``: costs money"""
        return await self._transport.ask(
            "POST",
            f"/flow/{kind}/{segment(flow_id)}/item",
            FlowItemCreated,
            call=Call.COSTS,
            about=f"an item of flow {flow_id!r}",
            json=body,
        )

    async def items(
        self, flow_id: str, *, page: int = 1, size: int = 100
    ) -> Sequence[FlowItemAnswer]:
        """``GET /flow/ranking/{id}/item``, for flows of both kinds; newest first"""
        return await self._transport.read_page(
            f"/flow/ranking/{segment(flow_id)}/item",
            Page[FlowItemAnswer],
            about=f"the items of flow {flow_id!r}",
            page=page,
            size=size,
        )

    async def item(self, item_id: str) -> FlowItemAnswer:
        """``GET /flow/ranking/item/{id}``, for items of both kinds"""
        return await self._transport.read(
            f"/flow/ranking/item/{segment(item_id)}", FlowItemAnswer, about=f"flow item {item_id!r}"
        )

    async def ranking(self, item_id: str) -> RankingAnswer:
        """``GET /flow/ranking/item/{id}/results``"""
        return await self._transport.read(
            f"/flow/ranking/item/{segment(item_id)}/results",
            RankingAnswer,
            about=f"the results of flow item {item_id!r}",
        )

    async def matrix(self, item_id: str) -> MatrixAnswer:
        """``GET /flow/ranking/item/{id}/vote-matrix``"""
        return await self._transport.read(
            f"/flow/ranking/item/{segment(item_id)}/vote-matrix",
            MatrixAnswer,
            about=f"the results of flow item {item_id!r}",
        )

    async def classification(self, item_id: str) -> ClassificationAnswer:
        """``GET /flow/simple/item/{id}/results``"""
        return await self._transport.read(
            f"/flow/simple/item/{segment(item_id)}/results",
            ClassificationAnswer,
            about=f"the results of flow item {item_id!r}",
        )

    async def stop(self, item_id: str) -> None:
        """``POST /flow/item/{id}/stop``"""
        await self._transport.send(
            "POST",
            f"/flow/item/{segment(item_id)}/stop",
            call=Call.REPEATABLE,
            about=f"flow item {item_id!r}",
        )

    async def preheat(self) -> None:
        """``POST /campaign/boost/preheat``"""
        await self._transport.send(
            "POST", "/campaign/boost/preheat", call=Call.REPEATABLE, about="the preheating of flows"
        )
