"""The connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.log import mask_secret, redact

import rapidata_airflow.hooks.rapidata
from rapidata_airflow.hooks.rapidata import RapidataHook
from rapidata_core import parse_job
from rapidata_core.errors import AuthenticationError, ValidationError
from rapidata_core.sandbox.process import Sandbox

Connect = Callable[..., None]


def logs_in() -> bool:
    return RapidataHook().test_connection()[0]


def test_a_json_connection(sandbox: Sandbox):
    assert RapidataHook().test_connection() == (True, "Logged in; no namespace")
    assert ("GET", "/audience/global") in [(r["method"], r["path"]) for r in sandbox.requests()]


def test_the_environment_of_the_form(sandbox: Sandbox, connect: Connect):
    connect(
        login=sandbox.client_id,
        password=sandbox.client_secret,
        extra={"environment": sandbox.url, "namespace": "production"},
    )
    assert RapidataHook().test_connection() == (True, "Logged in; namespace 'production'")


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


def test_the_connections_limits_hold_for_tasks_that_say_nothing_or_more(connect: Connect):
    connect(login="me", password="my-secret", extra={"max_cost_per_job": 5, "poll_interval": 20})
    hook = RapidataHook()
    assert [hook.max_cost(wanted) for wanted in (None, 2.5, 50)] == [5, 2.5, 5]
    assert [hook.poll_interval(wanted) for wanted in (None, 60)] == [20, 60]


def test_a_connection_without_limits_leaves_them_to_tasks(connect: Connect):
    connect(login="me", password="my-secret", extra={"max_cost_per_job": None, "poll_interval": ""})
    hook = RapidataHook()
    assert [hook.max_cost(wanted) for wanted in (None, 50)] == [None, 50]
    assert [hook.poll_interval(wanted) for wanted in (None, 60)] == [None, 60]


def test_the_limits_of_a_uri(connect: Connect):
    # Everything in a URI is text.
    connect("rapidata://me:my-secret@?max_cost_per_job=2.5&poll_interval=20")
    hook = RapidataHook()
    assert (hook.max_cost(None), hook.poll_interval(None)) == (2.5, 20)


def test_a_hook_reads_its_connection_once(sandbox: Sandbox, connect: Connect):
    hook = RapidataHook()
    hook.max_cost(None)
    connect(login="somebody else", password="some-secret")
    with hook.get_conn() as client:
        assert client.audience.get_audience_by_id("global").id == "global"


async def test_a_trigger_knows_the_limits_without_reading_again(sandbox: Sandbox, connect: Connect):
    connect(
        login=sandbox.client_id,
        password=sandbox.client_secret,
        host=sandbox.url,
        extra={"poll_interval": 7},
    )
    hook = RapidataHook()
    async with await hook.aget_conn():
        connect()
        assert hook.poll_interval(None) == 7


def test_every_mistake_in_a_connection_is_named(connect: Connect):
    connect(
        login="me",
        password="my-secret",
        host="rapidata.ai",
        extra={
            "environment": "other.ai",
            "namespace": 7,
            "max_cost_per_job": "much",
            "poll_interval": -1,
        },
    )
    with pytest.raises(ValidationError) as raised:
        RapidataHook().get_conn()
    assert raised.value.problems == [
        "environment: the extra says 'other.ai' and the host 'rapidata.ai'; keep one",
        "namespace: must be a text, not 7",
        "max_cost_per_job: must be a number above 0, not 'much'",
        "poll_interval: must be a number above 0, not -1",
    ]
    assert "rapidata_default" in str(raised.value)
    assert "my-secret" not in str(raised.value)
    assert not logs_in()


def test_a_host_that_says_the_same_is_no_mistake(sandbox: Sandbox, connect: Connect):
    connect(
        login=sandbox.client_id,
        password=sandbox.client_secret,
        host=sandbox.url,
        extra={"environment": sandbox.url},
    )
    assert logs_in()


def test_a_hook_shows_no_secret(sandbox: Sandbox):
    hook = RapidataHook()
    with hook.get_conn():
        assert sandbox.client_secret not in f"{vars(hook)}"


def test_every_token_is_masked(sandbox: Sandbox, masked: list[str]):
    with RapidataHook().get_conn() as client:
        client.audience.get_audience_by_id("global")
        sandbox.faults([EXPIRE_TOKENS])
        client.audience.get_audience_by_id("global")
    assert_masked(masked, sandbox)


async def test_every_token_of_a_trigger_is_masked(sandbox: Sandbox, masked: list[str]):
    async with await RapidataHook().aget_conn() as client:
        await client.audience.get_audience_by_id("global")
        sandbox.faults([EXPIRE_TOKENS])
        await client.audience.get_audience_by_id("global")
    assert_masked(masked, sandbox)


async def test_triggers_that_begin_at_once_look_the_connection_up_once(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
):
    looked_up: list[str] = []

    async def look_up(conn_id: str) -> Connection:
        looked_up.append(conn_id)
        await asyncio.sleep(0)
        return Connection.get(conn_id)

    monkeypatch.setattr(RapidataHook, "aget_connection", staticmethod(look_up))
    clients = await asyncio.gather(*(RapidataHook().aget_conn() for _ in range(10)))
    assert looked_up == ["rapidata_default"]
    assert len(set(clients)) == 10
    # What it says may change, so it is not kept.
    await RapidataHook().aget_conn()
    assert looked_up == ["rapidata_default"] * 2


EXPIRE_TOKENS = {"path": "/audience/global", "action": "expire_tokens"}


@pytest.fixture
def masked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What Airflow is asked to mask, which it does."""
    found: list[str] = []

    def mask(secret: str) -> None:
        found.append(secret)
        mask_secret(secret)

    monkeypatch.setattr(rapidata_airflow.hooks.rapidata, "mask_secret", mask)
    return found


def assert_masked(found: list[str], sandbox: Sandbox) -> None:
    secret, *tokens = found
    assert secret == sandbox.client_secret
    # The second one was fetched after the first had expired.
    assert len(set(tokens)) == 2
    for token in tokens:
        assert redact(f"Authorization: Bearer {token}!") == "Authorization: Bearer ***!"


def test_secrets_are_masked(sandbox: Sandbox, connect: Connect, monkeypatch: pytest.MonkeyPatch):
    connect(host=sandbox.url)
    monkeypatch.setenv("RAPIDATA_CLIENT_ID", "somebody")
    monkeypatch.setenv("RAPIDATA_CLIENT_SECRET", "the-workers-own-secret")
    assert redact("is the-workers-own-secret known?") == "is the-workers-own-secret known?"
    RapidataHook().get_conn()
    assert redact("is the-workers-own-secret known?") == "is *** known?"
