"""One scenario per capability, in the words that the vendor's SDK and our client share.

``words`` is the package whose client is used: ``rapidata`` or ``rapidata_core``. Every scenario has
pictures of its own, because both clients remember what they have uploaded.
"""

from __future__ import annotations

from pathlib import Path

SCENARIOS = {}


def scenario(function):
    SCENARIOS[function.__name__] = function
    return function


class Pictures:
    """Pictures that no other scenario has: URLs, and local files."""

    def __init__(self, folder: Path, scenario: str) -> None:
        self._folder = folder
        self._scenario = scenario

    def url(self, name: str) -> str:
        return f"https://assets.rapidata.ai/{self._scenario}/{name}.jpg"

    def urls(self, *names: str) -> list[str]:
        return [self.url(name) for name in names]

    def file(self, name: str) -> str:
        path = self._folder / f"{name}.png"
        path.write_bytes(f"{self._scenario} {name}".encode())
        return str(path)


def compare(client, pictures, **more):
    return client.job.create_compare_job_definition(
        **{
            "name": "Pairs",
            "instruction": "Which is better?",
            "datapoints": [pictures.urls("a", "b")],
            **more,
        }
    )


# --- audiences ------------------------------------------------------------------------------------


@scenario
def create_find_rename_and_delete_an_audience(client, words, pictures):
    audience = client.audience.create_audience("People")
    client.audience.get_audience_by_id(audience.id)
    client.audience.find_audiences("Peo", amount=3, page=2)
    client.audience.find_audiences()
    audience.update_name("Others")
    audience.find_jobs("x", amount=4, page=2)
    audience.delete()


@scenario
def audiences_with_filters(client, words, pictures):
    audience = client.audience.create_audience(
        "People",
        filters=[words.CountryFilter(["US", "CA"]), words.LanguageFilter(["en"])],
        target_accuracy=0.8,
        min_tasks=4,
        max_tasks=8,
    )
    audience.update_filters(
        [
            words.AgeFilter([words.AgeGroup.BETWEEN_18_29]),
            words.GenderFilter([words.Gender.FEMALE]),
            words.DeviceFilter([words.DeviceType.PHONE]),
        ]
    )
    english = words.LanguageFilter(["en"])
    part = audience.filter([(words.CountryFilter(["US"]) | words.CountryFilter(["CA"])) & ~english])
    part.find_jobs("x")


@scenario
def an_unlisted_audience(client, words, pictures):
    audience = client.audience.create_unlisted_audience("Friends")
    client.audience.get_audience_by_id(audience.id)


@scenario
def compare_examples(client, words, pictures):
    audience = client.audience.create_audience("People")
    pair = pictures.urls("a", "b")
    audience.add_compare_example("Which?", truth=pair[0], datapoint=pair)
    audience.add_compare_example(
        "Which?",
        truth=pair[1],
        datapoint=pair,
        context="A duck",
        media_context=pictures.urls("c", "d"),
        explanation="It is a duck",
        settings=[words.AllowNeitherBothSetting()],
    )
    audience.add_compare_example("Which?", truth="x", datapoint=["x", "y"], data_type="text")
    files = [pictures.file("e"), pictures.file("f")]
    audience.add_compare_example("Which?", truth=files[0], datapoint=files)
    audience.get_examples(amount=5, page=1)


@scenario
def classification_examples(client, words, pictures):
    audience = client.audience.create_audience("People")
    audience.add_classification_example("What?", ["Cat", "Dog"], pictures.url("a"), ["Cat"])
    audience.add_classification_example(
        "What?",
        ["Cat", "Dog", "Cow"],
        pictures.url("b"),
        ["Cat", "Dog"],
        context="A pet",
        media_context=pictures.urls("c"),
        explanation="Look at its ears",
        settings=[words.NoShuffleSetting()],
    )
    audience.add_classification_example("What?", ["a", "b"], "aaa", ["a"], data_type="text")


@scenario
def locate_and_draw_examples(client, words, pictures):
    audience = client.audience.create_audience("People")
    boxes = [words.Box(x_min=0.1, y_min=0.2, x_max=0.3, y_max=0.4)]
    audience.add_locate_example("Where?", pictures.url("a"), boxes)
    audience.add_draw_example("Where?", pictures.url("b"), boxes * 2)
    more = {"context": "A pet", "explanation": "There", "media_context": pictures.urls("c")}
    audience.add_locate_example("Where?", pictures.url("d"), boxes, **more)
    audience.add_draw_example("Where?", pictures.url("e"), boxes, **more)


