"""Waiting for a flow's batch on the triggerer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rapidata_airflow.triggers.waiting import RapidataTrigger

if TYPE_CHECKING:
    from rapidata_core import AsyncRapidataClient


class RapidataFlowItemTrigger(RapidataTrigger):
    """Wait until a flow's batch collects no more answers; the event has its last ``state``.

    Args:
        flow_item_id: The batch.
        **kwargs: See :class:`RapidataTrigger`.
    """

    subject = ("flow_item_id",)

    def __init__(self, *, flow_item_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.flow_item_id = flow_item_id

    async def wait(self, client: AsyncRapidataClient, timeout: float | None) -> dict[str, Any]:
        """See :meth:`RapidataTrigger.wait`; finds the batch's last state."""
        item = await client.flow.get_flow_item_by_id(self.flow_item_id)
        return {"state": await item.wait(timeout, self.poll_interval)}
