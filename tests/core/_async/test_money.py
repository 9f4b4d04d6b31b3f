"""Every call that can cost money, when its connection breaks before or after the work was done.

The sandbox's ledger is the judge: what was asked for once is paid once, and the caller has it, or
an error that says what to do. Nothing is ever sent a second time on suspicion.
"""

from uuid import UUID

import pytest

from rapidata_core import AsyncRapidataClient, CompareJob, errors
from rapidata_core.concurrency import async_map
from rapidata_core.policy.retry import RetryPolicy
from rapidata_core.policy.submission import identify

SPEC = CompareJob(name="n", instruction="Which?", data_type="text", datapoints=[["a", "b"]])
A_DAY = 86_400
NOWHERE = "https://nowhere.invalid/picture.jpg"


@pytest.fixture
async def client(rapidata_sandbox, monkeypatch):
    """One that does not look for half a minute for what is not there, nor waits for a price."""

    async def skip(seconds):
        rapidata_sandbox.advance(1)

    monkeypatch.setattr("rapidata_core._async.spend.async_sleep", skip)
    monkeypatch.setattr("rapidata_core._async.waiting.SETTLE_PAUSES", (0.01, 0.01))
    retry = RetryPolicy(attempts=2, first_delay=0.01)
    where = rapidata_sandbox.url
    async with AsyncRapidataClient(environment=where, retry=retry, settle=1) as client:
        yield client


def sent(sandbox, path, method="POST"):
    return [r for r in sandbox.requests() if (r["method"], r["path"]) == (method, path)]


def lost(path):
    return {"method": "POST", "path": path, "phase": "after_commit", "action": "drop"}


def paid(sandbox):
    """The ids of what was charged and not given back."""
    entries = sandbox.ledger()["entries"]
    back = {entry["id"] for entry in entries if entry["kind"] == "refund"}
    return [entry["id"] for entry in entries if entry["id"] not in back]


async def everybody(client):
    return await client.audience.get_audience_by_id("global")


async def definition(client, **more):
    return await client.job.create_compare_job_definition(
        "n", "Which?", [["a", "b"]], data_type="text", **more
    )


async def models(client, *names):
    benchmark = await client.mri.create_new_benchmark("B", prompts=["p"])
    for name in names:
        await benchmark.add_model(name, [f"{name} {n}" for n in range(3)], ["p"] * 3, None, "text")
    return benchmark


# Each makes everything that its call needs, and returns the call, the path of the paid request, and
# what the error of an unknown outcome advises. The call returns the id of what was paid, if any.


async def job_with_a_key(client, sandbox):
    async def call():
        return (await client.submit(SPEC, "global", key="k")).job_id

    return call, "/job", "Submit again with the same key"


async def job_of_an_audience(client, sandbox):
    audience, asked = await everybody(client), await definition(client)

    async def call():
        return (await audience.assign_job(asked)).id

    return call, "/job", r"client\.job\.find_jobs\('n \[rk:.*'\)"


async def order(client, sandbox):
    with pytest.warns(DeprecationWarning, match="is deprecated"):
        made = await client.order.create("n", "Which?", [["a", "b"]], data_type="text")

    async def call():
        await made.run()
        return (await client.job.find_jobs())[0].id

    return call, "/job", "Run it again"


async def signal(client, sandbox):
    asked = await definition(client)

    async def call():
        made = await client.signals.create_signal("n", "global", asked, 24)
        sandbox.advance(A_DAY + 60)
        return (await made.get_jobs())[0].id

    return call, "/signal", "find_signals"


async def firing(client, sandbox):
    made = await client.signals.create_signal("n", "global", await definition(client), 1000)

    async def call():
        await made.trigger()
        sandbox.advance(60)
        return (await made.wait_for_next_job(timeout=0)).id

    return call, f"/signal/{made.id}/trigger", "get_runs"


async def resumed_job(client, sandbox):
    asked = await definition(client, responses_per_datapoint=60_000)
    first = await (await everybody(client)).assign_job(asked)
    second = await (await everybody(client)).assign_job(asked)
    await first.delete()
    assert await second.get_status() == "SpendLimited"

    async def call():
        await second.resume()
        return second.id

    return call, f"/job/{second.id}/resume", "get_status"


async def ranking_batch(client, sandbox):
    flow = await client.flow.create_ranking_flow("n", "Which?")

    async def call():
        return (await flow.create_new_flow_batch(["a", "b"], data_type="text")).id

    return call, f"/flow/ranking/{flow.id}/item", "get_flow_items"


