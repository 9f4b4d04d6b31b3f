"""Audiences: the vendor's SDK makes, changes and uses them on our sandbox."""

import importlib

import pandas
import pytest

URLS = [f"https://assets.rapidata.ai/audience_{n}.jpg" for n in range(8)]
LIKERT = ["1: Not at all", "2: A little", "3: Moderately", "4: Very well", "5: Perfectly"]


def words_of(audience):
    """The package that an audience's class comes from: the vendor's or ours."""
    return importlib.import_module(type(audience).__module__.split(".")[0])


def compare(audience, number, **changes):
    pair = [URLS[2 * number % 8], URLS[(2 * number + 1) % 8]]
    audience.add_compare_example(
        **{
            "instruction": "Which image follows the prompt more accurately?",
            "datapoint": pair,
            "truth": pair[0],
            "context": f"prompt {number}",
            **changes,
        }
    )


def classification(audience, number, **changes):
    audience.add_classification_example(
        **{
            "instruction": "How well does the image match the description?",
            "answer_options": LIKERT,
            "datapoint": URLS[number % 8],
            "truth": ["5: Perfectly", "4: Very well"],
            "context": f"A laptop screen with text {number}",
            "settings": [words_of(audience).NoShuffleSetting()],
            **changes,
        }
    )


def locate(audience, number, **changes):
    box = words_of(audience).Box(x_min=0.1, y_min=0.1, x_max=0.4, y_max=0.4)
    more = {"instruction": "Find it", "datapoint": URLS[number % 8], "truths": [box]}
    audience.add_locate_example(**(more | changes))


def draw(audience, number, **changes):
    box = words_of(audience).Box(x_min=0.2, y_min=0.2, x_max=0.6, y_max=0.5)
    more = {"instruction": "Draw it", "datapoint": URLS[number % 8], "truths": [box]}
    audience.add_draw_example(**(more | changes))


def select_words(audience, number, **changes):
    more = {
        "instruction": "Which words are wrong?",
        "datapoint": URLS[number % 8],
        "sentence": "a blue book on a red book",
        "truths": [1, 5],
    }
    audience.add_select_words_example(**(more | changes))


KINDS = [compare, classification, locate, draw, select_words]


def pair_definition(client, **changes):
    return client.job.create_compare_job_definition(
        **{
            "name": "a job for an audience",
            "instruction": "Which image follows the prompt more accurately?",
            "datapoints": [URLS[0:2], URLS[2:4]],
            "responses_per_datapoint": 10,
            "contexts": ["prompt 0", "prompt 1"],
            **changes,
        }
    )


@pytest.mark.parametrize("example", KINDS)
def test_examples_of_every_kind_qualify_people_for_a_job(vendor, sandbox, example):
    audience = vendor.audience.create_audience(name=f"Audience {example.__name__}")
    for number in range(3):
        example(audience, number, explanation="because")
    table = audience.get_examples()
    assert isinstance(table, pandas.DataFrame)
    assert list(table.columns) == ["id", "asset", "truth", "context", "contextAsset"]
    assert len(table) == 3
    metrics = audience.get_recruiting_metrics()
    assert (metrics.graduated, metrics.distilling, metrics.dropped) == (0, 0, 0)

    definition = pair_definition(vendor)
    # The documents never call start_recruiting: the job does it.
    job = audience.assign_job(definition)
    sandbox.advance(1800)
    job.display_progress_bar(refresh_rate=1)
    results = job.get_results()
    assert len(results["results"]) == 2
    assert all(sum(row["aggregatedResults"].values()) == 10 for row in results["results"])
    metrics = audience.get_recruiting_metrics()
    assert metrics.graduated >= 10
    assert metrics.dropped > 0
    assert job.get_progress().recruiting.graduated == metrics.graduated
    assert [found.id for found in audience.find_jobs()] == [job.id]


