"""Flows: items, their states by the clock, results, money."""

import pytest


@pytest.fixture
def flows(platform, wire, rapidata_sandbox):
    return Flows(platform, wire, rapidata_sandbox)


class Flows:
    def __init__(self, platform, wire, sandbox):
        self.platform, self.wire, self.sandbox = platform, wire, sandbox

    def ranking(self, name="ranks", **more):
        body = {"name": name, "criteria": "Which looks better?", "maxResponses": 100}
        body |= {"minResponses": 50, "validationSetId": None, "featureFlags": None}
        return self.platform.ok("POST", "/flow/ranking", body | more)["flowId"]

    def simple(self, **more):
        body = {
            "name": "classifies",
            "blueprint": {
                "_t": "ClassifyBlueprint",
                "title": "What is it?",
                "categories": self.wire.options(["Cat", "Dog", "Neither"]),
            },
            "maxResponses": 12,
            "minResponses": 6,
        }
        return self.platform.ok("POST", "/flow/simple", body | more)["flowId"]

    def things(self, count=4):
        asset = self.wire.segment
        return self.platform.dataset(
            [
                [asset("asset", "Asset", {"_t": "TextAssetInput", "text": f"thing {n}"})]
                for n in range(count)
            ]
        )

    def item(self, flow_id, kind="ranking", dataset=None, **more):
        body = {"datasetId": dataset or self.things(), "timeToLiveInSeconds": None}
        return self.platform.ok("POST", f"/flow/{kind}/{flow_id}/item", body | more)["flowItemId"]

    def state(self, item_id):
        return self.view(item_id)["state"]

    def view(self, item_id):
        return self.platform.ok("GET", f"/flow/ranking/item/{item_id}")

    def results(self, item_id, kind="ranking"):
        return self.platform.ok("GET", f"/flow/{kind}/item/{item_id}/results")

    def matrix(self, item_id):
        return self.platform.ok("GET", f"/flow/ranking/item/{item_id}/vote-matrix")


def test_a_ranking_from_pending_to_completed(flows, platform, rapidata_sandbox):
    flow_id = flows.ranking()
    item_id = flows.item(flow_id, context="drawn by a child")
    assert flows.state(item_id) == "Pending"
    for path in ("results", "vote-matrix"):
        platform.problem("GET", f"/flow/ranking/item/{item_id}/{path}", 409)
    rapidata_sandbox.advance(20)
    view = flows.view(item_id)
    assert (view["state"], view["context"]) == ("Running", "drawn by a child")
    assert view["flowId"] == flow_id
    assert view["startedAt"] < view["expiresAt"]
    assert view["completedAt"] is None
    partial = flows.results(item_id)
    assert 20 < partial["totalVotes"] < 60
    rapidata_sandbox.advance(60)
    view = flows.view(item_id)
    assert view["state"] == "Completed"
    assert view["startedAt"] < view["completedAt"] < view["expiresAt"]
    results = flows.results(item_id)
    assert results["totalVotes"] == 100
    assert [point["asset"]["text"] for point in results["datapoints"]] == [
        f"thing {n}" for n in range(4)
    ]
    assert all(type(point["elo"]) is int for point in results["datapoints"])
    assert len({point["elo"] for point in results["datapoints"]}) > 1
    assert sum(point["elo"] for point in results["datapoints"]) / 4 == pytest.approx(1200, abs=30)


def test_the_matrix_has_the_votes_and_the_scores_follow_from_it(flows, rapidata_sandbox):
    item_id = flows.item(flows.ranking(maxResponses=400))
    rapidata_sandbox.advance(230)
    matrix, results = flows.matrix(item_id), flows.results(item_id)
    assert matrix["index"] == matrix["columns"] == [f"thing {n}" for n in range(4)]
    assert sum(map(sum, matrix["data"])) == results["totalVotes"] == 400
    assert all(matrix["data"][n][n] == 0 for n in range(4))
    scores = {point["asset"]["text"]: point["elo"] for point in results["datapoints"]}
    shares = {
        row: sum(matrix["data"][n]) / (sum(matrix["data"][n]) + sum(r[n] for r in matrix["data"]))
        for n, row in enumerate(matrix["index"])
    }
    best, worst = max(shares, key=shares.get), min(shares, key=shares.get)
    assert scores[best] > scores[worst]


