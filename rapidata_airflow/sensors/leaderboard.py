"""A sensor of leaderboards."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from rapidata_airflow.sensors.waiting import RapidataSensor
from rapidata_airflow.triggers.leaderboard import RapidataLeaderboardTrigger
from rapidata_core.errors import ValidationError


class RapidataLeaderboardSensor(RapidataSensor):
    """Wait until a model stands as well as asked for; give one condition at least.

    A model that is not there is waited for: it may be submitted yet.

    Args:
        benchmark_id: The benchmark.
        leaderboard_id: Its leaderboard.
        participant: The model's name, or its id.
        max_rank: The worst rank; 1 is the best.
        min_score: The lowest score.
        min_matches: The fewest matches that it took part in, so that the others mean something.
        **kwargs: See :class:`RapidataSensor`.

    Returns:
        ``{"benchmark_id", "leaderboard_id", "participant", "rank", "score", "wins", "matches"}``.

    Raises:
        ValidationError: Something is wrong; it lists every problem at once.
    """

    template_fields: Collection[str] = (
        "benchmark_id",
        "leaderboard_id",
        "participant",
        "rapidata_conn_id",
    )
    trigger_type = RapidataLeaderboardTrigger
    required = ("benchmark_id", "leaderboard_id", "participant")

    def __init__(
        self,
        *,
        benchmark_id: str,
        leaderboard_id: str,
        participant: str,
        max_rank: int | None = None,
        min_score: float | None = None,
        min_matches: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.benchmark_id = benchmark_id
        self.leaderboard_id = leaderboard_id
        self.participant = participant
        self.max_rank = max_rank
        self.min_score = min_score
        self.min_matches = min_matches
        self.prepare()

    def trigger_arguments(self) -> dict[str, Any]:
        """See :meth:`RapidataSensor.trigger_arguments`."""
        return {
            "benchmark_id": self.benchmark_id,
            "leaderboard_id": self.leaderboard_id,
            "participant": self.participant,
            **self._goal(),
        }

    def problems(self) -> list[str]:
        """See :meth:`RapidataSensor.problems`."""
        from rapidata_core.policy.benchmarks import StandingGoal

        try:
            StandingGoal(**self._goal())
        except ValidationError as error:
            return [*super().problems(), *error.problems]
        return super().problems()

    def _goal(self) -> dict[str, Any]:
        return {
            "max_rank": self.max_rank,
            "min_score": self.min_score,
            "min_matches": self.min_matches,
        }
