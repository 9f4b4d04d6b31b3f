"""The tables of every type of job, as a whole platform delivers their results."""

import json
import math
from collections import Counter

import pandas
import pyarrow.parquet
import pytest

from rapidata_core import (
    AllowNeitherBoth,
    ClassificationJob,
    CompareJob,
    LocateJob,
    RankingJob,
    RapidataResults,
    errors,
)
from rapidata_core.results import ResultsFile, parse_results
from rapidata_core.results.identity import datapoint_ids
from rapidata_core.results.privacy import Privacy
from rapidata_core.results.schema import arrow_schema, labels_schema, responses_schema
from tests.core.results.conftest import ASKED, IMAGES, LONG, SPECS

TYPES = sorted(SPECS)
ANSWERS = {
    "compare": "votedFor",
    "ranking": "votedFor",
    "classification": "selectedCategory",
    "free_text": "answer",
    "locate": "coordinates",
    "draw": "lines",
    "select_words": "selectedWords",
}
PANDAS = {
    ("string", True): "string",
    ("int64", False): "int64",
    ("int64", True): "Int64",
    ("double", True): "float64",
    ("bool", False): "bool",
}


def entries(results):
    return results["results"]


def records(frame):
    """Rows with None for everything that is missing, so that they can be compared."""

    def plain(value):
        if isinstance(value, float) and math.isnan(value):
            return None
        return None if value is pandas.NA else value

    return [{name: plain(value) for name, value in row.items()} for row in frame.to_dict("records")]


def assert_has_columns(frame, columns):
    assert list(frame.columns) == [column.name for column in columns]
    for column in columns:
        found = frame[column.name].dtype
        expected = PANDAS.get((column.type, column.nullable), "object")
        assert str(found) == expected, (column.name, found)
        if not column.nullable:
            assert frame[column.name].notna().all(), column.name


def assert_tables_are_sound(results, spec, tmp_path=None):
    """What holds for the tables of any results; those of parquet files, where there is a path."""
    labels, responses = results.labels(spec), results.responses(spec)
    columns = {"labels": labels_schema(), "responses": responses_schema(spec.type)}
    assert_has_columns(labels, columns["labels"])
    assert_has_columns(responses, columns["responses"])
    assert_has_columns(
        results.responses(spec, privacy=Privacy(demographics=True)),
        responses_schema(spec.type, demographics=True),
    )
    listed = entries(results)
    details = [entry["detailedResults"] for entry in listed]
    assert list(labels["datapoint"]) == list(range(len(listed)))
    assert list(labels["responses"]) == [len(found) for found in details]
    where = [(place, n) for place, found in enumerate(details) for n in range(len(found))]
    assert list(zip(responses["datapoint"], responses["response"], strict=True)) == where
    for table, frame in (("labels", labels), ("responses", responses)):
        arrow = getattr(results, f"{table}_arrow")(spec)
        assert arrow.schema.equals(arrow_schema(columns[table]), check_metadata=True)
        arrow.validate(full=True)
        assert arrow.to_pylist() == records(frame)
        for column in columns[table]:
            assert column.nullable or arrow[column.name].null_count == 0, column.name
        if tmp_path is None:
            continue
        path = tmp_path / f"{table}.parquet"
        pyarrow.parquet.write_table(arrow, path)
        stored = pyarrow.parquet.read_table(path)
        assert stored.equals(arrow)
        assert stored.schema.equals(arrow.schema)
        assert stored.schema.metadata == arrow.schema.metadata
        frame.to_parquet(path)
        again = pandas.read_parquet(path)
        assert list(again.columns) == list(frame.columns)
        assert pyarrow.parquet.read_table(path).to_pylist() == records(frame)
    return labels, responses


def assert_is_the_same_from_a_file(results, spec):
    content = json.dumps(results).encode()
    file = ResultsFile(
        content,
        job_id=results.job_id,
        audience_id=results.audience_id,
        is_partial=results.is_partial,
    )
    assert file.job_type == spec.type
    for again in (file, parse_results(content, "it")):
        again.job_id, again.audience_id = results.job_id, results.audience_id
        again.is_partial = results.is_partial
        for make in ("labels", "responses"):
            first, second = getattr(results, make)(spec), getattr(again, make)(spec)
            pandas.testing.assert_frame_equal(first, second)


