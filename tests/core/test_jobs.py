"""Job specs: what they accept, what they say about bad input, what they put on the wire."""

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapidata_core import (
    Box,
    ClassificationExample,
    ClassificationJob,
    CompareExample,
    CompareJob,
    Datapoint,
    DrawExample,
    DrawJob,
    FreeTextJob,
    LocateExample,
    LocateJob,
    NoShuffle,
    RankingJob,
    SelectWordsExample,
    SelectWordsJob,
    Setting,
    errors,
    fingerprint,
    parse_job,
    rapidata_config,
)
from rapidata_core.jobs import JOB_TYPES
from rapidata_core.policy.submission import fingerprint_in, identify, readable

PAIR = ["https://example.com/a.jpg", "https://example.com/b.jpg"]
ITEM = "https://example.com/a.jpg"


def compare(**changes):
    return CompareJob(**{"name": "n", "instruction": "Which?", "datapoints": [PAIR], **changes})


def classification(**changes):
    fields = {
        "name": "n",
        "instruction": "What?",
        "datapoints": [ITEM],
        "answer_options": ["1", "2"],
    }
    return ClassificationJob(**{**fields, **changes})


def simple(kind):
    def make(**changes):
        return kind(**{"name": "n", "instruction": "What?", "datapoints": [ITEM], **changes})

    return make


locate, draw, free_text = simple(LocateJob), simple(DrawJob), simple(FreeTextJob)


def select_words(**changes):
    return simple(SelectWordsJob)(**{"sentences": ["two words"], **changes})


def ranking(**changes):
    fields = {"datapoints": [["a.jpg", "b.jpg", "c.jpg"]], "comparison_budget_per_ranking": 10}
    return simple(RankingJob)(**{**fields, **changes})


ALL = [classification, compare, locate, draw, select_words, free_text, ranking]


@pytest.mark.parametrize(
    ("make", "changes", "sentence"),
    [
        (compare, {"name": " "}, "name: must not be blank"),
        (compare, {"instruction": "x" * 251}, "instruction: String should have at most 250"),
        (compare, {"datapoints": []}, "datapoints: List should have at least 1 item"),
        (compare, {"datapoints": "ab"}, "datapoints: Input should be a valid list"),
        (compare, {"datapoints": [["s3://a", PAIR[1]]]}, "datapoints: [0] is not an http or https"),
        (compare, {"datapoints": [["a\nb", PAIR[1]]]}, "datapoints: [0] is not an http or https"),
        (compare, {"datapoints": [PAIR[:1]]}, "datapoints: [0] has 1 item(s); a pair has exactly"),
        (compare, {"datapoints": [PAIR[:1] * 2]}, "datapoints: [0] has the same item twice"),
        (compare, {"datapoints": [["a", ""]], "data_type": "text"}, "datapoints: [0] is blank"),
        (compare, {"contexts": ["a", "b"]}, "contexts: has 2 entries for 1 datapoints"),
        (compare, {"contexts": ["x" * 401]}, "contexts: [0] has 401 characters; at most 400"),
        (compare, {"contexts": [""]}, "contexts: [0] is blank"),
        (compare, {"media_contexts": [[]]}, "media_contexts: [0] has 0 images"),
        (compare, {"media_contexts": [["ftp://x"]]}, "media_contexts: [0] is not an http or https"),
        (compare, {"a_b_names": ["same", "same"]}, "a_b_names: must be two different"),
        (compare, {"responses_per_datapoint": 0}, "responses_per_datapoint: Input should be"),
        (compare, {"private_metadata": []}, "private_metadata: has 0 entries for 1 datapoints"),
        (compare, {"data_type": "audio"}, "data_type: Input should be 'media' or 'text'"),
        (compare, {"typo": 1}, "typo: Extra inputs are not permitted"),
        (classification, {"answer_options": []}, "answer_options: has 0 option(s); give 2"),
        (classification, {"answer_options": [["a"]]}, "answer_options: [0] has 1 option(s)"),
        (classification, {"answer_options": [["a", "b"]] * 2}, "answer_options: has 2 entries"),
        (classification, {"answer_options": [*"123456789"]}, "answer_options: has 9 option(s)"),
        (classification, {"confidence_threshold": 1}, "confidence_threshold: Input should be less"),
        (compare, {"confidence_threshold": 0}, "confidence_threshold: Input should be greater"),
        (compare, {"quorum_threshold": 11}, "quorum_threshold: is 11, but responses_per_datapoint"),
        (
            compare,
            {"quorum_threshold": 2, "confidence_threshold": 0.9},
            "quorum_threshold: cannot be used together with confidence_threshold",
        ),
        (compare, {"a_b_names": ["a", "b", "a"]}, "a_b_names: must be two different"),
        (select_words, {"sentences": ["one"]}, "sentences: [0] has fewer than two words"),
        (select_words, {"sentences": []}, "sentences: has 0 entries for 1 datapoints"),
        (ranking, {"datapoints": [["a"]]}, "datapoints: [0] has 1 item(s); a ranking needs two"),
        (ranking, {"datapoints": [["a", "a"]]}, "datapoints: [0] has the same item twice"),
        (ranking, {"contexts": ["a", "b"]}, "contexts: has 2 entries for 1 datapoints"),
        (ranking, {"random_comparisons_ratio": 2}, "random_comparisons_ratio: Input should be"),
        (classification, {"answer_options": ["a", "a"]}, "answer_options: has the same option"),
        (classification, {"answer_options": ["a", ""]}, "answer_options: [1] is blank"),
        (classification, {"datapoints": [PAIR]}, "datapoints[0]: Input should be a valid string"),
    ],
)
def test_bad_input_names_the_argument(make, changes, sentence):
    with pytest.raises(errors.ValidationError) as caught:
        make(**changes)
    assert [p for p in caught.value.problems if p.startswith(sentence)], caught.value.problems


