"""Signals: the schedule, triggers, skipped runs, money."""

from datetime import datetime, timedelta

import pytest

from rapidata_core.sandbox.process import Sandbox

HOUR = 3600


@pytest.fixture
def signals(platform, rapidata_sandbox):
    return Signals(platform, rapidata_sandbox)


class Signals:
    def __init__(self, platform, sandbox):
        self.platform, self.sandbox = platform, sandbox

    def create(self, definition_id=None, points=3, votes=10, **more):
        definition_id = definition_id or self.platform.definition(
            self.platform.pairs(points), votes=votes
        )
        body = {
            "name": "hourly",
            "description": None,
            "audienceId": "global",
            "jobDefinitionId": definition_id,
            "revisionNumber": None,
            "intervalSeconds": HOUR,
            "isPublic": False,
        }
        return self.platform.ok("POST", "/signal", body | more)["id"]

    def get(self, signal_id):
        return self.platform.ok("GET", f"/signal/{signal_id}")

    def runs(self, signal_id, query="sort=-started_at"):
        return self.platform.ok("GET", f"/signal/{signal_id}/run?page_size=100&{query}")["items"]

    def run(self, signal_id, query="sort=-started_at"):
        [run] = self.runs(signal_id, query)
        return run

    def trigger(self, signal_id):
        answer = self.platform.ok("POST", f"/signal/{signal_id}/trigger")
        assert answer == {"signalId": signal_id}

    def paid(self):
        return self.sandbox.ledger()["paid_jobs"]


def test_a_signal_fires_at_every_interval(signals, platform, rapidata_sandbox):
    definition_id = platform.definition(platform.pairs(), name="what to ask")
    signal_id = signals.create(definition_id, description="for tests", isPublic=True)
    view = signals.get(signal_id)
    assert {key: view[key] for key in ("name", "description", "audienceId")} == {
        "name": "hourly",
        "description": "for tests",
        "audienceId": "global",
    }
    assert (view["jobDefinitionId"], view["revisionNumber"]) == (definition_id, None)
    assert (view["intervalSeconds"], view["isPaused"], view["isPublic"]) == (HOUR, False, True)
    assert view["lastRunAt"] is None
    created, due = (datetime.fromisoformat(view[key]) for key in ("createdAt", "nextRunAt"))
    assert due - created == timedelta(seconds=HOUR)
    assert signals.runs(signal_id) == []
    assert signals.paid() == 0
    rapidata_sandbox.advance(3 * HOUR + 100)
    runs = signals.runs(signal_id, "sort=started_at")
    assert [datetime.fromisoformat(run["startedAt"]) for run in runs] == [
        due + timedelta(seconds=HOUR * n) for n in range(3)
    ]
    assert {run["triggerSource"] for run in runs} == {"Scheduled"}
    assert {run["status"] for run in runs} == {"Completed"}
    view = signals.get(signal_id)
    assert view["lastRunAt"] == runs[-1]["startedAt"]
    assert datetime.fromisoformat(view["nextRunAt"]) == due + timedelta(seconds=3 * HOUR)
    assert signals.paid() == 3
    for run in runs:
        job = platform.ok("GET", f"/job/{run['audienceJobId']}")
        # As if somebody had created the job half a second after the firing.
        assert job["name"] == "what to ask:1"
        started, made = (
            datetime.fromisoformat(text) for text in (run["startedAt"], job["createdAt"])
        )
        assert made - started == timedelta(seconds=0.5)
        assert run["completedAt"] == job["completedAt"]
        assert run["resultFileName"] == f"{job['jobId']}.json"
        assert platform.results(job["jobId"])["results"]


def test_the_life_of_a_triggered_run(connect):
    # The clock stands still, so nothing moves between two looks.
    with Sandbox.start(speed=0) as frozen:
        other = Signals(connect(frozen), frozen)
        signal_id = other.create(points=30)
        asked_at = datetime.fromisoformat(frozen.now())
        other.trigger(signal_id)
        assert other.runs(signal_id) == []
        frozen.advance(1.4)
        assert other.runs(signal_id) == []
        frozen.advance(0.2)
        run = other.run(signal_id)
        assert (run["triggerSource"], run["status"]) == ("Manual", "Pending")
        assert run["audienceJobId"] is None
        started = datetime.fromisoformat(run["startedAt"])
        # What the vendor's SDK relies on: the run starts after the trigger was answered.
        assert started - asked_at == timedelta(seconds=1.5)
        assert other.get(signal_id)["lastRunAt"] == run["startedAt"]
        frozen.advance(0.5)
        run = other.run(signal_id)
        assert run["status"] == "Running"
        assert run["audienceJobId"]
        assert run["completedAt"] is None
        single = other.platform.ok("GET", f"/signal/run/{run['id']}")
        assert single == run
        frozen.advance(HOUR / 2)
        run = other.platform.ok("GET", f"/signal/run/{run['id']}")
        assert run["status"] == "Completed"
        assert other.paid() == 1


