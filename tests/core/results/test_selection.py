"""What to ask next: new rows, weak labels, and rows that teach a model."""

from __future__ import annotations

import math

import numpy
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapidata_core import ClassificationJob, CompareJob, RankingJob, RapidataClient, errors
from rapidata_core.results.identity import datapoint_ids
from rapidata_core.results.quality.gate import QualityGate
from rapidata_core.results.rows import spec_about
from rapidata_core.results.selection import attach, select, top_up, unlabelled

QUESTION = ClassificationJob(
    name="Pets",
    instruction="Which animal?",
    datapoints=["other.jpg"],
    answer_options=["cat", "dog"],
)
HOW = {"on": "image", "question": QUESTION}


def images(*names, **more):
    return pandas.DataFrame({"image": pandas.Series(list(names), dtype="string"), **more})


def label(image, option="cat", votes=(3, 1), **changes):
    """One row of a table of labels, as results give it."""
    spec = spec_about(images(image), "image", QUESTION)
    count = sum(votes)
    row = {
        "job_id": "job_1",
        "audience_id": "aud_1",
        "datapoint": 0,
        "datapoint_id": datapoint_ids(spec)[0],
        "items": [image],
        "label": option,
        "responses": count,
        "votes": [
            {"option": name, "count": number, "score": None}
            for name, number in zip(["cat", "dog"], votes, strict=True)
        ],
        "agreement": max(votes) / count if count else math.nan,
        "is_tie": votes[0] == votes[1] and count > 0,
        "is_incomplete": False,
        **changes,
    }
    kinds = dict.fromkeys(("job_id", "audience_id", "datapoint_id", "label"), "string")
    return pandas.DataFrame([row]).astype(kinds)


def labels(*rows):
    return pandas.concat(rows, ignore_index=True)


# Only new rows.


def test_only_rows_that_nobody_was_asked_about():
    frame = images("a.jpg", "b.jpg", "c.jpg", "b.jpg", number=[1, 2, 3, 4])
    frame.index = [9, 8, 7, 7]
    new = unlabelled(frame, label("a.jpg"), **HOW)
    # Of rows that say the same, the first one.
    assert (list(new.index), list(new["image"]), list(new["number"])) == (
        [8, 7],
        ["b.jpg", "c.jpg"],
        [2, 3],
    )
    assert dict(new.dtypes) == dict(frame.dtypes)


@pytest.mark.parametrize("nothing", [None, pandas.DataFrame(), [], label("a.jpg").iloc[:0]])
def test_without_labels_all_rows_are_new(nothing):
    assert len(unlabelled(images("a.jpg", "b.jpg", "a.jpg"), nothing, **HOW)) == 2


def test_several_tables_of_labels():
    tables = [label("a.jpg"), pandas.DataFrame(), label("c.jpg")]
    new = unlabelled(images("a.jpg", "b.jpg", "c.jpg"), iter(tables), **HOW)
    assert list(new["image"]) == ["b.jpg"]
    assert unlabelled(new, label("b.jpg"), **HOW).empty


@pytest.mark.parametrize(
    "table", [label("a.jpg", votes=(0, 0)), label("a.jpg", is_incomplete=True)]
)
def test_answers_that_are_missing_may_be_on_their_way(table):
    assert unlabelled(images("a.jpg"), table, **HOW).empty


def test_another_question_asks_again():
    asked = label("a.jpg")
    for changes in ({"instruction": "Which pet?"}, {"answer_options": ["dog", "cat"]}):
        fields = {name: getattr(QUESTION, name) for name in QUESTION.model_fields_set}
        other = ClassificationJob(**{**fields, **changes})
        assert len(unlabelled(images("a.jpg"), asked, on="image", question=other)) == 1


def test_labels_of_any_audience_count_unless_one_is_named():
    frame = images("a.jpg", "b.jpg", "c.jpg")
    ours, theirs = label("a.jpg"), label("b.jpg", audience_id="aud_2")
    for tables in ([ours, theirs], labels(ours, theirs)):
        assert list(unlabelled(frame, tables, **HOW)["image"]) == ["c.jpg"]
        new = unlabelled(frame, tables, **HOW, audience_id="aud_1")
        assert list(new["image"]) == ["b.jpg", "c.jpg"]
        assert len(unlabelled(frame, tables, **HOW, audience_id="aud_3")) == 3
    # Where nobody asks for the audience, nobody has to know it.
    for unknown in (label("a.jpg", audience_id=None), ours.drop(columns="audience_id")):
        assert unlabelled(images("a.jpg"), unknown, **HOW).empty
        assert list(attach(images("a.jpg"), unknown, **HOW)["label"]) == ["cat"]


