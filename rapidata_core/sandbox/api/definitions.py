"""Job definitions and their revisions."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, func, select, update

from rapidata_core.sandbox import collection, money
from rapidata_core.sandbox.api import datasets as dataset_service
from rapidata_core.sandbox.api.call import Call, Endpoint, Fields, JsonObject
from rapidata_core.sandbox.clock import SECOND, rfc3339
from rapidata_core.sandbox.listing import Field, Listing, page_of
from rapidata_core.sandbox.problems import Problem, invalid, missing
from rapidata_core.sandbox.settings import ORGANIZATION_ID, OWNER_MAIL
from rapidata_core.sandbox.store import Store
from rapidata_core.sandbox.tables import datapoints, definitions, revisions
from rapidata_core.sandbox.tasks import (
    RANKING,
    Referee,
    Workflow,
    read_flags,
    read_referee,
    read_workflow,
)

_PREPARATION = 3 * SECOND // 10
"""How long a new revision is ``Pending`` and has no cost estimate."""


@dataclass(frozen=True, slots=True)
class _Content:
    """What a revision says, beside its number."""

    dataset_id: str
    workflow: Workflow
    referee: JsonObject
    flags: list[JsonObject]
    campaign_flags: list[JsonObject]


def create_definition(call: Call) -> Any:
    """``POST /job/definition``."""
    fields = call.fields()
    name = fields.text("definitionName")
    for key in ("workflow", "referee"):
        if key not in fields:
            fields.wrong(key, f"{key} is required.")
    fields.text("datasetId")
    content = _content(fields)
    fields.check()
    _check_dataset(call.store, content)
    definition_id = call.store.next_id("definition")
    call.store.add(
        definitions,
        id=definition_id,
        name=name,
        type=content.workflow.type,
        created_at=call.now,
        deleted=False,
    )
    pipeline_id = _add_revision(call, fields, definition_id, 1, content)
    return {"definitionId": definition_id, "pipelineId": pipeline_id}


def create_revision(call: Call) -> Any:
    """``POST /job/definition/{id}/revision``: what is not given is inherited."""
    definition = _required(call)
    latest = latest_revision(call.store, definition.id)
    fields = call.fields()
    base = fields.optional_whole("baseRevisionNumber")
    if fields.optional_flag("requireLatest") and base != latest.number:
        detail = f"Revision {latest.number} is newer than the base revision {base}."
        raise Problem(409, "Revision conflict", detail, latestRevisionNumber=latest.number)
    if ("workflow" in fields) != ("referee" in fields):
        fields.wrong("workflow", "workflow and referee must be given together.")
    content = _content(fields, latest)
    fields.check()
    if content.workflow.type != definition.type:
        raise invalid({"workflow": [f"The definition is of the type {definition.type}."]})
    _check_dataset(call.store, content)
    number = latest.number + 1
    pipeline_id = _add_revision(call, fields, definition.id, number, content)
    return {"revisionNumber": number, "pipelineId": pipeline_id}


def list_definitions(call: Call) -> Any:
    """``GET /job/definitions``."""
    columns = definitions.c
    count = select(func.count()).where(revisions.c.definition_id == columns.id)
    identifier = Field(columns.id)
    listing = Listing(
        rows=select(definitions, count.scalar_subquery().label("revision_count")).where(
            columns.deleted.is_(False)
        ),
        order=(columns.seq,),
        fields={
            "id": identifier,
            "definition_id": identifier,
            "name": Field(columns.name),
            "definition_type": Field(columns.type),
            "created_at": Field(columns.created_at, "time"),
        },
        sorts={"name": columns.name, "created_at": columns.created_at},
    )

    def item(row: Row[Any]) -> JsonObject:
        return _both_views(call, row) | {"revisionCount": row.revision_count}

    return page_of(call.store, listing, call.query, item)


def get_definition(call: Call) -> Any:
    """``GET /job/definition/{id}``."""
    return _both_views(call, _required(call)) | {"isPublic": False}


def rename_definition(call: Call) -> None:
    """``PATCH /job/definition/{id}``."""
    definition = _required(call)
    fields = call.fields()
    name = fields.text("name") if "name" in fields else definition.name
    fields.check()
    change = update(definitions).where(definitions.c.id == definition.id).values(name=name)
    call.store.write(change)


def clone_definition(call: Call) -> Any:
    """``POST /job/definition/{id}/clone``: the latest revision, on the same dataset."""
    definition = _required(call)
    fields = call.fields()
    name = fields.optional_text("definitionName") or f"{definition.name} (copy)"
    fields.check()
    latest = latest_revision(call.store, definition.id)
    clone_id, pipeline_id = call.store.next_id("definition"), call.store.next_id("pipeline")
    call.store.add(
        definitions,
        id=clone_id,
        name=name,
        type=definition.type,
        created_at=call.now,
        deleted=False,
    )
    copied = latest._asdict() | {  # pyright: ignore[reportPrivateUsage] -- public, as in namedtuple
        "definition_id": clone_id,
        "number": 1,
        "pipeline_id": pipeline_id,
        "base_number": None,
        "created_at": call.now,
    }
    call.store.add(revisions, **copied)
    return {"definitionId": clone_id, "pipelineId": pipeline_id}


def delete_definition(call: Call) -> None:
    """``DELETE /job/definition/{id}``."""
    definition = _required(call)
    change = update(definitions).where(definitions.c.id == definition.id).values(deleted=True)
    call.store.write(change)


def get_latest_revision(call: Call) -> Any:
    """``GET /job/definition/{id}/revision``."""
    return _revision(call, latest_revision(call.store, _required(call).id))


def get_revision(call: Call) -> Any:
    """``GET /job/definition/{id}/revision/{number}``."""
    definition = _required(call)
    number = call.path["number"]
    row = find_revision(call.store, definition.id, int(number)) if number.isdecimal() else None
    if row is None:
        raise missing("Revision", f"{definition.id}/{number}")
    return _revision(call, row)


def list_revisions(call: Call) -> Any:
    """``GET /job/definition/{id}/revisions``."""
    definition = _required(call)
    columns = revisions.c
    listing = Listing(
        rows=select(revisions).where(columns.definition_id == definition.id),
        order=(columns.number,),
        fields={
            "revision_number": Field(columns.number, "number"),
            "created_at": Field(columns.created_at, "time"),
        },
        sorts={"revision_number": columns.number, "created_at": columns.created_at},
    )
    return page_of(call.store, listing, call.query, lambda row: _revision_item(call, row))


def get_cost_estimate(call: Call) -> Any:
    """``GET /job/definition/{id}/cost-estimate``: 409 until the latest revision is prepared."""
    row = latest_revision(call.store, _required(call).id)
    if _state(call, row) == "Pending":
        raise Problem(409, "The cost estimate is not available yet.")
    points, last = snapshot(call.store, row.dataset_id)
    return cost(points, most_responses(call.store, row, last))


def cost(points: int, responses: int) -> JsonObject:
    """A cost estimate, for as many responses as there can be."""
    return {
        "estimatedCost": money.number(money.price(responses)),
        "costPerResponse": money.number(money.price(1)),
        "datapointCount": points,
        "requiredResponses": responses,
    }


def task_of(revision: Row[Any]) -> tuple[Workflow, Referee]:
    """What a revision asks, and when there are enough answers."""
    workflow = read_workflow(revision.workflow)
    return workflow, read_referee(revision.referee, workflow)


def most_responses(store: Store, revision: Row[Any], last: int) -> int:
    """How many answers a revision can need, about the datapoints up to the last one."""
    workflow, referee = task_of(revision)
    columns = datapoints.c
    wanted = select(func.count()).where(
        columns.dataset_id == revision.dataset_id, columns.seq <= last
    )
    sizes = store.read(wanted.group_by(func.coalesce(columns.group_name, ""))).scalars().all()
    return collection.most_responses(workflow, referee, sizes)


def find_definition(store: Store, definition_id: str) -> Row[Any] | None:
    """A definition's row, unless it is deleted."""
    wanted = select(definitions).where(definitions.c.id == definition_id)
    return store.one(wanted.where(definitions.c.deleted.is_(False)))


