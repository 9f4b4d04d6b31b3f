"""A sensor of audiences."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from rapidata_airflow.sensors.waiting import RapidataSensor
from rapidata_airflow.triggers.audience import RapidataAudienceTrigger
from rapidata_core.errors import outside


class RapidataAudienceSensor(RapidataSensor):
    """Wait until people have qualified for an audience.

    An audience that recruits nobody, because it has its people already, is ready at once.

    Args:
        audience_id: The audience.
        graduates: How many labelers have to qualify.
        **kwargs: See :class:`RapidataSensor`.

    Returns:
        ``{"audience_id", "graduated"}``.

    Raises:
        ValidationError: Something is wrong; it lists every problem at once.
    """

    template_fields: Collection[str] = ("audience_id", "rapidata_conn_id")
    trigger_type = RapidataAudienceTrigger
    required = ("audience_id",)

    def __init__(self, *, audience_id: str, graduates: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.audience_id = audience_id
        self.graduates = graduates
        self.prepare()

    def trigger_arguments(self) -> dict[str, Any]:
        """See :meth:`RapidataSensor.trigger_arguments`."""
        return {"audience_id": self.audience_id, "graduates": self.graduates}

    def problems(self) -> list[str]:
        """See :meth:`RapidataSensor.problems`."""
        return [*super().problems(), *outside("graduates", self.graduates, 1, whole=True)]
