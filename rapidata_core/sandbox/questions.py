"""What labelers are asked, and what each of them answers.

There is a class per kind of question. What is true derives from the question's content, unless it
is known because a qualification example said it, and an answer derives from what is true and from
the person. The sandbox does not look at pictures: regions, words and texts are plausible, not seen.

Coordinates are percent of the width and the height, like the boxes of qualification examples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from math import cos, pi, sin
from typing import Any, Protocol

from rapidata_core.sandbox.crowd import Labeler, draw, draws, weighted

Box = tuple[float, float, float, float]
"""Left, top, right and bottom."""

Point = tuple[float, float]

_MANY = 10_000
"""How many questions are remembered; a result file goes through its questions one by one."""

_PEN = 5
"""How wide a stroke is."""


@dataclass(frozen=True, slots=True)
class AttachCategoryResult:
    """The answer to a classification."""

    category: str

    def as_json(self) -> dict[str, Any]:
        """As the platform's typed results say it; so have all answers."""
        return {"_t": "AttachCategoryResult", "category": self.category}


@dataclass(frozen=True, slots=True)
class CompareResult:
    """The answer to a comparison: one item, both or neither."""

    winners: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """See :meth:`AttachCategoryResult.as_json`."""
        return {"_t": "CompareResult", "winners": list(self.winners)}


@dataclass(frozen=True, slots=True)
class LocateResult:
    """Where somebody tapped."""

    coordinates: tuple[Point, ...]

    def as_json(self) -> dict[str, Any]:
        """See :meth:`AttachCategoryResult.as_json`."""
        return {"_t": "LocateResult", "coordinates": _points(self.coordinates)}


@dataclass(frozen=True, slots=True)
class LineResult:
    """What somebody drew: strokes, each through some points."""

    lines: tuple[tuple[Point, ...], ...]

    def as_json(self) -> dict[str, Any]:
        """See :meth:`AttachCategoryResult.as_json`."""
        lines = [{"size": _PEN, "points": _points(line)} for line in self.lines]
        return {"_t": "LineResult", "lines": lines}


@dataclass(frozen=True, slots=True)
class TranscriptionResult:
    """The words that somebody selected, with their numbers in the sentence."""

    selected_words: tuple[tuple[int, str], ...]

    def as_json(self) -> dict[str, Any]:
        """See :meth:`AttachCategoryResult.as_json`."""
        words = [{"word": word, "wordIndex": index} for index, word in self.selected_words]
        return {"_t": "TranscriptionResult", "selectedWords": words}


@dataclass(frozen=True, slots=True)
class FreeTextResult:
    """What somebody wrote."""

    answer: str

    def as_json(self) -> dict[str, Any]:
        """See :meth:`AttachCategoryResult.as_json`."""
        return {"_t": "FreeTextResult", "answer": self.answer}


Answer = (
    AttachCategoryResult
    | CompareResult
    | LocateResult
    | LineResult
    | TranscriptionResult
    | FreeTextResult
)


class Question(Protocol):
    """One datapoint as its labelers see it."""

    def truth(self, seed: int) -> Any:
        """What is right; the form of ``known`` of each class, and never empty."""
        ...

    def answer(self, seed: int, person: Labeler) -> Answer:
        """What a labeler answers."""
        ...


@dataclass(frozen=True, slots=True)
class Classification:
    """Which option fits?

    Attributes:
        content: What identifies the question beside its options, such as the item and its context.
        options: What can be chosen.
        ordered: Whether the options form a scale.
        known: The right options, where they are known.
    """

    content: str
    options: tuple[str, ...]
    ordered: bool = False
    known: tuple[str, ...] | None = None

    def truth(self, seed: int) -> tuple[str, ...]:
        """The right options."""
        return tuple(self.options[index] for index in _right_options(seed, self)[0])

    def answer(self, seed: int, person: Labeler) -> AttachCategoryResult:
        """Right by skill, else by chance; on a scale rather a little wrong than very."""
        right, clarity = _right_options(seed, self)
        count, places = len(self.options), len(right)
        chance = draw(seed, "answer", self.content, *self.options, person.id)
        guessed = places / count
        bound = guessed + (1 - guessed) * person.skill * clarity
        if chance < bound or places == count:
            return AttachCategoryResult(self.options[right[int(chance / bound * places) % places]])
        wrong = [index for index in range(count) if index not in right]
        weights = [
            1 / min(abs(index - true) for true in right) ** 2 if self.ordered else 1.0
            for index in wrong
        ]
        chosen = wrong[weighted(weights, (chance - bound) / (1 - bound))]
        return AttachCategoryResult(self.options[chosen])


