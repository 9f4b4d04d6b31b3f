"""A sensor of jobs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from rapidata_airflow.outcomes import reaction_problems
from rapidata_airflow.sensors.waiting import RapidataSensor
from rapidata_airflow.triggers.job import RapidataJobTrigger

if TYPE_CHECKING:
    from rapidata_core import Reaction


class RapidataJobSensor(RapidataSensor):
    """Wait until people have answered a job.

    The sensor does not own the job: whatever happens to the task, the job goes on.

    Args:
        job_id: The job, for example ``ask.output["job_id"]`` of a ``RapidataJobOperator`` that does
            not wait itself.
        on_attention: What to do when the job needs somebody: for each state ``fail`` (the default),
            ``wait`` or ``resume``; see :meth:`rapidata_core.RapidataJob.wait`.
        **kwargs: See :class:`RapidataSensor`.

    Returns:
        ``{"job_id"}``.

    Raises:
        ValidationError: Something is wrong; it lists every problem at once.
    """

    template_fields: Collection[str] = ("job_id", "rapidata_conn_id")
    trigger_type = RapidataJobTrigger
    required = ("job_id",)

    def __init__(
        self,
        *,
        job_id: str,
        on_attention: Mapping[str, Reaction] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.job_id = job_id
        self.on_attention = on_attention
        self.prepare()

    def trigger_arguments(self) -> dict[str, Any]:
        """See :meth:`RapidataSensor.trigger_arguments`."""
        return {
            "job_id": self.job_id,
            "on_attention": self.on_attention,
            "on_kill_action": "keep",
        }

    def problems(self) -> list[str]:
        """See :meth:`RapidataSensor.problems`."""
        return [*super().problems(), *reaction_problems(self.on_attention)]
