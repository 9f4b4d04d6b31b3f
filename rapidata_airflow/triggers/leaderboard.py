"""Waiting until a model stands well enough."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rapidata_airflow.triggers.waiting import RapidataTrigger

if TYPE_CHECKING:
    from rapidata_core import AsyncRapidataClient


class RapidataLeaderboardTrigger(RapidataTrigger):
    """Wait for a model's standing; the event has its ``rank``, ``score``, ``wins`` and ``matches``.

    Args:
        benchmark_id: The benchmark.
        leaderboard_id: Its leaderboard.
        participant: The model's name, or its id.
        max_rank: The worst rank; 1 is the best.
        min_score: The lowest score.
        min_matches: The fewest matches that it took part in.
        **kwargs: See :class:`RapidataTrigger`.
    """

    subject = ("benchmark_id", "leaderboard_id", "participant")
    options = ("max_rank", "min_score", "min_matches")

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

    async def wait(self, client: AsyncRapidataClient, timeout: float | None) -> dict[str, Any]:
        """See :meth:`RapidataTrigger.wait`."""
        leaderboard = await client.mri.get_leaderboard_by_id(self.benchmark_id, self.leaderboard_id)
        standing = await leaderboard.wait_for_standing(
            self.participant,
            max_rank=self.max_rank,
            min_score=self.min_score,
            min_matches=self.min_matches,
            timeout=timeout,
            poll_interval=self.poll_interval,
        )
        return asdict(standing)
