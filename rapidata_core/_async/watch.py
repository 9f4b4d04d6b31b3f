"""Waiting is watching a list: ``GET /jobs?id[in]=…`` for everything that anybody waits for.

There is no thread or task in the background. Of those who wait for jobs of one account, one leads:
it looks for all of them, and sleeps in between. The others sleep until there is news of their own
job. When the leader has news itself, is cancelled or fails, another one takes over. So watching
ends with the last one who waits.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field
from itertools import chain, islice

from rapidata_core._async.api.audiences import AsyncAudienceApi
from rapidata_core._async.api.jobs import AsyncJobApi
from rapidata_core._async.transport import AsyncTransport
from rapidata_core.concurrency import AsyncBell, AsyncShared, async_monotonic
from rapidata_core.errors import AuthenticationError, NotFoundError, RapidataError
from rapidata_core.policy.audiences import is_hopeless, is_unlisted, recruiting
from rapidata_core.policy.polling import (
    PASSING,
    ErrorBudget,
    Patience,
    PollingPolicy,
    audience_is_gone,
    call_to_action,
    is_done,
    nobody_answers,
    obstacle,
    out_of_time,
    pages,
)
from rapidata_core.types import JobProgress, Reaction
from rapidata_core.wire.job import JobListItem
from rapidata_core.wire.model import PAGE_SIZE

_log = logging.getLogger("rapidata_core.watch")
# Seconds after a deadline that the answer to the last look is waited for.
_LAST_LOOK = 10.0
# With more audiences in doubt, the others have their turn at later looks.
_AUDIENCES_PER_LOOK = 10


@dataclass(frozen=True)
class Sight:
    """What a look showed of a job.

    Attributes:
        at: When the look began.
        progress: How far the job is; None when the list lacks it.
    """

    at: float
    progress: JobProgress | None


@dataclass(eq=False)
class Waiter:
    """Somebody who waits for a job.

    Attributes:
        transport: Where to look.
        job_id: The job.
        patience: How long, and when to look next.
        listens: Whether they want to know of all progress, and not of states only.
        bell: Wakes them.
        news: What they have not taken notice of yet, or the end of their wait.
        seen: How far the job was at the latest look.
        misses: Looks in a row in which the list lacked the job.
        doubts: Whether it has to be found out yet that somebody can answer.
        lonely_since: When a look showed first that nobody can.
    """

    transport: AsyncTransport
    job_id: str
    patience: Patience
    listens: bool
    bell: AsyncBell = field(default_factory=AsyncBell)
    news: Sight | RapidataError | None = None
    seen: JobProgress | None = None
    misses: int = 0
    doubts: bool = True
    lonely_since: float | None = None

    @property
    def state(self) -> str:
        """The state that the job was seen in."""
        return self.seen.state if self.seen is not None else ""

    def is_in_doubt(self, now: float) -> bool:
        """Whether to find out now. Recruiting may be about to begin, so one look is not enough."""
        first = self.lonely_since
        return self.doubts and (first is None or now - first >= self.patience.policy.fastest)

    def tell(self, news: Sight | RapidataError) -> None:
        """Wake them up with news."""
        self.news = news
        self.bell.ring()


class AsyncWatcher:
    """Looks at the job list for all who wait for jobs of one account."""

    def __init__(self) -> None:
        # Guards what follows; held for moments, and never while anything is awaited.
        self._lock = threading.Lock()
        self._waiters: dict[str, list[Waiter]] = {}
        self._leader: Waiter | None = None
        # Those who sleep, and can lead.
        self._idle: dict[Waiter, None] = {}
        # Audiences that are known to have people.
        self._inhabited: set[str] = set()
        self._chance = random.Random()

    def join(self, waiter: Waiter) -> None:
        """Begin to look for somebody."""
        with self._lock:
            self._waiters.setdefault(waiter.job_id, []).append(waiter)
            if self._leader is not None:
                self._leader.bell.ring()

    def leave(self, waiter: Waiter) -> None:
        """Look no more for somebody."""
        with self._lock:
            others = self._waiters[waiter.job_id]
            others.remove(waiter)
            if not others:
                del self._waiters[waiter.job_id]

    async def news(self, me: Waiter) -> Sight:
        """Lead or follow until there is something new about my job.

        That is: how far it is at first, each change, that the list lacks it, and the last look.

        Raises:
            RapidataError: It makes no sense to wait on.
        """
        try:
            while me.news is None:
                if self._takes_the_lead(me):
                    await self._lead(me)
                else:
                    overdue = me.patience.deadline + _LAST_LOOK
                    await me.bell.sleep(overdue)
                    if async_monotonic() >= overdue:
                        # Whoever leads gets no answer. Our time is up all the same.
                        self._give_up(me)
        finally:
            # Also when we are cancelled, or the look fails in a way that nobody foresaw.
            self._hand_over(me)
        with self._lock:
            news, me.news = me.news, None
        if isinstance(news, RapidataError):
            raise news
        return news

    def _takes_the_lead(self, me: Waiter) -> bool:
        with self._lock:
            if self._leader is None:
                self._leader = me
                self._idle.pop(me, None)
                return True
            self._idle[me] = None
            return False

    def _hand_over(self, me: Waiter) -> None:
        """Lead and follow no more; whoever can lead is called if nobody does."""
        with self._lock:
            self._idle.pop(me, None)
            if self._leader is me:
                self._leader = None
            # Who is called may be cancelled before it wakes up, and then calls the next one here.
            if self._leader is None and self._idle:
                next(iter(self._idle)).bell.ring()

    async def _lead(self, me: Waiter) -> None:
        """Look for everybody until there is news for me."""
        while me.news is None:
            now = async_monotonic()
            with self._lock:
                dues = [(waiter.patience.due, waiter.job_id) for waiter in self._all()]
            soonest, _ = min(dues)
            if soonest > now:
                await me.bell.sleep(soonest)
                continue
            for page in pages(dues, now):
                # After a failure the others are not due any more.
                if not await self._look(me.transport, page) or me.news is not None:
                    break

    async def _look(self, transport: AsyncTransport, page: list[str]) -> bool:
        """Look at some jobs for everybody who waits for them; tells whether that worked."""
        began = async_monotonic()
        ids = [("id[in]", job_id) for job_id in page]
        try:
            items = await AsyncJobApi(transport).list(ids, size=PAGE_SIZE)
        except PASSING as error:
            self._look_failed(began, error)
            return False
        except AuthenticationError as error:
            with self._lock:
                for waiter in self._waiting_for(page):
                    waiter.tell(copy(error))
            return False
        except RapidataError as error:
            # One of the ids may be to blame. So each is looked up by itself.
            _log.debug("cannot look at %d jobs at once: %s", len(page), error)
            items = ()
        doubted = self._show(page, {item.job_id: item for item in items}, began)
        for audience_id, waiters in islice(doubted.items(), _AUDIENCES_PER_LOOK):
            await self._look_for_people(transport, audience_id, waiters, began)
        return True

    def _show(
        self, page: list[str], items: Mapping[str, JobListItem], began: float
    ) -> dict[str, list[Waiter]]:
        """Tell everybody what is new.

        Returns:
            Those whose job nobody has answered so far, by its audience.
        """
        doubted: dict[str, list[Waiter]] = {}
        now = async_monotonic()
        with self._lock:
            for waiter in self._waiting_for(page):
                item = items.get(waiter.job_id)
                if item is not None:
                    self._show_one(waiter, item, began, now)
                    if not item.progress and waiter.is_in_doubt(began):
                        doubted.setdefault(item.audience_id, []).append(waiter)
                elif waiter.patience.due <= began:
                    # Looking it up costs requests of its own, so only those do it who are due.
                    waiter.misses += 1
                    waiter.patience.postpone(
                        now, self._chance, state=waiter.state, misses=waiter.misses
                    )
                    waiter.tell(Sight(began, None))
        return doubted

    def _show_one(self, waiter: Waiter, item: JobListItem, began: float, now: float) -> None:
        progress = JobProgress(item.state, round((item.progress or 0.0) * 100, 1))
        waiter.patience.errors.refill()
        waiter.patience.postpone(now, self._chance, state=progress.state)
        waiter.misses = 0
        is_new = progress != waiter.seen if waiter.listens else progress.state != waiter.state
        waiter.seen = progress
        if is_new or waiter.patience.is_over(began):
            waiter.tell(Sight(began, progress))

    def _look_failed(self, began: float, error: RapidataError) -> None:
        """Have everybody look later; end the wait of those whom it has failed for too long."""
        _log.warning("cannot look at the jobs that are waited for, will look again: %s", error)
        now = async_monotonic()
        with self._lock:
            for waiter in self._all():
                waiter.patience.postpone(now, self._chance, state=waiter.state)
                if waiter.patience.errors.is_spent(now):
                    waiter.tell(copy(error))
                elif waiter.patience.is_over(began):
                    self._time_is_up(waiter)

    async def _look_for_people(
        self, transport: AsyncTransport, audience_id: str, waiters: list[Waiter], began: float
    ) -> None:
        """End the waits for answers that nobody will ever give."""
        why = nobody_answers
        try:
            if audience_id in self._inhabited or await has_people(transport, audience_id):
                self._inhabited.add(audience_id)
                for waiter in waiters:
                    waiter.doubts = False
                return
        except NotFoundError:
            why = audience_is_gone
        except RapidataError as error:
            _log.debug("cannot tell who is in audience %s: %s", audience_id, error)
            return
        for waiter in waiters:
            if waiter.lonely_since is None:
                waiter.lonely_since = began
            else:
                waiter.tell(why(waiter.job_id, waiter.state, audience_id))

    def _give_up(self, me: Waiter) -> None:
        with self._lock:
            if me.news is None:
                self._time_is_up(me)

    def _time_is_up(self, waiter: Waiter) -> None:
        waited = async_monotonic() - waiter.patience.started
        waiter.tell(out_of_time(waiter.job_id, waiter.state, waited))

    def _waiting_for(self, page: list[str]) -> list[Waiter]:
        return [waiter for job_id in page for waiter in self._waiters.get(job_id, ())]

    def _all(self) -> Iterator[Waiter]:
        return chain.from_iterable(self._waiters.values())


# One per account: each of an engine's tasks makes a client of its own.
_watchers = AsyncShared(AsyncWatcher)


async def wait(
    transport: AsyncTransport,
    job_id: str,
    *,
    timeout: float | None,
    on_progress: Callable[[JobProgress], object] | None,
    polling: PollingPolicy,
    reactions: Mapping[str, Reaction],
    resume: Callable[[], Awaitable[None]],
) -> None:
    """Wait until a job's results are there.

    Args:
        transport: Where to look.
        job_id: The job.
        timeout: Seconds to wait at most; None waits for ever.
        on_progress: Called with every change, and with the first look.
        polling: How often to look.
        reactions: What to do in states in which somebody has to act.
        resume: Resumes the job.

    Raises:
        WaitTimeoutError: It takes longer; the job goes on.
        JobFailedError: The platform ended it.
        JobNeedsAttentionError: It does not go on by itself.
        NotFoundError: There is no such job.
    """
    watcher = _watchers.of(transport.settings)
    patience = Patience(polling, async_monotonic(), timeout)
    me = Waiter(transport, job_id, patience, listens=on_progress is not None)
    budget = ErrorBudget(polling.error_budget)
    told: JobProgress | None = None
    # The state whose obstacle, if it is one, has been dealt with.
    settled = ""
    watcher.join(me)
    try:
        while True:
            sight = await watcher.news(me)
            progress = sight.progress or await _look_up(transport, job_id, budget)
            if progress is not None:
                if progress != told and on_progress is not None:
                    on_progress(progress)
                told = progress
                if is_done(progress.state):
                    return
                if progress.state != settled:
                    settled = progress.state
                    await _overcome(transport, job_id, settled, reactions, resume)
            if me.patience.is_over(sight.at):
                waited = async_monotonic() - me.patience.started
                raise out_of_time(job_id, told and told.state, waited)
    finally:
        watcher.leave(me)


async def has_people(transport: AsyncTransport, audience_id: str) -> bool:
    """Whether somebody can answer for an audience, or will. In doubt, yes.

    Raises:
        NotFoundError: There is no such audience any more.
    """
    if is_unlisted(audience_id):
        return True
    audiences = AsyncAudienceApi(transport)
    try:
        metrics = recruiting((await audiences.metrics(audience_id)).users_per_state)
    except NotFoundError:
        metrics = None
    if metrics is not None and metrics.graduated > 0:
        return True
    return not is_hopeless((await audiences.get(audience_id)).status, metrics)


async def _look_up(
    transport: AsyncTransport, job_id: str, budget: ErrorBudget
) -> JobProgress | None:
    """How far a job is that the list lacks; None when that cannot be told now."""
    jobs = AsyncJobApi(transport)
    try:
        job = await jobs.get(job_id)
        percentage = 100.0 if is_done(job.state) else await _percentage(jobs, job_id)
    except PASSING as error:
        if budget.is_spent(async_monotonic()):
            raise
        _log.warning("cannot look at job %s, will look again: %s", job_id, error)
        return None
    budget.refill()
    return JobProgress(job.state, percentage)


async def _percentage(jobs: AsyncJobApi, job_id: str) -> float:
    try:
        return (await jobs.progress(job_id)).completion_percentage or 0.0
    except NotFoundError:
        # Nobody has begun.
        return 0.0


async def _overcome(
    transport: AsyncTransport,
    job_id: str,
    state: str,
    reactions: Mapping[str, Reaction],
    resume: Callable[[], Awaitable[None]],
) -> None:
    """Deal with a state in which the job does not go on by itself.

    Raises:
        JobFailedError: The platform ended it.
        JobNeedsAttentionError: Somebody has to act, and it is not to be waited for.
    """
    failure_message, review_reason = None, None
    if obstacle(job_id, state, None, None) is not None:
        try:
            # The list lacks the reasons.
            job = await AsyncJobApi(transport).get(job_id)
            state = job.state
            failure_message, review_reason = job.failure_message, job.review_reason
        except PASSING as error:
            failure_message = f"its reason cannot be read now ({error.message})"
    problem = obstacle(job_id, state, failure_message, review_reason)
    if problem is None:
        # The list was behind the times; a later look shows it.
        return
    reaction = reactions.get(state, "fail")
    if reaction == "fail":
        raise problem
    action = call_to_action(job_id, state, review_reason)
    if reaction == "wait":
        _log.warning("%s Waiting goes on.", action)
        return
    _log.warning("%s It is resumed now.", action)
    await resume()
