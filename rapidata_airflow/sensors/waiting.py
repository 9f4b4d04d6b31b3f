"""What all sensors have in common."""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow.sdk import BaseSensorOperator, PokeReturnValue, XComArg
from airflow.sdk.definitions.xcom_arg import PlainXComArg
from airflow.sdk.exceptions import AirflowSensorTimeout, AirflowSkipException
from airflow.triggers.base import StartTriggerArgs

from rapidata_airflow.hooks.rapidata import RapidataHook
from rapidata_airflow.outcomes import Outcome, failing_the_task, task_error
from rapidata_airflow.triggers import waiting
from rapidata_airflow.triggers.waiting import RapidataTrigger
from rapidata_airflow.version import AIRFLOW_3_3
from rapidata_core.errors import ValidationError, blank

if TYPE_CHECKING:
    from airflow.sdk import Context

# The trigger knows best what it waited for, so Airflow ends the deferral later than the trigger.
_LAST_LOOK = timedelta(minutes=1)


class RapidataSensor(BaseSensorOperator):
    """A task that waits for something on the platform, without holding a worker.

    It looks once. If it has to wait, the triggerer goes on looking, every ``poke_interval`` seconds
    (less often the longer it takes, with ``exponential_backoff``). What is found is the task's
    output.

    Whatever goes wrong skips the task with ``soft_fail`` or ``never_fail``. Otherwise it fails: for
    good after ``timeout`` and where no retry can mend it; where somebody has to act, or the
    platform cannot be reached, a retry looks again.

    Args:
        rapidata_conn_id: The connection's id.
        deferrable: Wait on the triggerer; otherwise the task waits as its ``mode`` says.
        start_from_trigger: Make the first look on the triggerer, too, so that no worker is taken
            before there is something to see. Airflow 3.2 cannot do that: there the sensor makes its
            first look on a worker all the same. So does a sensor that is mapped.
        multiple_outputs: Whether what is found can be taken one by one: ``output["job_id"]``.
        **kwargs: See Airflow's ``BaseSensorOperator``.
    """

    # What waits, and what of its arguments are texts that must say something.
    trigger_type: ClassVar[type[RapidataTrigger]]
    required: ClassVar[tuple[str, ...]]

    def __init__(
        self,
        *,
        rapidata_conn_id: str = RapidataHook.default_conn_name,
        deferrable: bool = True,
        start_from_trigger: bool = False,
        multiple_outputs: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(multiple_outputs=multiple_outputs, **kwargs)  # pyright: ignore[reportUnknownMemberType]
        self.rapidata_conn_id = rapidata_conn_id
        self.deferrable = deferrable
        self.start_from_trigger = start_from_trigger and AIRFLOW_3_3
        if start_from_trigger and not deferrable:
            raise ValidationError(self._title(), ["start_from_trigger: needs deferrable=True"])

    @abstractmethod
    def trigger_arguments(self) -> dict[str, Any]:
        """What the trigger is told of what it waits for, as plain JSON where nothing is templated.

        Arguments that are templated have the same names here as in ``template_fields``.
        """

    def problems(self) -> list[str]:
        """What is wrong with the arguments, as far as it is known when the DAG is parsed."""
        return [
            problem
            for name in self.required
            if not isinstance(getattr(self, name), XComArg)
            for problem in blank(name, getattr(self, name))
        ]

    def prepare(self) -> None:
        """Check the arguments, and tell Airflow's scheduler how to start; to end ``__init__`` with.

        Raises:
            ValidationError: Something is wrong; it lists every problem at once.
        """
        problems = self.problems()
        if self.start_from_trigger:
            problems += self._start()
        if problems:
            raise ValidationError(self._title(), problems)

    def execute(self, context: Context) -> Any:
        """Look; what is there already is not waited for.

        Raises:
            TaskDeferred: The triggerer waits; Airflow calls :meth:`execute_complete` afterwards.
            AirflowFailException: No retry can mend it.
            RapidataTaskError: A retry may.
        """
        with failing_the_task():
            if problems := [*self.problems(), *self._trigger(deadline=0.0).problems()]:
                raise ValidationError(self._title(), problems)
        if not self.deferrable:
            return super().execute(context)
        seen = self.poke(context)
        if not seen:
            self._defer(context)
        return seen.xcom_value

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once.

        Raises:
            AirflowFailException: No retry can mend it.
            RapidataTaskError: A retry may.
            AirflowSkipException: Either, where that skips the task.
        """
        event = asyncio.run(self._trigger(deadline=time.time()).outcome())
        if event["status"] == Outcome.TIMEOUT:
            self.log.info(event["message"])
            return PokeReturnValue(is_done=False)
        return PokeReturnValue(is_done=True, xcom_value=self._found_by(event))

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Go on when the trigger has fired, on any worker.

        Args:
            context: Airflow's.
            event: The trigger's.

        Raises:
            AirflowSensorTimeout: It is not there in time; Airflow does not retry that.
            AirflowFailException: No retry can mend it.
            RapidataTaskError: A retry may.
            AirflowSkipException: Any of them, where that skips the task.
        """
        return self._found_by(event)

    def _defer(self, context: Context) -> NoReturn:
        left = self._time_left(context)
        self.defer(
            trigger=self._trigger(deadline=time.time() + left.total_seconds()),
            method_name="execute_complete",
            timeout=left + _LAST_LOOK,
        )

    def _found_by(self, event: dict[str, Any]) -> dict[str, Any]:
        status, message = event["status"], event["message"]
        if status == Outcome.COMPLETED:
            return {name: event[name] for name in event if name not in ("status", "message")}
        if self.soft_fail or self.never_fail:
            raise AirflowSkipException(message)
        if status == Outcome.TIMEOUT:
            raise AirflowSensorTimeout(message)
        raise task_error(status, message)

    def _trigger(self, deadline: float) -> RapidataTrigger:
        return self.trigger_type(
            **self.trigger_arguments(),
            rapidata_conn_id=self.rapidata_conn_id,
            deadline=deadline,
            poll_interval=self._pause(),
            first_poll_delay=waiting.FIRST_POLL_DELAY,
        )

    def _start(self) -> list[str]:
        """Note what the scheduler makes the trigger of, and say what cannot be handed to it."""
        arguments = {**self.trigger_arguments(), "rapidata_conn_id": self.rapidata_conn_id}
        problems = [
            f"{name}: with start_from_trigger, only a task's output itself can be given, "
            "not what is made of it"
            for name, value in arguments.items()
            if isinstance(value, XComArg) and not isinstance(value, PlainXComArg)
        ]
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls=_path(self.trigger_type),
            trigger_kwargs={
                **{name: _template(value) for name, value in arguments.items()},
                "poll_interval": self._pause(),
                # No worker has just exited, whose end Airflow could take for the task's.
                "first_poll_delay": 0.0,
            },
            next_method="execute_complete",
            # Airflow counts from the start of the try, also when a triggerer restarts.
            timeout=timedelta(seconds=self.timeout),
        )
        return problems

    def _pause(self) -> float | None:
        """Seconds between looks; None makes them grow with the time waited."""
        if self.exponential_backoff or not self.poke_interval:
            return None
        return self.poke_interval

    def _time_left(self, context: Context) -> timedelta:
        """How long this try may wait. Airflow does not count ``execution_timeout`` meanwhile."""
        left = self.timeout
        if self.execution_timeout is not None:
            ti = context["ti"]  # pyright: ignore[reportTypedDictNotRequiredAccess]
            end = ti.start_date + self.execution_timeout
            left = min(left, end.timestamp() - time.time())
        return timedelta(seconds=max(0.0, left))

    def _title(self) -> str:
        return f"{type(self).__name__}({self.task_id!r})"


def _path(trigger_type: type[RapidataTrigger]) -> str:
    return f"{trigger_type.__module__}.{trigger_type.__qualname__}"


def _template(value: Any) -> Any:
    """What the triggerer renders: it knows no outputs of tasks, but their templates."""
    return str(value) if isinstance(value, PlainXComArg) else value
