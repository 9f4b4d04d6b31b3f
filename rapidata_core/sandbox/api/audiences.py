"""Audiences: the public pool and the curated ones."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, select

from rapidata_core.sandbox.api.call import Call, Endpoint, JsonObject
from rapidata_core.sandbox.clock import rfc3339
from rapidata_core.sandbox.crowd import POOL_SIZE
from rapidata_core.sandbox.listing import Field, Listing, page_of
from rapidata_core.sandbox.problems import missing
from rapidata_core.sandbox.settings import ORGANIZATION_ID, OWNER_MAIL
from rapidata_core.sandbox.store import Store, audiences

_GIVEN = (
    ("global", "Global", "Everybody, at once.", "global"),
    ("aud_MU1GZYoESyO", "Alignment", "Trained to judge how well media match a prompt.", "curated"),
    ("aud_mr3NbeWa4Uo", "Likert", "Trained to rate on a scale.", "curated"),
)


def add_given_audiences(store: Store) -> None:
    """Put the audiences that exist without anybody's doing into a new store."""
    for audience_id, name, description, pool in _GIVEN:
        store.add(
            audiences,
            id=audience_id,
            name=name,
            description=description,
            status="Ready",
            pool=pool,
            qualified=POOL_SIZE,
            is_public=True,
            created_at=store.clock.anchor.simulated,
        )


def find(store: Store, audience_id: str) -> Row[Any] | None:
    """An audience's row."""
    return store.one(select(audiences).where(audiences.c.id == audience_id))


def list_audiences(call: Call) -> Any:
    """``GET /audiences``."""
    columns = audiences.c
    listing = Listing(
        rows=select(audiences),
        order=(columns.seq,),
        fields={
            "name": Field(columns.name),
            "status": Field(columns.status),
            "is_public": Field(columns.is_public, "flag"),
            "created_at": Field(columns.created_at, "time"),
        },
        sorts={
            "name": columns.name,
            "created_at": columns.created_at,
            "status": columns.status,
            "qualified_user_count": columns.qualified,
        },
    )
    return page_of(
        call.store, listing, call.query, lambda row: _both_views(row) | {"isShared": False}
    )


def get_audience(call: Call) -> Any:
    """``GET /audience/{id}``."""
    row = _required(call)
    return _both_views(row) | {
        "baseAudienceId": row.id,
        "ownerId": call.account.owner_id,
        "distillingCampaignId": f"sbx_campaign_{row.id}",
        "distillingRetrievalMode": "Random",
        "boostLevel": "Stable",
    }


def get_user_metrics(call: Call) -> Any:
    """``GET /audience/{id}/user-metrics``."""
    row = _required(call)
    return {"usersPerState": {"Graduated": row.qualified}, "capacity": "Sufficient"}


def _required(call: Call) -> Row[Any]:
    audience_id = call.path["audience_id"]
    row = find(call.store, audience_id)
    if row is None:
        raise missing("Audience", audience_id)
    return row


def _both_views(row: Row[Any]) -> JsonObject:
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "status": row.status,
        "qualifiedUserCount": row.qualified,
        "filters": [],
        "createdAt": rfc3339(row.created_at),
        "ownerMail": OWNER_MAIL,
        "organizationId": ORGANIZATION_ID,
        "isPublic": row.is_public,
        "isDistilling": False,
        "graduationRule": {
            "_t": "TaskAccuracy",
            "targetAccuracy": 0.75,
            "minTasks": 10,
            "maxTasks": None,
        },
        "graduated": row.qualified,
        "dropped": 0,
    }


ENDPOINTS = (
    Endpoint("GET", "/audiences", list_audiences),
    Endpoint("GET", "/audience/{audience_id}", get_audience),
    Endpoint("GET", "/audience/{audience_id}/user-metrics", get_user_metrics),
)
