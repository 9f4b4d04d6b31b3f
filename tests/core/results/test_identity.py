"""What was asked about what: identities of datapoints, of rows, and of entries of results files."""

from __future__ import annotations

import json
import string

import numpy
import pandas
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rapidata_core import (
    ClassificationJob,
    CompareJob,
    DrawJob,
    FreeTextJob,
    LocateJob,
    LocateMaxPoints,
    NoShuffle,
    RankingJob,
    RapidataClient,
    SelectWordsJob,
    errors,
)
from rapidata_core.results.identity import datapoint_ids, places
from rapidata_core.results.rows import row_ids, spec_about
from rapidata_core.settings import CustomSetting

PAIR = ["https://x.example/a.jpg", "b.jpg"]
COMPARE = CompareJob(name="Cats", instruction="Which?", datapoints=[PAIR], contexts=["A cat."])
CLASSIFY = ClassificationJob(
    name="Cats", instruction="What?", datapoints=["a.jpg", "b.jpg"], answer_options=["cat", "dog"]
)
RANKING = RankingJob(
    name="Cats",
    instruction="Which?",
    datapoints=[["a.jpg", "b.jpg", "c.jpg"]],
    comparison_budget_per_ranking=3,
)


def changed(spec, **changes):
    """The same spec with other values, checked as any other."""
    fields = {name: getattr(spec, name) for name in spec.model_fields_set}
    return type(spec)(**{**fields, **changes})


# Identities.


def test_identities_stay_what_they_are():
    """They are stored with labels: whoever changes them has everything asked, and paid, again."""
    assert datapoint_ids(COMPARE) == ["2ea521a262eeb25add141805044837f3"]
    assert datapoint_ids(CLASSIFY) == [
        "582dad70132e3f9a18e1f820d8c62a77",
        "4233282994c54d8cc423706012517cfc",
    ]
    assert datapoint_ids(RANKING) == ["b97e987025bd7963fdf8b152e6f7dfe6"]
    words = SelectWordsJob(
        name="Slips",
        instruction="Which words?",
        datapoints=["a.mp3"],
        sentences=["Ein schöner Tag"],
        settings=[NoShuffle()],
    )
    assert datapoint_ids(words) == ["383e2e6188df9f3922dd81c70aa0667b"]


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Dogs"},
        {"responses_per_datapoint": 50},
        {"confidence_threshold": 0.99},
        {"quorum_threshold": 3},
        {"private_metadata": [{"row": "1"}]},
        {"settings": []},
    ],
)
def test_what_makes_no_other_question(changes):
    assert datapoint_ids(changed(COMPARE, **changes)) == datapoint_ids(COMPARE)


@pytest.mark.parametrize(
    "changes",
    [
        {"comparison_budget_per_ranking": 9},
        {"responses_per_comparison": 9},
        {"random_comparisons_ratio": 0.9},
    ],
)
def test_how_a_ranking_is_found_makes_no_other_question(changes):
    assert datapoint_ids(changed(RANKING, **changes)) == datapoint_ids(RANKING)


@pytest.mark.parametrize(
    "changes",
    [
        {"instruction": "Which one?"},
        {"contexts": ["A dog."]},
        {"contexts": None},
        {"media_contexts": [["c.jpg"]]},
        {"data_type": "text"},
        {"datapoints": [PAIR[::-1]]},
        {"datapoints": [["https://x.example/a.jpg", "folder/b.jpg"]]},
        {"a_b_names": ["old", "new"]},
        {"settings": [NoShuffle()]},
        {"settings": [CustomSetting("no_shuffle", "false")]},
        {"settings": [CustomSetting("no_shuffle", "true", target="campaign")]},
    ],
)
def test_what_makes_another_question(changes):
    ids = {
        *datapoint_ids(COMPARE),
        *datapoint_ids(changed(COMPARE, settings=[NoShuffle()], a_b_names=["new", "old"])),
    }
    assert not ids & set(datapoint_ids(changed(COMPARE, **changes)))


def test_task_types_are_different_questions():
    fields = {"name": "n", "instruction": "Where?", "datapoints": ["a.jpg"]}
    found = {datapoint_ids(job(**fields))[0] for job in (LocateJob, DrawJob, FreeTextJob)}
    assert len(found) == 3
    lists = {**fields, "datapoints": [["a.jpg", "b.jpg"]]}
    ranking = RankingJob(**lists, comparison_budget_per_ranking=1)
    assert datapoint_ids(ranking) != datapoint_ids(CompareJob(**lists))


