"""Tasks that pay, for processes to die in, and for people to end."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import DAG

from rapidata_airflow.operators.job import RapidataJobOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

RESULTS = os.environ["RAPIDATA_RESULTS"]
# What Airflow needs to do the same again.
SOON = {"retries": 2, "retry_delay": timedelta(seconds=1), "poll_interval": 2}
# Where time stands still, no new definition gets an estimate, so there is one already.
PATIENT = {
    "rapidata_conn_id": "rapidata_patient",
    "job_definition_id": os.environ["RAPIDATA_DEFINITION"],
    "result_path": RESULTS,
    "max_cost": 1.0,
    # The tests act on these first.
    "priority_weight": 10,
    **SOON,
}


class DyingOperator(RapidataJobOperator):
    """Dies in one of its tries, without a word.

    Args:
        dies: Where: ``before_paying``, ``paid``, ``recorded``, ``resumed`` or ``saved``; or
            ``with_its_worker``, which is where ``paid`` is, and takes the worker with it.
        in_try: When.
    """

    def __init__(self, *, dies: str, in_try: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dies = dies
        self.in_try = in_try

    def execute(self, context: Context) -> dict[str, Any]:
        self.end = self.dies if context["ti"].try_number == self.in_try else ""
        if self.end == "before_paying":
            _around_the_payment(before=die)
        elif self.end == "paid":
            _around_the_payment(after=die)
        elif self.end == "with_its_worker":
            _around_the_payment(after=die_with_the_worker)
        return super().execute(context)

    def defer(self, **kwargs: Any) -> NoReturn:
        if self.end == "recorded":
            die()
        super().defer(**kwargs)

    def execute_complete(self, context: Context, *args: Any, **kwargs: Any) -> dict[str, Any]:
        end = self.dies if context["ti"].try_number == self.in_try else ""
        if end == "resumed":
            die()
        found = super().execute_complete(context, *args, **kwargs)
        if end == "saved":
            die()
        return found


def _around_the_payment(
    before: Callable[[], None] = lambda: None, after: Callable[[], None] = lambda: None
) -> None:
    """Do something when the paid request is about to be sent, or when it has been carried out."""
    from rapidata_core.http import httpx

    send = httpx.Client.send

    def watched(self: Any, request: Any, **kwargs: Any) -> Any:
        if (request.method, request.url.path) != ("POST", "/job"):
            return send(self, request, **kwargs)
        before()
        response = send(self, request, **kwargs)
        after()
        return response

    httpx.Client.send = watched


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_with_the_worker() -> None:
    os.kill(os.getppid(), signal.SIGKILL)
    die()


def about(name: str) -> dict[str, Any]:
    """A job of 3 seconds, and where its answers go."""
    job = {
        "type": "compare",
        "name": name,
        "instruction": "Which is better?",
        "data_type": "text",
        "datapoints": [["left", "right"], ["up", "down"]],
        "responses_per_datapoint": 2,
    }
    return {"job": job, "result_path": RESULTS, "max_cost": 1.0}


with DAG("crashes", schedule=None):
    for end in ("before_paying", "paid", "recorded", "resumed", "saved", "with_its_worker"):
        DyingOperator(task_id=end, dies=end, **about(f"dies {end}"), **SOON)

with DAG("anew", schedule=None):
    DyingOperator(
        task_id="people", dies="paid", in_try=2, on_clear="new", **about("asked anew"), **SOON
    )

with DAG("kills", schedule=None):
    for task in ("marked", "cleared", "deserted"):
        RapidataJobOperator(task_id=task, **PATIENT)

with DAG("ended", schedule=None):
    RapidataJobOperator(task_id="people", **PATIENT)

with DAG("race", schedule=None):
    RapidataJobOperator.partial(
        task_id="people", result_path=RESULTS, run_budget=1.0, **SOON
    ).expand(job=[about(f"shard {shard}")["job"] for shard in range(4)])
