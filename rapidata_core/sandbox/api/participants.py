"""Participants of a benchmark: models, and their submission."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Row, delete, func, select, update

from rapidata_core.sandbox.api import assets as asset_service
from rapidata_core.sandbox.api import benchmarks as benchmark_service
from rapidata_core.sandbox.api import leaderboards
from rapidata_core.sandbox.api.call import Call, Endpoint, Fields, JsonObject
from rapidata_core.sandbox.clock import rfc3339
from rapidata_core.sandbox.listing import MAX_PAGE_SIZE, Field, Listing, last
from rapidata_core.sandbox.problems import invalid
from rapidata_core.sandbox.store import Store
from rapidata_core.sandbox.tables import participants, samples

MAX_SUBMITTED = 100

_COST_UNITS = ("UsdPerImage", "UsdPerVideoSecond", "UsdPerMillionTokens", "UsdPerSample")
_LICENSES = ("OpenSource", "Proprietary")
_READY = ("Created", "Submittable")


def find(store: Store, participant_id: str) -> Row[Any] | None:
    """A participant's row."""
    return store.find(participants, id=participant_id)


def required(call: Call) -> Row[Any]:
    """The participant in the path.

    Raises:
        Problem: There is none.
    """
    return call.row(participants, "Participant", "participant_id")


def save(store: Store, row: Row[Any], changes: JsonObject) -> None:
    """Change a participant's row."""
    if changes:
        store.write(update(participants).where(participants.c.id == row.id).values(**changes))


def of_benchmark(store: Store, benchmark_id: str) -> Sequence[Row[Any]]:
    """A benchmark's participants, oldest first."""
    wanted = select(participants).where(participants.c.benchmark_id == benchmark_id)
    return store.read(wanted.order_by(participants.c.seq)).all()


def details(row: Row[Any]) -> JsonObject:
    """What a participant's model is, as every answer about one says it."""
    return {
        "family": row.family,
        "lab": row.lab,
        "proprietaryName": row.proprietary_name,
        "licenseType": row.license_type,
        "cost": row.cost,
        "costUnit": row.cost_unit,
        "logo": row.logo,
    }


def create_participant(call: Call) -> Any:
    """``POST /benchmark/{id}/participants``."""
    benchmark = benchmark_service.required(call)
    fields = call.fields()
    name = fields.text("name")
    changes = _changes(call, fields)
    fields.check()
    participant_id = call.store.next_id("participant")
    dataset_id = call.store.next_id("dataset")
    values: JsonObject = {
        "id": participant_id,
        "benchmark_id": benchmark.id,
        "name": name,
        "model": name,
        "status": "Created",
        "votes_excluded": False,
        "dataset_id": dataset_id,
        "created_at": call.now,
    }
    call.store.add(participants, **(values | changes))
    return {"participantId": participant_id, "datasetId": dataset_id}


def list_participants(call: Call) -> Any:
    """``GET /benchmark/{id}/participants``; everybody, when no page is asked for."""
    benchmark_id = benchmark_service.required(call).id
    columns = participants.c
    listing = Listing(
        rows=select(participants).where(columns.benchmark_id == benchmark_id),
        order=(columns.seq,),
        fields={
            "id": Field(columns.id),
            "name": Field(columns.name),
            "status": Field(columns.status),
        },
        sorts={"id": columns.id, "name": columns.name, "status": columns.status},
    )
    if last(call.query, "page") is None and last(call.query, "page_size") is None:
        return _everybody(call, listing)
    return benchmark_service.listed(call, listing, _view)


def get_participant(call: Call) -> Any:
    """``GET /participant/{id}``."""
    return _view(required(call)) | {"calculatedCost": None, "faucet": None}


def update_participant(call: Call) -> None:
    """``PATCH /participant/{id}``, where null clears; also ``PUT …/name``."""
    row = required(call)
    fields = call.fields()
    changes = _changes(call, fields)
    if ("votes_excluded" in changes) and row.status != "Disabled":
        fields.wrong("votesExcluded", "votesExcluded can be set while a participant is disabled.")
    fields.check()
    save(call.store, row, changes)


def delete_participant(call: Call) -> None:
    """``DELETE /participant/{id}``: with its media; its matchups no longer count."""
    row = required(call)
    call.store.write(delete(samples).where(samples.c.participant_id == row.id))
    call.store.write(delete(participants).where(participants.c.id == row.id))


def disable_participant(call: Call) -> None:
    """``POST /participant/{id}/disable``: its votes count on with ``keepVotes=true`` only."""
    row = required(call)
    kept = (last(call.query, "keepVotes") or "false").lower() == "true"
    save(call.store, row, {"status": "Disabled", "votes_excluded": not kept})


def enable_participant(call: Call) -> None:
    """``POST /participant/{id}/enable``."""
    row = required(call)
    if row.status != "Disabled":
        raise invalid({"participantId": [f"The participant is not disabled, it is {row.status}."]})
    save(call.store, row, {"status": "Submitted", "votes_excluded": False})


def submit_participants(call: Call) -> Any:
    """``POST /participants/submit``: one run per leaderboard for all of them together."""
    fields = call.fields()
    ids = fields.optional_texts("participantIds")
    if not ids:
        fields.wrong("participantIds", "participantIds is required.")
    if len(ids) > MAX_SUBMITTED:
        fields.wrong("participantIds", f"At most {MAX_SUBMITTED} participants at once.")
    fields.check()
    return _submit(call, ids)