def test_the_order_of_switches_does_not_count_but_that_of_options_does():
    both = [NoShuffle(), LocateMaxPoints(2)]
    one = changed(CLASSIFY, settings=both)
    assert datapoint_ids(one) == datapoint_ids(changed(CLASSIFY, settings=both[::-1]))
    # The last of several values may be the one that holds.
    twice = [LocateMaxPoints(2), LocateMaxPoints(3)]
    assert datapoint_ids(changed(CLASSIFY, settings=twice)) != datapoint_ids(
        changed(CLASSIFY, settings=twice[::-1])
    )
    turned = changed(CLASSIFY, answer_options=["dog", "cat"])
    assert not set(datapoint_ids(turned)) & set(datapoint_ids(CLASSIFY))


def test_own_options_count_as_those_of_all():
    own = changed(CLASSIFY, answer_options=[["cat", "dog"], ["cat", "cow"]])
    assert datapoint_ids(own)[0] == datapoint_ids(CLASSIFY)[0]
    assert datapoint_ids(own)[1] != datapoint_ids(CLASSIFY)[1]


def test_the_place_does_not_count_and_the_same_twice_is_the_same():
    more = changed(CLASSIFY, datapoints=["b.jpg", "c.jpg", "b.jpg", "a.jpg"])
    found = datapoint_ids(more)
    assert found[0] == found[2]
    assert [found[3], found[0]] == datapoint_ids(CLASSIFY)


def test_parts_of_a_datapoint_are_kept_apart():
    one = FreeTextJob(
        name="n", instruction="What?", datapoints=["a"], contexts=["bc"], data_type="text"
    )
    assert datapoint_ids(one) != datapoint_ids(changed(one, datapoints=["ab"], contexts=["c"]))


# Rows.

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8).filter(
    lambda text: bool(text.strip())
)
files = st.text(string.ascii_letters + "äß漢", min_size=1, max_size=5).map("{}.jpg".format)
words = st.lists(texts.filter(lambda text: " " not in text and bool(text.split())), min_size=2)
sentences = words.map(" ".join).filter(lambda text: len(text.split()) >= 2)


@st.composite
def tables(draw):
    """A table, where its datapoints are, and the spec that asks about them."""
    kind = draw(st.sampled_from(["classification", "compare", "draw", "free_text", "locate"]))
    kind = draw(st.sampled_from([kind, "ranking", "select_words"]))
    rows = draw(st.integers(1, 4))
    text = kind in {"classification", "compare", "free_text", "ranking"} and draw(st.booleans())

    def column(values):
        return draw(st.lists(values, min_size=rows, max_size=rows))

    item = texts if text else files
    frame, on, fields = {}, {}, {"data_type": "text"} if text else {}
    if kind in {"compare", "ranking"}:
        size = 2 if kind == "compare" else draw(st.integers(2, 4))
        lists = column(st.lists(item, min_size=size, max_size=size, unique=True))
        fields["datapoints"] = lists
        if draw(st.booleans()):
            frame["lists"], on["datapoints"] = lists, "lists"
        else:
            names = [f"item {place}" for place in range(size)]
            frame.update(zip(names, map(list, zip(*lists, strict=True)), strict=True))
            on["datapoints"] = names
    else:
        frame["item"] = fields["datapoints"] = column(item)
        on["datapoints"] = "item"
    if kind == "select_words":
        frame["said"] = fields["sentences"] = column(sentences)
        on["sentences"] = "said"
    else:
        if draw(st.booleans()):
            frame["prompt"] = fields["contexts"] = column(texts)
            on["contexts"] = "prompt"
        if draw(st.booleans()):
            references = column(files)
            frame["reference"], on["media_contexts"] = references, ["reference"]
            fields["media_contexts"] = [[file] for file in references]
    if kind == "classification":
        options = st.lists(texts, min_size=2, max_size=4, unique=True)
        fields["answer_options"] = draw(options)
        if draw(st.booleans()):
            frame["options"] = fields["answer_options"] = column(options)
            on["answer_options"] = "options"
    if kind == "ranking":
        fields["comparison_budget_per_ranking"] = 5
    jobs = (ClassificationJob, CompareJob, DrawJob, FreeTextJob, LocateJob, RankingJob)
    job = next(one for one in (*jobs, SelectWordsJob) if one.model_fields["type"].default == kind)
    return pandas.DataFrame(frame), on, job(name="n", instruction="Which?", **fields)


