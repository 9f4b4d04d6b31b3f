"""Buttons on the page of a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import attrs
from airflow.sdk import BaseOperatorLink
from airflow.sdk.execution_time.xcom import XCom

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

JOB_URL = "job_url"
AUDIENCE_URL = "audience_url"
DEFINITION_URL = "job_definition_url"
BENCHMARK_URL = "benchmark_url"


@attrs.define()
class RapidataLink(BaseOperatorLink):
    """Opens a page of Rapidata's dashboard.

    The operator pushes the page's address as an XCom as soon as it knows it.
    """

    label: ClassVar[str]
    key: ClassVar[str]

    @property
    def name(self) -> str:
        """What the button says."""
        return self.label

    @property
    def xcom_key(self) -> str:
        """Where the UI finds the address."""
        return self.key

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The address; empty as long as there is none."""
        # Airflow's own protocol asks for attributes that its own key does not let be set.
        url: str | None = XCom.get_value(
            ti_key=ti_key,  # pyright: ignore[reportArgumentType]
            key=self.key,
        )
        return url or ""


class RapidataJobLink(RapidataLink):
    """Opens the job."""

    label = "Rapidata job"
    key = JOB_URL


class RapidataAudienceLink(RapidataLink):
    """Opens the audience."""

    label = "Rapidata audience"
    key = AUDIENCE_URL


class RapidataJobDefinitionLink(RapidataLink):
    """Opens the job definition."""

    label = "Rapidata job definition"
    key = DEFINITION_URL


class RapidataBenchmarkLink(RapidataLink):
    """Opens the benchmark, with its leaderboards."""

    label = "Rapidata benchmark"
    key = BENCHMARK_URL
