"""Human labels as an asset: a function says what to ask, people answer, the answers are files."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import dagster as dg

from rapidata_core import check_directory
from rapidata_core.errors import FINAL, JobError, JobNeedsAttentionError
from rapidata_core.jobs import JobSpec, parse_job
from rapidata_core.policy.submission import fingerprint
from rapidata_core.types import JobProgress
from rapidata_dagster.metadata import describe_labels, describe_submission
from rapidata_dagster.resource import RapidataResource

if TYPE_CHECKING:
    from rapidata_core import RapidataJob

Question = JobSpec | Mapping[str, Any] | str

# Dagster retries within minutes; nobody attends to a job that fast.
_NEEDS_A_PERSON = (*FINAL, JobNeedsAttentionError)
# Dagster's own names for a context parameter.
_CONTEXT_NAMES = {"context", "_context", "context_", "_"}


def rapidata_labels(
    *,
    directory: str | os.PathLike[str],
    key: str | Sequence[str] | dg.AssetKey | None = None,
    audience_id: str = "global",
    max_cost: float | None = None,
    deps: Iterable[dg.AssetKey | str | dg.AssetsDefinition | dg.AssetSpec | dg.AssetDep] = (),
    ins: Mapping[str, dg.AssetIn] | None = None,
    partitions_def: dg.PartitionsDefinition[str] | None = None,
    group_name: str | None = None,
    description: str | None = None,
    owners: Sequence[str] | None = None,
    tags: Mapping[str, str] | None = None,
    automation_condition: dg.AutomationCondition[dg.AssetKey] | None = None,
    retry_policy: dg.RetryPolicy | None = None,
    pool: str | None = None,
) -> Callable[[Callable[..., Question]], dg.AssetsDefinition]:
    """Make an asset of the answers to a question.

    The decorated function returns what to ask: a :class:`rapidata_core.JobSpec`, or the same as a
    mapping or JSON text. Like the function of ``@dg.asset`` it can take the context, upstream
    assets, config and resources. The step needs a :class:`RapidataResource` as resource
    ``rapidata``; it submits the job, waits for the answers and writes them as parquet files to
    ``directory/asset key/partition key/job id``.

    A job is paid once per asset, partition and content: retries, re-executions and further
    materialisations of an unchanged question adopt the job that is there. A changed question, or
    another audience, is a new job.

    Args:
        directory: Folder of all labels: a local path, or a URL such as ``s3://bucket/labels``.
        key: The asset's key; by default the function's name.
        audience_id: Who answers.
        max_cost: Refuse to pay more than this for one job, by the platform's estimate.
        deps: As in ``@dg.asset``, and so are all that follow.
        ins: Upstream assets that the function takes as arguments.
        partitions_def: One job per partition.
        group_name: The asset's group.
        description: By default the function's docstring.
        owners: Who is responsible.
        tags: For filtering.
        automation_condition: When to materialise by itself.
        retry_policy: Applies to passing troubles only.
        pool: Limits how many such steps run, that is wait, at a time.
    """
    if not os.fspath(directory).strip():
        raise dg.DagsterInvalidDefinitionError("rapidata_labels: directory must not be blank")

    def decorate(ask: Callable[..., Question]) -> dg.AssetsDefinition:
        step = _Labels(ask, directory=directory, audience_id=audience_id, max_cost=max_cost)
        return dg.asset(
            key=key if key is not None else ask.__name__,
            deps=list(deps),
            ins=ins,
            partitions_def=partitions_def,
            group_name=group_name,
            description=description,
            owners=owners,
            tags=tags,
            kinds={"rapidata", "parquet"},
            automation_condition=automation_condition,
            retry_policy=retry_policy,
            pool=pool,
        )(step.compute_function())

    return decorate


class _Labels:
    """What one labels asset does when it is materialised."""

    def __init__(
        self,
        ask: Callable[..., Question],
        *,
        directory: str | os.PathLike[str],
        audience_id: str,
        max_cost: float | None,
    ) -> None:
        self._ask = ask
        self._directory = os.fspath(directory).rstrip("/")
        self._audience_id = audience_id
        self._max_cost = max_cost
        self._parameters = inspect.signature(ask, eval_str=True).parameters

    def compute_function(self) -> Callable[..., dg.MaterializeResult[Any]]:
        """A function for ``dg.asset``: takes what the user's takes, the context and the resource.

        Dagster learns from parameters what to pass, so the signature is put together here.
        """

        def compute(
            context: dg.AssetExecutionContext, rapidata: RapidataResource, **arguments: Any
        ) -> dg.MaterializeResult[Any]:
            return self._materialize(context, rapidata, arguments)

        own = [
            Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, annotation=annotation)
            for name, annotation in (
                ("context", dg.AssetExecutionContext),
                ("rapidata", RapidataResource),
            )
        ]
        taken = {"rapidata", self._context_name}
        theirs = [one for name, one in self._parameters.items() if name not in taken]
        compute.__name__ = self._ask.__name__
        compute.__doc__ = self._ask.__doc__
        signature = Signature([*own, *theirs], return_annotation=dg.MaterializeResult)
        compute.__signature__ = signature  # pyright: ignore[reportFunctionMemberAccess]
        compute.__annotations__ = {
            **{one.name: one.annotation for one in signature.parameters.values()},
            "return": dg.MaterializeResult,
        }
        return compute

    @property
    def _context_name(self) -> str | None:
        first = next(iter(self._parameters), None)
        return first if first in _CONTEXT_NAMES else None

    def _materialize(
        self,
        context: dg.AssetExecutionContext,
        rapidata: RapidataResource,
        arguments: dict[str, Any],
    ) -> dg.MaterializeResult[Any]:
        if self._context_name is not None:
            arguments[self._context_name] = context
        if "rapidata" in self._parameters:
            arguments["rapidata"] = rapidata
        partition = _partition(context)
        known: dict[str, Any] = {}
        with _clear_failures(known):
            check_directory(self._directory)
            spec = parse_job(self._ask(**arguments))
            client = rapidata.get_client()
            submission = client.submit(
                spec,
                self._audience_id,
                key=_key(context.asset_key, partition, spec, self._audience_id),
                max_cost=self._max_cost,
            )
            job = client.job.get_job_by_id(submission.job_id)
            known.update(describe_submission(submission, job.url))
            _announce(context, partition, job, known)
            job.wait(on_progress=_log_steps(context, job))
            folder = self._folder(context.asset_key, partition, job.id)
            manifest = job.save_results(folder, spec=spec)
            return dg.MaterializeResult(
                metadata=describe_labels(
                    manifest, adopted=submission.adopted, partitioned=partition is not None
                ),
                data_version=dg.DataVersion(job.id),
            )

    def _folder(self, asset_key: dg.AssetKey, partition: str | None, job_id: str) -> str:
        parts = [*asset_key.path, *([] if partition is None else [partition]), job_id]
        return "/".join([self._directory, *map(_folder_name, parts)])


def _partition(context: dg.AssetExecutionContext) -> str | None:
    # A run of a partition has its key even in the steps of assets that are not partitioned.
    return None if context.assets_def.partitions_def is None else str(context.partition_key)


def _key(asset_key: dg.AssetKey, partition: str | None, spec: JobSpec, audience_id: str) -> str:
    """The logical task: this content, for this partition of this asset."""
    content = fingerprint(spec, audience_id)
    # JSON keeps the parts apart, whatever characters they have.
    return json.dumps(["dagster", list(asset_key.path), partition, content])


def _folder_name(text: str) -> str:
    """A name that stays in its folder, whatever characters a partition key has."""
    return quote(text, safe="") if text.strip(".") else text.replace(".", "%2E")


def _announce(
    context: dg.AssetExecutionContext,
    partition: str | None,
    job: RapidataJob,
    known: Mapping[str, Any],
) -> None:
    """Tell before the long wait: in the log, and on the asset's page with a link to the job."""
    verb = "Adopted" if known["rapidata/adopted"] else "Created"
    context.log.info(f"{verb} job {job.id}: {job.url}")
    context.log_event(
        dg.AssetObservation(asset_key=context.asset_key, partition=partition, metadata=known)
    )


def _log_steps(
    context: dg.AssetExecutionContext, job: RapidataJob
) -> Callable[[JobProgress], None]:
    """Log each state and every tenth: the event log keeps each line for ever."""
    last: tuple[str, int] | None = None

    def log(progress: JobProgress) -> None:
        nonlocal last
        step = (progress.state, int(progress.completion_percentage // 10))
        if step != last:
            last = step
            context.log.info(
                f"Job {job.id}: {progress.completion_percentage:.0f} % {progress.state}"
            )

    return log


@contextmanager
def _clear_failures(known: Mapping[str, Any]) -> Generator[None]:
    """Fail without retries where only a person can help, with what is known as metadata."""
    try:
        yield
    except _NEEDS_A_PERSON as error:
        state = {"rapidata/state": error.state} if isinstance(error, JobError) else {}
        raise dg.Failure(
            description=str(error), metadata={**known, **state}, allow_retries=False
        ) from error
