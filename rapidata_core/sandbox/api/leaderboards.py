"""Leaderboards, and the runs that collect votes for them.

A run is a job like any other: a dataset of matchups, a revision of the leaderboard's job definition
and a job of the leaderboard's audience, charged and moved on as jobs are.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Row, case, delete, literal, select, update

from rapidata_core.sandbox import contests, lifecycle, pools
from rapidata_core.sandbox.api import benchmarks as benchmark_service
from rapidata_core.sandbox.api import datasets, definitions, jobs
from rapidata_core.sandbox.api.call import Call, Endpoint, Fields, JsonObject
from rapidata_core.sandbox.clock import rfc3339
from rapidata_core.sandbox.contests import ALL_VOTES, MAJORITY_VOTE, Entry, Matchup
from rapidata_core.sandbox.listing import Field, Listing
from rapidata_core.sandbox.settings import ORGANIZATION_ID, OWNER_MAIL
from rapidata_core.sandbox.store import Store
from rapidata_core.sandbox.tables import jobs as job_rows
from rapidata_core.sandbox.tables import leaderboard_runs, leaderboards, participants, samples
from rapidata_core.sandbox.tasks import read_flags

DEFAULT_BUDGET = 2000
MIN_RESPONSES = 3
OPEN = ("Queued", "Running", "Paused")
"""The states of a run that will still deliver votes."""

_MAX_CONTEXT = datasets.MAX_CONTEXT
_RUN_STATES = {
    "Submitted": "Queued",
    "Queued": "Queued",
    "Running": "Running",
    "Completed": "Completed",
    "StaleResults": "Completed",
    "Failed": "Failed",
}
_RUN_STATE = case(
    (job_rows.c.id.is_(None), "Cancelled"),
    *((lifecycle.STATE.is_not_distinct_from(job), run) for job, run in _RUN_STATES.items()),
    else_="Paused",
)
""":func:`run_state` in SQL."""

_LIST_FIELDS = {
    "id": Field(leaderboards.c.id),
    "name": Field(leaderboards.c.name),
    "benchmark_id": Field(leaderboards.c.benchmark_id),
    "created_at": Field(leaderboards.c.created_at, "time"),
}
_LIST_SORTS = {
    "id": leaderboards.c.id,
    "name": leaderboards.c.name,
    "created_at": leaderboards.c.created_at,
}


def required(call: Call) -> Row[Any]:
    """The leaderboard in the path.

    Raises:
        Problem: There is none.
    """
    return call.row(leaderboards, "Leaderboard", "leaderboard_id")


def of_benchmark(store: Store, benchmark_id: str) -> Sequence[Row[Any]]:
    """A benchmark's leaderboards, oldest first."""
    wanted = select(leaderboards).where(leaderboards.c.benchmark_id == benchmark_id)
    return store.read(wanted.order_by(leaderboards.c.seq)).all()


def create_leaderboard(call: Call) -> Any:
    """``POST /leaderboard``: the models that are there already are compared at once."""
    fields = call.fields()
    benchmark_id = _benchmark(call, fields)
    values = _new_values(call, fields)
    skip_run = bool(fields.optional_flag("skipInitialRun"))
    fields.check()
    is_first = not of_benchmark(call.store, benchmark_id)
    leaderboard_id = call.store.next_id("leaderboard")
    call.store.add(
        leaderboards,
        id=leaderboard_id,
        benchmark_id=benchmark_id,
        created_at=call.now,
        **values,
    )
    if is_first:
        # Models that have media enter the field with the first leaderboard.
        ready = participants.c.benchmark_id == benchmark_id, participants.c.status == "Submittable"
        call.store.write(update(participants).where(*ready).values(status="Submitted"))
    row = call.store.find(leaderboards, id=leaderboard_id)
    assert row is not None
    if not skip_run:
        start_run(call, row, _submitted(call.store, benchmark_id))
    return {
        "id": row.id,
        "benchmarkId": row.benchmark_id,
        "showPrompt": row.show_prompt,
        "showPromptAsset": row.show_prompt_asset,
        "responseBudget": row.response_budget,
        "minResponses": row.min_responses,
        "isInversed": row.is_inversed,
        "voteAggregation": row.vote_aggregation,
    }


def list_leaderboards(call: Call) -> Any:
    """``GET /leaderboards``."""
    listing = Listing(select(leaderboards), (leaderboards.c.seq,), _LIST_FIELDS, _LIST_SORTS)
    return benchmark_service.listed(call, listing, lambda row: _view(call, row))


def list_of_benchmark(call: Call) -> Any:
    """``GET /benchmark/{id}/leaderboards``."""
    benchmark_id = benchmark_service.required(call).id
    rows = select(leaderboards).where(leaderboards.c.benchmark_id == benchmark_id)
    listing = Listing(rows, (leaderboards.c.seq,), _LIST_FIELDS, _LIST_SORTS)
    return benchmark_service.listed(call, listing, lambda row: _view(call, row))


