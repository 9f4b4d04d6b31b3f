"""Flows: items that are ranked or classified as they come, each batch within its time to live.

An item is paid for when it is created: for as many answers as it may get at most. What a shorter
life leaves unused is not given back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from sqlalchemy import Row, func, insert, select, update

from rapidata_core.sandbox import flows as behaviour
from rapidata_core.sandbox import money, pools, ranking
from rapidata_core.sandbox.api import assets as asset_service
from rapidata_core.sandbox.api import billing, definitions
from rapidata_core.sandbox.api import datasets as dataset_service
from rapidata_core.sandbox.api.call import Call, Endpoint, Fields, JsonObject
from rapidata_core.sandbox.clock import rfc3339
from rapidata_core.sandbox.crowd import Labeler
from rapidata_core.sandbox.listing import Field, Listing, page_of
from rapidata_core.sandbox.problems import Problem, invalid, missing
from rapidata_core.sandbox.settings import ORGANIZATION_ID, OWNER_MAIL
from rapidata_core.sandbox.store import Store
from rapidata_core.sandbox.tables import flow_items, flows, ledger, preheats
from rapidata_core.sandbox.tasks import is_on, read_flags

_RANKING, _SIMPLE = "Ranking", "Simple"
_LEAST_TIME, _MOST_TIME, _LEAST_SERVED = 20, 3600, 20
_WHOLE = (
    "startingElo",
    "minResponses",
    "maxResponses",
    "serveResponses",
    "serveTimeoutSeconds",
    "drainDurationSeconds",
    "targetResponseCount",
    "pidMinSessionsPerMinute",
    "pidMaxSessionsPerMinute",
)
_NUMBERS = (
    "serveToResponseRatio",
    "pidProportionalGain",
    "pidIntegralGain",
    "pidDerivativeGain",
    "pidOutputOffset",
)
_TEXTS = ("audienceId", "validationSetId", "pidBatchMode")
_BATCH_MODES = ("Total", "PerBatch", "PerBatchTimeWeighted")
_DEFAULTS: JsonObject = {
    "targetResponseCount": None,
    "pidProportionalGain": 0.0,
    "pidIntegralGain": 0.003,
    "pidDerivativeGain": 0.0,
    "pidOutputOffset": 25.0,
    "pidMinSessionsPerMinute": 20,
    "pidMaxSessionsPerMinute": 50,
    "serveTimeoutSeconds": None,
    "drainDurationSeconds": None,
    "serveToResponseRatio": None,
    "featureFlags": [],
}
_RANKING_DEFAULTS = _DEFAULTS | {
    "pidBatchMode": "Total",
    "startingElo": ranking.START_SCORE,
    "minResponses": 20,
    # The platform has no limit unless one is given; people here must stop somewhere.
    "maxResponses": 100,
    "serveResponses": None,
}
_SIMPLE_DEFAULTS = _DEFAULTS | {"pidBatchMode": "PerBatch", "minResponses": 3, "maxResponses": 5}
_HIDDEN = ("audienceId", "validationSetId")
"""What is part of a flow's configuration but not of its view."""


def create_ranking_flow(call: Call) -> Any:
    """``POST /flow/ranking``."""
    fields = call.fields()
    given = {"criteria": fields.text("criteria")} | _configuration(call.store, fields)
    return _create(call, fields, _RANKING, _RANKING_DEFAULTS | given)


def create_simple_flow(call: Call) -> Any:
    """``POST /flow/simple``."""
    fields = call.fields()
    given = {"blueprint": _blueprint(fields)} | _configuration(call.store, fields)
    return _create(call, fields, _SIMPLE, _SIMPLE_DEFAULTS | given)


def list_flows(call: Call) -> Any:
    """``GET /flow``."""
    columns = flows.c
    listing = Listing(
        rows=select(flows).where(columns.deleted.is_(False)),
        order=(columns.seq,),
        fields={
            "name": Field(columns.name),
            "created_at": Field(columns.created_at, "time"),
        },
        sorts={"name": columns.name, "created_at": columns.created_at},
    )
    return page_of(call.store, listing, call.query, lambda row: _both_views(call, row))