def test_media_are_named_by_their_urls(flows, platform, rapidata_sandbox):
    names = [
        platform.ok("POST", "/asset/url", params={"url": f"https://example.com/{letter}.jpg"})
        for letter in "ab"
    ]
    dataset = platform.dataset(
        [
            [
                flows.wire.segment(
                    "asset", "Asset", {"_t": "ExistingAssetInput", "name": name["fileName"]}
                )
            ]
            for name in names
        ]
    )
    item_id = flows.item(flows.ranking(), dataset=dataset)
    rapidata_sandbox.advance(100)
    assert flows.matrix(item_id)["index"] == [
        f"https://example.com/{letter}.jpg" for letter in "ab"
    ]


@pytest.mark.parametrize(("least", "state"), [(100, "Incomplete"), (30, "Completed")])
def test_time_runs_out(flows, rapidata_sandbox, least, state):
    item_id = flows.item(flows.ranking(minResponses=least), timeToLiveInSeconds=60)
    rapidata_sandbox.advance(30)
    # The default drain is 40 seconds: nobody new is asked any more.
    assert flows.state(item_id) == "Stopping"
    rapidata_sandbox.advance(31)
    assert flows.state(item_id) == state
    # 20 seconds served, and what was under way: two answers a second after the first two seconds.
    assert flows.results(item_id)["totalVotes"] == 46
    assert flows.view(item_id)["completedAt"] == flows.view(item_id)["expiresAt"]


def test_stopping(flows, platform, rapidata_sandbox):
    item_id = flows.item(flows.ranking())
    rapidata_sandbox.advance(10)
    platform.ok("POST", f"/flow/item/{item_id}/stop")
    assert flows.state(item_id) == "Stopping"
    rapidata_sandbox.advance(6)
    assert flows.state(item_id) == "Stopped"
    votes = flows.results(item_id)["totalVotes"]
    assert 0 < votes < 50
    rapidata_sandbox.advance(3600)
    platform.ok("POST", f"/flow/item/{item_id}/stop")
    assert (flows.state(item_id), flows.results(item_id)["totalVotes"]) == ("Stopped", votes)


def test_a_finished_item_cannot_be_stopped(flows, platform, rapidata_sandbox):
    item_id = flows.item(flows.ranking())
    rapidata_sandbox.advance(100)
    platform.ok("POST", f"/flow/item/{item_id}/stop")
    assert flows.state(item_id) == "Completed"


def test_a_classification_lists_all_categories(flows, platform, rapidata_sandbox):
    flow_id = flows.simple()
    item_id = flows.item(flow_id, "simple")
    platform.problem("GET", f"/flow/simple/item/{item_id}/results", 409)
    rapidata_sandbox.advance(60)
    results = flows.results(item_id, "simple")
    assert results["totalResponses"] == 48
    for point in results["datapoints"]:
        assert [one["value"] for one in point["distribution"]] == ["Cat", "Dog", "Neither"]
        counts = {one["value"]: one["count"] for one in point["distribution"]}
        assert sum(counts.values()) == point["responseCount"] == 12
        most = [value for value in counts if counts[value] == max(counts.values())]
        assert point["majorityValue"] == (most[0] if len(most) == 1 else None)
    zeros = [one for point in results["datapoints"] for one in point["distribution"]]
    assert any(one["count"] == 0 for one in zeros)


def test_the_same_question_has_the_same_truth_in_every_item(flows, rapidata_sandbox):
    flow_id = flows.ranking(maxResponses=400)
    first, second = flows.item(flow_id), flows.item(flow_id)
    rapidata_sandbox.advance(230)

    def order(item_id):
        points = flows.results(item_id)["datapoints"]
        return sorted((p["asset"]["text"] for p in points), key=lambda t: scores(points)[t])

    def scores(points):
        return {point["asset"]["text"]: point["elo"] for point in points}

    assert order(first) == order(second)
    # Yet other people answered.
    assert flows.matrix(first)["data"] != flows.matrix(second)["data"]


def test_neither_and_both_are_half_wins(flows, rapidata_sandbox):
    flags = [{"key": "compare_unsure", "value": "5000"}]
    item_id = flows.item(flows.ranking(featureFlags=flags))
    rapidata_sandbox.advance(100)
    cells = [cell for row in flows.matrix(item_id)["data"] for cell in row]
    assert sum(cells) == 100
    assert any(cell % 1 for cell in cells)


def test_preheating_makes_the_next_items_faster(flows, platform, rapidata_sandbox):
    flow_id = flows.ranking()
    cold = flows.item(flow_id)
    platform.ok("POST", "/campaign/boost/preheat")
    hot = flows.item(flow_id)
    rapidata_sandbox.advance(30)
    assert (flows.state(cold), flows.state(hot)) == ("Running", "Completed")
    rapidata_sandbox.advance(700)
    late = flows.item(flow_id)
    rapidata_sandbox.advance(30)
    assert flows.state(late) == "Running"