def test_labels_that_do_not_say_who_was_asked():
    whole = labels(label("a.jpg"), label("b.jpg", audience_id=None))
    unnamed = label("a.jpg").drop(columns="audience_id")
    for function in (unlabelled, attach):
        with pytest.raises(errors.ValidationError) as caught:
            function(images("x.jpg"), [whole, unnamed], **HOW, audience_id="aud_2")
        first, second = caught.value.problems
        assert "in table 0, 1 of 2 rows have no audience_id; make the table from" in first
        assert "table 1 has no column 'audience_id'; make the table from" in second
        assert "leave the argument audience_id out: then labels of any audience count" in second


@pytest.mark.parametrize(("audience", "problem"), [(" ", "blank"), (7, "must be a text, not 7")])
def test_an_audience_that_is_none(audience, problem):
    """All labels would be somebody else's, and all rows be paid again."""
    for function in (unlabelled, attach):
        with pytest.raises(errors.ValidationError, match=problem):
            function(images("a.jpg"), label("a.jpg"), **HOW, audience_id=audience)


def test_tables_that_do_not_say_what_they_are_about():
    unnamed = label("a.jpg").drop(columns="datapoint_id")
    unknown = labels(label("a.jpg"), label("b.jpg", datapoint_id=None))
    nothing = label("b.jpg", datapoint_id=None)
    for function in (unlabelled, attach):
        with pytest.raises(errors.ValidationError) as caught:
            function(images("a.jpg"), [unnamed, pandas.DataFrame(), unknown, nothing], **HOW)
        first, second, third = caught.value.problems
        assert "table 0 has no column 'datapoint_id'; make the table with" in first
        assert "in table 2, 1 of 2 rows have no datapoint_id; they may be about several" in second
        assert "in table 3, 1 of 1 rows have no datapoint_id; make the table with" in third


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from("abcdef")), st.sets(st.sampled_from("abcdef"), min_size=1))
def test_new_and_labelled_rows_are_all_rows(rows, done):
    frame = images(*rows)
    table = labels(*(label(name) for name in sorted(done)))
    new = unlabelled(frame, table, **HOW)
    assert list(new["image"]) == [name for name in dict.fromkeys(rows) if name not in done]
    assert list(attach(frame, table, **HOW)["label"].notna()) == [name in done for name in rows]


# Labels back to their rows.


def test_labels_come_back_to_their_rows():
    frame = images("b.jpg", "x.jpg", "a.jpg", "b.jpg", number=[1, 2, 3, 4])
    frame.index = [3, 3, 1, 0]
    found = attach(frame, labels(label("a.jpg"), label("b.jpg", "dog", (1, 4))), **HOW)
    assert list(found.index) == [3, 3, 1, 0]
    assert list(found["label"].fillna("-")) == ["dog", "-", "cat", "dog"]
    assert list(found["responses"].fillna(-1)) == [5, -1, 4, 5]
    assert str(found["responses"].dtype) == "Int64"
    assert str(found["is_tie"].dtype) == "boolean"
    assert math.isnan(found["agreement"].iloc[1])
    assert found["datapoint_id"].notna().all()
    assert list(found.columns[:2]) == ["image", "number"]
    assert list(frame.columns) == ["image", "number"]


def test_the_label_with_the_most_responses_counts():
    few, many = label("a.jpg", "dog", (1, 2)), label("a.jpg", "cat", (4, 1))
    for tables in ([few, many], [many, few], labels(many, few)):
        assert list(attach(images("a.jpg"), tables, **HOW)["label"]) == ["cat"]
    again = label("a.jpg", "dog", (1, 4))
    assert list(attach(images("a.jpg"), [many, again], **HOW)["label"]) == ["dog"]


def test_the_labels_of_one_audience():
    ours, theirs = label("a.jpg", "cat", (2, 1)), label("a.jpg", "dog", (1, 4), audience_id="aud_2")
    how = {**HOW, "frame": images("a.jpg"), "labels": [theirs, ours]}
    assert list(attach(**how)["label"]) == ["dog"]
    assert list(attach(**how, audience_id="aud_1")["label"]) == ["cat"]
    chosen = attach(**how, audience_id="aud_2", columns=["audience_id", "responses"])
    assert list(chosen.columns) == ["image", "datapoint_id", "audience_id", "responses"]
    assert chosen.iloc[0, 2:].tolist() == ["aud_2", 5]
    nobodys = attach(**how, audience_id="aud_3")
    nothing = attach(**{**how, "labels": None})
    assert dict(nothing.dtypes) == dict(attach(**how).dtypes)
    assert nobodys["label"].isna().all()
    assert dict(nobodys.dtypes) == dict(attach(**how).dtypes)


def test_columns_can_be_chosen():
    found = attach(images("a.jpg"), label("a.jpg"), **HOW, columns=["votes", "datapoint_id"])
    assert list(found.columns) == ["image", "datapoint_id", "votes"]
    assert found["votes"][0][0]["count"] == 3