def test_a_firing_that_meets_an_open_run_is_skipped(signals, platform, rapidata_sandbox):
    signal_id = signals.create()
    signals.trigger(signal_id)
    rapidata_sandbox.advance(3)
    job_id = signals.run(signal_id)["audienceJobId"]
    platform.ok("POST", f"/job/{job_id}/pause")
    signals.trigger(signal_id)
    rapidata_sandbox.advance(3)
    rapidata_sandbox.advance(2 * HOUR)
    skipped = signals.runs(signal_id, "status[eq]=Skipped")
    assert [run["triggerSource"] for run in skipped] == ["Manual", "Scheduled", "Scheduled"]
    for run in skipped:
        assert "still open" in run["skippedReason"]
        assert run["audienceJobId"] is None
        assert run["completedAt"] == run["startedAt"]
    assert signals.paid() == 1
    platform.ok("POST", f"/job/{job_id}/resume")
    rapidata_sandbox.advance(HOUR + 60)
    newest = signals.runs(signal_id)[0]
    assert (newest["triggerSource"], newest["status"]) == ("Scheduled", "Completed")
    assert signals.paid() == 2


def test_two_triggers_at_once_make_one_job(signals, rapidata_sandbox):
    signal_id = signals.create()
    signals.trigger(signal_id)
    signals.trigger(signal_id)
    rapidata_sandbox.advance(60)
    assert sorted(run["status"] for run in signals.runs(signal_id)) == ["Completed", "Skipped"]
    assert signals.paid() == 1


def test_a_paused_signal_fires_only_when_triggered(signals, platform, rapidata_sandbox):
    signal_id = signals.create()
    due = datetime.fromisoformat(signals.get(signal_id)["nextRunAt"])
    platform.ok("POST", f"/signal/{signal_id}/pause")
    assert signals.get(signal_id)["isPaused"] is True
    rapidata_sandbox.advance(5 * HOUR + 100)
    assert signals.runs(signal_id) == []
    # The schedule goes on.
    view = signals.get(signal_id)
    assert datetime.fromisoformat(view["nextRunAt"]) == due + timedelta(seconds=5 * HOUR)
    signals.trigger(signal_id)
    rapidata_sandbox.advance(60)
    assert signals.run(signal_id)["status"] == "Completed"
    platform.ok("POST", f"/signal/{signal_id}/resume")
    assert signals.get(signal_id)["isPaused"] is False
    assert len(signals.runs(signal_id)) == 1
    rapidata_sandbox.advance(HOUR)
    assert len(signals.runs(signal_id)) == 2
    assert signals.paid() == 2


def test_a_run_fails_with_its_job(signals, platform, rapidata_sandbox):
    signal_id = signals.create()
    signals.trigger(signal_id)
    rapidata_sandbox.advance(3)
    job_id = signals.run(signal_id)["audienceJobId"]
    rapidata_sandbox.set_job_state(job_id, "Failed", failure_message="nobody is there")
    run = signals.run(signal_id)
    assert (run["status"], run["failureMessage"]) == ("Failed", "nobody is there")
    assert run["audienceJobId"] == job_id
    signals.trigger(signal_id)
    rapidata_sandbox.advance(60)
    newest = signals.runs(signal_id)[0]
    assert newest["status"] == "Completed"
    platform.ok("DELETE", f"/job/{newest['audienceJobId']}")
    assert signals.runs(signal_id)[0]["status"] == "Completed"


def test_a_run_whose_job_was_deleted_ends(signals, platform, rapidata_sandbox):
    signal_id = signals.create()
    signals.trigger(signal_id)
    rapidata_sandbox.advance(2.2)
    platform.ok("DELETE", f"/job/{signals.run(signal_id)['audienceJobId']}")
    run = signals.run(signal_id)
    assert (run["status"], run["failureMessage"]) == ("Failed", "The job was deleted.")


def test_a_firing_without_a_definition_fails(signals, platform, rapidata_sandbox):
    definition_id = platform.definition(platform.pairs())
    signal_id = signals.create(definition_id)
    platform.ok("DELETE", f"/job/definition/{definition_id}")
    rapidata_sandbox.advance(HOUR + 1)
    run = signals.run(signal_id)
    assert run["status"] == "Failed"
    assert definition_id in run["failureMessage"]
    assert signals.paid() == 0


