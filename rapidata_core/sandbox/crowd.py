"""Simulated labelers: who they are, and when they answer.

Everything is derived, nothing is stored: a labeler from (seed, population, number), the truth of a
question from (seed, content), an answer from (seed, content, labeler). Each draw has its own
sub-seed instead of a place in one global stream of random numbers, so adding a job, a datapoint
or a labeler changes nobody else's answers.
"""

from __future__ import annotations

import hashlib
import math
import struct
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Generic, TypeVar

from rapidata_core.sandbox.clock import SECOND

POPULATION = 100_003
"""People per population."""

START = SECOND // 2
"""How long a job is ``Submitted`` before it runs."""

LATENCY = 2 * SECOND
"""How long it takes until the first labeler answers."""

_ONE, _EIGHT = struct.Struct("<Q"), struct.Struct("<8Q")
_STEP = 1 / (1 << 53)
"""Numbers in [0, 1) are the 53 bits that a double holds exactly."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Choices(Generic[_T]):
    """Things to choose from; the bounds are where their shares of 1 end."""

    things: tuple[_T, ...]
    bounds: tuple[float, ...]

    def at(self, chance: float) -> _T:
        """What a number in [0, 1) falls on."""
        return self.things[min(bisect(self.bounds, chance), len(self.things) - 1)]


def cumulated(*weighted_things: tuple[_T, int]) -> Choices[_T]:
    """Choices from things with weights."""
    total = sum(weight for _, weight in weighted_things)
    sums = accumulate(weight for _, weight in weighted_things)
    return Choices(
        tuple(thing for thing, _ in weighted_things), tuple(each / total for each in sums)
    )


_COUNTRIES = cumulated(
    (("US", "en"), 16), (("IN", "hi"), 14), (("BR", "pt"), 11), (("ID", "id"), 9),
    (("DE", "de"), 7), (("FR", "fr"), 6), (("GB", "en"), 6), (("MX", "es"), 6),
    (("PH", "en"), 5), (("TR", "tr"), 5), (("EG", "ar"), 5), (("JP", "ja"), 4),
    (("PL", "pl"), 3), (("CH", "de"), 3),
)  # fmt: skip
_AGES = cumulated(
    ("0-17", 8), ("18-29", 40), ("30-39", 25), ("40-49", 14), ("50-64", 10), ("65+", 3)
)  # fmt: skip
_GENDERS = cumulated(("Male", 52), ("Female", 46), ("Other", 2))
_OCCUPATIONS = cumulated(
    ("Student", 24), ("Office", 22), ("Trade", 16), ("Healthcare", 9), ("Education", 9),
    ("Technology", 12), ("Other", 8),
)  # fmt: skip
_DEVICES = cumulated(("Phone", 90), ("Tablet", 7), ("Unknown", 3))
_SKILLS = {"global": (0.25, 0.70), "curated": (0.50, 0.48)}
"""Lowest skill and range of each population."""

# Which of the eight numbers that make a labeler decides what.
_COUNTRY, _SKILL, _PRACTICE, _SCORE, _AGE, _GENDER, _OCCUPATION, _DEVICE = range(8)
_TRAITS = {"age": (_AGE, _AGES), "gender": (_GENDER, _GENDERS), "device": (_DEVICE, _DEVICES)}


@dataclass(frozen=True, slots=True)
class Labeler:
    """A simulated person."""

    id: str
    country: str
    language: str
    age: str
    gender: str
    occupation: str
    device: str
    skill: float
    score: float


@dataclass(frozen=True, slots=True)
class Pool:
    """People who may answer: some of a population, by their numbers there."""

    seed: int
    population: str
    numbers: Sequence[int]

    @property
    def size(self) -> int:
        """How many people there are."""
        return len(self.numbers)

    def panel(self, key: str, size: int) -> list[Labeler]:
        """Different people, in the order in which they answer.

        Args:
            key: What they answer; every key has its own panel.
            size: How many; everybody, when there are fewer.
        """
        numbers = self.numbers
        chosen = walk(self.seed, key, len(numbers), size)
        return [labeler(self.seed, self.population, numbers[place]) for place in chosen]


def draw(seed: int, *parts: str | int) -> float:
    """A number in [0, 1) that depends on nothing but its arguments."""
    text = "\x1f".join((str(seed), *map(str, parts)))
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return (_ONE.unpack(digest)[0] >> 11) * _STEP


def draws(seed: int, *parts: str | int) -> tuple[float, ...]:
    """Eight such numbers at the price of one."""
    text = "\x1f".join((str(seed), *map(str, parts)))
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass")).digest()
    a, b, c, d, e, f, g, h = _EIGHT.unpack(digest)
    return (
        (a >> 11) * _STEP,
        (b >> 11) * _STEP,
        (c >> 11) * _STEP,
        (d >> 11) * _STEP,
        (e >> 11) * _STEP,
        (f >> 11) * _STEP,
        (g >> 11) * _STEP,
        (h >> 11) * _STEP,
    )


@lru_cache(maxsize=20_000)
def labeler(seed: int, population: str, number: int) -> Labeler:
    """The labeler with a number in a population."""
    luck = draws(seed, "labeler", population, number)
    country, language = _COUNTRIES.at(luck[_COUNTRY])
    lowest, span = _SKILLS[population]
    skill = lowest + span * (luck[_SKILL] + luck[_PRACTICE]) / 2
    score = min(1.0, max(0.0, skill + (luck[_SCORE] - 0.5) * 0.16))
    return Labeler(
        id=f"sbx_user_{int(draw(seed, 'id', population, number) * (1 << 53)):014x}",
        country=country,
        language=language,
        age=_AGES.at(luck[_AGE]),
        gender=_GENDERS.at(luck[_GENDER]),
        occupation=_OCCUPATIONS.at(luck[_OCCUPATION]),
        device=_DEVICES.at(luck[_DEVICE]),
        skill=skill,
        score=round(score, 4),
    )


def trait(seed: int, population: str, number: int, name: str) -> str:
    """One trait of the labeler with a number, at a fraction of what the whole labeler takes."""
    luck = draws(seed, "labeler", population, number)
    if name in ("country", "language"):
        country, language = _COUNTRIES.at(luck[_COUNTRY])
        return country if name == "country" else language
    place, choices = _TRAITS[name]
    return choices.at(luck[place])


def walk(seed: int, key: str, people: int, wanted: int) -> Sequence[int]:
    """Different places among so many people, in an order that belongs to the key."""
    if people < 2:
        return range(min(people, wanted))
    # A step that shares no factor with the number of people meets nobody twice.
    first = int(draw(seed, "panel", key, "first") * people)
    step = 1 + int(draw(seed, "panel", key, "step") * (people - 1))
    while math.gcd(step, people) != 1:
        step += 1
    return [(first + step * place) % people for place in range(min(people, wanted))]


def job_duration(responses: int) -> int:
    """How long the crowd takes for a number of answers, from creation to completion."""
    return LATENCY + int(1.2 * SECOND * max(1, responses) ** 0.4)


def answered(job_id: str, seed: int, responses: int, duration: int, elapsed: int) -> int:
    """How many of a job's answers have arrived after some time."""
    if elapsed >= duration:
        return responses
    if elapsed <= LATENCY:
        return 0
    # Answer k arrives somewhere within the k-th of equal slots, so counting takes no loop.
    slot, rest = divmod((elapsed - LATENCY) * responses, duration - LATENCY)
    arrived = draw(seed, "arrival", job_id, slot) <= rest / (duration - LATENCY)
    return slot + int(arrived)


def weighted(weights: Sequence[float], chance: float) -> int:
    """The index that a chance falls on, where each has as much room as its weight."""
    mark = chance * sum(weights)
    for index, weight in enumerate(weights):
        mark -= weight
        if mark < 0:
            return index
    return len(weights) - 1
