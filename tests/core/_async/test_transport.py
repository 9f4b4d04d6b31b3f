"""Tokens, retries and errors on a real connection."""

import json
import stat
import time

import pytest

from rapidata_core import AsyncRapidataClient, CompareJob, errors, http
from rapidata_core._async import auth
from rapidata_core.concurrency import async_map, async_monotonic, async_sleep
from rapidata_core.policy.retry import Call, RetryPolicy

TOKEN = {"access_token": "long"}
AUDIENCE = {"id": "global", "name": "Everybody"}
TEXTS = CompareJob(name="n", instruction="Which?", data_type="text", datapoints=[["a", "b"]])


def client_of(server, **options):
    quick = RetryPolicy(first_delay=0.01, longest_delay=0.02, longest_retry_after=0.2)
    settings = {"client_id": "me", "client_secret": "canary-secret", "retry": quick, **options}
    return AsyncRapidataClient(environment=server.url, **settings)


async def test_making_a_client_sends_nothing(scripted):
    async with client_of(scripted):
        assert scripted.seen == []


async def test_many_calls_share_one_token(scripted):
    scripted.on("GET", "/audience/global", AUDIENCE)
    async with client_of(scripted) as client:

        async def get(_):
            return await client.audience.get_audience_by_id("global")

        found = await async_map(get, range(20), workers=10)
    assert {audience.name for audience in found} == {"Everybody"}
    [asked] = scripted.requests("/connect/token")
    assert b"grant_type=client_credentials" in asked["body"]
    assert asked["headers"]["Authorization"].startswith("Basic ")
    assert asked["headers"]["User-Agent"].startswith("rapidata-orchestration/")
    sent = {r["headers"]["Authorization"] for r in scripted.requests("/audience/global")}
    assert sent == {"Bearer token-1"}


async def test_a_refused_token_is_renewed_once(scripted):
    scripted.on("POST", "/connect/token", *[{"access_token": f"t{i}"} for i in range(3)])
    scripted.on("GET", "/audience/global", (401, {}, b""), AUDIENCE)
    async with client_of(scripted) as client:
        await client.audience.get_audience_by_id("global")
        assert len(scripted.requests("/connect/token")) == 2
        scripted.on("GET", "/audience/global", (401, {}, b""))
        with pytest.raises(errors.AuthenticationError, match="refused the token"):
            await client.audience.get_audience_by_id("global")
    # Renewed once more, then given up: no endless log-in loop.
    assert len(scripted.requests("/connect/token")) == 3
    assert len(scripted.requests("/audience/global")) == 4


async def test_each_client_is_told_of_every_token_before_it_is_used(scripted):
    scripted.on("POST", "/connect/token", *[{"access_token": f"told-{i}"} for i in range(2)])
    scripted.on("GET", "/audience/global", AUDIENCE, AUDIENCE, (401, {}, b""), AUDIENCE)
    told = []

    def tell(token):
        told.append((token, len(scripted.requests("/audience/global"))))

    async with client_of(scripted, on_token=tell) as client:
        await client.audience.get_audience_by_id("global")
        await client.audience.get_audience_by_id("global")
        await client.audience.get_audience_by_id("global")
    assert told == [("told-0", 0), ("told-1", 3)]
    # This one fetches no token, but uses the one that is there.
    async with client_of(scripted, on_token=tell) as client:
        await client.audience.get_audience_by_id("global")
    assert told[2:] == [("told-1", 4)]
    assert len(scripted.requests("/connect/token")) == 2


async def test_many_clients_share_one_token(scripted):
    """As do the triggers of a thousand deferred tasks, each with a client of its own."""
    scripted.on("GET", "/audience/global", AUDIENCE)

    async def look(number):
        async with client_of(scripted) as client:
            await client.audience.get_audience_by_id("global")

    await async_map(look, range(20), workers=10)
    assert len(scripted.requests("/connect/token")) == 1
    # What is refused to one of them is replaced for all.
    scripted.on("POST", "/connect/token", {"access_token": "token-2"})
    scripted.on("GET", "/audience/global", (401, {}, b""), AUDIENCE)
    await async_map(look, range(3), workers=1)
    assert len(scripted.requests("/connect/token")) == 2
    sent = [r["headers"]["Authorization"] for r in scripted.requests("/audience/global")]
    assert sent == ["Bearer token-1"] * 21 + ["Bearer token-2"] * 3


@pytest.mark.parametrize("other", ["client_id", "client_secret"])
async def test_other_accounts_get_no_token_of_ours(scripted, other):
    """Nor does whoever has our id and a wrong secret."""
    scripted.on("GET", "/audience/global", AUDIENCE)
    for options in ({}, {other: "another"}):
        async with client_of(scripted, **options) as client:
            await client.audience.get_audience_by_id("global")
    assert len(scripted.requests("/connect/token")) == 2


