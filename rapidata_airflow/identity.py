"""What a task instance is to the platform: the same over all its tries, and no other's."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

from rapidata_core.types import SpendCap

if TYPE_CHECKING:
    from airflow.sdk.types import RuntimeTaskInstanceProtocol

# A cap is for a period; no DAG run lasts longer.
_YEAR = timedelta(days=365)


def task_key(ti: RuntimeTaskInstanceProtocol, *, anew_when_cleared: bool = False) -> str:
    """The key of what a task instance pays for.

    Args:
        ti: The task instance.
        anew_when_cleared: Whether clearing makes it another one. Clearing raises the number of
            tries that a task instance may have, and a retry does not: that tells them apart.
    """
    generation = [ti.max_tries] if anew_when_cleared else []
    map_index = -1 if ti.map_index is None else ti.map_index
    return json.dumps([*_task(ti), map_index, *generation])


def run_cap(ti: RuntimeTaskInstanceProtocol, amount: float) -> SpendCap:
    """A limit for all the mapped instances of a task together, in one DAG run.

    Raises:
        ValidationError: The amount is none.
    """
    # Without the bracket at its end, the list is how the keys of all map indexes begin.
    return SpendCap(json.dumps(_task(ti))[:-1], amount, _YEAR)


def _task(ti: RuntimeTaskInstanceProtocol) -> list[str]:
    return ["airflow", ti.dag_id, ti.run_id, ti.task_id]
