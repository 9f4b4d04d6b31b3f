"""Pictures in the order in which people like them, a batch at a time and without a job.

$ rapidata-orchestration sandbox exec --speed 600 -- python examples/client/ranking_flow.py
"""

from rapidata_core import RapidataClient

POSTERS = [f"https://assets.rapidata.ai/poster_{number}.jpg" for number in range(4)]

client = RapidataClient()
flow = client.flow.create_ranking_flow(
    name="Posters",
    instruction="Which poster would you rather stop at?",
    max_response_threshold=60,
    min_response_threshold=30,
)
batch = flow.create_new_flow_batch(POSTERS, context="A concert in a park", time_to_live=600)
results = batch.get_results()
for poster, score in sorted(results.datapoints.items(), key=lambda one: -one[1]):
    print(f"{score:5} {poster}")
print(f"{results.total_votes} votes, {batch.get_response_count()} answers: {batch.get_status()}")
print(batch.get_win_loss_matrix())
flow.delete()
