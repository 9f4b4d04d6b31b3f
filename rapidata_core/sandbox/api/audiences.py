"""Audiences: given, custom, filtered and unlisted ones."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Row, bindparam, case, delete, false, literal, or_, select, update

from rapidata_core.sandbox import filters, lifecycle, pools, qualification
from rapidata_core.sandbox.api import assets as asset_service
from rapidata_core.sandbox.api.call import Call, Endpoint, Fields, JsonObject
from rapidata_core.sandbox.clock import rfc3339
from rapidata_core.sandbox.crowd import POPULATION
from rapidata_core.sandbox.listing import Field, Listing, last, page_of
from rapidata_core.sandbox.problems import Problem
from rapidata_core.sandbox.settings import ORGANIZATION_ID, OWNER_MAIL
from rapidata_core.sandbox.store import Store
from rapidata_core.sandbox.tables import audiences, examples, jobs

_GIVEN = (
    ("global", "Global", "Everybody, at once.", "global"),
    ("aud_MU1GZYoESyO", "Alignment", "Trained to judge how well media match a prompt.", "curated"),
    ("aud_mr3NbeWa4Uo", "Likert", "Trained to rate on a scale.", "curated"),
)
LISTED = ("global", "curated", "custom")
"""The kinds of audiences that lists show."""
_DEFAULT_RULE: JsonObject = {
    "_t": "TaskAccuracy",
    "targetAccuracy": 0.75,
    "minTasks": 10,
    "maxTasks": None,
}
_COUNTS = (
    "minimumSizeForActivation",
    "maxDistillingResponses",
    "dropMinResponses",
    "maxDistillingSessions",
    "inactivityDropDays",
    "minSessionsForSubmissionRate",
    "minDistillingForGlobalBoost",
    "minGraduatedForDistillingBoost",
)
_SHARES = ("dropScore", "minSubmissionRate", "minSubmissionRateGraduated")
_MODES = ("Random", "Shuffled", "Sequential")
# What changes who qualifies, as opposed to what only describes.
_DECISIVE = ("filters", "graduationRule", "maxDistillingResponses", "distillingRetrievalMode")

_NOW = bindparam("now", type_=BigInteger)
# :func:`rapidata_core.sandbox.pools.status` in SQL.
_STATUS = case(
    (audiences.c.recruited_at.is_(None), "Created"),
    (audiences.c.ready_at > _NOW, "Recruiting"),
    else_="Ready",
)
_LISTING = Listing(
    rows=select(audiences).where(audiences.c.kind.in_(LISTED)),
    order=(audiences.c.seq,),
    fields={
        "name": Field(audiences.c.name),
        "status": Field(_STATUS),
        "is_public": Field(audiences.c.is_public, "flag"),
        "is_distilling": Field(or_(audiences.c.over_at > _NOW, false()), "flag"),
        "owner_mail": Field(literal(OWNER_MAIL)),
        "created_at": Field(audiences.c.created_at, "time"),
    },
    sorts={
        "name": audiences.c.name,
        "created_at": audiences.c.created_at,
        "status": _STATUS,
        # How many there are when recruiting is over: who graduated so far is known one by one only.
        "qualified_user_count": audiences.c.qualified,
    },
)
_OWNED = Listing(
    rows=_LISTING.rows.where(audiences.c.is_public.is_(False)),
    order=_LISTING.order,
    fields=_LISTING.fields,
    sorts=_LISTING.sorts,
)
_UNLISTED = Listing(
    rows=select(audiences).where(audiences.c.kind == "unlisted"),
    order=(audiences.c.seq,),
    fields={
        "name": Field(audiences.c.name),
        "created_at": Field(audiences.c.created_at, "time"),
    },
    sorts={"name": audiences.c.name, "created_at": audiences.c.created_at},
)


def add_given_audiences(store: Store) -> None:
    """Put the audiences that exist without anybody's doing into a new store."""
    now = store.clock.anchor.simulated
    for audience_id, name, description, kind in _GIVEN:
        _add(
            store,
            now,
            id=audience_id,
            name=name,
            description=description,
            kind=kind,
            pool=kind,
            is_public=True,
            recruited_at=now,
            ready_at=now,
            over_at=now,
            qualified=POPULATION,
        )