@dataclass(frozen=True, slots=True)
class Comparison:
    """Which of two items?

    Items are identified by what they are, so moving one to the other side changes nothing.

    Attributes:
        content: What identifies the question beside its items, such as its context.
        items: The two items.
        unsure: Whether both or neither may be answered.
        known: The better item, where it is known.
    """

    content: str
    items: tuple[str, str]
    unsure: bool = False
    known: str | None = None

    def truth(self, seed: int) -> str:
        """The better item."""
        first, second = _qualities(seed, self)
        return self.items[0] if first >= second else self.items[1]

    def answer(self, seed: int, person: Labeler) -> CompareResult:
        """The better item, the more likely the better it is and the more able the person."""
        first, second = _qualities(seed, self)
        gap = abs(first - second)
        chance = draw(seed, "answer", self.content, *sorted(self.items), person.id)
        if self.unsure:
            hesitation = 0.3 * (1 - gap)
            if chance < hesitation:
                both = chance < hesitation * (first + second) / 2
                return CompareResult(self.items if both else ())
            chance = (chance - hesitation) / (1 - hesitation)
        right = 0.5 + 0.5 * person.skill * min(1.0, 0.3 + 1.4 * gap)
        return CompareResult((self.items[(first >= second) != (chance < right)],))


@dataclass(frozen=True, slots=True)
class Locate:
    """Where is it?

    Attributes:
        content: What identifies the question.
        fewest: The least number of taps.
        most: The largest number of taps; ``None`` leaves it to what there is.
        known: Where it is, where that is known.
    """

    content: str
    fewest: int = 1
    most: int | None = None
    known: tuple[Box, ...] | None = None

    def truth(self, seed: int) -> tuple[Box, ...]:
        """Where it is; there may be several."""
        return self.known or _regions(seed, self.content)

    def answer(self, seed: int, person: Labeler) -> LocateResult:
        """A tap per region, the nearer to the middle the more able the person; some miss."""
        regions = self.truth(seed)
        taps = max(self.fewest, min(len(regions), self.most or len(regions)))
        return LocateResult(
            tuple(
                _tap(regions[tap % len(regions)], person, self._luck(seed, person, tap))
                for tap in range(taps)
            )
        )

    def _luck(self, seed: int, person: Labeler, tap: int) -> Sequence[float]:
        return draws(seed, "tap", self.content, person.id, tap)


@dataclass(frozen=True, slots=True)
class Line:
    """Draw over it.

    Attributes:
        content: What identifies the question.
        known: Where it is, where that is known.
    """

    content: str
    known: tuple[Box, ...] | None = None

    def truth(self, seed: int) -> tuple[Box, ...]:
        """Where it is; there may be several."""
        return self.known or _regions(seed, self.content)

    def answer(self, seed: int, person: Labeler) -> LineResult:
        """A stroke around the inside of each region, the rounder the more able the person."""
        return LineResult(
            tuple(
                _stroke(region, person, draws(seed, "stroke", self.content, person.id, number))
                for number, region in enumerate(self.truth(seed))
            )
        )


