"""The sandbox's own endpoints: reset, clock, ledger, journal, faults."""

from __future__ import annotations

from typing import Any

from rapidata_core.sandbox.api import audiences, billing
from rapidata_core.sandbox.api.call import Call, Endpoint
from rapidata_core.sandbox.clock import rfc3339
from rapidata_core.sandbox.faults import FaultPlan, read_plan
from rapidata_core.sandbox.journal import Journal
from rapidata_core.sandbox.problems import Problem

_MAX_JUMP = 100 * 365 * 86_400


class Control:
    """What is shared with the gateway."""

    def __init__(self, faults: FaultPlan, journal: Journal) -> None:
        self.faults = faults
        self.journal = journal

    def reset(self, call: Call) -> Any:
        """``POST /_sandbox/reset``: everything back to the start."""
        call.store.reset()
        audiences.add_given_audiences(call.store)
        self.faults.reset()
        self.journal.clear()
        return {"now": rfc3339(call.store.clock.now())}

    def requests(self, call: Call) -> Any:
        """``GET /_sandbox/requests``: the journal, oldest first; ``?answers=true`` adds those."""
        return {"requests": self.journal.json(answers=("answers", "true") in call.query)}

    def plan_faults(self, call: Call) -> Any:
        """``POST /_sandbox/faults``: a list of faults to add."""
        if "origin" in call.headers:
            # Whatever page a browser shows could otherwise have processes killed.
            raise Problem(403, "Web pages plan no faults.")
        return {"planned": self.faults.plan(read_plan(call.raw_body), call.now)}

    def clear_faults(self, _call: Call) -> None:
        """``DELETE /_sandbox/faults``."""
        self.faults.clear()

    def endpoints(self) -> tuple[Endpoint, ...]:
        """All of them; they need no token, because the server listens on the loopback only."""
        endpoints = (
            ("GET", "/_sandbox/health", health),
            ("POST", "/_sandbox/reset", self.reset),
            ("GET", "/_sandbox/clock", read_clock),
            ("POST", "/_sandbox/clock", advance_clock),
            ("GET", "/_sandbox/ledger", read_ledger),
            ("GET", "/_sandbox/requests", self.requests),
            ("POST", "/_sandbox/faults", self.plan_faults),
            ("DELETE", "/_sandbox/faults", self.clear_faults),
        )
        return tuple(Endpoint(*endpoint, open=True, recorded=False) for endpoint in endpoints)


def health(call: Call) -> Any:
    """``GET /_sandbox/health``."""
    return {"status": "ok", "now": rfc3339(call.now), "seed": call.store.seed}


def read_clock(call: Call) -> Any:
    """``GET /_sandbox/clock``."""
    return {"now": rfc3339(call.now), "speed": call.store.speed}


def advance_clock(call: Call) -> Any:
    """``POST /_sandbox/clock``: jumps ahead."""
    fields = call.fields()
    seconds = fields.number("advance_seconds")
    if not 0 <= seconds <= _MAX_JUMP:
        fields.wrong("advance_seconds", "The clock only goes forward, by a hundred years at most.")
    fields.check()
    call.store.set_anchor(call.store.clock.advance(seconds))
    return {"now": rfc3339(call.store.clock.now()), "speed": call.store.speed}


def read_ledger(call: Call) -> Any:
    """``GET /_sandbox/ledger``."""
    return billing.statement(call.store)
