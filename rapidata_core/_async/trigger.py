"""Firing a signal once per key. What is written down for that is decided in ``policy.signals``."""

from __future__ import annotations

import logging
from uuid import uuid4

from rapidata_core._async.api.definitions import AsyncDefinitionApi
from rapidata_core._async.api.jobs import AsyncJobApi
from rapidata_core._async.api.signals import AsyncSignalApi
from rapidata_core._async.settling import ROUNDS, until_settled
from rapidata_core._async.spend import price
from rapidata_core._async.transport import AsyncTransport
from rapidata_core.concurrency import async_monotonic
from rapidata_core.errors import (
    AmbiguousSubmissionError,
    NotFoundError,
    ServerError,
    SignalRunError,
    TransportError,
    is_undone,
    refuse_blank,
)
from rapidata_core.policy.signals import (
    Intent,
    described,
    made_no_job,
    newer_runs,
    read_intent,
    run_of_intent,
)
from rapidata_core.policy.submission import check_budget, check_names, key_marker, readable
from rapidata_core.wire.model import PAGE_SIZE
from rapidata_core.wire.signal import RunAnswer

_log = logging.getLogger("rapidata_core.signals")
# Seconds that a run may take to show after the platform accepted the trigger, which it queues.
SHOWS = 60.0
# Seconds from looking to firing. After longer, another runner may have fired in between, and the
# platform would not skip our run if that one has ended.
_PROMPT = 3.0
_SAME_KEY = "Trigger again with the same key: it looks before it pays."


async def trigger_once(
    transport: AsyncTransport, signal_id: str, key: str, max_cost: float | None = None
) -> RunAnswer:
    """Get the one run that cost something of a key: the one that it has, or a new one.

    Args:
        transport: Where to.
        signal_id: What to fire.
        key: The identity of the firing, the same over retries and restarts.
        max_cost: The most that the platform may estimate for a new one.

    Raises:
        BudgetExceededError: A new one would cost more; nothing was fired.
        SignalRunError: The run of another key has no job yet, so this one has to wait.
        AmbiguousSubmissionError: It is unknown whether it was fired; the same key finds out.
    """
    refuse_blank(key=key)
    marker = key_marker(transport.settings.namespace, f"{signal_id} {key}")
    firing = _Firing(transport, signal_id, marker, max_cost)
    # Callers in this process that ask for the same at the same time share one firing.
    return await transport.flights.once(f"trigger{marker} {max_cost}", firing.run)


async def check_firing(
    transport: AsyncTransport, definition_id: str, max_cost: float | None
) -> None:
    """Refuse to fire a signal whose job would cost too much.

    Raises:
        BudgetExceededError: It would.
    """
    if max_cost is not None:
        cost = await price(AsyncDefinitionApi(transport).cost, definition_id)
        check_budget(cost.estimated_cost, max_cost)