def find_revision(store: Store, definition_id: str, number: int) -> Row[Any] | None:
    """A revision's row."""
    wanted = select(revisions).where(revisions.c.definition_id == definition_id)
    return store.one(wanted.where(revisions.c.number == number))


def latest_revision(store: Store, definition_id: str) -> Row[Any]:
    """The newest revision; every definition has one."""
    wanted = select(revisions).where(revisions.c.definition_id == definition_id)
    return store.read(wanted.order_by(revisions.c.number.desc()).limit(1)).one()


def snapshot(store: Store, dataset_id: str) -> tuple[int, int]:
    """How many datapoints a dataset has, and the number of the last one."""
    wanted = select(func.count().label("points"), func.max(datapoints.c.seq).label("highest"))
    row = store.read(wanted.where(datapoints.c.dataset_id == dataset_id)).one()
    return row.points, row.highest or 0


def _content(fields: Fields, latest: Row[Any] | None = None) -> _Content:
    """Read a revision from a request; ``latest`` is what it inherits from."""
    workflow = fields.optional_object("workflow")
    referee = fields.optional_object("referee")
    dataset_id = fields.optional_text("datasetId")
    flags = fields.optional_objects("rapidFeatureFlags")
    campaign = fields.optional_objects("campaignFeatureFlags")
    fields.check()
    if latest is not None:
        workflow = latest.workflow if workflow is None else workflow
        referee = latest.referee if referee is None else referee
        dataset_id = dataset_id or latest.dataset_id
        flags = flags if "rapidFeatureFlags" in fields else latest.flags
        campaign = campaign if "campaignFeatureFlags" in fields else latest.campaign_flags
    read_flags(flags)
    read_flags(campaign)
    read = read_workflow(workflow or {})
    read_referee(referee or {}, read)
    return _Content(dataset_id or "", read, referee or {}, flags, campaign)


