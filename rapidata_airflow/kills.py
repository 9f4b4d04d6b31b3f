"""What becomes of a job when its task is ended from outside."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

from rapidata_airflow.hooks.rapidata import RapidataHook
from rapidata_airflow.identity import map_index

if TYPE_CHECKING:
    from airflow.models import TaskInstance
    from airflow.sdk.types import RuntimeTaskInstanceProtocol

PAUSED_BY = "Airflow"
# A task in one of these states does not run again by itself. Any other means that it was cleared,
# or that its process ended for reasons of the process: then the next try goes on with the job.
_ENDED = frozenset({"failed", "success", "skipped", "upstream_failed", "removed", "deleted"})
# Long, because a triggerer's supervisor answers one question at a time: somebody may have ended a
# DAG run with thousands of tasks.
_SECONDS = 900.0
# Airflow kills a worker's process five seconds after it has asked it to end.
_LAST_SECONDS = 4.0
# An event loop alone would not keep them from being forgotten half done.
_under_way: set[asyncio.Task[None]] = set()


async def pause_if_ended(
    ti: TaskInstance | RuntimeTaskInstanceProtocol,
    job_id: str,
    rapidata_conn_id: str,
    log: Any,
) -> None:
    """Pause a job if its task has ended, and leave it alone if the task was cleared.

    It is done even if whoever waits for it is cancelled: Airflow cancels a trigger, and with it
    what that does about it, again in each of its rounds, about every second.

    No error is raised: the process that asks is about to end.

    Args:
        ti: The task instance.
        job_id: Its job.
        rapidata_conn_id: The connection's id.
        log: Where to tell what was done.
    """
    deed = asyncio.ensure_future(_pause_if_ended(ti, job_id, rapidata_conn_id, log))
    _under_way.add(deed)
    deed.add_done_callback(_under_way.discard)
    await asyncio.shield(deed)


async def _pause_if_ended(
    ti: TaskInstance | RuntimeTaskInstanceProtocol, job_id: str, rapidata_conn_id: str, log: Any
) -> None:
    try:
        async with asyncio.timeout(_SECONDS):
            state = await asyncio.to_thread(_state_of, ti)
            if state not in _ENDED:
                log.info("The task is %s; job %s is left alone", state or "cleared", job_id)
                return
            async with await RapidataHook(rapidata_conn_id).aget_conn() as client:
                await (await client.job.get_job_by_id(job_id)).pause(by=PAUSED_BY)
            log.info("The task was marked as %s; paused job %s", state, job_id)
    # Whatever it is, the job goes on, and the user should know.
    except Exception as error:
        log.warning("Cannot tell whether to pause job %s; it goes on: %r", job_id, error)


def pause_in_time(
    ti: RuntimeTaskInstanceProtocol, job_id: str, rapidata_conn_id: str, log: Any
) -> None:
    """:func:`pause_if_ended` from a worker's process that was told to end.

    It happens in a thread of its own: what was interrupted may hold the line to Airflow.
    """

    def pause() -> None:
        asyncio.run(pause_if_ended(ti, job_id, rapidata_conn_id, log))

    thread = threading.Thread(target=pause, daemon=True)
    thread.start()
    thread.join(_LAST_SECONDS)


def _state_of(ti: TaskInstance | RuntimeTaskInstanceProtocol) -> str | None:
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    index = map_index(ti)
    states = RuntimeTaskInstance.get_task_states(
        dag_id=ti.dag_id,
        task_ids=[ti.task_id],
        run_ids=[ti.run_id],
        map_index=index,
    )
    name = ti.task_id if index < 0 else f"{ti.task_id}_{index}"
    # One that was cleared is listed without a state. One that is not listed was deleted, with its
    # DAG run: nobody will adopt its job.
    state = states.get(ti.run_id, {}).get(name, "deleted")
    return None if state is None else str(getattr(state, "value", state))
