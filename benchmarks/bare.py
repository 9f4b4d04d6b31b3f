"""The yardstick for wall time: an asyncio loop that sends the requests that must be sent.

No retries, no checks, no cache, no progress: what is left of the time is the HTTP library's and
the platform's.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import uuid
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import httpx2 as httpx

WORKERS = 16
BATCH = 1000
POLL = 0.05


def define(pairs: list[list[str]], kind: str) -> None:
    """Create a compare definition of pairs of ``urls``, ``files`` or ``texts``."""
    asyncio.run(_define(pairs, kind))


async def _define(pairs: list[list[str]], kind: str) -> None:
    context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
    limits = httpx.Limits(max_connections=WORKERS, max_keepalive_connections=WORKERS)
    url = os.environ["SANDBOX_URL"]
    async with httpx.AsyncClient(
        base_url=url, verify=context, limits=limits, timeout=60, trust_env=False
    ) as client:
        token = await _ask(
            client,
            "POST",
            "/connect/token",
            data={"grant_type": "client_credentials"},
            auth=(os.environ["RAPIDATA_CLIENT_ID"], os.environ["RAPIDATA_CLIENT_SECRET"]),
        )
        client.headers["Authorization"] = f"Bearer {token['access_token']}"
        items = [item for pair in pairs for item in pair]
        names = await _UPLOADS[kind](client, items)
        dataset = await _ask(client, "POST", "/dataset", json={"name": "bare"})
        path = f"/dataset/{dataset['datasetId']}/datapoint"

        async def add(index: int) -> None:
            assets = [_asset(kind, item, names) for item in pairs[index]]
            asset = {"_t": "MultiAssetInput", "assets": assets}
            segment = {"key": "asset", "kind": "Asset", "asset": asset}
            await _ask(client, "POST", path, json={"segments": [segment], "sortIndex": index})

        await _all(add, range(len(pairs)))
        rapid = {
            "_t": "Compare",
            "asset": {"segment": "asset"},
            "criteria": {"literal": "Which is better?"},
        }
        definition = {
            "definitionName": "bare",
            "workflow": {"_t": "SimpleWorkflow", "rapid": rapid},
            "referee": {"_t": "NaiveReferee", "totalVotes": 10},
            "datasetId": dataset["datasetId"],
        }
        await _ask(client, "POST", "/job/definition", json=definition)


async def _upload_urls(client: httpx.AsyncClient, urls: list[str]) -> dict[str, str]:
    correlation = str(uuid.uuid4())
    batches: list[str] = []
    for start in range(0, len(urls), BATCH):
        body = {"urls": urls[start : start + BATCH], "correlationId": correlation}
        answer = await _ask(client, "POST", "/asset/batch-upload", json=body)
        batches.append(answer["batchUploadId"])
    status = f"/asset/batch-upload/status?correlationId={correlation}"
    while (await _ask(client, "GET", status))["status"] != "Completed":  # noqa: ASYNC110
        await asyncio.sleep(POLL)
    names: dict[str, str] = {}
    for batch in batches:
        answer = await _ask(client, "GET", f"/asset/batch-upload/{batch}")
        names |= {item["url"]: item["fileName"] for item in answer["items"]}
    return names


async def _upload_files(client: httpx.AsyncClient, files: list[str]) -> dict[str, str]:
    names: dict[str, str] = {}

    async def upload(file: str) -> None:
        path = Path(file)
        part = (path.name, path.read_bytes(), "image/jpeg")  # noqa: ASYNC240 -- that is bare
        answer = await _ask(client, "POST", "/asset/file", files={"file": part})
        names[file] = answer["fileName"]

    await _all(upload, files)
    return names


async def _no_uploads(_client: httpx.AsyncClient, _texts: list[str]) -> dict[str, str]:
    return {}


_UPLOADS = {"urls": _upload_urls, "files": _upload_files, "texts": _no_uploads}


def _asset(kind: str, item: str, names: dict[str, str]) -> dict[str, str]:
    if kind == "texts":
        return {"_t": "TextAssetInput", "text": item}
    return {"_t": "ExistingAssetInput", "name": names[item]}


async def _ask(client: httpx.AsyncClient, method: str, path: str, **more: Any) -> Any:
    answer = await client.request(method, path, **more)
    answer.raise_for_status()
    return answer.json()


async def _all(function: Callable[[Any], Awaitable[None]], items: Iterable[Any]) -> None:
    turns = iter(items)

    async def work() -> None:
        for item in turns:
            await function(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(WORKERS):
            group.create_task(work())
