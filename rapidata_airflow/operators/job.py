"""A task that people work on."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import BaseOperator

from rapidata_airflow.hooks.rapidata import RapidataHook
from rapidata_airflow.links import JOB_URL, RapidataJobLink
from rapidata_airflow.outcomes import Outcome, failing_the_task, task_error
from rapidata_airflow.triggers.job import FIRST_POLL_DELAY, RapidataJobTrigger
from rapidata_core.errors import ValidationError, WaitTimeoutError

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.types import RuntimeTaskInstanceProtocol

    from rapidata_core import JobProgress, JobSpec, RapidataJob, Submission

# Airflow ends a deferral by itself only when the triggerer, which knows better, is long overdue.
_OVERDUE = timedelta(minutes=10)


class RapidataJobOperator(BaseOperator):
    """Ask people, wait for their answers without holding a worker, and save them as parquet.

    A task instance has one paid job: a retry, or clearing the task, adopts the job that is there.

    Args:
        job: What to ask: a ``JobSpec``, a mapping, or JSON text. Mappings and text are templated;
            a ``JobSpec`` is taken as it is.
        results_path: A folder, as a local path that workers share or a URL such as
            ``s3://bucket/labels``; the answers go to ``{results_path}/{job_id}/``.
        audience_id: Whom to ask; ``global`` is everybody.
        max_cost: Refuse to pay more than this, by the platform's estimate.
        key: The identity of what is paid for. By default it is the task instance's: its DAG, task,
            run and map index, over all its tries.
        rapidata_conn_id: The connection's id.
        deferrable: Wait on the triggerer; otherwise the task holds its worker while people work.
        poll_interval: Seconds between looks at the job; by default it grows with the time waited.
        timeout: How long one try waits; None waits for ever. The job goes on in any case.

    Returns:
        A ``Manifest`` as a mapping: the job, what it is estimated to cost and has cost, where the
        answers are and how many; and ``adopted``: whether the job was there already and nothing was
        paid now.
    """

    template_fields: Collection[str] = (
        "job",
        "results_path",
        "audience_id",
        "key",
        "rapidata_conn_id",
    )
    template_fields_renderers = {"job": "json"}
    operator_extra_links = (RapidataJobLink(),)

    def __init__(
        self,
        *,
        job: JobSpec | Mapping[str, Any] | str,
        results_path: str | os.PathLike[str],
        audience_id: str = "global",
        max_cost: float | None = None,
        key: str | None = None,
        rapidata_conn_id: str = RapidataHook.default_conn_name,
        deferrable: bool = True,
        poll_interval: float | None = None,
        timeout: timedelta | None = timedelta(days=7),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)  # pyright: ignore[reportUnknownMemberType]
        self.job = job
        self.results_path = results_path
        self.audience_id = audience_id
        self.max_cost = max_cost
        self.key = key
        self.rapidata_conn_id = rapidata_conn_id
        self.deferrable = deferrable
        self.poll_interval = poll_interval
        self.timeout = timeout

    def execute(self, context: Context) -> dict[str, Any]:
        """Get the task instance's job, and its answers now or when they are there.

        Raises:
            TaskDeferred: People are at work; Airflow calls :meth:`execute_complete` afterwards.
            AirflowFailException: It failed, and no retry can mend it.
            AirflowException: It failed; a retry goes on with the same job.
        """
        ti = context["ti"]  # pyright: ignore[reportTypedDictNotRequiredAccess]
        with failing_the_task():
            spec = self._validated()
            with RapidataHook(self.rapidata_conn_id).get_conn() as client:
                submission = client.submit(
                    spec,
                    self.audience_id,
                    key=_identity(ti) if self.key is None else self.key,
                    max_cost=self.max_cost,
                )
                job = client.job.get_job_by_id(submission.job_id)
                self._announce(job, submission, ti)
                if not _is_done(job):
                    if self.deferrable:
                        self._defer(submission)
                    self._wait(job)
                return self._save(job, adopted=submission.adopted)

    def execute_complete(
        self, context: Context, event: dict[str, Any], adopted: bool
    ) -> dict[str, Any]:
        """Go on when the trigger has fired, on any worker.

        Args:
            context: Airflow's.
            event: The trigger's.
            adopted: Whether :meth:`execute` found the job.

        Raises:
            AirflowFailException: It failed, and no retry can mend it.
            AirflowException: It failed; a retry goes on with the same job.
        """
        if event["status"] != Outcome.COMPLETED:
            raise task_error(event["status"], event["message"])
        with failing_the_task(), RapidataHook(self.rapidata_conn_id).get_conn() as client:
            return self._save(client.job.get_job_by_id(event["job_id"]), adopted=adopted)

    def _validated(self) -> JobSpec:
        """Find every mistake that can be found before anything is sent."""
        from rapidata_core import check_directory, parse_job

        problems = [] if str(self.audience_id).strip() else ["audience_id: must not be blank"]
        try:
            check_directory(self.results_path)
        except ValidationError as error:
            problems += [f"results_path: {problem}" for problem in error.problems]
        if self.poll_interval is not None and not self.poll_interval > 0:
            problems.append(f"poll_interval: must be above 0 seconds, not {self.poll_interval!r}")
        if self.timeout is not None and not self.timeout > timedelta(0):
            problems.append(f"timeout: must be above 0, not {self.timeout!r}")
        try:
            json.dumps(self._trigger(job_id="").serialize())
        except TypeError as error:
            problems.append(f"the arguments cannot be handed to the triggerer: {error}")
        if problems:
            raise ValidationError(type(self).__name__, problems)
        return parse_job(self.job)

    def _announce(
        self, job: RapidataJob, submission: Submission, ti: RuntimeTaskInstanceProtocol
    ) -> None:
        """Say which job it is, in the log and for the link, before the long wait."""
        self.log.info(
            "%s job %s, estimated to cost %.2f: %s",
            "Adopting" if submission.adopted else "Started",
            job.id,
            submission.estimated_cost,
            job.url,
        )
        ti.xcom_push("job_id", job.id)
        ti.xcom_push(JOB_URL, job.url)

    def _defer(self, submission: Submission) -> NoReturn:
        self.defer(
            trigger=self._trigger(submission.job_id),
            method_name="execute_complete",
            kwargs={"adopted": submission.adopted},
            timeout=None if self.timeout is None else self.timeout + _OVERDUE,
        )

    def _trigger(self, job_id: str) -> RapidataJobTrigger:
        seconds = self._seconds()
        return RapidataJobTrigger(
            job_id=job_id,
            rapidata_conn_id=self.rapidata_conn_id,
            deadline=None if seconds is None else time.time() + seconds,
            poll_interval=self.poll_interval,
            first_poll_delay=FIRST_POLL_DELAY,
        )

    def _wait(self, job: RapidataJob) -> None:
        job.wait(
            timeout=self._seconds(),
            on_progress=self._log_progress,
            poll_interval=self.poll_interval,
        )

    def _save(self, job: RapidataJob, *, adopted: bool) -> dict[str, Any]:
        from rapidata_core import parse_job

        folder = f"{str(self.results_path).rstrip('/')}/{job.id}"
        manifest = job.save_results(folder, spec=parse_job(self.job))
        self.log.info("Saved %s answers: %s", manifest.response_count, manifest.responses)
        return {**manifest.as_dict(), "adopted": adopted}

    def _log_progress(self, progress: JobProgress) -> None:
        self.log.info("%s, %.0f %%", progress.state, progress.completion_percentage)

    def _seconds(self) -> float | None:
        return None if self.timeout is None else self.timeout.total_seconds()


def _identity(ti: RuntimeTaskInstanceProtocol) -> str:
    """The task instance, the same over all its tries."""
    return json.dumps(["airflow", ti.dag_id, ti.task_id, ti.run_id, ti.map_index])


def _is_done(job: RapidataJob) -> bool:
    """Look once; a job that has failed or stands still fails the task now, not after a deferral."""
    try:
        job.wait(timeout=0)
    except WaitTimeoutError:
        return False
    return True
