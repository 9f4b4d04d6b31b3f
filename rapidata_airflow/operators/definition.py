"""A task that makes sure that there is a job definition."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from rapidata_airflow.links import DEFINITION_URL, RapidataJobDefinitionLink
from rapidata_airflow.operators.waiting import AskingOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from rapidata_core import JobSpec


class RapidataJobDefinitionOperator(AskingOperator):
    """Define a job, or find the definition that was made before of the same content.

    The datapoints are uploaded. This costs nothing, and nobody is asked before a job or a signal
    uses the definition.

    Args:
        job: What to ask: a ``JobSpec``, a mapping, or JSON or YAML text.
        **kwargs: See :class:`AskingOperator`.

    Returns:
        A mapping: ``job_definition_id``, ``job_definition_url``, ``revision_number`` and
        ``estimated_cost``, the platform's estimate for one job of it.
    """

    template_fields: Collection[str] = ("job", "datapoints", "columns", "rapidata_conn_id")
    template_fields_renderers = {"job": "json"}
    operator_extra_links = (RapidataJobDefinitionLink(),)

    def __init__(self, *, job: JobSpec | Mapping[str, Any] | str, **kwargs: Any) -> None:
        super().__init__(job=job, **kwargs)
        self.refuse(self.columns_problems())

    def execute(self, context: Context) -> dict[str, Any]:
        """Define the job, or find its definition.

        Raises:
            AirflowFailException: It failed, and no retry can mend it.
            RapidataTaskError: It failed; a retry may mend it.
        """
        with self.connected() as client:
            spec = self.spec_about(self.datapoints)
            definition = client.job.get_or_create_job_definition(spec)
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
