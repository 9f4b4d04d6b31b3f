"""Event loops, forked processes and what gets imported. Each case runs in a fresh interpreter."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

import pytest

FORK = """
    import asyncio, os, sys, threading
    from rapidata_core import AsyncRapidataClient, RapidataClient

    def in_child(work):
        child = os.fork()
        if child == 0:
            try:
                work()
            except BaseException as error:
                print(repr(error), file=sys.stderr, flush=True)
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0

    client = RapidataClient()
    look = lambda: client.audience.get_audience_by_id("global")

    async def look_async():
        async with AsyncRapidataClient() as client:
            await client.audience.get_audience_by_id("global")
"""

# The fork matrix of the design: who used what before the fork, and who uses it afterwards.
CASES = {
    "used in the child only": "in_child(look)",
    "used in the parent, then in the child": "look(); in_child(look)",
    "used by both after the fork": "look(); in_child(look); look(); in_child(look); look()",
    "used by both at once": """
        look()
        def many():
            for _ in range(20): look()
        other = threading.Thread(target=many); other.start()
        in_child(many); other.join(30); assert not other.is_alive()
    """,
    "forked while a thread is logging in": """
        tokens = client._transport._tokens
        fetch, begun, go_on = tokens._fetch, threading.Event(), threading.Event()
        tokens._fetch = lambda: (begun.set(), go_on.wait(30), fetch())[-1]
        other = threading.Thread(target=look); other.start(); begun.wait(30)
        in_child(lambda: (go_on.set(), look())); go_on.set(); other.join(30); look()
    """,
    "closed in the child": "look(); in_child(lambda: (look(), client.close())); look()",
    "async in the parent, sync in the child": "asyncio.run(look_async()); in_child(look)",
    "sync in the parent, async in the child": "look(); in_child(lambda: asyncio.run(look_async()))",
    "async in both": """
        asyncio.run(look_async()); in_child(lambda: asyncio.run(look_async()))
        asyncio.run(look_async())
    """,
    "one async client on one event loop after another": """
        shared = AsyncRapidataClient()
        async def once():
            await shared.audience.get_audience_by_id("global")
            await shared.aclose()
        asyncio.run(once()); asyncio.run(once())
    """,
}


def run(script, environ):
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script],
        env=environ,
        timeout=60,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def environ(monkeypatch, rapidata_sandbox):
    import os

    return {**os.environ, **rapidata_sandbox.environ}


@pytest.mark.parametrize("case", CASES)
def test_forks_and_loops(case, environ):
    run(textwrap.dedent(FORK) + textwrap.dedent(CASES[case]), environ)


@pytest.fixture(scope="module")
def tls_sandbox():
    from rapidata_core.sandbox.process import Sandbox

    with Sandbox.start(tls=True) as sandbox:
        yield sandbox


@pytest.mark.parametrize(
    "case", ["used by both after the fork", "used by both at once", "async in both"]
)
def test_forks_over_tls(case, tls_sandbox):
    import os

    script = textwrap.dedent(FORK) + textwrap.dedent(CASES[case])
    run(script, {**os.environ, **tls_sandbox.environ})


HEAVY = {"pandas", "pyarrow", "numpy", "starlette", "uvicorn", "sqlalchemy", "upath", "fsspec"}
ENGINES = {"airflow", "dagster", "prefect"}


def loaded_by(code, environ=None):
    report = "import json, sys; print(json.dumps(list(sys.modules)))"
    return set(json.loads(run(f"{code}\n{report}", environ)))


def test_importing_the_package_loads_next_to_nothing():
    modules = loaded_by("import rapidata_core")
    assert not modules & (HEAVY | ENGINES | {"pydantic", "httpx", "httpx2", "ssl"})
    assert not [m for m in modules if m.startswith("rapidata_core.")]


def test_a_client_and_a_spec_load_no_tables_no_engine_and_no_sandbox():
    modules = loaded_by(
        "from rapidata_core import CompareJob, RapidataClient; RapidataClient('a', 'b')"
    )
    assert not modules & (HEAVY | ENGINES)
    assert not [m for m in modules if m.startswith("rapidata_core.sandbox")]


def test_a_whole_job_loads_pandas_only_for_tables(environ, rapidata_sandbox):
    modules = loaded_by(
        textwrap.dedent("""
            from rapidata_core import CompareJob, RapidataClient
            spec = CompareJob(name="n", instruction="?", data_type="text", datapoints=[["a", "b"]])
            client = RapidataClient()
            job = client.job.get_job_by_id(client.submit(spec, "global", key="k").job_id)
            assert job.get_status()
        """),
        environ,
    )
    assert not modules & (HEAVY | ENGINES)


def test_every_public_name_exists():
    run("import rapidata_core as r; [getattr(r, n) for n in dir(r)]", None)


def test_an_unknown_name_is_an_attribute_error():
    import rapidata_core

    with pytest.raises(AttributeError, match="has no attribute 'nope'"):
        rapidata_core.nope  # noqa: B018