def get_flow(call: Call) -> Any:
    """``GET /flow/{id}``."""
    flow = _required(call)
    items = select(func.count()).where(flow_items.c.flow_id == flow.id)
    shown = {key: value for key, value in flow.config.items() if key not in _HIDDEN}
    return (
        _both_views(call, flow)
        | shown
        | {
            "_t": f"{flow.type}Flow",
            "campaignId": f"sbx_campaign_{flow.id}",
            "flowItemCount": call.store.number(items),
            "drainDurationSeconds": _drain(flow.config),
        }
    )


def update_ranking_flow(call: Call) -> None:
    """``PATCH /flow/ranking/{id}``, in the older dialect with ``/config``; for new items only."""
    flow = _required(call, _RANKING)
    fields = call.fields()
    given = {"criteria": fields.text("criteria")} if "criteria" in fields else {}
    _update(call, flow, fields, given)


def update_simple_flow(call: Call) -> None:
    """``PATCH /flow/simple/{id}``; for new items only."""
    flow = _required(call, _SIMPLE)
    fields = call.fields()
    given = {"blueprint": _blueprint(fields)} if "blueprint" in fields else {}
    _update(call, flow, fields, given)


def delete_flow(call: Call) -> None:
    """``DELETE /flow/{id}``: its items stay readable."""
    flow = _required(call)
    call.store.write(update(flows).where(flows.c.seq == flow.seq).values(deleted=True))


def create_ranking_item(call: Call) -> Any:
    """``POST /flow/ranking/{id}/item``: costs money."""
    flow = _required(call, _RANKING)
    fields = call.fields()
    return _create_item(call, flow, fields, dataset_service.read_context(call.store, fields))


def create_simple_item(call: Call) -> Any:
    """``POST /flow/simple/{id}/item``: costs money."""
    flow = _required(call, _SIMPLE)
    return _create_item(call, flow, call.fields(), {})


def list_items(call: Call) -> Any:
    """``GET /flow/ranking/{id}/item``, for flows of both kinds."""
    flow = _required(call)
    columns = flow_items.c
    listing = Listing(
        rows=select(flow_items).where(columns.flow_id == flow.id),
        order=(columns.seq,),
        fields={
            "state": Field(behaviour.STATE),
            "created_at": Field(columns.created_at, "time"),
        },
        sorts={"state": behaviour.STATE, "created_at": columns.created_at},
    )
    return page_of(
        call.store, listing, call.query, lambda row: _both_item_views(call, row), now=call.now
    )


def get_item(call: Call) -> Any:
    """``GET /flow/ranking/item/{id}``, for items of both kinds."""
    item = _required_item(call)
    return _both_item_views(call, item) | {
        "flowId": item.flow_id,
        "expiresAt": rfc3339(item.expires_at),
    }


def get_ranking_results(call: Call) -> Any:
    """``GET /flow/ranking/item/{id}/results``: whatever there is so far."""
    item = _started(call)
    wins = _wins(call, item)
    scores = ranking.bradley_terry(wins, item.config["startingElo"])
    rows = dataset_service.points_of(call.store, item.dataset_id, item.last_datapoint)
    return {
        "datapoints": [
            {"id": row.id, "asset": _asset(call.store, row), "elo": scores[row.id]} for row in rows
        ],
        "totalVotes": behaviour.answered(item, call.now),
    }


def get_vote_matrix(call: Call) -> Any:
    """``GET /flow/ranking/item/{id}/vote-matrix``: named like the results' datapoints."""
    item = _started(call)
    rows = dataset_service.points_of(call.store, item.dataset_id, item.last_datapoint)
    names = [_name(_asset(call.store, row)) for row in rows]
    data = ranking.matrix(_wins(call, item), [row.id for row in rows])
    return {"index": names, "columns": names, "data": data}


def get_simple_results(call: Call) -> Any:
    """``GET /flow/simple/item/{id}/results``: whatever there is so far."""
    item = _started(call)
    rows = dataset_service.points_of(call.store, item.dataset_id, item.last_datapoint)
    arrived = behaviour.answered(item, call.now)
    return {
        "datapoints": [
            _classified(call, item, row, count)
            for row, count in zip(rows, behaviour.shares(arrived, len(rows)), strict=True)
        ],
        "totalResponses": arrived,
    }


def stop_item(call: Call) -> None:
    """``POST /flow/item/{id}/stop``: an item that has ended stays as it is."""
    item = _required_item(call)
    if behaviour.ended_at(item, call.now) is None and item.stopped_at is None:
        stopping = update(flow_items).where(flow_items.c.seq == item.seq)
        call.store.write(stopping.values(stopped_at=call.now))