def test_all_problems_are_reported_at_once():
    with pytest.raises(errors.ValidationError) as caught:
        CompareJob(
            name="",
            datapoints=[["one"], PAIR],
            contexts=["only one"],
            responses_per_datapoint="many",
        )
    arguments = {problem.split(":")[0] for problem in caught.value.problems}
    assert arguments == {
        "name",
        "instruction",
        "datapoints",
        "contexts",
        "responses_per_datapoint",
    }


def test_a_long_list_of_problems_stays_readable():
    with pytest.raises(errors.ValidationError) as caught:
        compare(datapoints=[["x"]] * 500)
    assert "and 490 more" in str(caught.value)


def test_compare_on_the_wire():
    spec = compare(
        contexts=["a book"], media_contexts=[["https://example.com/c.png"]], settings=[NoShuffle()]
    )
    [point] = spec.points()
    uploaded = {url: f"up-{url[-5:]}" for url in point.items()}
    assert spec.workflow() == {
        "_t": "SimpleWorkflow",
        "rapid": {
            "_t": "Compare",
            "asset": {"segment": "asset"},
            "criteria": {"literal": "Which?"},
            "indexIdentifiers": None,
        },
    }
    assert spec.referee() == {"_t": "NaiveReferee", "totalVotes": 10}
    assert spec.schema_segments() is None
    assert point.body(uploaded) == {
        "segments": [
            {
                "key": "asset",
                "kind": "Asset",
                "asset": {
                    "_t": "MultiAssetInput",
                    "assets": [
                        {"_t": "ExistingAssetInput", "name": "up-a.jpg"},
                        {"_t": "ExistingAssetInput", "name": "up-b.jpg"},
                    ],
                },
            },
            {"key": "context", "kind": "Text", "text": "a book"},
            {
                "key": "context_asset",
                "kind": "Asset",
                "asset": {"_t": "ExistingAssetInput", "name": "up-c.png"},
            },
        ],
        "sortIndex": 0,
        "group": None,
        "privateMetadata": None,
    }


def test_classification_on_the_wire():
    spec = classification(data_type="text", datapoints=["fine"], private_metadata=[{"id": "7"}])
    [point] = spec.points()
    assert point.items() == []
    assert spec.workflow()["rapid"] == {
        "_t": "Classify",
        "asset": {"segment": "asset"},
        "title": {"literal": "What?"},
        "categories": {"segment": "answer_options"},
    }
    assert [s["key"] for s in spec.schema_segments()] == [
        "asset",
        "context",
        "context_asset",
        "answer_options",
    ]
    assert point.body({}) == {
        "segments": [
            {"key": "asset", "kind": "Asset", "asset": {"_t": "TextAssetInput", "text": "fine"}},
            {
                "key": "answer_options",
                "kind": "OptionList",
                "options": [{"label": "1", "value": "1"}, {"label": "2", "value": "2"}],
            },
        ],
        "sortIndex": 0,
        "group": None,
        "privateMetadata": {"id": "7"},
    }