def test_an_item_is_paid_for_when_it_is_created(flows, platform, rapidata_sandbox):
    flow_id = flows.ranking(maxResponses=80_000)
    assert rapidata_sandbox.ledger()["entries"] == []
    item_id = flows.item(flow_id)
    [entry] = rapidata_sandbox.ledger()["entries"]
    assert (entry["kind"], entry["id"], entry["amount"]) == ("flow_item", item_id, 800)
    rapidata_sandbox.assert_paid_jobs(0)
    body = {"datasetId": flows.things(), "timeToLiveInSeconds": None}
    problem = platform.problem("POST", f"/flow/ranking/{flow_id}/item", 409, body)
    assert "costs up to 800" in problem["detail"]
    assert len(platform.ok("GET", f"/flow/ranking/{flow_id}/item")["items"]) == 1
    flows.item(flows.simple(maxResponses=100, minResponses=1), "simple")
    assert rapidata_sandbox.ledger()["entries"][-1]["amount"] == 4


def test_one_item_alone_cannot_be_ranked(flows, platform, rapidata_sandbox):
    item_id = flows.item(flows.ranking(), dataset=flows.things(1))
    rapidata_sandbox.advance(1)
    view = flows.view(item_id)
    assert view["state"] == "Failed"
    assert "too few datapoints" in view["failureMessage"]
    assert view["failedAt"]
    platform.problem("GET", f"/flow/ranking/item/{item_id}/results", 409)
    assert rapidata_sandbox.ledger()["entries"] == []


def test_changes_are_for_new_items(flows, platform, rapidata_sandbox):
    flow_id = flows.ranking()
    before = flows.item(flow_id)
    change = {"criteria": "Which is worse?", "startingElo": 1000, "maxResponses": None}
    platform.ok("PATCH", f"/flow/ranking/{flow_id}", change)
    after = flows.item(flow_id)
    platform.ok("PATCH", f"/flow/ranking/{flow_id}/config", {"minResponses": 7})
    view = platform.ok("GET", f"/flow/{flow_id}")
    assert (view["criteria"], view["startingElo"]) == ("Which is worse?", 1000)
    assert (view["minResponses"], view["maxResponses"]) == (7, 100)
    rapidata_sandbox.advance(100)

    def mean(item_id):
        return sum(point["elo"] for point in flows.results(item_id)["datapoints"]) / 4

    assert mean(before) == pytest.approx(1200, abs=30)
    assert mean(after) == pytest.approx(1000, abs=30)
    problem = platform.problem(
        "PATCH", f"/flow/ranking/{flow_id}", 400, {"minResponses": 500, "startingElo": "high"}
    )
    assert {"startingElo", "maxResponses"} <= problem["errors"].keys()
    simple = flows.simple()
    platform.ok("PATCH", f"/flow/simple/{simple}", {"drainDurationSeconds": 5})
    assert platform.ok("GET", f"/flow/{simple}")["drainDurationSeconds"] == 5
    platform.problem("PATCH", f"/flow/ranking/{simple}", 404, {})


def test_views_have_every_required_field(flows, platform):
    ranking, simple = flows.ranking(), flows.simple()
    flows.item(ranking)
    common = {
        "_t", "id", "name", "campaignId", "flowItemCount", "pidProportionalGain",
        "pidIntegralGain", "pidDerivativeGain", "pidOutputOffset", "pidMinSessionsPerMinute",
        "pidMaxSessionsPerMinute", "pidBatchMode", "minResponses", "featureFlags", "ownerId",
        "ownerMail", "organizationId", "createdAt",
    }  # fmt: skip
    view = platform.ok("GET", f"/flow/{ranking}")
    assert all(view[key] is not None for key in common | {"startingElo", "criteria"})
    assert (view["_t"], view["flowItemCount"]) == ("RankingFlow", 1)
    view = platform.ok("GET", f"/flow/{simple}")
    assert all(view[key] is not None for key in common | {"blueprint", "maxResponses"})
    assert view["_t"] == "SimpleFlow"