def preheat(call: Call) -> None:
    """``POST /campaign/boost/preheat``: items of the next ten minutes are answered faster."""
    call.store.add(preheats, at=call.now)


def _configuration(store: Store, fields: Fields) -> JsonObject:
    """The fields that flows of both kinds have, as far as they were given."""
    given: JsonObject = {}
    for key in _WHOLE:
        given[key] = fields.optional_whole(key)
        if given[key] is not None and given[key] < 0:
            fields.wrong(key, f"{key} is not negative.")
    for key in _NUMBERS:
        given[key] = fields.optional_number(key)
    for key in _TEXTS:
        given[key] = fields.optional_text(key)
    given["featureFlags"] = fields.optional_objects("featureFlags") or None
    read_flags(given["featureFlags"] or [])
    audience_id = given["audienceId"]
    if audience_id is not None and pools.find(store, audience_id) is None:
        fields.wrong("audienceId", f"There is no audience with the id {audience_id}.")
    fields.one_of("pidBatchMode", _BATCH_MODES)
    return {key: value for key, value in given.items() if value is not None}


def _blueprint(fields: Fields) -> JsonObject:
    match fields.optional_object("blueprint"):
        case {
            "_t": "ClassifyBlueprint",
            "title": str(title),
            "categories": [_, _, *_] as given,
        } if title.strip():
            categories = [_category(one) for one in cast(list[Any], given)]
        case _:
            message = "blueprint is a ClassifyBlueprint with a title and at least two categories."
            raise invalid({"blueprint": [message]})
    if len({category["value"] for category in categories}) < len(categories):
        raise invalid({"blueprint": ["Every category has a value of its own."]})
    return {"_t": "ClassifyBlueprint", "title": title, "categories": categories}


def _category(given: Any) -> JsonObject:
    match given:
        case {"label": str(label), "value": str(value)} if value:
            return {"label": label, "value": value}
        case _:
            raise invalid({"blueprint": ["Each category is a {label, value} of texts."]})


def _create(call: Call, fields: Fields, kind: str, config: JsonObject) -> JsonObject:
    name = fields.text("name")
    _check_configuration(fields, config)
    flow_id = call.store.next_id("flow")
    call.store.add(
        flows,
        id=flow_id,
        name=name,
        type=kind,
        config=config,
        created_at=call.now,
        deleted=False,
    )
    return {"flowId": flow_id}


def _update(call: Call, flow: Row[Any], fields: Fields, given: JsonObject) -> None:
    config = flow.config | given | _configuration(call.store, fields)
    _check_configuration(fields, config)
    call.store.write(update(flows).where(flows.c.seq == flow.seq).values(config=config))


def _check_configuration(fields: Fields, config: Mapping[str, Any]) -> None:
    if config["minResponses"] < 1:
        fields.wrong("minResponses", "minResponses is at least 1.")
    if config["maxResponses"] < config["minResponses"]:
        fields.wrong("maxResponses", "maxResponses is at least minResponses.")
    fields.check()


def _create_item(call: Call, flow: Row[Any], fields: Fields, shown: JsonObject) -> JsonObject:
    dataset_id = fields.text("datasetId")
    if dataset_id and dataset_service.find(call.store, dataset_id) is None:
        fields.wrong("datasetId", f"There is no dataset with the id {dataset_id}.")
    time_to_live, drain = _times(fields, flow.config)
    fields.check()
    audience_id = flow.config.get("audienceId") or "global"
    points, last = definitions.snapshot(call.store, dataset_id)
    config = flow.config
    pool = pools.pool_key(call.store, audience_id)
    people = pools.restore(call.store, pool).size
    if flow.type == _RANKING:
        # People may be asked about many pairs, but nobody twice about one datapoint.
        wanted, enough = config["maxResponses"] if people else 0, config["minResponses"]
    else:
        wanted = min(config["maxResponses"], people) * points
        enough = config["minResponses"] * points
    plan = behaviour.plan(
        call.now,
        wanted=wanted,
        enough=enough,
        time_to_live=time_to_live,
        drain=drain,
        preheated=_is_preheated(call),
    )
    ending, ends_at = plan.ending, plan.ends_at
    if points < _fewest(flow.type):
        ending, ends_at = "Failed", call.now + behaviour.START
    item_id = call.store.next_id("flow_item")
    if ending != "Failed":
        _charge(call, item_id, flow.name, plan.wanted)
    row = {
        "id": item_id,
        "flow_id": flow.id,
        "dataset_id": dataset_id,
        "config": config,
        "context": shown.get("context"),
        "context_asset": shown.get("context_asset"),
        "pool": pool,
        "last_datapoint": last,
        "datapoint_count": points,
        "created_at": call.now,
        "latency": plan.latency,
        "pace": plan.pace,
        "wanted": plan.wanted,
        "drain_at": plan.drain_at,
        "expires_at": plan.expires_at,
        "ending": ending,
        "ends_at": ends_at,
    }
    call.store.write(insert(flow_items).values(**row))
    return {"flowItemId": item_id}


