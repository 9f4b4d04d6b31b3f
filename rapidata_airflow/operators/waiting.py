"""What all tasks that work with the platform have in common."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast, get_args

from airflow.sdk import BaseOperator

from rapidata_airflow.hooks.rapidata import RapidataHook
from rapidata_airflow.identity import OnClear
from rapidata_airflow.outcomes import Outcome, failing_the_task, task_error
from rapidata_core.errors import ValidationError, outside

if TYPE_CHECKING:
    from airflow.sdk import Context

    from rapidata_airflow.triggers.waiting import RapidataTrigger
    from rapidata_core import JobSpec, RapidataClient

# Airflow ends a deferral by itself only when the triggerer, which knows better, is long overdue.
_OVERDUE = timedelta(minutes=10)


class RapidataOperator(BaseOperator):
    """A task that works with the platform.

    Args:
        rapidata_conn_id: The connection's id.
        multiple_outputs: Whether what the task returns can be taken one by one, for example
            ``task.output["job_id"]``.
        **kwargs: See Airflow's ``BaseOperator``.
    """

    def __init__(
        self,
        *,
        rapidata_conn_id: str = RapidataHook.default_conn_name,
        multiple_outputs: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(multiple_outputs=multiple_outputs, **kwargs)  # pyright: ignore[reportUnknownMemberType]
        self.rapidata_conn_id = rapidata_conn_id

    @property
    def title(self) -> str:
        """What messages about its arguments call the task."""
        return f"{type(self).__name__}({self.task_id!r})"

    def refuse(self, problems: list[str]) -> None:
        """Refuse arguments that are wrong.

        Raises:
            ValidationError: There are problems; it lists them all.
        """
        if problems:
            raise ValidationError(self.title, problems)

    @contextmanager
    def connected(self) -> Generator[RapidataClient]:
        """A client; its errors are the task's.

        Raises:
            AirflowFailException: No retry can mend it.
            RapidataTaskError: A retry may.
        """
        with failing_the_task(), RapidataHook(self.rapidata_conn_id).get_conn() as client:
            yield client


class AskingOperator(RapidataOperator):
    """A task that is told what to ask, about datapoints of its own or others.

    Args:
        job: What to ask: a ``JobSpec``, a mapping, or JSON or YAML text. Mappings and text are
            templated; a ``JobSpec`` is taken as it is.
        datapoints: What ``job`` is asked about, if it does not say so itself: a list, such as an
            upstream task's output, or a path or URL of a parquet, CSV or JSON lines file.
        columns: Where in a table the datapoints are; see
            :func:`rapidata_core.results.rows.job_about`.
        **kwargs: See :class:`RapidataOperator`.
    """

    def __init__(
        self,
        *,
        job: JobSpec | Mapping[str, Any] | str | None = None,
        datapoints: Any = None,
        columns: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.job = job
        self.datapoints = datapoints
        self.columns = columns
        # What is given, but turns out to be None, must not be replaced by the job's own.
        self._has_own_datapoints = datapoints is None

    def columns_problems(self) -> list[str]:
        """What is wrong with the columns, which are those of a table of datapoints."""
        if self.columns is None or not self._has_own_datapoints:
            return []
        return ["columns: say where datapoints are; give the datapoints, too"]

    def spec_about(self, datapoints: Any) -> JobSpec:
        """What is asked.

        Args:
            datapoints: Those that were given, as they are known by now.

        Raises:
            ValidationError: It is not valid.
        """
        from rapidata_core import job_about, parse_job

        assert self.job is not None
        if self._has_own_datapoints:
            return parse_job(self.job)
        return job_about(self.job, datapoints, self.columns)


class WaitingOperator(RapidataOperator):
    """A task that waits for people, without holding a worker.

    Args:
        deferrable: Wait on the triggerer; otherwise the task holds its worker while people work.
        poll_interval: Seconds between looks; by default it grows with the time waited.
        timeout: How long one try waits; None waits for ever. The work goes on in any case.
    """

    def __init__(
        self,
        *,
        deferrable: bool = True,
        poll_interval: float | None = None,
        timeout: timedelta | None = timedelta(days=7),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.deferrable = deferrable
        self.poll_interval = poll_interval
        self.timeout = timeout

    def deadline(self, context: Context) -> float | None:
        """When this try gives up, in seconds since the epoch.

        Airflow does not count ``execution_timeout`` while a task is deferred; this does.
        """
        ends: list[float] = []
        if self.timeout is not None:
            ends.append(time.time() + self.timeout.total_seconds())
        if self.execution_timeout is not None:
            ti = context["ti"]  # pyright: ignore[reportTypedDictNotRequiredAccess]
            ends.append(ti.start_date.timestamp() + self.execution_timeout.total_seconds())
        return min(ends, default=None)

    def timeout_problems(self) -> list[str]:
        """What is wrong with the timeout: to be asked before anything is paid."""
        timeout = cast("object", self.timeout)
        if timeout is None or (isinstance(timeout, timedelta) and timeout > timedelta(0)):
            return []
        return [f"timeout: must be a timedelta above 0, or None, not {timeout!r}"]

    def wait_for(self, context: Context, trigger: RapidataTrigger) -> dict[str, Any]:
        """Wait, here or on the triggerer.

        Args:
            context: Airflow's.
            trigger: What to wait for.

        Returns:
            What the task returns. A deferrable task does not get back here: Airflow calls its
            :meth:`execute_complete`.

        Raises:
            TaskDeferred: The triggerer waits.
            AirflowFailException: It failed, and no retry can mend it.
            RapidataTaskError: It failed; a retry goes on with what is paid.
        """
        if self.deferrable:
            self.defer(
                trigger=trigger,
                method_name="execute_complete",
                timeout=_time_left(trigger.deadline),
            )
        return self.execute_complete(context, asyncio.run(trigger.outcome()))

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Go on when the trigger has fired, on any worker.

        Args:
            context: Airflow's.
            event: The trigger's.

        Raises:
            AirflowFailException: It failed, and no retry can mend it.
            RapidataTaskError: It failed; a retry goes on with what is paid.
        """
        return self.finish(context, self.found_by(event))

    def finish(self, context: Context, found: dict[str, Any]) -> dict[str, Any]:
        """Do what comes after the wait.

        Args:
            context: Airflow's.
            found: What the trigger found.

        Returns:
            What the task returns.
        """
        raise NotImplementedError

    def found_by(self, event: dict[str, Any]) -> dict[str, Any]:
        """What a trigger found, from its event.

        Raises:
            AirflowFailException: It failed, and no retry can mend it.
            RapidataTaskError: It failed, and a retry may mend it.
        """
        if event["status"] != Outcome.COMPLETED:
            raise task_error(event["status"], event["message"])
        return event


def choice_problems(name: str, value: object, allowed: Any) -> list[str]:
    """What is wrong with an argument that must be one of a ``Literal``'s values."""
    if value in get_args(allowed):
        return []
    known = ", ".join(map(repr, get_args(allowed)))
    return [f"{name}: must be one of {known}, not {value!r}"]


def limit_problems(name: str, amount: float | None) -> list[str]:
    """What is wrong with an argument that limits costs."""
    return [] if amount is None else outside(name, amount, 0)


def on_clear_problems(on_clear: object, key: str | None) -> list[str]:
    """What is wrong with what clearing a task shall do."""
    if on_clear == "new" and key is not None:
        return ["on_clear: a key is the same after clearing; for a new one, give another key"]
    return choice_problems("on_clear", on_clear, OnClear)


def _time_left(deadline: float | None) -> timedelta | None:
    if deadline is None:
        return None
    return max(timedelta(0), timedelta(seconds=deadline - time.time())) + _OVERDUE