def create_audience(call: Call) -> Any:
    """``POST /audience``."""
    fields = call.fields()
    name = fields.text("name")
    description = fields.optional_text("description")
    selection = _read_filters(fields)
    rule = _read_rule(fields)
    options = _read_options(call.store, fields)
    fields.check()
    audience_id = call.store.next_id("audience")
    _add(
        call.store,
        call.now,
        id=audience_id,
        name=name,
        description=description,
        filters=selection,
        rule=rule or _DEFAULT_RULE,
        options=options,
    )
    return {"audienceId": audience_id}


def create_unlisted_audience(call: Call) -> Any:
    """``POST /audience/unlisted``."""
    fields = call.fields()
    name = fields.text("name")
    fields.check()
    # Clients tell unlisted audiences by this prefix.
    audience_id = f"ula_{call.store.next_id('unlisted')}"
    ready = {"recruited_at": call.now, "ready_at": call.now, "over_at": call.now}
    people = {"qualified": pools.INVITED}
    _add(call.store, call.now, id=audience_id, name=name, kind="unlisted", **ready, **people)
    return {"audienceId": audience_id}


def create_filtered_audience(call: Call) -> Any:
    """``POST /audience/{id}/filter``."""
    base = required(call, *LISTED)
    fields = call.fields()
    wanted = fields.optional_object("filter")
    if "filter" not in fields:
        fields.wrong("filter", "filter is required.")
    elif wanted is not None:
        fields.note("filter", filters.problems(wanted))
    fields.check()
    audience_id = call.store.next_id("audience")
    _add(
        call.store,
        call.now,
        id=audience_id,
        name=base.name,
        kind="filtered",
        pool=base.pool,
        base_id=base.id,
        slice=wanted,
    )
    return {"audienceId": audience_id}


def list_audiences(call: Call) -> Any:
    """``GET /audiences``."""
    listing = _OWNED if last(call.query, "scope") == "Owned" else _LISTING

    def item(row: Row[Any]) -> JsonObject:
        return _both_views(call, row) | {"isShared": False, "judgedShare": None}

    return page_of(call.store, listing, call.query, item, now=call.now)


def list_unlisted_audiences(call: Call) -> Any:
    """``GET /audiences/unlisted``."""
    return page_of(call.store, _UNLISTED, call.query, lambda row: _unlisted(call, row))


def get_audience(call: Call) -> Any:
    """``GET /audience/{id}``; of a filtered audience, what it is a part of, and its filter."""
    row = required(call, *LISTED, "filtered")
    base = pools.base_of(call.store, row)
    view = _both_views(call, base)
    options = base.options
    if row.slice is not None:
        view["filter"] = row.slice
    return view | {
        "id": row.id,
        "baseAudienceId": base.id,
        "ownerId": call.account.owner_id,
        "distillingCampaignId": f"sbx_campaign_{base.id}",
        "distillingRetrievalMode": options.get("distillingRetrievalMode", "Random"),
        "boostLevel": "Distilling" if view["isDistilling"] else "Stable",
        **{name: options.get(name) for name in (*_COUNTS[1:], *_SHARES)},
    }


def get_unlisted_audience(call: Call) -> Any:
    """``GET /audience/unlisted/{id}``."""
    return _unlisted(call, required(call, "unlisted"))


def update_audience(call: Call) -> Any:
    """``PATCH /audience/{id}``: who qualified is found anew when that may have changed."""
    row = changeable(call, "custom", "unlisted")
    fields = call.fields()
    changes: JsonObject = {}
    if "name" in fields:
        changes["name"] = fields.text("name")
    if "description" in fields:
        changes["description"] = fields.optional_text("description")
    if "filters" in fields:
        changes["filters"] = _read_filters(fields)
    if "graduationRule" in fields:
        changes["rule"] = _read_rule(fields)
    changes["options"] = row.options | _read_options(call.store, fields)
    fields.check()
    call.store.write(update(audiences).where(audiences.c.id == row.id).values(**changes))
    decisive = any(name in fields for name in _DECISIVE)
    return {
        "recalculationId": recalculate(call, row.id) if decisive else None,
        "inactivitySyncId": None,
    }


def delete_audience(call: Call) -> None:
    """``DELETE /audience/{id}``, with its filtered audiences; its jobs go on."""
    row = changeable(call, "custom", "unlisted", "filtered")
    call.store.write(delete(examples).where(examples.c.audience_id == row.id))
    gone = or_(audiences.c.id == row.id, audiences.c.base_id == row.id)
    call.store.write(delete(audiences).where(gone))


