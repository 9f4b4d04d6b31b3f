"""How tasks leave their worker, in tests."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import TaskDeferred


def deferred_by(task: BaseOperator, context: Any) -> TaskDeferred:
    """Execute until the task waits on the triggerer; what it raised."""
    with pytest.raises(TaskDeferred) as raised:
        task.execute(context)
    return raised.value


def job_of(deferred: TaskDeferred) -> str:
    """The job that a deferred task waits for."""
    return _arguments(deferred)["job_id"]


def handed(deferred: TaskDeferred) -> dict[str, Any]:
    """What a task that waits for a job is told again, as Airflow's database gives it back."""
    return json.loads(json.dumps(_arguments(deferred)["handed"]))


def _arguments(deferred: TaskDeferred) -> dict[str, Any]:
    trigger: Any = deferred.trigger
    return trigger.serialize()[1]
