"""Qualification examples: tasks whose right answer is known. They let labelers in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from rapidata_core.jobs.checks import Context, Described, Instruction, Item, MediaContext
from rapidata_core.jobs.datapoint import Json, asset_input
from rapidata_core.types import Box, Setting

Ratio = Annotated[float, Field(ge=0, le=1)]


class QualificationExample(Described, frozen=True):
    """A task with its right answer.

    The arguments are named as those of the ``add_..._example`` methods of an audience.

    Attributes:
        type: The task type; it chooses the subclass when an example is read from JSON or YAML.
        instruction: The question that labelers see, at most 250 characters.
        data_type: ``media`` (URLs or paths of local files) or ``text``.
        datapoint: What is asked about.
        context: Text shown beside it, at most 400 characters.
        media_context: Images (URLs or paths) shown beside it, at most 10.
        explanation: Shown to labelers who answer wrongly.
        settings: Best those of the jobs that follow, so that labelers see what they will see.

    Raises:
        ValidationError: Something is wrong; it lists every problem at once.
    """

    type: str
    instruction: Instruction
    data_type: Literal["media", "text"] = "media"
    datapoint: Any
    context: Context | None = None
    media_context: MediaContext | None = None
    explanation: str | None = None
    settings: list[Setting] = []

    @field_validator("media_context", mode="before")
    @classmethod
    def _one_image_or_several(cls, images: Any) -> Any:
        return [images] if isinstance(images, str) else images

    # What the type's own module answers.

    def payload(self) -> Json:
        """The task on the wire."""
        raise NotImplementedError

    def truth_input(self, uploaded: Mapping[str, str]) -> Json:
        """The right answer on the wire."""
        raise NotImplementedError

    def chance(self) -> float:
        """How probable a right answer is for somebody who guesses."""
        raise NotImplementedError

    # What is the same for all types.

    def items(self) -> list[str]:
        """Everything that has to be uploaded before it: URLs and paths, once each."""
        asset: list[str] = [self.datapoint] if isinstance(self.datapoint, str) else self.datapoint
        own = asset if self.data_type == "media" else []
        return list(dict.fromkeys([*own, *(self.media_context or [])]))

    def body(self, uploaded: Mapping[str, str]) -> Json:
        """It on the wire, without the settings.

        Args:
            uploaded: The platform's file name of everything in :meth:`items`.
        """
        body = {
            "asset": asset_input(self.datapoint, self.data_type, uploaded),
            "payload": self.payload(),
            "truth": self.truth_input(uploaded),
            "randomCorrectProbability": self.chance(),
            "context": self.context,
            "explanation": self.explanation,
        }
        if self.media_context:
            body["contextAsset"] = asset_input(self.media_context, "media", uploaded)
        return body


class RegionExample(QualificationExample, frozen=True):
    """An example whose right answers lie within boxes.

    Attributes:
        datapoint: The image or video.
        truths: The boxes.
        required_precision: Ratio of an answer that must lie within the boxes, 0 to 1; by default
            the platform decides.
        required_completeness: Ratio of the boxes that an answer must reach, 0 to 1; by default
            the platform decides.
    """

    data_type: Literal["media"] = "media"
    datapoint: Item
    truths: Annotated[list[Box], Field(min_length=1)]
    required_precision: Ratio | None = None
    required_completeness: Ratio | None = None

    def truth_fields(self) -> Json:
        """The boxes on the wire, where they are percentages."""
        boxes = [
            {
                "xMin": box.x_min * 100,
                "yMin": box.y_min * 100,
                "xMax": box.x_max * 100,
                "yMax": box.y_max * 100,
            }
            for box in self.truths
        ]
        return {
            "boundingBoxes": boxes,
            "requiredPrecision": self.required_precision,
            "requiredCompleteness": self.required_completeness,
        }

    def chance(self) -> float:
        """The part of the image that the boxes cover."""
        return covered(self.truths)


def covered(boxes: Sequence[Box]) -> float:
    """The area of the boxes together, 0 to 1; where they overlap it counts once."""
    edges = sorted({edge for box in boxes for edge in (box.x_min, box.x_max)})
    area = 0.0
    for left, right in pairwise(edges):
        # Between two edges the same boxes are there from end to end.
        spans = sorted(
            (box.y_min, box.y_max) for box in boxes if box.x_min <= left and right <= box.x_max
        )
        height, reached = 0.0, 0.0
        for low, high in spans:
            height += max(0.0, high - max(low, reached))
            reached = max(reached, high)
        area += (right - left) * height
    return area
