"""Which words labelers selected, and how far they agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rapidata_core.results.frames import Key
from rapidata_core.results.quality.answers import (
    agreement_table,
    answers_by_datapoint,
    mean_overlap,
)

if TYPE_CHECKING:
    import pandas

Word = tuple[int, str]


def word_shares(responses: pandas.DataFrame) -> pandas.DataFrame:
    """Which words were selected by how many.

    Args:
        responses: The responses of a select words job.

    Returns:
        A row per datapoint and word that anybody selected: ``job_id``, ``datapoint``, ``word``,
        ``index`` (its place in the sentence), ``responses`` (answers that selected it) and
        ``share`` (those of all answers to the datapoint, 0..1).

    Raises:
        ValidationError: These are no responses of a select words job.
    """
    import pandas

    rows = [
        (*key, word, index, count, count / len(answers))
        for key, answers in answers_by_datapoint(responses, "words").items()
        for (index, word), count in sorted(Counter(w for a in answers for w in _words(a)).items())
    ]
    types = {"job_id": "string", "datapoint": "int64", "word": "string", "index": "int64"}
    types |= {"responses": "int64", "share": "float64"}
    return pandas.DataFrame(rows, columns=list(types)).astype(types)


def word_agreement(responses: pandas.DataFrame) -> pandas.DataFrame:
    """How far two labelers select the same words: intersection over union (Jaccard 1912).

    Args:
        responses: The responses of a select words job.

    Returns:
        A row per datapoint: ``job_id``, ``datapoint``, ``responses``, and ``agreement`` (mean over
        all pairs of answers, 0..1; null with one answer). Two empty answers agree.

    Raises:
        ValidationError: These are no responses of a select words job.
    """
    import numpy

    found: dict[Key, tuple[int, float | None]] = {}
    for key, answers in answers_by_datapoint(responses, "words").items():
        chosen = [_words(answer) for answer in answers]
        words = sorted({word for own in chosen for word in own})
        members = numpy.array([[word in own for word in words] for own in chosen], dtype=bool)
        found[key] = len(answers), mean_overlap(members.reshape(len(answers), len(words)))
    return agreement_table(found)


def _words(answer: Iterable[Mapping[str, Any]]) -> set[Word]:
    return {(word["index"], word["word"]) for word in answer}
