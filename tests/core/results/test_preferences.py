"""Preferences to train on."""

import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapidata_core import AllowNeitherBoth, RapidataClient, errors
from rapidata_core.results.preferences import preference_pairs, unpaired


def vote(option, count, total, score=None, **more):
    return {
        "option": option,
        "count": count,
        "ratio": count / total if total else 0.0,
        "user_score": count * 0.5,
        "user_score_ratio": count / total if total else 0.0,
        "confidence": None,
        "score": score,
        **more,
    }


def highest(counts, items):
    best = max(counts.values(), default=0)
    first = [option for option, count in counts.items() if count == best]
    won = first[0] if best and len(first) == 1 else None
    return items.index(won) if won in items else None


def comparison(items, counts, datapoint=0, **changes):
    total = sum(counts.values())
    index = highest(counts, items)
    return {
        "job_id": "job_1",
        "datapoint": datapoint,
        "datapoint_id": f"id_{datapoint}",
        "items": items,
        "context": "What is blue?",
        "label_index": index,
        "weighted_label_index": index,
        "responses": total,
        "votes": [vote(option, count, total) for option, count in counts.items()],
        **changes,
    }


def ranking(scores, votes=10, datapoint=0, **changes):
    items = list(scores)
    return comparison(items, dict.fromkeys(items, votes), datapoint) | {
        "votes": [vote(item, votes, votes * len(items), score) for item, score in scores.items()],
        **changes,
    }


def table(*rows):
    labels = pandas.DataFrame(list(rows))
    types = dict.fromkeys(("label_index", "weighted_label_index"), "Int64")
    return labels.astype(types | dict.fromkeys(("job_id", "datapoint_id", "context"), "string"))


SKY = comparison(["sky", "sea"], {"sky": 3, "sea": 1})
TIE = comparison(["a", "b"], {"a": 2, "b": 2}, datapoint=1)
NEITHER = comparison(["c", "d"], {"c": 1, "d": 0, "Neither": 3}, datapoint=2)
NOBODY = comparison(["e", "f"], {"e": 0, "f": 0}, datapoint=3)


def test_a_pair_in_the_standard_format():
    pairs = preference_pairs(table(SKY))
    assert pairs.rows == [
        {
            "prompt": "What is blue?",
            "chosen": "sky",
            "rejected": "sea",
            "votes_chosen": 3,
            "votes_rejected": 1,
            "margin": 0.5,
            "score_chosen": None,
            "score_rejected": None,
            "datapoint": 0,
            "datapoint_id": "id_0",
        }
    ]
    assert pairs.left_out == {}


def test_a_pair_in_the_conversational_format():
    [row] = preference_pairs(table(SKY), style="conversational").rows
    assert row["prompt"] == [{"role": "user", "content": "What is blue?"}]
    assert row["chosen"] == [{"role": "assistant", "content": "sky"}]
    assert row["rejected"] == [{"role": "assistant", "content": "sea"}]


def test_single_items_with_a_verdict():
    rows = unpaired(table(SKY)).rows
    same = {"prompt": "What is blue?", "datapoint": 0, "datapoint_id": "id_0"}
    assert rows == [
        {"completion": "sky", "label": True, "votes": 3, **same},
        {"completion": "sea", "label": False, "votes": 1, **same},
    ]
    [first, _] = unpaired(table(SKY), style="conversational").rows
    assert first["prompt"] == [{"role": "user", "content": "What is blue?"}]
    assert first["completion"] == [{"role": "assistant", "content": "sky"}]
    assert first["label"] is True


def test_the_second_item_can_win():
    [row] = preference_pairs(table(comparison(["x", "y"], {"y": 3, "Both": 1, "x": 0}))).rows
    assert (row["chosen"], row["rejected"]) == ("y", "x")
    assert (row["votes_chosen"], row["votes_rejected"], row["margin"]) == (3, 0, 0.75)


def test_what_is_left_out_is_counted_by_reason():
    labels = table(
        SKY,
        TIE,
        NEITHER,
        NOBODY,
        comparison(["g", "h"], {"g": 5, "h": 4}, context=pandas.NA),
        comparison(["g", "h"], {"g": 5, "h": 4}, context="  "),
        comparison(["g", "h"], {"g": 5, "h": 4}),
        comparison([], {}),
        comparison(["g", None], {"g": 5}),
    )
    pairs = preference_pairs(labels, min_margin=0.2)
    assert len(pairs.rows) == 1
    assert pairs.left_out == {
        "tie": 2,
        "too few responses": 1,
        "no prompt": 2,
        "margin too small": 1,
        "fewer than two items": 1,
        "no content": 1,
    }
    single = unpaired(labels, min_margin=0.2)
    assert len(single.rows) == 2
    assert single.left_out == {
        "tie": 4,
        "too few responses": 2,
        "no prompt": 4,
        "margin too small": 2,
        "fewer than two items": 1,
        "no content": 2,
    }


