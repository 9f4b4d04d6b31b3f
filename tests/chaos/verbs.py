"""Everything that is paid: how to get it ready, how to ask for it, and what it costs in the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rapidata_core import CompareJob, RapidataClient
from rapidata_core.sandbox.process import Sandbox

DAY = 86_400


@dataclass(frozen=True)
class Verb:
    """A paid call.

    Attributes:
        name: What the table calls it.
        prepare: Makes what the call needs; returns what leads there.
        call: The call that may be interrupted anywhere and is made again until it succeeds.
        charges: How many more charges the ledger has afterwards.
        seconds: How long it takes until what was bought costs something.
        ask: The path of the paid request, where the sandbox's ledger would not tell that it was
            carried out twice.
    """

    name: str
    prepare: Callable[[RapidataClient, Sandbox], Any]
    call: Callable[[RapidataClient, Any], object]
    charges: int = 1
    seconds: float = 0.0
    ask: str = ""


def _nothing(_client: RapidataClient, _sandbox: Sandbox) -> None:
    pass


def _submit(client: RapidataClient, _: None) -> None:
    # Files, so that uploading them is interrupted, too.
    here = Path(__file__).parent
    spec = CompareJob(
        name="Chaos",
        instruction="Which is better?",
        datapoints=[[str(here / "loop.py"), str(here / "verbs.py")]],
    )
    client.submit(spec, "global", key="task")


def _definition(client: RapidataClient, _sandbox: Sandbox) -> str:
    made = client.job.create_compare_job_definition(
        "Chaos", "Which is better?", [["left", "right"]], data_type="text"
    )
    # How often somebody asks before there is an estimate would change the number of requests.
    assert made.estimated_cost.estimated_cost > 0
    return made.id


def _submit_definition(client: RapidataClient, definition_id: str) -> None:
    client.submit_definition(definition_id, "global", key="task")


def _create_signal(client: RapidataClient, definition_id: str) -> None:
    client.signals.create_signal("Daily", "global", definition_id, 24, key="task")


def _signal(client: RapidataClient, sandbox: Sandbox) -> str:
    definition_id = _definition(client, sandbox)
    return client.signals.create_signal("Rarely", "global", definition_id, 1000).id


def _trigger(client: RapidataClient, signal_id: str) -> None:
    client.signals.get_signal_by_id(signal_id).trigger(key="task")


def _ranking_flow(client: RapidataClient, _sandbox: Sandbox) -> str:
    return client.flow.create_ranking_flow("Chaos", "Which is better?").id


def _classify_flow(client: RapidataClient, _sandbox: Sandbox) -> str:
    return client.flow.create_classify_flow("Chaos", "What is it?", ["Cat", "Dog"]).id


def _batch(client: RapidataClient, flow_id: str) -> None:
    flow = client.flow.get_flow_by_id(flow_id)
    flow.create_new_flow_batch(["left", "right"], data_type="text", key="task")


def _benchmark(client: RapidataClient, _sandbox: Sandbox) -> str:
    benchmark = client.mri.create_new_benchmark("Chaos", prompts=["a cat"])
    benchmark.create_leaderboard("Realism", "Which is better?")
    benchmark.evaluate_model("First", ["one cat"], prompts=["a cat"], data_type="text")
    return benchmark.id


def _evaluate(client: RapidataClient, benchmark_id: str) -> None:
    benchmark = client.mri.get_benchmark_by_id(benchmark_id)
    benchmark.evaluate_model("Second", ["another cat"], prompts=["a cat"], data_type="text")


def _models(client: RapidataClient, _sandbox: Sandbox) -> str:
    benchmark = client.mri.create_new_benchmark("Chaos", prompts=["a cat"])
    for name in ("First", "Second"):
        benchmark.evaluate_model(name, [f"{name} cat"], prompts=["a cat"], data_type="text")
    return benchmark.id


def _leaderboard(client: RapidataClient, benchmark_id: str) -> None:
    benchmark = client.mri.get_benchmark_by_id(benchmark_id)
    benchmark.create_leaderboard("Realism", "Which is better?", key="task")


def _stale_job(client: RapidataClient, sandbox: Sandbox) -> str:
    definition_id = _definition(client, sandbox)
    job = client.audience.get_audience_by_id("global").assign_job(
        client.job.get_job_definition_by_id(definition_id)
    )
    sandbox.advance(DAY)
    sandbox.set_job_state(job.id, "StaleResults")
    return job.id


def _results(client: RapidataClient, job_id: str) -> None:
    client.job.get_job_by_id(job_id).get_results()


def _unaffordable_job(client: RapidataClient, _sandbox: Sandbox) -> str:
    """A second job of which there is money only since the first one was deleted."""
    definition = client.job.create_compare_job_definition(
        "Chaos",
        "Which is better?",
        [["left", "right"]],
        data_type="text",
        responses_per_datapoint=60_000,
    )
    everybody = client.audience.get_audience_by_id("global")
    first, second = everybody.assign_job(definition), everybody.assign_job(definition)
    first.delete()
    return second.id


def _resume(client: RapidataClient, job_id: str) -> None:
    job = client.job.get_job_by_id(job_id)
    # The documented program: it looks before it pays.
    if job.get_status() == "SpendLimited":
        job.resume()


VERBS = (
    Verb("submit", _nothing, _submit),
    Verb("submit_definition", _definition, _submit_definition),
    Verb("create_signal", _definition, _create_signal, seconds=DAY + 60),
    Verb("trigger", _signal, _trigger, seconds=60),
    Verb("ranking batch", _ranking_flow, _batch),
    Verb("classify batch", _classify_flow, _batch),
    Verb("evaluate_model", _benchmark, _evaluate),
    Verb("create_leaderboard", _models, _leaderboard),
    Verb("stale results", _stale_job, _results, charges=0, ask="/job/.*/retry"),
    Verb("resume", _unaffordable_job, _resume, ask="/job/.*/resume"),
)


def _assign(client: RapidataClient, definition_id: str) -> None:
    definition = client.job.get_job_definition_by_id(definition_id)
    client.audience.get_audience_by_id("global").assign_job(definition)


# Has no key, so whoever calls it again pays again: the sweep must see that.
UNKEYED = Verb("assign_job", _definition, _assign)