def start_recruiting(call: Call) -> None:
    """``POST /audience/{id}/recruit``; nothing happens when it has begun already."""
    row = changeable(call, "custom")
    if row.cohort_id is not None or pools.recruit_if_needed(call.store, row.id, call.now):
        return
    count = qualification.count_examples(call.store, row.id)
    least = qualification.MIN_EXAMPLES
    detail = f"The audience has {count} qualification examples; recruiting needs at least {least}."
    raise Problem(400, "The audience has too few examples.", detail, {"examples": [detail]})


def get_user_metrics(call: Call) -> Any:
    """``GET /audience/{id}/user-metrics``."""
    row = required(call, *LISTED, "filtered")
    counts = pools.users_per_state(call.store, row, call.now)
    graduated = counts["Graduated"]
    capacity = "Sufficient" if graduated >= qualification.ENOUGH else "Low"
    return {"usersPerState": counts, "capacity": capacity if graduated else "None"}


def list_jobs(call: Call) -> Any:
    """``GET /audience/{id}/jobs``."""
    row = required(call, *LISTED, "filtered", "unlisted")
    columns = jobs.c
    listing = Listing(
        rows=select(jobs, lifecycle.STATE.label("state")).where(columns.audience_id == row.id),
        order=(columns.seq,),
        fields={
            "job_id": Field(columns.id),
            "name": Field(columns.name),
            "definition_id": Field(columns.definition_id),
            "status": Field(lifecycle.STATE),
            "created_at": Field(columns.created_at, "time"),
        },
        sorts={
            "name": columns.name,
            "created_at": columns.created_at,
            "status": lifecycle.STATE,
        },
    )
    return page_of(call.store, listing, call.query, _job, now=call.now)


def _add(store: Store, now: int, **values: Any) -> None:
    defaults: JsonObject = {
        "description": None,
        "kind": "custom",
        "pool": "global",
        "base_id": None,
        "slice": None,
        "filters": [],
        "rule": _DEFAULT_RULE,
        "options": {},
        "is_public": False,
        "created_at": now,
        "cohort_id": None,
        "recruited_at": None,
        "ready_at": None,
        "over_at": None,
        "qualified": 0,
        "dropped": 0,
    }
    store.add(audiences, **(defaults | values))


def required(call: Call, *kinds: str) -> Row[Any]:
    """The audience of the path, which has to be of one of these kinds.

    Raises:
        Problem: It is not, or there is none.
    """
    row = call.row(audiences, "Audience", "audience_id")
    if row.kind not in kinds:
        raise _refused(row)
    return row


def changeable(call: Call, *kinds: str) -> Row[Any]:
    """The audience of the path, which has to be one's own and of one of these kinds.

    Raises:
        Problem: It is not, or there is none.
    """
    row = required(call, *LISTED, "filtered", "unlisted")
    if row.is_public:
        raise Problem(403, "Forbidden", f"The audience {row.name} belongs to everybody.")
    if row.kind not in kinds:
        raise _refused(row)
    return row


def _refused(row: Row[Any]) -> Problem:
    detail = f"This cannot be done with {row.id}, which is an audience of the kind {row.kind}."
    return Problem(400, "The audience is of another kind.", detail)


def recalculate(call: Call, audience_id: str) -> str | None:
    """Qualify everybody anew, if they have been before; returns the id of the recalculation."""
    row = pools.find(call.store, audience_id)
    if row is None or row.cohort_id is None:
        return None
    return qualification.recruit(call.store, row, call.now)


def _read_filters(fields: Fields) -> list[JsonObject]:
    wanted = fields.optional_objects("filters")
    for each in wanted:
        fields.note("filters", filters.problems(each))
    return wanted


