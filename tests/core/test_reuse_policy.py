"""Names with notes and markers, and which examples an audience lacks or has twice."""

import pytest

from rapidata_core import errors
from rapidata_core.jobs import CompareExample, CompareJob
from rapidata_core.jobs.qualification import EXAMPLE_TYPES, parse_example
from rapidata_core.policy.audiences import (
    example_as_given,
    listed_as_given,
    missing_examples,
    surplus_examples,
)
from rapidata_core.policy.submission import (
    content_fingerprint,
    fingerprint_in,
    identify_definition,
    noted,
    paused_by,
    readable,
    renamed,
)
from rapidata_core.wire.audience import ExampleAnswer

MARKER = " [rk:0123456789abcdef.fedcba9876543210]"
SPEC = CompareJob(name="n", instruction="Which?", datapoints=[["a.jpg", "b.jpg"]])


@pytest.mark.parametrize("marker", ["", MARKER])
def test_a_note_stands_before_the_marker(marker):
    name = noted(f"Prompt alignment{marker}", "Airflow")
    assert name == f"Prompt alignment (paused by Airflow){marker}"
    assert (paused_by(name), readable(name)) == ("Airflow", "Prompt alignment")
    assert fingerprint_in(name) == fingerprint_in(f"Prompt alignment{marker}")
    # There is one note at most.
    assert noted(name, "Dagster") == f"Prompt alignment (paused by Dagster){marker}"
    assert noted(name, None) == f"Prompt alignment{marker}"
    assert paused_by(noted(name, None)) is None
    assert renamed(name, "Other") == f"Other (paused by Airflow){marker}"
    assert renamed(noted(name, None), "Other") == f"Other{marker}"


def test_other_brackets_are_part_of_the_name():
    for name in ("Study (2)", "(paused by Airflow) again", "Study (paused by Airflow"):
        assert readable(name) == name
        assert paused_by(name) is None


def test_what_a_definition_says_is_known_by_its_content():
    files = {"a.jpg": "1", "b.jpg": "2"}
    known = content_fingerprint(SPEC, files)
    assert content_fingerprint(SPEC.model_copy(update={"name": "m"}), files) == known
    others = [
        content_fingerprint(SPEC, {**files, "a.jpg": "3"}),
        content_fingerprint(SPEC.model_copy(update={"responses_per_datapoint": 3}), files),
    ]
    assert known not in others


def test_a_task_that_asks_a_definition_is_known_by_it_and_by_a_revision_that_is_given():
    asked = [
        identify_definition(definition, revision, audience, "k", "")
        for definition, revision, audience in (
            ("d", None, "a"),
            ("d", 1, "a"),
            ("d", 2, "a"),
            ("d", None, "b"),
            ("e", None, "a"),
        )
    ]
    assert len({identity.fingerprint for identity in asked}) == 5
    assert len({identity.key for identity in asked}) == 1


@pytest.mark.parametrize("revision", [0, -1, True, "2", 1.5])
def test_a_revision_has_a_number(revision):
    with pytest.raises(errors.ValidationError, match="revision_number: must be a whole number"):
        identify_definition("d", revision, "a", "k", "")


def asset(name, **metadata):
    return {"_t": "FileAsset", "fileName": name, "metadata": metadata}


def test_examples_are_compared_by_what_was_given():
    url, path = "https://a.example/x.jpg", "/some/where/y.jpg"
    example = CompareExample(instruction="Which?", datapoint=[url, path], truth=url)
    listed = {
        "id": "1",
        "asset": {
            "_t": "MultiAsset",
            "assets": [
                asset("f1", sourceUrl={"url": url}, originalFilename={"originalFilename": "x"}),
                asset("f2", originalFilename={"originalFilename": "y.jpg"}),
            ],
        },
        "payload": example.payload(),
        "truth": {"_t": "CompareExampleTruth", "winnerId": "f1"},
    }
    assert listed_as_given(ExampleAnswer.model_validate(listed)) == example_as_given(example)
    listed["truth"]["winnerId"] = "f2"
    other = CompareExample(instruction="Which?", datapoint=[url, path], truth=path)
    assert listed_as_given(ExampleAnswer.model_validate(listed)) == example_as_given(other)
    assert example_as_given(example) != example_as_given(other)


def test_several_examples_that_look_the_same_count_each():
    assert missing_examples(["a", "a", "b"], ["a", "c"]) == [1, 2]
    assert missing_examples(["a", "b"], ["b", "a", "a"]) == []
    assert surplus_examples(["a", "b"], {"3": "a", "1": "a", "2": "b", "4": "c", "5": "c"}) == ["3"]
    assert surplus_examples(["a", "a"], {"1": "a", "2": "a"}) == []


@pytest.mark.parametrize("kind", sorted(EXAMPLE_TYPES))
def test_every_type_of_example_is_read_by_its_name(kind):
    assert EXAMPLE_TYPES[kind].model_fields["type"].default == kind
    with pytest.raises(errors.ValidationError, match="instruction"):
        parse_example({"type": kind})


def test_an_example_is_read_as_it_was_written():
    box = {"x_min": 0.1, "y_min": 0.1, "x_max": 0.5, "y_max": 0.5}
    given = {"type": "locate", "instruction": "Where?", "datapoint": "a.jpg", "truths": [box]}
    example = parse_example(given)
    assert parse_example(example) is example
    assert parse_example(example.model_dump(mode="json")) == example
    with pytest.raises(errors.ValidationError, match="x_min must be below x_max"):
        parse_example({**given, "truths": [{**box, "x_min": 0.9}]})