# --- every type -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", TYPES)
def test_a_job_that_is_done(kind, run, tmp_path):
    spec = SPECS[kind]
    results = run(spec)
    assert (results.job_type, results.is_partial) == (kind, False)
    labels, responses = assert_tables_are_sound(results, spec, tmp_path)
    assert_is_the_same_from_a_file(results, spec)
    assert len(labels) == len(spec.datapoints)
    assert not labels["is_incomplete"].any()
    for frame in (labels, responses):
        assert set(frame["job_id"]) == {results.job_id}
        assert set(frame["audience_id"]) == {"global"}
        known = dict(zip(frame["datapoint"], frame["datapoint_id"], strict=True))
        assert list(known.values()) == datapoint_ids(spec)
    if kind != "ranking":
        assert set(labels["responses"]) == {spec.responses_per_datapoint}
    given = [detail[ANSWERS[kind]] for e in entries(results) for detail in e["detailedResults"]]
    if kind == "select_words":
        given = [[{"word": w["word"], "index": w["wordIndex"]} for w in words] for words in given]
    assert list(responses["answer"]) == given
    assert responses["user_score"].between(0, 1).all()
    assert responses["country"].notna().all()


@pytest.mark.parametrize("kind", TYPES)
def test_results_that_were_downloaded_say_the_same(kind, begin, rapidata_sandbox, tmp_path):
    spec = SPECS[kind]
    job = begin(spec)
    rapidata_sandbox.advance(LONG)
    results, file = job.get_results(), job.download_results(tmp_path / "results.json")
    assert (file.job_id, file.is_partial, file.job_type) == (job.id, False, kind)
    for make in ("labels", "responses"):
        first, second = getattr(results, make)(spec), getattr(file, make)(spec)
        pandas.testing.assert_frame_equal(first, second)
    for split_details in (False, True):
        pandas.testing.assert_frame_equal(
            results.to_pandas(split_details), file.to_pandas(split_details)
        )


@pytest.mark.parametrize("kind", ["compare", "classification", "ranking"])
def test_what_is_counted(kind, run):
    spec = SPECS[kind]
    results = run(spec)
    rows = records(results.labels(spec))
    answers = results.responses(spec)
    for row, entry in zip(rows, entries(results), strict=True):
        own = answers[answers["datapoint"] == row["datapoint"]]
        counted = Counter(own["answer"])
        scores = own.groupby("answer")["user_score"].sum()
        votes = {vote["option"]: vote for vote in row["votes"]}
        assert list(votes) == list(entry["aggregatedResults"])
        for option, vote in votes.items():
            assert vote["count"] == counted[option]
            assert vote["ratio"] == pytest.approx(counted[option] / row["responses"])
            assert vote["user_score"] == pytest.approx(scores.get(option, 0), abs=1e-3)
        for name in ("ratio", "user_score_ratio"):
            assert sum(vote[name] for vote in row["votes"]) == pytest.approx(1)
        shares = sorted((vote["ratio"] for vote in row["votes"]), reverse=True)
        assert row["agreement"] == pytest.approx(shares[0])
        assert row["margin"] == pytest.approx(shares[0] - shares[1])
        entropy = -sum(share * math.log2(share) for share in shares if share)
        assert row["entropy"] == pytest.approx(entropy)
        assert row["is_tie"] == (row["label"] is None)
        if kind == "classification":
            assert (row["label_index"], row["weighted_label_index"]) == (None, None)
            assert own["answer_index"].isna().all()
            continue
        for name in ("label", "weighted_label"):
            index = row[f"{name}_index"]
            assert (None if index is None else row["items"][index]) == row[name]
        assert [row["items"][index] for index in own["answer_index"]] == list(own["answer"])


def test_the_winner_of_a_comparison_is_the_platforms(run):
    spec = SPECS["compare"]
    results = run(spec)
    rows = records(results.labels(spec))
    assert [row["label"] for row in rows] == [e["winner"] for e in entries(results)]
    assert [row["label_index"] for row in rows] == [e["winnerIndex"] for e in entries(results)]
    assert [row["weighted_label"] for row in rows] == [
        entry["weightedWinner"] for entry in entries(results)
    ]
    assert [row["items"] for row in rows] == [["a.jpg", "b.jpg"], ["b.jpg", "c.jpg"]]
    assert [row["context"] for row in rows] == ["one", "two"]
    assert [row["truth"] for row in rows] == ["a.jpg", None]
    assert [json.loads(row["private_metadata"]) for row in rows] == spec.private_metadata


