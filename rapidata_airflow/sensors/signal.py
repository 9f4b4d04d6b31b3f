"""A sensor of a signal's runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rapidata_airflow.outcomes import reaction_problems
from rapidata_airflow.sensors.waiting import RapidataSensor
from rapidata_airflow.triggers.signal import RapidataSignalRunTrigger

if TYPE_CHECKING:
    from rapidata_core import Reaction

_SINCE_THE_DAG_RUN = "{{ dag_run.logical_date or dag_run.run_after }}"


class RapidataSignalRunSensor(RapidataSensor):
    """Wait until a signal has fired, and people have answered the job that this made.

    Args:
        signal_id: The signal.
        run_id: The run. Without it, the first run with a job that began at ``since`` or later;
            runs that were skipped are passed over.
        since: A time with its zone. By default the DAG run's logical date, or, if it has none, the
            time from which it was allowed to run. That is the same in every try.
        on_attention: What to do when the job needs somebody: for each state ``fail`` (the default),
            ``wait`` or ``resume``; see :meth:`rapidata_core.RapidataJob.wait`.
        **kwargs: See :class:`RapidataSensor`.

    Returns:
        ``{"signal_id", "run_id", "job_id", "started_at"}``.

    Raises:
        ValidationError: Something is wrong; it lists every problem at once.
    """

    template_fields: Collection[str] = ("signal_id", "run_id", "since", "rapidata_conn_id")
    trigger_type = RapidataSignalRunTrigger
    required = ("signal_id",)

    def __init__(
        self,
        *,
        signal_id: str,
        run_id: str | None = None,
        since: datetime | str = _SINCE_THE_DAG_RUN,
        on_attention: Mapping[str, Reaction] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.signal_id = signal_id
        self.run_id = run_id
        self.since = since
        self.on_attention = on_attention
        self.prepare()

    def trigger_arguments(self) -> dict[str, Any]:
        """See :meth:`RapidataSensor.trigger_arguments`."""
        since = self.since
        return {
            "signal_id": self.signal_id,
            "run_id": self.run_id,
            "since": since.isoformat() if isinstance(since, datetime) else since,
            "on_attention": self.on_attention,
        }

    def problems(self) -> list[str]:
        """See :meth:`RapidataSensor.problems`."""
        return [*super().problems(), *reaction_problems(self.on_attention)]
