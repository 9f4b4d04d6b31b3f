"""The audience service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rapidata_core._async.transport import AsyncTransport, Parameters
from rapidata_core.http import segment
from rapidata_core.policy.retry import Call
from rapidata_core.wire.audience import (
    AudienceAnswer,
    AudienceCreated,
    AudienceListItem,
    ExampleAnswer,
    UnlistedAudienceAnswer,
    UserMetrics,
)
from rapidata_core.wire.model import Page


class AsyncAudienceApi:
    """``/audience…`` and ``/audiences``"""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def create(self, body: Mapping[str, Any]) -> AudienceCreated:
        """``POST /audience``"""
        return await self._create("/audience", body, f"audience {body['name']!r}")

    async def create_unlisted(self, name: str) -> AudienceCreated:
        """``POST /audience/unlisted``"""
        return await self._create(
            "/audience/unlisted", {"name": name}, f"unlisted audience {name!r}"
        )

    async def create_filtered(self, base_id: str, filtered: Mapping[str, Any]) -> AudienceCreated:
        """``POST /audience/{id}/filter``"""
        return await self._create(
            f"/audience/{segment(base_id)}/filter",
            {"filter": filtered},
            f"a filter on audience {base_id!r}",
        )

    async def get(self, audience_id: str) -> AudienceAnswer:
        """``GET /audience/{id}``"""
        return await self._transport.read(
            f"/audience/{segment(audience_id)}", AudienceAnswer, about=f"audience {audience_id!r}"
        )

    async def get_unlisted(self, audience_id: str) -> UnlistedAudienceAnswer:
        """``GET /audience/unlisted/{id}``"""
        return await self._transport.read(
            f"/audience/unlisted/{segment(audience_id)}",
            UnlistedAudienceAnswer,
            about=f"unlisted audience {audience_id!r}",
        )

    async def list(
        self, filters: Parameters = (), *, page: int = 1, size: int = 100
    ) -> Sequence[AudienceListItem]:
        """``GET /audiences``, newest first"""
        return await self._transport.read_page(
            "/audiences",
            Page[AudienceListItem],
            about="audiences",
            page=page,
            size=size,
            filters=filters,
        )

    async def update(self, audience_id: str, body: Mapping[str, Any]) -> None:
        """``PATCH /audience/{id}``"""
        await self._act("PATCH", f"/audience/{segment(audience_id)}", audience_id, body)

    async def delete(self, audience_id: str) -> None:
        """``DELETE /audience/{id}``"""
        await self._act("DELETE", f"/audience/{segment(audience_id)}", audience_id)

    async def recruit(self, audience_id: str) -> None:
        """``POST /audience/{id}/recruit``: recruiting that has begun goes on"""
        await self._act("POST", f"/audience/{segment(audience_id)}/recruit", audience_id)

    async def metrics(self, audience_id: str) -> UserMetrics:
        """``GET /audience/{id}/user-metrics``"""
        return await self._transport.read(
            f"/audience/{segment(audience_id)}/user-metrics",
            UserMetrics,
            about=f"audience {audience_id!r}",
        )

    async def add_example(self, audience_id: str, body: Mapping[str, Any]) -> None:
        """``POST /audience/{id}/example``: the answer does not name it"""
        await self._transport.send(
            "POST",
            f"/audience/{segment(audience_id)}/example",
            call=Call.CREATES,
            about=f"an example for audience {audience_id!r}",
            json=body,
        )

    async def examples(
        self, audience_id: str, *, page: int = 1, size: int = 100
    ) -> Sequence[ExampleAnswer]:
        """``GET /audience/{id}/examples``"""
        return await self._transport.read_page(
            f"/audience/{segment(audience_id)}/examples",
            Page[ExampleAnswer],
            about=f"the examples of audience {audience_id!r}",
            page=page,
            size=size,
            sort=None,
        )

    async def all_examples(self, audience_id: str) -> Sequence[ExampleAnswer]:
        """``GET /audience/{id}/examples``: all of them"""
        return await self._transport.read_all(
            f"/audience/{segment(audience_id)}/examples",
            Page[ExampleAnswer],
            about=f"the examples of audience {audience_id!r}",
        )

    async def delete_example(self, example_id: str) -> None:
        """``DELETE /audience/example/{id}``"""
        await self._transport.send(
            "DELETE",
            f"/audience/example/{segment(example_id)}",
            call=Call.REPEATABLE,
            about=f"example {example_id!r}",
        )

    async def _create(self, path: str, body: Mapping[str, Any], about: str) -> AudienceCreated:
        return await self._transport.ask(
            "POST", path, AudienceCreated, call=Call.CREATES, about=about, json=body
        )

    async def _act(
        self, method: str, path: str, audience_id: str, body: Mapping[str, Any] | None = None
    ) -> None:
        await self._transport.send(
            method, path, call=Call.REPEATABLE, about=f"audience {audience_id!r}", json=body
        )