def test_the_first_of_a_ranking_has_the_highest_score(run):
    spec = SPECS["ranking"]
    results = run(spec)
    rows = records(results.labels(spec))
    for row, entry in zip(rows, entries(results), strict=True):
        scores = {vote["option"]: vote["score"] for vote in row["votes"]}
        assert scores == entry["elo"]
        best = max(scores.values())
        winners = [name for name, score in scores.items() if score == best]
        assert row["label"] == (winners[0] if len(winners) == 1 else None)
    answers = records(results.responses(spec))
    for answer in answers:
        assert len(answer["compared"]) == 2
        assert answer["answer_index"] in answer["compared"]


@pytest.mark.parametrize("kind", ["locate", "draw", "select_words", "free_text"])
def test_what_is_not_counted_has_no_label(kind, run):
    spec = SPECS[kind]
    results = run(spec)
    for row in records(results.labels(spec)):
        assert list(row["votes"]) == []
        for name in ("label", "weighted_label", "agreement", "margin", "entropy", "confidence"):
            assert row[name] is None
        assert row["is_tie"] is False
    answers = results.responses(spec)
    assert answers["answer_index"].isna().all()
    assert answers["compared"].isna().all()


@pytest.mark.parametrize("kind", TYPES)
def test_the_wide_table(kind, run):
    results = run(SPECS[kind])
    answered = sum(len(entry["detailedResults"]) for entry in entries(results))
    assert len(results.to_pandas()) >= len(entries(results))
    split = results.to_pandas(split_details=True)
    assert len(split) == answered
    column = ANSWERS[kind]
    assert list(split[column]) == [
        detail[column] for entry in entries(results) for detail in entry["detailedResults"]
    ]


# --- empty, partial, full -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", TYPES)
def test_half_done_and_not_begun(kind, begin, rapidata_sandbox, tmp_path):
    spec = SPECS[kind]
    job = begin(spec)
    seen = set()
    for _ in range(40):
        results = job.get_results(preliminary_results=True)
        # Files are slow: those of the first and of the last results are enough.
        where = None if results.is_partial in seen else tmp_path
        labels, _ = assert_tables_are_sound(results, spec, where)
        seen.add(results.is_partial)
        if not results.is_partial:
            break
        wanted = getattr(spec, "responses_per_datapoint", None) if kind != "ranking" else None
        for row in records(labels):
            lacks = row["responses"] == 0 or wanted is None or row["responses"] < wanted
            assert row["is_incomplete"] == lacks
            if row["responses"] == 0:
                assert (row["label"], row["agreement"], row["is_tie"]) == (None, None, False)
        rapidata_sandbox.advance(20)
    assert seen == {True, False}


@pytest.mark.parametrize("kind", TYPES)
def test_results_without_datapoints(kind, run, tmp_path):
    spec = SPECS[kind]
    results = run(spec)
    results["results"] = []
    labels, responses = assert_tables_are_sound(results, spec, tmp_path)
    assert (len(labels), len(responses)) == (0, 0)
    assert_is_the_same_from_a_file(results, spec)
    assert len(results.to_pandas()) == 0
    assert len(results.to_pandas(split_details=True)) == 0


@pytest.mark.parametrize("kind", TYPES)
def test_a_datapoint_that_nobody_answered(kind, run, tmp_path):
    spec = SPECS[kind]
    results = run(spec)
    entry = entries(results)[0]
    entry["detailedResults"] = []
    for metric in ("aggregatedResults", "summedUserScores"):
        if metric in entry:
            for values in (entry[metric], entry[f"{metric}Ratios"]):
                values.update(dict.fromkeys(values, 0))
    if kind == "ranking":
        entry["elo"] = dict.fromkeys(entry["elo"], 1200)
    entry.update({name: None for name in entry if name.lower().startswith(("winner", "weighted"))})
    labels, responses = assert_tables_are_sound(results, spec, tmp_path)
    row, *others = records(labels)
    assert (row["label"], row["responses"], row["agreement"]) == (None, 0, None)
    assert row["margin"] is row["entropy"] is row["weighted_label"] is row["label_index"] is None
    assert (row["is_tie"], row["is_incomplete"]) == (False, True)
    assert all(vote["count"] == 0 for vote in row["votes"])
    assert not any(other["is_incomplete"] for other in others)
    assert 0 not in set(responses["datapoint"])


# --- names and texts ------------------------------------------------------------------------------