async def classify_batch(client, sandbox):
    flow = await client.flow.create_classify_flow("n", "What?", ["Cat", "Dog"])

    async def call():
        return (await flow.create_new_flow_batch(["a"], data_type="text")).id

    return call, f"/flow/simple/{flow.id}/item", "get_flow_items"


async def leaderboard(client, sandbox):
    benchmark = await models(client, "A", "B")

    async def call():
        made = await benchmark.create_leaderboard("n", "Which?")
        assert [found.id for found in await benchmark.leaderboards] == [made.id]
        return (await made.jobs)[0].id

    return call, "/leaderboard", r"benchmark\.leaderboards"


async def model(client, sandbox):
    benchmark = await models(client)
    board = await benchmark.create_leaderboard("n", "Which?")
    await benchmark.add_model("A", ["a"], ["p"], None, "text")
    await benchmark.run()
    made = await benchmark.add_model("B", ["b"], ["p"], None, "text")

    async def call():
        await made.run()
        assert made.status == "Submitted"
        return (await board.jobs)[0].id

    return call, "/participants/submit", r"benchmark\.run\(\)"


async def all_models(client, sandbox):
    benchmark = await models(client)
    board = await benchmark.create_leaderboard("n", "Which?")
    for name in ("A", "B"):
        await benchmark.add_model(name, [name], ["p"], None, "text")

    async def call():
        await benchmark.run()
        return (await board.jobs)[0].id

    return call, "/participants/submit", r"benchmark\.run\(\)"


CALLS = [
    # What has a key, as orders do, looks and then pays itself; see test_submission.py.
    job_with_a_key,
    order,
    job_of_an_audience,
    signal,
    firing,
    resumed_job,
    ranking_batch,
    classify_batch,
    leaderboard,
    model,
    all_models,
]
every_call = pytest.mark.parametrize("prepare", CALLS, ids=[call.__name__ for call in CALLS])
every_call_without_a_key = pytest.mark.parametrize("prepare", CALLS[2:])


@pytest.fixture
def time_flies(rapidata_sandbox, monkeypatch):
    """Whoever looks for something looks a second later, by the sandbox's clock as well."""

    async def skip(seconds):
        rapidata_sandbox.advance(1)

    monkeypatch.setattr("rapidata_core._async.waiting.async_sleep", skip)


@every_call
async def test_done_but_not_answered(client, rapidata_sandbox, time_flies, prepare):
    call, path, _ = await prepare(client, rapidata_sandbox)
    before = len(sent(rapidata_sandbox, path))
    rapidata_sandbox.faults([lost(path)])
    assert [await call()] == paid(rapidata_sandbox)
    assert len(sent(rapidata_sandbox, path)) == before + 1


@every_call_without_a_key
@pytest.mark.parametrize("broken", [{"action": "drop"}, {"action": "status", "status": 503}])
async def test_not_done_and_not_answered(client, rapidata_sandbox, time_flies, prepare, broken):
    call, path, advice = await prepare(client, rapidata_sandbox)
    before = len(sent(rapidata_sandbox, path))
    rapidata_sandbox.faults([{"method": "POST", "path": path, "phase": "before", **broken}])
    with pytest.raises(errors.AmbiguousSubmissionError, match=advice) as caught:
        await call()
    assert "safe to try again" not in str(caught.value)
    rapidata_sandbox.advance(A_DAY + 60)
    assert paid(rapidata_sandbox) == []
    assert len(sent(rapidata_sandbox, path)) == before + 1


@every_call_without_a_key
async def test_refused(client, rapidata_sandbox, prepare):
    call, path, _ = await prepare(client, rapidata_sandbox)
    before = len(sent(rapidata_sandbox, path))
    refused = {"method": "POST", "path": path, "phase": "before", "action": "status"}
    rapidata_sandbox.faults([{**refused, "status": 429, "retry_after": 0}])
    with pytest.raises(errors.RateLimitedError):
        await call()
    assert len(sent(rapidata_sandbox, path)) == before + 1
    assert paid(rapidata_sandbox) == []
    # It is known that nothing happened, so it may be asked for again.
    assert [await call()] == paid(rapidata_sandbox)


@every_call_without_a_key
async def test_reading_is_refused_as_well(client, rapidata_sandbox, monkeypatch, prepare):
    """Whatever goes wrong while it is looked for, nobody is told just to try again."""
    call, path, advice = await prepare(client, rapidata_sandbox)

    async def refuse(seconds):
        blind = {"method": "GET", "path": ".*", "phase": "before", "action": "status"}
        rapidata_sandbox.faults([{**blind, "status": 403}])

    monkeypatch.setattr("rapidata_core._async.waiting.async_sleep", refuse)
    rapidata_sandbox.faults([lost(path)])
    with pytest.raises(errors.AmbiguousSubmissionError, match=advice):
        await call()
    rapidata_sandbox.advance(A_DAY + 60)
    assert len(paid(rapidata_sandbox)) == 1


