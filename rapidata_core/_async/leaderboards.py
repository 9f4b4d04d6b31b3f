"""Leaderboards: how models rank under one question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rapidata_core._async.api.mri import AsyncLeaderboardApi
from rapidata_core._async.jobs import AsyncRapidataJob, get_job
from rapidata_core._async.transport import AsyncTransport
from rapidata_core._async.waiting import steady, wait_until
from rapidata_core.concurrency import async_map
from rapidata_core.display import show
from rapidata_core.errors import NotFoundError, ValidationError, refuse_blank
from rapidata_core.policy.benchmarks import (
    LeaderboardSettings,
    LevelOfDetail,
    StandingGoal,
    level_of,
    standing_of,
    standing_so_far,
    standings_rows,
    vote_filters,
)
from rapidata_core.policy.submission import readable, renamed
from rapidata_core.types import Standing, VoteAggregation
from rapidata_core.wire.mri import LeaderboardAnswer, MatrixAnswer, StandingAnswer, StandingsAnswer

if TYPE_CHECKING:
    import pandas

# As many jobs are read at a time.
_WORKERS = 8


class AsyncRapidataLeaderboard:
    """How the models of a benchmark rank under one question.

    Attributes:
        id: The leaderboard's id.
        benchmark_id: The benchmark that it belongs to.
        name: Its name; labelers never see it.
        instruction: What labelers are asked.
        show_prompt: Whether they see the prompt.
        show_prompt_asset: Whether they see the media of the prompt.
        inverse_ranking: Whether the model that is chosen loses, as in "which is worse?".
        response_budget: How many answers an evaluation collects.
        min_responses_per_matchup: How many answers each comparison gets at least.
        audience_id: Who answers; None when the platform did not say.
        included_tags: Only prompts with one of these tags are used; empty means all.
        excluded_tags: Prompts with one of these tags are not used.
    """

    def __init__(
        self, transport: AsyncTransport, benchmark_id: str, answer: LeaderboardAnswer
    ) -> None:
        self._transport = transport
        self._leaderboards = AsyncLeaderboardApi(transport)
        self.id = answer.id
        self.benchmark_id = benchmark_id
        self._take(answer)

    @property
    def url(self) -> str:
        """Its page in the dashboard."""
        board = "leaderboard", self.id
        return self._transport.page("mri", "benchmarks", self.benchmark_id, *board)

    @property
    def level_of_detail(self) -> str:
        """The word for the response budget; ``custom`` when there is none."""
        return level_of(self.response_budget)

    @property
    async def vote_aggregation(self) -> str:
        """See :class:`VoteAggregation`; read from the platform where its lists leave it out."""
        if self._aggregation is None:
            answer = await self._leaderboards.get(self.id)
            self._aggregation = answer.vote_aggregation or VoteAggregation.ALL_VOTES
        return self._aggregation

    @property
    async def jobs(self) -> list[AsyncRapidataJob]:
        """The jobs that collected the votes, newest first; deleted ones are left out."""
        runs = await self._leaderboards.runs(self.id)

        async def read(job_id: str) -> AsyncRapidataJob | None:
            try:
                return await get_job(self._transport, job_id)
            except NotFoundError:
                return None

        ids = [run.job_id for run in runs if run.job_id is not None]
        return [job for job in await async_map(read, ids, _WORKERS) if job is not None]

    async def reload(self) -> AsyncRapidataLeaderboard:
        """Read everything anew."""
        self._take(await self._leaderboards.get(self.id))
        return self

    async def update(
        self,
        name: str | None = None,
        level_of_detail: LevelOfDetail | int | None = None,
        min_responses_per_matchup: int | None = None,
        vote_aggregation: VoteAggregation | str | None = None,
    ) -> None:
        """Change what is given.

        Args:
            name: The new name.
            level_of_detail: A word or a number of answers, for evaluations from now on.
            min_responses_per_matchup: At least 3.
            vote_aggregation: Counts the votes that are there in another way, too.
        """
        changes = LeaderboardSettings(
            name, level_of_detail, min_responses_per_matchup, vote_aggregation
        )
        if problems := changes.problems():
            raise ValidationError("The leaderboard's new settings", problems)
        if name is not None:
            refuse_blank(name=name)
        body = changes.body()
        if not body:
            return
        if name is not None:
            # The key that it was created with stays.
            body["name"] = renamed(self._full_name, name)
        await self._leaderboards.update(self.id, body)
        self.name = name or self.name
        self.response_budget = changes.response_budget or self.response_budget
        self.min_responses_per_matchup = min_responses_per_matchup or self.min_responses_per_matchup
        self._aggregation = vote_aggregation or self._aggregation

    async def get_standings(
        self,
        tags: Sequence[str] | None = None,
        country: Sequence[str] | None = None,
        language: Sequence[str] | None = None,
        gender: Sequence[str] | None = None,
        age_bucket: Sequence[str] | None = None,
        occupation: Sequence[str] | None = None,
        run_id: str | None = None,
    ) -> pandas.DataFrame:
        """The models, the best one first: ``name, wins, total_matches, score``.

        Args:
            tags: Only count matchups about prompts with one of these tags.
            country: Only count votes from these countries.
            language: Only count votes in these languages.
            gender: Only count votes of these (estimated) genders; see :class:`Gender`.
            age_bucket: Only count votes of these (estimated) ages; see :class:`AgeGroup`.
            occupation: Only count votes of these (estimated) occupations.
            run_id: Only count votes of this evaluation.
        """
        filters = vote_filters(
            tags=tags,
            country=country,
            language=language,
            gender=gender,
            age_bucket=age_bucket,
            occupation=occupation,
            run_id=run_id,
        )
        return standings_frame(await self._leaderboards.standings(self.id, filters))

    async def get_standing(self, participant: str) -> Standing | None:
        """How a model stands; None if it takes no part.

        Args:
            participant: The model's name, or its id.
        """
        return standing_of((await self._leaderboards.standings(self.id)).items, participant)

    async def wait_for_standing(
        self,
        participant: str,
        *,
        max_rank: int | None = None,
        min_score: float | None = None,
        min_matches: float | None = None,
        timeout: float | None = None,
        poll_interval: float | None = None,
    ) -> Standing:
        """Wait until a model stands as well as asked for; give one condition at least.

        A model that is not there is waited for: it may be submitted yet.

        Args:
            participant: The model's name, or its id.
            max_rank: The worst rank; 1 is the best.
            min_score: The lowest score.
            min_matches: The fewest matches that it took part in, so that the others mean something.
            timeout: Seconds to wait at most; None waits for ever.
            poll_interval: Seconds between looks; by default it grows with the time waited.

        Raises:
            WaitTimeoutError: It takes longer; the message says how the model stands, or which
                models there are. Wait again.
            ValidationError: No condition is given, or one is out of its range.
        """
        refuse_blank(participant=participant)
        goal = StandingGoal(max_rank, min_score, min_matches)
        seen: Sequence[StandingAnswer] = []

        async def look() -> Standing | None:
            nonlocal seen
            seen = (await self._leaderboards.standings(self.id)).items
            standing = standing_of(seen, participant)
            return standing if standing is not None and goal.is_met(standing) else None

        return await wait_until(
            look,
            what=f"The standing of {participant!r} in leaderboard {self.id}",
            timeout=timeout,
            polling=steady(poll_interval),
            so_far=lambda: standing_so_far(seen, participant),
        )

    async def get_win_loss_matrix(
        self,
        tags: Sequence[str] | None = None,
        use_weighted_scoring: bool | None = None,
        country: Sequence[str] | None = None,
        language: Sequence[str] | None = None,
        gender: Sequence[str] | None = None,
        age_bucket: Sequence[str] | None = None,
        occupation: Sequence[str] | None = None,
        run_id: str | None = None,
    ) -> pandas.DataFrame:
        """How often the model of each row beat the model of each column.

        Args:
            tags: See :meth:`get_standings`, as for the other filters.
            use_weighted_scoring: Count votes by how reliable the labelers are.
            country: See :meth:`get_standings`.
            language: See :meth:`get_standings`.
            gender: See :meth:`get_standings`.
            age_bucket: See :meth:`get_standings`.
            occupation: See :meth:`get_standings`.
            run_id: See :meth:`get_standings`.
        """
        filters = vote_filters(
            tags=tags,
            country=country,
            language=language,
            gender=gender,
            age_bucket=age_bucket,
            occupation=occupation,
            run_id=run_id,
        )
        weighted = weighting(use_weighted_scoring)
        return matrix_frame(await self._leaderboards.matrix(self.id, [*weighted, *filters]))

    async def delete(self) -> None:
        """Delete the leaderboard with its votes."""
        await self._leaderboards.delete(self.id)

    def view(self) -> None:
        """Open its page, where there is a browser."""
        show(self.url)

    def _take(self, answer: LeaderboardAnswer) -> None:
        self._full_name = answer.name
        self.name = readable(answer.name)
        self.instruction = answer.instruction
        self.show_prompt = answer.show_prompt
        self.show_prompt_asset = answer.show_prompt_asset
        self.inverse_ranking = answer.is_inversed
        self.response_budget = answer.response_budget
        self.min_responses_per_matchup = answer.min_responses
        self.audience_id = answer.audience_id
        self.included_tags = list(answer.included_tags or [])
        self.excluded_tags = list(answer.excluded_tags or [])
        self._aggregation = answer.vote_aggregation

    def __repr__(self) -> str:
        return f"RapidataLeaderboard(id={self.id!r}, name={self.name!r})"


def weighting(use_weighted_scoring: bool | None) -> list[tuple[str, str]]:
    """The query parameter for counting votes by user scores; None leaves it to the platform."""
    if use_weighted_scoring is None:
        return []
    return [("useWeightedScoring", str(use_weighted_scoring).lower())]


def standings_frame(answer: StandingsAnswer) -> pandas.DataFrame:
    """Standings as a table."""
    import pandas

    columns = ["name", "wins", "total_matches", "score"]
    return pandas.DataFrame(standings_rows(answer.items), columns=pandas.Index(columns))


def matrix_frame(answer: MatrixAnswer) -> pandas.DataFrame:
    """A matrix as a table."""
    import pandas

    return pandas.DataFrame(
        answer.data, index=pandas.Index(answer.index), columns=pandas.Index(answer.columns)
    )
