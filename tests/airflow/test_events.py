"""Triggers that start DAGs: each end is told, over restarts, failures and wrong credentials."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from airflow.models.trigger import Trigger
from airflow.sdk import Asset, AssetWatcher
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time import comms, task_runner
from airflow.sdk.module_loading import import_string
from airflow.serialization.encoders import encode_trigger
from airflow.triggers.base import BaseEventTrigger
from hypothesis import given, settings
from hypothesis import strategies as st

from rapidata_airflow.cursors import AssetStore, VariableStore, cursor_store
from rapidata_airflow.triggers import events
from rapidata_airflow.triggers.events import (
    RapidataEventTrigger,
    RapidataJobEventTrigger,
    RapidataSignalRunEventTrigger,
)
from rapidata_airflow.version import AIRFLOW_3_3
from rapidata_core import CompareJob, RapidataClient, parse_job
from rapidata_core.errors import RateLimitedError, ServerError, ValidationError
from rapidata_core.sandbox.process import Sandbox

TRIGGERS: list[tuple[type[RapidataEventTrigger], dict[str, Any]]] = [
    (RapidataSignalRunEventTrigger, {"signal_id": "a signal"}),
    (RapidataJobEventTrigger, {"audience_id": "an audience"}),
]
HOUR = 3600
WRITTEN = 1.5


class Supervisor:
    """The process to which the triggerer's process sends its messages."""

    def __init__(self) -> None:
        self.variables: dict[str, str] = {}
        self.states: dict[tuple[str, str], Any] = {}
        self.fails = False

    async def asend(self, message: Any) -> Any:
        if self.fails:
            raise AirflowRuntimeError(comms.ErrorResponse(error=ErrorType.API_SERVER_ERROR))
        return getattr(self, type(message).__name__)(message)

    def noted(self) -> str:
        """The only cursor that was written, of a scripted trigger."""
        written = [json.loads(value) for value in self.variables.values()]
        written += [value["cursor"] for value in self.states.values()]
        return "".join(str(cursor["last"]) for cursor in written)

    def GetVariable(self, message: Any) -> Any:  # noqa: N802 - the message's own name
        if message.key == "denied":
            return comms.ErrorResponse(error=ErrorType.PERMISSION_DENIED)
        if message.key not in self.variables:
            return comms.ErrorResponse(error=ErrorType.VARIABLE_NOT_FOUND)
        return comms.VariableResult(key=message.key, value=self.variables[message.key])

    def PutVariable(self, message: Any) -> None:  # noqa: N802
        self.variables[message.key] = message.value

    def GetAssetStateStoreByName(self, message: Any) -> Any:  # noqa: N802
        found = self.states.get((message.name, message.key))
        if found is None:
            return comms.ErrorResponse(error=ErrorType.ASSET_STORE_NOT_FOUND)
        return comms.AssetStateStoreResult(value=found)

    def SetAssetStateStoreByName(self, message: Any) -> None:  # noqa: N802
        self.states[message.name, message.key] = json.loads(json.dumps(message.value))


@pytest.fixture
def supervisor(monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    running = Supervisor()
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", running, raising=False)
    return running


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "EVENT_IS_WRITTEN", 0.0)


@pytest.fixture
def definition_id(client: RapidataClient) -> str:
    return client.job.create_compare_job_definition(
        name="Which one", instruction="Which?", datapoints=[["a", "b"]], data_type="text"
    ).id


@pytest.fixture
def signal_id(client: RapidataClient, definition_id: str) -> str:
    return client.signals.create_signal("Daily", "global", definition_id, 24).id