def meanwhile(monkeypatch, work):
    """Let something happen once between a lost answer and the first look."""
    todo = [work]

    async def happen(seconds):
        if todo:
            await todo.pop()()

    monkeypatch.setattr("rapidata_core._async.waiting.async_sleep", happen)


async def test_a_signal_of_somebody_else_is_not_taken_for_a_lost_one(
    client, rapidata_sandbox, monkeypatch
):
    asked = await definition(client)

    async def other():
        await client.signals.create_signal("n", "global", asked, 12)

    meanwhile(monkeypatch, other)
    rapidata_sandbox.faults([{**lost("/signal"), "phase": "before"}])
    with pytest.raises(errors.AmbiguousSubmissionError, match="nothing showed"):
        await client.signals.create_signal("n", "global", asked, 24)
    assert len(await client.signals.find_signals()) == 1


async def test_two_signals_that_could_be_the_lost_one_are_named(
    client, rapidata_sandbox, monkeypatch
):
    asked = await definition(client)

    async def same():
        await client.signals.create_signal("n", "global", asked, 24)

    meanwhile(monkeypatch, same)
    rapidata_sandbox.faults([lost("/signal")])
    with pytest.raises(errors.AmbiguousSubmissionError, match="find_signals") as caught:
        await client.signals.create_signal("n", "global", asked, 24)
    found = await client.signals.find_signals()
    assert len(found) == 2
    assert all(signal.id in str(caught.value) for signal in found)


async def test_a_leaderboard_of_somebody_else_is_not_taken_for_a_lost_one(
    client, rapidata_sandbox, monkeypatch
):
    benchmark = await models(client, "A", "B")

    async def other():
        await benchmark.create_leaderboard("n", "Which is worse?", inverse_ranking=True)

    meanwhile(monkeypatch, other)
    rapidata_sandbox.faults([{**lost("/leaderboard"), "phase": "before"}])
    with pytest.raises(errors.AmbiguousSubmissionError, match="nothing showed"):
        await benchmark.create_leaderboard("n", "Which?")


async def test_the_run_of_an_earlier_trigger_is_not_taken_for_a_lost_one(
    client, rapidata_sandbox, time_flies
):
    signal = await client.signals.create_signal("n", "global", await definition(client), 1000)
    await signal.trigger()
    rapidata_sandbox.faults([{**lost(".*/trigger"), "phase": "before"}])
    with pytest.raises(errors.AmbiguousSubmissionError, match="get_runs"):
        await signal.trigger()
    rapidata_sandbox.advance(60)
    job = await signal.wait_for_next_job(timeout=0)
    assert [job.id] == paid(rapidata_sandbox)


async def test_a_model_is_paid_once_however_often_it_is_run(client, rapidata_sandbox):
    benchmark = await models(client)
    await benchmark.create_leaderboard("n", "Which?")
    for name in ("A", "B"):
        model = await benchmark.add_model(name, [name], ["p"], None, "text")
        again = next(one for one in await benchmark.participants if one.id == model.id)
        for participant in (model, again, model):
            await participant.run()
    await benchmark.run()
    assert len(sent(rapidata_sandbox, "/participants/submit")) == 2
    rapidata_sandbox.assert_paid_jobs(1)


async def test_runners_that_race_pay_once(client, rapidata_sandbox):
    with pytest.warns(DeprecationWarning, match="is deprecated"):
        made = await client.order.create("n", "Which?", [["a", "b"]], data_type="text")
    with pytest.warns(DeprecationWarning, match="is deprecated"):
        orders = [await client.order.get_order_by_id(made.id) for _ in range(4)]
    benchmark = await models(client)
    await benchmark.create_leaderboard("n", "Which?")
    for name in ("A", "B"):
        await benchmark.add_model(name, [name], ["p"], None, "text")
    same = [await client.mri.get_benchmark_by_id(benchmark.id) for _ in range(4)]

    async def run(one):
        await one.run()

    await async_map(run, orders, workers=4)
    rapidata_sandbox.assert_paid_jobs(1)
    await async_map(run, same, workers=4)
    rapidata_sandbox.assert_paid_jobs(2)


# One datapoint is refused the first time.
REFUSED_ONCE = {"method": "POST", "path": ".*/datapoint", "phase": "before", "action": "status"}
REFUSED_ONCE |= {"status": 400}