@settings(max_examples=300, deadline=None)
@given(tables())
def test_rows_have_the_identities_of_their_datapoints(table):
    frame, on, spec = table
    # The question may have been asked about something else.
    first = spec_about(frame.iloc[:1], on, spec)
    assert row_ids(frame, on, first) == datapoint_ids(spec)
    about = spec_about(frame, on, first)
    assert about.model_dump() == spec.model_dump()


@settings(max_examples=200, deadline=None)
@given(tables(), tables())
def test_identities_are_equal_only_for_what_is_equal(one, other):
    (_, _, spec), (_, _, second) = one, other
    seen = {}
    for each in (spec, second):
        for point, identity in zip(spoken(each), datapoint_ids(each), strict=True):
            assert seen.setdefault(identity, point) == point
            seen.setdefault(point, identity)
            assert seen[point] == identity


def spoken(spec):
    """Everything that a datapoint shows, as another program would say it."""
    for place, given_ in enumerate(spec.datapoints):
        options = getattr(spec, "answer_options", None)
        own = options[place] if options and isinstance(options[0], list) else options
        yield repr(
            (
                spec.type,
                spec.data_type,
                given_,
                spec.contexts and spec.contexts[place],
                spec.media_contexts and spec.media_contexts[place],
                getattr(spec, "sentences", None) and spec.sentences[place],
                own,
            )
        )


def test_rows_of_every_kind_of_column():
    on = {"datapoints": ["a", "b"], "contexts": "prompt"}
    frame = pandas.DataFrame({"a": [PAIR[0]], "b": [PAIR[1]], "prompt": ["A cat."]})
    for kind in ("object", "string", "category"):
        assert row_ids(frame.astype(kind), on, COMPARE) == datapoint_ids(COMPARE)
    for pair in (PAIR, tuple(PAIR), numpy.array(PAIR), numpy.array(PAIR, dtype=object)):
        lists = pandas.DataFrame({"pair": [pair, pair], "prompt": "A cat."})
        found = row_ids(lists, {"datapoints": "pair", "contexts": "prompt"}, COMPARE)
        assert found == datapoint_ids(COMPARE) * 2


def test_a_table_without_rows():
    frame = pandas.DataFrame({"image": []})
    assert row_ids(frame, "image", CLASSIFY) == []
    with pytest.raises(errors.ValidationError, match="nothing to ask about"):
        spec_about(frame, "image", CLASSIFY)


def test_what_goes_along_with_other_datapoints_is_left_behind():
    question = changed(CLASSIFY, private_metadata=[{"row": "1"}, {"row": "2"}], name="Pets")
    spec = spec_about(pandas.DataFrame({"image": ["c.jpg"]}), "image", question)
    assert (spec.datapoints, spec.private_metadata, spec.name) == (["c.jpg"], None, "Pets")


@pytest.mark.parametrize(
    ("on", "problems"),
    [
        ("image", ["contexts: the question has them", "there is no column 'image'"]),
        (["a", "a"], ["contexts: the question has", "datapoints: names the column 'a' twice"]),
        ({"datapoints": ["a", "b"], "contexts": []}, ["contexts: give one column", "no column"]),
        ({"contexts": "prompt"}, ["datapoints: the question has them"]),
        (
            {"datapoints": ["a", "b"], "contexts": "prompt", "sentences": "said"},
            ["'sentences': of a compare job, only datapoints, contexts, media_contexts"],
        ),
        ({"datapoints": ["a", "twice"], "contexts": "prompt"}, ["column 'twice' 2 times"]),
    ],
)
def test_columns_that_do_not_suit(on, problems):
    frame = pandas.DataFrame([["x", "y", "p", "s", "1", "2"]])
    frame.columns = ["a", "b", "prompt", "said", "twice", "twice"]
    with pytest.raises(errors.ValidationError) as caught:
        row_ids(frame, on, COMPARE)
    for problem in problems:
        assert any(problem in one for one in caught.value.problems), caught.value.problems