def _read_rule(fields: Fields) -> JsonObject | None:
    rule = fields.optional_object("graduationRule")
    if rule is None:
        return None
    values = Fields(rule)
    match rule.get("_t"):
        case "TaskAccuracy":
            tasks, most = _count(values, "minTasks", 1), _optional_count(values, "maxTasks", 1)
            kept = {"targetAccuracy": values.share("targetAccuracy")}
            kept |= {"minTasks": tasks, "maxTasks": most}
            if most is not None and most < tasks:
                values.wrong("maxTasks", "maxTasks is smaller than minTasks.")
        case "ScoreThreshold":
            kept = {"graduationScore": values.share("graduationScore")}
            kept |= {"demotionScore": values.optional_share("demotionScore")}
            name = "minResponsesToGraduate"
            kept |= {name: _optional_count(values, name, 0)}
        case "AcceptedFreeText":
            kept = {"minAcceptedResponses": _count(values, "minAcceptedResponses", 0)}
            kept |= {"minAcceptedRatio": values.share("minAcceptedRatio")}
            kept |= {"demotionRatio": values.optional_share("demotionRatio")}
        case kind:
            kept = {}
            values.wrong("_t", f"{kind!r} is not a graduation rule.")
    for name, texts in values.errors.items():
        for text in texts:
            fields.wrong(f"graduationRule.{name}", text)
    return {"_t": rule.get("_t")} | kept


def _read_options(store: Store, fields: Fields) -> JsonObject:
    """The options that are given."""
    kept: JsonObject = {
        name: _optional_count(fields, name, 0) for name in _COUNTS if name in fields
    }
    kept |= {name: fields.optional_share(name) for name in _SHARES if name in fields}
    mode = fields.one_of("distillingRetrievalMode", _MODES)
    if mode is not None:
        kept["distillingRetrievalMode"] = mode
    logo = fields.optional_object("logo")
    if logo is not None:
        fields.note("logo", asset_service.problems(store, logo))
        kept["logo"] = logo.get("name")
    return kept


def _count(fields: Fields, name: str, least: int) -> int:
    if name not in fields:
        fields.wrong(name, f"{name} is required.")
    return _optional_count(fields, name, least) or least


def _optional_count(fields: Fields, name: str, least: int) -> int | None:
    value = fields.optional_whole(name)
    if value is not None and value < least:
        fields.wrong(name, f"{name} is at least {least}.")
    return value


def _both_views(call: Call, row: Row[Any]) -> JsonObject:
    """What the list and the single view say about an audience that is not a filtered one."""
    counts = pools.users_per_state(call.store, row, call.now)
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "status": pools.status(call.store, row, call.now),
        "qualifiedUserCount": counts["Graduated"],
        "filters": row.filters,
        "logo": row.options.get("logo"),
        "createdAt": rfc3339(row.created_at),
        "ownerMail": OWNER_MAIL,
        "organizationId": ORGANIZATION_ID,
        "isPublic": row.is_public,
        "isDistilling": row.over_at is not None and row.over_at > call.now,
        "graduationRule": row.rule,
        "randomAdmissionProbability": None,
        "health": None,
        "graduated": counts["Graduated"],
        "dropped": counts.get("Dropped", 0),
    }


def _unlisted(call: Call, row: Row[Any]) -> JsonObject:
    return {
        "id": row.id,
        "name": row.name,
        "createdAt": rfc3339(row.created_at),
        "ownerId": call.account.owner_id,
        "ownerMail": OWNER_MAIL,
        "organizationId": ORGANIZATION_ID,
    }


def _job(row: Row[Any]) -> JsonObject:
    return {
        "jobId": row.id,
        "name": row.name,
        "definitionId": row.definition_id,
        "audienceId": row.audience_id,
        "revisionNumber": row.revision,
        "pipelineId": row.pipeline_id,
        "state": row.state,
        "createdAt": rfc3339(row.created_at),
    }


ENDPOINTS = (
    Endpoint("POST", "/audience", create_audience),
    Endpoint("GET", "/audiences", list_audiences),
    Endpoint("POST", "/audience/unlisted", create_unlisted_audience),
    Endpoint("GET", "/audiences/unlisted", list_unlisted_audiences),
    Endpoint("GET", "/audience/unlisted/{audience_id}", get_unlisted_audience),
    Endpoint("GET", "/audience/{audience_id}", get_audience),
    Endpoint("PATCH", "/audience/{audience_id}", update_audience),
    Endpoint("DELETE", "/audience/{audience_id}", delete_audience),
    Endpoint("POST", "/audience/{audience_id}/filter", create_filtered_audience),
    Endpoint("POST", "/audience/{audience_id}/recruit", start_recruiting),
    Endpoint("GET", "/audience/{audience_id}/user-metrics", get_user_metrics),
    Endpoint("GET", "/audience/{audience_id}/jobs", list_jobs),
)