class _Firing:
    """One go at it; see :func:`trigger_once`."""

    def __init__(
        self, transport: AsyncTransport, signal_id: str, marker: str, max_cost: float | None
    ) -> None:
        self._transport = transport
        self._max_cost = max_cost
        self._signals = AsyncSignalApi(transport)
        self._jobs = AsyncJobApi(transport)
        self._settle = transport.settings.settle
        self._id = signal_id
        self._marker = marker
        self._request = f"POST /signal/{signal_id}/trigger"

    async def run(self) -> RunAnswer:
        for _ in range(ROUNDS):
            signal = await self._signals.get(self._id)
            intent = read_intent(signal.description)
            run = await self._known(intent)
            if run is None:
                # Not before: what is paid already is not to be lost because of a limit.
                await check_firing(self._transport, signal.job_definition_id, self._max_cost)
                run = await self._fire(intent)
            if run is not None:
                return run
        raise AmbiguousSubmissionError(
            f"After {ROUNDS} rounds it is still unknown whether signal {self._id} was fired for "
            f"this key: answers were lost, or other runners came in between. {_SAME_KEY}",
            request=self._request,
        )

    async def _known(self, intent: Intent | None) -> RunAnswer | None:
        """The run that the key has; None when it certainly has none, and nobody else is at it."""
        is_ours = intent is not None and intent.marker == self._marker
        if not is_ours:
            marked = await self._marked()
            if marked is not None:
                return marked
        run = None if intent is None else await self._outcome(intent, 2 * self._settle)
        if intent is None or run is None or made_no_job(run):
            return None
        if is_ours:
            _log.info("adopting run %s of signal %s: this key has it", run.id, self._id)
            return run
        await self._mark(run, intent.marker)
        return None

    async def _fire(self, replaced: Intent | None) -> RunAnswer | None:
        """Write the intent down and fire; None when the outcome is not clear yet."""
        asked = async_monotonic()
        runs = await self._signals.runs(self._id, size=1)
        intent = Intent(self._marker, uuid4().hex[:8], runs[0].id if runs else "")
        # Read anew, as late as possible: somebody may have written since.
        description = (await self._signals.get(self._id)).description
        if read_intent(description) != replaced:
            return None
        await self._signals.update(self._id, {"description": described(description, intent)})
        written = read_intent((await self._signals.get(self._id)).description)
        if written != intent or async_monotonic() - asked > min(_PROMPT, self._settle):
            return None
        try:
            await self._signals.trigger(self._id)
        except (TransportError, ServerError) as error:
            if is_undone(error):
                raise
            _log.warning("the answer to %s was lost; looking what became of it", self._request)
            return None
        run = await self._outcome(intent, max(SHOWS, 2 * self._settle))
        if run is None:
            raise AmbiguousSubmissionError(
                f"Signal {self._id} was fired, but no run shows. {_SAME_KEY} If the platform's "
                "lists are that late, set settle= (RAPIDATA_SETTLE).",
                request=self._request,
            )
        return run

    async def _outcome(self, intent: Intent, seconds: float) -> RunAnswer | None:
        """The run that an intent led to.

        Its runner fires within ``settle`` seconds of having asked to write it down, and what it
        fired shows ``settle`` seconds later. So after twice that time there never will be one.
        """

        async def look() -> RunAnswer | None:
            return run_of_intent(await self._newer_runs(intent.newest_run))

        what = f"The run of signal {self._id} that somebody was about to fire"
        return await until_settled(look, what=what, seconds=seconds)

    async def _newer_runs(self, newest_run: str) -> list[RunAnswer]:
        """The runs that came after another one, the newest first."""
        found: list[RunAnswer] = []
        page = 1
        while True:
            runs = await self._signals.runs(self._id, page=page, size=PAGE_SIZE)
            newer = newer_runs(runs, newest_run)
            found += newer
            if len(newer) < PAGE_SIZE:
                return found
            page += 1

    async def _marked(self) -> RunAnswer | None:
        """The run whose job carries the key, because other keys have fired since."""
        jobs = await self._jobs.list([("name[ends_with]", self._marker)])
        check_names((job.name for job in jobs), self._marker)
        if not jobs:
            return None
        wanted = jobs[0].job_id
        runs = await self._signals.runs(self._id, [("audience_job_id[eq]", wanted)])
        run = next((run for run in runs if run.audience_job_id == wanted), None)
        if run is None:
            raise ServerError(
                f"Job {wanted} is of a firing of signal {self._id}, but none of its runs says so. "
                "Nothing was paid now; get the job with client.job.get_job_by_id."
            )
        return run

    async def _mark(self, run: RunAnswer, marker: str) -> None:
        """Let the job of a run carry its key, so that the intent may be replaced."""

        async def look() -> RunAnswer | None:
            found = await self._signals.run(run.id)
            return found if found.audience_job_id is not None or made_no_job(found) else None

        what = f"The job of run {run.id}"
        settled = await until_settled(look, what=what, seconds=self._settle)
        if settled is None:
            raise SignalRunError(
                f"Run {run.id} of signal {self._id}, which another key fired, has no job yet. "
                "Nothing was fired now, since the platform would skip it; trigger again later.",
                signal_id=self._id,
                run_id=run.id,
                status=run.status,
            )
        if settled.audience_job_id is None:
            return
        try:
            name = (await self._jobs.get(settled.audience_job_id)).name
        except NotFoundError:
            # Deleted, so there is nothing that its key could still have.
            return
        if not name.endswith(marker):
            await self._jobs.rename(settled.audience_job_id, f"{readable(name)}{marker}")