TEXTS = [
    ["Grüße aus Zürich 🐕", "مرحبا بالعالم"],
    ["日本語のテキスト", "e\u0301 is not é; | \"quoted\", 'single' \\ back\nnew line\ttab"],
    ["👩‍👩‍👧 𐍈", "\u202eright to left\u202c"],
]


def test_every_script_of_the_world(run, tmp_path):
    spec = CompareJob(
        datapoints=TEXTS,
        contexts=["Ελληνικά", "हिन्दी", "🏳️‍🌈"],
        private_metadata=[{"truth": pair[1], "Straße": "ß"} for pair in TEXTS],
        data_type="text",
        **ASKED,
    )
    results = run(spec)
    labels, responses = assert_tables_are_sound(results, spec, tmp_path)
    assert_is_the_same_from_a_file(results, spec)
    assert list(labels["items"]) == TEXTS
    assert list(labels["context"]) == spec.contexts
    assert list(labels["truth"]) == [pair[1] for pair in TEXTS]
    assert "Straße" in labels["private_metadata"][0]
    assert set(responses["answer"]) <= {text for pair in TEXTS for text in pair}
    assert list(labels["datapoint_id"]) == datapoint_ids(spec)


def test_options_in_every_script(run, tmp_path):
    options = ["Katze 🐈", "كلب", "両方", "Both"]
    spec = ClassificationJob(datapoints=IMAGES, answer_options=options, **ASKED)
    labels, responses = assert_tables_are_sound(run(spec), spec, tmp_path)
    for votes in labels["votes"]:
        assert [vote["option"] for vote in votes] == options
    assert set(responses["answer"]) <= set(options)


def test_options_of_each_datapoint(run, tmp_path):
    spec = ClassificationJob(
        datapoints=IMAGES[:2], answer_options=[["a", "b"], ["c", "d", "e"]], **ASKED
    )
    labels, _ = assert_tables_are_sound(run(spec), spec, tmp_path)
    found = [[vote["option"] for vote in votes] for votes in labels["votes"]]
    assert found == spec.answer_options


SAME_NAME = [f"https://assets.rapidata.ai/{model}/duck.jpg" for model in ("one", "two", "three")]


def test_two_items_of_one_name_in_a_pair(run, tmp_path):
    spec = CompareJob(datapoints=[SAME_NAME[:2], SAME_NAME[1:]], responses_per_datapoint=9, **ASKED)
    results = run(spec)
    labels, responses = assert_tables_are_sound(results, spec, tmp_path)
    assert list(labels["datapoint_id"]) == datapoint_ids(spec)
    for row, entry in zip(records(labels), entries(results), strict=True):
        assert len(set(row["items"])) == 2
        assert row["label_index"] == entry["winnerIndex"]
        own = responses[responses["datapoint"] == row["datapoint"]]
        voted = Counter(own["answer_index"])
        counts = list(entry["aggregatedResults"].values())
        assert [voted[0], voted[1]] == counts == [vote["count"] for vote in row["votes"]]


def test_items_of_one_name_in_a_ranking(run, tmp_path):
    spec = RankingJob(datapoints=[SAME_NAME], comparison_budget_per_ranking=20, **ASKED)
    results = run(spec)
    labels, responses = assert_tables_are_sound(results, spec, tmp_path)
    [row], [entry] = records(labels), entries(results)
    assert list(labels["datapoint_id"]) == datapoint_ids(spec)
    assert len(set(row["items"])) == 3
    voted = Counter(responses["answer_index"])
    assert [voted[place] for place in range(3)] == list(entry["aggregatedResults"].values())
    assert {place for pair in responses["compared"] for place in pair} == {0, 1, 2}


@pytest.mark.parametrize("kind", ["locate", "classification"])
def test_datapoints_of_one_name(kind, run, tmp_path):
    spec = type(SPECS[kind])(**{**SPECS[kind].model_dump(), "datapoints": SAME_NAME})
    labels, _ = assert_tables_are_sound(run(spec), spec, tmp_path)
    assert list(labels["datapoint_id"]) == datapoint_ids(spec)


def test_the_same_pair_twice_with_other_contexts(run, tmp_path):
    spec = CompareJob(datapoints=[IMAGES[:2]] * 2, contexts=["first", "second"], **ASKED)
    labels, _ = assert_tables_are_sound(run(spec), spec, tmp_path)
    assert list(labels["context"]) == ["first", "second"]
    assert list(labels["datapoint_id"]) == datapoint_ids(spec)
    assert labels["datapoint_id"].nunique() == 2