@scenario
def select_words_examples(client, words, pictures):
    audience = client.audience.create_audience("People")
    audience.add_select_words_example("Which?", pictures.url("a"), "a white cat", [1])
    audience.add_select_words_example(
        "Which?",
        pictures.url("b"),
        "a white cat [No_mistakes]",
        [0, 2],
        required_precision=0.5,
        required_completeness=0.75,
        explanation="It is black",
    )


@scenario
def recruiting(client, words, pictures):
    audience = client.audience.create_audience("People", min_tasks=3)
    for name in ("a", "b", "c"):
        pair = pictures.urls(name, "other")
        audience.add_compare_example("Which?", truth=pair[0], datapoint=pair)
    audience.start_recruiting()
    audience.get_recruiting_metrics()


# --- job definitions ------------------------------------------------------------------------------


@scenario
def compare_definition(client, words, pictures):
    compare(
        client,
        pictures,
        datapoints=[pictures.urls("a", "b"), pictures.urls("c", "d")],
        responses_per_datapoint=7,
        contexts=["A duck", "A cow"],
        media_contexts=[pictures.urls("e"), pictures.urls("f", "g")],
        a_b_names=["Left", "Right"],
        settings=[words.AllowNeitherBothSetting(), words.NoShuffleSetting()],
        private_metadata=[{"row": "1"}, {"row": "2"}],
    )


@scenario
def compare_definition_of_files(client, words, pictures):
    compare(client, pictures, datapoints=[[pictures.file("a"), pictures.file("b")]])


@scenario
def compare_definition_of_texts(client, words, pictures):
    compare(
        client,
        pictures,
        datapoints=[["x", "y"]],
        data_type="text",
        settings=[words.MarkdownSetting()],
        confidence_threshold=0.9,
    )


@scenario
def compare_definition_with_a_quorum(client, words, pictures):
    compare(client, pictures, quorum_threshold=4, responses_per_datapoint=9)


@scenario
def classification_definition(client, words, pictures):
    client.job.create_classification_job_definition(
        "Pets",
        "What?",
        ["Cat", "Dog"],
        pictures.urls("a", "b"),
        responses_per_datapoint=7,
        contexts=["A pet", "Another"],
        media_contexts=[pictures.urls("c"), pictures.urls("d")],
        confidence_threshold=0.99,
        settings=[words.NoShuffleSetting()],
        private_metadata=[{"row": "1"}, {"row": "2"}],
    )


@scenario
def classification_definition_with_options_of_each_datapoint(client, words, pictures):
    client.job.create_classification_job_definition(
        "Pets", "What?", [["Cat", "Dog"], ["Cow", "Pig"]], ["x", "y"], "text", quorum_threshold=5
    )


@scenario
def locate_definition(client, words, pictures):
    client.job.create_locate_job_definition(
        "Errors",
        "Where?",
        pictures.urls("a", "b"),
        responses_per_datapoint=7,
        contexts=["A pet", "Another"],
        media_contexts=[pictures.urls("c"), pictures.urls("d")],
        settings=[words.LocateMaxPointsSetting(3)],
        private_metadata=[{"row": "1"}, {"row": "2"}],
    )


@scenario
def draw_definition(client, words, pictures):
    client.job.create_draw_job_definition(
        "Books",
        "Color in",
        pictures.urls("a", "b"),
        responses_per_datapoint=7,
        contexts=["A pet", "Another"],
        media_contexts=[pictures.urls("c"), pictures.urls("d")],
        private_metadata=[{"row": "1"}, {"row": "2"}],
    )


@scenario
def select_words_definition(client, words, pictures):
    client.job.create_select_words_job_definition(
        "Mistakes",
        "Which?",
        pictures.urls("a", "b"),
        ["a white cat", "a black dog"],
        responses_per_datapoint=7,
        private_metadata=[{"row": "1"}, {"row": "2"}],
    )


@scenario
def free_text_definition(client, words, pictures):
    client.job.create_free_text_job_definition(
        "Questions",
        "What would you ask?",
        pictures.urls("a", "b"),
        responses_per_datapoint=7,
        contexts=["A pet", "Another"],
        media_contexts=[pictures.urls("c"), pictures.urls("d")],
        settings=[words.FreeTextMinimumCharactersSetting(5)],
        private_metadata=[{"row": "1"}, {"row": "2"}],
    )
    client.job.create_free_text_job_definition("Questions", "What?", ["x"], data_type="text")


