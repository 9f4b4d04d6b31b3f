"""A task that asks a person whether a job may be paid."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from airflow.providers.standard.operators.hitl import (  # pyright: ignore[reportMissingTypeStubs]
    ApprovalOperator,
)
from airflow.sdk.exceptions import TaskDeferred

from rapidata_airflow.hooks.rapidata import RapidataHook
from rapidata_airflow.operators.waiting import AskingOperator, limit_problems
from rapidata_airflow.outcomes import failing_the_task
from rapidata_airflow.version import AIRFLOW_3_3
from rapidata_core.errors import RapidataError, ValidationError, blank
from rapidata_core.policy.submission import check_budget

if TYPE_CHECKING:
    from airflow.sdk import Context

    from rapidata_core import Balance, CostEstimate, JobSpec, RapidataClient


class RapidataSpendApprovalOperator(  # pyright: ignore[reportIncompatibleVariableOverride]
    AskingOperator, ApprovalOperator
):
    """Ask a person, in Airflow's UI, whether a job may be paid; the platform says what it costs.

    Put it before the task that pays. Nothing is paid here, however often it runs: a retry, or
    clearing the task, asks again. Rejecting skips what comes after it. The task holds no worker
    while it waits for an answer.

    Args:
        job_definition_id: Instead of ``job``: a definition that is there already.
        audience_id: Whom to ask; ``global`` is everybody.
        key: The ``key`` of the task that pays, if you give it one: then that task uses what is
            uploaded here. Otherwise this is deleted again.
        max_cost: Fail, without asking and without retries, if the estimate is above this, or above
            what the connection allows for a job.
        auto_approve_below: Approve without asking if the estimate is below this.
        subject: The headline of the question; by default it says what is asked and what it costs.
        body: What to tell besides the figures, as Markdown.
        **kwargs: See :class:`AskingOperator`, and Airflow's ``ApprovalOperator``: for example
            ``notifiers``, ``assigned_users``, ``response_timeout`` and ``defaults``.

    Returns:
        The answer as a mapping: ``chosen_options`` (``["Approve"]`` or ``["Reject"]``),
        ``responded_by_user`` (None if nobody was asked), ``responded_at``, ``params_input``; and
        ``estimated_cost``.
    """

    template_fields: Collection[str] = (
        "job",
        "job_definition_id",
        "datapoints",
        "columns",
        "audience_id",
        "key",
        "rapidata_conn_id",
        *ApprovalOperator.template_fields,
    )
    template_fields_renderers = {"job": "json", "body": "md"}

    def __init__(
        self,
        *,
        job_definition_id: str | None = None,
        audience_id: str = "global",
        key: str | None = None,
        max_cost: float | None = None,
        auto_approve_below: float | None = None,
        subject: str = "",
        body: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(subject=subject, body=body, **kwargs)
        self.job_definition_id = job_definition_id
        self.audience_id = audience_id
        self.key = key
        self.max_cost = max_cost
        self.auto_approve_below = auto_approve_below
        self._check_what_is_known()

    def execute(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, context: Context
    ) -> dict[str, Any]:
        """Find out what the job would cost, and ask.

        Raises:
            TaskAwaitingInput: A person is asked; Airflow calls :meth:`execute_complete` afterwards.
                Before Airflow 3.3 this is a TaskDeferred.
            AirflowFailException: It is too expensive; or it failed, and no retry can mend it.
            RapidataTaskError: It failed, and a retry may mend it.
        """
        with failing_the_task():
            spec = self._checked()
        with self.connected() as client:
            name, cost = self._priced(client, spec)
            limit = RapidataHook(self.rapidata_conn_id).max_cost(self.max_cost)
            check_budget(cost.estimated_cost, limit)
            audience = client.audience.get_audience_by_id(self.audience_id).name
            balance = self._balance(client)
        self.log.info("%s is estimated to cost %.2f", name, cost.estimated_cost)
        if self.auto_approve_below is not None and cost.estimated_cost < self.auto_approve_below:
            self.log.info("That is below auto_approve_below, so nobody is asked")
            return _approved(cost.estimated_cost)
        self.subject = self.subject or f"Pay {cost.estimated_cost:.2f} for {name!r}?"
        figures = _figures(cost, audience, self.audience_id, balance)
        self.body = "\n\n".join(part for part in (self.body, figures) if part)
        return self._ask(context, cost.estimated_cost)

    def execute_complete(
        self, context: Context, event: dict[str, Any], estimated_cost: float | None = None
    ) -> dict[str, Any]:
        """Go on when somebody has answered, on any worker.

        Args:
            context: Airflow's.
            event: The answer.
            estimated_cost: What :meth:`execute` found out.

        Raises:
            HITLTimeoutError: Nobody has, in time.
        """
        answer = cast("dict[str, Any]", super().execute_complete(context, event))
        return {
            **answer,
            "responded_at": answer["responded_at"].isoformat(),
            "estimated_cost": estimated_cost,
        }

    def _ask(self, context: Context, estimated_cost: float) -> dict[str, Any]:
        try:
            super().execute(context)
        except _leaving() as leaving:
            # The process that goes on with the answer knows nothing of this one, and Airflow's
            # operator hands nothing on.
            cast("Any", leaving).kwargs = {"estimated_cost": estimated_cost}
            raise
        raise AssertionError("asking leaves the worker")

    def _check_what_is_known(self) -> None:
        """Find what is wrong when the DAG is parsed, as far as nothing is templated."""
        problems = self.columns_problems()
        if (self.job is None) == (self.job_definition_id is None):
            problems.append("give either job or job_definition_id")
        problems += limit_problems("max_cost", self.max_cost)
        problems += limit_problems("auto_approve_below", self.auto_approve_below)
        self.refuse(problems)

    def _checked(self) -> JobSpec | None:
        """Find every other mistake before anything is sent.

        Returns:
            What to ask; None if a definition says it.
        """
        problems = blank("audience_id", self.audience_id)
        problems += [] if self.key is None else blank("key", self.key)
        spec = None
        if self.job_definition_id is not None:
            problems += blank("job_definition_id", self.job_definition_id)
        else:
            try:
                spec = self.spec_about(self.datapoints)
            except ValidationError as error:
                problems += [f"job: {problem}" for problem in error.problems]
        self.refuse(problems)
        return spec

    def _priced(self, client: RapidataClient, spec: JobSpec | None) -> tuple[str, CostEstimate]:
        """The name of what would be paid, and what it would cost."""
        if spec is not None:
            return spec.name, client.estimate(spec, self.audience_id, key=self.key)
        definition = client.job.get_job_definition_by_id(str(self.job_definition_id))
        return definition.name, definition.estimated_cost

    def _balance(self, client: RapidataClient) -> Balance | None:
        """What may still be spent, where these credentials may see it."""
        try:
            return client.billing.get_balance()
        except RapidataError as error:
            self.log.info("Cannot tell what may still be spent: %s", error)
            return None


def _leaving() -> tuple[type[BaseException], ...]:
    """What Airflow's operator raises to wait for an answer."""
    if not AIRFLOW_3_3:
        return (TaskDeferred,)
    from airflow.sdk.exceptions import TaskAwaitingInput

    return (TaskAwaitingInput, TaskDeferred)


def _approved(estimated_cost: float) -> dict[str, Any]:
    """The answer where nobody was asked."""
    return {
        "chosen_options": [RapidataSpendApprovalOperator.APPROVE],
        "params_input": {},
        "responded_at": datetime.now(UTC).isoformat(),
        "responded_by_user": None,
        "estimated_cost": estimated_cost,
    }


def _figures(cost: CostEstimate, audience: str, audience_id: str, balance: Balance | None) -> str:
    """What there is to know before paying, as a table in Markdown."""
    rows = {
        "Estimated cost": f"{cost.estimated_cost:.2f}",
        "Datapoints": f"{cost.datapoint_count:,}",
        "Human answers": f"{cost.required_responses:,}",
        "Audience": f"{audience} ({audience_id})",
    }
    if balance is not None and balance.available is not None:
        rows["Left to spend"] = f"{balance.available:,.2f}"
    lines = [f"| {name} | {_cell(value)} |" for name, value in rows.items()]
    return "\n".join(["| | |", "|---|---|", *lines])


def _cell(text: str) -> str:
    """A text that stays in its cell, whatever somebody has called an audience."""
    return " ".join(text.replace("|", "\\|").split())
