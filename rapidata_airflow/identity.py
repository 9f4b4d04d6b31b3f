"""What a task instance is to the platform: the same over all its tries, and no other's."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from rapidata_core.types import SpendCap

if TYPE_CHECKING:
    from airflow.models import TaskInstance
    from airflow.sdk.types import RuntimeTaskInstanceProtocol

OnClear = Literal["reuse", "new"]
"""What clearing a task does: it keeps what is paid, or pays anew."""

# A cap is for a period; no DAG run lasts longer.
_YEAR = timedelta(days=365)


def task_key(ti: RuntimeTaskInstanceProtocol, on_clear: OnClear = "reuse") -> str:
    """The key of what a task instance pays for.

    Args:
        ti: The task instance.
        on_clear: Whether clearing makes it another one. Clearing raises the number of tries that a
            task instance may have, and a retry does not: that tells them apart.
    """
    generation = [ti.max_tries] if on_clear == "new" else []
    return json.dumps([*_task(ti), map_index(ti), *generation])


def signal_key(ti: RuntimeTaskInstanceProtocol) -> str:
    """The key of a task's signal: the same in all runs of the DAG, and no other task's."""
    mapped = [index] if (index := map_index(ti)) >= 0 else []
    return json.dumps(["airflow", ti.dag_id, ti.task_id, *mapped])


def map_index(ti: TaskInstance | RuntimeTaskInstanceProtocol) -> int:
    """Which one of a mapped task's instances it is; -1 if the task is not mapped."""
    return -1 if ti.map_index is None else ti.map_index


def run_cap(ti: RuntimeTaskInstanceProtocol, amount: float) -> SpendCap:
    """A limit for all the mapped instances of a task together, in one DAG run.

    Raises:
        ValidationError: The amount is none.
    """
    # Without the bracket at its end, the list is how the keys of all map indexes begin.
    return SpendCap(json.dumps(_task(ti))[:-1], amount, _YEAR)


def _task(ti: RuntimeTaskInstanceProtocol) -> list[str]:
    return ["airflow", ti.dag_id, ti.run_id, ti.task_id]
