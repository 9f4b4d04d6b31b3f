"""A task that makes sure that there is an audience."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rapidata_airflow.links import AUDIENCE_URL, RapidataAudienceLink
from rapidata_airflow.operators.waiting import RapidataOperator
from rapidata_core.policy.audiences import graduation_rule

if TYPE_CHECKING:
    from airflow.sdk import Context

    from rapidata_core.filters import Filter
    from rapidata_core.jobs.example import QualificationExample


class RapidataAudienceOperator(RapidataOperator):
    """Make an audience, or find the one that was made before of the same examples and filters.

    This costs nothing. The name is for people: an audience of the same content is reused under
    whatever name it has.

    Args:
        name: The name of a new audience.
        examples: Tasks whose right answer is known; who answers them rightly joins the audience.
            ``CompareExample`` and the like, or mappings with their ``type`` and arguments. Mappings
            are templated.
        filters: Whom it takes, as filters or in the platform's JSON; all of them have to take a
            labeler.
        target_accuracy: Share of the examples that a labeler has to answer rightly; the platform's
            default is 0.75.
        min_tasks: Examples that a labeler answers at least; the platform's default is 10.
        max_tasks: Examples that a labeler answers at most.
        start_recruiting: Whether to let labelers try the examples already; otherwise the first job
            does. ``RapidataAudienceSensor`` waits until there are enough.
        rapidata_conn_id: The connection's id.

    Returns:
        A mapping: ``audience_id``, ``audience_url`` and ``name``.
    """

    template_fields: Collection[str] = ("name", "examples", "filters", "rapidata_conn_id")
    template_fields_renderers = {"examples": "json", "filters": "json"}
    operator_extra_links = (RapidataAudienceLink(),)

    def __init__(
        self,
        *,
        name: str,
        examples: Sequence[QualificationExample | Mapping[str, Any]],
        filters: Sequence[Filter | Mapping[str, Any]] | None = None,
        target_accuracy: float | None = None,
        min_tasks: int | None = None,
        max_tasks: int | None = None,
        start_recruiting: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.examples = examples
        self.filters = filters
        self.target_accuracy = target_accuracy
        self.min_tasks = min_tasks
        self.max_tasks = max_tasks
        self.start_recruiting = start_recruiting
        # Nothing of it is templated, so a mistake is found when the DAG is parsed.
        graduation_rule(target_accuracy, min_tasks, max_tasks)

    def execute(self, context: Context) -> dict[str, Any]:
        """Make the audience, or find it.

        Raises:
            AirflowFailException: It failed, and no retry can mend it.
            RapidataTaskError: It failed; a retry goes on where this try stopped.
        """
        with self.connected() as client:
            audience = client.audience.get_or_create_audience(
                self.name,
                self.examples,
                filters=self.filters,
                target_accuracy=self.target_accuracy,
                min_tasks=self.min_tasks,
                max_tasks=self.max_tasks,
            )
            if self.start_recruiting:
                audience.start_recruiting()
        self.log.info("Audience %s: %s", audience.id, audience.url)
        ti = context["ti"]  # pyright: ignore[reportTypedDictNotRequiredAccess]
        ti.xcom_push(AUDIENCE_URL, audience.url)
        return {"audience_id": audience.id, "audience_url": audience.url, "name": audience.name}
