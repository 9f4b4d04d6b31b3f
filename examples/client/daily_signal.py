"""The same question to the same people every day, and once right now.

$ rapidata-orchestration sandbox exec --speed 600 -- python examples/client/daily_signal.py
"""

from rapidata_core import RapidataClient

client = RapidataClient()
definition = client.job.create_compare_job_definition(
    name="Home page",
    instruction="Which page looks more trustworthy?",
    datapoints=[
        [
            "https://assets.rapidata.ai/page_today.jpg",
            "https://assets.rapidata.ai/page_reference.jpg",
        ]
    ],
)
signal = client.signals.create_signal(
    name="Trust in our home page",
    audience="global",
    job_definition=definition,
    interval_hours=24,
)
print(f"{signal.name} fires every {signal.interval_hours:g} h")

signal.trigger()
job = signal.wait_for_next_job(timeout=600)
print(job.get_results().labels()[["label", "agreement"]])
print([found.id for found in signal.get_jobs()])

signal.update(interval_hours=12)
signal.pause()
print(f"paused: {signal.is_paused}")
signal.delete()