def test_lists(flows, platform, rapidata_sandbox):
    first, second = flows.ranking("alpha"), flows.simple()
    found = platform.ok("GET", "/flow?sort=-created_at&page=1&page_size=10&name[contains]=")
    assert [(flow["id"], flow["type"]) for flow in found["items"]] == [
        (second, "Simple"),
        (first, "Ranking"),
    ]
    found = platform.ok("GET", "/flow?name[contains]=alp")
    assert [flow["id"] for flow in found["items"]] == [first]
    done = flows.item(first)
    rapidata_sandbox.advance(100)
    going = flows.item(first)
    rapidata_sandbox.advance(1)

    def items(query):
        return [
            item["id"]
            for item in platform.ok("GET", f"/flow/ranking/{first}/item?{query}")["items"]
        ]

    assert items("sort=-created_at") == [going, done]
    assert items("state[in]=Pending&state[in]=Running") == [going]
    assert items("state[eq]=Completed") == [done]
    assert platform.ok("GET", f"/flow/ranking/{second}/item")["total"] == 0


def test_a_deleted_flow_is_gone_but_its_items_stay(flows, platform, rapidata_sandbox):
    flow_id = flows.ranking()
    item_id = flows.item(flow_id)
    platform.ok("DELETE", f"/flow/{flow_id}")
    platform.problem("GET", f"/flow/{flow_id}", 404)
    platform.problem("POST", f"/flow/ranking/{flow_id}/item", 404, {})
    assert platform.ok("GET", "/flow")["total"] == 0
    rapidata_sandbox.advance(100)
    assert flows.results(item_id)["totalVotes"] == 100


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": " "}, "name"),
        ({"criteria": None}, "criteria"),
        ({"minResponses": 0}, "minResponses"),
        ({"minResponses": 200}, "maxResponses"),
        ({"audienceId": "nobody"}, "audienceId"),
        ({"pidBatchMode": "Sideways"}, "pidBatchMode"),
        ({"drainDurationSeconds": 1.5}, "drainDurationSeconds"),
    ],
)
def test_what_a_flow_needs(platform, change, field):
    body = {"name": "n", "criteria": "c", "maxResponses": 100, "minResponses": 50}
    problem = platform.problem("POST", "/flow/ranking", 400, body | change)
    assert field in problem["errors"]


@pytest.mark.parametrize(
    "blueprint",
    [
        None,
        {"_t": "CompareBlueprint", "title": "t", "categories": []},
        {"_t": "ClassifyBlueprint", "title": " ", "categories": [{"label": "a", "value": "a"}] * 2},
        {"_t": "ClassifyBlueprint", "title": "t", "categories": [{"label": "a", "value": "a"}]},
        {"_t": "ClassifyBlueprint", "title": "t", "categories": [{"label": "a", "value": "a"}] * 2},
        {"_t": "ClassifyBlueprint", "title": "t", "categories": ["a", "b"]},
    ],
)
def test_what_a_classification_needs(platform, blueprint):
    body = {"name": "n", "blueprint": blueprint}
    assert "blueprint" in platform.problem("POST", "/flow/simple", 400, body)["errors"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"datasetId": "none"}, "datasetId"),
        ({"timeToLiveInSeconds": 19}, "timeToLiveInSeconds"),
        ({"timeToLiveInSeconds": 3601}, "timeToLiveInSeconds"),
        # 40 seconds drain by default, and 20 are to be served.
        ({"timeToLiveInSeconds": 59}, "timeToLiveInSeconds"),
        ({"timeToLiveInSeconds": 30, "drainDurationInSeconds": 11}, "timeToLiveInSeconds"),
        ({"context": "x" * 401}, "context"),
        ({"contextAsset": {"_t": "ExistingAssetInput", "name": "none"}}, "contextAsset"),
    ],
)
def test_what_an_item_needs(flows, platform, change, field):
    body = {"datasetId": flows.things(), "timeToLiveInSeconds": None}
    problem = platform.problem("POST", f"/flow/ranking/{flows.ranking()}/item", 400, body | change)
    assert field in problem["errors"]


def test_a_short_life_with_a_short_drain(flows):
    flow_id = flows.ranking(serveTimeoutSeconds=5)
    assert flows.item(flow_id, timeToLiveInSeconds=25)
    assert flows.item(flow_id, timeToLiveInSeconds=20, drainDurationInSeconds=0)


def test_unknown_ids(platform):
    for method, path in (
        ("GET", "/flow/none"),
        ("GET", "/flow/ranking/item/none"),
        ("GET", "/flow/simple/item/none/results"),
        ("POST", "/flow/item/none/stop"),
        ("GET", "/flow/ranking/none/item"),
    ):
        platform.problem(method, path, 404)
