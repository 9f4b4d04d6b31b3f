"""The dataset service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rapidata_core._async.transport import AsyncTransport
from rapidata_core.http import segment
from rapidata_core.policy.retry import Call
from rapidata_core.wire.dataset import DatapointCreated, DatasetCreated


class AsyncDatasetApi:
    """``/dataset…``"""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def create(self, name: str, schema: Sequence[Mapping[str, Any]] | None) -> DatasetCreated:
        """``POST /dataset``"""
        return await self._transport.ask(
            "POST",
            "/dataset",
            DatasetCreated,
            call=Call.CREATES,
            about=f"dataset {name!r}",
            json={"name": name, "schema": schema},
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