def test_datapoints_that_could_not_be_uploaded(client, rapidata_sandbox, tmp_path):
    lost = "https://404.status.invalid/lost.jpg"
    spec = LocateJob(datapoints=[IMAGES[0], lost, IMAGES[1]], **ASKED)
    with pytest.raises(errors.FailedUploadException) as caught:
        client.job.create_job_definition(spec)
    audience = client.audience.get_audience_by_id("global")
    job = audience.assign_job(caught.value.job_definition)
    rapidata_sandbox.advance(LONG)
    labels, _ = assert_tables_are_sound(job.get_results(), spec, tmp_path)
    first, _, third = datapoint_ids(spec)
    assert list(labels["datapoint_id"]) == [first, third]


# --- both and neither, names of the sides, early stopping -----------------------------------------


@pytest.mark.parametrize("kind", ["compare", "ranking"])
def test_both_and_neither(kind, run, tmp_path):
    texts = [f"text {number}" for number in range(12)]
    own = (
        {
            "datapoints": [[a, b] for a in texts[:4] for b in texts[4:8]],
            "responses_per_datapoint": 1,
        }
        if kind == "compare"
        else {"datapoints": [texts[:3]], "comparison_budget_per_ranking": 60}
    )
    spec = type(SPECS[kind])(**own, data_type="text", settings=[AllowNeitherBoth()], **ASKED)
    results = run(spec)
    labels, responses = assert_tables_are_sound(results, spec, tmp_path)
    undecided = responses[responses["answer"].isin(["Both", "Neither"])]
    assert 0 < len(undecided) < len(responses)
    assert undecided["answer_index"].isna().all()
    assert responses.drop(undecided.index)["answer_index"].notna().all()
    for row, datapoint in zip(records(labels), spec.datapoints, strict=True):
        assert row["items"] == datapoint
        assert {vote["option"] for vote in row["votes"]} - set(datapoint) <= {"Both", "Neither"}
        assert sum(vote["count"] for vote in row["votes"]) == row["responses"]
        if row["label"] in {"Both", "Neither"}:
            assert row["label_index"] is None
            assert row["is_tie"] is False
    if kind == "compare":
        assert labels["label"].isin(["Both", "Neither"]).any()
        for row, entry in zip(records(labels), entries(results), strict=True):
            assert row["label"] == entry["winner"]


def test_items_that_are_called_both_and_neither(run, tmp_path):
    spec = CompareJob(datapoints=[["Both", "Neither"]], data_type="text", **ASKED)
    results = run(spec)
    labels, responses = assert_tables_are_sound(results, spec, tmp_path)
    [row], [entry] = records(labels), entries(results)
    assert row["items"] == ["Both", "Neither"]
    assert (row["label"], row["label_index"]) == (entry["winner"], entry["winnerIndex"])
    assert responses["answer_index"].notna().all()


def test_names_of_the_sides_change_no_table(run, tmp_path):
    plain = SPECS["compare"]
    spec = CompareJob(**{**plain.model_dump(), "a_b_names": ["Flux", "Midjourney"]})
    results = run(spec)
    assert "Flux_wins_total" in results["summary"]
    labels, responses = assert_tables_are_sound(results, spec, tmp_path)
    assert list(labels["items"]) == [["a.jpg", "b.jpg"], ["b.jpg", "c.jpg"]]
    assert set(responses["answer_index"]) <= {0, 1}
    # Another question, so another identity.
    assert set(labels["datapoint_id"]).isdisjoint(datapoint_ids(plain))


@pytest.mark.parametrize("kind", ["compare", "classification"])
def test_confidences_of_early_stopping(kind, run, tmp_path):
    spec = type(SPECS[kind])(
        **{
            **SPECS[kind].model_dump(),
            "confidence_threshold": 0.9,
            "responses_per_datapoint": 20,
        }
    )
    results = run(spec)
    labels, _ = assert_tables_are_sound(results, spec, tmp_path)
    for row, entry in zip(records(labels), entries(results), strict=True):
        known = entry["confidencePerCategory"]
        assert row["confidence"] == max(known.values())
        for vote in row["votes"]:
            assert vote["confidence"] == known[vote["option"]]
        assert row["is_incomplete"] is False
    assert labels["responses"].lt(20).any()


# --- jobs that flows and leaderboards make --------------------------------------------------------


