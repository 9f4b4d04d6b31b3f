"""Benchmarks and their prompts, which are written in either dialect and kept as segments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Row, delete, exists, func, literal, select, true, update

from rapidata_core.sandbox.api import assets as asset_service
from rapidata_core.sandbox.api import datasets as dataset_service
from rapidata_core.sandbox.api.call import Call, Endpoint, Fields, JsonObject
from rapidata_core.sandbox.clock import parse_rfc3339, rfc3339
from rapidata_core.sandbox.listing import Field, Listing, page_of
from rapidata_core.sandbox.problems import Problem
from rapidata_core.sandbox.settings import ORGANIZATION_ID, OWNER_MAIL
from rapidata_core.sandbox.store import Store
from rapidata_core.sandbox.tables import benchmarks, leaderboards, participants, prompts, samples

MAX_DESCRIPTION = 2000
_TEXT_SEGMENT, _ASSET_SEGMENT = "prompt", "prompt_asset"
_STRUCTURE: list[JsonObject] = [
    {"key": _TEXT_SEGMENT, "kind": "Text", "label": "Prompt", "required": False},
    {"key": _ASSET_SEGMENT, "kind": "Asset", "label": "Prompt asset", "required": False},
]
_LEGACY = (
    (_TEXT_SEGMENT, "Text", "prompt"),
    (_ASSET_SEGMENT, "Asset", "promptAsset"),
)
_CONTENT = {"Text": "text", "Asset": "asset"}


def find(store: Store, benchmark_id: str) -> Row[Any] | None:
    """A benchmark's row."""
    return store.find(benchmarks, id=benchmark_id)


def required(call: Call) -> Row[Any]:
    """The benchmark in the path.

    Raises:
        Problem: There is none.
    """
    return call.row(benchmarks, "Benchmark", "benchmark_id")


def prompts_of(store: Store, benchmark_id: str) -> dict[str, Row[Any]]:
    """A benchmark's prompts by their identifiers."""
    wanted = select(prompts).where(prompts.c.benchmark_id == benchmark_id).order_by(prompts.c.seq)
    return {row.identifier: row for row in store.read(wanted)}


def has_prompt(store: Store, benchmark_id: str, identifier: str) -> bool:
    """Whether a benchmark has a prompt with an identifier."""
    columns = prompts.c
    wanted = select(func.count()).where(
        columns.benchmark_id == benchmark_id, columns.identifier == identifier
    )
    return store.number(wanted) > 0


def listed(
    call: Call, listing: Listing, item: Callable[[Row[Any]], JsonObject], **parameters: Any
) -> JsonObject:
    """A page of a list that has one page at least: clients of benchmarks read until the last."""
    page = page_of(call.store, listing, call.query, item, **parameters)
    return page | {"totalPages": max(1, page["totalPages"])}


def create(call: Call, name: str, description: str | None = None) -> str:
    """A new benchmark's id."""
    benchmark_id = call.store.next_id("benchmark")
    call.store.add(
        benchmarks,
        id=benchmark_id,
        name=name,
        description=description,
        is_public=False,
        is_published=False,
        score_shift=0.0,
        score_scale=1.0,
        created_at=call.now,
    )
    return benchmark_id


def create_benchmark(call: Call) -> Any:
    """``POST /benchmark``."""
    fields = call.fields()
    name = fields.text("name")
    changes = _changes(fields)
    fields.check()
    benchmark_id = create(call, name)
    if changes:
        call.store.write(
            update(benchmarks).where(benchmarks.c.id == benchmark_id).values(**changes)
        )
    return {"id": benchmark_id}


def list_benchmarks(call: Call) -> Any:
    """``GET /benchmarks``."""
    columns = benchmarks.c
    listing = Listing(
        rows=select(benchmarks),
        order=(columns.seq,),
        fields={
            "id": Field(columns.id),
            "name": Field(columns.name),
            "is_public": Field(columns.is_public, "flag"),
            "publication_date": Field(columns.publication_date, "time"),
            "owner_mail": Field(literal(OWNER_MAIL)),
            "created_at": Field(columns.created_at, "time"),
        },
        sorts={"id": columns.id, "name": columns.name, "created_at": columns.created_at},
    )
    return listed(call, listing, lambda row: _both_views(row) | {"isManaged": False})