def _times(fields: Fields, config: Mapping[str, Any]) -> tuple[int, int]:
    """Time to live and drain duration of a new item, in seconds."""
    drain = fields.optional_whole("drainDurationInSeconds")
    if drain is None:
        drain = _drain(config)
    asked = fields.optional_whole("timeToLiveInSeconds")
    time_to_live = behaviour.DEFAULT_TIME_TO_LIVE if asked is None else asked
    if not _LEAST_TIME <= time_to_live <= _MOST_TIME:
        message = f"timeToLiveInSeconds is between {_LEAST_TIME} and {_MOST_TIME}."
        fields.wrong("timeToLiveInSeconds", message)
    elif time_to_live < drain + _LEAST_SERVED:
        message = f"timeToLiveInSeconds exceeds the drain duration ({drain}) by {_LEAST_SERVED}."
        fields.wrong("timeToLiveInSeconds", message)
    return time_to_live, drain


def _drain(config: Mapping[str, Any]) -> int:
    """The drain duration of a flow; it follows the serve timeout."""
    given = config["drainDurationSeconds"]
    return given if given is not None else config["serveTimeoutSeconds"] or behaviour.DEFAULT_DRAIN


def _fewest(kind: str) -> int:
    return 2 if kind == _RANKING else 1


def _is_preheated(call: Call) -> bool:
    since = call.now - behaviour.PREHEAT_LASTS
    return call.store.number(select(func.count()).where(preheats.c.at >= since)) > 0


def _charge(call: Call, item_id: str, name: str, responses: int) -> None:
    price, available = money.price(responses), billing.balance(call.store)
    if price > available:
        detail = (
            f"The flow item costs up to {money.decimal(price)}; the balance is "
            f"{money.decimal(available)}."
        )
        raise Problem(409, "The balance does not cover the flow item.", detail)
    entry = {"kind": "flow_item", "job_id": item_id, "name": name, "amount": price, "at": call.now}
    call.store.add(ledger, **entry)


def _segment(row: Row[Any], key: str) -> JsonObject:
    empty: JsonObject = {}
    return next((segment for segment in row.segments if segment["key"] == key), empty)


def _asset(store: Store, row: Row[Any]) -> JsonObject:
    return asset_service.shown(store, _segment(row, "asset")["asset"])


def _name(asset: Mapping[str, Any]) -> str:
    """What people know an asset by: its URL, else its file's name, else its identifier."""
    known = asset["metadata"]
    if "sourceUrl" in known:
        return known["sourceUrl"]["url"]
    if "originalFilename" in known:
        return known["originalFilename"]["originalFilename"]
    return asset["identifier"]


def _people(store: Store, item: Row[Any], key: str, size: int) -> list[Labeler]:
    return list(pools.restore(store, item.pool).panel(key, size))


def _wins(call: Call, item: Row[Any]) -> ranking.Wins:
    rows = dataset_service.points_of(call.store, item.dataset_id, item.last_datapoint)
    shown = "" if item.context_asset is None else _identifier(call.store, item.context_asset)
    flags = read_flags(item.config["featureFlags"])
    return behaviour.votes(
        call.store.seed,
        item.id,
        "\n".join((item.config["criteria"], item.context or "", shown)),
        {row.id: _asset(call.store, row)["identifier"] for row in rows},
        _people(call.store, item, item.id, item.wanted),
        item.wanted,
        behaviour.answered(item, call.now),
        unsure=is_on(flags, "compare_unsure"),
    )


def _identifier(store: Store, asset: Mapping[str, Any]) -> str:
    return asset_service.shown(store, asset)["identifier"]


