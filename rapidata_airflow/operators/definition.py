"""A task that makes sure that there is a job definition."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from rapidata_airflow.links import DEFINITION_URL, RapidataJobDefinitionLink
from rapidata_airflow.operators.waiting import RapidataOperator, columns_problems

if TYPE_CHECKING:
    from airflow.sdk import Context

    from rapidata_core import JobSpec


class RapidataJobDefinitionOperator(RapidataOperator):
    """Define a job, or find the definition that was made before of the same content.

    The datapoints are uploaded. This costs nothing, and nobody is asked before a job or a signal
    uses the definition.

    Args:
        job: What to ask: a ``JobSpec``, a mapping, or JSON or YAML text. Mappings and text are
            templated; a ``JobSpec`` is taken as it is.
        datapoints: What ``job`` is asked about, if it does not say so itself: a list, such as an
            upstream task's output, or a path or URL of a parquet, CSV or JSON lines file.
        columns: Where in a table the datapoints are; see
            :func:`rapidata_core.results.rows.job_about`.
        rapidata_conn_id: The connection's id.

    Returns:
        A mapping: ``job_definition_id``, ``job_definition_url``, ``revision_number`` and
        ``estimated_cost``, the platform's estimate for one job of it.
    """

    template_fields: Collection[str] = ("job", "datapoints", "columns", "rapidata_conn_id")
    template_fields_renderers = {"job": "json"}
    operator_extra_links = (RapidataJobDefinitionLink(),)

    def __init__(
        self,
        *,
        job: JobSpec | Mapping[str, Any] | str,
        datapoints: Any = None,
        columns: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.job = job
        self.datapoints = datapoints
        # What is given, but turns out to be None, must not be replaced by the job's own.
        self._has_own_datapoints = datapoints is None
        self.columns = columns
        self.refuse(columns_problems(columns, datapoints))

    def execute(self, context: Context) -> dict[str, Any]:
        """Define the job, or find its definition.

        Raises:
            AirflowFailException: It failed, and no retry can mend it.
            RapidataTaskError: It failed; a retry may mend it.
        """
        with self.connected() as client:
            definition = client.job.get_or_create_job_definition(self._spec())
            cost = definition.estimated_cost
            found = {
                "job_definition_id": definition.id,
                "job_definition_url": definition.url,
                "revision_number": definition.revision_number,
                "estimated_cost": cost.estimated_cost,
            }
        self.log.info("Job definition %s: %s", definition.id, definition.url)
        ti = context["ti"]  # pyright: ignore[reportTypedDictNotRequiredAccess]
        ti.xcom_push(DEFINITION_URL, definition.url)
        return found

    def _spec(self) -> JobSpec:
        from rapidata_core import job_about, parse_job

        if self._has_own_datapoints:
            return parse_job(self.job)
        return job_about(self.job, self.datapoints, self.columns)
