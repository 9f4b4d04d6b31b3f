"""Settings, filters, jobs and money: what the vendor's SDK says, ours says."""

import inspect

import pytest

import rapidata_core

LONG = 14 * 24 * 3600
TEXTS = {
    "name": "Texts",
    "instruction": "Which is true?",
    "datapoints": [["left", "right"], ["up", "down"]],
    "data_type": "text",
}


def vendor_settings():
    import rapidata
    from rapidata.rapidata_client.settings import RapidataSetting

    found = {
        name: kind
        for name, kind in vars(rapidata).items()
        if inspect.isclass(kind) and issubclass(kind, RapidataSetting)
    }
    return {name: kind for name, kind in found.items() if kind is not RapidataSetting}


def test_every_setting_of_the_vendor_is_there_and_says_the_same():
    given = {"FreeTextMinimumCharactersSetting": (5,), "CustomSetting": ("key", "value")}
    settings = vendor_settings()
    assert len(settings) >= 20
    for name, kind in settings.items():
        theirs = kind(*given.get(name, ()))
        ours = getattr(rapidata_core, name)(*given.get(name, ()))
        assert (ours.key, ours.value) == (theirs.key, str(theirs.value)), name


def filters_of(words):
    return [
        words.CountryFilter(["us", "DE"]),
        words.LanguageFilter(["EN"]),
        words.AgeFilter([words.AgeGroup.UNDER_18, words.AgeGroup.BETWEEN_50_64]),
        words.GenderFilter([words.Gender.OTHER]),
        words.DeviceFilter([words.DeviceType.PHONE, words.DeviceType.UNKNOWN]),
        (words.CountryFilter(["US"]) | words.CountryFilter(["CA"]) | words.CountryFilter(["MX"]))
        & ~words.LanguageFilter(["fr"]),
    ]


def test_filters_are_written_the_same():
    import rapidata

    for theirs, ours in zip(filters_of(rapidata), filters_of(rapidata_core), strict=True):
        assert ours.wire() == theirs._to_audience_model().to_dict()


def test_the_names_and_defaults_of_the_configuration():
    import rapidata

    theirs = rapidata.rapidata_config.upload.model_dump()
    ours = rapidata_core.rapidata_config.upload.model_dump()
    # The documents that our users have say 128; both are without effect here.
    assert ours.pop("cacheShards") == 128
    theirs.pop("cacheShards")
    assert ours == theirs
    theirs = rapidata.rapidata_config.logging.model_dump()
    ours = rapidata_core.rapidata_config.logging.model_dump()
    for name in ("level", "log_file", "format", "silent_mode"):
        assert ours[name] == theirs[name], name


def test_the_life_of_a_job_read_by_both(vendor, ours, sandbox):
    # So many answers take their time, even on this sandbox's fast clock.
    definition = vendor.job.create_compare_job_definition(**TEXTS, responses_per_datapoint=2000)
    theirs = vendor.audience.get_audience_by_id("global").assign_job(definition)
    own = ours.job.get_job_by_id(theirs.id)
    sandbox.advance(5)
    theirs.pause()
    assert own.get_status() == theirs.get_status() == "Paused"
    progress, other = own.get_progress(), theirs.get_progress()
    assert progress.completion_percentage == other.completion_percentage
    early, others_early = own.get_results(True), theirs.get_results(preliminary_results=True)
    assert early["results"] == others_early["results"]
    own.resume()
    assert own.completed_at is None
    sandbox.advance(LONG)
    assert own.completed_at == theirs.completed_at
    assert own.estimated_cost.estimated_cost == theirs.estimated_cost.estimated_cost
    sandbox.set_job_state(own.id, "StaleResults")
    assert own.get_results()["results"] == theirs.get_results()["results"]
    own.rename("Another name")
    assert vendor.job.get_job_by_id(own.id).name == "Another name"


def test_jobs_in_a_row_read_by_both(vendor, ours, sandbox):
    audience = ours.audience.get_audience_by_id("global")
    definition = ours.job.create_compare_job_definition(**TEXTS)
    first = audience.assign_job(definition)
    first.pause()
    second = audience.assign_job(definition, run_after=first)
    sandbox.advance(LONG)
    assert vendor.job.get_job_by_id(second.id).get_status() == "Queued"
    vendor.job.get_job_by_id(first.id).resume()
    sandbox.advance(LONG)
    assert second.get_status() == "Completed"
    listed = vendor.audience.get_audience_by_id("global").find_jobs("Texts")
    assert [job.id for job in listed] == [job.id for job in audience.find_jobs("Texts")]


def test_the_recruiting_of_an_audience_read_by_both(vendor, ours, sandbox):
    audience = ours.audience.create_audience("Qualified", min_tasks=3)
    for number in range(3):
        audience.add_compare_example(
            instruction="Which is true?",
            datapoint=[f"yes {number}", f"no {number}"],
            truth=f"yes {number}",
            data_type="text",
        )
    definition = ours.job.create_compare_job_definition(**TEXTS)
    job = audience.assign_job(definition)
    sandbox.advance(LONG)
    own = job.get_progress()
    theirs = vendor.job.get_job_by_id(job.id).get_progress()
    for bucket in ("graduated", "distilling", "dropped", "inactive"):
        found = getattr(theirs.recruiting, bucket)
        assert getattr(own.recruiting, bucket) == found
        assert getattr(audience.get_recruiting_metrics(), bucket) == found
    examples = vendor.audience.get_audience_by_id(audience.id).get_examples()
    for column in ("id", "asset", "truth"):
        assert list(audience.get_examples()[column]) == list(examples[column]), column


def test_the_bill_read_by_both(vendor, ours, sandbox):
    ours.audience.get_audience_by_id("global").assign_job(
        ours.job.create_compare_job_definition(**TEXTS)
    )
    sandbox.advance(LONG)
    own, theirs = (client.billing.get_current_billing_period() for client in (ours, vendor))
    for field in ("id", "start_date", "end_date", "status", "response_count"):
        assert getattr(own, field) == getattr(theirs, field), field
    for field in ("outstanding_cost", "gross_cost", "discount", "credits"):
        assert round(getattr(own, field), 2) == pytest.approx(getattr(theirs, field)), field
    owed = ours.billing.get_outstanding_balance()
    assert round(owed.total, 2) == vendor.billing.get_outstanding_balance()
