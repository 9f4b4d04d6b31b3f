"""Does what is said between a client and the sandbox agree with the platform's API description?

The description (OpenAPI 3.0) is not part of this repository; where it is absent nothing is
checked. It is older than the platform that we speak to; what has changed since is listed below.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from rapidata_core.sandbox.process import Sandbox

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "openapi"
OURS = "rapidata-orchestration/"
_JSON = "application/json"
_ROOT = "urn:api"
Schema = dict[str, Any]


def optional(*names: str) -> Callable[[Schema], None]:
    """These fields need not be there any more."""

    def edit(schema: Schema) -> None:
        assert set(names) <= set(schema["required"]), (names, schema["required"])
        schema["required"] = [name for name in schema["required"] if name not in names]

    return edit


def one_more(*values: str) -> Callable[[Schema], None]:
    """An enum has more values than it had."""

    def edit(schema: Schema) -> None:
        assert not set(values) & set(schema["enum"]), values
        schema["enum"] = [*schema["enum"], *values]

    return edit


def more_kinds(schema: Schema) -> None:
    """There are more kinds of it than there were, so none of them can be told apart."""
    del schema["discriminator"], schema["oneOf"]


DRIFT: dict[str, Callable[[Schema], None]] = {
    # What is labelled is a list of segments now; the older fields are still read.
    "CreateDatapointEndpoint_Input": optional("asset"),
    "QueryDatapointsByDatasetIdEndpoint_Output": optional("asset"),
    # The question is in `rapid`, with bindings to segments.
    "IOrderWorkflowInputSimpleWorkflowInput": optional("blueprint"),
    "AudienceJobState": one_more("Blocked"),
    # Classify flows came after ranking flows.
    "IFlow": more_kinds,
    "FlowType": one_more("Simple"),
    "RunStatus": one_more("Cancelled"),
}
"""Schemas that changed between the description and the platform (SDK 3.27.1)."""

NEW_FIELDS = {
    "POST /dataset": {"schema"},
    "POST /dataset/{datasetId}/datapoint": {"segments"},
    "POST /dataset/{datasetId}/group": {"segments"},
    "POST /job/definition/{definitionId}/revision": {"baseRevisionNumber", "requireLatest"},
    "POST /benchmark/{benchmarkId}/prompt": {"segments"},
    "PATCH /benchmark/{benchmarkId}": {"minAssetsPerPrompt"},
    "PATCH /participant/{participantId}": {"cost", "costUnit"},
}
"""Fields of requests that the platform reads since."""

NEW_PARAMETERS = {
    "GET /jobs": {"scope", "campaign_id"},
    "GET /job/definitions": {"id"},
    "GET /audiences": {"scope"},
    "POST /participant/{participantId}/disable": {"keepVotes"},
}
"""Query parameters that the platform reads since."""


class Description:
    """The operations of the API description."""

    def __init__(self, document: dict[str, Any]) -> None:
        schemas = document["components"]["schemas"]
        for name, edit in DRIFT.items():
            edit(schemas[name])
        self._document = _plain_json_schema(document)
        self._validators: dict[str, Any] = {}
        # A literal path goes before one with parameters.
        self._templates = sorted(document["paths"], key=lambda path: path.count("{"))

    @classmethod
    @lru_cache
    def load(cls) -> Description | None:
        """The newest description; None where there is none, or nothing to check it with."""
        files = sorted(FOLDER.glob("*.json")) if find_spec("jsonschema") else []
        return cls(json.loads(files[-1].read_text(encoding="utf-8"))) if files else None

    def template(self, method: str, path: str) -> str | None:
        """The path of an operation, as the description writes it."""
        return next(
            (
                template
                for template, pattern in self._patterns
                if pattern.fullmatch(path) and method.lower() in self._document["paths"][template]
            ),
            None,
        )

    @cached_property
    def _patterns(self) -> list[tuple[str, re.Pattern[str]]]:
        return [
            (template, re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))))
            for template in self._templates
        ]

    def problems(self, entry: Mapping[str, Any]) -> Iterator[str]:
        """What disagrees in one entry of the sandbox's journal, with its answer.

        Only what the platform carried out counts: tests also send what it has to refuse.
        """
        template = self.template(entry["method"], entry["path"])
        if template is None or entry["status"] not in {200, 202, 204}:
            return
        operation = self._document["paths"][template][entry["method"].lower()]
        name = f"{entry['method']} {template}"
        if entry["user_agent"].startswith(OURS):
            yield from self._request(name, operation, entry["body"])
            yield from self._query(name, operation, entry["query"])
        if str(entry["status"]) not in operation["responses"]:
            yield f"{name}: the answer {entry['status']} is not described"
            return
        content = operation["responses"][str(entry["status"])].get("content", {})
        if _JSON in content:
            yield from self._check(f"{name} answer", content[_JSON]["schema"], entry["answer"])

    def _request(self, name: str, operation: Schema, body: Any) -> Iterator[str]:
        described = operation.get("requestBody", {})
        schema = described.get("content", {}).get(_JSON, {}).get("schema")
        if schema is None or (body is None and not described.get("required")):
            return
        yield from self._check(f"{name} request", schema, body)
        fields = self._resolved(schema).get("properties")
        if fields is not None and isinstance(body, dict) and "omitted_bytes" not in body:
            for unknown in set(body) - set(fields) - NEW_FIELDS.get(name, set()):
                yield f"{name} request: {unknown}: there is no such field"

    def _query(self, name: str, operation: Schema, query: str) -> Iterator[str]:
        given = {parameter.split("[")[0] for parameter, _ in parse_qsl(query)}
        known = {self._resolved(parameter)["name"] for parameter in operation.get("parameters", [])}
        for unknown in given - known - NEW_PARAMETERS.get(name, set()):
            yield f"{name} request: ?{unknown}: there is no such parameter"

    def _resolved(self, schema: Schema) -> Schema:
        """What a reference stands for."""
        while "$ref" in schema:
            value: Any = self._document
            for part in schema["$ref"].removeprefix(f"{_ROOT}#/").split("/"):
                value = value[part]
            schema = value
        return schema

    def _check(self, name: str, schema: Schema, value: Any) -> Iterator[str]:
        if isinstance(value, dict) and set(value) == {"omitted_bytes"}:
            return
        for error in self._validator(schema).iter_errors(value):
            where = ".".join(str(part) for part in error.absolute_path)
            yield f"{name}: {where or 'body'}: {error.message[:300]}"

    def _validator(self, schema: Schema) -> Any:
        from jsonschema import Draft202012Validator
        from referencing import Registry, Resource
        from referencing.jsonschema import DRAFT202012

        key = json.dumps(schema, sort_keys=True)
        if key not in self._validators:
            registry = Registry().with_resource(
                _ROOT, Resource(self._document, specification=DRAFT202012)
            )
            self._validators[key] = Draft202012Validator(
                schema, registry=registry, format_checker=Draft202012Validator.FORMAT_CHECKER
            )
        return self._validators[key]


def _plain_json_schema(value: Any) -> Any:
    """OpenAPI 3.0's ``nullable`` and ``discriminator`` in the words of JSON Schema.

    To the platform a field that need not be there may as well be null, whatever the description
    says: version 3.0 has no way to say so of a reference.
    """
    if isinstance(value, list):
        return [_plain_json_schema(one) for one in value]
    if not isinstance(value, dict):
        return value
    schema = {
        name: _plain_json_schema(one)
        for name, one in value.items()
        if name not in {"nullable", "discriminator"}
    }
    if isinstance(schema.get("properties"), dict):
        schema["properties"] = {
            name: one if name in value.get("required", []) else _or_null(one)
            for name, one in schema["properties"].items()
        }
    if isinstance(value.get("$ref"), str):
        schema["$ref"] = _ROOT + value["$ref"]
    mapping = value.get("discriminator", {}).get("mapping") if "oneOf" in value else None
    if mapping:
        # Says which of the kinds it is, so that an error is about that kind alone.
        field = value["discriminator"]["propertyName"]
        del schema["oneOf"]
        schema["required"] = [*schema.get("required", []), field]
        schema["allOf"] = [
            *schema.get("allOf", []),
            {"properties": {field: {"enum": list(mapping)}}},
            *(
                {"if": {"properties": {field: {"const": kind}}}, "then": {"$ref": _ROOT + target}}
                for kind, target in mapping.items()
            ),
        ]
    return _or_null(schema) if value.get("nullable") is True else schema


def _or_null(schema: Schema) -> Schema:
    # Not `anyOf`: its errors do not say what is wrong with a value that is not null.
    return {"if": {"not": {"type": "null"}}, "then": schema}


def check(sandbox: Sandbox) -> None:
    """Fail when something that a sandbox was asked, or answered, disagrees with the description."""
    description = Description.load()
    if description is not None:
        entries = sandbox.requests(answers=True)
        found = {problem for entry in entries for problem in description.problems(entry)}
        assert not found, "\n".join(sorted(found))