def test_cells_that_are_no_texts():
    frame = pandas.DataFrame(
        {"a": ["x", None, 5], "b": [pandas.NA, float("nan"), "y"], "prompt": "p"}, dtype=object
    )
    with pytest.raises(errors.ValidationError) as caught:
        row_ids(frame, {"datapoints": ["a", "b"], "contexts": "prompt"}, COMPARE)
    assert [problem.split("; ")[0] for problem in caught.value.problems] == [
        "column 'b', row 0: is null",
        "column 'a', row 1: is null",
        "column 'b', row 1: is null",
        "column 'a', row 2: must be a text, not '5' (int)",
    ]


def test_cells_that_are_no_lists():
    frame = pandas.DataFrame({"pair": ["a.jpg", ["a.jpg", None], None]})
    question = changed(COMPARE, contexts=None)
    with pytest.raises(errors.ValidationError) as caught:
        row_ids(frame, "pair", question)
    assert caught.value.problems == [
        "column 'pair', row 0: is a text, not a list",
        "column 'pair', row 1: is null; drop such rows, or fill them",
        "column 'pair', row 2: is null; drop such rows, or fill them",
    ]
    with pytest.raises(errors.ValidationError, match="row 0: must be a text, not"):
        row_ids(pandas.DataFrame({"image": [["a.jpg"]]}), "image", CLASSIFY)


def test_ten_problems_are_enough():
    frame = pandas.DataFrame({"image": [None] * 25})
    with pytest.raises(errors.ValidationError) as caught:
        row_ids(frame, "image", CLASSIFY)
    assert len(caught.value.problems) == 11
    assert caught.value.problems[-1] == "and 15 more"


def test_rows_that_no_job_takes():
    frame = pandas.DataFrame({"a": ["a.jpg", "b.jpg"], "b": ["a.jpg", " "]})
    with pytest.raises(errors.ValidationError, match=r"\[0\] has the same item twice.*\[1\] is bl"):
        row_ids(frame, ["a", "b"], changed(COMPARE, contexts=None))


# Places.


def shown(*names, context=None):
    return (names, context)


def test_entries_name_items_by_their_last_part():
    spec = changed(
        COMPARE,
        datapoints=[
            ["https://x.example/1/caf%C3%A9.jpg?size=2", "pictures/b c.jpg"],
            ["https://x.example/2/d.jpg/", "https://x.example"],
        ],
        contexts=None,
    )
    entries = [shown("d.jpg", "x.example"), shown("café.jpg", "b c.jpg"), shown("b c.jpg", "d.jpg")]
    assert places(spec, entries) == [1, 0, None]


def test_entries_of_single_items_name_the_whole_source():
    spec = changed(CLASSIFY, datapoints=["https://x.example/a.jpg", "folder/a.jpg"])
    entries = [shown("a.jpg"), shown("https://x.example/a.jpg")]
    assert places(spec, entries) == [1, 0]
    # A file that shows last parts only is in the order of the spec, as far as that can be told.
    assert places(spec, [shown("a.jpg"), shown("a.jpg")]) == [0, 1]
    assert places(spec, [shown("a.jpg"), shown("a.jpg"), shown("a.jpg")]) == [None] * 3


def test_texts_are_what_they_are():
    spec = changed(CLASSIFY, data_type="text", datapoints=["https://x.example/a b", "a/b", "b"])
    entries = [shown("b"), shown("a/b"), shown("https://x.example/a b")]
    assert places(spec, entries) == [2, 1, 0]
    escapes = changed(CLASSIFY, data_type="text", datapoints=["a%20b", "a b"])
    assert places(escapes, [shown("a b")]) == [1]


def test_missing_datapoints_leave_the_others_where_they_are():
    spec = changed(CLASSIFY, datapoints=[f"{number}.jpg" for number in range(5)])
    assert places(spec, [shown("1.jpg"), shown("4.jpg")]) == [1, 4]
    assert places(spec, []) == []


def test_contexts_tell_apart_what_looks_alike():
    spec = changed(CLASSIFY, datapoints=["x/a.jpg", "y/a.jpg"], contexts=["one", "two"])
    assert places(spec, [shown("a.jpg", context="two")]) == [1]
    assert places(spec, [shown("a.jpg", context="three")]) == [None]
    # Files that tell no contexts say nothing against any.
    assert places(spec, [shown("a.jpg"), shown("a.jpg")]) == [0, 1]
    assert places(spec, [shown("a.jpg")]) == [None]