def get_benchmark(call: Call) -> Any:
    """``GET /benchmark/{id}``."""
    row = required(call)
    return _both_views(row) | {
        "description": row.description,
        "ownerId": call.account.owner_id,
        "scoreShift": row.score_shift,
        "scoreScale": row.score_scale,
        "initialBoostLevel": row.initial_boost_level,
        "minAssetsPerPrompt": row.min_assets_per_prompt,
        "forkStatus": "Ready",
        "promptStructure": _STRUCTURE,
    }


def update_benchmark(call: Call) -> None:
    """``PATCH /benchmark/{id}``: null clears what can be without a value."""
    row = required(call)
    fields = call.fields()
    changes = _changes(fields)
    fields.check()
    if changes:
        call.store.write(update(benchmarks).where(benchmarks.c.id == row.id).values(**changes))


def rename_benchmark(call: Call) -> None:
    """``PUT /benchmark/{id}/name``."""
    row = required(call)
    fields = call.fields()
    name = fields.text("name")
    fields.check()
    call.store.write(update(benchmarks).where(benchmarks.c.id == row.id).values(name=name))


def delete_benchmark(call: Call) -> None:
    """``DELETE /benchmark/{id}``: with everything in it, except the jobs that were paid."""
    benchmark_id = required(call).id
    people = select(participants.c.id).where(participants.c.benchmark_id == benchmark_id)
    call.store.write(delete(samples).where(samples.c.participant_id.in_(people)))
    for table in (leaderboards, participants, prompts):
        call.store.write(delete(table).where(table.c.benchmark_id == benchmark_id))
    call.store.write(delete(benchmarks).where(benchmarks.c.id == benchmark_id))


def create_prompt(call: Call) -> Any:
    """``POST /benchmark/{id}/prompt``; an identifier names one prompt of its benchmark."""
    benchmark = required(call)
    fields = call.fields()
    identifier = fields.text("identifier")
    segments = fields.optional_objects("segments") or dataset_service.legacy_segments(
        fields, _LEGACY
    )
    tags = _tags(fields)
    origin = _origin(fields)
    by_key = _check_segments(call.store, fields, segments)
    fields.check()
    if has_prompt(call.store, benchmark.id, identifier):
        message = f"The benchmark has a prompt with the identifier {identifier} already."
        raise Problem(409, "The identifier is taken.", message)
    prompt_id = call.store.next_id("prompt")
    call.store.add(
        prompts,
        id=prompt_id,
        benchmark_id=benchmark.id,
        identifier=identifier,
        text=by_key.get(_TEXT_SEGMENT, {}).get("text"),
        segments=segments,
        tags=tags,
        origin=origin,
        created_at=call.now,
    )
    return {"id": prompt_id}


def list_prompts(call: Call) -> Any:
    """``GET /benchmark/{id}/prompts``."""
    columns = prompts.c
    rows = select(prompts).where(columns.benchmark_id == required(call).id)
    fields = {
        "id": Field(columns.id),
        "identifier": Field(columns.identifier),
        "english_prompt": Field(columns.text),
        "original_prompt": Field(columns.text),
        "origin_source": Field(columns.origin),
        "created_at": Field(columns.created_at, "time"),
    }
    tag = func.json_each(columns.tags).table_valued("value")
    if any(key.startswith("tag_") for key, _ in call.query):
        # A prompt that has several of the wanted tags is still one prompt.
        rows = rows.outerjoin(tag, true()).distinct()
    fields["tag_values"] = Field(func.json_extract(tag.c.value, "$.value"))
    fields["tag_categories"] = Field(func.json_extract(tag.c.value, "$.category"))
    listing = Listing(
        rows=rows,
        order=(columns.seq,),
        fields=fields,
        sorts={
            "id": columns.id,
            "created_at": columns.created_at,
            "origin_source": columns.origin,
        },
    )
    return listed(call, listing, lambda row: _prompt(call.store, row))