@pytest.mark.parametrize(
    "spec",
    [
        compare(contexts=["c"], quorum_threshold=3),
        classification(settings=[NoShuffle()]),
        *(make() for make in ALL),
    ],
)
def test_specs_round_trip(spec):
    assert parse_job(spec.model_dump_json()) == spec
    assert parse_job(json.loads(spec.model_dump_json(exclude_defaults=True)) | {"type": spec.type})
    assert JOB_TYPES[spec.type] is type(spec)


@pytest.mark.parametrize(
    ("description", "problem"),
    [
        (
            {},
            f"type: must be one of {', '.join(sorted(JOB_TYPES))}, not None",
        ),
        (
            {"type": "sudoku"},
            f"type: must be one of {', '.join(sorted(JOB_TYPES))}, not 'sudoku'",
        ),
        ("{", "is not JSON"),
        ("[1", "is not JSON"),
        ("at: 2026-99-99", "is not JSON"),
        ([1], "must be a mapping, not list"),
        ("", "must be a mapping, not NoneType"),
        ("[1]", "must be a mapping, not list"),
        ("jobs/compare.yaml", "must be a mapping, not str; of a file, give the text"),
        ({1: 2}, "1: fields are named by texts"),
        ("1: 2", "1: fields are named by texts"),
    ],
)
def test_what_is_no_spec(description, problem):
    with pytest.raises(errors.ValidationError, match="job spec is not valid") as caught:
        parse_job(description)
    assert caught.value.problems[0].startswith(problem)


def test_a_spec_in_yaml():
    text = """
    # What we ask every week.
    type: compare
    name: Greetings
    instruction: "Which is friendlier: A or B?"
    data_type: text
    datapoints:
      - [Hello!, "What?"]
      - - Good morning!
        - Morning.
    settings:
      - {key: no_shuffle, value: "true"}
    """
    assert parse_job(text) == CompareJob(
        name="Greetings",
        instruction="Which is friendlier: A or B?",
        data_type="text",
        datapoints=[["Hello!", "What?"], ["Good morning!", "Morning."]],
        settings=[Setting(key="no_shuffle", value="true")],
    )


def test_yaml_makes_no_objects():
    with pytest.raises(errors.ValidationError, match="nor is it YAML"):
        parse_job("!!python/object/apply:os.getcwd []")


def test_yaml_without_its_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(errors.ValidationError, match="to read YAML, install PyYAML"):
        parse_job("type: compare")
    assert parse_job(compare().model_dump_json()) == compare()


# The documents' table: which type takes which argument.
AVAILABLE = {
    "responses_per_datapoint": (3, "cpldsf"),
    "data_type": ("text", "cpfr"),
    "contexts": (["c"], "cpldfr"),
    "media_contexts": ([["c.jpg"]], "cpldfr"),
    "confidence_threshold": (0.9, "cp"),
    "quorum_threshold": (2, "cp"),
    "settings": ([NoShuffle()], "cpldsfr"),
    "private_metadata": ([{"a": "b"}], "cpldsf"),
    "a_b_names": (["A", "B"], "p"),
    "answer_options": (["A", "B"], "c"),
    "sentences": (["two words"], "s"),
    "comparison_budget_per_ranking": (3, "r"),
    "responses_per_comparison": (3, "r"),
    "random_comparisons_ratio": (0.1, "r"),
}
LETTERS = dict(zip("cpldsfr", ALL, strict=True))


@pytest.mark.parametrize("letter", LETTERS)
@pytest.mark.parametrize("argument", AVAILABLE)
def test_each_type_takes_what_the_documents_say(letter, argument):
    value, letters = AVAILABLE[argument]
    if letter in letters:
        assert getattr(LETTERS[letter](**{argument: value}), argument) == value
        return
    with pytest.raises(errors.ValidationError) as caught:
        LETTERS[letter](**{argument: value})
    assert [problem.split(":")[0] for problem in caught.value.problems] == [argument]


