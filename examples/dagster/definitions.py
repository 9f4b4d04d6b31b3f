"""Two labelling jobs as assets, and one asset made of their answers.

Open it in Dagster's UI with ``dagster dev -f examples/dagster/definitions.py``. Without an account,
put ``rapidata-orchestration sandbox exec --`` in front.
"""

import os
from pathlib import Path

import dagster as dg
import pandas as pd

from rapidata_dagster import RapidataResource, labels_manifest, rapidata_labels

JOBS = Path(__file__).resolve().parents[1] / "jobs"
LABELS = os.environ.get("LABELS_DIRECTORY") or "labels"


@rapidata_labels(directory=LABELS, max_cost=20, group_name="labels")
def prompt_alignment() -> str:
    """Which of two images follows its prompt more accurately?"""
    return (JOBS / "prompt_alignment.json").read_text(encoding="utf-8")


@rapidata_labels(directory=LABELS, max_cost=20, group_name="labels")
def likert_rating() -> str:
    """How well does an image match its description?"""
    return (JOBS / "likert_rating.json").read_text(encoding="utf-8")


@dg.asset(deps=[prompt_alignment], group_name="labels")
def win_share(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """How many of the prompts each image model won."""
    manifest = labels_manifest(context.instance, prompt_alignment.key)
    winners = pd.read_parquet(manifest.labels)["label"].fillna("tie").str.split("_").str[0]
    shares = winners.value_counts(normalize=True)
    return dg.MaterializeResult(metadata={str(model): share for model, share in shares.items()})


defs = dg.Definitions(
    assets=[prompt_alignment, likert_rating, win_share],
    jobs=[dg.define_asset_job("labels", selection=dg.AssetSelection.groups("labels"))],
    resources={
        "rapidata": RapidataResource(
            client_id=dg.EnvVar("RAPIDATA_CLIENT_ID"),
            client_secret=dg.EnvVar("RAPIDATA_CLIENT_SECRET"),
        )
    },
)
