"""The dataset service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rapidata_core._async.transport import AsyncTransport
from rapidata_core.http import segment
from rapidata_core.policy.retry import Call
from rapidata_core.wire.dataset import (
    DatapointAnswer,
    DatapointCreated,
    DatasetAnswer,
    DatasetCreated,
    DatasetProgress,
    ShortenedContexts,
)
from rapidata_core.wire.model import Page


class AsyncDatasetApi:
    """``/dataset…``"""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def create(self, body: Mapping[str, Any]) -> DatasetCreated:
        """``POST /dataset``. An empty dataset costs nothing and is listed nowhere: it repeats."""
        return await self._transport.ask(
            "POST",
            "/dataset",
            DatasetCreated,
            call=Call.REPEATABLE,
            about=f"dataset {body['name']!r}",
            json=body,
        )

    async def get(self, dataset_id: str) -> DatasetAnswer:
        """``GET /dataset/{id}``"""
        return await self._transport.read(
            f"/dataset/{segment(dataset_id)}", DatasetAnswer, about=f"dataset {dataset_id!r}"
        )

    async def add_datapoint(
        self, dataset_id: str, datapoint: Mapping[str, Any]
    ) -> DatapointCreated:
        """``POST /dataset/{id}/datapoint``. A second copy would be labelled and paid as well."""
        return await self._transport.ask(
            "POST",
            f"/dataset/{segment(dataset_id)}/datapoint",
            DatapointCreated,
            call=Call.CREATES,
            about=f"datapoint {datapoint['sortIndex']} of dataset {dataset_id!r}",
            json=datapoint,
        )

    async def add_group(self, dataset_id: str, group: Mapping[str, Any]) -> None:
        """``POST /dataset/{id}/group``. A group is known by its name, so there is only one."""
        await self._transport.send(
            "POST",
            f"/dataset/{segment(dataset_id)}/group",
            call=Call.REPEATABLE,
            about=f"group {group['group']!r} of dataset {dataset_id!r}",
            json=group,
        )

    async def progress(self, dataset_id: str) -> DatasetProgress:
        """``GET /dataset/{id}/progress``"""
        return await self._transport.read(
            f"/dataset/{segment(dataset_id)}/progress",
            DatasetProgress,
            about=f"dataset {dataset_id!r}",
        )

    async def list_datapoints(
        self, dataset_id: str, page: int, size: int
    ) -> Sequence[DatapointAnswer]:
        """``GET /dataset/{id}/datapoints``"""
        return await self._transport.read_page(
            f"/dataset/{segment(dataset_id)}/datapoints",
            Page[DatapointAnswer],
            about=f"dataset {dataset_id!r}",
            page=page,
            size=size,
            sort="created_at",
        )

    async def shorten_contexts(self, questions: Sequence[tuple[str, str]]) -> ShortenedContexts:
        """``POST /datasets/shorten-context`` of pairs of a context and a question."""
        items = [{"context": context, "question": question} for context, question in questions]
        return await self._transport.ask(
            "POST",
            "/datasets/shorten-context",
            ShortenedContexts,
            call=Call.REPEATABLE,
            about="the shortening of contexts",
            json={"items": items},
        )
