"""What Airflow itself remembers of a task's job: a short cut, and something to see in the UI.

The platform's own list says which job a key has. From Airflow 3.3 on a task has a store that
outlives its tries, so a retry need not search that list. Whatever the store says or does not say,
nothing is paid because of it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from airflow.sdk import Context

# Under this name the UI shows it, among the task's states.
ENTRY = "rapidata_job"

_log = logging.getLogger(__name__)


def recalled(context: Context, key: str, content: str) -> str | None:
    """The job that a task had for this key and this question, as far as Airflow remembers."""
    store = _store(context)
    if store is None:
        return None
    try:
        entry = store.get(ENTRY)
    # Airflow has its own exceptions for every way to fail; without a store there is the list.
    except Exception as error:
        _log.warning("cannot read the task's store, asking the platform instead: %r", error)
        return None
    if not isinstance(entry, dict):
        return None
    found = cast("dict[str, Any]", entry)
    if (found.get("key"), found.get("content")) != (key, content):
        return None
    return found.get("job_id")


def note(context: Context, key: str, content: str, job_id: str, job_url: str) -> None:
    """Have Airflow remember which job a task has."""
    store = _store(context)
    if store is None:
        return
    entry = {"job_id": job_id, "job_url": job_url, "key": key, "content": content}
    try:
        store.set(ENTRY, entry)
    except Exception as error:
        _log.warning("cannot write to the task's store; a retry asks the platform: %r", error)


def _store(context: Context) -> Any:
    """The task's store; None before Airflow 3.3."""
    return cast("dict[str, Any]", context).get("task_state_store")