async def test_retrying_twice_uploads_and_defines_once(client, rapidata_sandbox):
    rapidata_sandbox.faults([REFUSED_ONCE] * 2)
    with pytest.raises(errors.FailedUploadException) as caught:
        await client.job.create_compare_job_definition(
            "n", "Which?", [["a", "b"], ["c", "d"]], data_type="text"
        )
    assert caught.value.job_definition is None
    # One of them by hand, then all.
    await caught.value.dataset.add_datapoints(caught.value.failed_uploads[:1])
    first, second = await caught.value.retry(), await caught.value.retry()
    assert first.id == second.id
    assert (await first.estimated_cost).datapoint_count == 2
    assert len(await client.job.find_job_definitions()) == 1


@pytest.mark.parametrize("answer", ["given", "lost"])
async def test_retrying_twice_starts_one_batch(client, rapidata_sandbox, time_flies, answer):
    flow = await client.flow.create_ranking_flow("n", "Which?", max_response_threshold=10)
    rapidata_sandbox.faults([REFUSED_ONCE])
    with pytest.raises(errors.FailedUploadException) as caught:
        await flow.create_new_flow_batch(["a", "b", "c"], data_type="text")
    if answer == "lost":
        # The first look is the one before it pays.
        blind = {"method": "GET", "path": ".*/item", "phase": "before", "action": "status"}
        rapidata_sandbox.faults([lost(".*/item"), *[{**blind, "status": 403, "nth": 2}] * 2])
        with pytest.raises(errors.AmbiguousSubmissionError, match="dataset_id"):
            await caught.value.retry()
        rapidata_sandbox.clear_faults()
    items = [await caught.value.retry() for _ in range(2)]
    [item] = await flow.get_flow_items()
    assert [found.id for found in items] == [item.id] * 2 == paid(rapidata_sandbox) * 2
    assert item.dataset_id == items[0].dataset_id
    assert set((await item.get_results()).datapoints) == {"a", "b", "c"}


async def test_one_item_alone_is_not_ranked(client, rapidata_sandbox):
    flow = await client.flow.create_ranking_flow("n", "Which?")
    rapidata_sandbox.faults([REFUSED_ONCE])
    with pytest.raises(errors.FailedUploadException, match="nothing was paid"):
        await flow.create_new_flow_batch(["a", "b"], data_type="text", accept_failed_uploads=True)
    assert paid(rapidata_sandbox) == []


async def test_a_deletion_that_was_repeated_is_done(client, rapidata_sandbox):
    job = await (await everybody(client)).assign_job(await definition(client))
    rapidata_sandbox.faults([{**lost("/job/.*"), "method": "DELETE"}])
    await job.delete()
    assert len(sent(rapidata_sandbox, f"/job/{job.id}", "DELETE")) == 2
    assert paid(rapidata_sandbox) == []
    with pytest.raises(errors.NotFoundError):
        await job.delete()


async def test_a_paid_job_is_named_when_the_race_cannot_be_settled(client, rapidata_sandbox):
    blind = {"method": "GET", "path": "/jobs", "phase": "before", "action": "status", "nth": 3}
    rapidata_sandbox.faults([{**blind, "status": 403}])
    with pytest.raises(errors.AmbiguousSubmissionError, match="Submit again") as caught:
        await client.submit(SPEC, "global", key="k")
    [job_id] = paid(rapidata_sandbox)
    assert job_id in str(caught.value)
    assert (await client.submit(SPEC, "global", key="k")).job_id == job_id
    assert paid(rapidata_sandbox) == [job_id]


IDENTITY = identify(SPEC, "global", "k", "")
NAME = IDENTITY.job("n")
COST = {"estimatedCost": 1.0, "datapointCount": 1, "requiredResponses": 1}


def listed(job_id, second, **more):
    created = f"2026-01-01T00:00:{second:02}Z"
    job = {"jobId": job_id, "name": NAME, "createdAt": created, "state": "Running"}
    return {**job, "audienceId": "global", "jobDefinitionId": f"definition of {job_id}", **more}