@asynccontextmanager
async def watching(
    trigger: RapidataEventTrigger, *assets: str
) -> AsyncIterator[Callable[[], Coroutine[Any, Any, dict[str, Any]]]]:
    """Run a trigger as the triggerer does; gives a function that waits for the next payload."""
    if AIRFLOW_3_3:
        from airflow.sdk.execution_time.context import AssetStateStoreAccessors

        inlets = [Asset(name=name) for name in assets or ["labels"]]
        trigger.asset_state_store = AssetStateStoreAccessors(inlets=inlets)
    queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def run() -> None:
        async for event in trigger.run():
            queue.put_nowait(event.payload)

    async def following() -> dict[str, Any]:
        getting = asyncio.create_task(queue.get())
        async with asyncio.timeout(30):
            await asyncio.wait({getting, running}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        return await getting

    running = asyncio.create_task(run())
    try:
        yield following
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert queue.empty(), "more was told than the test expects"


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110 - another process's state
            await asyncio.sleep(0.05)


async def has_looked(sandbox: Sandbox, path: str) -> None:
    """Wait until the trigger has looked anew, and then once more, so that all is noted."""

    def looks() -> int:
        listed = sandbox.requests()
        return sum(one["method"] == "GET" and one["path"].endswith(path) for one in listed)

    before = await asyncio.to_thread(looks)
    # A look has up to two requests.
    await until(lambda: looks() >= before + 4)


def signal_runs(signal_id: str, **arguments: Any) -> RapidataSignalRunEventTrigger:
    return RapidataSignalRunEventTrigger(
        signal_id=signal_id, **{"poll_interval": 0.05, **arguments}
    )


# --- what Airflow stores --------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "about"), TRIGGERS)
def test_it_survives_the_way_to_the_triggerer(
    kind: type[RapidataEventTrigger], about: dict[str, Any]
):
    trigger = kind(
        **about,
        outcomes=("Completed", "Failed"),
        since=datetime(2026, 11, 21, tzinfo=UTC),
        rapidata_conn_id="another",
        poll_interval=30,
    )
    path, kwargs = trigger.serialize()
    assert json.loads(json.dumps(kwargs)) == kwargs
    assert kwargs["since"] == "2026-11-21T00:00:00+00:00"
    assert all(type(outcome) is str for outcome in kwargs["outcomes"])
    assert import_string(path)(**kwargs).serialize() == (path, kwargs)
    assert Trigger.from_object(trigger).kwargs == kwargs


@pytest.mark.parametrize(("kind", "about"), TRIGGERS)
def test_airflow_knows_it_again(kind: type[RapidataEventTrigger], about: dict[str, Any]):
    # What a DAG says is compared with what is stored, whenever the DAG's file is parsed.
    def parsed() -> int:
        encoded = encode_trigger(kind(**about))
        return BaseEventTrigger.hash(encoded["classpath"], encoded["kwargs"])

    stored = Trigger.from_object(kind(**about))
    encoded = encode_trigger({"classpath": stored.classpath, "kwargs": stored.kwargs})
    assert parsed() == parsed()
    assert parsed() == BaseEventTrigger.hash(encoded["classpath"], encoded["kwargs"])


def test_an_asset_takes_it():
    trigger = RapidataSignalRunEventTrigger(signal_id="a signal")
    asset = Asset("labels", watchers=[AssetWatcher(name="runs", trigger=trigger)])
    assert asset.watchers[0].trigger is trigger


@pytest.mark.parametrize(
    ("kind", "arguments", "problems"),
    [
        (RapidataSignalRunEventTrigger, {"signal_id": " "}, ["signal_id: must not be blank"]),
        (
            RapidataSignalRunEventTrigger,
            {
                "signal_id": "s",
                "outcomes": "Completed",
                "since": datetime(2026, 11, 21),  # noqa: DTZ001
                "poll_interval": 0,
            },
            ["outcomes: must be a list", "since: must be a time with its zone", "poll_interval: "],
        ),
        (RapidataSignalRunEventTrigger, {"signal_id": "s", "since": "now"}, ["since: "]),
        (RapidataSignalRunEventTrigger, {"signal_id": "s", "outcomes": []}, ["outcomes: "]),
        (
            RapidataJobEventTrigger,
            {"outcomes": ["Skipped"]},
            ["job_definition_id: give it, or audience_id, or name", "outcomes: "],
        ),
        (RapidataJobEventTrigger, {"name": ""}, ["name: must not be blank"]),
    ],
)
def test_wrong_arguments_are_found_when_the_dag_is_parsed(
    kind: type[RapidataEventTrigger], arguments: dict[str, Any], problems: list[str]
):
    with pytest.raises(ValidationError) as caught:
        kind(**arguments)
    assert len(caught.value.problems) == len(problems)
    for found, expected in zip(caught.value.problems, problems, strict=True):
        assert found.startswith(expected)


# --- what is told ---------------------------------------------------------------------------------


async def test_a_run_is_told_when_its_job_is_done(
    sandbox: Sandbox, supervisor: Supervisor, client: RapidataClient, signal_id: str
):
    signal = client.signals.get_signal_by_id(signal_id)
    async with watching(signal_runs(signal_id)) as following:
        await has_looked(sandbox, "/run")
        run = await asyncio.to_thread(signal.trigger)
        await asyncio.to_thread(sandbox.advance, HOUR)
        payload = await following()
        await has_looked(sandbox, "/run")
    job = client.job.get_job_by_id(payload["job_id"])
    assert payload == {
        "signal_id": signal_id,
        "run_id": run.id,
        "state": "Completed",
        "trigger_source": "Manual",
        "started_at": run.started_at.isoformat(),
        "completed_at": payload["completed_at"],
        "job_id": job.id,
        "job_url": job.url,
        "reason": None,
    }
    assert datetime.fromisoformat(payload["completed_at"]) > run.started_at
    assert len(json.dumps(payload)) < 2000


async def test_only_the_ends_that_are_worth_it(
    sandbox: Sandbox, supervisor: Supervisor, client: RapidataClient, signal_id: str
):
    signal = client.signals.get_signal_by_id(signal_id)
    trigger = signal_runs(signal_id, outcomes=["Skipped"])
    async with watching(trigger) as following:
        await has_looked(sandbox, "/run")
        await asyncio.to_thread(signal.trigger)
        skipped = await asyncio.to_thread(signal.trigger)
        await asyncio.to_thread(sandbox.advance, HOUR)
        payload = await following()
        await has_looked(sandbox, "/run")
    assert (payload["run_id"], payload["state"]) == (skipped.id, "Skipped")
    assert (payload["job_id"], payload["job_url"]) == (None, None)
    assert payload["reason"]


async def test_a_run_whose_job_was_deleted_is_told(
    sandbox: Sandbox, supervisor: Supervisor, client: RapidataClient, signal_id: str
):
    started = datetime.fromisoformat(sandbox.now()) - timedelta(seconds=1)
    signal = client.signals.get_signal_by_id(signal_id)
    signal.trigger()
    sandbox.advance(HOUR)
    job = signal.get_jobs()[0]
    job.delete()
    async with watching(signal_runs(signal_id, since=started)) as following:
        payload = await following()
    assert (payload["job_id"], payload["job_url"]) == (job.id, None)


@pytest.mark.parametrize("by", ["job_definition_id", "audience_id", "name"])
async def test_jobs_are_told_by_what_they_are(
    sandbox: Sandbox, supervisor: Supervisor, client: RapidataClient, by: str
):
    spec = CompareJob(
        name="Red or blue", instruction="Which?", datapoints=[["a", "b"]], data_type="text"
    )
    other = spec.model_copy(update={"name": "Cat or dog", "instruction": "What?"})
    audience_id = "aud_MU1GZYoESyO"
    job = client.job.get_job_by_id(client.submit(spec, audience_id, key="one").job_id)
    asked = {"job_definition_id": job.definition_id, "audience_id": audience_id, "name": "or blue"}
    trigger = RapidataJobEventTrigger(**{by: asked[by]}, poll_interval=0.05)
    async with watching(trigger) as following:
        await has_looked(sandbox, "/jobs")
        await asyncio.to_thread(client.submit, other, "global", key="two")
        await asyncio.to_thread(sandbox.advance, HOUR)
        payload = await following()
        await has_looked(sandbox, "/jobs")
    assert payload == {
        "job_id": job.id,
        "job_url": job.url,
        "name": "Red or blue",
        "state": "Completed",
        "definition_id": job.definition_id,
        "audience_id": audience_id,
        "completed_at": job.completed_at.isoformat(),
        "reason": None,
    }


async def test_a_failed_job_says_why(
    sandbox: Sandbox,
    supervisor: Supervisor,
    client: RapidataClient,
    compare_job: dict[str, Any],
):
    job_id = client.submit(parse_job(compare_job), "global", key="one").job_id
    trigger = RapidataJobEventTrigger(audience_id="global", outcomes=["Failed"], poll_interval=0.05)
    async with watching(trigger) as following:
        await has_looked(sandbox, "/jobs")
        sandbox.set_job_state(job_id, "Failed", failure_message="no people " * 1000)
        payload = await following()
    assert (payload["job_id"], payload["state"]) == (job_id, "Failed")
    assert payload["reason"].startswith("no people")
    assert len(json.dumps(payload)) < 2000


# --- restarts -------------------------------------------------------------------------------------


async def test_a_restart_neither_replays_nor_misses(
    sandbox: Sandbox, supervisor: Supervisor, client: RapidataClient, signal_id: str
):
    signal = client.signals.get_signal_by_id(signal_id)
    told: list[str] = []
    ran: list[str] = []
    for _ in range(2):
        # What ended in between, while nobody watched, comes first.
        async with watching(signal_runs(signal_id)) as following:
            while len(told) < len(ran):
                told.append((await following())["run_id"])
            await has_looked(sandbox, "/run")
            ran.append((await asyncio.to_thread(signal.trigger)).id)
            await asyncio.to_thread(sandbox.advance, HOUR)
            told.append((await following())["run_id"])
            await has_looked(sandbox, "/run")
        ran.append(signal.trigger().id)
        sandbox.advance(HOUR)
    assert told == ran[:-1]


async def test_news_begin_with_the_first_look(
    sandbox: Sandbox, supervisor: Supervisor, client: RapidataClient, signal_id: str
):
    started = datetime.fromisoformat(sandbox.now()) - timedelta(seconds=1)
    old = client.signals.get_signal_by_id(signal_id).trigger()
    sandbox.advance(HOUR)
    async with watching(signal_runs(signal_id)):
        await has_looked(sandbox, "/run")
    # Another `since` is another place in the news.
    async with watching(signal_runs(signal_id, since=started)) as following:
        assert (await following())["run_id"] == old.id
        await has_looked(sandbox, "/run")
    async with watching(signal_runs(signal_id, since=started)):
        await has_looked(sandbox, "/run")


async def test_other_things_have_places_of_their_own(supervisor: Supervisor):
    keys = [
        trigger._key()
        for trigger in (
            signal_runs("a"),
            signal_runs("b"),
            signal_runs("a", rapidata_conn_id="another"),
            RapidataJobEventTrigger(name="a"),
            RapidataJobEventTrigger(audience_id="a"),
        )
    ]
    assert len({*keys}) == len(keys)
    # How often and for what it fires changes nothing about where it is.
    assert signal_runs("a", poll_interval=9.0, outcomes=["Failed"])._key() == keys[0]


class Killed(Exception):  # noqa: N818 - it is none of ours
    """The triggerer died."""


class Scripted(RapidataEventTrigger):
    """Numbers end, one after the other; the cursor is the last number."""

    subject = ()
    ends = ("Completed",)

    def __init__(self, ended: list[int]) -> None:
        super().__init__(outcomes=["Completed"], poll_interval=0.01)
        self._ended = ended

    async def _look(self, cursor: Any) -> Any:
        # Without a platform.
        return await self.look(cast("Any", None), cursor)

    async def look(self, client: Any, cursor: Any) -> Any:
        last = -1 if cursor is None else cursor["last"]
        news = [number for number in self._ended if number > last]
        return [{"run_id": number} for number in news], {"last": max(news, default=last)}


END = st.sampled_from(["before it is stored", "before it is noted", "later"])


@given(lives=st.lists(st.tuples(END, st.integers(0, 3)), max_size=12))
@settings(max_examples=200, deadline=None)
def test_whenever_the_triggerer_dies_no_event_is_lost(lives: list[tuple[str, int]]):
    """Airflow has an event in its database only a while after the trigger has fired."""
    stored: list[int] = []
    ended: list[int] = []
    noted: dict[str, Any] = {}
    for end, new in [*lives, ("later", 0)]:
        ended.extend(range(len(ended), len(ended) + new))
        asyncio.run(_live(end, ended, stored, noted))
    assert list(dict.fromkeys(stored)) == ended
    if "before it is noted" not in {end for end, _ in lives}:
        assert stored == ended


async def _live(end: str, ended: list[int], stored: list[int], noted: dict[str, Any]) -> None:
    """Run a triggerer until it dies in the way that is asked for, after one look at most."""
    fired: list[int] = []

    class Store:
        async def read(self) -> Any:
            return noted.get("cursor")

        async def write(self, cursor: Any) -> None:
            if end == "before it is noted":
                raise Killed
            noted["cursor"] = cursor

    async def sleep(seconds: float) -> None:
        if seconds != WRITTEN or end == "before it is stored":
            raise Killed
        stored.extend(fired)

    async def run() -> None:
        async for event in Scripted(ended).run():
            fired.append(event.payload["run_id"])  # noqa: PERF401 - it never ends

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(events, "EVENT_IS_WRITTEN", WRITTEN)
        patch.setattr(events, "cursor_store", lambda *_: Store())
        patch.setattr(events.asyncio, "sleep", sleep)
        with pytest.raises(Killed):
            await run()


# --- failures -------------------------------------------------------------------------------------


@pytest.fixture
def logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> pytest.LogCaptureFixture:
    # Airflow's own loggers hand their records to the triggerer, not to pytest.
    monkeypatch.setattr(RapidataEventTrigger, "log", logging.getLogger(__name__))
    caplog.set_level("INFO", __name__)
    return caplog


def complaints(logged: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in logged.records if record.name == __name__]


@pytest.mark.parametrize("what", ["credentials", "connection", "signal"])
async def test_what_is_mended_is_found(
    sandbox: Sandbox,
    supervisor: Supervisor,
    client: RapidataClient,
    signal_id: str,
    connect: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    logged: pytest.LogCaptureFixture,
    what: str,
):
    """A trigger that gave up would be started anew every second, or not at all."""
    if what == "credentials":
        connect(login="somebody", password="wrong", host=sandbox.url)
    elif what == "connection":
        monkeypatch.delenv("AIRFLOW_CONN_RAPIDATA_DEFAULT")
    watched = signal_id if what != "signal" else "no such signal"
    async with watching(signal_runs(watched)) as following:
        await until(lambda: len(complaints(logged)) >= 2)
        assert {record.levelname for record in complaints(logged)} == {"ERROR"}
        assert watched in complaints(logged)[0].getMessage()
        if what == "signal":
            return
        connect(login=sandbox.client_id, password=sandbox.client_secret, host=sandbox.url)
        await has_looked(sandbox, "/run")
        run = await asyncio.to_thread(client.signals.get_signal_by_id(signal_id).trigger)
        await asyncio.to_thread(sandbox.advance, HOUR)
        assert (await following())["run_id"] == run.id


async def test_passing_errors_are_looked_past(
    monkeypatch: pytest.MonkeyPatch, supervisor: Supervisor, logged: pytest.LogCaptureFixture
):
    errors: list[Exception] = [ServerError("busy"), RateLimitedError("slow"), OSError("broken")]

    class Failing(Scripted):
        async def look(self, client: Any, cursor: Any) -> Any:
            if errors:
                raise errors.pop(0)
            return await super().look(client, cursor)

    monkeypatch.setattr(events, "_LONGEST_PAUSE", 0.01)
    async with watching(Failing([1])) as following:
        assert await following() == {"run_id": 1}
    levels = [record.levelname for record in complaints(logged)]
    assert levels == ["WARNING", "WARNING", "ERROR"]
    assert complaints(logged)[2].getMessage().endswith("OSError: broken")


async def test_a_place_that_cannot_be_noted_is_noted_later(
    supervisor: Supervisor, logged: pytest.LogCaptureFixture
):
    ended = [1]
    async with watching(Scripted(ended)) as following:
        assert await following() == {"run_id": 1}
        await until(lambda: "1" in supervisor.noted())
        supervisor.fails = True
        ended.append(2)
        assert await following() == {"run_id": 2}
        await until(lambda: len(complaints(logged)) >= 2)
        supervisor.fails = False
        await until(lambda: "2" in supervisor.noted())
    assert {record.levelname for record in complaints(logged)} == {"WARNING"}


async def test_pauses_grow_and_end(monkeypatch: pytest.MonkeyPatch):
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2000:
            raise Killed

    class Failing(Scripted):
        async def look(self, client: Any, cursor: Any) -> Any:
            raise OSError

    monkeypatch.setattr(events, "cursor_store", lambda *_: VariableStore("any"))
    monkeypatch.setattr(VariableStore, "read", _nothing)
    monkeypatch.setattr(events.asyncio, "sleep", sleep)
    failing = Failing([])
    failing.poll_interval = 60.0
    with pytest.raises(Killed):
        await anext(failing.run())
    assert pauses[:5] == [120, 240, 480, 600, 600]
    assert pauses[-1] == 600


async def _nothing(_: object) -> None:
    return None


# --- where the cursor is --------------------------------------------------------------------------


async def test_a_variable_keeps_the_cursor(supervisor: Supervisor):
    store = VariableStore("rapidata_cursor_1")
    assert await store.read() is None
    await store.write({"since": None, "seen": [], "open": ["a"]})
    assert await VariableStore("rapidata_cursor_1").read() == {
        "since": None,
        "seen": [],
        "open": ["a"],
    }
    assert await VariableStore("rapidata_cursor_2").read() is None


async def test_a_database_that_does_not_answer_is_no_new_beginning(supervisor: Supervisor):
    with pytest.raises(AirflowRuntimeError, match="PERMISSION_DENIED"):
        await VariableStore("denied").read()
    supervisor.fails = True
    with pytest.raises(AirflowRuntimeError, match="API_SERVER_ERROR"):
        await VariableStore("rapidata_cursor_1").read()


def test_the_cursor_is_with_the_asset_where_there_is_a_store():
    assert isinstance(cursor_store("key", None), VariableStore)
    assert isinstance(cursor_store("key", object()), AssetStore)  # pyright: ignore[reportArgumentType]


@pytest.mark.skipif(not AIRFLOW_3_3, reason="from Airflow 3.3 on, assets have states")
async def test_assets_keep_the_cursor(supervisor: Supervisor):
    from airflow.sdk.execution_time.context import AssetStateStoreAccessors

    def store_of(*names: str) -> Any:
        assets = AssetStateStoreAccessors(inlets=[Asset(name=name) for name in names])
        return cursor_store("rapidata_cursor_1", assets)

    assert await store_of("a").read() is None
    await store_of("a").write({"last": 1})
    # A second one joins, and the first one is left alone for a while.
    assert await store_of("a", "b").read() == {"last": 1}
    await store_of("a", "b").write({"last": 2})
    await store_of("b").write({"last": 3})
    assert await store_of("a").read() == {"last": 2}
    assert await store_of("a", "b").read() == {"last": 3}
    assert await store_of("b", "a").read() == {"last": 3}
    supervisor.fails = True
    with pytest.raises(AirflowRuntimeError, match="API_SERVER_ERROR"):
        await store_of("a").read()


@pytest.mark.skipif(not AIRFLOW_3_3, reason="from Airflow 3.3 on, assets have states")
async def test_a_trigger_of_several_assets_goes_on(
    sandbox: Sandbox, supervisor: Supervisor, client: RapidataClient, signal_id: str
):
    signal = client.signals.get_signal_by_id(signal_id)
    async with watching(signal_runs(signal_id), "a", "b"):
        await has_looked(sandbox, "/run")
    assert {name for name, _ in supervisor.states} == {"a", "b"}
    assert supervisor.variables == {}
    run = signal.trigger()
    sandbox.advance(HOUR)
    async with watching(signal_runs(signal_id), "a", "b") as following:
        assert (await following())["run_id"] == run.id
