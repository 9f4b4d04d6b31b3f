"""Benchmarks: the vendor's SDK and our client make and read the same."""

import pandas.testing
import pytest

PROMPTS = ["A serene mountain landscape at sunset", "A futuristic city with flying cars"]
AN_HOUR = 3600


def media(name, versions=3):
    return [f"https://assets.rapidata.ai/{name}_{number}.png" for number in range(versions)]


def contest(client, names=("Flux", "Midjourney", "Imagen"), **board):
    """A benchmark with models that are evaluated together, made as the documents do."""
    benchmark = client.mri.create_new_benchmark(
        name="AI Art Competition",
        prompts=PROMPTS,
        tags=[["landscape", "outdoor"], ["outdoor", "city"]],
    )
    leaderboard = benchmark.create_leaderboard(
        **{
            "name": "Realism",
            "instruction": "Which image is more realistic?",
            "show_prompt": False,
            **board,
        }
    )
    for name in names:
        benchmark.add_model(name=name, media=media(name), prompts=[PROMPTS[0], *PROMPTS])
    benchmark.run()
    return benchmark, leaderboard


def same_standings(theirs, ours):
    pandas.testing.assert_frame_equal(theirs, ours, check_dtype=False)


@pytest.mark.parametrize("maker", ["vendor", "ours"])
def test_both_read_the_same(vendor, ours, sandbox, maker):
    made, _ = contest(vendor if maker == "vendor" else ours)
    sandbox.assert_paid_jobs(1)
    sandbox.advance(AN_HOUR)
    theirs = vendor.mri.get_benchmark_by_id(made.id)
    same = ours.mri.get_benchmark_by_id(made.id)
    assert same.name == theirs.name == "AI Art Competition"
    for attribute in ("identifiers", "prompts", "english_prompts", "prompt_assets", "tags"):
        assert getattr(same, attribute) == getattr(theirs, attribute), attribute
    assert sorted(same.prompts) == sorted(PROMPTS)
    pandas.testing.assert_frame_equal(theirs.get_tag_counts(), same.get_tag_counts())

    assert [p.id for p in same.participants] == [p.id for p in theirs.participants]
    for own, other in zip(same.participants, theirs.participants, strict=True):
        assert own.name == other.name
        assert own.status == other.status.value == "Submitted"
        assert own.get_elo() == other.get_elo() is not None
        assert own.missing_counts(PROMPTS * 2) == other.missing_counts(PROMPTS * 2)

    [board], [their_board] = same.leaderboards, theirs.leaderboards
    for attribute in (
        "id",
        "name",
        "instruction",
        "show_prompt",
        "show_prompt_asset",
        "inverse_ranking",
        "response_budget",
        "level_of_detail",
        "min_responses_per_matchup",
        "included_tags",
        "excluded_tags",
    ):
        assert getattr(board, attribute) == getattr(their_board, attribute), attribute
    assert board.vote_aggregation == their_board.vote_aggregation.value.value == "MajorityVote"
    assert [job.id for job in board.jobs] == [job.id for job in their_board.jobs]
    assert len(board.jobs) == 1

    from rapidata import AgeGroup, Gender

    from rapidata_core import AgeGroup as OwnAgeGroup
    from rapidata_core import Gender as OwnGender

    for wanted, own in (
        ({}, {}),
        ({"tags": ["city"]}, {"tags": ["city"]}),
        ({"tags": ["landscape", "outdoor"]}, {"tags": ["landscape", "outdoor"]}),
        ({"country": ["DE", "US"], "language": ["de"]},) * 2,
        ({"gender": [Gender.FEMALE]}, {"gender": [OwnGender.FEMALE]}),
        ({"age_bucket": [AgeGroup.OVER_65]}, {"age_bucket": [OwnAgeGroup.OVER_65]}),
        ({"occupation": ["Student"]},) * 2,
    ):
        same_standings(their_board.get_standings(**wanted), board.get_standings(**own))
        same_standings(theirs.get_overall_standings(**wanted), same.get_overall_standings(**own))
        for weighted in (None, False, True):
            pandas.testing.assert_frame_equal(
                their_board.get_win_loss_matrix(use_weighted_scoring=weighted, **wanted),
                board.get_win_loss_matrix(use_weighted_scoring=weighted, **own),
            )
    pandas.testing.assert_frame_equal(
        theirs.get_win_loss_matrix(leaderboard_ids=[board.id]),
        same.get_win_loss_matrix(leaderboard_ids=[board.id]),
    )
    assert set(board.get_standings()["name"]) == {"Flux", "Midjourney", "Imagen"}
    assert board.get_standings(tags=["city"])["total_matches"].sum() == 2 * 3
    assert [b.id for b in ours.mri.find_benchmarks("Art")] == [
        b.id for b in vendor.mri.find_benchmarks("Art")
    ]


