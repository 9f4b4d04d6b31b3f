"""Job specs: what they accept, what they say about bad input, what they put on the wire."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapidata_core import ClassificationJob, CompareJob, NoShuffle, errors, fingerprint, parse_job
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


@pytest.mark.parametrize(
    ("make", "changes", "sentence"),
    [
        (compare, {"name": " "}, "name: must not be blank"),
        (compare, {"instruction": "x" * 251}, "instruction: String should have at most 250"),
        (compare, {"datapoints": []}, "datapoints: List should have at least 1 item"),
        (compare, {"datapoints": "ab"}, "datapoints: Input should be a valid list"),
        (compare, {"datapoints": [["a.jpg", PAIR[1]]]}, "datapoints: [0] is not an http or https"),
        (compare, {"datapoints": [PAIR[:1]]}, "datapoints: [0] has 1 item(s); a pair has exactly"),
        (compare, {"datapoints": [PAIR[:1] * 2]}, "datapoints: [0] has the same item twice"),
        (compare, {"datapoints": [["a", ""]], "data_type": "text"}, "datapoints: [0] is blank"),
        (compare, {"contexts": ["a", "b"]}, "contexts: has 2 entries for 1 datapoints"),
        (compare, {"contexts": ["x" * 401]}, "contexts: [0] has 401 characters; at most 400"),
        (compare, {"contexts": [""]}, "contexts: [0] is blank"),
        (compare, {"media_contexts": [[]]}, "media_contexts: [0] has 0 images"),
        (compare, {"media_contexts": [["x.jpg"]]}, "media_contexts: [0] is not an http or https"),
        (compare, {"a_b_names": ["same", "same"]}, "a_b_names: must be two different"),
        (compare, {"responses_per_datapoint": 0}, "responses_per_datapoint: Input should be"),
        (compare, {"private_metadata": []}, "private_metadata: has 0 entries for 1 datapoints"),
        (compare, {"data_type": "audio"}, "data_type: Input should be 'media' or 'text'"),
        (compare, {"typo": 1}, "typo: Extra inputs are not permitted"),
        (classification, {"answer_options": []}, "answer_options: List should have at least 2"),
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
    uploaded = {url: f"up-{url[-5:]}" for url in spec.asset_urls()}
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
    assert spec.feature_flags("rapids") == [{"key": "no_shuffle", "value": "true"}]
    assert spec.schema_segments() is None
    assert spec.datapoint(0, uploaded) == {
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
    assert spec.asset_urls() == []
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
    assert spec.datapoint(0, {}) == {
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


def test_urls_are_uploaded_once():
    spec = compare(datapoints=[PAIR, PAIR[::-1]], media_contexts=[[PAIR[0]], [PAIR[1]]])
    assert spec.asset_urls() == PAIR


@pytest.mark.parametrize("spec", [compare(contexts=["c"]), classification(settings=[NoShuffle()])])
def test_specs_round_trip(spec):
    assert parse_job(spec.model_dump_json()) == spec
    assert parse_job(json.loads(spec.model_dump_json(exclude_defaults=True)) | {"type": spec.type})
    assert JOB_TYPES[spec.type] is type(spec)


@pytest.mark.parametrize(
    ("description", "problem"),
    [
        ({}, "type: must be one of classification, compare, not None"),
        ({"type": "sudoku"}, "type: must be one of classification, compare, not 'sudoku'"),
        ("{", "is not JSON"),
        ([1], "must be a mapping, not list"),
    ],
)
def test_what_is_no_spec(description, problem):
    with pytest.raises(errors.ValidationError, match="job spec is not valid") as caught:
        parse_job(description)
    assert caught.value.problems[0].startswith(problem)


text = st.text(min_size=1, max_size=30)


@given(name=text, namespace=st.text(max_size=5), key=text.filter(str.strip))
def test_a_name_carries_the_identity_whatever_it_says(name, namespace, key):
    identity = identify(compare(), "global", key, namespace)
    assert readable(identity.name(name)) == name
    assert fingerprint_in(identity.name(name)) == identity.fingerprint
    assert identity.name(name).endswith(identity.name_ending)


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


def test_a_blank_key_is_refused():
    with pytest.raises(errors.ValidationError, match="key is not valid"):
        identify(compare(), "global", " ", "")
