"""Everything that is paid and may be tried in schedules: what it needs, and how to ask for it.

The same as :mod:`tests.chaos.verbs`, for processes that live on the virtual clock.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from rapidata_core import AsyncRapidataClient
from tests.chaos.runner import SPEC

KEY = "task"
DAY = 86_400.0


@dataclass(frozen=True)
class Task:
    """A paid call.

    Attributes:
        call: The call; of a client, what was prepared and the number of the attempt. Returns the
            id of what it got.
        paid: The request that costs something, as a pattern.
        prepare: Makes, for nothing, what the call needs; returns what leads there.
        runners: How many may be at it at once.
        seconds: How long it takes until what was bought costs something.
    """

    call: Callable[[AsyncRapidataClient, str, int], Awaitable[str]]
    paid: str
    prepare: Callable[[AsyncRapidataClient], Awaitable[str]] | None = None
    runners: int = 2
    seconds: float = 0.0


async def _submit(client: AsyncRapidataClient, _: str, attempt: int) -> str:
    return (await client.submit(SPEC, "global", key=KEY, attempt=attempt)).job_id


async def _definition(client: AsyncRapidataClient) -> str:
    made = await client.job.create_compare_job_definition(
        "Chaos", "Which is better?", [["left", "right"]], data_type="text"
    )
    return made.id


async def _submit_definition(client: AsyncRapidataClient, definition_id: str, attempt: int) -> str:
    submission = await client.submit_definition(definition_id, "global", key=KEY, attempt=attempt)
    return submission.job_id


async def _create_signal(client: AsyncRapidataClient, definition_id: str, _: int) -> str:
    return (await client.signals.create_signal("Daily", "global", definition_id, 24, key=KEY)).id


async def _signal(client: AsyncRapidataClient) -> str:
    definition_id = await _definition(client)
    return (await client.signals.create_signal("Rarely", "global", definition_id, 1000)).id


async def _trigger(client: AsyncRapidataClient, signal_id: str, _: int) -> str:
    return (await (await client.signals.get_signal_by_id(signal_id)).trigger(key=KEY)).id


async def _flow(client: AsyncRapidataClient) -> str:
    return (await client.flow.create_ranking_flow("Chaos", "Which is better?")).id


async def _batch(client: AsyncRapidataClient, flow_id: str, attempt: int) -> str:
    flow = await client.flow.get_flow_by_id(flow_id)
    batch = await flow.create_new_flow_batch(
        ["left", "right"], data_type="text", key=KEY, attempt=attempt
    )
    return batch.id


async def _benchmark(client: AsyncRapidataClient) -> str:
    benchmark = await client.mri.create_new_benchmark("Chaos", prompts=["a cat", "a dog"])
    await benchmark.create_leaderboard("Realism", "Which is better?")
    # There is nobody to compare the first model with, so it costs nothing.
    await benchmark.evaluate_model("First", ["a tom"], prompts=["a cat"], data_type="text")
    return benchmark.id


async def _evaluate(client: AsyncRapidataClient, benchmark_id: str, _: int) -> str:
    benchmark = await client.mri.get_benchmark_by_id(benchmark_id)
    made = ["a kitten", "a puppy"]
    await benchmark.evaluate_model("Second", made, prompts=["a cat", "a dog"], data_type="text")
    return "Second"


TASKS = {
    "submit": Task(_submit, "POST /job"),
    "submit_definition": Task(_submit_definition, "POST /job", _definition),
    "create_signal": Task(_create_signal, "POST /signal", _definition, seconds=DAY + 60),
    "trigger": Task(_trigger, "POST /signal/[^/]+/trigger", _signal, seconds=60),
    # Nothing free can be its ticket, so who asks for one batch twice at once pays twice.
    "ranking batch": Task(_batch, "POST /flow/ranking/[^/]+/item", _flow, runners=1),
    "evaluate_model": Task(_evaluate, "POST /participants/submit", _benchmark),
}
