"""Who may answer: the people of an audience, named by a key that a job keeps for its life.

A key is ``<people>`` or ``<people>|<filter>``, where the people are ``global`` or ``curated`` (a
whole population), ``cohort/<id>`` (the graduates of one qualification), ``invited/<id>`` (whom an
unlisted audience's link was given to) or ``nobody/<id>`` (an audience that has not recruited), and
the filter is JSON. A key means the same people for ever, whatever happens to the audience.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, select

from rapidata_core.sandbox import filters, qualification
from rapidata_core.sandbox.crowd import POPULATION, Pool, walk
from rapidata_core.sandbox.qualification import Candidate
from rapidata_core.sandbox.store import Store
from rapidata_core.sandbox.tables import audiences

NEVER = 1 << 62
"""The moment that does not come: when a pool has enough people that nobody can join."""

NOBODY = "nobody/"
"""How the key of an audience that has not recruited begins."""

INVITED = 40
"""How many people open the link of an unlisted audience."""


def find(store: Store, audience_id: str) -> Row[Any] | None:
    """An audience's row."""
    return store.find(audiences, id=audience_id)


def base_of(store: Store, audience: Row[Any]) -> Row[Any]:
    """The audience that a filtered audience is a part of; any other audience itself."""
    if audience.base_id is None:
        return audience
    return store.read(select(audiences).where(audiences.c.id == audience.base_id)).one()


def pool_key(store: Store, audience_id: str) -> str:
    """The name of exactly the people who may answer a job that is created now.

    Those who will graduate from a qualification that is under way are among them.
    """
    audience = store.read(select(audiences).where(audiences.c.id == audience_id)).one()
    people = _people_key(base_of(store, audience))
    if audience.slice is None:
        return people
    return f"{people}|{json.dumps(audience.slice, sort_keys=True)}"


def restore(store: Store, key: str) -> Pool:
    """The people that a key names."""
    people, _, wanted = key.partition("|")
    kind, _, owner = people.partition("/")
    if kind == "cohort":
        joined = _graduates(store, owner, wanted)
        return Pool(store.seed, "global", [candidate.number for candidate in joined])
    if kind == "nobody":
        return Pool(store.seed, "global", ())
    if kind == "invited":
        places = walk(store.seed, people, POPULATION, INVITED)
        return Pool(store.seed, "global", places)
    return Pool(store.seed, kind, filters.selected(store.seed, kind, _filters(wanted)))


def first_available(store: Store, key: str) -> int:
    """Since when there are enough of them: at once, after recruiting, or ``NEVER``."""
    people, _, wanted = key.partition("|")
    kind, _, owner = people.partition("/")
    if kind != "cohort":
        return 0 if restore(store, key).size else NEVER
    result, started = qualification.cohort(store, owner)
    available = qualification.available_at(_graduates(store, owner, wanted), result.enough)
    return NEVER if available is None else started + available


def recruit_if_needed(store: Store, audience_id: str, now: int) -> bool:
    """Start recruiting for an audience that can and has not; returns whether that happened."""
    audience = find(store, audience_id)
    if audience is None:
        return False
    base = base_of(store, audience)
    if base.kind != "custom" or base.cohort_id is not None:
        return False
    if qualification.count_examples(store, base.id) < qualification.MIN_EXAMPLES:
        return False
    qualification.recruit(store, base, now)
    return True


def users_per_state(store: Store, audience: Row[Any], now: int) -> dict[str, int]:
    """How many people are where in an audience's qualification."""
    base = base_of(store, audience)
    if audience.slice is None:
        return _counts(store, base, now)
    key = pool_key(store, audience.id)
    _, _, wanted = key.partition("|")
    if base.cohort_id is None:
        return {"Graduated": restore(store, key).size}
    joined = _graduates(store, base.cohort_id, wanted)
    elapsed = now - base.recruited_at
    return {"Graduated": sum(1 for candidate in joined if candidate.done <= elapsed)}


def status(store: Store, audience: Row[Any], now: int) -> str:
    """How far an audience is, in the platform's words."""
    base = base_of(store, audience)
    if base.recruited_at is None:
        return "Created"
    return "Recruiting" if base.ready_at > now else "Ready"


def _counts(store: Store, base: Row[Any], now: int) -> dict[str, int]:
    if base.kind == "custom" and base.cohort_id is not None and now < base.over_at:
        result, started = qualification.cohort(store, base.cohort_id)
        return result.users_per_state(now - started)
    # Recruiting is over or has not begun, so that nobody needs to know who they are.
    counts = {"Graduated": base.qualified, "Distilling": 0, "Dropped": base.dropped}
    return counts if base.kind == "custom" else {"Graduated": base.qualified}


def _people_key(base: Row[Any]) -> str:
    match base.kind:
        case "custom" if base.cohort_id is None:
            return f"{NOBODY}{base.id}"
        case "custom":
            return f"cohort/{base.cohort_id}"
        case "unlisted":
            return f"invited/{base.id}"
        case _:
            return base.pool


def _graduates(store: Store, cohort_id: str, wanted: str) -> Sequence[Candidate]:
    result, _ = qualification.cohort(store, cohort_id)
    if not wanted:
        return result.graduates
    slice_ = set(filters.selected(store.seed, "global", _filters(wanted)))
    return [candidate for candidate in result.graduates if candidate.number in slice_]


def _filters(wanted: str) -> list[dict[str, Any]]:
    return [json.loads(wanted)] if wanted else []
