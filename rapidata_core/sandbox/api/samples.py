"""Samples: the media that models made for the prompts of a benchmark."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Row, func, select

from rapidata_core.sandbox.api import assets as asset_service
from rapidata_core.sandbox.api import benchmarks as benchmark_service
from rapidata_core.sandbox.api import participants as participant_service
from rapidata_core.sandbox.api.call import Call, Endpoint, JsonObject
from rapidata_core.sandbox.clock import rfc3339
from rapidata_core.sandbox.listing import Field, Listing, last
from rapidata_core.sandbox.problems import Problem, not_simulated
from rapidata_core.sandbox.settings import ORGANIZATION_ID, OWNER_MAIL
from rapidata_core.sandbox.store import Store
from rapidata_core.sandbox.tables import samples


def create_sample(call: Call) -> Any:
    """``POST /participant/{id}/sample``: 409 when the participant has it already."""
    row = participant_service.required(call)
    fields = call.fields()
    identifier = fields.text("identifier")
    asset = fields.optional_object("asset") or {}
    if identifier and not benchmark_service.has_prompt(call.store, row.benchmark_id, identifier):
        fields.wrong("identifier", f"The benchmark has no prompt with the identifier {identifier}.")
    fields.note("asset", asset_service.problems(call.store, asset))
    if asset.get("_t") == "MultiAssetInput":
        raise not_simulated("asset", "a sample of several files")
    fields.check()
    content = json.dumps(asset, sort_keys=True)
    if _exists(call.store, row.id, identifier, content):
        message = f"The participant has this sample for {identifier} already."
        raise Problem(409, "The sample exists.", message)
    sample_id = call.store.next_id("sample")
    call.store.add(
        samples,
        id=sample_id,
        participant_id=row.id,
        identifier=identifier,
        asset=asset,
        content=content,
        created_at=call.now,
    )
    if row.status == "Created":
        participant_service.save(call.store, row, {"status": "Submittable"})
    return {"id": sample_id}


def list_samples(call: Call) -> Any:
    """``GET /participant/{id}/samples``; ``fillMissing`` adds what is missing."""
    row = participant_service.required(call)
    by_identifier = benchmark_service.prompts_of(call.store, row.benchmark_id)
    tags = {value for key, value in call.query if key == "tags"}
    wanted = {
        identifier
        for identifier, prompt in by_identifier.items()
        if not tags or not tags.isdisjoint(benchmark_service.tag_values(prompt))
    }
    columns = samples.c
    rows = select(samples).where(columns.participant_id == row.id)
    listing = Listing(
        rows=rows.where(columns.identifier.in_(wanted)) if tags else rows,
        order=(columns.seq,),
        fields={
            "identifier": Field(columns.identifier),
            "created_at": Field(columns.created_at, "time"),
        },
        sorts={"identifier": columns.identifier, "created_at": columns.created_at},
    )

    def item(sample: Row[Any]) -> JsonObject:
        return _sample(call, sample, by_identifier)

    if (last(call.query, "fillMissing") or "false").lower() != "true":
        return benchmark_service.listed(call, listing, item)
    return _with_placeholders(call, listing, item, by_identifier, wanted)


def _exists(store: Store, participant_id: str, identifier: str, content: str) -> bool:
    columns = samples.c
    wanted = select(func.count()).where(
        columns.participant_id == participant_id,
        columns.identifier == identifier,
        columns.content == content,
    )
    return store.number(wanted) > 0


def _prompt_details(
    call: Call, identifier: str, by_identifier: Mapping[str, Row[Any]]
) -> JsonObject:
    prompt = by_identifier.get(identifier)
    return {
        "identifier": identifier,
        "originalPrompt": None if prompt is None else prompt.text,
        "englishPrompt": None if prompt is None else prompt.text,
        "promptAsset": None
        if prompt is None
        else benchmark_service.asset_output(call.store, prompt),
        "tags": [] if prompt is None else benchmark_service.tag_values(prompt),
    }


def _sample(call: Call, row: Row[Any], by_identifier: Mapping[str, Row[Any]]) -> JsonObject:
    return _prompt_details(call, row.identifier, by_identifier) | {
        "_t": "SampleOutput",
        "id": row.id,
        "asset": asset_service.shown(call.store, row.asset),
        "createdAt": rfc3339(row.created_at),
        "votesExcluded": False,
        "ownerId": call.account.owner_id,
        "ownerMail": OWNER_MAIL,
        "organizationId": ORGANIZATION_ID,
    }


def _with_placeholders(
    call: Call,
    listing: Listing,
    item: Callable[[Row[Any]], JsonObject],
    by_identifier: Mapping[str, Row[Any]],
    wanted: set[str],
) -> JsonObject:
    """A page of samples and, after the last of them, a placeholder per prompt without one."""
    page = benchmark_service.listed(call, listing, item)
    identifiers = listing.rows.with_only_columns(samples.c.identifier)
    held = {row.identifier for row in call.store.read(identifiers)}
    absent = [identifier for identifier in by_identifier if identifier in wanted - held]
    size, total = page["pageSize"], page["total"]
    # Placeholders follow the samples, so a page has as many as it has room for.
    first = max(0, (page["page"] - 1) * size - total)
    room = size - len(page["items"])
    fillers = [
        {"_t": "PlaceholderSampleOutput"} | _prompt_details(call, identifier, by_identifier)
        for identifier in absent[first : first + room]
    ]
    total += len(absent)
    return page | {
        "items": page["items"] + fillers,
        "total": total,
        "totalPages": max(1, -(-total // size)),
    }


ENDPOINTS = (
    Endpoint("POST", "/participant/{participant_id}/sample", create_sample),
    Endpoint("GET", "/participant/{participant_id}/samples", list_samples),
)