def test_one_of_several_that_look_alike_is_nobodys():
    spec = changed(CLASSIFY, datapoints=["x/a.jpg", "y/a.jpg", "b.jpg"])
    assert places(spec, [shown("a.jpg"), shown("b.jpg")]) == [None, 2]
    assert places(spec, [shown("a.jpg"), shown("b.jpg"), shown("a.jpg")]) == [0, 2, 1]


def test_of_the_same_twice_any_will_do():
    spec = changed(CLASSIFY, datapoints=["a.jpg", "b.jpg", "a.jpg"])
    assert places(spec, [shown("a.jpg"), shown("b.jpg")]) == [0, 1]
    options = [["cat", "dog"], ["cat", "dog"], ["cow", "dog"]]
    other = changed(spec, answer_options=options)
    assert places(other, [shown("a.jpg")]) == [None]


@pytest.mark.parametrize("name", ["café.jpg", "caf%C3%A9.jpg"])
def test_escapes_make_no_other_name(name):
    pair = ["https://x.example/caf%C3%A9.jpg", "one/b.jpg"]
    spec = changed(COMPARE, datapoints=[pair, [pair[1], "café.jpg"]], contexts=None)
    assert places(spec, [shown(name, "b.jpg")]) == [0]
    same = changed(spec, datapoints=[[pair[0], "café.jpg"]])
    assert places(same, [shown("café.jpg", "café.jpg (2)")]) == [0]


def test_the_same_name_twice_in_one_entry():
    spec = changed(COMPARE, datapoints=[["x/a.jpg", "y/a.jpg"]], contexts=None)
    assert places(spec, [shown("a.jpg", "a.jpg (2)")]) == [0]


def test_the_sides_of_a_pair_count_and_the_order_of_a_ranking_does_not():
    pairs = changed(COMPARE, datapoints=[["a.jpg", "b.jpg"], ["b.jpg", "a.jpg"]], contexts=None)
    assert places(pairs, [shown("b.jpg", "a.jpg")]) == [1]
    rankings = changed(RANKING, datapoints=[["a.jpg", "b.jpg"], ["a.jpg", "c.jpg", "b.jpg"]])
    assert places(rankings, [shown("c.jpg", "b.jpg", "a.jpg"), shown("b.jpg", "a.jpg")]) == [1, 0]
    # Without one of its items it is another ranking.
    assert places(rankings, [shown("c.jpg", "b.jpg")]) == [None]


def test_contexts_that_were_shortened(monkeypatch):
    from rapidata_core import rapidata_config

    monkeypatch.setattr(rapidata_config.upload, "autoShortenContext", True)
    spec = changed(CLASSIFY, datapoints=["a.jpg", "a.jpg"], contexts=["long " * 100, "short"])
    entries = [shown("a.jpg", context="short"), shown("a.jpg", context="lng")]
    assert places(spec, entries) == [1, 0]


file_names = st.sampled_from(["a.jpg", "b.jpg", "x/a.jpg", "https://h.example/a.jpg", "c ü.jpg"])


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_whatever_fails_nothing_is_put_in_a_wrong_place(data):
    """Entries in the spec's order, as a file that names last parts has them."""
    pairs = data.draw(
        st.lists(st.lists(file_names, min_size=2, max_size=2, unique=True), min_size=1)
    )
    spec = changed(COMPARE, datapoints=pairs, contexts=None)
    there = data.draw(st.lists(st.booleans(), min_size=len(pairs), max_size=len(pairs)))
    assume(any(there))
    kept = [place for place, here in enumerate(there) if here]

    def names(pair):
        first, second = (item.rpartition("/")[2] for item in pair)
        return shown(first, f"{second} (2)" if first == second else second)

    ids = datapoint_ids(spec)
    for place, found in zip(kept, places(spec, [names(pairs[at]) for at in kept]), strict=True):
        assert found is None or ids[found] == ids[place]
        if all(there):
            assert found is not None


# Through the sandbox and back.

GONE = "https://404.status.invalid/gone.jpg"
ODD = [
    'say "hi".jpg',
    "Zürich & Genève.jpg",
    "日本 1.jpg",
    "a+b%20c.jpg",
    "dots..jpg",
    "it's #1?.jpg",
]
LONG = 30 * 24 * 3600