def test_limits_are_inclusive():
    assert preference_pairs(table(SKY), min_margin=0.5, min_responses=4).rows
    assert preference_pairs(table(SKY), min_margin=0.51).left_out == {"margin too small": 1}
    assert preference_pairs(table(SKY), min_responses=5).left_out == {"too few responses": 1}


@pytest.mark.parametrize("make", [preference_pairs, unpaired])
def test_ties_can_be_refused(make):
    with pytest.raises(errors.ValidationError, match=r"ties: there are datapoints \(1, 2\)"):
        make(table(SKY, TIE, NEITHER, NOBODY), ties="error")
    assert make(table(SKY, NOBODY), ties="error").rows


def test_many_ties_are_not_all_named():
    labels = table(*[comparison(["a", "b"], {"a": 1, "b": 1}, number) for number in range(12)])
    with pytest.raises(errors.ValidationError, match=r"8, 9, and 2 more\) in which neither"):
        preference_pairs(labels, ties="error")


def test_votes_can_count_by_the_scores_of_the_people():
    row = comparison(["x", "y"], {"x": 3, "y": 2}, weighted_label_index=1)
    row["votes"][0]["user_score_ratio"], row["votes"][1]["user_score_ratio"] = 0.25, 0.75
    [pair] = preference_pairs(table(row), weighted=True).rows
    assert (pair["chosen"], pair["margin"]) == ("y", 0.5)
    # They are counts all the same.
    assert (pair["votes_chosen"], pair["votes_rejected"]) == (2, 3)
    [plain] = preference_pairs(table(row)).rows
    assert plain["chosen"] == "x"
    # A broken entry is no ranking.
    assert len(preference_pairs(table(row, comparison([], {})), weighted=True).rows) == 1


@pytest.mark.parametrize("missing", [pandas.NA, float("nan"), None])
def test_a_datapoint_without_an_identity(missing):
    labels = table(SKY).assign(datapoint_id=pandas.Series([missing], dtype="object"))
    for row in preference_pairs(labels).rows + unpaired(labels).rows:
        assert row["datapoint_id"] is None


def test_prompts_and_contents_are_columns():
    urls = {"1.jpg": "https://x.example/1.jpg", "2.jpg": "https://x.example/2.jpg"}
    labels = table(comparison(["1.jpg", "2.jpg"], {"1.jpg": 0, "2.jpg": 2}, context=None)).assign(
        question="Which is better?",
        urls=lambda frame: frame["items"].map(lambda names: [urls[name] for name in names]),
    )
    [row] = preference_pairs(labels, prompts="question", contents="urls").rows
    assert row["prompt"] == "Which is better?"
    assert (row["chosen"], row["rejected"]) == (urls["2.jpg"], urls["1.jpg"])
    [good, bad] = sorted(
        unpaired(labels, prompts="question", contents="urls").rows, key=lambda one: not one["label"]
    )
    assert (good["completion"], bad["completion"]) == (urls["2.jpg"], urls["1.jpg"])


def test_a_ranking_gives_every_two_items():
    pairs = preference_pairs(table(ranking({"low": 1000.0, "high": 1400.0, "middle": 1200.0})))
    assert [(row["chosen"], row["rejected"]) for row in pairs.rows] == [
        ("high", "low"),
        ("middle", "low"),
        ("high", "middle"),
    ]
    first = pairs.rows[0]
    assert (first["score_chosen"], first["score_rejected"]) == (1400.0, 1000.0)
    # 400 points ahead is 10 to 1.
    assert first["margin"] == pytest.approx(10 / 11 - 1 / 11)
    assert pairs.rows[1]["margin"] == pytest.approx(2 / (1 + 10 ** (-200 / 400)) - 1)
    assert pairs.left_out == {}


def test_a_ranking_of_two_goes_by_scores():
    [row] = preference_pairs(table(ranking({"a": 1190.0, "b": 1210.0}))).rows
    assert (row["chosen"], row["score_chosen"]) == ("b", 1210.0)
    assert row["margin"] == pytest.approx(2 / (1 + 10 ** (-20 / 400)) - 1)


