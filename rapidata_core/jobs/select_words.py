"""Select words: which words of a sentence fit the instruction?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from rapidata_core.jobs.checks import (
    Item,
    Items,
    one_per_datapoint,
    problems_of,
    raise_problems,
)
from rapidata_core.jobs.datapoint import Json
from rapidata_core.jobs.example import QualificationExample, Ratio
from rapidata_core.jobs.spec import JobSpec, standard_segments


class SelectWordsJob(JobSpec, frozen=True):
    """Labelers see a datapoint with a sentence and select the words that fit the instruction.

    Attributes:
        datapoints: Single images, videos or audio clips: URLs or paths.
        sentences: One per datapoint, of two words at least; it is split at its spaces.
    """

    refused = frozenset({"data_type", "contexts", "media_contexts"})

    type: Literal["select_words"] = "select_words"
    datapoints: Items
    sentences: list[str]

    @field_validator("sentences")
    @classmethod
    def _check_sentences(cls, sentences: list[str], info: ValidationInfo) -> list[str]:
        one_per_datapoint(sentences, info, _sentence_problem)
        return sentences

    def rapid(self) -> Json:
        """The task on the wire; each datapoint brings its sentence in a segment of its own."""
        return {
            "_t": "Transcription",
            "asset": {"segment": "asset"},
            "title": {"literal": self.instruction},
            "transcription": {"segment": "transcription"},
        }

    def schema_segments(self) -> list[Json]:
        """The sentence beside the standard segments."""
        sentence = {"key": "transcription", "kind": "Text", "label": "Transcription"}
        return [*standard_segments(), {**sentence, "required": True}]

    def own_parts(self, index: int) -> Json:
        """The sentence."""
        return {"sentence": self.sentences[index]}


class SelectWordsExample(QualificationExample, frozen=True):
    """A sentence whose words to select are known.

    Attributes:
        datapoint: The image, video or audio clip.
        sentence: Two words at least; it is split at its spaces.
        truths: Positions of the right words, from 0.
        required_precision: Ratio of the selected words that must be right, 0 to 1.
        required_completeness: Ratio of the right words that must be selected, 0 to 1.
    """

    type: Literal["select_words"] = "select_words"
    data_type: Literal["media"] = "media"
    datapoint: Item
    context: None = None
    media_context: None = None
    sentence: str
    truths: Annotated[list[int], Field(min_length=1)]
    required_precision: Ratio = 1
    required_completeness: Ratio = 1

    @field_validator("sentence")
    @classmethod
    def _check_sentence(cls, sentence: str) -> str:
        if problem := _sentence_problem(sentence):
            raise ValueError(problem)
        return sentence

    @field_validator("truths")
    @classmethod
    def _check_truths(cls, truths: list[int], info: ValidationInfo) -> list[int]:
        if len(set(truths)) != len(truths):
            raise ValueError("has the same position twice")
        if "sentence" in info.data:
            last = len(info.data["sentence"].split(" ")) - 1
            raise_problems(
                problems_of(
                    truths,
                    lambda place: (
                        None if 0 <= place <= last else f"is {place}; the words are 0 to {last}"
                    ),
                )
            )
        return truths

    def body(self, uploaded: Mapping[str, str]) -> Json:
        """It on the wire, without the settings; this type has no context."""
        return {key: value for key, value in super().body(uploaded).items() if key != "context"}

    def payload(self) -> Json:
        """The task on the wire."""
        return {
            "_t": "TranscriptionExamplePayload",
            "title": self.instruction,
            "transcription": self._words(),
        }

    def truth_input(self, uploaded: Mapping[str, str]) -> Json:
        """The right answer on the wire."""
        del uploaded
        words = self._words()
        return {
            "_t": "TranscriptionExampleTruth",
            "correctWords": [words[place] for place in self.truths],
            "requiredPrecision": self.required_precision,
            "requiredCompleteness": self.required_completeness,
        }

    def chance(self) -> float:
        """The part of the words that is right."""
        return len(self.truths) / len(self._words())

    def _words(self) -> list[Json]:
        words = self.sentence.split(" ")
        return [{"word": word, "wordIndex": place} for place, word in enumerate(words)]


def _sentence_problem(sentence: str) -> str | None:
    if len(sentence.split()) < 2:
        return "has fewer than two words"
    return None