def test_items_may_be_local_files():
    spec = compare(datapoints=[["images/a b.jpg", "/tmp/b.jpg"]], media_contexts=[["c.jpg"]])
    assert spec.points()[0].items() == ["images/a b.jpg", "/tmp/b.jpg", "c.jpg"]


@pytest.mark.parametrize(
    ("make", "rapid"),
    [
        (locate, {"_t": "Locate", "target": {"literal": "What?"}}),
        (draw, {"_t": "Line", "target": {"literal": "What?"}}),
        (
            select_words,
            {
                "_t": "Transcription",
                "title": {"literal": "What?"},
                "transcription": {"segment": "transcription"},
            },
        ),
        (
            free_text,
            {"_t": "FreeText", "question": {"literal": "What?"}, "validationSystemPrompt": None},
        ),
    ],
)
def test_simple_workflows_on_the_wire(make, rapid):
    assert make().workflow() == {
        "_t": "SimpleWorkflow",
        "rapid": {**rapid, "asset": {"segment": "asset"}},
    }
    assert make().referee() == {"_t": "NaiveReferee", "totalVotes": 10}


def test_select_words_on_the_wire():
    spec = select_words()
    assert [s["key"] for s in spec.schema_segments()][-1] == "transcription"
    assert spec.points()[0].body({ITEM: "up.jpg"})["segments"] == [
        {"key": "asset", "kind": "Asset", "asset": {"_t": "ExistingAssetInput", "name": "up.jpg"}},
        {"key": "transcription", "kind": "Text", "text": "two words"},
    ]


def test_answer_options_of_each_datapoint():
    spec = classification(datapoints=[ITEM, ITEM], answer_options=[["1", "2"], ["a", "b", "c"]])
    assert [point.answer_options for point in spec.points()] == [["1", "2"], ["a", "b", "c"]]
    assert parse_job(spec.model_dump_json()) == spec


def test_ways_of_stopping_early():
    assert compare(confidence_threshold=0.99, responses_per_datapoint=50).referee() == {
        "_t": "EarlyStoppingReferee",
        "threshold": 0.99,
        "maxVotes": 50,
    }
    assert classification(quorum_threshold=7).referee() == {
        "_t": "QuorumReferee",
        "threshold": 7,
        "maxVotes": 10,
    }


def test_a_small_ranking_compares_all_pairs():
    spec = ranking(comparison_budget_per_ranking=10, responses_per_comparison=2)
    assert spec.workflow() == {
        "_t": "GroupedRankingWorkflow",
        "criteria": "What?",
        "pairMakerConfig": {"_t": "FullPermutationPairMaker"},
        "rankingConfig": {"_t": "BradleyTerryRankingConfig", "startingScore": 1200},
    }
    # Three pairs, so three rounds fit into the budget of ten.
    assert spec.referee() == {"_t": "NaiveReferee", "totalVotes": 6}
    assert ranking(comparison_budget_per_ranking=1).referee()["totalVotes"] == 1


def test_a_large_ranking_finds_its_pairs():
    items = [[f"{number}.jpg" for number in range(11)], ["a.jpg", "b.jpg"]]
    spec = ranking(datapoints=items, comparison_budget_per_ranking=50, responses_per_comparison=3)
    assert spec.workflow()["pairMakerConfig"] == {
        "_t": "OnlinePairMaker",
        "randomMatchesRatio": 0.5,
        "totalComparisonBudget": 50,
    }
    assert spec.referee() == {"_t": "NaiveReferee", "totalVotes": 3}


def test_a_ranking_has_its_contexts_on_the_groups():
    spec = ranking(
        datapoints=[["a.jpg", "b.jpg"], ["c.jpg", "d.jpg"]],
        contexts=["one", "two"],
        media_contexts=[["x.jpg"], ["y.jpg", "z.jpg"]],
    )
    points, groups = spec.points(), spec.groups()
    assert [(point.asset, point.group, point.sort_index) for point in points] == [
        ("a.jpg", "0", 0),
        ("b.jpg", "0", 1),
        ("c.jpg", "1", 2),
        ("d.jpg", "1", 3),
    ]
    assert points[2].body({"c.jpg": "C"}) == {
        "segments": [
            {"key": "asset", "kind": "Asset", "asset": {"_t": "ExistingAssetInput", "name": "C"}}
        ],
        "sortIndex": 2,
        "group": "1",
        "privateMetadata": None,
    }
    names = {"x.jpg": "X", "y.jpg": "Y", "z.jpg": "Z"}
    assert groups[0].body(names) == {
        "group": "0",
        "segments": [
            {"key": "context", "kind": "Text", "text": "one"},
            {
                "key": "context_asset",
                "kind": "Asset",
                "asset": {"_t": "ExistingAssetInput", "name": "X"},
            },
        ],
    }
    assert groups[1].body(names)["segments"][1]["asset"]["_t"] == "MultiAssetInput"
    assert ranking().groups()[0].body({}) == {"group": "0", "segments": []}


