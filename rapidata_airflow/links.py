"""Buttons on the page of a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
from airflow.sdk import BaseOperatorLink
from airflow.sdk.execution_time.xcom import XCom

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

JOB_URL = "job_url"


@attrs.define()
class RapidataJobLink(BaseOperatorLink):
    """Opens the job in Rapidata's dashboard."""

    @property
    def name(self) -> str:
        """What the button says."""
        return "Rapidata job"

    @property
    def xcom_key(self) -> str:
        """Where the UI finds the address: the operator pushes it before it starts to wait."""
        return JOB_URL

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The job's page; empty as long as there is no job."""
        # Airflow's own protocol asks for attributes that its own key does not let be set.
        url: str | None = XCom.get_value(
            ti_key=ti_key,  # pyright: ignore[reportArgumentType]
            key=JOB_URL,
        )
        return url or ""