@pytest.fixture
async def platform(scripted, monkeypatch):
    """One on which everything is there for job ``ours``, and a client of it."""
    scripted.on("GET", "/audience/global", {"id": "global", "name": "Everybody"})
    # A definition is left behind, and the ticket that is cloned from it is the only one.
    ticket = {"definitionId": "t", "name": IDENTITY.ticket("n", "abcdabcd")}
    draft = {"definitionId": "d", "name": IDENTITY.draft("n")}
    listed = [{**one, "createdAt": "2026-01-01T00:00:00Z"} for one in (draft, ticket)]
    scripted.on("GET", "/job/definitions", {"items": listed})
    monkeypatch.setattr("rapidata_core._async.submit.uuid4", lambda: UUID(hex="abcd" * 8))
    scripted.on("GET", "/job/definition/d/revision", {"definitionId": "d", "revisionNumber": 1})
    scripted.on("GET", "/job/definition/d/cost-estimate", COST)
    scripted.on("POST", "/job/definition/d/clone", {"definitionId": "t"})
    scripted.on("PATCH", "/job/definition/t", (204, {}, b""))
    scripted.on("POST", "/job", {"jobId": "ours"})
    for job_id in ("ours", "other"):
        scripted.on("POST", f"/job/{job_id}/pause", (204, {}, b""))
        scripted.on("DELETE", f"/job/{job_id}", (204, {}, b""))
    async with AsyncRapidataClient("me", "s", scripted.url, settle=1) as client:
        yield client


@pytest.mark.parametrize(("second", "kept"), [(1, "ours"), (3, "other")])
async def test_a_job_that_the_list_lacks_counts_in_a_race(platform, scripted, second, kept):
    """Otherwise both runners could delete theirs, each in favour of the other's."""
    scripted.on("GET", "/jobs", *[{"items": []}] * 2, {"items": [listed("other", 2)]})
    scripted.on("GET", "/job/ours", listed("ours", second, definitionId="d"))
    submission = await platform.submit(SPEC, "global", key="k")
    assert (submission.job_id, submission.adopted) == (kept, kept == "other")
    assert submission.definition_id == {"ours": "d", "other": "definition of other"}[kept]
    deleted = [r["path"] for r in scripted.seen if r["method"] == "DELETE"]
    assert deleted == [f"/job/{'other' if kept == 'ours' else 'ours'}"]


async def test_a_job_that_another_runner_has_dropped_is_not_given_out(platform, scripted):
    shown = [{"items": []}] * 4, {"items": [listed("other", 2)]}
    scripted.on("GET", "/jobs", *shown[0], shown[1])
    scripted.on("GET", "/job/ours", (404, {}, b"{}"))
    submission = await platform.submit(SPEC, "global", key="k")
    assert (submission.job_id, submission.adopted) == ("other", True)


async def test_lists_that_ignore_a_filter_mislead_nobody(scripted, monkeypatch):
    monkeypatch.setattr("rapidata_core._async.waiting.SETTLE_PAUSES", (0.0,))
    stranger = {"id": "stranger", "name": "A stranger's", "status": "Created"}
    scripted.on("GET", "/benchmark/b", {"id": "b", "name": "B"})
    scripted.on("GET", "/benchmarks", {"items": [stranger]})
    scripted.on("GET", "/benchmark/stranger/prompts", {"items": []})
    scripted.on("GET", "/benchmark/b/prompts", {"items": [{"id": "1", "identifier": "p"}]})
    scripted.on("GET", "/benchmark/b/participants", {"items": [stranger]})
    for path in ("/benchmark", "/benchmark/b/prompt", "/benchmark/b/participants"):
        scripted.on("POST", path, "drop")
    async with AsyncRapidataClient("me", "s", scripted.url) as client:
        with pytest.raises(errors.AmbiguousSubmissionError, match="find_benchmarks"):
            await client.mri.create_new_benchmark("Ours", prompts=["q"])
        benchmark = await client.mri.get_benchmark_by_id("b")
        with pytest.raises(errors.IncompleteUploadError, match="1 of 1 prompts"):
            await benchmark.add_prompts(["q"], ["q"])
        with pytest.raises(errors.AmbiguousSubmissionError, match="participants"):
            await benchmark.add_model("M", ["a"], ["p"], None, "text")


async def test_a_datapoint_that_shows_late_is_not_sent_again(scripted, monkeypatch):
    async def skip(seconds):
        pass

    monkeypatch.setattr("rapidata_core._async.upload.async_sleep", skip)
    pair = {"assets": [{"text": "a"}, {"text": "b"}]}
    scripted.on("POST", "/dataset", {"datasetId": "d"})
    scripted.on("POST", "/dataset/d/datapoint", "drop")
    scripted.on("GET", "/dataset/d/progress", *[{"total": 0}] * 4, {"total": 1})
    row = {"id": "1", "segments": [{"key": "asset", "asset": pair}]}
    scripted.on("GET", "/dataset/d/datapoints", {"items": [row]})
    scripted.on("POST", "/job/definition", {"definitionId": "found"})
    async with AsyncRapidataClient("me", "s", scripted.url) as client:
        assert (await definition(client)).id == "found"
    assert len(scripted.requests("/dataset/d/datapoint")) == 1
