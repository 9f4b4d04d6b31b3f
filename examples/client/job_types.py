"""One job of each of the seven types, all at work at the same time.

$ rapidata-orchestration sandbox exec --speed 600 -- python examples/client/job_types.py
"""

from rapidata_core import NoShuffle, RapidataClient

PICTURES = [f"https://assets.rapidata.ai/street_{number}.jpg" for number in range(3)]

client = RapidataClient()
definitions = [
    client.job.create_compare_job_definition(
        name="Compare",
        instruction="Which street looks more inviting?",
        datapoints=[PICTURES[:2], PICTURES[1:]],
        a_b_names=["before", "after"],
    ),
    client.job.create_classification_job_definition(
        name="Classify",
        instruction="How busy is the street?",
        answer_options=["1: Empty", "2: Some people", "3: Crowded"],
        datapoints=PICTURES,
        settings=[NoShuffle()],
    ),
    client.job.create_locate_job_definition(
        name="Locate",
        instruction="Tap on the nearest bicycle.",
        datapoints=PICTURES,
    ),
    client.job.create_draw_job_definition(
        name="Draw",
        instruction="Color in the pavement.",
        datapoints=PICTURES,
    ),
    client.job.create_select_words_job_definition(
        name="Select words",
        instruction="Select the words that the picture does not show.",
        datapoints=PICTURES[:2],
        sentences=["A quiet street with trees", "A street with two red cars"],
    ),
    client.job.create_free_text_job_definition(
        name="Free text",
        instruction="What would you change about this street?",
        datapoints=PICTURES[:1],
    ),
    client.job.create_ranking_job_definition(
        name="Rank",
        instruction="In which street would you rather live?",
        datapoints=[PICTURES],
        comparison_budget_per_ranking=30,
    ),
]

audience = client.audience.get_audience_by_id("global")
jobs = [audience.assign_job(definition) for definition in definitions]
for job in jobs:
    results = job.get_results()
    print(f"{job.name}: {len(results.labels())} rows, {len(results.responses())} answers")
