"""Anything in any order: submissions, crashes, waits, deletions, other contents under old keys."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import ExitStack
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from rapidata_core import AsyncRapidataClient
from rapidata_core.policy.submission import identify
from tests.chaos.loop import VirtualLoop
from tests.chaos.platform import FAULTLESS, Fault, Platform
from tests.chaos.runner import NAMESPACE, SETTLE, SPEC, Run, run, seeded

KEYS = ("one", "two")
CONTENTS = ("Which is better?", "Which is worse?")
ATTEMPTS = 8

keys, contents = st.sampled_from(KEYS), st.sampled_from(CONTENTS)
choices = st.sampled_from(["error", "adopt", "new"])
requests = st.integers(1, 24)
moments = st.floats(0, SETTLE)


def spec_of(content: str) -> Any:
    return SPEC.model_copy(update={"instruction": content})


class Submissions(RuleBasedStateMachine):
    """After everything has settled, a key has one charged job per content at most."""

    def __init__(self) -> None:
        super().__init__()
        self._open = ExitStack()
        self._open.enter_context(seeded(0))
        self._runner = self._open.enter_context(asyncio.Runner(loop_factory=VirtualLoop))
        self._platform = self._runner.run(Platform.fresh())
        self._jobs: dict[str, str] = {}
        self._wanted: set[tuple[str, str]] = set()
        # Who deletes a job that people have answered has paid for it all the same.
        self._deleted: set[str] = set()

    @rule(key=keys, content=contents, on_changed=choices, attempt=st.integers(1, 3))
    def submit(self, key: str, content: str, on_changed: str, attempt: int) -> None:
        """Also what an engine does when its task is cleared."""
        self._note(key, content, self._submit(key, content, on_changed, attempt))

    @rule(key=keys, content=contents, number=requests, late=moments, carried_out=st.booleans())
    def crash(self, key: str, content: str, number: int, late: float, carried_out: bool) -> None:
        fault = Fault("killed", carried_out, late=0.9 * late if carried_out else 0.0)
        self._note(key, content, self._submit(key, content, "new", faults={number: fault}))

    @rule(key=keys, content=contents, number=requests, late=moments)
    def lose(self, key: str, content: str, number: int, late: float) -> None:
        fault = Fault("lost", late=0.9 * late)
        self._note(key, content, self._submit(key, content, "new", faults={number: fault}))

    @rule(key=keys, content=contents, apart=st.floats(0, 2 * SETTLE))
    def race(self, key: str, content: str, apart: float) -> None:
        async def both() -> list[Run]:
            async def second() -> Run:
                await asyncio.sleep(apart)
                return await self._run(key, content, "new")

            return await asyncio.gather(self._run(key, content, "new"), second())

        for end in self._runner.run(both()):
            self._note(key, content, end)

    @rule(seconds=st.floats(0, 10 * SETTLE))
    def pass_time(self, seconds: float) -> None:
        self._runner.run(asyncio.sleep(seconds))

    @rule(key=keys)
    def wait(self, key: str) -> None:
        async def results(client: AsyncRapidataClient, job_id: str) -> None:
            await (await client.job.get_job_by_id(job_id)).get_results()

        self._with_job(key, results)

    @rule(key=keys)
    def delete(self, key: str) -> None:
        async def delete(client: AsyncRapidataClient, job_id: str) -> None:
            await (await client.job.get_job_by_id(job_id)).delete()

        deleted = self._with_job(key, delete)
        if deleted is not None:
            self._deleted.add(deleted)
            del self._jobs[key]

    def teardown(self) -> None:
        with self._open:
            self._runner.run(asyncio.sleep(SETTLE))
            for key, content in sorted(self._wanted):
                end = self._submit(key, content, "new", ATTEMPTS)
                assert end.job_id is not None, end.error
            entries = self._runner.run(self._platform.ledger())["entries"]
            given_back = {entry["id"] for entry in entries if entry["kind"] == "refund"}
            charged = Counter(
                entry["name"]
                for entry in entries
                if entry["kind"] == "job" and entry["id"] not in given_back | self._deleted
            )
            for key, content in self._wanted:
                name = identify(spec_of(content), "global", key, NAMESPACE).job(SPEC.name)
                assert charged.pop(name, 0) == 1, (key, content, entries)
            assert not charged, charged

    def _with_job(self, key: str, work: Any) -> str | None:
        job_id = self._jobs.get(key)
        if job_id is not None:

            async def one(client: AsyncRapidataClient) -> str:
                await work(client, job_id)
                return job_id

            end = self._runner.run(run(self._platform, lambda _: FAULTLESS, one))
            assert end.job_id == job_id, end.error
        return job_id

    def _submit(
        self,
        key: str,
        content: str,
        on_changed: str,
        attempt: int = 1,
        faults: dict[int, Fault] | None = None,
    ) -> Run:
        return self._runner.run(self._run(key, content, on_changed, attempt, faults))

    async def _run(
        self,
        key: str,
        content: str,
        on_changed: str,
        attempt: int = 1,
        faults: dict[int, Fault] | None = None,
    ) -> Run:
        numbers = iter(range(1, 10_000))

        async def work(client: AsyncRapidataClient) -> str:
            made = await client.submit(
                spec_of(content),
                "global",
                key=key,
                attempt=attempt,
                on_changed=on_changed,  # type: ignore[arg-type]
            )
            return made.job_id

        return await run(
            self._platform, lambda _: (faults or {}).get(next(numbers), FAULTLESS), work
        )

    def _note(self, key: str, content: str, end: Run) -> None:
        if end.job_id is not None:
            self._jobs[key] = end.job_id
        # What was refused was not wanted; what failed otherwise may have been paid.
        if not (end.error or "").startswith("SubmissionConflictError"):
            self._wanted.add((key, content))
