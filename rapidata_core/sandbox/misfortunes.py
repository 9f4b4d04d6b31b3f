"""Faults that befall the platform itself, rather than one answer."""

from __future__ import annotations

import json

from starlette.responses import Response

from rapidata_core.sandbox.api import assets, billing, jobs
from rapidata_core.sandbox.faults import Fault
from rapidata_core.sandbox.store import Store


def befall(store: Store, fault: Fault, answer: Response | None) -> None:
    """Let a fault happen; the answer is that of the request, once it was carried out."""
    now = store.clock.now()
    with store.transaction():
        match fault.action:
            case "expire_tokens":
                store.token_generation += 1
            case "spend":
                billing.spend(store, fault.amount, now)
            case "review" if answer is not None and answer.status_code == 200:
                jobs.review(store, json.loads(bytes(answer.body))["jobId"], now)
            case "stick" if answer is not None and answer.status_code == 200:
                assets.stick(store, json.loads(bytes(answer.body))["batchUploadId"])
            case _:
                # The others befall the answer, or nothing was created that could be struck.
                pass
