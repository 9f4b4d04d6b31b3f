"""Fewer answers where people agree: two ways to stop early, and what they save.

$ rapidata-orchestration sandbox exec --speed 600 -- python examples/client/early_stopping.py
"""

from rapidata_core import RapidataClient

PETS = [f"https://assets.rapidata.ai/pet_{number}.jpg" for number in range(5)]

client = RapidataClient()
audience = client.audience.get_audience_by_id("global")


def ask(name, **when_to_stop):
    """Let people classify the pets; returns how many answers it took."""
    definition = client.job.create_classification_job_definition(
        name=name,
        instruction="Which animal is it?",
        answer_options=["Cat", "Dog", "Rabbit"],
        datapoints=PETS,
        responses_per_datapoint=30,
        **when_to_stop,
    )
    labels = audience.assign_job(definition).get_results().labels()
    print(labels[["items", "label", "responses", "agreement"]])
    return int(labels["responses"].sum())


everything = ask("All answers")
confident = ask("Until it is 99 % sure", confidence_threshold=0.99)
quorum = ask("Until eight agree", quorum_threshold=8)
print(f"{everything} answers; with a confidence {confident}, with a quorum {quorum}")
