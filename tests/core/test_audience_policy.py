"""What an audience's numbers mean, and when two examples are the same."""

import pytest

from rapidata_core import RecruitingMetrics, errors
from rapidata_core.policy.audiences import (
    example_content,
    given_names,
    graduation_rule,
    is_hopeless,
    is_same_rule,
    recruiting,
    truth_text,
)


def test_users_are_counted_by_the_beginnings_of_their_states():
    states = {
        "Graduated": 5,
        "Distilling": 4,
        "DroppedScore": 2,
        "DroppedLimit": 1,
        "InactiveGraduated": 3,
        "SomethingNew": 9,
    }
    assert recruiting(states) == RecruitingMetrics(5, 4, 3, 3, states)
    assert recruiting({}) is None
    assert recruiting(None) is None


@pytest.mark.parametrize(
    ("status", "users", "hopeless"),
    [
        ("Created", {}, True),
        ("Created", {"Graduated": 0}, True),
        ("Created", {"Graduated": 1}, False),
        ("Ready", {"Graduated": 0, "DroppedScore": 7}, True),
        ("Ready", {"Graduated": 0, "Distilling": 1}, False),
        # Curated audiences recruit nobody and have people.
        ("Ready", {}, False),
        ("Pending", {"Graduated": 0}, False),
        ("Recruiting", {}, False),
        ("SomethingNew", {}, False),
        (None, {"Graduated": 0}, False),
    ],
)
def test_when_nobody_will_ever_answer(status, users, hopeless):
    assert is_hopeless(status, recruiting(users)) is hopeless


def file(name, **metadata):
    return {"_t": "FileAsset", "fileName": name, "identifier": "x", "metadata": metadata}


def test_an_example_is_the_same_as_sent_and_as_listed():
    payload = {"_t": "CompareExamplePayload", "criteria": "Which?"}
    truth = {"_t": "LocateExampleTruth", "boundingBoxes": [{"xMin": 25}], "requiredPrecision": None}
    as_sent = example_content(
        {
            "_t": "MultiAssetInput",
            "assets": [{"_t": "ExistingAssetInput", "name": name} for name in ("1.jpg", "2.jpg")],
        },
        payload,
        truth,
        None,
    )
    as_listed = example_content(
        {"_t": "MultiAsset", "assets": [file("1.jpg"), file("2.jpg")], "metadata": {}},
        {**payload, "new": None},
        {"_t": "LocateExampleTruth", "boundingBoxes": [{"xMin": 25.0}]},
        None,
    )
    assert as_sent == as_listed
    assert as_sent != example_content(file("1.jpg"), payload, truth, None)
    assert example_content(None, payload, truth, "a") != example_content(None, payload, truth, "b")
    text = {"_t": "TextAsset", "text": "a"}
    assert example_content(text, None, None, None) != example_content(None, None, None, None)


def test_assets_are_named_as_they_were_given():
    url = {"sourceUrl": {"_t": "SourceUrlMetadataModel", "url": "https://x/a.jpg"}}
    name = {"originalFilename": {"originalFilename": "local.png"}}
    assert given_names(file("f1", **url)) == "https://x/a.jpg"
    assert given_names(file("f1", **name)) == "local.png"
    assert given_names(file("f1", sourceUrl=None)) == "f1"
    assert given_names({"_t": "TextAsset", "text": "hello"}) == "hello"
    assert given_names({"assets": [file("f1"), file("f2")]}) == "['f1', 'f2']"
    assert given_names({"_t": "NullAsset"}) is None
    assert given_names(None) is None


def test_truths_as_text():
    assert truth_text({"_t": "ClassifyExampleTruth", "correctCategories": ["a"]}) == '["a"]'
    assert truth_text({"_t": "CompareExampleTruth", "winnerId": "a.jpg"}) == "a.jpg"
    assert truth_text({"_t": "NewTruth", "right": 5}) == '{"right": 5}'
    assert truth_text(None) is None


def test_the_rule_of_an_audience():
    assert graduation_rule(None, None, None) is None
    rule = graduation_rule(None, 3, None)
    assert rule == {
        "_t": "TaskAccuracy",
        "targetAccuracy": 0.75,
        "minTasks": 3,
        "maxTasks": None,
    }
    assert is_same_rule(rule, {**rule, "targetAccuracy": 0.75, "minTasks": 3})
    assert not is_same_rule(rule, graduation_rule(None, 4, None))
    assert is_same_rule(None, graduation_rule(0.75, 10, None))
    assert not is_same_rule(None, rule)
    with pytest.raises(errors.ValidationError) as caught:
        graduation_rule(0, 0, -1)
    assert len(caught.value.problems) == 3
