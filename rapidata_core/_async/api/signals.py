"""The signal service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rapidata_core._async.transport import AsyncTransport, Parameters
from rapidata_core.http import segment
from rapidata_core.policy.retry import Call
from rapidata_core.wire.model import Page
from rapidata_core.wire.signal import RunAnswer, SignalAnswer, SignalCreated, SignalTriggered


class AsyncSignalApi:
    """``/signal…``"""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def create(self, body: Mapping[str, Any]) -> SignalCreated:
        """``POST /signal``: costs money with every firing"""
        return await self._transport.ask(
            "POST",
            "/signal",
            SignalCreated,
            call=Call.COSTS,
            about=f"signal {body['name']!r}",
            json=body,
        )

    async def get(self, signal_id: str) -> SignalAnswer:
        """``GET /signal/{id}``"""
        return await self._transport.read(
            f"/signal/{segment(signal_id)}", SignalAnswer, about=f"signal {signal_id!r}"
        )

    async def list(
        self, filters: Parameters = (), *, page: int = 1, size: int = 100
    ) -> Sequence[SignalAnswer]:
        """``GET /signal``, newest first"""
        return await self._transport.read_page(
            "/signal",
            Page[SignalAnswer],
            about="signals",
            page=page,
            size=size,
            filters=filters,
        )

    async def update(self, signal_id: str, changes: Mapping[str, Any]) -> None:
        """``PATCH /signal/{id}``; what is absent stays as it is"""
        await self._transport.send(
            "PATCH",
            f"/signal/{segment(signal_id)}",
            call=Call.REPEATABLE,
            about=f"signal {signal_id!r}",
            json=changes,
        )

    async def delete(self, signal_id: str) -> None:
        """``DELETE /signal/{id}``"""
        await self._transport.send(
            "DELETE",
            f"/signal/{segment(signal_id)}",
            call=Call.REPEATABLE,
            about=f"signal {signal_id!r}",
        )

    async def pause(self, signal_id: str) -> None:
        """``POST /signal/{id}/pause``"""
        await self._act(signal_id, "pause")

    async def resume(self, signal_id: str) -> None:
        """``POST /signal/{id}/resume``: what it costs, it costs however often it is repeated"""
        await self._act(signal_id, "resume")

    async def trigger(self, signal_id: str) -> SignalTriggered:
        """``POST /signal/{id}/trigger``: costs money"""
        return await self._transport.ask(
            "POST",
            f"/signal/{segment(signal_id)}/trigger",
            SignalTriggered,
            call=Call.COSTS,
            about=f"signal {signal_id!r}",
        )

    async def runs(
        self,
        signal_id: str,
        filters: Parameters = (),
        *,
        sort: str = "-started_at",
        page: int = 1,
        size: int = 100,
    ) -> Sequence[RunAnswer]:
        """``GET /signal/{id}/run``"""
        return await self._transport.read_page(
            f"/signal/{segment(signal_id)}/run",
            Page[RunAnswer],
            about=f"the runs of signal {signal_id!r}",
            page=page,
            size=size,
            sort=sort,
            filters=filters,
        )

    async def all_runs(self, signal_id: str, filters: Parameters = ()) -> Sequence[RunAnswer]:
        """``GET /signal/{id}/run``: all pages, oldest first"""
        return await self._transport.read_all(
            f"/signal/{segment(signal_id)}/run",
            Page[RunAnswer],
            about=f"the runs of signal {signal_id!r}",
            params=[("sort", "started_at"), *filters],
        )

    async def run(self, run_id: str) -> RunAnswer:
        """``GET /signal/run/{id}``"""
        return await self._transport.read(
            f"/signal/run/{segment(run_id)}", RunAnswer, about=f"signal run {run_id!r}"
        )

    async def _act(self, signal_id: str, verb: str) -> None:
        await self._transport.send(
            "POST",
            f"/signal/{segment(signal_id)}/{verb}",
            call=Call.REPEATABLE,
            about=f"signal {signal_id!r}",
        )
