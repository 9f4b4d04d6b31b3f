"""A task that ranks a batch in a flow."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

from rapidata_airflow.identity import OnClear, task_key
from rapidata_airflow.operators.saving import inside
from rapidata_airflow.operators.waiting import WaitingOperator, on_clear_problems
from rapidata_airflow.outcomes import failing_the_task
from rapidata_airflow.triggers.flow import RapidataFlowItemTrigger
from rapidata_core.errors import ValidationError, blank

if TYPE_CHECKING:
    from airflow.sdk import Context, ObjectStoragePath

    from rapidata_core import FlowItemResult, RapidataClient, RapidataRankingFlow

# An XCom with more scores than this would be a table; that is what ``result_path`` is for.
_MOST_SCORES = 100


class RapidataRankingBatchOperator(WaitingOperator):
    """Have people rank a batch in a ranking flow, and wait without holding a worker.

    A task instance has one paid batch: a retry adopts the batch that is there. A batch ends by
    itself when its time to live is over.

    Args:
        flow_id: A ranking flow.
        datapoints: URLs, paths of local files, or texts; two at least.
        context: Text shown with every comparison.
        context_assets: Images (URLs or paths) shown with every comparison.
        data_type: ``media`` for URLs and paths, ``text`` for the texts themselves.
        private_metadata: One text-to-text mapping per datapoint that labelers never see.
        accept_failed_uploads: Rank what could be uploaded when something could not.
        time_to_live: Seconds, 20 to 3600, after which the batch ends with what it has.
        result_path: A folder, as a local path that workers share or a URL; the scores go to
            ``{result_path}/{flow_item_id}/``. Without it nothing is saved.
        key: The identity of what is paid for. By default it is the task instance's: its DAG, run,
            task and map index, over all its tries.
        on_clear: When the task is cleared, ``reuse`` its batch, or pay for a ``new`` one; the
            latter is for the task instance's own key.
        **kwargs: See :class:`WaitingOperator`.

    Returns:
        A mapping: ``flow_item_id``; its last ``state``, where anything but ``Completed`` means that
        the scores are partial; ``total_votes``; ``ranking``, the score of every datapoint, best
        first, or None of more than 100; and ``labels``, the path of the saved table, or None.
    """

    template_fields: Collection[str] = (
        "flow_id",
        "datapoints",
        "context",
        "context_assets",
        "private_metadata",
        "result_path",
        "key",
        "rapidata_conn_id",
    )

    def __init__(
        self,
        *,
        flow_id: str,
        datapoints: Sequence[str],
        context: str | None = None,
        context_assets: Sequence[str] | None = None,
        data_type: Literal["media", "text"] = "media",
        private_metadata: Sequence[dict[str, str]] | None = None,
        accept_failed_uploads: bool = False,
        time_to_live: int | None = None,
        result_path: str | os.PathLike[str] | ObjectStoragePath | None = None,
        key: str | None = None,
        on_clear: OnClear = "reuse",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.flow_id = flow_id
        self.datapoints = datapoints
        self.context = context
        self.context_assets = context_assets
        self.data_type: Literal["media", "text"] = data_type
        self.private_metadata = private_metadata
        self.accept_failed_uploads = accept_failed_uploads
        self.time_to_live = time_to_live
        self.result_path = result_path
        self.key = key
        self.on_clear: OnClear = on_clear
        self.refuse([*self.timeout_problems(), *on_clear_problems(on_clear, key)])

    def execute(self, context: Context) -> dict[str, Any]:
        """Get the task instance's batch, and wait for its end.

        Raises:
            TaskDeferred: People are at work; Airflow calls :meth:`execute_complete` afterwards.
            AirflowFailException: It failed, and no retry can mend it.
            RapidataTaskError: It failed; a retry goes on with the same batch.
        """
        ti = context["ti"]  # pyright: ignore[reportTypedDictNotRequiredAccess]
        deadline = self.deadline(context)
        with failing_the_task():
            batch = self._checked()
        with self.connected() as client:
            item = self._flow(client).create_new_flow_batch(
                **batch,
                accept_failed_uploads=self.accept_failed_uploads,
                key=task_key(ti, self.on_clear) if self.key is None else self.key,
                attempt=ti.try_number,
            )
        self.log.info("People rank flow item %s of flow %s", item.id, self.flow_id)
        ti.xcom_push("flow_item_id", item.id)
        return self.wait_for(context, self._trigger(item.id, deadline))

    def _checked(self) -> dict[str, Any]:
        """Find every other mistake before anything is sent.

        Returns:
            What the batch is made of.
        """
        from rapidata_core import check_directory
        from rapidata_core.jobs.checks import given
        from rapidata_core.policy.flows import RankingBatch

        problems = blank("flow_id", self.flow_id)
        problems += [] if self.key is None else blank("key", self.key)
        problems += self._trigger("", None).problems()
        batch = given(
            datapoints=self.datapoints,
            context=self.context,
            context_assets=self.context_assets,
            data_type=self.data_type,
            private_metadata=self.private_metadata,
            time_to_live=self.time_to_live,
        )
        try:
            RankingBatch(**batch)
        except ValidationError as error:
            problems += error.problems
        if self.result_path is not None:
            try:
                check_directory(self.result_path)
            except ValidationError as error:
                problems += [f"result_path: {problem}" for problem in error.problems]
        self.refuse(problems)
        return batch

    def _flow(self, client: RapidataClient) -> RapidataRankingFlow:
        from rapidata_core import RapidataRankingFlow

        flow = client.flow.get_flow_by_id(self.flow_id)
        if isinstance(flow, RapidataRankingFlow):
            return flow
        problem = f"flow_id: {self.flow_id!r} is a classify flow; give a ranking flow"
        raise ValidationError(self.title, [problem])

    def _trigger(self, flow_item_id: str, deadline: float | None) -> RapidataFlowItemTrigger:
        return RapidataFlowItemTrigger(
            flow_item_id=flow_item_id,
            rapidata_conn_id=self.rapidata_conn_id,
            deadline=deadline,
            poll_interval=self.poll_interval,
        )

    def finish(self, context: Context, found: dict[str, Any]) -> dict[str, Any]:
        """See :meth:`WaitingOperator.finish`."""
        item_id = found["flow_item_id"]
        with self.connected() as client:
            item = client.flow.get_flow_item_by_id(item_id)
            scores = cast("FlowItemResult", item.get_results())
            labels = self._save(scores, item_id)
        best_first = sorted(scores.datapoints.items(), key=lambda item: -item[1])
        return {
            "flow_item_id": item_id,
            "state": found["state"],
            "total_votes": scores.total_votes,
            "ranking": dict(best_first) if len(best_first) <= _MOST_SCORES else None,
            "labels": labels,
        }

    def _save(self, scores: FlowItemResult, item_id: str) -> str | None:
        """Write the scores as a dataset, if that is wanted; the path of its labels."""
        if self.result_path is None:
            return None
        from rapidata_core.results import flow_results, write_dataset

        return write_dataset(flow_results(scores), inside(self.result_path, item_id)).labels