def test_ties_and_missing_scores_in_a_ranking():
    labels = table(ranking({"a": 1200.0, "b": 1200.0, "c": 1300.0, "d": None}))
    pairs = preference_pairs(labels)
    assert {(row["chosen"], row["rejected"]) for row in pairs.rows} == {("c", "a"), ("c", "b")}
    assert pairs.left_out == {"tie": 1, "no score": 3}
    scoreless = table(ranking(dict.fromkeys("abc")))
    assert preference_pairs(scoreless).left_out == {"no score": 3}
    no_numbers = table(ranking(dict.fromkeys("abc", float("nan"))))
    assert preference_pairs(no_numbers).left_out == {"no score": 3}


def test_a_ranking_gives_its_upper_and_its_lower_half():
    scores = {"e": 1000.0, "d": 1100.0, "c": 1200.0, "b": 1300.0, "a": 1400.0}
    single = unpaired(table(ranking(scores)))
    assert {row["completion"]: row["label"] for row in single.rows} == {
        "a": True,
        "b": True,
        "d": False,
        "e": False,
    }
    assert single.left_out == {"in the middle of the ranking": 1}
    close = unpaired(table(ranking(dict.fromkeys("ab", 1200.0) | {"c": 1201.0})), min_margin=0.1)
    assert close.rows == []
    assert close.left_out == {"tie": 2, "margin too small": 1}


@pytest.mark.parametrize("make", [preference_pairs, unpaired])
def test_all_wrong_arguments_are_named_at_once(make):
    labels = table(SKY).drop(columns="votes")
    with pytest.raises(errors.ValidationError) as caught:
        make(
            labels,
            prompts="question",
            contents="urls",
            style="chatty",
            ties="keep",
            min_margin=2,
            min_responses=0,
        )
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "labels",
        "labels",
        "labels",
        "style",
        "ties",
        "min_margin",
        "min_responses",
    ]


@pytest.mark.parametrize(
    ("row", "arguments", "problem"),
    [
        (comparison(["1.jpg"], {"cat": 3}), {}, "labels: must be those of a comparison or a rank"),
        (SKY | {"urls": ["one"]}, {"contents": "urls"}, r"contents: there are datapoints \(0\)"),
        (SKY | {"urls": "ab"}, {"contents": "urls"}, r"contents: there are datapoints \(0\)"),
        (SKY | {"urls": None}, {"contents": "urls"}, r"contents: there are datapoints \(0\)"),
        (SKY | {"urls": 5}, {"contents": "urls"}, r"contents: there are datapoints \(0\)"),
        (ranking({"a": 1.0, "b": 2.0}), {"weighted": True}, "weighted: a ranking has one score"),
    ],
)
def test_tables_that_do_not_fit(row, arguments, problem):
    with pytest.raises(errors.ValidationError, match=problem):
        preference_pairs(table(row), **arguments)


@pytest.mark.parametrize("make", [preference_pairs, unpaired])
def test_what_is_no_table_of_labels(make):
    with pytest.raises(errors.ValidationError, match="labels: must be a pandas DataFrame"):
        make([])


@pytest.mark.parametrize("make", [preference_pairs, unpaired])
def test_an_empty_table_gives_nothing(make):
    found = make(table(SKY).head(0))
    assert (found.rows, found.left_out) == ([], {})


def test_tables_from_parquet_are_as_good(tmp_path):
    labels = table(SKY, TIE, NEITHER, ranking({"a": 1300.0, "b": 1200.0, "c": 1100.0}))
    labels.to_parquet(tmp_path / "labels.parquet")
    stored = pandas.read_parquet(tmp_path / "labels.parquet")
    plain = labels.astype({"label_index": "float64", "context": "object"})
    for other in (stored, plain):
        assert preference_pairs(other) == preference_pairs(labels)
        assert unpaired(other) == unpaired(labels)


def test_hugging_face_datasets_takes_the_rows():
    datasets = pytest.importorskip("datasets")
    labels = table(SKY, ranking({"a": 1300.0, "b": 1200.0}, datapoint=1))
    pairs = datasets.Dataset.from_list(preference_pairs(labels).rows)
    assert pairs.features["chosen"].dtype == "string"
    assert pairs["margin"][0] == 0.5
    messages = datasets.Dataset.from_list(preference_pairs(labels, style="conversational").rows)
    assert messages[0]["chosen"] == [{"role": "assistant", "content": "sky"}]
    verdicts = datasets.Dataset.from_list(unpaired(labels).rows)
    assert verdicts.features["label"].dtype == "bool"