def update_tags(call: Call) -> None:
    """``PUT /benchmark-prompt/{id}/tags``: replaces what is given."""
    prompt = call.row(prompts, "Prompt", "prompt_id")
    fields = call.fields()
    changes: JsonObject = {}
    if "tags" in fields:
        changes["tags"] = _tags(fields)
    if "origin" in fields:
        changes["origin"] = _origin(fields)
    fields.check()
    if changes:
        call.store.write(update(prompts).where(prompts.c.id == prompt.id).values(**changes))


def delete_prompt(call: Call) -> None:
    """``DELETE /benchmark-prompt/{id}``, unless models have samples for it."""
    prompt = call.row(prompts, "Prompt", "prompt_id")
    used = select(
        exists().where(
            samples.c.identifier == prompt.identifier,
            samples.c.participant_id.in_(
                select(participants.c.id).where(participants.c.benchmark_id == prompt.benchmark_id)
            ),
        )
    )
    if call.store.number(used):
        raise Problem(409, "The prompt is in use.", "There are samples for this prompt.")
    call.store.write(delete(prompts).where(prompts.c.id == prompt.id))


def get_tags(call: Call) -> Any:
    """``GET /benchmark/{id}/tags``: how many prompts carry each tag."""
    counts: Counter[tuple[str, str | None]] = Counter()
    for row in prompts_of(call.store, required(call).id).values():
        counts.update({(tag["value"], tag.get("category")) for tag in row.tags})
    return {
        "tags": [
            {"value": value, "category": category, "promptCount": count}
            for (value, category), count in sorted(
                counts.items(), key=lambda entry: (entry[0][0], entry[0][1] or "")
            )
        ]
    }


def asset_output(store: Store, row: Row[Any]) -> JsonObject | None:
    """A prompt's asset in an answer."""
    asset = _by_key(row.segments).get(_ASSET_SEGMENT, {}).get("asset")
    return None if asset is None else asset_service.shown(store, asset)


def asset_input(row: Row[Any]) -> JsonObject | None:
    """A prompt's asset as it was given."""
    return _by_key(row.segments).get(_ASSET_SEGMENT, {}).get("asset")


def tag_values(row: Row[Any]) -> list[str]:
    """The tags of a prompt, without their categories."""
    return [tag["value"] for tag in row.tags]


def _changes(fields: Fields) -> JsonObject:
    """What a request sets, under the names of the columns."""
    name = fields.given_text("name")
    description = fields.optional_text("description")
    minimum = fields.optional_whole("minAssetsPerPrompt")
    published = fields.optional_text("publicationDate")
    values: JsonObject = {
        "name": name,
        "is_public": fields.optional_flag("isPublic"),
        "is_published": fields.optional_flag("isPublished"),
        "score_shift": fields.optional_number("scoreShift"),
        "score_scale": fields.positive("scoreScale"),
    }
    changes = {column: value for column, value in values.items() if value is not None}
    clearable = {
        "description": ("description", description),
        "minAssetsPerPrompt": ("min_assets_per_prompt", minimum),
        "initialBoostLevel": ("initial_boost_level", fields.optional_whole("initialBoostLevel")),
        "publicationDate": ("publication_date", _moment(fields, published)),
    }
    for key, (column, value) in clearable.items():
        if key in fields or fields.is_null(key):
            changes[column] = value
    if description is not None and len(description) > MAX_DESCRIPTION:
        fields.wrong("description", f"description has at most {MAX_DESCRIPTION} characters.")
    if minimum is not None and minimum < 2:
        fields.wrong("minAssetsPerPrompt", "minAssetsPerPrompt is at least 2.")
    return changes


def _moment(fields: Fields, text: str | None) -> int | None:
    try:
        return None if text is None else parse_rfc3339(text)
    except ValueError:
        fields.wrong("publicationDate", f"{text!r} is not a date.")
        return None


