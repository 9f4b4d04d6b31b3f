"""Tasks that wait on Airflow's triggerer, written into its database as if they had been deferred.

    python deferred.py prepare JOBS PULSE SECONDS    a task for each id of the list in JOBS
    python deferred.py outcomes                      how their waits ended, as JSON

To run that many tasks up to where they wait takes an hour; nothing of it is to be measured.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import waiting
from airflow.triggers.base import BaseTrigger, TriggerEvent

DAG_ID = "waiting"


class Pulse(BaseTrigger):
    """Write down how late the triggerer's event loop is.

    Args:
        path: See :func:`waiting.pulse`.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and its arguments."""
        return "deferred.Pulse", {"path": self.path}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Write until the triggerer ends."""
        await waiting.pulse(Path(self.path))
        yield TriggerEvent({})


def prepare(job_ids: list[str], pulse: Path, poll_interval: float) -> None:
    """Make the database of an Airflow in which a task waits for each job.

    Args:
        job_ids: The jobs.
        pulse: Where to write how late the event loop is.
        poll_interval: Seconds between looks.
    """
    from airflow.models import Connection, DagRun, Trigger
    from airflow.utils.session import create_session
    from airflow.utils.state import TaskInstanceState

    from rapidata_airflow.triggers.job import RapidataJobTrigger

    _store_dag(job_ids, poll_interval)
    with create_session() as session:
        # As in most deployments: the triggerer asks the database for it, and not its environment.
        session.add(Connection("rapidata_default", **json.loads(os.environ["CONNECTION"])))
        run = session.query(DagRun).one()
        for ti in run.get_task_instances(session=session):
            if ti.task_id == "pulse":
                trigger: BaseTrigger = Pulse(str(pulse))
            else:
                trigger = RapidataJobTrigger(
                    job_id=job_ids[ti.map_index], poll_interval=poll_interval
                )
            ti.trigger = Trigger.from_object(trigger)
            ti.state, ti.next_method = TaskInstanceState.DEFERRED, "execute_complete"
            ti.try_number = 1


def outcomes() -> dict[str, int]:
    """How many waits ended in which way; those that have not ended are missing."""
    from airflow.models import TaskInstance
    from airflow.sdk.serde import deserialize
    from airflow.utils.session import create_session

    with create_session() as session:
        found = session.query(TaskInstance).filter(TaskInstance.task_id == "job")
        passed = [deserialize(ti.next_kwargs) for ti in found if ti.next_kwargs]
    return dict(Counter(kwargs["event"]["status"] for kwargs in passed))


def _store_dag(job_ids: list[str], poll_interval: float) -> None:
    """Store a DAG with a mapped task, and a run of it."""
    from airflow.api.common.trigger_dag import trigger_dag
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG
    from airflow.utils.types import DagRunTriggeredByType

    from rapidata_airflow.sensors.job import RapidataJobSensor

    with DAG(DAG_ID) as dag:
        RapidataJobSensor.partial(task_id="job", poke_interval=poll_interval).expand(job_id=job_ids)
        EmptyOperator(task_id="pulse")
    DagBundlesManager().sync_bundles_to_db()
    bag = DagBag(dag_folder=os.devnull, bundle_name="dags-folder")
    bag.bag_dag(dag)
    sync_bag_to_db(bag, "dags-folder", None)
    trigger_dag(DAG_ID, triggered_by=DagRunTriggeredByType.TEST)


if __name__ == "__main__":
    if sys.argv[1] == "prepare":
        jobs, pulse, seconds = sys.argv[2:]
        prepare(json.loads(Path(jobs).read_text()), Path(pulse), float(seconds))
    else:
        print(json.dumps(outcomes()))
