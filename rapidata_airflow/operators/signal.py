"""Tasks about signals: jobs on a schedule of the platform's."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import XComArg

from rapidata_airflow.hooks.rapidata import RapidataHook
from rapidata_airflow.identity import signal_key, task_key
from rapidata_airflow.links import RapidataAudienceLink, RapidataJobLink
from rapidata_airflow.operators.owning import OwningOperator
from rapidata_airflow.operators.waiting import RapidataOperator, limit_problems
from rapidata_airflow.outcomes import failing_the_task
from rapidata_airflow.triggers.job import RapidataJobTrigger
from rapidata_core.errors import blank, outside

if TYPE_CHECKING:
    from airflow.sdk import Context

    from rapidata_core import RapidataClient, RapidataSignal

_ONE_MINUTE = 1 / 60
# The platform makes the job of a run within seconds.
_SECONDS_TO_A_JOB = 120.0


class RapidataSignalOperator(RapidataOperator):
    """Have a signal: create it, or change it where it differs. Every firing costs what a job costs.

    The signal is the task's, over all DAG runs, so it is created once. Its audience and definition
    cannot be changed; find them again rather than make new ones in every run.

    Args:
        name: Its name.
        audience_id: Who answers each job.
        job_definition_id: What each job asks.
        interval_hours: How often it fires, a minute (1/60) at least.
        description: For people.
        revision_number: Always ask this revision of the definition; by default the latest one at
            the time of each firing.
        is_public: Let others find and read it.
        max_cost: Refuse a signal each of whose firings would cost more than this, by the platform's
            estimate of now. The connection's limit holds, too.
        key: The identity of the signal. By default it is the task's: its DAG and task, and its map
            index if it is mapped.
        **kwargs: See :class:`RapidataOperator`.

    Returns:
        ``{"signal_id", "next_run_at", "is_paused"}``; ``output["signal_id"]`` is the first of them.

    Raises:
        ValidationError: Something is wrong; it lists every problem at once.
    """

    template_fields: Collection[str] = (
        "name",
        "audience_id",
        "job_definition_id",
        "description",
        "key",
        "rapidata_conn_id",
    )

    def __init__(
        self,
        *,
        name: str,
        audience_id: str,
        job_definition_id: str,
        interval_hours: float,
        description: str | None = None,
        revision_number: int | None = None,
        is_public: bool = False,
        max_cost: float | None = None,
        key: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.audience_id = audience_id
        self.job_definition_id = job_definition_id
        self.interval_hours = interval_hours
        self.description = description
        self.revision_number = revision_number
        self.is_public = is_public
        self.max_cost = max_cost
        self.key = key
        self._check_what_is_known()

    def execute(self, context: Context) -> dict[str, Any]:
        """Create the signal, or change it.

        Raises:
            AirflowFailException: No retry can mend it: the key has a signal of another audience or
                definition, for example, or it would cost too much.
            RapidataTaskError: A retry may; it finds the signal if it was created.
        """
        ti = context["ti"]  # pyright: ignore[reportTypedDictNotRequiredAccess]
        with self.connected() as client:
            limit = RapidataHook(self.rapidata_conn_id).max_cost(self.max_cost)
            _check_cost(client, self.job_definition_id, limit)
            signal = client.signals.create_signal(
                self.name,
                self.audience_id,
                self.job_definition_id,
                self.interval_hours,
                description=self.description,
                revision_number=self.revision_number,
                is_public=self.is_public,
                key=signal_key(ti) if self.key is None else self.key,
            )
            self.log.info("Signal %s fires next at %s", signal.id, signal.next_run_at)
            ti.xcom_push("signal_id", signal.id)
            return _facts(signal)

    def _check_what_is_known(self) -> None:
        problems = [
            problem
            for name in ("name", "audience_id", "job_definition_id")
            if not isinstance(getattr(self, name), XComArg)
            for problem in blank(name, getattr(self, name))
        ]
        problems += outside("interval_hours", self.interval_hours, _ONE_MINUTE)
        if self.revision_number is not None:
            problems += outside("revision_number", self.revision_number, 1, whole=True)
        problems += limit_problems("max_cost", self.max_cost)
        self.refuse(problems)


class RapidataTriggerSignalOperator(OwningOperator):
    """Fire a signal now, and wait for the job that this makes. This costs what a job costs.

    A task instance has one firing with a job: a retry, or clearing the task, goes on with its job.
    A firing while the previous job of the signal is not done is skipped by the platform and costs
    nothing; the task fails then, and a retry fires again.

    Args:
        signal_id: The signal. It may be paused.
        max_cost: Do not fire if the job would cost more than this, by the platform's estimate. The
            connection's limit holds, too.
        **kwargs: See :class:`OwningOperator`.

    Returns:
        ``{"signal_id", "run_id", "job_id", "job_url"}``, and with ``result_path`` the ``Manifest``
        of the answers. ``output["run_id"]`` and ``output["job_id"]`` are there as soon as it fired.

    Raises:
        ValidationError: Something is wrong; it lists every problem at once.
    """

    template_fields: Collection[str] = (
        "signal_id",
        "result_path",
        "partition",
        "partition_key",
        "rapidata_conn_id",
    )
    operator_extra_links = (RapidataJobLink(), RapidataAudienceLink())

    def __init__(
        self,
        *,
        signal_id: str,
        max_cost: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.signal_id = signal_id
        self.max_cost = max_cost
        self.refuse([*self._problems(), *limit_problems("max_cost", max_cost)])

    def execute(self, context: Context) -> dict[str, Any]:
        """Get the task instance's firing, and its answers when they are there.

        Raises:
            TaskDeferred: People are at work; Airflow calls :meth:`execute_complete` afterwards.
            AirflowFailException: It would cost too much, or failed, and no retry can mend it.
            RapidataTaskError: It was skipped, or failed; a retry fires again if nothing was paid.
        """
        ti = context["ti"]  # pyright: ignore[reportTypedDictNotRequiredAccess]
        deadline = self.deadline(context)
        with failing_the_task():
            self._check()
        with self.connected() as client:
            signal = client.signals.get_signal_by_id(self.signal_id)
            hook = RapidataHook(self.rapidata_conn_id)
            run = signal.trigger(key=task_key(ti), max_cost=hook.max_cost(self.max_cost))
            # What is skipped should be known at once, and a task that is killed should have a job.
            run = client.signals.wait_for_run(
                signal.id,
                run.id,
                timeout=_SECONDS_TO_A_JOB,
                poll_interval=hook.poll_interval(self.poll_interval),
            )
            assert run.job_id is not None
            job = client.job.get_job_by_id(run.job_id)
            fired = {
                "signal_id": signal.id,
                "run_id": run.id,
                "job_id": job.id,
                "job_url": job.url,
            }
            self.log.info("Run %(run_id)s has job %(job_id)s: %(job_url)s", fired)
            ti.xcom_push("run_id", run.id)
            self.take(job, context, is_new=False)
        if self.wait_for_completion:
            return self.wait_for(context, self._trigger(job.id, deadline, fired))
        return fired

    def finish(self, context: Context, found: dict[str, Any]) -> dict[str, Any]:
        """See :meth:`WaitingOperator.finish`."""
        fired = found["handed"]
        return self.save(fired["job_id"], context, fired)

    def _check(self) -> None:
        """Find every mistake that can be found before anything is sent."""
        trigger = self._trigger("", None, {})
        self.refuse([*self._problems(), *self.rendered_problems(), *trigger.problems()])

    def _problems(self) -> list[str]:
        known = not isinstance(self.signal_id, XComArg)
        problems = blank("signal_id", self.signal_id) if known else []
        return [*problems, *self.literal_problems()]

    def _trigger(
        self, job_id: str, deadline: float | None, fired: Mapping[str, Any]
    ) -> RapidataJobTrigger:
        return RapidataJobTrigger(
            job_id=job_id,
            on_attention=self.on_attention,
            on_kill_action=self.on_kill_action,
            handed=fired,
            rapidata_conn_id=self.rapidata_conn_id,
            deadline=deadline,
            poll_interval=self.poll_interval,
        )


class _SwitchSignalOperator(RapidataOperator):
    """Switch the schedule of a signal on or off.

    Args:
        signal_id: The signal.
        **kwargs: See :class:`RapidataOperator`.
    """

    template_fields: Collection[str] = ("signal_id", "rapidata_conn_id")

    def __init__(self, *, signal_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.signal_id = signal_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Switch it.

        Raises:
            AirflowFailException: There is no such signal, or no retry can mend it otherwise.
            RapidataTaskError: A retry may.
        """
        with self.connected() as client:
            signal = client.signals.get_signal_by_id(self.signal_id)
            self._switch(signal)
            return _facts(signal)

    def _switch(self, signal: RapidataSignal) -> None:
        raise NotImplementedError