def test_the_latest_revision_at_the_time_of_firing_or_the_pinned_one(
    signals, platform, rapidata_sandbox
):
    definition_id = platform.definition(platform.pairs(), votes=10)
    latest, pinned = signals.create(definition_id), signals.create(definition_id, revisionNumber=1)
    revision = {"referee": {"_t": "NaiveReferee", "totalVotes": 4}}
    workflow = platform.ok("GET", f"/job/definition/{definition_id}/revision")["workflow"]
    platform.ok(
        "POST", f"/job/definition/{definition_id}/revision", revision | {"workflow": workflow}
    )
    rapidata_sandbox.advance(HOUR + 60)

    def revision_of(signal_id):
        job_id = signals.run(signal_id)["audienceJobId"]
        return platform.ok("GET", f"/job/{job_id}")["revisionNumber"]

    assert (revision_of(latest), revision_of(pinned)) == (2, 1)


def test_when_the_money_is_used_up_the_job_waits_and_firings_are_skipped(
    signals, platform, rapidata_sandbox
):
    # 600 each, of 1000.
    signal_id = signals.create(points=60, votes=1000)
    rapidata_sandbox.advance(4 * HOUR + 60)
    runs = signals.runs(signal_id, "sort=started_at")
    assert [run["status"] for run in runs] == ["Completed", "Running", "Skipped", "Skipped"]
    assert platform.state(runs[1]["audienceJobId"]) == "SpendLimited"
    assert signals.paid() == 1


def test_updating(signals, platform, rapidata_sandbox):
    signal_id = signals.create(description="kept")
    before = signals.get(signal_id)
    platform.ok("PATCH", f"/signal/{signal_id}", {"name": "minutely", "description": None})
    view = signals.get(signal_id)
    # A null leaves a description as it is: the vendor's SDK sends one with every update.
    assert view == before | {"name": "minutely"}
    rapidata_sandbox.advance(10)
    platform.ok("PATCH", f"/signal/{signal_id}", {"intervalSeconds": 60, "description": "new"})
    view = signals.get(signal_id)
    assert (view["intervalSeconds"], view["description"]) == (60, "new")
    wait = datetime.fromisoformat(view["nextRunAt"]) - datetime.fromisoformat(view["createdAt"])
    assert timedelta(seconds=70) <= wait < timedelta(seconds=80)
    rapidata_sandbox.advance(130)
    assert len(signals.runs(signal_id)) == 2
    problem = platform.problem(
        "PATCH", f"/signal/{signal_id}", 400, {"intervalSeconds": 59, "name": " "}
    )
    assert problem["errors"].keys() >= {"intervalSeconds"}


def test_deleting_a_signal_deletes_its_runs_and_not_its_jobs(signals, platform, rapidata_sandbox):
    signal_id = signals.create()
    signals.trigger(signal_id)
    rapidata_sandbox.advance(60)
    run = signals.run(signal_id)
    platform.ok("DELETE", f"/signal/{signal_id}")
    for path in (f"/signal/{signal_id}", f"/signal/{signal_id}/run", f"/signal/run/{run['id']}"):
        platform.problem("GET", path, 404)
    assert platform.ok("GET", "/signal")["items"] == []
    assert platform.state(run["audienceJobId"]) == "Completed"
    rapidata_sandbox.advance(2 * HOUR)
    assert signals.paid() == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"audienceId": "nobody"}, "audienceId"),
        ({"jobDefinitionId": "none"}, "jobDefinitionId"),
        ({"revisionNumber": 7}, "revisionNumber"),
        ({"intervalSeconds": 59}, "intervalSeconds"),
        ({"intervalSeconds": None}, "intervalSeconds"),
        ({"intervalSeconds": 60.5}, "intervalSeconds"),
    ],
)
def test_what_a_signal_needs(platform, change, field):
    body = {
        "name": "n",
        "audienceId": "global",
        "jobDefinitionId": platform.definition(platform.pairs(1)),
        "intervalSeconds": 60,
    }
    problem = platform.problem("POST", "/signal", 400, body | change)
    assert field in problem["errors"]
    assert platform.ok("GET", "/signal")["total"] == 0