async def test_the_secret_is_not_kept_with_the_tokens(scripted):
    scripted.on("GET", "/audience/global", AUDIENCE)
    async with client_of(scripted) as client:
        await client.audience.get_audience_by_id("global")
    kept = repr(auth._living)
    assert "canary-secret" not in kept
    assert "token-1" not in kept


async def test_tokens_that_have_expired_are_forgotten(scripted):
    scripted.on("GET", "/audience/global", AUDIENCE)
    scripted.on("POST", "/connect/token", {"access_token": "short", "expires_in": 1e-6}, TOKEN)
    for options in ({}, {"client_id": "other"}):
        async with client_of(scripted, **options) as client:
            await client.audience.get_audience_by_id("global")
    assert [token.value for token in auth._living.values()] == [TOKEN["access_token"]]


async def test_a_token_is_renewed_before_it_expires(scripted):
    scripted.on("GET", "/audience/global", AUDIENCE)
    scripted.on("POST", "/connect/token", {"access_token": "short", "expires_in": 0.2})
    async with client_of(scripted) as client:
        await client.audience.get_audience_by_id("global")
        await client.audience.get_audience_by_id("global")
        assert len(scripted.requests("/connect/token")) == 1
        await async_sleep(0.2)
        await client.audience.get_audience_by_id("global")
    assert len(scripted.requests("/connect/token")) == 2


async def test_processes_share_a_token_through_a_file(scripted, tmp_path):
    scripted.on("GET", "/audience/global", AUDIENCE)
    shared = tmp_path / "tokens" / "token.json"
    for _ in range(2):
        async with client_of(scripted, token_file=shared) as client:
            await client.audience.get_audience_by_id("global")
    assert len(scripted.requests("/connect/token")) == 1
    assert stat.S_IMODE(shared.stat().st_mode) == 0o600
    assert stat.S_IMODE(shared.parent.stat().st_mode) == 0o700
    assert "canary-secret" not in shared.read_text()
    # Another account must not take it over.
    async with client_of(scripted, token_file=shared, client_id="other") as client:
        await client.audience.get_audience_by_id("global")
    assert len(scripted.requests("/connect/token")) == 2


async def test_a_token_file_alone(scripted, tmp_path):
    scripted.on("GET", "/audience/global", AUDIENCE)
    shared = tmp_path / "token.json"
    shared.write_text(json.dumps({"access_token": "given", "expires_at": time.time() + 600}))
    async with AsyncRapidataClient(environment=scripted.url, token_file=shared) as client:
        await client.audience.get_audience_by_id("global")
        assert scripted.requests("/connect/token") == []
        shared.write_text("rubbish")
    async with AsyncRapidataClient(environment=scripted.url, token_file=shared) as client:
        with pytest.raises(errors.AuthenticationError, match=r"token\.json is missing, expired"):
            await client.audience.get_audience_by_id("global")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((401, {}, b'{"error": "invalid_client"}'), "refused client id 'me' or its secret"),
        ((200, {"Content-Type": "text/html"}, b"<html>log in</html>"), "answered text/html"),
        ((302, {"Location": "https://elsewhere.example"}, b""), "gave no token"),
    ],
)
async def test_logging_in_fails(scripted, answer, message):
    scripted.on("POST", "/connect/token", answer)
    async with client_of(scripted) as client:
        with pytest.raises(errors.AuthenticationError, match=message) as caught:
            await client.audience.get_audience_by_id("global")
    assert "canary-secret" not in str(caught.value)
    assert [request["path"] for request in scripted.seen] == ["/connect/token"]


async def test_a_token_goes_to_the_platform_only(scripted):
    elsewhere = {"Location": f"{scripted.url}/elsewhere"}
    scripted.on("GET", "/audience/global", (302, elsewhere, b""))
    async with client_of(scripted) as client:
        with pytest.raises(errors.ServerError, match="redirects are not followed"):
            await client.audience.get_audience_by_id("global")
    assert scripted.requests("/elsewhere") == []


async def test_nobody_is_there():
    async with AsyncRapidataClient("me", "s", "http://127.0.0.1:9", retry=RetryPolicy(1)) as client:
        with pytest.raises(errors.TransportError, match=r"Cannot reach 'http://127.0.0.1:9'") as e:
            await client.audience.get_audience_by_id("global")
    assert not e.value.sent


async def test_a_lost_log_in_is_no_lost_request(scripted):
    scripted.on("POST", "/connect/token", "drop")
    async with client_of(scripted) as client:
        with pytest.raises(errors.TransportError, match="nothing was sent") as caught:
            await client.audience.get_audience_by_id("global")
    assert not caught.value.sent


