"""What all tasks that save a job's answers have in common."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, cast

from airflow.sdk.exceptions import AirflowFailException

from rapidata_airflow.assets import announce, partition_problems
from rapidata_airflow.links import AUDIENCE_URL, JOB_URL
from rapidata_airflow.operators.waiting import WaitingOperator, choice_problems
from rapidata_core.errors import ValidationError

if TYPE_CHECKING:
    from airflow.sdk import Context, ObjectStoragePath

    from rapidata_core import JobSpec, Privacy, QualityGate, RapidataJob

OnQualityFailure = Literal["fail", "report"]


class SavingOperator(WaitingOperator):
    """A task that waits for a job, and saves its answers as a dataset.

    Args:
        result_path: A folder, as a local path that workers share, a URL such as
            ``s3://bucket/labels`` or an ``ObjectStoragePath``; the answers go to
            ``{result_path}/{job_id}/``. Without it nothing is saved.
        partition: Which part of one dataset in ``result_path`` the answers are instead, for example
            ``{"day": "{{ ds }}"}``.
        privacy: What to keep about the people who answered.
        quality_gate: What is asked of the labels.
        on_quality_failure: If the labels are not good enough, ``fail`` the task without retries
            (they are saved nevertheless), or only ``report`` it, in what the task returns.
        partition_key: Of the outlets' asset events (Airflow 3.3); see ``add_partitions`` there.
        **kwargs: See :class:`WaitingOperator`.

    Attributes:
        manifest: What the task returns, as soon as that is known; for OpenLineage.
    """

    def __init__(
        self,
        *,
        result_path: str | os.PathLike[str] | ObjectStoragePath | None = None,
        partition: Mapping[str, str] | None = None,
        privacy: Privacy | None = None,
        quality_gate: QualityGate | None = None,
        on_quality_failure: OnQualityFailure = "fail",
        partition_key: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.result_path = result_path
        self.partition = partition
        self.privacy = privacy
        self.quality_gate = quality_gate
        self.on_quality_failure: OnQualityFailure = on_quality_failure
        self.partition_key = partition_key
        self.manifest: dict[str, Any] | None = None

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """What OpenLineage is told: what was asked of whom, what it cost, and where answers are."""
        from rapidata_airflow.lineage import facets

        return facets(task_instance)

    def literal_problems(self) -> list[str]:
        """What is wrong with arguments that are no templates: for when the DAG is parsed."""
        problems = self.timeout_problems()
        problems += choice_problems("on_quality_failure", self.on_quality_failure, OnQualityFailure)
        if self.result_path is None:
            problems += [
                f"{name}: needs a result_path"
                for name in ("partition", "privacy", "quality_gate")
                if getattr(self, name) is not None
            ]
        return problems

    def rendered_problems(self) -> list[str]:
        """What is wrong with the rest: to be asked before anything is sent."""
        from rapidata_core import check_directory

        problems = partition_problems(self.partition_key)
        if self.result_path is not None:
            try:
                check_directory(cast("Any", self.result_path), self.partition)
            except ValidationError as error:
                name = "partition" if error.subject == "partition" else "result_path"
                problems += [f"{name}: {problem}" for problem in error.problems]
        return problems

    def show(self, job: RapidataJob, context: Context) -> None:
        """Say which job it is, for the links, before the long wait."""
        ti = context["ti"]  # pyright: ignore[reportTypedDictNotRequiredAccess]
        ti.xcom_push("job_id", job.id)
        ti.xcom_push(JOB_URL, job.url)
        ti.xcom_push(AUDIENCE_URL, job.audience_url)

    def save(
        self, job_id: str, context: Context, facts: Mapping[str, Any], spec: JobSpec | None = None
    ) -> dict[str, Any]:
        """Write the answers of a job that is done, and say what they are.

        Args:
            job_id: The job.
            context: Airflow's.
            facts: What the task returns besides.
            spec: What was asked, as far as it is known.

        Returns:
            What the task returns: the ``Manifest``, or without a path to save to, what is known of
            the job.

        Raises:
            AirflowFailException: The labels are not good enough, or cannot be saved.
            RapidataTaskError: They could not be fetched; a retry does it again.
        """
        from rapidata_core import Privacy

        with self.connected() as client:
            job = client.job.get_job_by_id(job_id)
            if self.result_path is None:
                self.manifest = {**facts_of(job, job.estimated_cost.estimated_cost), **facts}
                announce(context, self.outlets, self.manifest, self.partition_key)
                return self.manifest
            saved = job.save_results(
                # Parts of one dataset stand in one folder, other jobs in a folder each.
                self.result_path if self.partition else inside(self.result_path, job.id),
                spec=spec,
                partition=self.partition,
                gate=self.quality_gate,
                privacy=self.privacy or Privacy(),
            )
        self.log.info("Saved %s answers: %s", saved.response_count, saved.responses)
        self.manifest = {**saved.as_dict(), **facts}
        if self.on_quality_failure == "fail":
            _check_quality(self.manifest, context)
        announce(context, self.outlets, self.manifest, self.partition_key)
        return self.manifest


def facts_of(job: RapidataJob, estimated_cost: float) -> dict[str, Any]:
    """What is known of a job without its answers."""
    return {
        "job_id": job.id,
        "job_url": job.url,
        "name": job.name,
        "definition_id": job.definition_id,
        "audience_id": job.audience_id,
        "estimated_cost": estimated_cost,
    }


def inside(folder: str | os.PathLike[str] | ObjectStoragePath, name: str) -> Any:
    """A folder in a folder. An ``ObjectStoragePath`` keeps the connection that it knows."""
    if isinstance(folder, str):
        return f"{folder.rstrip('/')}/{name}"
    return cast("Any", folder) / name


def _check_quality(manifest: Mapping[str, Any], context: Context) -> None:
    """Fail the task if the labels are not good enough: asking again would not change them."""
    quality: dict[str, Any] | None = manifest["quality"]
    if quality is None or quality["passed"]:
        return
    ti = context["ti"]  # pyright: ignore[reportTypedDictNotRequiredAccess]
    # A task that fails returns nothing; whoever looks into it wants to know what there is.
    ti.xcom_push("manifest", dict(manifest))
    failed = "; ".join(
        f"{check['name']} is {check['value']}, not {check['limit']}"
        for check in quality["checks"]
        if not check["passed"]
    )
    raise AirflowFailException(
        f"The labels of job {manifest['job_id']} are not good enough: {failed}. They are saved: "
        f"{manifest['labels']}. Ask more people, change the question, or lower the limits."
    )