def test_without_labels_the_columns_are_there():
    found = attach(images("a.jpg"), None, **HOW)
    assert found["label"].isna().all()
    assert found["datapoint_id"].notna().all()
    assert list(found.columns) == list(attach(images("a.jpg"), label("a.jpg"), **HOW).columns)


def test_columns_that_collide_or_are_missing():
    with pytest.raises(errors.ValidationError, match="a column 'label' already; rename it"):
        attach(images("a.jpg", label=["old"]), label("a.jpg"), **HOW)
    with pytest.raises(errors.ValidationError, match="column winner is missing"):
        attach(images("a.jpg"), label("a.jpg"), **HOW, columns=["winner"])


# More answers.

WEAK = labels(
    label("few.jpg", votes=(1, 1)),
    label("split.jpg", votes=(5, 4)),
    label("sure.jpg", votes=(9, 0)),
    label("one.jpg", votes=(1, 0)),
    label("none.jpg", votes=(0, 0)),
)


@pytest.mark.parametrize(
    ("limits", "reasons"),
    [
        ({"min_responses": 3}, {0: "2 of 3", 3: "1 of 3", 4: "0 of 3"}),
        (
            # Of 9 * 8 / 2 pairs of answers, 10 + 6 agree.
            {"min_agreement": 0.5},
            {0: "agreement 0.00", 1: "agreement 0.44", 3: "unknown", 4: "unknown"},
        ),
        ({"min_agreement": 0.44}, {0: "agreement 0.00", 3: "unknown", 4: "unknown"}),
        ({"max_tie_rate": 0.9}, {0: "tie"}),
        ({"max_tie_rate": 0.9, "min_responses": 2}, {0: "tie", 3: "1 of 2", 4: "0 of 2"}),
    ],
)
def test_labels_that_deserve_more_answers(limits, reasons):
    found = top_up(WEAK, QualityGate(**limits))
    assert list(found.index) == list(reasons)
    assert list(found.columns) == [*WEAK.columns, "reason"]
    for index, reason in reasons.items():
        assert reason in found["reason"][index]


def test_all_reasons_are_told():
    found = top_up(WEAK, QualityGate(min_responses=3, min_agreement=0.5, max_tie_rate=0.1))
    assert found["reason"][0] == "2 of 3 responses; agreement 0.00 of 0.50; tie"


def test_nothing_to_top_up():
    empty = top_up(WEAK.iloc[2:3], QualityGate(min_responses=3))
    assert (len(empty), "reason" in empty.columns) == (0, True)
    with pytest.raises(errors.ValidationError, match="set min_responses, min_agreement or"):
        top_up(WEAK, QualityGate(min_coverage=1))


# Rows that teach.

CERTAIN = [0.98, 0.01, 0.01]
# By margin the first is the least certain, by entropy the second.
CLOSE, SPREAD = [0.5, 0.5, 0.0], [0.4, 0.3, 0.3]


def test_the_most_informative_rows_come_first():
    table = [CERTAIN, SPREAD, CLOSE]
    assert select(numpy.array(table), 3) == [2, 1, 0]
    assert select(numpy.array(table), 3, strategy="entropy") == [1, 2, 0]
    frame = pandas.DataFrame(table, index=["x", "y", "z"], columns=["cat", "dog", "cow"])
    assert list(frame.iloc[select(frame, 1)].index) == ["z"]


def test_more_than_there_are_gives_all():
    assert sorted(select(numpy.array([CLOSE, SPREAD]), 9, random_share=0.5)) == [0, 1]
    assert select(numpy.array([CLOSE]), 0) == []


def test_equal_rows_are_chosen_without_regard_to_their_place():
    table = numpy.array([CLOSE] * 40)
    chosen = [select(table, 10, seed=seed) for seed in range(400)]
    counts = numpy.bincount(numpy.concatenate(chosen), minlength=40)
    # Expected 100 each; six standard deviations of the binomial distribution.
    assert abs(counts - 100).max() < 6 * (400 * 0.25 * 0.75) ** 0.5
    assert select(table, 10, seed=1) == select(table, 10, seed=1) != select(table, 10, seed=2)


def test_the_random_share_comes_from_all_other_rows():
    table = numpy.array([SPREAD] * 10 + [CERTAIN] * 30)
    seen = numpy.zeros(40)
    for seed in range(600):
        chosen = select(table, 8, random_share=0.5, seed=seed)
        assert len(set(chosen)) == 8
        assert all(place < 10 for place in chosen[:4])
        seen[chosen[4:]] += 1
    # Of the 4 places, 1 in 6 is one of the 6 uncertain rows that are left, not fewer: 400 in all.
    # Six standard deviations of the hypergeometric distribution.
    assert abs(seen[:10].sum() - 400) < 6 * (2400 * 1 / 6 * 5 / 6 * 32 / 35) ** 0.5
    assert abs(seen[10:] - 2000 / 30).max() < 6 * (2000 / 30) ** 0.5


