"""``client.mri``: benchmarks, in which models are ranked by the media that they make."""

from __future__ import annotations

from collections.abc import Sequence

from rapidata_core._async.api.mri import AsyncBenchmarkApi, AsyncLeaderboardApi
from rapidata_core._async.benchmarks import AsyncRapidataBenchmark
from rapidata_core._async.leaderboards import AsyncRapidataLeaderboard
from rapidata_core._async.transport import AsyncTransport
from rapidata_core._async.waiting import find_out
from rapidata_core.errors import ServerError, TransportError, refuse_blank
from rapidata_core.policy.benchmarks import new_prompts
from rapidata_core.types import Origin, Tag


class AsyncBenchmarks:
    """``client.mri``."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport
        self._benchmarks = AsyncBenchmarkApi(transport)

    async def create_new_benchmark(
        self,
        name: str,
        identifiers: Sequence[str] | None = None,
        prompts: Sequence[str | None] | None = None,
        prompt_assets: Sequence[Sequence[str] | str | None] | None = None,
        tags: Sequence[Sequence[str | Tag] | None] | None = None,
        origins: Sequence[Origin | str | None] | None = None,
    ) -> AsyncRapidataBenchmark:
        """Make a benchmark. All lists are aligned by index; this costs nothing.

        Args:
            name: The benchmark's name.
            identifiers: The names of the prompts; by default the prompts themselves.
            prompts: Their texts.
            prompt_assets: Paths or URLs of the media that go with each.
            tags: The tags of each, by which results are filtered; labelers never see them.
            origins: Where each comes from.

        Raises:
            ValidationError: Something is wrong with the arguments; nothing was created.
            IncompleteUploadError: Some prompts did not get there. Its ``benchmark`` has the rest,
                its ``retry()`` sends what failed again.
        """
        new = new_prompts(
            f"The benchmark {name!r}",
            identifiers,
            prompts,
            prompt_assets,
            tags,
            origins,
            name=name,
        )
        benchmark = AsyncRapidataBenchmark(self._transport, await self._create(name), name)
        await benchmark.send_prompts(new)
        return benchmark

    async def get_benchmark_by_id(self, id: str) -> AsyncRapidataBenchmark:  # noqa: A002
        """Find a benchmark again.

        Raises:
            NotFoundError: There is none with this id.
        """
        refuse_blank(id=id)
        found = await self._benchmarks.get(id)
        return AsyncRapidataBenchmark(self._transport, found.id, found.name)

    async def get_leaderboard_by_id(
        self, benchmark_id: str, leaderboard_id: str
    ) -> AsyncRapidataLeaderboard:
        """Find a leaderboard again.

        Args:
            benchmark_id: The benchmark that it belongs to.
            leaderboard_id: Its id.

        Raises:
            NotFoundError: There is no leaderboard with this id.
        """
        refuse_blank(benchmark_id=benchmark_id, leaderboard_id=leaderboard_id)
        found = await AsyncLeaderboardApi(self._transport).get(leaderboard_id)
        return AsyncRapidataLeaderboard(self._transport, benchmark_id, found)

    async def find_benchmarks(
        self, name: str = "", amount: int = 10, page: int = 1
    ) -> list[AsyncRapidataBenchmark]:
        """Benchmarks whose name contains a text, newest first.

        Args:
            name: The text; empty finds all.
            amount: Benchmarks per page.
            page: Which page, from 1.
        """
        filters = [("name[contains]", name)] if name else []
        return [
            AsyncRapidataBenchmark(self._transport, found.id, found.name)
            for found in await self._benchmarks.list(filters, page=page, size=amount)
        ]

    async def _create(self, name: str) -> str:
        async def look() -> str | None:
            # An empty one of the same name, whoever left it behind, is as good as a new one.
            for found in await self._benchmarks.list([("name[eq]", name)]):
                if found.name == name and not await self._benchmarks.prompts(found.id):
                    return found.id
            return None

        try:
            return (await self._benchmarks.create(name)).id
        except (TransportError, ServerError) as error:
            advice = "Look with client.mri.find_benchmarks before you create it again."
            return await find_out(look, error, request="POST /benchmark", advice=advice)
