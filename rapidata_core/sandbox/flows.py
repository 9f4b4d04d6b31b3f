"""What a flow item is doing, and what its labelers answered: functions of its row and the clock.

Answers arrive one by one at a steady pace, from soon after an item's creation until there are as
many as wanted, or until the item is served to nobody new: because it drains before its time to live
ends, or because somebody stopped it. Answers that were under way by then still arrive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Row, bindparam, case

from rapidata_core.sandbox.clock import SECOND
from rapidata_core.sandbox.crowd import Labeler
from rapidata_core.sandbox.questions import Classification, Comparison
from rapidata_core.sandbox.ranking import Wins, counted, matchups
from rapidata_core.sandbox.tables import flow_items

START = SECOND // 2
"""How long an item is ``Pending``."""

UNDER_WAY = 5 * SECOND
"""How long answers still arrive when an item is served to nobody new; so long stopping takes."""

COLD = (2 * SECOND, SECOND // 2)
"""When the first answer arrives, and how far answers are apart."""

PREHEATED = (SECOND // 2, SECOND // 4)
"""The same for an item that is created soon after a preheat."""

PREHEAT_LASTS = 600 * SECOND

DEFAULT_DRAIN = 40
"""Seconds that serving ends before the time to live does: as long as an answer may take."""

DEFAULT_TIME_TO_LIVE = 240


@dataclass(frozen=True, slots=True)
class Plan:
    """How a new item will go if nobody stops it.

    Attributes:
        latency: When the first answer can arrive, in microseconds after the creation.
        pace: Microseconds from one answer to the next.
        wanted: How many answers end the item.
        drain_at: When it is served to nobody new.
        expires_at: When its time to live ends.
        ending: Its last state.
        ends_at: When it gets there.
    """

    latency: int
    pace: int
    wanted: int
    drain_at: int
    expires_at: int
    ending: str
    ends_at: int


def plan(
    now: int, *, wanted: int, enough: int, time_to_live: int, drain: int, preheated: bool
) -> Plan:
    """Plan an item.

    Args:
        now: When it is created.
        wanted: How many answers end it; fewer than enough where there are not so many people.
        enough: How many it needs to count as completed when its time is over.
        time_to_live: Seconds.
        drain: Seconds.
        preheated: Whether people are waiting for it.
    """
    latency, pace = PREHEATED if preheated else COLD
    expires_at = now + time_to_live * SECOND
    drain_at = expires_at - drain * SECOND
    full_at = now + latency + wanted * pace
    last_answer_at = min(drain_at + UNDER_WAY, expires_at)
    if enough <= wanted and full_at <= last_answer_at:
        ending, ends_at = "Completed", full_at
    else:
        arrived = min(wanted, (last_answer_at - now - latency) // pace)
        ending, ends_at = ("Completed" if arrived >= enough else "Incomplete"), expires_at
    return Plan(latency, pace, wanted, drain_at, expires_at, ending, ends_at)


def state(item: Row[Any], now: int) -> str:
    """The item's state on the wire."""
    if item.stopped_at is not None:
        return "Stopping" if now < item.stopped_at + UNDER_WAY else "Stopped"
    if now >= item.ends_at:
        return item.ending
    if now < item.created_at + START:
        return "Pending"
    return "Running" if now < item.drain_at else "Stopping"


def ended_at(item: Row[Any], now: int) -> int | None:
    """When the item ended, if it has."""
    end = item.ends_at if item.stopped_at is None else item.stopped_at + UNDER_WAY
    return end if now >= end else None


def answered(item: Row[Any], now: int) -> int:
    """How many answers have arrived."""
    if item.ending == "Failed":
        return 0
    served_until = item.drain_at if item.stopped_at is None else item.stopped_at
    last = min(now, served_until + UNDER_WAY, item.expires_at)
    return min(item.wanted, max(0, (last - item.created_at - item.latency) // item.pace))


_NOW = bindparam("now", type_=BigInteger)
_ITEM = flow_items.c
STATE: ColumnElement[str] = case(
    (_ITEM.stopped_at + UNDER_WAY > _NOW, "Stopping"),
    (_ITEM.stopped_at.is_not(None), "Stopped"),
    (_ITEM.ends_at <= _NOW, _ITEM.ending),
    (_ITEM.created_at + START > _NOW, "Pending"),
    (_ITEM.drain_at > _NOW, "Running"),
    else_="Stopping",
)
""":func:`state` in SQL, at the parameter ``now``."""


def votes(
    seed: int,
    item_id: str,
    question: str,
    things: Mapping[str, str],
    people: Sequence[Labeler],
    wanted: int,
    arrived: int,
    *,
    unsure: bool,
) -> Wins:
    """Who was preferred to whom so far.

    Args:
        seed: The sandbox's seed.
        item_id: The flow item.
        question: What is asked, with its context.
        things: What is ranked: the content of each, by its datapoint's id.
        people: Who answers, in turn.
        wanted: How many answers end the item.
        arrived: How many there are.
        unsure: Whether neither or both may be answered.
    """

    def ask(number: int, first: str, second: str) -> float:
        ours, theirs = things[first], things[second]
        compared = Comparison(question, (ours, theirs), unsure=unsure)
        winners = compared.answer(seed, people[number % len(people)]).winners
        # Nobody can tell a thing from its copy.
        if len(winners) != 1 or ours == theirs:
            return 0.5
        return float(winners[0] == ours)

    pairs = matchups(list(things), wanted, ask, seed=seed, key=item_id)
    return counted(things, islice(pairs, arrived))


def distribution(
    seed: int,
    question: str,
    options: Sequence[str],
    people: Sequence[Labeler],
    *,
    ordered: bool,
) -> dict[str, int]:
    """How often each option was chosen, also those that nobody chose."""
    asked = Classification(question, tuple(options), ordered=ordered)
    counts = dict.fromkeys(options, 0)
    for person in people:
        counts[asked.answer(seed, person).category] += 1
    return counts


def shares(arrived: int, parts: int) -> list[int]:
    """How many of the answers went to each of some datapoints that are asked in turn."""
    whole, rest = divmod(arrived, parts)
    return [whole + (place < rest) for place in range(parts)]


def majority(counts: Mapping[str, int]) -> str | None:
    """What was chosen most often, if it was one alone."""
    most = max(counts.values(), default=0)
    leaders = [value for value, count in counts.items() if count == most]
    return leaders[0] if most and len(leaders) == 1 else None