@st.composite
def probabilities(draw):
    rows, classes = draw(st.integers(1, 12)), draw(st.integers(2, 4))
    weights = st.lists(st.integers(0, 5), min_size=classes, max_size=classes).filter(any)
    return [[w / sum(row) for w in row] for row in draw(st.lists(weights, min_size=rows))]


@settings(max_examples=200, deadline=None)
@given(probabilities(), st.integers(0, 15), st.sampled_from(["margin", "entropy"]), st.integers(0))
def test_what_is_chosen_is_what_a_second_program_chooses(table, count, strategy, seed):
    def certainty(row):
        if strategy == "margin":
            second, first = sorted(row)[-2:]
            return first - second
        return sum(share * math.log(share) for share in row if share)

    frame = pandas.DataFrame(table)
    chosen = select(frame, count, strategy=strategy, seed=seed)
    wanted = sorted(certainty(row) for row in table)[:count]
    assert [certainty(table[place]) for place in chosen] == pytest.approx(wanted)
    assert len(set(chosen)) == len(chosen) == min(count, len(table))


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ([[0.5, 0.5], [0.5, 0.6], [0.5, float("nan")]], "not so in 2 rows, first in row 1"),
        ([[0.5, 0.5], [1.5, -0.5]], "not so in 1 rows"),
        ([[float("inf"), 0.5]], "not so in 1 rows"),
        ([0.5, 0.5], "two classes or more"),
        ([[1.0], [1.0]], "two classes or more"),
        ([["cat", "dog"]], "table of numbers"),
        ([[0.5, 0.5], [1.0]], "table of numbers"),
    ],
)
def test_what_are_no_probabilities(table, problem):
    with pytest.raises(errors.ValidationError, match=problem):
        select(table, 1)


def test_every_problem_at_once():
    with pytest.raises(errors.ValidationError) as caught:
        select(numpy.array([[1, 1]]), -1, strategy="best", random_share=2, seed=-1)
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "count",
        "seed",
        "strategy",
        "random_share",
        "probabilities",
    ]


# Together with the platform.

LONG = 30 * 24 * 3600


def test_a_growing_table_is_labelled_row_by_row(rapidata_sandbox):
    question = CompareJob(
        name="Alignment",
        instruction="Which image follows the prompt?",
        datapoints=[["https://x.example/a.jpg", "https://x.example/b.jpg"]],
        contexts=["A prompt."],
        responses_per_datapoint=5,
    )
    how = {
        "on": {"datapoints": ["left", "right"], "contexts": "prompt"},
        "question": question,
        "audience_id": "global",
    }
    table, done = pandas.DataFrame(), []
    with RapidataClient(environment=rapidata_sandbox.url) as client:
        for week in range(3):
            rows = [
                {"left": f"https://x.example/{n}/a.jpg", "right": "https://x.example/b.jpg"}
                for n in (week, week + 1)
            ]
            table = pandas.concat([table, pandas.DataFrame(rows).assign(prompt="A ü.")])
            new = unlabelled(table, done, **how)
            assert len(new) == (2 if week == 0 else 1)
            spec = spec_about(new, how["on"], question)
            submission = client.submit(spec, "global", key=f"week {week}")
            rapidata_sandbox.advance(LONG)
            results = client.job.get_job_by_id(submission.job_id).get_results()
            done.append(results.labels(spec))
    assert unlabelled(table, done, **how).empty
    assert len(unlabelled(table, done, **{**how, "audience_id": "curated"})) == 4
    found = attach(table, done, **how)
    assert (found["responses"] == 5).all()
    assert len(found) == 6
    weak = top_up(pandas.concat(done), QualityGate(min_responses=6))
    assert len(weak) == 4
    assert table[found["datapoint_id"].isin(weak["datapoint_id"]).to_numpy()].equals(table)


def test_rankings_top_up_by_their_responses(rapidata_sandbox):
    spec = RankingJob(
        name="Rabbits",
        instruction="Which is cooler?",
        datapoints=[["a", "b", "c"]],
        data_type="text",
        comparison_budget_per_ranking=9,
        responses_per_comparison=4,
    )
    with RapidataClient(environment=rapidata_sandbox.url) as client:
        job = client.audience.get_audience_by_id("global").assign_job(
            client.job.create_job_definition(spec)
        )
        rapidata_sandbox.advance(LONG)
        results = job.get_results()
    gate = QualityGate(min_agreement=1)
    # Without the responses, nobody knows how far votes about different pairs agree.
    with pytest.raises(errors.ValidationError, match="min_agreement: is not known; give the"):
        top_up(results.labels(), gate)
    assert len(top_up(results.labels(), gate, results.responses())) == 1
