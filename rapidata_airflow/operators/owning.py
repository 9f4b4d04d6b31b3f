"""What all tasks that pay for a job have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rapidata_airflow.kills import PAUSED_BY, pause_in_time
from rapidata_airflow.operators.saving import SavingOperator
from rapidata_airflow.operators.waiting import choice_problems
from rapidata_airflow.outcomes import reaction_problems
from rapidata_airflow.triggers.job import KillAction

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.types import RuntimeTaskInstanceProtocol

    from rapidata_core import RapidataJob, Reaction


class OwningOperator(SavingOperator):
    """A task with a paid job of its own, so what happens to the task matters to the job.

    Args:
        on_attention: What to do when the job needs somebody: for each state ``fail`` (the default),
            ``wait`` or ``resume``; see :meth:`rapidata_core.RapidataJob.wait`.
        on_kill_action: When the task is marked as failed or successful while people work, ``pause``
            the job (clearing the task resumes it), or ``keep`` it going.
        wait_for_completion: Whether to wait for people; otherwise a sensor can.
        **kwargs: See :class:`SavingOperator`.
    """

    def __init__(
        self,
        *,
        on_attention: Mapping[str, Reaction] | None = None,
        on_kill_action: KillAction = "pause",
        wait_for_completion: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.on_attention = on_attention
        self.on_kill_action: KillAction = on_kill_action
        self.wait_for_completion = wait_for_completion
        self._own: tuple[RuntimeTaskInstanceProtocol, str] | None = None
        self._is_killed = False

    def literal_problems(self) -> list[str]:
        """See :meth:`SavingOperator.literal_problems`."""
        problems = [
            *super().literal_problems(),
            *choice_problems("on_kill_action", self.on_kill_action, KillAction),
            *reaction_problems(self.on_attention),
        ]
        if self.result_path is not None and not self.wait_for_completion:
            problems.append("result_path: nothing can be saved without wait_for_completion")
        return problems

    def take(self, job: RapidataJob, context: Context, *, is_new: bool) -> None:
        """Show the job, watch over it, and go on with it if an earlier try ended and paused it."""
        self._own = (context["ti"], job.id)  # pyright: ignore[reportTypedDictNotRequiredAccess]
        self.show(job, context)
        if not (is_new or self._is_killed) and job.resume_if_paused_by(PAUSED_BY):
            self.log.info("Job %s was paused when the task was ended; resumed it", job.id)
        # Airflow lets the process go on for seconds after `on_kill`, which may not have known of
        # this job, or was undone just now.
        if self._is_killed:
            self.on_kill()

    def on_kill(self) -> None:
        """Pause the job if the task was marked as ended while this worker paid, or waited."""
        self._is_killed = True
        if self._own is not None and self.on_kill_action == "pause":
            pause_in_time(*self._own, self.rapidata_conn_id, self.log)