def submit_participant(call: Call) -> Any:
    """``POST /participants/{id}/submit``, as in the older dialect."""
    answer = _submit(call, [required(call).id])
    warning = answer["minAssetsPerPromptWarning"]
    if warning is not None:
        [participant] = warning.pop("underfilledParticipants")
        warning["underfilledPrompts"] = participant["underfilledPrompts"]
    return answer


def _submit(call: Call, ids: Sequence[str]) -> JsonObject:
    rows = [find(call.store, participant_id) for participant_id in dict.fromkeys(ids)]
    errors: list[str] = []
    for participant_id, row in zip(dict.fromkeys(ids), rows, strict=True):
        if row is None:
            errors.append(f"There is no participant with the id {participant_id}.")
        elif row.status not in _READY:
            errors.append(f"The participant {participant_id} is {row.status} already.")
        elif row.status == "Created":
            errors.append(f"The participant {participant_id} has no samples.")
    chosen = [row for row in rows if row is not None]
    if len({row.benchmark_id for row in chosen}) > 1:
        errors.append("The participants belong to different benchmarks.")
    if errors:
        raise invalid({"participantIds": errors})
    benchmark_id = chosen[0].benchmark_id
    for row in chosen:
        save(call.store, row, {"status": "Submitted"})
    leaderboards.start_runs(call, benchmark_id, (row.id for row in chosen))
    valid = select(func.count()).where(samples.c.participant_id.in_([row.id for row in chosen]))
    return {
        "validDatapoints": call.store.number(valid),
        "invalidDatapoints": 0,
        "minAssetsPerPromptWarning": _warning(call.store, benchmark_id, chosen),
    }


def _warning(store: Store, benchmark_id: str, rows: Sequence[Row[Any]]) -> JsonObject | None:
    """Which prompts have some samples, but fewer than the benchmark wants."""
    benchmark = benchmark_service.find(store, benchmark_id)
    minimum = None if benchmark is None else benchmark.min_assets_per_prompt
    if minimum is None:
        return None
    underfilled: list[JsonObject] = []
    for row in rows:
        wanted = select(samples.c.identifier).where(samples.c.participant_id == row.id)
        counts = Counter(sample.identifier for sample in store.read(wanted))
        few = [
            {"identifier": identifier, "assetCount": count}
            for identifier, count in sorted(counts.items())
            if count < minimum
        ]
        if few:
            underfilled.append({"participantId": row.id, "underfilledPrompts": few})
    if not underfilled:
        return None
    return {"minAssetsPerPrompt": minimum, "underfilledParticipants": underfilled}


def _changes(call: Call, fields: Fields) -> JsonObject:
    """What a request sets, under the names of the columns; null clears what is not required."""
    name = fields.given_text("name")
    changes: JsonObject = {} if name is None else {"name": name}
    excluded = fields.optional_flag("votesExcluded")
    if excluded is not None:
        changes["votes_excluded"] = excluded
    clearable = {
        "family": ("family", fields.optional_text("family")),
        "lab": ("lab", fields.optional_text("lab")),
        "proprietaryName": ("proprietary_name", fields.optional_text("proprietaryName")),
        "licenseType": ("license_type", fields.one_of("licenseType", _LICENSES)),
        "cost": ("cost", fields.positive("cost")),
        "costUnit": ("cost_unit", fields.one_of("costUnit", _COST_UNITS)),
        "logo": ("logo", _logo(call, fields)),
    }
    for key, (column, value) in clearable.items():
        if key in fields or fields.is_null(key):
            changes[column] = value
    if ("cost" in changes) != ("cost_unit" in changes) or (
        "cost" in changes and (changes["cost"] is None) != (changes["cost_unit"] is None)
    ):
        fields.wrong("cost", "cost and costUnit are set and cleared together.")
    return changes


def _logo(call: Call, fields: Fields) -> str | None:
    asset = fields.optional_object("logo")
    if asset is None:
        return None
    fields.note("logo", asset_service.problems(call.store, asset))
    return str(asset.get("name"))


def _everybody(call: Call, listing: Listing) -> JsonObject:
    """All pages of a list as one."""
    items: list[JsonObject] = []
    while True:
        number = len(items) // MAX_PAGE_SIZE + 1
        query = (*call.query, ("page", str(number)), ("page_size", str(MAX_PAGE_SIZE)))
        page = benchmark_service.listed(replace(call, query=query), listing, _view)
        items += page["items"]
        if number >= page["totalPages"]:
            return page | {
                "items": items,
                "page": 1,
                "pageSize": max(1, len(items)),
                "totalPages": 1,
            }


def _view(row: Row[Any]) -> JsonObject:
    return details(row) | {
        "id": row.id,
        "name": row.name,
        "benchmarkId": row.benchmark_id,
        "status": row.status,
        "votesExcluded": row.votes_excluded,
        "createdAt": rfc3339(row.created_at),
    }


ENDPOINTS = (
    Endpoint("POST", "/benchmark/{benchmark_id}/participants", create_participant),
    Endpoint("GET", "/benchmark/{benchmark_id}/participants", list_participants),
    Endpoint("POST", "/participants/submit", submit_participants),
    Endpoint("POST", "/participants/{participant_id}/submit", submit_participant),
    Endpoint("GET", "/participant/{participant_id}", get_participant),
    Endpoint("PATCH", "/participant/{participant_id}", update_participant),
    Endpoint("PUT", "/participant/{participant_id}/name", update_participant),
    Endpoint("DELETE", "/participant/{participant_id}", delete_participant),
    Endpoint("POST", "/participant/{participant_id}/disable", disable_participant),
    Endpoint("POST", "/participant/{participant_id}/enable", enable_participant),
)