def get_leaderboard(call: Call) -> Any:
    """``GET /leaderboard/{id}``."""
    return _view(call, required(call))


def update_leaderboard(call: Call) -> None:
    """``PATCH /leaderboard/{id}``; also ``PUT …/name`` and ``PUT …/response-config``."""
    row = required(call)
    fields = call.fields()
    changes = _changes(fields)
    budget = changes.get("response_budget", row.response_budget)
    _check_responses(fields, budget, changes.get("min_responses", row.min_responses))
    if fields.is_null("priority"):
        changes["priority"] = None
    fields.check()
    if changes:
        call.store.write(update(leaderboards).where(leaderboards.c.id == row.id).values(**changes))


def delete_leaderboard(call: Call) -> None:
    """``DELETE /leaderboard/{id}``: with its votes; its jobs stay."""
    row = required(call)
    call.store.write(delete(leaderboards).where(leaderboards.c.id == row.id))


def list_runs(call: Call) -> Any:
    """``GET /leaderboard/{id}/runs``."""
    columns = leaderboard_runs.c
    rows = select(leaderboard_runs).outerjoin(job_rows, job_rows.c.id == columns.job_id)
    listing = Listing(
        rows=rows.where(columns.leaderboard_id == required(call).id),
        order=(columns.seq,),
        fields={
            "id": Field(columns.id),
            "name": Field(columns.name),
            "status": Field(_RUN_STATE),
            "owner_mail": Field(literal(OWNER_MAIL)),
            "created_at": Field(columns.created_at, "time"),
        },
        sorts={"id": columns.id, "name": columns.name, "created_at": columns.created_at},
    )
    return benchmark_service.listed(call, listing, lambda row: _run(call, row), now=call.now)


def start_runs(call: Call, benchmark_id: str, new: Iterable[str]) -> None:
    """Collect votes about participants that were just submitted, for every leaderboard."""
    wanted = set(new)
    for row in of_benchmark(call.store, benchmark_id):
        start_run(call, row, wanted)


def start_run(call: Call, row: Row[Any], new: set[str]) -> None:
    """Compare new participants with each other and with all that were submitted before.

    Nothing happens, and nothing is charged, where there is nothing to compare.
    """
    by_identifier = benchmark_service.prompts_of(call.store, row.benchmark_id)
    allowed = {
        identifier
        for identifier, prompt in by_identifier.items()
        if _is_allowed(row, benchmark_service.tag_values(prompt))
    }
    entries, assets = _field(call.store, row.benchmark_id, allowed)
    run_id = call.store.next_id("run")
    contest = contests.contest(
        call.store.seed, run_id, entries, new, row.response_budget, row.min_responses
    )
    if not contest.matchups:
        return
    datapoints = [
        _datapoint(row, by_identifier[matchup.identifier], matchup, assets)
        for matchup in contest.matchups
    ]
    name = f"{row.name}: {run_id}"
    call.store.add(
        leaderboard_runs,
        id=run_id,
        leaderboard_id=row.id,
        name=name,
        job_id=_job(call, row, name, datapoints, contest.responses),
        audience_id=row.audience_id,
        question=row.instruction,
        is_inversed=row.is_inversed,
        matchups=[matchup.as_json() for matchup in contest.matchups],
        created_at=call.now,
    )


def run_state(call: Call, run: Row[Any]) -> str:
    """The state of a run, which is that of its job; a deleted job cancelled it."""
    job = jobs.find(call.store, run.job_id)
    if job is None:
        return "Cancelled"
    return _RUN_STATES.get(lifecycle.state(job, call.now), "Paused")


def _benchmark(call: Call, fields: Fields) -> str:
    """The benchmark that a new leaderboard belongs to; by its name alone it is a new one."""
    benchmark_id = fields.optional_text("benchmarkId")
    name = fields.optional_text("benchmarkName")
    if benchmark_id is None:
        if name is None:
            fields.wrong("benchmarkId", "Either benchmarkId or benchmarkName is required.")
            return ""
        return benchmark_service.create(call, name, fields.optional_text("benchmarkDescription"))
    if benchmark_service.find(call.store, benchmark_id) is None:
        fields.wrong("benchmarkId", f"There is no benchmark with the id {benchmark_id}.")
    return benchmark_id


