"""A task that has a model evaluated on a benchmark."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from rapidata_airflow.links import BENCHMARK_URL, RapidataBenchmarkLink
from rapidata_airflow.operators.waiting import WaitingOperator
from rapidata_airflow.outcomes import failing_the_task
from rapidata_airflow.triggers.benchmark import RapidataEvaluationTrigger
from rapidata_core.errors import ValidationError, blank

if TYPE_CHECKING:
    from airflow.sdk import Context

    from rapidata_core import RapidataLeaderboard


class RapidataEvaluateModelOperator(WaitingOperator):
    """Have people compare a model with the others of a benchmark, and say how it stands.

    A model of the same name with the same media is evaluated, and paid for, once: a retry, another
    DAG run or another DAG finds the standings that it has. Give a new version of a model a new
    name.

    Args:
        benchmark_id: The benchmark. It should have another model, as nobody can be compared alone.
        model: The model's name.
        media: What it made: local paths, URLs, or texts.
        prompts: The prompt of each, where prompts are their own identifiers; or
        identifiers: the identifier of the prompt of each.
        data_type: ``text`` when the media are texts.
        **kwargs: See :class:`WaitingOperator`.

    Returns:
        A mapping: ``benchmark_id``, ``benchmark_url``, ``participant_id``, ``model``; ``overall``,
        how it stands over all leaderboards: ``rank`` (1 is the best), ``score``, ``wins`` and
        ``matches``; and ``leaderboards``, a list of the same for each, with ``leaderboard_id`` and
        ``name``.
    """

    template_fields: Collection[str] = (
        "benchmark_id",
        "model",
        "media",
        "prompts",
        "identifiers",
        "rapidata_conn_id",
    )
    operator_extra_links = (RapidataBenchmarkLink(),)

    def __init__(
        self,
        *,
        benchmark_id: str,
        model: str,
        media: Sequence[str],
        prompts: Sequence[str] | None = None,
        identifiers: Sequence[str] | None = None,
        data_type: Literal["media", "text"] = "media",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.benchmark_id = benchmark_id
        self.model = model
        self.media = media
        self.prompts = prompts
        self.identifiers = identifiers
        self.data_type: Literal["media", "text"] = data_type
        self.refuse(self.timeout_problems())

    def execute(self, context: Context) -> dict[str, Any]:
        """Submit the model, if it was not before, and wait for its evaluation.

        Raises:
            TaskDeferred: People are at work; Airflow calls :meth:`execute_complete` afterwards.
            AirflowFailException: It failed, and no retry can mend it.
            RapidataTaskError: It failed; a retry goes on with the same model.
        """
        deadline = self.deadline(context)
        with failing_the_task():
            self._check()
        with self.connected() as client:
            benchmark = client.mri.get_benchmark_by_id(self.benchmark_id)
            participant = benchmark.evaluate_model(
                self.model,
                self.media,
                identifiers=self.identifiers,
                prompts=self.prompts,
                data_type=self.data_type,
            )
        self.log.info("%r is participant %s: %s", self.model, participant.id, benchmark.url)
        ti = context["ti"]  # pyright: ignore[reportTypedDictNotRequiredAccess]
        ti.xcom_push(BENCHMARK_URL, benchmark.url)
        return self.wait_for(context, self._trigger(participant.id, deadline))

    def _check(self) -> None:
        """Find every mistake that can be found before anything is sent."""
        from rapidata_core.policy.benchmarks import new_samples

        problems = blank("benchmark_id", self.benchmark_id)
        problems += self._trigger("", None).problems()
        try:
            new_samples(
                self.title,
                self.media,
                self.identifiers,
                self.prompts,
                data_type=self.data_type,
                name=self.model,
            )
        except ValidationError as error:
            problems += error.problems
        self.refuse(problems)

    def _trigger(self, participant_id: str, deadline: float | None) -> RapidataEvaluationTrigger:
        return RapidataEvaluationTrigger(
            benchmark_id=self.benchmark_id,
            participant_id=participant_id,
            rapidata_conn_id=self.rapidata_conn_id,
            deadline=deadline,
            poll_interval=self.poll_interval,
        )

    def finish(self, context: Context, found: dict[str, Any]) -> dict[str, Any]:
        """See :meth:`WaitingOperator.finish`."""
        participant_id = found["participant_id"]
        with self.connected() as client:
            benchmark = client.mri.get_benchmark_by_id(found["benchmark_id"])
            boards = [_standing(board, participant_id) for board in benchmark.leaderboards]
        return {
            "benchmark_id": benchmark.id,
            "benchmark_url": benchmark.url,
            "participant_id": participant_id,
            "model": self.model,
            "overall": {name: found["overall"][name] for name in _FIGURES},
            "leaderboards": boards,
        }


_FIGURES = ("rank", "score", "wins", "matches")


def _standing(board: RapidataLeaderboard, participant_id: str) -> dict[str, Any]:
    """How a model stands in a leaderboard; without a rank in one that asks about other prompts."""
    standing = board.get_standing(participant_id)
    figures = dict.fromkeys(_FIGURES) if standing is None else asdict(standing)
    return {
        "leaderboard_id": board.id,
        "name": board.name,
        **{name: figures[name] for name in _FIGURES},
    }
