"""What to do when some of the data cannot be uploaded, or the platform is not well.

$ rapidata-orchestration sandbox exec --speed 600 -- python examples/client/failed_uploads.py
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from rapidata_core import RapidataClient, errors

client = RapidataClient()
with TemporaryDirectory() as folder:
    pictures = [Path(folder) / f"plant_{number}.jpg" for number in range(4)]
    for picture in pictures[:-1]:
        picture.write_bytes(f"the picture of {picture.stem}".encode())

    try:
        definition = client.job.create_classification_job_definition(
            name="Plants",
            instruction="Does the plant need water?",
            answer_options=["Yes", "No"],
            datapoints=[str(picture) for picture in pictures],
        )
    except errors.FailedUploadException as failure:
        for reason, failed in failure.failures_by_reason.items():
            print(f"{reason}: {len(failed)} of {len(pictures)}")
        # Late, but here; what was uploaded before is not uploaded again.
        pictures[-1].write_bytes(b"the last picture")
        definition = failure.retry()

try:
    client.audience.get_audience_by_id("nobody")
except errors.NotFoundError as error:
    print(error)

job = client.audience.get_audience_by_id("global").assign_job(definition)
try:
    job.wait(timeout=600)
except errors.JobNeedsAttentionError as error:
    print(f"Somebody has to act: {error}")
except errors.WaitTimeoutError as error:
    print(f"Later: client.job.get_job_by_id({error.job_id!r})")
print(job.get_results().labels()[["items", "label", "responses"]])
