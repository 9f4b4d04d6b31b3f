"""The peer: what the vendor's own SDK pays when the answer to ``POST /job`` is lost.

Run by the Python of ``.venv-contract``; prints one line of JSON. The SDK stores things in the
user's home, so this must be run with an empty one; see :func:`tests.chaos.__main__.peer`.
"""

from __future__ import annotations

import json
import os
import sys

from rapidata_core.sandbox.process import Sandbox

LOST = {"method": "POST", "path": "/job", "phase": "after_commit", "action": "drop"}


def main(losses: int) -> None:
    with Sandbox.start(tls=True, speed=20) as sandbox:
        os.environ.update(sandbox.environ)
        # It asks a code host for its newest version; there is nobody behind this port.
        os.environ.update(HTTPS_PROXY="http://127.0.0.1:9", NO_PROXY="127.0.0.1")
        import rapidata

        client = rapidata.RapidataClient()
        definition = client.job.create_compare_job_definition(
            name="Chaos",
            instruction="Which is better?",
            datapoints=[["left", "right"]],
            data_type="text",
        )
        everybody = client.audience.get_audience_by_id("global")
        sandbox.faults([LOST] * losses)
        try:
            everybody.assign_job(definition)
            error = ""
        except Exception as problem:
            error = type(problem).__name__
        paid = sandbox.ledger()["paid_jobs"]
        print(json.dumps({"lost_answers": losses, "paid": paid, "error": error}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
