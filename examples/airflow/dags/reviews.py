"""A small model that tells whether a sentence praises something, for the retraining loop."""

from __future__ import annotations

from pathlib import Path

import pandas
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from rapidata_core import ClassificationJob
from rapidata_core.results import select, unlabelled

DATA = Path(__file__).resolve().parents[2] / "data" / "reviews.csv"
SENTIMENTS = ["positive", "negative"]
QUESTION = ClassificationJob(
    name="Sentiment of reviews",
    instruction="Is this review positive or negative?",
    answer_options=SENTIMENTS,
    data_type="text",
    datapoints=["The bread was fine."],  # stands for the rows that are chosen
    responses_per_datapoint=15,
)


def rows(split: str) -> pandas.DataFrame:
    """Sentences that are ``labelled``, a ``pool`` that is not yet, or those to ``test`` with."""
    table = pandas.read_csv(DATA)
    return table[table["split"] == split].reset_index(drop=True)


def known(labels: pandas.DataFrame | None) -> pandas.DataFrame:
    """All sentences whose sentiment is known, from the beginning or from people."""
    table = rows("labelled")[["text", "sentiment"]]
    if labels is None:
        return table
    # A tie has no label.
    told = labels.dropna(subset="label")
    people = pandas.DataFrame({"text": told["items"].str[0], "sentiment": told["label"]})
    return pandas.concat([table, people], ignore_index=True)


def train(table: pandas.DataFrame) -> Pipeline:
    """Fit a model."""
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=10))
    return model.fit(table["text"], table["sentiment"])


def most_uncertain(
    model: Pipeline, labels: pandas.DataFrame | None, count: int
) -> pandas.DataFrame:
    """The sentences that the model is least sure of, of those that nobody was asked about."""
    new = unlabelled(rows("pool"), labels, on="text", question=QUESTION)
    if new.empty:
        return new
    return new.iloc[select(model.predict_proba(new["text"]), count)]


def accuracy(model: Pipeline) -> float:
    """Share of the held-out sentences that a model is right about."""
    held_out = rows("test")
    return float(model.score(held_out["text"], held_out["sentiment"]))