def test_lists_are_filtered_and_sorted(signals, platform, rapidata_sandbox):
    first = signals.create(name="alpha", isPublic=True)
    second = signals.create(name="beta", intervalSeconds=60)
    third = signals.create(name="alpha beta", audienceId="aud_MU1GZYoESyO")
    platform.ok("POST", f"/signal/{third}/pause")
    owner = signals.get(first)["ownerId"]
    definition = signals.get(second)["jobDefinitionId"]

    def found(query):
        return [one["id"] for one in platform.ok("GET", f"/signal?{query}")["items"]]

    assert found("sort=-created_at&page=1&page_size=10&name[contains]=") == [third, second, first]
    assert found("name[contains]=alpha") == [first, third]
    assert found("name[eq]=alpha") == [first]
    assert found(f"id[in]={first}&id[in]={second}") == [first, second]
    assert found("is_paused[eq]=true") == [third]
    assert found("is_public[eq]=true") == [first]
    assert found("audience_id[eq]=aud_MU1GZYoESyO") == [third]
    assert found(f"job_definition_id[eq]={definition}") == [second]
    assert found(f"owner_id[eq]={owner}") == [first, second, third]
    assert found("owner_id[eq]=somebody") == []
    assert found("sort=-name") == [second, third, first]
    assert found("sort=next_run_at")[0] == second
    soon = signals.get(second)["nextRunAt"].replace("+", "%2B")
    assert found(f"next_run_at[lte]={soon}") == [second]
    assert found("sort=-last_run_at&page_size=1&page=2") != []
    platform.problem("GET", "/signal?colour[eq]=red", 400)


def test_lists_of_runs_are_filtered_and_sorted(signals, platform, rapidata_sandbox):
    signal_id = signals.create()
    signals.trigger(signal_id)
    rapidata_sandbox.advance(60)
    signals.trigger(signal_id)
    signals.trigger(signal_id)
    rapidata_sandbox.advance(60)
    rapidata_sandbox.advance(HOUR)
    runs = signals.runs(signal_id, "sort=started_at")
    assert [run["status"] for run in runs] == ["Completed", "Completed", "Skipped", "Completed"]

    def found(query):
        return [runs.index(run) for run in signals.runs(signal_id, query)]

    assert found("status[eq]=Skipped") == [2]
    assert found("status[in]=Pending&status[in]=Running") == []
    assert found("trigger_source[eq]=Manual&sort=-started_at") == [2, 1, 0]
    assert found(f"audience_job_id[eq]={runs[3]['audienceJobId']}") == [3]
    after = runs[2]["startedAt"].replace("+", "%2B")
    assert found(f"started_at[gt]={after}") == [3]
    done = runs[3]["completedAt"].replace("+", "%2B")
    assert found(f"completed_at[gte]={done}") == [3]
    assert found("sort=-completed_at")[0] == 3
    assert len(found("sort=status&sort=-started_at")) == 4


def test_unknown_ids(platform):
    for method, path in (
        ("GET", "/signal/none"),
        ("PATCH", "/signal/none"),
        ("DELETE", "/signal/none"),
        ("POST", "/signal/none/trigger"),
        ("POST", "/signal/none/pause"),
        ("POST", "/signal/none/resume"),
        ("GET", "/signal/none/run"),
        ("GET", "/signal/run/none"),
    ):
        platform.problem(method, path, 404)


def test_a_long_jump_is_bounded(signals, rapidata_sandbox):
    signal_id = signals.create(points=1, votes=1, intervalSeconds=60)
    rapidata_sandbox.advance(30 * 24 * HOUR)
    # The catch-up happens within this request.
    view = signals.platform.ok("GET", f"/signal/{signal_id}", timeout=60)
    due = datetime.fromisoformat(view["nextRunAt"])
    # The first firings have jobs; one run speaks for all others.
    assert signals.paid() == 300
    newest = signals.runs(signal_id)[0]
    assert newest["status"] == "Skipped"
    assert "jumped over 42900 firings" in newest["skippedReason"]
    now = datetime.fromisoformat(rapidata_sandbox.now())
    assert now < due <= now + timedelta(seconds=60)
    rapidata_sandbox.advance(61)
    assert signals.runs(signal_id)[0]["status"] in {"Pending", "Running", "Completed"}


def test_what_is_due_survives_a_restart(connect, tmp_path):
    file = tmp_path / "sandbox.db"
    with Sandbox.start(db=file) as sandbox:
        before = Signals(connect(sandbox), sandbox)
        signal_id = before.create()
        before.trigger(signal_id)
        sandbox.kill()
    with Sandbox.start(db=file) as sandbox:
        after = Signals(connect(sandbox), sandbox)
        sandbox.advance(2 * HOUR)
        runs = after.runs(signal_id)
        assert [run["triggerSource"] for run in runs] == ["Scheduled", "Scheduled", "Manual"]
        assert after.paid() == 3


def test_a_reset_forgets_the_schedule(signals, platform, rapidata_sandbox):
    signals.create()
    rapidata_sandbox.reset()
    rapidata_sandbox.advance(2 * HOUR)
    assert platform.ok("GET", "/signal")["total"] == 0
    assert signals.paid() == 0
    again = signals.create(intervalSeconds=60)
    rapidata_sandbox.advance(61)
    assert len(signals.runs(again)) == 1
