"""Waiting until people have qualified for an audience."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rapidata_airflow.triggers.waiting import RapidataTrigger

if TYPE_CHECKING:
    from rapidata_core import AsyncRapidataClient


class RapidataAudienceTrigger(RapidataTrigger):
    """Wait for an audience; the event has ``audience_id`` and how many ``graduated``.

    An audience that recruits nobody, because it has its people already, is ready at once.

    Args:
        audience_id: The audience.
        graduates: How many labelers have to qualify.
        **kwargs: See :class:`RapidataTrigger`.
    """

    subject = ("audience_id",)
    options = ("graduates",)

    def __init__(self, *, audience_id: str, graduates: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.audience_id = audience_id
        self.graduates = graduates

    async def wait(self, client: AsyncRapidataClient, timeout: float | None) -> dict[str, Any]:
        """See :meth:`RapidataTrigger.wait`."""
        from rapidata_core import AsyncRapidataAudience

        audience = await client.audience.get_audience_by_id(self.audience_id)
        if not isinstance(audience, AsyncRapidataAudience):
            return {"graduated": 0}
        metrics = await audience.wait_until_ready(
            self.graduates, timeout=timeout, poll_interval=self.poll_interval
        )
        return {"graduated": metrics.graduated}
