"""Small pages for people who look at a sandbox with a browser. Everything shown is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from sqlalchemy import Row, func, select
from starlette.responses import HTMLResponse

from rapidata_core.sandbox import lifecycle, pools
from rapidata_core.sandbox.api import billing, definitions
from rapidata_core.sandbox.api import jobs as job_service
from rapidata_core.sandbox.api.call import Call, Endpoint
from rapidata_core.sandbox.clock import rfc3339
from rapidata_core.sandbox.lifecycle import Job
from rapidata_core.sandbox.problems import missing
from rapidata_core.sandbox.tables import audiences, datapoints, jobs
from rapidata_core.sandbox.tables import definitions as definition_table

_SHOWN = 50
_STYLE = (
    "body{font:15px system-ui;margin:2rem auto;max-width:70rem;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem;"
    "border-bottom:1px solid #ddd}progress{width:8rem}"
    "pre{background:#f4f4f4;padding:1rem;overflow:auto}"
)
_POLICY = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}


class _Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def overview(call: Call) -> Any:
    """``GET /``: what exists."""
    store = call.store
    newest = store.read(select(jobs).order_by(jobs.c.seq.desc()).limit(_SHOWN))
    defined = store.read(
        select(definition_table)
        .where(definition_table.c.deleted.is_(False))
        .order_by(definition_table.c.seq.desc())
        .limit(_SHOWN)
    )
    statement = billing.statement(store)
    entries: list[dict[str, Any]] = statement["entries"]
    shown = [
        (entry["at"], entry["kind"], entry["name"], f"{entry['amount']:.2f}")
        for entry in entries[-_SHOWN:][::-1]
    ]
    return _page(
        "Rapidata sandbox",
        f"<p>Simulated people, simulated money. The clock says {rfc3339(call.now)}.</p>",
        "<h2>Jobs</h2>",
        _table(
            ("Job", "State", "Progress", "Responses", "Created"),
            [_job_row(call, lifecycle.from_row(row)) for row in newest],
        ),
        "<h2>Definitions</h2>",
        _table(
            ("Definition", "Type", "Created"),
            [
                (_link(f"/definitions/{row.id}", row.name), row.type, rfc3339(row.created_at))
                for row in defined
            ],
        ),
        "<h2>Audiences</h2>",
        _table(
            ("Id", "Name", "Kind", "Status", "Graduated"),
            [_audience_row(call, row) for row in store.read(select(audiences)).all()],
        ),
        f"<h2>Ledger</h2><p>Balance {statement['balance']:.2f}</p>",
        _table(("At", "Kind", "Job", "Amount"), shown),
    )


def _audience_row(call: Call, row: Row[Any]) -> tuple[str, ...]:
    graduated = pools.users_per_state(call.store, row, call.now)["Graduated"]
    link = _link(f"/audiences/{row.id}", row.id)
    return link, row.name, row.kind, pools.status(call.store, row, call.now), str(graduated)


def job_page(call: Call) -> Any:
    """``GET /audiences/{audience}/job/{job}``: where clients send people to look at a job."""
    job = job_service.find(call.store, call.path["job_id"])
    if job is None or job.audience_id != call.path["audience_id"]:
        raise missing("Job", call.path["job_id"])
    facts = [
        ("Id", job.id),
        ("State", lifecycle.state(job, call.now)),
        ("Responses", f"{_answered(call, job)} of {job.responses}"),
        ("Datapoints", job.datapoint_count),
        ("Audience", job.audience_id),
        ("Definition", _link(f"/definitions/{job.definition_id}", job.definition_id)),
        ("Created", rfc3339(job.created_at)),
        ("Failure", job.failure_message or "-"),
        ("Review", job.review_reason or "-"),
    ]
    return _page(job.name, _progress(call, job), _table(("", ""), facts))


def audience_page(call: Call) -> Any:
    """``GET /audiences/{id}``: where clients send people to look at an audience."""
    audience = call.row(audiences, "Audience", "audience_id")
    people = pools.users_per_state(call.store, audience, call.now)
    facts = [
        ("Id", audience.id),
        ("Kind", audience.kind),
        ("Status", pools.status(call.store, audience, call.now)),
        *((f"People: {state}", count) for state, count in people.items()),
    ]
    return _page(audience.name, _table(("", ""), facts))


def definition_page(call: Call) -> Any:
    """``GET /definitions/{id}``: where clients send people to look at a definition."""
    definition = definitions.find_definition(call.store, call.path["definition_id"])
    if definition is None:
        raise missing("Job definition", call.path["definition_id"])
    revision = definitions.latest_revision(call.store, definition.id)
    wanted = select(func.count()).where(datapoints.c.dataset_id == revision.dataset_id)
    facts = [
        ("Id", definition.id),
        ("Type", definition.type),
        ("Revision", revision.number),
        ("Dataset", revision.dataset_id),
        ("Datapoints", call.store.number(wanted)),
        ("Workflow", str(revision.workflow)),
        ("Referee", str(revision.referee)),
        ("Settings", str(revision.flags)),
    ]
    return _page(definition.name, _table(("", ""), facts))


def _job_row(call: Call, job: Job) -> tuple[object, ...]:
    return (
        _link(f"/audiences/{job.audience_id}/job/{job.id}", job.name),
        lifecycle.state(job, call.now),
        _progress(call, job),
        f"{_answered(call, job)}/{job.responses}",
        rfc3339(job.created_at),
    )


def _answered(call: Call, job: Job) -> int:
    return lifecycle.answered(job, call.store.seed, call.now)


def _progress(call: Call, job: Job) -> _Markup:
    return _Markup(f'<progress max="{job.responses}" value="{_answered(call, job)}"></progress>')


def _link(target: str, text: str) -> _Markup:
    return _Markup(f'<a href="{escape(target)}">{escape(text)}</a>')


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(f"<tr>{''.join(_cell(cell) for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: object) -> str:
    return f"<td>{value if isinstance(value, _Markup) else escape(str(value))}</td>"


def _page(title: str, *parts: str) -> HTMLResponse:
    name = escape(title)
    top = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{name}</title>'
    top += f'<style>{_STYLE}</style><p><a href="/">Sandbox</a></p><h1>{name}</h1>'
    return HTMLResponse(top + "".join(parts), headers=_POLICY)


ENDPOINTS = (
    Endpoint("GET", "/", overview, open=True, recorded=False),
    Endpoint("GET", "/audiences/{audience_id}", audience_page, open=True, recorded=False),
    Endpoint("GET", "/audiences/{audience_id}/job/{job_id}", job_page, open=True, recorded=False),
    Endpoint("GET", "/definitions/{definition_id}", definition_page, open=True, recorded=False),
)