def _check_segments(
    store: Store, fields: Fields, segments: list[JsonObject]
) -> Mapping[str, JsonObject]:
    known = {definition["key"]: definition["kind"] for definition in _STRUCTURE}
    for segment in segments:
        key = segment.get("key")
        kind = known.get(key) if isinstance(key, str) else None
        if kind is None:
            fields.wrong("segments", f"{key} is not a segment of the benchmark's prompts.")
            continue
        content = segment.get(_CONTENT[kind])
        if segment.get("kind") != kind or content is None:
            fields.wrong(str(key), f"The segment {key} is of the kind {kind}, in {_CONTENT[kind]}.")
        elif kind == "Asset":
            fields.note(str(key), asset_service.problems(store, content))
        elif not isinstance(content, str) or not content.strip():
            fields.wrong(str(key), f"The text of {key} must not be empty.")
    if not segments:
        fields.wrong("segments", "A prompt has a text or an asset.")
    return _by_key(segments)


def _by_key(segments: list[JsonObject]) -> dict[str, JsonObject]:
    return {str(segment.get("key")): segment for segment in segments}


def _tags(fields: Fields) -> list[JsonObject]:
    tags: list[JsonObject] = []
    for tag in fields.optional_objects("tags"):
        match tag:
            case {"value": str(value), "category": str() | None as category} if value:
                tags.append({"value": value, "category": category})
            case {"value": str(value)} if value and "category" not in tag:
                tags.append({"value": value, "category": None})
            case _:
                fields.wrong("tags", f"{tag} is not a {{value, category}} of texts.")
    return tags


def _origin(fields: Fields) -> str | None:
    match fields.optional_object("origin"):
        case None:
            return None
        case {"source": str(source)} if source:
            return source
        case other:
            fields.wrong("origin", f"{other} is not a {{source}}.")
            return None


def _both_views(row: Row[Any]) -> JsonObject:
    published = row.publication_date
    return {
        "id": row.id,
        "name": row.name,
        "isPublic": row.is_public,
        "isPublished": row.is_published,
        "publicationDate": None if published is None else rfc3339(published),
        "createdAt": rfc3339(row.created_at),
        "ownerMail": OWNER_MAIL,
        "organizationId": ORGANIZATION_ID,
        "lastUpdatedAt": None,
    }


def _prompt(store: Store, row: Row[Any]) -> JsonObject:
    return {
        "id": row.id,
        "identifier": row.identifier,
        "segments": [
            {
                "key": segment["key"],
                "kind": segment["kind"],
                "originalText": segment.get("text"),
                "englishText": segment.get("text"),
                "asset": None
                if segment.get("asset") is None
                else asset_service.shown(store, segment["asset"]),
            }
            for segment in row.segments
        ],
        "originalPrompt": row.text,
        "englishPrompt": row.text,
        "promptAsset": asset_output(store, row),
        "tags": row.tags,
        "origin": None if row.origin is None else {"source": row.origin},
        "createdAt": rfc3339(row.created_at),
    }


ENDPOINTS = (
    Endpoint("POST", "/benchmark", create_benchmark),
    Endpoint("GET", "/benchmarks", list_benchmarks),
    Endpoint("GET", "/benchmark/{benchmark_id}", get_benchmark),
    Endpoint("PATCH", "/benchmark/{benchmark_id}", update_benchmark),
    Endpoint("PUT", "/benchmark/{benchmark_id}/name", rename_benchmark),
    Endpoint("DELETE", "/benchmark/{benchmark_id}", delete_benchmark),
    Endpoint("POST", "/benchmark/{benchmark_id}/prompt", create_prompt),
    Endpoint("GET", "/benchmark/{benchmark_id}/prompts", list_prompts),
    Endpoint("GET", "/benchmark/{benchmark_id}/tags", get_tags),
    Endpoint("PUT", "/benchmark-prompt/{prompt_id}/tags", update_tags),
    Endpoint("DELETE", "/benchmark-prompt/{prompt_id}", delete_prompt),
)
