"""Jobs to wait for."""

from __future__ import annotations

from rapidata_core import RapidataClient
from rapidata_core._sync.api.jobs import JobApi
from rapidata_core.sandbox.process import Sandbox


def jobs_at_work(sandbox: Sandbox, count: int) -> list[str]:
    """Ids of new jobs of one definition, which have begun."""
    account = (sandbox.client_id, sandbox.client_secret, sandbox.url)
    with RapidataClient(*account, ca_file=sandbox.ca_file) as client:
        definition = client.job.create_compare_job_definition(
            "benchmark", "Which?", [["a", "b"]], data_type="text"
        )
        create = JobApi(client._transport).create
        created = [
            create(
                definition_id=definition.id,
                audience_id="global",
                revision_number=1,
                name=f"job {number}",
            )
            for number in range(count)
        ]
    sandbox.advance(1)
    return [job.job_id for job in created]