class RapidataPauseSignalOperator(_SwitchSignalOperator):
    """Let the schedule of a signal pass without firing; one that is paused already stays so.

    With :class:`RapidataResumeSignalOperator` as its setup it can be a teardown: the signal fires
    while the tasks between them run.

    Args:
        signal_id: The signal.
        **kwargs: See :class:`RapidataOperator`.

    Returns:
        ``{"signal_id", "next_run_at", "is_paused"}``.
    """

    def _switch(self, signal: RapidataSignal) -> None:
        if not signal.is_paused:
            signal.pause()


class RapidataResumeSignalOperator(_SwitchSignalOperator):
    """Let a signal fire on schedule again; one that is not paused goes on. Firings cost money.

    Args:
        signal_id: The signal.
        **kwargs: See :class:`RapidataOperator`.

    Returns:
        ``{"signal_id", "next_run_at", "is_paused"}``.
    """

    def _switch(self, signal: RapidataSignal) -> None:
        if signal.is_paused:
            signal.resume()


def _check_cost(client: RapidataClient, job_definition_id: str, limit: float | None) -> None:
    """Refuse what is too expensive, before it is paid.

    Raises:
        BudgetExceededError: It is.
    """
    from rapidata_core.policy.submission import check_budget

    if limit is not None:
        definition = client.job.get_job_definition_by_id(job_definition_id)
        check_budget(definition.estimated_cost.estimated_cost, limit)


def _facts(signal: RapidataSignal) -> dict[str, Any]:
    return {
        "signal_id": signal.id,
        "next_run_at": signal.next_run_at.isoformat(),
        "is_paused": signal.is_paused,
    }