names = st.sampled_from(["a", "b", "c", "d"])
comparisons = st.builds(
    lambda first, second, undecided: comparison(["x", "y"], {"x": first, "y": second, **undecided}),
    st.integers(0, 5),
    st.integers(0, 5),
    st.dictionaries(st.sampled_from(["Both", "Neither"]), st.integers(0, 5)),
)
rankings = st.builds(
    ranking, st.dictionaries(names, st.none() | st.integers(900, 905).map(float), min_size=2)
)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(comparisons | rankings, min_size=1, max_size=5),
    st.floats(0, 1),
    st.integers(1, 8),
)
def test_nothing_is_lost_and_margins_are_kept(rows, min_margin, min_responses):
    labels = table(*rows)
    arguments = {"min_margin": min_margin, "min_responses": min_responses}
    pairs = preference_pairs(labels, **arguments)
    possible = sum(len(row["items"]) * (len(row["items"]) - 1) // 2 for row in rows)
    assert len(pairs.rows) + sum(pairs.left_out.values()) == possible
    for pair in pairs.rows:
        assert min_margin <= pair["margin"] <= 1
        assert pair["chosen"] != pair["rejected"]
        if pair["score_chosen"] is None:
            assert pair["votes_chosen"] > pair["votes_rejected"]
        else:
            assert pair["score_chosen"] > pair["score_rejected"]
    single = unpaired(labels, **arguments)
    assert len(single.rows) + sum(single.left_out.values()) == sum(len(r["items"]) for r in rows)
    chosen, rejected = ({pair[side] for pair in pairs.rows} for side in ("chosen", "rejected"))
    assert all(row["completion"] in (chosen if row["label"] else rejected) for row in single.rows)


def test_a_comparison_of_texts_as_the_platform_delivers_it(rapidata_sandbox):
    texts = [[f"first {number}", f"second {number}"] for number in range(20)]
    with RapidataClient(environment=rapidata_sandbox.url) as client:
        definition = client.job.create_compare_job_definition(
            name="Answers",
            instruction="Which is better?",
            datapoints=texts,
            contexts=[f"prompt {number}" for number in range(20)],
            data_type="text",
            responses_per_datapoint=6,
            settings=[AllowNeitherBoth()],
        )
        job = client.audience.get_audience_by_id("global").assign_job(definition)
        rapidata_sandbox.advance(36_000)
        results = job.get_results()
    pairs = preference_pairs(results.labels())
    found = {row["datapoint"]: row for row in pairs.rows}
    undecided = 0
    for number, entry in enumerate(results["results"]):
        counts, winner = entry["aggregatedResults"], entry["winner"]
        if winner in texts[number]:
            [loser] = set(texts[number]) - {winner}
            row = found.pop(number)
            assert (row["prompt"], row["chosen"]) == (f"prompt {number}", winner)
            assert (row["rejected"], row["votes_rejected"]) == (loser, counts[loser])
            assert row["margin"] == pytest.approx((counts[winner] - counts[loser]) / 6)
        else:
            undecided += 1
    # The job is large enough to have both kinds.
    assert 0 < undecided < 20
    assert found == {}
    assert pairs.left_out == {"tie": undecided}


def test_a_ranking_as_the_platform_delivers_it(rapidata_sandbox):
    texts = ["a hat", "a coat", "a shoe", "a glove"]
    with RapidataClient(environment=rapidata_sandbox.url) as client:
        definition = client.job.create_ranking_job_definition(
            name="Clothes",
            instruction="Which is warmer?",
            datapoints=[texts],
            contexts=["It is winter."],
            data_type="text",
            comparison_budget_per_ranking=40,
        )
        job = client.audience.get_audience_by_id("global").assign_job(definition)
        rapidata_sandbox.advance(36_000)
        results = job.get_results()
    [entry] = results["results"]
    pairs = preference_pairs(results.labels())
    assert len(pairs.rows) + pairs.left_out.get("tie", 0) == 6
    assert pairs.rows
    for row in pairs.rows:
        assert row["score_chosen"] == entry["elo"][row["chosen"]]
        assert row["score_rejected"] == entry["elo"][row["rejected"]]
        assert row["votes_chosen"] == entry["aggregatedResults"][row["chosen"]]
        assert row["score_chosen"] > row["score_rejected"]