@pytest.fixture
def pictures(tmp_path):
    """Makes files, with names twice in different folders, and returns their paths."""
    paths = []
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        for name in ODD:
            path = tmp_path / folder / name
            path.write_bytes(f"{folder} {name}".encode())
            paths.append(str(path))
    return paths


URLS = [
    "https://x.example/1/cat.jpg",
    "https://x.example/2/cat.jpg",
    "https://x.example/caf%C3%A9%20au%20lait.jpg?v=1",
    "https://x.example/folder/",
    "https://y.example",
]


def rounds(pictures):
    """Specs of all types whose datapoints fail, repeat, and look alike."""
    single = [*pictures[:5], GONE, *URLS, pictures[0], GONE, pictures[1]]
    number = len(single)
    common = {"name": "n", "instruction": "Which?"}
    noted = {"private_metadata": [{"row": str(row)} for row in range(number)]}
    contexts = {"contexts": [f"Satz {row % 4} · ü" for row in range(number)]}
    pairs = [[item, pictures[7]] for item in single]
    twins = [[pictures[0], pictures[5]], [URLS[0], URLS[1]], [URLS[1], URLS[0]]]
    pairs[: len(twins)] = twins
    said = {"sentences": [f"word {row % 3} here" for row in range(number)]}
    options = {"answer_options": [["cat", "dog"], ["cow", "dog"]] * (number // 2)}
    yield ClassificationJob(**common, datapoints=single, **options, **contexts, **noted)
    yield CompareJob(**common, datapoints=pairs, **contexts, **noted)
    yield LocateJob(**common, datapoints=single, **noted)
    yield DrawJob(**common, datapoints=single, **noted)
    yield FreeTextJob(**common, datapoints=single, **contexts, **noted)
    yield SelectWordsJob(**common, datapoints=single, **said, **noted)
    yield FreeTextJob(
        **common, data_type="text", datapoints=[*ODD, *URLS, ODD[0], "a\nb", " c "], **noted
    )
    rankings = [
        [pictures[0], pictures[5], pictures[1]],
        [pictures[1], pictures[0], pictures[5]],
        [*URLS, pictures[2]],
        [*URLS[:3], pictures[2]],
    ]
    yield RankingJob(
        **common,
        datapoints=rankings,
        contexts=["one", "one", "two", "two"],
        comparison_budget_per_ranking=3,
    )


def test_every_entry_of_the_sandbox_finds_its_place(rapidata_sandbox, pictures):
    seen = set()
    with RapidataClient(environment=rapidata_sandbox.url) as client:
        audience = client.audience.get_audience_by_id("global")
        for spec in rounds(pictures):
            definition = client.job.create_job_definition(spec, failure_tolerance=0.5)
            job = audience.assign_job(definition)
            rapidata_sandbox.advance(LONG)
            check_places(spec, job.get_results())
            seen.add(spec.type)
    assert len(seen) == 7


def check_places(spec, results):
    ids = datapoint_ids(spec)
    labels = results.labels(spec)
    assert list(results.responses(spec)["datapoint_id"].unique()) == list(
        labels["datapoint_id"].unique()
    )
    if spec.type == "ranking":
        rows = [int(entry["group"]) for entry in results["results"]]
    else:
        rows = [int(json.loads(text)["row"]) for text in labels["private_metadata"]]
    # What could not be uploaded is missing, and all else is there.
    whole = [row for row, given_ in enumerate(spec.datapoints) if GONE not in [given_, *given_]]
    assert sorted(rows) == whole
    assert [ids[row] for row in rows] == list(labels["datapoint_id"])


def test_a_ranking_that_lost_an_item_is_nobodys(rapidata_sandbox):
    with RapidataClient(environment=rapidata_sandbox.url) as client:
        spec = changed(RANKING, datapoints=[[*URLS[:2], GONE], [URLS[0], URLS[2]]])
        definition = client.job.create_job_definition(spec, failure_tolerance=0.5)
        job = client.audience.get_audience_by_id("global").assign_job(definition)
        rapidata_sandbox.advance(LONG)
        labels = job.get_results().labels(spec)
    assert list(labels["datapoint_id"].isna()) == [True, False]
    assert labels["datapoint_id"][1] == datapoint_ids(spec)[1]