def _check_dataset(store: Store, content: _Content) -> None:
    """Refuse a dataset that the task cannot ask about."""
    if dataset_service.find(store, content.dataset_id) is None:
        raise invalid({"datasetId": [f"There is no dataset with the id {content.dataset_id}."]})
    wanted = select(datapoints.c.id, datapoints.c.segments, datapoints.c.group_name)
    rows = store.read(wanted.where(datapoints.c.dataset_id == content.dataset_id)).all()
    if not rows:
        raise invalid({"datasetId": ["The dataset has no datapoints."]})
    for row in rows:
        _check_datapoint(content.workflow, row.id, row.segments)
    if content.workflow.type == RANKING:
        sizes = Counter(row.group_name for row in rows)
        alone = [name for name, size in sizes.items() if size < 2]
        if alone:
            raise invalid({"datasetId": [f"The ranking {alone[0]} has less than two items."]})


def _check_datapoint(workflow: Workflow, datapoint_id: str, segments: list[JsonObject]) -> None:
    by_key = {segment["key"]: segment for segment in segments}
    asset = by_key["asset"]["asset"]
    items = len(asset["assets"]) if asset["_t"] == "MultiAssetInput" else 1
    if workflow.type == "Compare" and items != 2:
        message = f"A comparison needs two items; the datapoint {datapoint_id} has others."
        raise invalid({"datasetId": [message]})
    if workflow.type != "Compare" and items != 1:
        message = f"The task needs single items; the datapoint {datapoint_id} has {items}."
        raise invalid({"datasetId": [message]})
    if workflow.type == "Classify" and workflow.options is None and "answer_options" not in by_key:
        raise invalid({"datasetId": [f"The datapoint {datapoint_id} has no answer options."]})
    if workflow.type == "Transcription" and "transcription" not in by_key:
        raise invalid({"datasetId": [f"The datapoint {datapoint_id} has no transcription."]})


def _add_revision(
    call: Call, fields: Fields, definition_id: str, number: int, content: _Content
) -> str:
    pipeline_id = call.store.next_id("pipeline")
    call.store.add(
        revisions,
        definition_id=definition_id,
        number=number,
        pipeline_id=pipeline_id,
        dataset_id=content.dataset_id,
        workflow=content.workflow.json,
        referee=content.referee,
        flags=content.flags,
        campaign_flags=content.campaign_flags,
        aggregator_type=fields.optional_text("aggregatorType"),
        validation_set_id=fields.optional_text("validationSetId"),
        base_number=fields.optional_whole("baseRevisionNumber"),
        created_at=call.now,
    )
    return pipeline_id


def _required(call: Call) -> Row[Any]:
    definition_id = call.path["definition_id"]
    definition = find_definition(call.store, definition_id)
    if definition is None:
        raise missing("Job definition", definition_id)
    return definition


def _state(call: Call, row: Row[Any]) -> str:
    return "Pending" if call.now < row.created_at + _PREPARATION else "Completed"


def _both_views(call: Call, row: Row[Any]) -> JsonObject:
    return {
        "definitionId": row.id,
        "name": row.name,
        "definitionType": row.type,
        "createdAt": rfc3339(row.created_at),
        "ownerId": call.account.owner_id,
        "ownerMail": OWNER_MAIL,
        "organizationId": ORGANIZATION_ID,
    }


def _revision_item(call: Call, row: Row[Any]) -> JsonObject:
    return {
        "definitionId": row.definition_id,
        "revisionNumber": row.number,
        "createdAt": rfc3339(row.created_at),
        "state": _state(call, row),
        "baseRevisionNumber": row.base_number,
    }


def _revision(call: Call, row: Row[Any]) -> JsonObject:
    return _revision_item(call, row) | {
        "pipelineId": row.pipeline_id,
        "datasetId": row.dataset_id,
        "aggregatorType": row.aggregator_type,
        "workflow": row.workflow,
        "referee": row.referee,
        "featureFlags": row.flags,
        "campaignFeatureFlags": row.campaign_flags,
        "validationSetId": row.validation_set_id,
        "createdById": call.account.owner_id,
        "createdByMail": OWNER_MAIL,
        "isInstructionComplex": False,
        "instructionComplexityReason": None,
    }


ENDPOINTS = (
    Endpoint("POST", "/job/definition", create_definition),
    Endpoint("GET", "/job/definitions", list_definitions),
    Endpoint("GET", "/job/definition/{definition_id}", get_definition),
    Endpoint("PATCH", "/job/definition/{definition_id}", rename_definition),
    Endpoint("DELETE", "/job/definition/{definition_id}", delete_definition),
    Endpoint("POST", "/job/definition/{definition_id}/clone", clone_definition),
    Endpoint("GET", "/job/definition/{definition_id}/revision", get_latest_revision),
    Endpoint("POST", "/job/definition/{definition_id}/revision", create_revision),
    Endpoint("GET", "/job/definition/{definition_id}/revision/{number}", get_revision),
    Endpoint("GET", "/job/definition/{definition_id}/revisions", list_revisions),
    Endpoint("GET", "/job/definition/{definition_id}/cost-estimate", get_cost_estimate),
)