def _classified(call: Call, item: Row[Any], row: Row[Any], count: int) -> JsonObject:
    blueprint = item.config["blueprint"]
    asset = _asset(call.store, row)
    context = _segment(row, "context").get("text") or ""
    counts = behaviour.distribution(
        call.store.seed,
        "\n".join((blueprint["title"], context, asset["identifier"])),
        [category["value"] for category in blueprint["categories"]],
        _people(call.store, item, f"{item.id}/{row.id}", count),
        ordered=is_on(read_flags(item.config["featureFlags"]), "no_shuffle"),
    )
    return {
        "datapointId": row.id,
        "asset": asset,
        "majorityValue": behaviour.majority(counts),
        "distribution": [{"value": value, "count": chosen} for value, chosen in counts.items()],
        "responseCount": sum(counts.values()),
    }


def _required(call: Call, kind: str | None = None) -> Row[Any]:
    flow_id = call.path["flow_id"]
    wanted = select(flows).where(flows.c.id == flow_id, flows.c.deleted.is_(False))
    flow = call.store.one(wanted)
    if flow is None or kind not in (None, flow.type):
        raise missing("Flow", flow_id)
    return flow


def _required_item(call: Call) -> Row[Any]:
    item_id = call.path["item_id"]
    item = call.store.find(flow_items, id=item_id)
    if item is None:
        raise missing("Flow item", item_id)
    return item


def _started(call: Call) -> Row[Any]:
    item = _required_item(call)
    state = behaviour.state(item, call.now)
    if state in ("Pending", "Failed"):
        raise Problem(409, "The results are not available yet.", f"The flow item is {state}.")
    return item


def _both_views(call: Call, row: Row[Any]) -> JsonObject:
    return {
        "id": row.id,
        "name": row.name,
        "type": row.type,
        "ownerId": call.account.owner_id,
        "ownerMail": OWNER_MAIL,
        "organizationId": ORGANIZATION_ID,
        "createdAt": rfc3339(row.created_at),
    }


def _both_item_views(call: Call, item: Row[Any]) -> JsonObject:
    state, ended = behaviour.state(item, call.now), behaviour.ended_at(item, call.now)
    started = item.created_at + behaviour.START
    end = None if ended is None else rfc3339(ended)
    asset = item.context_asset
    failed = state == "Failed"
    return {
        "id": item.id,
        "datasetId": item.dataset_id,
        "workflowId": None if call.now < started else f"sbx_workflow_{item.id}",
        "state": state,
        "context": item.context,
        "contextAsset": None if asset is None else asset_service.shown(call.store, asset),
        "failureMessage": "The dataset has too few datapoints." if failed else None,
        "createdAt": rfc3339(item.created_at),
        "startedAt": None if call.now < started else rfc3339(started),
        "completedAt": None if failed else end,
        "failedAt": end if failed else None,
    }


ENDPOINTS = (
    Endpoint("GET", "/flow", list_flows),
    Endpoint("POST", "/flow/ranking", create_ranking_flow),
    Endpoint("POST", "/flow/simple", create_simple_flow),
    Endpoint("GET", "/flow/{flow_id}", get_flow),
    Endpoint("DELETE", "/flow/{flow_id}", delete_flow),
    Endpoint("PATCH", "/flow/ranking/{flow_id}", update_ranking_flow),
    Endpoint("PATCH", "/flow/ranking/{flow_id}/config", update_ranking_flow),
    Endpoint("PATCH", "/flow/simple/{flow_id}", update_simple_flow),
    Endpoint("POST", "/flow/ranking/{flow_id}/item", create_ranking_item),
    Endpoint("GET", "/flow/ranking/{flow_id}/item", list_items),
    Endpoint("POST", "/flow/simple/{flow_id}/item", create_simple_item),
    Endpoint("GET", "/flow/ranking/item/{item_id}", get_item),
    Endpoint("GET", "/flow/ranking/item/{item_id}/results", get_ranking_results),
    Endpoint("GET", "/flow/ranking/item/{item_id}/vote-matrix", get_vote_matrix),
    Endpoint("GET", "/flow/simple/item/{item_id}/results", get_simple_results),
    Endpoint("POST", "/flow/item/{item_id}/stop", stop_item),
    Endpoint("POST", "/campaign/boost/preheat", preheat),
)