@scenario
def ranking_definition(client, words, pictures):
    client.job.create_ranking_job_definition(
        "Rabbits",
        "Which is cooler?",
        [pictures.urls(*"abcdefghijkl"), pictures.urls("m", "n", "o")],
        comparison_budget_per_ranking=50,
        responses_per_comparison=2,
        random_comparisons_ratio=0.4,
        contexts=["A rabbit", "Another"],
        media_contexts=[pictures.urls("p"), pictures.urls("q")],
    )


@scenario
def small_ranking_definition(client, words, pictures):
    client.job.create_ranking_job_definition(
        "Rabbits", "Which?", [["x", "y", "z"]], comparison_budget_per_ranking=9, data_type="text"
    )


@scenario
def find_read_and_delete_a_definition(client, words, pictures):
    definition = compare(client, pictures)
    client.job.get_job_definition_by_id(definition.id)
    client.job.find_job_definitions("Pair", amount=3, page=2)
    client.job.find_job_definitions()
    assert definition.estimated_cost.estimated_cost > 0
    definition.delete()


@scenario
def revise_a_definition(client, words, pictures):
    definition = client.job.create_classification_job_definition(
        "Pets", "What?", ["Cat", "Dog"], pictures.urls("a", "b"), contexts=["A pet", "Another"]
    )
    definition.wait_until_ready()
    changes = {
        "instruction": "Which animal?",
        "responses_per_datapoint": 5,
        "settings": [words.NoShuffleSetting()],
    }
    # What the SDK sets and then saves, we say at once: nothing is sent by an assignment.
    if words.__name__ == "rapidata":
        for name, value in changes.items():
            setattr(definition, name, value)
        definition.save(require_latest=True)
    else:
        definition.update(**changes)
    assert len(definition.revisions()) == 2
    definition.reload(revision=1)


# --- jobs -----------------------------------------------------------------------------------------


@scenario
def a_job(client, words, pictures):
    audience = client.audience.get_audience_by_id("global")
    job = audience.assign_job(compare(client, pictures))
    assert job.estimated_cost.estimated_cost > 0
    job.get_status()
    job.get_progress()
    job.display_progress_bar()
    assert job.get_results()["results"]


@scenario
def pause_resume_and_delete_a_job(client, words, pictures):
    audience = client.audience.get_audience_by_id("global")
    job = audience.assign_job(compare(client, pictures))
    job.pause()
    job.resume()
    job.delete()


@scenario
def a_job_after_another(client, words, pictures):
    audience = client.audience.get_audience_by_id("global")
    definition = compare(client, pictures)
    first = audience.assign_job(definition)
    audience.assign_job(definition, run_after=first)


@scenario
def preliminary_results(client, words, pictures):
    audience = client.audience.get_audience_by_id("global")
    job = audience.assign_job(compare(client, pictures))
    job.get_results(preliminary_results=True)


@scenario
def find_jobs(client, words, pictures):
    audience = client.audience.get_audience_by_id("global")
    job = audience.assign_job(compare(client, pictures))
    client.job.get_job_by_id(job.id)
    client.job.find_jobs("Pai", amount=3, page=2)
    client.job.find_jobs()
    audience.find_jobs("Pai")


# --- signals --------------------------------------------------------------------------------------


@scenario
def create_find_update_and_delete_a_signal(client, words, pictures):
    audience = client.audience.get_audience_by_id("global")
    definition = compare(client, pictures)
    signal = client.signals.create_signal("Daily", audience, definition, 24)
    client.signals.create_signal(
        "Hourly", "global", definition.id, 1, description="x", revision_number=1, is_public=True
    )
    client.signals.get_signal_by_id(signal.id)
    client.signals.find_signals("Dai", amount=3, page=2)
    client.signals.find_signals()
    signal.pause()
    signal.resume()
    signal.update(name="Every second day", description="y", interval_hours=48)
    signal.delete()


@scenario
def trigger_a_signal(client, words, pictures):
    definition = compare(client, pictures)
    signal = client.signals.create_signal("Daily", "global", definition, 24)
    signal.trigger()
    job = signal.wait_for_next_job(timeout=60)
    assert [one.id for one in signal.get_jobs(page=1, page_size=5)] == [job.id]


# --- flows ----------------------------------------------------------------------------------------


