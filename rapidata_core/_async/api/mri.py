"""The leaderboard service: benchmarks, leaderboards, participants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rapidata_core._async.transport import AsyncTransport, Parameters
from rapidata_core.http import segment
from rapidata_core.policy.retry import Call
from rapidata_core.wire.model import Page
from rapidata_core.wire.mri import (
    BenchmarkAnswer,
    Created,
    LeaderboardAnswer,
    LeaderboardCreated,
    MatrixAnswer,
    ParticipantAnswer,
    ParticipantCreated,
    PromptAnswer,
    RunAnswer,
    SampleAnswer,
    StandingsAnswer,
    Submitted,
    TagCounts,
)


class AsyncBenchmarkApi:
    """``/benchmark…`` and ``/benchmarks``"""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def create(self, name: str) -> Created:
        """``POST /benchmark``"""
        return await self._transport.ask(
            "POST",
            "/benchmark",
            Created,
            call=Call.CREATES,
            about=f"benchmark {name!r}",
            json={"name": name},
        )

    async def get(self, benchmark_id: str) -> BenchmarkAnswer:
        """``GET /benchmark/{id}``"""
        return await self._transport.read(
            f"/benchmark/{segment(benchmark_id)}",
            BenchmarkAnswer,
            about=f"benchmark {benchmark_id!r}",
        )

    async def list(
        self, filters: Parameters = (), *, page: int = 1, size: int = 10
    ) -> Sequence[BenchmarkAnswer]:
        """``GET /benchmarks``, newest first"""
        return await self._transport.read_page(
            "/benchmarks",
            Page[BenchmarkAnswer],
            about="benchmarks",
            page=page,
            size=size,
            filters=filters,
        )

    async def update(self, benchmark_id: str, changes: Mapping[str, Any]) -> None:
        """``PATCH /benchmark/{id}``"""
        await self._transport.send(
            "PATCH",
            f"/benchmark/{segment(benchmark_id)}",
            call=Call.REPEATABLE,
            about=f"benchmark {benchmark_id!r}",
            json=changes,
        )

    async def delete(self, benchmark_id: str) -> None:
        """``DELETE /benchmark/{id}``"""
        await self._transport.send(
            "DELETE",
            f"/benchmark/{segment(benchmark_id)}",
            call=Call.REPEATABLE,
            about=f"benchmark {benchmark_id!r}",
        )

    async def add_prompt(self, benchmark_id: str, prompt: Mapping[str, Any]) -> Created:
        """``POST /benchmark/{id}/prompt``"""
        return await self._transport.ask(
            "POST",
            f"/benchmark/{segment(benchmark_id)}/prompt",
            Created,
            call=Call.CREATES,
            about=f"prompt {prompt['identifier']!r} of benchmark {benchmark_id!r}",
            json=prompt,
        )

    async def prompts(self, benchmark_id: str, filters: Parameters = ()) -> Sequence[PromptAnswer]:
        """``GET /benchmark/{id}/prompts``: all of them"""
        return await self._transport.read_all(
            f"/benchmark/{segment(benchmark_id)}/prompts",
            Page[PromptAnswer],
            about=f"the prompts of benchmark {benchmark_id!r}",
            params=filters,
        )

    async def update_prompt(self, prompt_id: str, changes: Mapping[str, Any]) -> None:
        """``PUT /benchmark-prompt/{id}/tags``"""
        await self._transport.send(
            "PUT",
            f"/benchmark-prompt/{segment(prompt_id)}/tags",
            call=Call.REPEATABLE,
            about=f"prompt {prompt_id!r}",
            json=changes,
        )

    async def tags(self, benchmark_id: str) -> TagCounts:
        """``GET /benchmark/{id}/tags``"""
        return await self._transport.read(
            f"/benchmark/{segment(benchmark_id)}/tags",
            TagCounts,
            about=f"the tags of benchmark {benchmark_id!r}",
        )

    async def leaderboards(
        self, benchmark_id: str, filters: Parameters = ()
    ) -> Sequence[LeaderboardAnswer]:
        """``GET /benchmark/{id}/leaderboards``: all of them"""
        return await self._transport.read_all(
            f"/benchmark/{segment(benchmark_id)}/leaderboards",
            Page[LeaderboardAnswer],
            about=f"the leaderboards of benchmark {benchmark_id!r}",
            params=filters,
        )

    async def add_participant(self, benchmark_id: str, name: str) -> ParticipantCreated:
        """``POST /benchmark/{id}/participants``"""
        return await self._transport.ask(
            "POST",
            f"/benchmark/{segment(benchmark_id)}/participants",
            ParticipantCreated,
            call=Call.CREATES,
            about=f"participant {name!r} of benchmark {benchmark_id!r}",
            json={"name": name},
        )

    async def participants(
        self, benchmark_id: str, filters: Parameters = ()
    ) -> Sequence[ParticipantAnswer]:
        """``GET /benchmark/{id}/participants``: all of them"""
        return await self._transport.read_all(
            f"/benchmark/{segment(benchmark_id)}/participants",
            Page[ParticipantAnswer],
            about=f"the participants of benchmark {benchmark_id!r}",
            params=filters,
        )

    async def standings(self, benchmark_id: str, filters: Parameters = ()) -> StandingsAnswer:
        """``GET /benchmark/{id}/standings/query``"""
        return await self._transport.read(
            f"/benchmark/{segment(benchmark_id)}/standings/query",
            StandingsAnswer,
            about=f"the standings of benchmark {benchmark_id!r}",
            params=filters,
        )

    async def matrix(self, benchmark_id: str, filters: Parameters = ()) -> MatrixAnswer:
        """``GET /benchmark/{id}/matrix/query``"""
        return await self._transport.read(
            f"/benchmark/{segment(benchmark_id)}/matrix/query",
            MatrixAnswer,
            about=f"the matrix of benchmark {benchmark_id!r}",
            params=filters,
        )


class AsyncLeaderboardApi:
    """``/leaderboard…``"""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def create(self, body: Mapping[str, Any]) -> LeaderboardCreated:
        """``POST /leaderboard``: costs money where models are there already"""
        return await self._transport.ask(
            "POST",
            "/leaderboard",
            LeaderboardCreated,
            call=Call.CREATES if body.get("skipInitialRun") else Call.COSTS,
            about=f"leaderboard {body['name']!r} of benchmark {body['benchmarkId']!r}",
            json=body,
        )

    async def get(self, leaderboard_id: str) -> LeaderboardAnswer:
        """``GET /leaderboard/{id}``"""
        return await self._transport.read(
            f"/leaderboard/{segment(leaderboard_id)}",
            LeaderboardAnswer,
            about=f"leaderboard {leaderboard_id!r}",
        )

    async def update(self, leaderboard_id: str, changes: Mapping[str, Any]) -> None:
        """``PATCH /leaderboard/{id}``"""
        await self._transport.send(
            "PATCH",
            f"/leaderboard/{segment(leaderboard_id)}",
            call=Call.REPEATABLE,
            about=f"leaderboard {leaderboard_id!r}",
            json=changes,
        )

    async def delete(self, leaderboard_id: str) -> None:
        """``DELETE /leaderboard/{id}``"""
        await self._transport.send(
            "DELETE",
            f"/leaderboard/{segment(leaderboard_id)}",
            call=Call.REPEATABLE,
            about=f"leaderboard {leaderboard_id!r}",
        )

    async def runs(self, leaderboard_id: str) -> Sequence[RunAnswer]:
        """``GET /leaderboard/{id}/runs``: all of them, newest first"""
        return await self._transport.read_all(
            f"/leaderboard/{segment(leaderboard_id)}/runs",
            Page[RunAnswer],
            about=f"the runs of leaderboard {leaderboard_id!r}",
            params=[("sort", "-created_at")],
        )

    async def standings(self, leaderboard_id: str, filters: Parameters = ()) -> StandingsAnswer:
        """``GET /leaderboard/{id}/standings/query``"""
        return await self._transport.read(
            f"/leaderboard/{segment(leaderboard_id)}/standings/query",
            StandingsAnswer,
            about=f"the standings of leaderboard {leaderboard_id!r}",
            params=filters,
        )

    async def matrix(self, leaderboard_id: str, filters: Parameters = ()) -> MatrixAnswer:
        """``GET /leaderboard/{id}/matrix/query``"""
        return await self._transport.read(
            f"/leaderboard/{segment(leaderboard_id)}/matrix/query",
            MatrixAnswer,
            about=f"the matrix of leaderboard {leaderboard_id!r}",
            params=filters,
        )


class AsyncParticipantApi:
    """``/participant…`` and ``/participants…``"""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def get(self, participant_id: str) -> ParticipantAnswer:
        """``GET /participant/{id}``"""
        return await self._transport.read(
            f"/participant/{segment(participant_id)}",
            ParticipantAnswer,
            about=f"participant {participant_id!r}",
        )

    async def update(self, participant_id: str, changes: Mapping[str, Any]) -> None:
        """``PATCH /participant/{id}``, where null clears"""
        await self._transport.send(
            "PATCH",
            f"/participant/{segment(participant_id)}",
            call=Call.REPEATABLE,
            about=f"participant {participant_id!r}",
            json=changes,
        )

    async def delete(self, participant_id: str) -> None:
        """``DELETE /participant/{id}``"""
        await self._transport.send(
            "DELETE",
            f"/participant/{segment(participant_id)}",
            call=Call.REPEATABLE,
            about=f"participant {participant_id!r}",
        )

    async def disable(self, participant_id: str, *, keep_votes: bool) -> None:
        """``POST /participant/{id}/disable``"""
        await self._transport.send(
            "POST",
            f"/participant/{segment(participant_id)}/disable",
            call=Call.REPEATABLE,
            about=f"participant {participant_id!r}",
            params=[("keepVotes", "true")] if keep_votes else [],
        )

    async def enable(self, participant_id: str) -> None:
        """``POST /participant/{id}/enable``, which a repetition finds done and refuses"""
        await self._transport.send(
            "POST",
            f"/participant/{segment(participant_id)}/enable",
            call=Call.CREATES,
            about=f"participant {participant_id!r}",
        )

    async def add_sample(self, participant_id: str, sample: Mapping[str, Any]) -> None:
        """``POST /participant/{id}/sample``: the platform refuses a second copy with 409"""
        await self._transport.send(
            "POST",
            f"/participant/{segment(participant_id)}/sample",
            call=Call.REPEATABLE,
            about=f"the sample for {sample['identifier']!r}",
            json=sample,
        )

    async def samples(self, participant_id: str) -> Sequence[SampleAnswer]:
        """``GET /participant/{id}/samples``: all of them"""
        return await self._transport.read_all(
            f"/participant/{segment(participant_id)}/samples",
            Page[SampleAnswer],
            about=f"the samples of participant {participant_id!r}",
        )

    async def submit(self, participant_ids: Sequence[str]) -> Submitted:
        """``POST /participants/submit``: costs money"""
        return await self._transport.ask(
            "POST",
            "/participants/submit",
            Submitted,
            call=Call.COSTS,
            about=f"the submission of {', '.join(map(repr, participant_ids))}",
            json={"participantIds": list(participant_ids)},
        )