@pytest.mark.parametrize("example", KINDS)
def test_our_client_reads_what_the_vendor_made(vendor, ours, sandbox, example):
    audience = vendor.audience.create_audience(name=f"Read {example.__name__}")
    for number in range(3):
        example(audience, number)
    audience.start_recruiting()
    sandbox.advance(3600)
    same = ours.audience.get_audience_by_id(audience.id)
    assert (same.id, same.name) == (audience.id, f"Read {example.__name__}")
    assert [found.id for found in ours.audience.find_audiences("Read")] == [
        found.id for found in vendor.audience.find_audiences("Read")
    ]
    theirs, table = audience.get_examples(), same.get_examples()
    assert list(table["id"]) == list(theirs["id"])
    assert list(table["context"]) == list(theirs["context"])
    assert (table["correctCount"] > 0).all()
    theirs_metrics, metrics = audience.get_recruiting_metrics(), same.get_recruiting_metrics()
    for name in ("graduated", "distilling", "dropped", "inactive"):
        assert getattr(metrics, name) == getattr(theirs_metrics, name)
    assert metrics.graduated > 0
    same.delete_example(table["id"][0])
    assert list(audience.get_examples()["id"]) == list(table["id"])[1:]


@pytest.mark.parametrize("example", KINDS)
def test_the_vendor_reads_what_our_client_made(vendor, ours, sandbox, example):
    mine = ours.audience.create_audience(name="Mine")
    theirs = vendor.audience.create_audience(name="Theirs")
    for number in range(3):
        example(mine, number, explanation="because")
        example(theirs, number, explanation="because")
    mine.start_recruiting()
    theirs.start_recruiting()
    sandbox.advance(3600)
    same = vendor.audience.get_audience_by_id(mine.id)
    assert same.name == "Mine"
    columns = ["asset", "truth", "context", "contextAsset"]
    pandas.testing.assert_frame_equal(same.get_examples()[columns], theirs.get_examples()[columns])
    # The candidates differ, so their number does too; what they have to know is the same.
    shares = [
        metrics.graduated / (metrics.graduated + metrics.dropped)
        for metrics in (same.get_recruiting_metrics(), theirs.get_recruiting_metrics())
    ]
    assert shares[0] == pytest.approx(shares[1], abs=0.05)


def test_filters_read_by_both(vendor, ours):
    from rapidata import AgeFilter, AgeGroup, CountryFilter, Gender, GenderFilter, LanguageFilter

    theirs = [
        CountryFilter(["US", "de"]) & ~LanguageFilter(["fr"]),
        AgeFilter([AgeGroup.OVER_65]) | GenderFilter([Gender.OTHER]),
    ]
    made = vendor.audience.create_audience(name="Theirs", filters=theirs)
    ours_of_made = ours.audience.get_audience_by_id(made.id)
    copy = ours.audience.create_audience(name="Ours", filters=ours_of_made.filters)
    read = vendor.audience.get_audience_by_id(copy.id)
    assert str(read.filters) == str(vendor.audience.get_audience_by_id(made.id).filters)


def test_examples_of_texts_and_with_media_context(vendor, tmp_path):
    picture = tmp_path / "local.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n local")
    audience = vendor.audience.create_audience(name="Texts")
    compare(audience, 0, datapoint=["a good text", "a bad text"], truth="a good text",
            data_type="text", context=None)  # fmt: skip
    classification(audience, 1, datapoint="a text", data_type="text")
    compare(audience, 2, datapoint=[str(picture), URLS[0]], truth=str(picture))
    locate(audience, 3, datapoint=str(picture), context="where", media_context=[URLS[1], URLS[2]])
    table = audience.get_examples(amount=100)
    assert table["truth"][0] == "a good text"
    assert "a good text" in table["asset"][0]
    assert table["asset"][1] == "a text"
    assert "local.png" in table["truth"][2]
    assert table["contextAsset"][3].count("audience_") == 2
    assert table["context"][3] == "where"


def test_an_example_is_deleted(vendor):
    audience = vendor.audience.create_audience(name="Shrinking")
    for number in range(4):
        compare(audience, number)
    ids = list(audience.get_examples()["id"])
    audience.delete_example(ids[1])
    assert list(audience.get_examples()["id"]) == [ids[0], *ids[2:]]
    assert list(audience.get_examples(amount=2, page=2)["id"]) == [ids[3]]