@dataclass(frozen=True, slots=True)
class Transcription:
    """Which of the words?

    Attributes:
        content: What identifies the question beside its words.
        words: The words of the sentence.
        known: The numbers of the right words, where they are known.
    """

    content: str
    words: tuple[str, ...]
    known: tuple[int, ...] | None = None

    def truth(self, seed: int) -> tuple[int, ...]:
        """The numbers of the right words; at least one."""
        return _right_words(seed, self)

    def answer(self, seed: int, person: Labeler) -> TranscriptionResult:
        """Each right word by skill, now and then another one, and at least one."""
        right = _right_words(seed, self)
        knows, errs = 0.4 + 0.6 * person.skill, 0.25 * (1 - person.skill) + 0.001
        blocks = range(0, len(self.words), 8)
        luck = chain.from_iterable(
            draws(seed, "words", self.content, *self.words, person.id, block) for block in blocks
        )
        # Below 1 is chosen; if nothing is, the nearest to it.
        chances = [
            chance / (knows if index in right else errs)
            for index, chance in zip(range(len(self.words)), luck, strict=False)
        ]
        chosen = [index for index, chance in enumerate(chances) if chance < 1]
        chosen = chosen or [chances.index(min(chances))]
        return TranscriptionResult(tuple((index, self.words[index]) for index in chosen))


@dataclass(frozen=True, slots=True)
class FreeText:
    """What would you say?

    Attributes:
        content: What identifies the question.
        shortest: The least number of characters.
        longest: The largest number of characters.
        numeric: Whether people only have a keyboard of digits.
    """

    content: str
    shortest: int = 1
    longest: int = 1024
    numeric: bool = False

    def truth(self, seed: int) -> str:
        """What most people would agree with."""
        return self._written(draws(seed, "text", self.content))

    def answer(self, seed: int, person: Labeler) -> FreeTextResult:
        """A short text of one's own; able people rather write about the matter."""
        common = draws(seed, "text", self.content)
        own = draws(seed, "text", self.content, person.id)
        keeps = 0.3 + 0.6 * person.skill
        # The last number of somebody's own decides about the others, one digit of it for each.
        mixed = tuple(
            (shared if (own[7] * 7**place) % 1 < keeps else chosen)
            for place, (shared, chosen) in enumerate(zip(common[:3], own[:3], strict=True))
        )
        return FreeTextResult(self._written((*mixed, *own[3:])))

    def _written(self, luck: Sequence[float]) -> str:
        if self.numeric:
            return str(int(luck[0] * 99) + 1).rjust(self.shortest, "0")[: self.longest]
        text = _sentence(luck)
        more = int(luck[6] * len(_REMARKS))
        while len(text) < self.shortest:
            text = f"{text} {_REMARKS[more % len(_REMARKS)]}"
            more += 1
        if len(text) <= self.longest:
            return text
        short = text[: self.longest + 1].rpartition(" ")[0].rstrip(" ,.")
        return short if len(short) >= self.shortest else text[: self.longest]


@lru_cache(maxsize=_MANY)
def _right_options(seed: int, question: Classification) -> tuple[tuple[int, ...], float]:
    """The indexes of the right options, and how clear the matter is."""
    content, options = question.content, question.options
    clarity = 0.7 + 0.3 * draw(seed, "clarity", content, *options)
    known = tuple(options.index(option) for option in question.known or () if option in options)
    return known or (int(draw(seed, "truth", content, *options) * len(options)),), clarity


@lru_cache(maxsize=_MANY)
def _qualities(seed: int, question: Comparison) -> tuple[float, float]:
    """How good each item is, whatever it is compared with and on whichever side it stands."""
    first, second = (draw(seed, "quality", question.content, item) for item in question.items)
    if question.known not in question.items:
        return first, second
    # Examples are chosen because they are clear.
    low, high = sorted((first / 2, 0.5 + second / 2))
    return (high, low) if question.known == question.items[0] else (low, high)


@lru_cache(maxsize=_MANY)
def _regions(seed: int, content: str) -> tuple[Box, ...]:
    """One place where it is, or two, seldom three."""
    count = 1 + weighted((70, 22, 8), draw(seed, "regions", content))
    return tuple(_region(draws(seed, "region", content, number)) for number in range(count))


def _region(luck: Sequence[float]) -> Box:
    wide, high = 4 + 14 * luck[0], 4 + 14 * luck[1]
    x, y = wide + (100 - 2 * wide) * luck[2], high + (100 - 2 * high) * luck[3]
    return round(x - wide, 2), round(y - high, 2), round(x + wide, 2), round(y + high, 2)