@scenario
def a_ranking_flow(client, words, pictures):
    flow = client.flow.create_ranking_flow(
        "Best", "Which?", max_response_threshold=20, min_response_threshold=10
    )
    item = flow.create_new_flow_batch(
        pictures.urls("a", "b", "c"), context="Rabbits", time_to_live=300
    )
    item.get_status()
    assert item.get_results().total_votes
    item.get_response_count()
    item.get_win_loss_matrix()
    assert [one.id for one in flow.get_flow_items(amount=5)] == [item.id]


@scenario
def find_update_and_delete_flows(client, words, pictures):
    flow = client.flow.create_ranking_flow("Best", "Which?")
    client.flow.get_flow_by_id(flow.id)
    client.flow.find_flows("Be", amount=3, page=2)
    client.flow.find_flows(amount=10)
    flow.update_config(instruction="Which is nicer?")
    client.flow.preheat()
    flow.delete()


@scenario
def a_classify_flow(client, words, pictures):
    flow = client.flow.create_classify_flow("Pets", "What?", ["Cat", "Dog"])
    item = flow.create_new_flow_batch(pictures.urls("a", "b"), contexts=["A pet", "Another"])
    assert item.get_results()


# --- benchmarks -----------------------------------------------------------------------------------


def benchmark(client, **more):
    return client.mri.create_new_benchmark(
        **{"name": "Art", "prompts": ["A duck", "A cow"], "identifiers": ["1", "2"], **more}
    )


@scenario
def a_benchmark(client, words, pictures):
    made = benchmark(client)
    client.mri.get_benchmark_by_id(made.id)
    client.mri.find_benchmarks("Ar", amount=3, page=2)
    client.mri.find_benchmarks()


@scenario
def a_benchmark_with_assets_and_tags(client, words, pictures):
    made = benchmark(
        client,
        prompt_assets=[[pictures.url("a")], [pictures.url("b")]],
        tags=[["animal", "bird"], ["animal"]],
    )
    made.add_prompts(identifiers=["3"], prompts=["A pig"], tags=[["animal"]])
    assert made.identifiers == ["1", "2", "3"]
    assert made.tags == [["animal", "bird"], ["animal"], ["animal"]]


@scenario
def leaderboards(client, words, pictures):
    made = benchmark(client)
    made.create_leaderboard("Taste", "Which?")
    made.create_leaderboard(
        "Errors",
        "Which has more errors?",
        show_prompt=True,
        show_prompt_asset=True,
        inverse_ranking=True,
        level_of_detail="high",
        min_responses_per_matchup=5,
        audience_id="global",
    )
    assert {board.name for board in made.leaderboards} == {"Taste", "Errors"}


@scenario
def participants(client, words, pictures):
    made = benchmark(client)
    made.create_leaderboard("Taste", "Which?")
    made.evaluate_model("First", pictures.urls("a", "b"), identifiers=["1", "2"])
    other = made.add_model("Second", pictures.urls("c", "d"), identifiers=["2", "1"])
    other.upload_media(pictures.urls("e"), ["1"])
    other.run()
    made.add_model("Third", pictures.urls("f", "g"), identifiers=["1", "2"])
    made.run()
    assert len(made.participants) == 3


@scenario
def manage_a_participant(client, words, pictures):
    made = benchmark(client)
    one = made.add_model("First", pictures.urls("a", "b"), identifiers=["1", "2"])
    one.rename("Newer")
    one.run()
    one.disable()
    one.enable()
    one.get_elo()
    one.delete()


@scenario
def standings(client, words, pictures):
    made = benchmark(client, tags=[["bird"], ["cattle"]])
    board = made.create_leaderboard("Taste", "Which?")
    for name in ("First", "Second"):
        made.evaluate_model(name, pictures.urls(f"{name}1", f"{name}2"), identifiers=["1", "2"])
    board.get_standings()
    board.get_standings(tags=["bird"])
    board.get_win_loss_matrix()
    made.get_overall_standings()
    made.get_win_loss_matrix()


# --- the rest -------------------------------------------------------------------------------------


@scenario
def shorten_contexts(client, words, pictures):
    client.context.shorten_context("A long story. " * 40, "What?")
    client.context.shorten_contexts([("A long story. " * 50, "Who?"), ("Another. " * 60, "Where?")])


@scenario
def billing(client, words, pictures):
    client.billing.get_current_billing_period()
    client.billing.get_outstanding_balance()