def test_a_datapoint_says_what_it_is():
    assert repr(Datapoint(asset=["a.jpg", "b.jpg"], context="c")) == (
        "Datapoint(asset=['a.jpg', 'b.jpg'], context='c')"
    )


def test_long_contexts_pass_when_they_are_to_be_shortened(monkeypatch):
    monkeypatch.setattr(rapidata_config.upload, "contextShortening", True)
    assert rapidata_config.upload.autoShortenContext
    assert compare(contexts=["x" * 401])


def test_a_classification_example_on_the_wire():
    example = ClassificationExample(
        instruction="What?",
        answer_options=["cat", "dog", "bird", "fish"],
        datapoint="a.jpg",
        truth=["cat"],
        context="c",
        media_context=["b.jpg", "c.jpg"],
        explanation="e",
    )
    assert example.items() == ["a.jpg", "b.jpg", "c.jpg"]
    body = example.body({"a.jpg": "A", "b.jpg": "B", "c.jpg": "C"})
    assert body.pop("contextAsset")["_t"] == "MultiAssetInput"
    assert body == {
        "asset": {"_t": "ExistingAssetInput", "name": "A"},
        "payload": {
            "_t": "ClassifyExamplePayload",
            "title": "What?",
            "categories": [
                {"label": option, "value": option} for option in ("cat", "dog", "bird", "fish")
            ],
        },
        "truth": {"_t": "ClassifyExampleTruth", "correctCategories": ["cat"]},
        "randomCorrectProbability": 0.25,
        "context": "c",
        "explanation": "e",
    }


@pytest.mark.parametrize(("data_type", "winner"), [("media", "B"), ("text", "b.jpg")])
def test_a_compare_example_on_the_wire(data_type, winner):
    example = CompareExample(
        instruction="Which?", datapoint=["a.jpg", "b.jpg"], truth="b.jpg", data_type=data_type
    )
    assert example.items() == (["a.jpg", "b.jpg"] if data_type == "media" else [])
    body = example.body({"a.jpg": "A", "b.jpg": "B"})
    assert body["truth"] == {"_t": "CompareExampleTruth", "winnerId": winner}
    assert body["payload"] == {"_t": "CompareExamplePayload", "criteria": "Which?"}
    assert body["randomCorrectProbability"] == 0.5
    assert "contextAsset" not in body


@pytest.mark.parametrize(("kind", "name"), [(LocateExample, "Locate"), (DrawExample, "Line")])
def test_region_examples_on_the_wire(kind, name):
    boxes = [Box(0, 0, 0.5, 0.5), Box(0.25, 0.25, 0.75, 0.75)]
    body = kind(instruction="Where?", datapoint="a.jpg", truths=boxes).body({"a.jpg": "A"})
    assert body["payload"] == {"_t": f"{name}ExamplePayload", "target": "Where?"}
    assert body["truth"] == {
        "_t": f"{name}ExampleTruth",
        "boundingBoxes": [
            {"xMin": 0, "yMin": 0, "xMax": 50, "yMax": 50},
            {"xMin": 25, "yMin": 25, "xMax": 75, "yMax": 75},
        ],
        "requiredPrecision": None,
        "requiredCompleteness": None,
    }
    # Two quarters that share a sixteenth.
    assert body["randomCorrectProbability"] == pytest.approx(0.25 + 0.25 - 0.0625)


box_edges = st.tuples(st.integers(0, 9), st.integers(1, 10)).filter(lambda edge: edge[0] < edge[1])