def _new_values(call: Call, fields: Fields) -> JsonObject:
    audience_id = fields.optional_text("audienceId") or "global"
    if pools.find(call.store, audience_id) is None:
        fields.wrong("audienceId", f"There is no audience with the id {audience_id}.")
    flags = fields.optional_objects("featureFlags")
    read_flags(flags)
    if fields.optional_flag("showPrompt") is None:
        fields.wrong("showPrompt", "showPrompt is required.")
    defaults: JsonObject = {
        "response_budget": DEFAULT_BUDGET,
        "min_responses": MIN_RESPONSES,
        "weight": 1.0,
        "score_shift": 0.0,
        "score_scale": 1.0,
        "is_hidden": False,
        "is_excluded": False,
        "vote_aggregation": ALL_VOTES,
    }
    values = defaults | _changes(fields)
    _check_responses(fields, values["response_budget"], values["min_responses"])
    return values | {
        "name": fields.text("name"),
        "instruction": fields.text("instruction"),
        "display_instruction": fields.optional_text("displayInstruction"),
        "show_prompt": bool(fields.optional_flag("showPrompt")),
        "show_prompt_asset": bool(fields.optional_flag("showPromptAsset")),
        "is_inversed": bool(fields.optional_flag("isInversed")),
        "audience_id": audience_id,
        "flags": flags,
        "included_tags": fields.optional_texts("includedTags"),
        "excluded_tags": fields.optional_texts("excludedTags"),
    }


def _changes(fields: Fields) -> JsonObject:
    """What a request sets of what can be changed later, under the names of the columns."""
    aggregation = fields.optional_text("voteAggregation")
    if aggregation not in (None, ALL_VOTES, MAJORITY_VOTE):
        fields.wrong("voteAggregation", f"voteAggregation is {ALL_VOTES} or {MAJORITY_VOTE}.")
    values: JsonObject = {
        "name": fields.given_text("name"),
        "response_budget": fields.optional_whole("responseBudget"),
        "min_responses": fields.optional_whole("minResponses"),
        "priority": fields.optional_whole("priority"),
        "weight": fields.optional_number("weight"),
        "score_shift": fields.optional_number("scoreShift"),
        "score_scale": fields.positive("scoreScale"),
        "is_hidden": fields.optional_flag("isHidden"),
        "is_excluded": fields.optional_flag("isExcludedFromOverall"),
        "vote_aggregation": aggregation,
    }
    return {column: value for column, value in values.items() if value is not None}


def _check_responses(fields: Fields, budget: int, minimum: int) -> None:
    if minimum < MIN_RESPONSES:
        fields.wrong("minResponses", f"minResponses is at least {MIN_RESPONSES}.")
    elif budget < minimum:
        fields.wrong("responseBudget", "responseBudget is at least minResponses.")


def _submitted(store: Store, benchmark_id: str) -> set[str]:
    wanted = select(participants.c.id).where(
        participants.c.benchmark_id == benchmark_id, participants.c.status == "Submitted"
    )
    return {row.id for row in store.read(wanted)}


def _is_allowed(row: Row[Any], tags: Sequence[str]) -> bool:
    """Whether a leaderboard asks about a prompt; an excluded tag always wins."""
    if not set(tags).isdisjoint(row.excluded_tags):
        return False
    return not row.included_tags or not set(tags).isdisjoint(row.included_tags)


def _field(
    store: Store, benchmark_id: str, allowed: set[str]
) -> tuple[dict[str, list[Entry]], dict[str, JsonObject]]:
    """The samples of all submitted participants by identifier, and the asset of each."""
    wanted = (
        select(samples, participants.c.model)
        .join(participants, participants.c.id == samples.c.participant_id)
        .where(participants.c.benchmark_id == benchmark_id, participants.c.status == "Submitted")
        .order_by(samples.c.seq)
    )
    entries: defaultdict[str, list[Entry]] = defaultdict(list)
    assets: dict[str, JsonObject] = {}
    for row in store.read(wanted):
        if row.identifier in allowed:
            content = row.asset.get("text") or row.asset["name"]
            entry = Entry(row.participant_id, row.model, row.id, content)
            entries[row.identifier].append(entry)
            assets[row.id] = row.asset
    return entries, assets


def _datapoint(
    row: Row[Any], prompt: Row[Any], matchup: Matchup, assets: dict[str, JsonObject]
) -> JsonObject:
    pair = [assets[matchup.first.sample], assets[matchup.second.sample]]
    segments: list[JsonObject] = [
        {"key": "asset", "kind": "Asset", "asset": {"_t": "MultiAssetInput", "assets": pair}}
    ]
    asset = benchmark_service.asset_input(prompt)
    if row.show_prompt and prompt.text is not None:
        segments.append({"key": "context", "kind": "Text", "text": prompt.text[:_MAX_CONTEXT]})
    if row.show_prompt_asset and asset is not None:
        segments.append({"key": "context_asset", "kind": "Asset", "asset": asset})
    return {"segments": segments}


