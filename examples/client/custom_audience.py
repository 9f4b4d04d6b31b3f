"""People who have shown that they understand the task, before they are asked about new data.

$ rapidata-orchestration sandbox exec --speed 600 -- python examples/client/custom_audience.py
"""

from rapidata_core import CountryFilter, LanguageFilter, RapidataClient

QUESTION = "Which picture shows what the text says?"
URL = "https://assets.rapidata.ai/{}.jpg"
# What each example asks: the text, a picture that shows it, and one that does not.
EXAMPLES = [
    ("A lighthouse at night.", "lighthouse_night", "lighthouse_noon"),
    ("Two bicycles in front of a wall.", "two_bicycles", "one_bicycle"),
    ("A bowl with three lemons.", "three_lemons", "four_lemons"),
    ("A door that is half open.", "door_ajar", "door_shut"),
]

client = RapidataClient()
audience = client.audience.create_audience("Looks closely")
for text, right, wrong in EXAMPLES:
    audience.add_compare_example(
        instruction=QUESTION,
        datapoint=[URL.format(right), URL.format(wrong)],
        truth=URL.format(right),
        context=text,
    )

definition = client.job.create_compare_job_definition(
    name="Text and picture",
    instruction=QUESTION,
    datapoints=[[URL.format("new_model_lighthouse"), URL.format("old_model_lighthouse")]],
    contexts=["A lighthouse at night."],
)
# Assigning a job starts to recruit; who has answered the examples as they want it may answer.
job = audience.assign_job(definition)
print(job.get_results().labels()[["items", "label", "agreement"]])
print(audience.get_recruiting_metrics())

# The same people, but only those of them in two countries who read English.
in_english = audience.filter([CountryFilter(["US", "GB"]), LanguageFilter(["en"])])
job = in_english.assign_job(definition)
print(job.get_results().labels()[["items", "label", "agreement"]])