@given(st.lists(st.tuples(box_edges, box_edges), min_size=1, max_size=5))
def test_the_chance_of_a_region_is_the_area_that_is_covered(edges):
    boxes = [Box(x0 / 10, y0 / 10, x1 / 10, y1 / 10) for (x0, x1), (y0, y1) in edges]
    cells = {(x, y) for (x0, x1), (y0, y1) in edges for x in range(x0, x1) for y in range(y0, y1)}
    example = LocateExample(instruction="Where?", datapoint="a.jpg", truths=boxes)
    assert example.chance() == pytest.approx(len(cells) / 100)


def test_a_select_words_example_on_the_wire():
    example = SelectWordsExample(
        instruction="Which words?", datapoint="a.jpg", sentence="a white cat [None]", truths=[1]
    )
    body = example.body({"a.jpg": "A"})
    assert body["payload"]["transcription"][3] == {"word": "[None]", "wordIndex": 3}
    assert body["truth"] == {
        "_t": "TranscriptionExampleTruth",
        "correctWords": [{"word": "white", "wordIndex": 1}],
        "requiredPrecision": 1,
        "requiredCompleteness": 1,
    }
    assert body["randomCorrectProbability"] == 0.25
    assert "context" not in body


@pytest.mark.parametrize(
    ("kind", "fields", "problem"),
    [
        (
            ClassificationExample,
            {"datapoint": ITEM, "answer_options": ["a", "b"], "truth": ["c"]},
            "truth: [0] is not an answer option",
        ),
        (
            ClassificationExample,
            {"datapoint": ITEM, "answer_options": ["a", "b"], "truth": []},
            "truth: List should have at least 1 item",
        ),
        (CompareExample, {"datapoint": PAIR, "truth": "x"}, "truth: 'x' is not one of the two"),
        (CompareExample, {"datapoint": PAIR[:1], "truth": PAIR[0]}, "datapoint: has 1 item(s)"),
        (LocateExample, {"datapoint": ITEM, "truths": []}, "truths: List should have at least 1"),
        (DrawExample, {"datapoint": " ", "truths": [Box(0, 0, 1, 1)]}, "datapoint: is blank"),
        (
            SelectWordsExample,
            {"datapoint": ITEM, "sentence": "two words", "truths": [2]},
            "truths: [0] is 2; the words are 0 to 1",
        ),
        (
            SelectWordsExample,
            {"datapoint": ITEM, "sentence": "a b", "truths": [0], "required_precision": 2},
            "required_precision: Input should be less than or equal to 1",
        ),
    ],
)
def test_examples_that_make_no_sense(kind, fields, problem):
    with pytest.raises(errors.ValidationError) as caught:
        kind(instruction="What?", **fields)
    [found] = caught.value.problems
    assert found.startswith(problem)


text = st.text(min_size=1, max_size=30)


@given(name=text, namespace=st.text(max_size=5), key=text.filter(str.strip))
def test_a_name_carries_the_identity_whatever_it_says(name, namespace, key):
    identity = identify(compare(), "global", key, namespace)
    assert readable(identity.job(name)) == name
    assert fingerprint_in(identity.job(name)) == identity.fingerprint
    assert identity.job(name).endswith(identity.name_ending)


def test_identities_differ_by_what_makes_a_task():
    of = identify
    spec = compare()
    base = of(spec, "global", "k", "ns")
    assert of(compare(name="other"), "global", "k", "ns") == base
    assert of(spec, "global", "k2", "ns").key != base.key
    assert of(spec, "global", "k", "other").key != base.key
    assert of(spec, "globa", "lk", "ns").key != base.key
    assert of(spec, "aud", "k", "ns").fingerprint != base.fingerprint
    assert of(compare(responses_per_datapoint=3), "global", "k", "ns").fingerprint != (
        base.fingerprint
    )


def test_fingerprints_outlive_releases():
    # A fingerprint that changes makes everybody who submits again pay again, or be refused.
    spec = compare(contexts=["a"], settings=[NoShuffle()])
    assert fingerprint(spec, "global") == "f313ca8204d74bc6"
    assert fingerprint(classification(), "aud_1") == "5a7a9a4d296ebdd5"
    assert fingerprint(parse_job(spec.model_dump_json()), "global") == "f313ca8204d74bc6"
    assert len({fingerprint(make(), "global") for make in ALL}) == len(ALL)


def test_a_blank_key_is_refused():
    with pytest.raises(errors.ValidationError, match="key is not valid"):
        identify(compare(), "global", " ", "")
