"""A task that stops people when nobody waits for them any more."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, cast

from rapidata_airflow.kills import PAUSED_BY
from rapidata_airflow.operators.waiting import RapidataOperator
from rapidata_core.errors import NotFoundError, ValidationError, blank
from rapidata_core.types import JobState

if TYPE_CHECKING:
    from airflow.sdk import Context

    from rapidata_core import RapidataClient, RapidataJob

# Nobody is at work on a job in one of these states.
_AT_REST = (JobState.COMPLETED, JobState.FAILED, JobState.PAUSED, JobState.STALE_RESULTS)


class RapidataPauseJobOperator(RapidataOperator):
    """Pause jobs that are not done, so that nobody is paid for answers that nobody waits for.

    Made for a teardown, which runs however the tasks before it have ended::

        RapidataPauseJobOperator(
            task_id="stop", job_id=ask.output["job_id"]
        ).as_teardown(setups=ask)

    Jobs that are done, have failed, are paused already, or are gone, stay as they are. Clearing the
    task that asks goes on with a job that was paused here.

    Args:
        job_id: The job, or a list of jobs, such as the ``output["job_id"]`` of a task that starts
            them, mapped or not. None, as of a task that has started none, does nothing.
        **kwargs: See :class:`RapidataOperator`.

    Returns:
        ``{"paused"}``: the ids of the jobs that were paused now.
    """

    template_fields: Collection[str] = ("job_id", "rapidata_conn_id")

    def __init__(self, *, job_id: str | Sequence[str | None] | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.job_id = job_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Pause the jobs.

        Raises:
            AirflowFailException: It failed, and no retry can mend it.
            RapidataTaskError: It failed, and a retry may mend it.
        """
        with self.connected() as client:
            job_ids = self._job_ids()
            return {"paused": [job_id for job_id in job_ids if self._pause(client, job_id)]}

    def _job_ids(self) -> list[str]:
        """The jobs that there are.

        Raises:
            ValidationError: Something else was given.
        """
        job_id = cast("object", self.job_id)
        given = [job_id] if isinstance(job_id, str) else job_id or []
        if not isinstance(given, Sequence):
            self.refuse([f"job_id: must be an id or a list of ids, not {given!r}"])
        # Of a mapped task, some instances may have started none.
        found = [job_id for job_id in cast("Sequence[object]", given) if job_id is not None]
        self.refuse([problem for job_id in found for problem in blank("job_id", job_id)])
        return cast("list[str]", found)

    def _pause(self, client: RapidataClient, job_id: str) -> bool:
        """Pause a job, unless nobody can be at work on it; tells whether it was paused now."""
        try:
            job = client.job.get_job_by_id(job_id)
            return self._pause_unless_at_rest(job)
        except NotFoundError:
            self.log.info("Job %s is gone", job_id)
            return False

    def _pause_unless_at_rest(self, job: RapidataJob) -> bool:
        if self._rests(job):
            return False
        try:
            job.pause(by=PAUSED_BY)
        except ValidationError:
            # It may have ended since the look.
            if self._rests(job):
                return False
            raise
        self.log.info("Paused job %s: %s", job.id, job.url)
        return True

    def _rests(self, job: RapidataJob) -> bool:
        state = job.get_status()
        if state in _AT_REST:
            self.log.info("Job %s is %s and stays so", job.id, state)
        return state in _AT_REST
