"""A flow that has people answer two questions at the same time."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from prefect import flow

from rapidata_prefect import run_job

JOBS = Path(__file__).resolve().parents[1] / "jobs"


@flow(name="human-labels")
async def human_labels(directory: str, credentials: str | None = None) -> list[dict[str, Any]]:
    """Label both data sets.

    Args:
        directory: Where the answers go, each job's to a folder of its own.
        credentials: Name of a rapidata-credentials block.
    """
    questions = ["prompt_alignment.json", "likert_rating.json"]
    return await asyncio.gather(
        *(
            run_job(
                (JOBS / question).read_text(encoding="utf-8"),
                directory=directory,
                credentials=credentials,
                max_cost=5,
            )
            for question in questions
        )
    )