def _job(call: Call, row: Row[Any], name: str, datapoints: Sequence[JsonObject], votes: int) -> str:
    """Place the job of a run; the calls are those that a client would make."""

    def ask(handler: Any, body: JsonObject, **path: str) -> Any:
        return handler(replace(call, path=path, query=(), raw_body=json.dumps(body).encode()))

    dataset_id = ask(datasets.create_dataset, {"name": name})["datasetId"]
    for index, datapoint in enumerate(datapoints):
        ask(datasets.create_datapoint, datapoint | {"sortIndex": index}, dataset_id=dataset_id)
    content: JsonObject = {
        "definitionName": row.name,
        "workflow": {
            "_t": "SimpleWorkflow",
            "rapid": {
                "_t": "Compare",
                "asset": {"segment": "asset"},
                "criteria": {"literal": row.instruction},
                "indexIdentifiers": None,
            },
        },
        "referee": {"_t": "NaiveReferee", "totalVotes": votes},
        "datasetId": dataset_id,
        "rapidFeatureFlags": row.flags,
    }
    definition_id = row.definition_id
    if definition_id is None or definitions.find_definition(call.store, definition_id) is None:
        definition_id = ask(definitions.create_definition, content)["definitionId"]
        change = update(leaderboards).where(leaderboards.c.id == row.id)
        call.store.write(change.values(definition_id=definition_id))
        revision = 1
    else:
        made = ask(definitions.create_revision, content, definition_id=definition_id)
        revision = made["revisionNumber"]
    job = jobs.place(
        call.store,
        name=name,
        definition_id=definition_id,
        audience_id=row.audience_id,
        revision_number=revision,
        now=call.now,
    )
    return job.id


def _view(call: Call, row: Row[Any]) -> JsonObject:
    """A leaderboard; single and listed ones look the same, and belong to a benchmark."""
    context = {"segmentKey": "prompt", "language": "Original"} if row.show_prompt else None
    asset = {"segmentKeys": ["prompt_asset"]} if row.show_prompt_asset else None
    return {
        "id": row.id,
        "benchmarkId": row.benchmark_id,
        "name": row.name,
        "instruction": row.instruction,
        "displayInstruction": row.display_instruction,
        "showPrompt": row.show_prompt,
        "showPromptAsset": row.show_prompt_asset,
        "rapidContextProjection": {"context": context, "contextAsset": asset},
        "isInversed": row.is_inversed,
        "responseBudget": row.response_budget,
        "minResponses": row.min_responses,
        "audienceId": row.audience_id,
        "jobDefinitionId": row.definition_id,
        "priority": row.priority,
        "featureFlags": row.flags,
        "weight": row.weight,
        "scoreShift": row.score_shift,
        "scoreScale": row.score_scale,
        "isHidden": row.is_hidden,
        "isExcludedFromOverall": row.is_excluded,
        "voteAggregation": row.vote_aggregation,
        "includedTags": row.included_tags,
        "excludedTags": row.excluded_tags,
        "lastUpdatedAt": _last_vote(call, row),
    }


def _last_vote(call: Call, row: Row[Any]) -> str | None:
    """When votes were last recorded, to the precision of whole runs."""
    wanted = select(leaderboard_runs).where(leaderboard_runs.c.leaderboard_id == row.id)
    found = [jobs.find(call.store, run.job_id) for run in call.store.read(wanted)]
    done = [lifecycle.completed_at(job, call.now) for job in found if job is not None]
    return max((rfc3339(moment) for moment in done if moment is not None), default=None)


def _run(call: Call, run: Row[Any]) -> JsonObject:
    return {
        "id": run.id,
        "name": run.name,
        "status": run_state(call, run),
        "createdAt": rfc3339(run.created_at),
        "ownerMail": OWNER_MAIL,
        "organizationId": ORGANIZATION_ID,
        "audienceId": run.audience_id,
        "orderId": None,
        "jobId": run.job_id,
    }


ENDPOINTS = (
    Endpoint("POST", "/leaderboard", create_leaderboard),
    Endpoint("GET", "/leaderboards", list_leaderboards),
    Endpoint("GET", "/benchmark/{benchmark_id}/leaderboards", list_of_benchmark),
    Endpoint("GET", "/leaderboard/{leaderboard_id}", get_leaderboard),
    Endpoint("PATCH", "/leaderboard/{leaderboard_id}", update_leaderboard),
    Endpoint("PUT", "/leaderboard/{leaderboard_id}/name", update_leaderboard),
    Endpoint("PUT", "/leaderboard/{leaderboard_id}/response-config", update_leaderboard),
    Endpoint("DELETE", "/leaderboard/{leaderboard_id}", delete_leaderboard),
    Endpoint("GET", "/leaderboard/{leaderboard_id}/runs", list_runs),
)
