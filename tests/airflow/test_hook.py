"""The connection."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.log import redact

from rapidata_airflow.hooks.rapidata import RapidataHook
from rapidata_core import parse_job
from rapidata_core.errors import AuthenticationError
from rapidata_core.sandbox.process import Sandbox

Connect = Callable[..., None]


def logs_in() -> bool:
    return RapidataHook().test_connection()[0]


def test_a_json_connection(sandbox: Sandbox):
    assert RapidataHook().test_connection() == (True, "Logged in; audience 'Global' is there")
    assert ("GET", "/audience/global") in [(r["method"], r["path"]) for r in sandbox.requests()]


def test_a_uri_connection(sandbox: Sandbox, connect: Connect):
    host = sandbox.url.removeprefix("http://")
    connect(f"rapidata://http://{sandbox.client_id}:{sandbox.client_secret}@{host}")
    assert logs_in()


def test_the_connection_survives_airflows_own_uri(sandbox: Sandbox, connect: Connect):
    # Airflow's secrets cache keeps connections as URIs.
    connection = Connection(
        conn_id="any",
        conn_type="rapidata",
        login=sandbox.client_id,
        password=sandbox.client_secret,
        host=sandbox.url,
    )
    connect(connection.get_uri())
    assert logs_in()


def test_a_blank_connection_takes_the_workers_variables(
    sandbox: Sandbox, connect: Connect, monkeypatch: pytest.MonkeyPatch
):
    connect()
    with pytest.raises(AuthenticationError, match="no credentials"):
        RapidataHook().get_conn()
    for name, value in sandbox.environ.items():
        monkeypatch.setenv(name, value)
    assert logs_in()


@pytest.mark.parametrize("field", ["login", "password"])
def test_half_a_pair_is_refused_whatever_the_variables_say(
    field: str, sandbox: Sandbox, connect: Connect, monkeypatch: pytest.MonkeyPatch
):
    for name, value in sandbox.environ.items():
        monkeypatch.setenv(name, value)
    connect(**{field: "half-of-a-pair", "host": sandbox.url})
    with pytest.raises(AuthenticationError, match="but no") as raised:
        RapidataHook().get_conn()
    assert "half-of-a-pair" not in str(raised.value)
    assert sandbox.requests() == []


def test_a_missing_connection_says_how_to_make_it():
    with pytest.raises(AirflowNotFoundException, match="airflow connections add absent"):
        RapidataHook("absent").get_conn()


async def test_a_missing_connection_says_so_to_triggers_too():
    with pytest.raises(AirflowNotFoundException, match="airflow connections add absent"):
        await RapidataHook("absent").aget_conn()


async def test_triggers_get_an_asynchronous_client(sandbox: Sandbox):
    async with await RapidataHook().aget_conn() as client:
        assert (await client.audience.get_audience_by_id("global")).id == "global"


def test_a_wrong_secret_is_reported_and_not_repeated(sandbox: Sandbox, connect: Connect):
    connect(login=sandbox.client_id, password="not-the-secret", host=sandbox.url)
    good, message = RapidataHook().test_connection()
    assert not good
    assert "401" in message or "refused" in message
    assert "not-the-secret" not in message


def test_an_unreachable_host_is_reported(connect: Connect):
    connect(login="somebody", password="some-secret", host="http://127.0.0.1:1")
    good, message = RapidataHook().test_connection()
    assert not good
    assert "127.0.0.1:1" in message


def test_the_namespace_keeps_deployments_apart(sandbox: Sandbox, connect: Connect, compare_job):
    def submit(**extra: str) -> bool:
        connect(
            login=sandbox.client_id,
            password=sandbox.client_secret,
            host=sandbox.url,
            extra=extra,
        )
        with RapidataHook().get_conn() as client:
            return client.submit(parse_job(compare_job), "global", key="the same").adopted

    assert [submit(namespace="a"), submit(namespace="b"), submit(namespace="a")] == [
        False,
        False,
        True,
    ]
    sandbox.assert_paid_jobs(2)


def test_secrets_are_masked(sandbox: Sandbox, connect: Connect, monkeypatch: pytest.MonkeyPatch):
    connect(host=sandbox.url)
    monkeypatch.setenv("RAPIDATA_CLIENT_ID", "somebody")
    monkeypatch.setenv("RAPIDATA_CLIENT_SECRET", "the-workers-own-secret")
    assert redact("is the-workers-own-secret known?") == "is the-workers-own-secret known?"
    RapidataHook().get_conn()
    assert redact("is the-workers-own-secret known?") == "is *** known?"
