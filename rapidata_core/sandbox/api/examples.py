"""Qualification examples of audiences: whoever answers them well enough joins."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, delete, select, update

from rapidata_core.sandbox import examples as example_rules
from rapidata_core.sandbox import qualification
from rapidata_core.sandbox.api import assets as asset_service
from rapidata_core.sandbox.api.audiences import LISTED, changeable, recalculate, required
from rapidata_core.sandbox.api.call import Call, Endpoint, Fields, JsonObject
from rapidata_core.sandbox.api.datasets import read_context
from rapidata_core.sandbox.listing import Field, Listing, page_of
from rapidata_core.sandbox.problems import missing
from rapidata_core.sandbox.store import Store
from rapidata_core.sandbox.tables import examples
from rapidata_core.sandbox.tasks import instruction_problem

_VISIBILITIES = ("Private", "Public")


def create_example(call: Call) -> Any:
    """``POST /audience/{id}/example``."""
    row = changeable(call, "custom")
    fields = call.fields()
    content = _read_content(call.store, fields)
    details = _read_details(fields)
    if "randomCorrectProbability" not in fields:
        fields.wrong("randomCorrectProbability", "randomCorrectProbability is required.")
    fields.check()
    example_id = call.store.next_id("example")
    values: JsonObject = {
        "explanation": None,
        "sort_index": _next_sort_index(call.store, row.id),
        "is_common_sense": None,
        "flag_if_incorrect": None,
        "visibility": "Private",
        "flags": fields.optional_objects("featureFlags"),
    }
    call.store.add(examples, id=example_id, audience_id=row.id, **(values | content | details))
    example = call.store.read(select(examples).where(examples.c.id == example_id)).one()
    qualification.learn(call.store, example, call.now)
    return {"recalculationId": recalculate(call, row.id)}


def list_examples(call: Call) -> Any:
    """``GET /audience/{id}/examples``; in their order unless sorted otherwise."""
    row = required(call, *LISTED)
    columns = examples.c
    listing = Listing(
        rows=select(examples).where(columns.audience_id == row.id),
        order=(columns.sort_index, columns.seq),
        fields={
            "visibility": Field(columns.visibility),
            "is_common_sense": Field(columns.is_common_sense, "flag"),
            "flag_if_incorrect": Field(columns.flag_if_incorrect, "flag"),
        },
        sorts={"sort_index": columns.sort_index},
    )
    result, started = qualification.cohort(call.store, row.cohort_id)
    places = {
        example.id: place
        for place, example in enumerate(qualification.examples_of(call.store, row.id))
    }

    def item(example: Row[Any]) -> JsonObject:
        return _example(call.store, example) | dict(
            zip(
                ("correctCount", "incorrectCount"),
                result.answers_to(places[example.id], call.now - started),
                strict=True,
            )
        )

    return page_of(call.store, listing, call.query, item)


def update_example(call: Call) -> None:
    """``PATCH /audience/{id}/example/{id}``."""
    row = changeable(call, "custom")
    example = call.row(examples, "Example", "example_id")
    if example.audience_id != row.id:
        raise missing("Example", example.id)
    fields = call.fields()
    changes = _read_details(fields)
    payload = dict(example.payload)
    if "instructionText" in fields:
        member = example_rules.instruction_member(payload)
        payload[member] = fields.optional_text("instructionText")
        changes["payload"] = payload
        problem = instruction_problem("instructionText", payload[member])
        if problem is not None:
            fields.wrong("instructionText", problem)
    if "truth" in fields:
        changes["truth"] = fields.optional_object("truth")
        keys = example_rules.keys_of(example.asset)
        if changes["truth"] is not None:
            _note_all(fields, example_rules.problems(example.payload, changes["truth"], keys))
    changes |= read_context(call.store, fields)
    fields.check()
    if changes:
        call.store.write(update(examples).where(examples.c.id == example.id).values(**changes))
        recalculate(call, row.id)


def delete_example(call: Call) -> Any:
    """``DELETE /audience/example/{id}``."""
    example = call.row(examples, "Example", "example_id")
    call.store.write(delete(examples).where(examples.c.id == example.id))
    return {"recalculationId": recalculate(call, example.audience_id)}


def _read_content(store: Store, fields: Fields) -> JsonObject:
    """What an example shows and claims."""
    asset, payload = fields.optional_object("asset"), fields.optional_object("payload")
    truth = fields.optional_object("truth")
    for name in ("asset", "payload"):
        if name not in fields:
            fields.wrong(name, f"{name} is required.")
    complaints = [] if asset is None else list(asset_service.problems(store, asset))
    fields.note("asset", complaints)
    if payload is not None:
        keys = None if asset is None or complaints else example_rules.keys_of(asset)
        _note_all(fields, example_rules.problems(payload, truth, keys))
    content: JsonObject = {"context": None, "context_asset": None}
    content |= {"asset": asset, "payload": payload, "truth": truth}
    return content | read_context(store, fields)


def _read_details(fields: Fields) -> JsonObject:
    """What is said about an example beside its content, as far as it is given."""
    found: JsonObject = {}
    if "explanation" in fields:
        found["explanation"] = fields.optional_text("explanation")
    if "randomCorrectProbability" in fields:
        found["chance"] = fields.share("randomCorrectProbability")
    if "sortIndex" in fields:
        found["sort_index"] = fields.optional_whole("sortIndex")
    if "isCommonSense" in fields:
        found["is_common_sense"] = fields.optional_flag("isCommonSense")
    if "flagIfIncorrect" in fields:
        found["flag_if_incorrect"] = fields.optional_flag("flagIfIncorrect")
    if "visibility" in fields:
        found["visibility"] = fields.one_of("visibility", _VISIBILITIES)
    return found


def _next_sort_index(store: Store, audience_id: str) -> int:
    existing = qualification.examples_of(store, audience_id)
    return max((row.sort_index for row in existing), default=-1) + 1


def _note_all(fields: Fields, problems: example_rules.Problems) -> None:
    for name, message in problems:
        fields.wrong(name, message)


def _example(store: Store, row: Row[Any]) -> JsonObject:
    context_asset: JsonObject = {}
    if row.context_asset is not None:
        context_asset["contextAsset"] = asset_service.shown(store, row.context_asset)
    return context_asset | {
        "id": row.id,
        "rapidId": f"sbx_rapid_{row.id}",
        "asset": asset_service.shown(store, row.asset),
        "payload": row.payload,
        "truth": row.truth,
        "context": row.context,
        "explanation": row.explanation,
        "randomCorrectProbability": row.chance,
        "isCommonSense": row.is_common_sense,
        "flagIfIncorrect": row.flag_if_incorrect,
        "sortIndex": row.sort_index,
        "visibility": row.visibility,
    }


ENDPOINTS = (
    Endpoint("DELETE", "/audience/example/{example_id}", delete_example),
    Endpoint("POST", "/audience/{audience_id}/example", create_example),
    Endpoint("GET", "/audience/{audience_id}/examples", list_examples),
    Endpoint("PATCH", "/audience/{audience_id}/example/{example_id}", update_example),
)