def test_the_jobs_of_a_leaderboard(client, rapidata_sandbox, tmp_path):
    prompts = ["Say hello", "Say goodbye"]
    benchmark = client.mri.create_new_benchmark("Greetings", prompts=prompts)
    leaderboard = benchmark.create_leaderboard(
        "Style", "Which sounds friendlier?", level_of_detail="debug"
    )
    for model, said in {"one": ["Hi!", "Bye!"], "two": ["Good day", "Farewell"]}.items():
        benchmark.add_model(model, said, prompts=prompts, data_type="text")
    benchmark.run()
    rapidata_sandbox.advance(LONG)
    [job] = leaderboard.jobs
    results = job.get_results()
    assert results.job_type == "compare"
    labels, responses = results.labels(), results.responses()
    assert_has_columns(labels, labels_schema())
    assert_has_columns(responses, responses_schema("compare"))
    assert set(labels["job_id"]) == {job.id}
    assert labels["datapoint_id"].isna().all()
    standings = leaderboard.get_standings()
    assert sorted(standings["name"]) == ["one", "two"]
    matrix = leaderboard.get_win_loss_matrix()
    assert list(matrix.index) == list(matrix.columns)
    assert results.labels_arrow().to_pylist() == records(labels)
    assert results.responses_arrow().to_pylist() == records(responses)


# --- odd files ------------------------------------------------------------------------------------


def comparison(**entry):
    return RapidataResults(info={"type": "Compare"}, results=[entry])


@pytest.mark.parametrize("counts", [{"a": -3, "b": 1}, {"a": 10**30, "b": 0}, {"a": 1.5, "b": 0}])
def test_what_is_no_number_of_votes_is_refused(counts):
    with pytest.raises(errors.ResultsError, match="Datapoint 0"):
        comparison(aggregatedResults=counts).labels()


@pytest.mark.parametrize("point", [{"x": "3", "y": 4}, {"x": True, "y": 4}, {"x": None, "y": 4}])
def test_what_is_no_place_is_refused(point):
    entry = {"identifier": "1.jpg", "detailedResults": [{"coordinates": [point]}]}
    with pytest.raises(errors.ResultsError, match="Datapoint 0"):
        RapidataResults(info={"type": "Locate"}, results=[entry]).responses()


def test_half_characters_are_the_same_in_all_columns(tmp_path):
    # JSON can express them, UTF-8 cannot.
    document = comparison(
        aggregatedResults={"\ud83d half": 2, "whole": 1},
        detailedResults=[{"votedFor": "\ud83d half"}] * 2 + [{"votedFor": "whole"}],
    )
    results = parse_results(json.dumps(document).encode(), "job 1")
    for table in ("labels", "responses"):
        frame = getattr(results, table)()
        assert records(frame) == getattr(results, f"{table}_arrow")().to_pylist()
        frame.to_parquet(tmp_path / "table.parquet")
    [row] = records(results.labels())
    assert row["items"][row["label_index"]] == row["label"] == row["votes"][0]["option"]


def test_the_items_of_a_ranking_that_has_only_scores():
    entry = {"context": "ducks", "elo": {"a": 1300, "b": 1200}}
    [row] = records(RapidataResults(info={"type": "Ranking"}, results=[entry]).labels())
    assert (row["items"], row["label"], row["label_index"]) == (["a", "b"], "a", 0)


def test_the_platforms_own_form_of_both_and_neither():
    answers = [{"winners": ["a", "b"]}, {"winners": []}, {"winners": ["b"]}]
    results = comparison(aggregatedResults={"a": 0, "b": 1}, detailedResults=answers)
    responses = records(results.responses())
    assert [row["answer"] for row in responses] == ["Both", "Neither", "b"]
    assert [row["answer_index"] for row in responses] == [None, None, 1]


def test_a_job_that_stops_early_and_is_not_done(begin, rapidata_sandbox):
    spec = CompareJob(
        datapoints=[[f"a{n}", f"b{n}"] for n in range(5)],
        data_type="text",
        confidence_threshold=0.999,
        responses_per_datapoint=20,
        **ASKED,
    )
    job = begin(spec)
    unsure = 0
    for _ in range(60):
        results = job.get_results(preliminary_results=True)
        if not results.is_partial:
            break
        for row in records(results.labels(spec)):
            if row["responses"] < 20 and (row["confidence"] or 0) < 0.999:
                unsure += row["responses"] > 0
                assert row["is_incomplete"], row
        rapidata_sandbox.advance(5)
    assert unsure
