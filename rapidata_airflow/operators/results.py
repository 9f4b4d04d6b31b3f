"""A task that saves the answers of a job that something else has started."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from rapidata_airflow.links import RapidataAudienceLink, RapidataJobLink
from rapidata_airflow.operators.saving import SavingOperator
from rapidata_airflow.outcomes import failing_the_task
from rapidata_airflow.triggers.job import RapidataJobTrigger
from rapidata_core.errors import ValidationError, WaitTimeoutError, blank

if TYPE_CHECKING:
    from airflow.sdk import Context

    from rapidata_core import JobSpec, RapidataJob


class RapidataFetchResultsOperator(SavingOperator):
    """Save a job's answers as a dataset; wait for them, if need be, without holding a worker.

    Nothing is paid, and nothing happens to the job, whatever happens to the task.

    Args:
        job_id: The job; or a mapping with a ``job_id``, as the tasks return it that start jobs,
            trigger signals, or wait for either.
        spec: What was asked, as a ``JobSpec``, a mapping, or JSON or YAML text: gives every
            datapoint its identity, by which tables are joined.
        **kwargs: See :class:`SavingOperator`; it needs a ``result_path``.

    Returns:
        A small mapping: the job, what it has cost, where the answers are and how many, how good
        they are.
    """

    template_fields: Collection[str] = (
        "job_id",
        "result_path",
        "spec",
        "partition",
        "partition_key",
        "rapidata_conn_id",
    )
    template_fields_renderers = {"spec": "json"}
    operator_extra_links = (RapidataJobLink(), RapidataAudienceLink())
    # For lineage: what the job was asked about is not known here.
    datapoints = None

    def __init__(
        self,
        *,
        job_id: str | Mapping[str, Any],
        spec: JobSpec | Mapping[str, Any] | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.job_id = job_id
        self.spec = spec
        problems = self.literal_problems()
        if self.result_path is None:
            problems.append("result_path: say where to save the answers")
        self.refuse(problems)

    @property
    def job(self) -> JobSpec | Mapping[str, Any] | str | None:
        """What was asked, under the name by which lineage knows it."""
        return self.spec

    def execute(self, context: Context) -> dict[str, Any]:
        """Save the answers, now or when they are there.

        Raises:
            TaskDeferred: People are at work; Airflow calls :meth:`execute_complete` afterwards.
            AirflowFailException: It failed, and no retry can mend it.
            RapidataTaskError: It failed, and a retry may mend it.
        """
        deadline = self.deadline(context)
        with failing_the_task():
            job_id = self._checked()
        with self.connected() as client:
            job = client.job.get_job_by_id(job_id)
            self.show(job, context)
            is_done = _is_done(job)
        if not is_done:
            return self.wait_for(context, self._trigger(job_id, deadline))
        return self.finish(context, {"job_id": job_id})

    def finish(self, context: Context, found: dict[str, Any]) -> dict[str, Any]:
        """See :meth:`WaitingOperator.finish`."""
        return self.save(found["job_id"], context, {}, self._parsed_spec())

    def _checked(self) -> str:
        """Find every other mistake that can be found before anything is sent.

        Returns:
            The job's id.
        """
        job_id = self.job_id
        if isinstance(job_id, Mapping):
            job_id = job_id.get("job_id")
        problems = blank("job_id", job_id)
        problems += self._trigger(str(job_id), None).problems()
        problems += self.rendered_problems()
        try:
            self._parsed_spec()
        except ValidationError as error:
            problems += [f"spec: {problem}" for problem in error.problems]
        self.refuse(problems)
        return str(job_id)

    def _parsed_spec(self) -> JobSpec | None:
        from rapidata_core import parse_job

        return None if self.spec is None else parse_job(self.spec)

    def _trigger(self, job_id: str, deadline: float | None) -> RapidataJobTrigger:
        return RapidataJobTrigger(
            job_id=job_id,
            on_kill_action="keep",
            rapidata_conn_id=self.rapidata_conn_id,
            deadline=deadline,
            poll_interval=self.poll_interval,
        )


def _is_done(job: RapidataJob) -> bool:
    """Look once; a job that has failed or stands still fails the task now, not after a deferral."""
    try:
        job.wait(timeout=0)
    except WaitTimeoutError:
        return False
    return True