def test_recruiting_is_started_explicitly(vendor, sandbox):
    from rapidata.rapidata_client.exceptions import RapidataError

    audience = vendor.audience.create_audience(
        name="Explicit", target_accuracy=0.6, min_tasks=3, max_tasks=5
    )
    compare(audience, 0)
    with pytest.raises(RapidataError, match="too few examples"):
        audience.start_recruiting()
    compare(audience, 1)
    compare(audience, 2)
    audience.start_recruiting()
    sandbox.advance(30)
    assert audience.get_recruiting_metrics().distilling > 0
    sandbox.advance(1800)
    metrics = audience.get_recruiting_metrics()
    assert metrics.graduated > 50
    assert metrics.distilling == 0
    job = audience.assign_job(pair_definition(vendor))
    sandbox.advance(600)
    assert len(job.get_results()["results"]) == 2


def test_waiting_for_an_audience_without_examples_is_refused(vendor):
    audience = vendor.audience.create_audience(name="Empty")
    job = audience.assign_job(pair_definition(vendor))
    with pytest.raises(Exception, match="never"):
        job.get_results()


def test_waiting_for_an_audience_that_admits_nobody_is_refused(vendor, sandbox):
    from rapidata import CountryFilter

    audience = vendor.audience.create_audience(name="Nobody", filters=[CountryFilter(["AQ"])])
    for number in range(3):
        compare(audience, number)
    job = audience.assign_job(pair_definition(vendor))
    sandbox.advance(3600)
    with pytest.raises(Exception, match="never"):
        job.get_results()


def test_an_audience_is_found_renamed_and_deleted(vendor):
    from rapidata import (
        AgeFilter,
        AgeGroup,
        CountryFilter,
        DeviceFilter,
        DeviceType,
        Gender,
        GenderFilter,
        LanguageFilter,
    )

    audience = vendor.audience.create_audience(
        name="Find this one", filters=[CountryFilter(["us", "DE"]), LanguageFilter(["en"])]
    )
    (found,) = vendor.audience.find_audiences("Find this")
    assert (found.id, found.name) == (audience.id, "Find this one")
    audience.update_name("Renamed")
    audience.update_filters(
        [
            AgeFilter([AgeGroup.BETWEEN_18_29])
            & (GenderFilter([Gender.FEMALE]) | ~DeviceFilter([DeviceType.TABLET]))
        ]
    )
    same = vendor.audience.get_audience_by_id(audience.id)
    assert same.name == "Renamed"
    assert str(same.filters) == str(audience.filters)
    newest, *_ = vendor.audience.find_audiences("", amount=100)
    assert newest.id == audience.id
    assert vendor.audience.find_audiences("Find this") == []
    audience.delete()
    assert vendor.audience.find_audiences("Renamed") == []
    with pytest.raises(Exception, match="not found"):
        vendor.audience.get_audience_by_id(audience.id)


def test_a_filtered_audience(vendor, sandbox):
    from rapidata import CountryFilter, Gender, GenderFilter

    base = vendor.audience.get_audience_by_id("global")
    filtered = base.filter([CountryFilter(["US"]), GenderFilter([Gender.FEMALE])])
    assert filtered.id != "global"
    job = filtered.assign_job(pair_definition(vendor))
    sandbox.advance(600)
    people = [
        detail["userDetails"]
        for row in job.get_results()["results"]
        for detail in row["detailedResults"]
    ]
    assert len(people) == 20
    assert {each["country"] for each in people} == {"US"}
    assert {each["demographics"]["gender"] for each in people} == {"Female"}
    assert [found.id for found in filtered.find_jobs()] == [job.id]


def test_an_unlisted_audience(vendor, sandbox):
    audience = vendor.audience.create_unlisted_audience(name="Colleagues")
    assert audience.link.endswith(f"/label/{audience.id}")
    same = vendor.audience.get_audience_by_id(audience.id)
    assert (same.id, same.name) == (audience.id, "Colleagues")
    job = audience.assign_job(pair_definition(vendor))
    assert audience.get_job_link(job).endswith(job.id)
    sandbox.advance(600)
    assert len(job.get_results()["results"]) == 2
