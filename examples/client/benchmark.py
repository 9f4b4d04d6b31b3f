"""Which of three models is best, according to people, prompt by prompt.

$ rapidata-orchestration sandbox exec --speed 600 -- python examples/client/benchmark.py
"""

from rapidata_core import RapidataClient

PROMPTS = {"harbour": "A harbour in fog", "kitchen": "A kitchen from above"}
MODELS = ["alpha", "beta", "gamma"]

client = RapidataClient()
benchmark = client.mri.create_new_benchmark(
    name="Text to picture",
    identifiers=list(PROMPTS),
    prompts=list(PROMPTS.values()),
    tags=[["outdoors"], ["indoors"]],
)
leaderboard = benchmark.create_leaderboard(
    name="Taste",
    instruction="Which picture do you like better?",
    show_prompt=True,
    level_of_detail="low",
)
for model in MODELS:
    benchmark.evaluate_model(
        model,
        media=[f"https://assets.rapidata.ai/{model}_{identifier}.jpg" for identifier in PROMPTS],
        identifiers=list(PROMPTS),
    )
print(leaderboard.get_standings())
print(leaderboard.get_standings(tags=["indoors"]))
for participant in benchmark.participants:
    print(f"{participant.name}: {participant.status}")