async def test_reads_outlive_passing_failures(scripted):
    scripted.on(
        "GET",
        "/audience/global",
        (503, {}, b""),
        "drop",
        (429, {"Retry-After": "0.05"}, b""),
        (200, {"Content-Length": "999"}, b"{"),
        AUDIENCE,
    )
    async with client_of(scripted) as client:
        assert (await client.audience.get_audience_by_id("global")).id == "global"
    assert len(scripted.requests("/audience/global")) == 5


async def test_giving_up_says_how_often(scripted):
    problem = json.dumps({"title": "Maintenance", "traceId": "t-9"}).encode()
    scripted.on("GET", "/audience/global", (503, {}, problem))
    async with client_of(scripted) as client:
        with pytest.raises(errors.ServerError, match=r"Maintenance.*5 attempts, trace id t-9"):
            await client.audience.get_audience_by_id("global")


async def test_a_longer_retry_after_is_not_waited_for(scripted):
    scripted.on("GET", "/audience/global", (429, {"Retry-After": "3600"}, b""))
    async with client_of(scripted) as client:
        with pytest.raises(errors.RateLimitedError) as raised:
            await client.audience.get_audience_by_id("global")
    assert raised.value.retry_after == 3600
    assert len(scripted.requests("/audience/global")) == 1


@pytest.mark.parametrize("answer", [(503, {}, b""), "drop", (200, {}, b"<html>")])
async def test_creating_is_not_repeated_when_it_may_have_happened(scripted, answer):
    scripted.on("POST", "/audience/unlisted", answer)
    async with client_of(scripted) as client:
        with pytest.raises((errors.ServerError, errors.TransportError)):
            await client.audience.create_unlisted_audience("My people")
    assert len(scripted.requests("/audience/unlisted")) == 1


async def test_creating_is_repeated_when_it_was_refused_for_its_rate(scripted):
    scripted.on("POST", "/dataset", (429, {"Retry-After": "0"}, b""), {"datasetId": "d"})
    scripted.on("POST", "/dataset/d/datapoint", {"datapointId": "p"})
    scripted.on("POST", "/job/definition", {"definitionId": "jd"})
    async with client_of(scripted) as client:
        assert (await client.job.create_job_definition(TEXTS)).id == "jd"
    assert len(scripted.requests("/dataset")) == 2


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"id": 5}', b'{"id": "x"'])
async def test_answers_that_break_the_contract(scripted, body):
    scripted.on("GET", "/audience/global", (200, {}, body))
    async with client_of(scripted) as client:
        with pytest.raises(errors.ServerError, match="not what its contract says"):
            await client.audience.get_audience_by_id("global")


async def test_unknown_fields_and_nulls_are_no_matter(scripted):
    scripted.on("GET", "/audience/global", {**AUDIENCE, "status": None, "newField": {"a": [1]}})
    async with client_of(scripted) as client:
        assert (await client.audience.get_audience_by_id("global")).name == "Everybody"


async def test_a_request_leaves_in_time_or_not_at_all(scripted, monkeypatch):
    # The only connection is taken, so the second request waits for it until after its time.
    monkeypatch.setattr(http, "_LIMITS", http.httpx.Limits(max_connections=1))
    scripted.on("GET", "/slow", lambda: time.sleep(0.6) or {})
    scripted.on("POST", "/paid", {})
    async with client_of(scripted) as client:
        transport = client._transport

        async def send(path):
            if path == "/slow":
                await transport.send("GET", path, about="it", call=Call.REPEATABLE)
                return
            await async_sleep(0.2)
            before = async_monotonic() + 0.2
            with pytest.raises(errors.TransportError, match="nothing was sent") as caught:
                await transport.send("POST", path, about="it", call=Call.COSTS, before=before)
            assert errors.is_undone(caught.value)

        await async_map(send, ["/slow", "/paid"], workers=2)
        assert scripted.requests("/paid") == []
        # The connection is none the worse for it.
        await transport.send("POST", "/paid", about="it", call=Call.COSTS)
    assert len(scripted.requests("/paid")) == 1


async def test_ids_cannot_leave_their_place_in_the_path(scripted):
    async with client_of(scripted) as client:
        with pytest.raises(errors.NotFoundError, match=r"There is no audience '\.\./job'"):
            await client.audience.get_audience_by_id("../job")
        with pytest.raises(errors.ValidationError, match="audience_id"):
            await client.audience.get_audience_by_id(" ")
    assert [r["path"] for r in scripted.seen if r["method"] == "GET"] == ["/audience/..%2Fjob"]
