"""Tell people what became of a task's job, and who must do what."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from copy import copy
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import BaseNotifier
from airflow.sdk.exceptions import AirflowException

from rapidata_airflow.hooks.rapidata import RapidataHook
from rapidata_airflow.links import JOB_URL
from rapidata_core.errors import (
    JobError,
    JobNeedsAttentionError,
    RapidataError,
    ValidationError,
    WaitTimeoutError,
)

if TYPE_CHECKING:
    from airflow.sdk import Context


class RapidataNotifier(BaseNotifier):
    """Look at the job of a task, log how it is, and have other notifiers tell it.

    For a task's ``on_failure_callback`` and ``on_retry_callback``. The templates of the other
    notifiers know ``rapidata_job``: a mapping with ``job_id``, ``url``, ``state`` (each None if it
    is not known) and ``message``: how the job is, and who must do what.

    Args:
        notifiers: What delivers the message, for example a Slack or SMTP notifier.
        only_attention: Stay silent unless somebody has to act on the job.
        rapidata_conn_id: The connection's id.

    Raises:
        ValidationError: ``notifiers`` holds something else.
    """

    template_fields = ("rapidata_conn_id",)

    def __init__(
        self,
        notifiers: Sequence[BaseNotifier] = (),
        *,
        only_attention: bool = False,
        rapidata_conn_id: str = RapidataHook.default_conn_name,
    ) -> None:
        super().__init__()
        _check(notifiers)
        self.notifiers = notifiers
        self.only_attention = only_attention
        self.rapidata_conn_id = rapidata_conn_id

    def notify(self, context: Context) -> None:
        """Look, log and tell; a notifier that fails does not keep the others from telling."""
        about, needs_attention = self._look(context)
        if self.only_attention and not needs_attention:
            return
        self.log.warning("%s %s", about["message"], about["url"] or "")
        for notifier in self.notifiers:
            # Rendering fills a notifier's templates for good, and it may be called again.
            # It logs its failure itself.
            with suppress(Exception):
                copy(notifier)(cast("Context", {**context, "rapidata_job": about}))

    def _look(self, context: Context) -> tuple[dict[str, Any], bool]:
        """What to tell, and whether somebody has to act."""
        job_id: str | None = _pushed(context, "job_id")
        about: dict[str, Any] = {"job_id": job_id, "url": _pushed(context, JOB_URL), "state": None}
        if job_id is None:
            why = cast("dict[str, Any]", context).get("exception")
            return {**about, "message": f"The task has no job on record: {why}"}, False
        try:
            with RapidataHook(self.rapidata_conn_id).get_conn() as client:
                client.job.get_job_by_id(job_id).wait(timeout=0)
        except WaitTimeoutError as error:
            message = f"Job {job_id} goes on ({error.state}); nobody has to act."
            return {**about, "state": error.state, "message": message}, False
        except JobError as error:
            needs_attention = isinstance(error, JobNeedsAttentionError)
            return {**about, "state": error.state, "message": str(error)}, needs_attention
        except (AirflowException, RapidataError) as error:
            # Whoever is told that a task failed should be told so even when the platform is away.
            return {**about, "message": f"Cannot tell how job {job_id} is: {error}"}, False
        return {**about, "state": "Completed", "message": f"Job {job_id} is done."}, False


def _check(notifiers: object) -> None:
    if not isinstance(notifiers, Sequence):
        problem = f"notifiers: must be a list of notifiers, not {type(notifiers).__name__}"
        raise ValidationError("RapidataNotifier", [problem])
    problems = [
        f"notifiers[{index}]: must be a notifier, not {type(notifier).__name__}"
        for index, notifier in enumerate(cast("Sequence[object]", notifiers))
        if not isinstance(notifier, BaseNotifier)
    ]
    if problems:
        raise ValidationError("RapidataNotifier", problems)


def _pushed(context: Context, key: str) -> Any:
    """What the task instance itself has pushed in this try."""
    ti = context["ti"]  # pyright: ignore[reportTypedDictNotRequiredAccess]
    return ti.xcom_pull(task_ids=ti.task_id, map_indexes=ti.map_index, key=key)