def test_the_vendor_s_advanced_benchmarks(vendor, ours, sandbox, tmp_path):
    from rapidata import NoShuffleSetting
    from rapidata.rapidata_client.benchmark.prompt_metadata import Origin, Tag

    import rapidata_core

    picture = tmp_path / "reference.png"
    picture.write_bytes(b"a reference")
    theirs = vendor.mri.create_new_benchmark(
        name="Preference Benchmark",
        identifiers=["scene_1", "scene_2"],
        prompts=["A serene mountain landscape at sunset", None],
        prompt_assets=[["https://x.example/1.png", str(picture)], ["https://x.example/2.png"]],
        tags=[[Tag("landscape", category="scene"), "outdoor"], None],
        origins=["coco", None],
    )
    theirs.add_prompts(identifiers=["new_style"], prompts=["In this style"], tags=[["modern"]])
    theirs.update_prompt("new_style", tags=["abstract"], origin=Origin("ours"))
    theirs.update(min_assets_per_prompt=2)
    theirs = vendor.mri.get_benchmark_by_id(theirs.id)
    same = ours.mri.get_benchmark_by_id(theirs.id)
    for attribute in ("identifiers", "prompts", "prompt_assets", "tags"):
        assert getattr(same, attribute) == getattr(theirs, attribute), attribute
    first = same.identifiers.index("scene_1")
    assert same.prompt_assets[first] == ["https://x.example/1.png", "reference.png"]
    assert same.structured_tags[first][0] == rapidata_core.Tag("landscape", "scene")
    assert [origin and origin.source for origin in same.origins] == [
        origin and origin.source for origin in theirs.origins
    ]

    base = vendor.audience.get_audience_by_id("global")
    from rapidata import CountryFilter

    swiss = base.filter([CountryFilter(["CH"])])
    made = theirs.create_leaderboard(
        name="Quality Assessment",
        instruction="Which image has lower quality?",
        inverse_ranking=True,
        show_prompt=True,
        show_prompt_asset=True,
        level_of_detail="debug",
        min_responses_per_matchup=4,
        audience_id=swiss,
        settings=[NoShuffleSetting()],
        excluded_tags=["abstract"],
        skip_initial_run=True,
    )
    made.update(name="Renamed", level_of_detail="low", min_responses_per_matchup=5)
    [board] = same.leaderboards
    assert (board.name, board.level_of_detail, board.inverse_ranking) == ("Renamed", "low", True)
    assert (board.min_responses_per_matchup, board.excluded_tags) == (5, ["abstract"])
    assert board.audience_id == swiss.id


def test_participants_managed_by_either(vendor, ours, sandbox):
    made, _ = contest(vendor, names=("A", "B", "C", "D"))
    sandbox.advance(AN_HOUR)
    same = ours.mri.get_benchmark_by_id(made.id)
    made = vendor.mri.get_benchmark_by_id(made.id)
    made.participants[0].rename("New model name")
    made.participants[0].set_price(0.5, "image")
    made.participants[1].disable()
    made.participants[2].delete()
    first, second, third = same.participants
    assert (first.name, first.price, first.price_unit) == ("New model name", 0.5, "image")
    assert (second.name, second.status) == ("B", "Disabled")
    assert third.name == "D"
    first.clear_price()
    second.enable()
    third.delete()
    left = vendor.mri.get_benchmark_by_id(made.id).participants
    assert [(p.name, p.status.value, p.price) for p in left] == [
        ("New model name", "Submitted", None),
        ("B", "Submitted", None),
    ]


def test_models_are_completed_and_texts_compared_by_either(vendor, ours, sandbox):
    made = vendor.mri.create_new_benchmark(name="Texts", prompts=PROMPTS)
    leaderboard = made.create_leaderboard(name="Style", instruction="Which reads better?")
    half = made.add_model("Half", ["one", "two"], prompts=[PROMPTS[0]] * 2, data_type="text")
    same = ours.mri.get_benchmark_by_id(made.id)
    [participant] = same.participants
    assert participant.status == "Submittable"
    assert participant.missing_counts([*PROMPTS]) == half.missing_counts([*PROMPTS])
    participant.upload_media(["two", "three"], [PROMPTS[0], PROMPTS[1]], data_type="text")
    assert not half.missing_counts([*PROMPTS, PROMPTS[0]])
    uploaded, failed = half.upload_media(["three"], [PROMPTS[1]], data_type="text")
    assert (uploaded, failed) == ([PROMPTS[1]], [])
    half.run()
    same.evaluate_model("Other", ["a", "b"], prompts=PROMPTS, data_type="text")
    sandbox.assert_paid_jobs(1)
    sandbox.advance(AN_HOUR)
    [board] = same.leaderboards
    # Two texts of one model for the first prompt against one of the other, and one each.
    assert list(board.get_standings()["total_matches"]) == [3, 3]
    same_standings(leaderboard.get_standings(), board.get_standings())
    [job] = leaderboard.jobs
    results = job.get_results()
    assert results["info"]["instruction"] == "Which reads better?"
    assert len(results["results"]) == 3
    assert ours.job.get_job_by_id(job.id).get_results() == results


def test_demographics_that_only_the_vendor_s_sdk_reads(vendor, ours, sandbox):
    from rapidata.rapidata_client.benchmark.rapidata_benchmark import (
        BenchmarkDemographicDimension,
    )

    made, _ = contest(vendor, vote_aggregation=_all_votes())
    sandbox.advance(AN_HOUR)
    people = made.get_demographics()
    per_dimension = people.groupby("dimension")["votes"].sum()
    assert len(per_dimension) == 5
    assert per_dimension.nunique() == 1
    split = made.get_standings_breakdown(BenchmarkDemographicDimension.GENDER)
    women = split[split["segment"] == "Female"]
    only = made.get_overall_standings(gender=[_female()])
    assert list(women["wins"]) == list(only["wins"])


def _all_votes():
    from rapidata.rapidata_client.benchmark.leaderboard.vote_aggregation import VoteAggregation

    return VoteAggregation.ALL_VOTES


def _female():
    from rapidata import Gender

    return Gender.FEMALE
