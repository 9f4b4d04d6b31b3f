"""A task that people work on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import Asset, BaseNotifier, XComArg

from rapidata_airflow import ledger
from rapidata_airflow.hooks.rapidata import RapidataHook
from rapidata_airflow.identity import OnClear, run_cap, task_key
from rapidata_airflow.links import RapidataAudienceLink, RapidataJobLink
from rapidata_airflow.operators.owning import OwningOperator
from rapidata_airflow.operators.saving import facts_of
from rapidata_airflow.operators.waiting import AskingOperator, limit_problems, on_clear_problems
from rapidata_airflow.outcomes import Outcome, failing_the_task
from rapidata_airflow.triggers.job import RapidataJobTrigger
from rapidata_core.errors import (
    JobNeedsAttentionError,
    NotFoundError,
    WaitTimeoutError,
    blank,
)
from rapidata_core.policy.polling import reactions

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.types import RuntimeTaskInstanceProtocol

    from rapidata_core import (
        JobSpec,
        OnChanged,
        RapidataClient,
        RapidataJob,
        Reaction,
        SpendCap,
        Submission,
    )


class RapidataJobOperator(AskingOperator, OwningOperator):
    """Ask people, wait for their answers without holding a worker, and save them as a dataset.

    A task instance has one paid job: a retry, or clearing the task, adopts the job that is there.

    Args:
        job: What to ask: a ``JobSpec``, a mapping, or JSON or YAML text. Mappings and text are
            templated; a ``JobSpec`` is taken as it is. Mistakes are found when the DAG is parsed,
            where nothing of it is templated.
        job_definition_id: Instead of ``job``: a definition that is there already.
        revision_number: Which revision of it; by default the latest one when the job is paid.
        datapoints: What ``job`` is asked about, if it does not say so itself: a list, such as an
            upstream task's output; a path or URL of a parquet, CSV or JSON lines file; an ``Asset``
            (the file that its newest event names, else its URI); or a callable that returns one of
            these, which Airflow calls with ``context`` and ``jinja_env``.
        columns: Where in a table the datapoints are; see
            :func:`rapidata_core.results.rows.job_about`.
        audience_id: Whom to ask; ``global`` is everybody.
        max_cost: Refuse to pay more than this, by the platform's estimate.
        run_budget: What all mapped instances of this task may cost together in one DAG run.
        cap: What all jobs may cost together whose keys begin alike; give the ``key``, too.
        key: The identity of what is paid for. By default it is the task instance's: its DAG, run,
            task and map index, over all its tries.
        on_clear: When the task is cleared, ``reuse`` its job, or pay for a ``new`` one; the
            latter is for the task instance's own key.
        on_changed: What to do if the key has a job that asks something else; see
            :meth:`rapidata_core.RapidataClient.submit`.
        failure_tolerance: Share of the datapoints that may fail to be uploaded, 0 to 1.
        attention_notifiers: Called when the job needs somebody, before the task waits on or fails;
            ``rapidata_job`` in their templates has the job's id, url, state and what to do.
        **kwargs: See :class:`OwningOperator`.

    Returns:
        A small mapping: the job, what it is estimated to cost and has cost, where the answers are
        and how many, how good they are; and ``adopted``: whether the job was there already and
        nothing was paid now.
    """

    template_fields: Collection[str] = (
        "job",
        "job_definition_id",
        "datapoints",
        "columns",
        "audience_id",
        "result_path",
        "partition",
        "key",
        "partition_key",
        "rapidata_conn_id",
    )
    template_fields_renderers = {"job": "json"}
    operator_extra_links = (RapidataJobLink(), RapidataAudienceLink())

    def __init__(
        self,
        *,
        job: JobSpec | Mapping[str, Any] | str | None = None,
        job_definition_id: str | None = None,
        revision_number: int | None = None,
        datapoints: Any = None,
        columns: Any = None,
        audience_id: str = "global",
        max_cost: float | None = None,
        run_budget: float | None = None,
        cap: SpendCap | None = None,
        key: str | None = None,
        on_clear: OnClear = "reuse",
        on_changed: OnChanged = "error",
        failure_tolerance: float = 0.0,
        attention_notifiers: Sequence[BaseNotifier] | BaseNotifier = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(job=job, datapoints=datapoints, columns=columns, **kwargs)
        self.job_definition_id = job_definition_id
        self.revision_number = revision_number
        self.audience_id = audience_id
        self.max_cost = max_cost
        self.run_budget = run_budget
        self.cap = cap
        self.key = key
        self.on_clear: OnClear = on_clear
        self.on_changed: OnChanged = on_changed
        self.failure_tolerance = failure_tolerance
        self.attention_notifiers = (
            [attention_notifiers]
            if isinstance(attention_notifiers, BaseNotifier)
            else list(attention_notifiers)
        )
        if isinstance(datapoints, Asset):
            self.inlets = [*self.inlets, datapoints]
        self._check_what_is_known()

    # --- what Airflow calls -----------------------------------------------------------------------

    def execute(self, context: Context) -> dict[str, Any]:
        """Get the task instance's job, and its answers now or when they are there.

        Raises:
            TaskDeferred: People are at work; Airflow calls :meth:`execute_complete` afterwards.
            AirflowFailException: It failed, and no retry can mend it.
            RapidataTaskError: It failed; a retry goes on with the same job.
        """
        deadline = self.deadline(context)
        with failing_the_task():
            spec = self._checked(context)
        with self.connected() as client:
            content = self._content(spec)
            submission = self._submit(client, spec, content, context)
            job = client.job.get_job_by_id(submission.job_id)
            self._announce(job, submission, content, context)
            if not self.wait_for_completion:
                facts = facts_of(job, submission.estimated_cost)
                return {**facts, "adopted": submission.adopted}
            handed: dict[str, Any] = {
                "adopted": submission.adopted,
                "content": content,
                "deadline": deadline,
                "job_url": job.url,
                "told": [],
            }
            event = self._look(job, handed)
        if event is None:
            return self.wait_for(context, self._trigger(job.id, handed))
        return self.execute_complete(context, event)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Go on when the trigger has fired, on any worker.

        Args:
            context: Airflow's.
            event: The trigger's.

        Raises:
            TaskDeferred: The task waits on for somebody.
            AirflowFailException: It failed, and no retry can mend it.
            RapidataTaskError: It failed; a retry goes on with the same job.
        """
        handed = event["handed"]
        if event["status"] == Outcome.NEEDS_ATTENTION:
            self._tell(context, event, handed["job_url"])
            if (self.on_attention or {}).get(event["state"]) == "wait":
                # The wait only ended so that somebody is told.
                handed = {**handed, "told": [*handed["told"], event["state"]]}
                return self.wait_for(context, self._trigger(event["job_id"], handed))
        return super().execute_complete(context, event)

    def finish(self, context: Context, found: dict[str, Any]) -> dict[str, Any]:
        """See :meth:`WaitingOperator.finish`."""
        handed = found["handed"]
        spec = self._spec_as_asked(handed["content"], context)
        return self.save(found["job_id"], context, {"adopted": handed["adopted"]}, spec)

    # --- before anything is paid ------------------------------------------------------------------

    def _check_what_is_known(self) -> None:
        """Find what is wrong when the DAG is parsed, as far as nothing is templated."""
        problems = [
            *self.literal_problems(),
            *on_clear_problems(self.on_clear, self.key),
            *limit_problems("max_cost", self.max_cost),
            *limit_problems("run_budget", self.run_budget),
        ]
        problems += [
            f"attention_notifiers: must be notifiers, not {notifier!r}"
            for notifier in self.attention_notifiers
            if not isinstance(notifier, BaseNotifier)  # pyright: ignore[reportUnnecessaryIsInstance]
        ]
        if (self.job is None) == (self.job_definition_id is None):
            problems.append("give either job or job_definition_id")
        if self.job is None:
            problems += [
                f"{name}: is for job; a definition has its own"
                for name in ("datapoints", "columns")
                if getattr(self, name) is not None
            ]
        else:
            problems += self.columns_problems()
            if self.revision_number is not None:
                problems.append("revision_number: is for job_definition_id")
        if self.run_budget is not None and (self.cap is not None or self.key is not None):
            problems.append("run_budget: is for the task's own key; with a key, give a cap")
        if self.cap is not None and self.key is None:
            problems.append("cap: counts keys that begin alike, so give the key, too")
        self.refuse(problems)
        if self.job is not None and self.datapoints is None and not _is_templated(self.job):
            from rapidata_core import parse_job

            parse_job(self.job)

    def _checked(self, context: Context) -> JobSpec | None:
        """Find every other mistake that can be found before anything is sent."""
        problems = blank("audience_id", self.audience_id) + self.rendered_problems()
        self.refuse(problems + self._trigger("", {"told": [], "deadline": None}).problems())
        return self._spec(context)

    def _spec(self, context: Context) -> JobSpec | None:
        """What to ask; None if a definition says it."""
        if self.job is None:
            return None
        return self.spec_about(self._datapoints(context))

    def _datapoints(self, context: Context) -> Any:
        found = self.datapoints
        # Airflow calls what is callable when it renders templates.
        if isinstance(found, Asset):
            return _file_of(found, context)
        return found

    def _content(self, spec: JobSpec | None) -> str:
        """What is asked of whom, as a short text."""
        from rapidata_core import fingerprint

        if spec is not None:
            return fingerprint(spec, self.audience_id)
        return f"{self.job_definition_id}/{self.revision_number}/{self.audience_id}"

    # --- paying -----------------------------------------------------------------------------------

    def _submit(
        self, client: RapidataClient, spec: JobSpec | None, content: str, context: Context
    ) -> Submission:
        """The task instance's job: the one that it has, or a new one."""
        ti = context["ti"]  # pyright: ignore[reportTypedDictNotRequiredAccess]
        known = ledger.recalled(context, self._key(ti), content)
        submission = None if known is None else _adopted(client, known)
        if submission is not None:
            return submission
        terms: dict[str, Any] = {
            "key": self._key(ti),
            "max_cost": RapidataHook(self.rapidata_conn_id).max_cost(self.max_cost),
            "attempt": ti.try_number,
            "on_changed": self.on_changed,
            "cap": self.cap if self.run_budget is None else run_cap(ti, self.run_budget),
        }
        if spec is not None:
            terms["failure_tolerance"] = self.failure_tolerance
            return client.submit(spec, self.audience_id, **terms)
        assert self.job_definition_id is not None
        terms["revision_number"] = self.revision_number
        return client.submit_definition(self.job_definition_id, self.audience_id, **terms)

    def _key(self, ti: RuntimeTaskInstanceProtocol) -> str:
        if self.key is not None:
            return self.key
        return task_key(ti, self.on_clear)

    def _announce(
        self, job: RapidataJob, submission: Submission, content: str, context: Context
    ) -> None:
        """Say which job it is, in the log and for the links, before the long wait; and take it."""
        ti = context["ti"]  # pyright: ignore[reportTypedDictNotRequiredAccess]
        self.log.info(
            "%s job %s, estimated to cost %.2f: %s",
            "Adopting" if submission.adopted else "Started",
            job.id,
            submission.estimated_cost,
            job.url,
        )
        ledger.note(context, self._key(ti), content, job.id, job.url)
        self.take(job, context, is_new=not submission.adopted)

    # --- waiting ----------------------------------------------------------------------------------

    def _trigger(self, job_id: str, handed: dict[str, Any]) -> RapidataJobTrigger:
        return RapidataJobTrigger(
            job_id=job_id,
            on_attention=self._reactions(handed["told"]),
            on_kill_action=self.on_kill_action,
            handed=handed,
            rapidata_conn_id=self.rapidata_conn_id,
            deadline=handed["deadline"],
            poll_interval=self.poll_interval,
        )

    def _reactions(self, told: Sequence[str]) -> dict[str, Reaction]:
        """What to do while waiting; what somebody has to be told of first ends the wait."""
        wanted = reactions(self.on_attention)
        for state, reaction in wanted.items():
            if self.attention_notifiers and reaction == "wait" and state not in told:
                wanted[state] = "fail"
        return wanted

    def _look(self, job: RapidataJob, handed: dict[str, Any]) -> dict[str, Any] | None:
        """What a trigger would say of the job now, as many that are adopted are done; or None."""
        event: dict[str, Any] = {"job_id": job.id, "handed": handed}
        try:
            job.wait(timeout=0, on_attention=self._reactions(handed["told"]))
        except WaitTimeoutError:
            return None
        except JobNeedsAttentionError as error:
            status = Outcome.NEEDS_ATTENTION
            return {**event, "status": status, "message": str(error), "state": error.state}
        return {**event, "status": Outcome.COMPLETED}

    def _tell(self, context: Context, event: dict[str, Any], job_url: str) -> None:
        """Call the notifiers; that one of them fails is no reason to lose the job."""
        facts = {name: event[name] for name in ("job_id", "state", "message")}
        told = cast("Context", {**context, "rapidata_job": {**facts, "url": job_url}})
        for notifier in self.attention_notifiers:
            try:
                # Rendering fills a notifier's templates for good, and it may be called again.
                copy(notifier)(told)
            except Exception:
                self.log.exception("%r could not tell: %s", notifier, event["message"])

    # --- the answers ------------------------------------------------------------------------------

    def _spec_as_asked(self, content: str, context: Context) -> JobSpec | None:
        """What the job asks, which gives the answers their identity, if it is still known.

        The answers are paid. So a file of datapoints that is gone, or says something else by now,
        is no reason to lose them.
        """
        try:
            spec = self._spec(context)
        except Exception as error:
            why = repr(error)
        else:
            if spec is None or self._content(spec) == content:
                return spec
            why = "it is not the same as when the job was started"
        self.log.warning("What was asked cannot be told: %s. Rows get no datapoint_id.", why)
        return None


def _adopted(client: RapidataClient, job_id: str) -> Submission | None:
    """A job that Airflow remembers, if there still is one."""
    from rapidata_core import Submission

    try:
        job = client.job.get_job_by_id(job_id)
    except NotFoundError:
        return None
    return Submission(
        job_id=job.id,
        definition_id=job.definition_id,
        audience_id=job.audience_id,
        adopted=True,
        estimated_cost=job.estimated_cost.estimated_cost,
    )


def _file_of(asset: Asset, context: Context) -> str:
    """Where an asset is: what its event says, else its URI.

    The event that started the DAG run is the same in every try; without one it is the newest.
    """
    for name in ("triggering_asset_events", "inlet_events"):
        events: Mapping[Asset, Any] = cast("dict[str, Any]", context).get(name, {})
        if asset in events and len(events[asset]):
            extra: dict[str, Any] = events[asset][-1].extra or {}
            return extra.get("uri", asset.uri)
    return asset.uri


def _is_templated(job: object) -> bool:
    """Whether something of a job is only known when the task runs."""
    if any(True for _ in XComArg.iter_xcom_references(job)):
        return True
    return any(mark in str(job) for mark in ("{{", "{%", "{#"))