@lru_cache(maxsize=_MANY)
def _right_words(seed: int, question: Transcription) -> tuple[int, ...]:
    words = question.words
    known = tuple(index for index in question.known or () if 0 <= index < len(words))
    if known:
        return known
    chances = [draw(seed, "right", question.content, *words, index) for index in range(len(words))]
    share = 0.15 + 0.3 * draw(seed, "share", question.content, *words)
    right = tuple(index for index, chance in enumerate(chances) if chance < share)
    return right or (chances.index(min(chances)),)


def _tap(region: Box, person: Labeler, luck: Sequence[float]) -> Point:
    """Around the middle of the region; or anywhere, where the person does not see it."""
    if luck[0] < 0.4 * (1 - person.skill):
        return round(100 * luck[1], 2), round(100 * luck[2], 2)
    left, top, right, bottom = region
    # The sum of two is rather in the middle; only the least able reach beyond the edge.
    spread = 1.15 - 0.8 * person.skill
    x = (left + right) / 2 + (luck[1] + luck[2] - 1) * spread * (right - left) / 2
    y = (top + bottom) / 2 + (luck[3] + luck[4] - 1) * spread * (bottom - top) / 2
    return _inside(x, y)


def _stroke(region: Box, person: Labeler, luck: Sequence[float]) -> tuple[Point, ...]:
    left, top, right, bottom = region
    wide, high = (right - left) / 2, (bottom - top) / 2
    x, y = (left + right) / 2, (top + bottom) / 2
    if luck[5] > person.skill:
        tapped = _tap(region, person, luck)
        # The whole stroke stays within the picture, so no point needs to be pushed back.
        x = min(100 - wide, max(wide, tapped[0]))
        y = min(100 - high, max(high, tapped[1]))
    wobble = 0.3 * (1 - person.skill)
    turn, shape = 2 * pi * luck[7], 7 * luck[0]
    steps = 5 + int(4 * luck[6])
    angles = [turn + 2 * pi * step / steps for step in range(steps + 1)]
    sizes = [0.75 * (1 + wobble * sin(3 * angle + shape)) for angle in angles]
    return tuple(
        (round(x + size * wide * cos(angle), 2), round(y + size * high * sin(angle), 2))
        for angle, size in zip(angles, sizes, strict=True)
    )


def _inside(x: float, y: float) -> Point:
    return round(min(100.0, max(0.0, x)), 2), round(min(100.0, max(0.0, y)), 2)


def _points(points: Sequence[Point]) -> list[dict[str, float]]:
    return [{"x": x, "y": y} for x, y in points]


_SUBJECTS = (
    "the light", "the composition", "the background", "the wording", "the mood", "the shape",
    "the movement", "the idea", "the style", "the colour", "the focus", "the main part",
)  # fmt: skip
_VERDICTS = (
    "natural", "a bit dark", "very clear", "confusing", "warm", "artificial", "well balanced",
    "too busy", "friendly", "unusual", "calm", "hard to read", "lively", "convincing",
)  # fmt: skip
_OPENERS = ("I think {} looks", "To me {} seems", "In my opinion {} is", "Mostly {} feels", "{} is")
_ASIDES = (
    "", " and quite pleasant", " but not bad", ", which I like", ", which I do not like",
    " at first sight", " compared to what I expected", " in the middle", " on the left side",
)  # fmt: skip
_REMARKS = (
    "I would look at it again.", "It reminds me of home.", "Something seems to be missing.",
    "My friends would agree.", "It could be simpler.", "The rest is fine.",
    "I had to look twice.", "It made me smile.",
)  # fmt: skip


def _sentence(luck: Sequence[float]) -> str:
    subject, verdict, opener, aside = (
        choices[int(luck[place] * len(choices))]
        for place, choices in enumerate((_SUBJECTS, _VERDICTS, _OPENERS, _ASIDES))
    )
    text = f"{opener.format(subject)} {verdict}{aside}."
    return text[0].upper() + text[1:]
