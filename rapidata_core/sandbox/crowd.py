"""Simulated labelers: who they are, and what they answer.

Everything is derived, nothing is stored: a labeler from (seed, pool, number), the truth of a
question from (seed, content), an answer from (seed, content, labeler). Each draw has its own
sub-seed instead of a place in one global stream of random numbers, so adding a job, a datapoint
or a labeler changes nobody else's answers.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from functools import lru_cache

from rapidata_core.sandbox.clock import SECOND

POOL_SIZE = 100_003
"""People per pool. A prime, so that every step through the pool visits everyone once."""

START = SECOND // 2
"""How long a job is ``Submitted`` before it runs."""

LATENCY = 2 * SECOND
"""How long it takes until the first labeler answers."""

_COUNTRIES = (
    ("US", "en", 16), ("IN", "hi", 14), ("BR", "pt", 11), ("ID", "id", 9), ("DE", "de", 7),
    ("FR", "fr", 6), ("GB", "en", 6), ("MX", "es", 6), ("PH", "en", 5), ("TR", "tr", 5),
    ("EG", "ar", 5), ("JP", "ja", 4), ("PL", "pl", 3), ("CH", "de", 3),
)  # fmt: skip
_AGES = (("0-17", 8), ("18-29", 40), ("30-39", 25), ("40-49", 14), ("50-64", 10), ("65+", 3))
_GENDERS = (("Male", 52), ("Female", 46), ("Other", 2))
_OCCUPATIONS = (
    ("Student", 24), ("Office", 22), ("Trade", 16), ("Healthcare", 9), ("Education", 9),
    ("Technology", 12), ("Other", 8),
)  # fmt: skip
_SKILLS = {"global": (0.25, 0.70), "curated": (0.50, 0.48)}
"""Lowest skill and range of each pool."""

UNSURE = ("Both", "Neither")
"""The options that ``compare_unsure`` adds."""


@dataclass(frozen=True, slots=True)
class Labeler:
    """A simulated person."""

    id: str
    country: str
    language: str
    age: str
    gender: str
    occupation: str
    skill: float
    score: float


@dataclass(frozen=True, slots=True)
class Question:
    """One datapoint as its labelers see it.

    Attributes:
        content: What identifies the question beside its options, such as its context.
        options: What can be chosen; for a comparison the two items.
        compared: Whether the options are items to be compared.
        ordered: Whether the options form a scale.
        unsure: Whether a comparison may be answered with both or neither.
    """

    content: str
    options: tuple[str, ...]
    compared: bool = False
    ordered: bool = False
    unsure: bool = False


def draw(seed: int, *parts: str | int) -> float:
    """A number in [0, 1) that depends on nothing but its arguments."""
    text = "\x1f".join((str(seed), *map(str, parts)))
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return (struct.unpack("<Q", digest)[0] >> 11) / (1 << 53)


@lru_cache(maxsize=20_000)
def labeler(seed: int, pool: str, number: int) -> Labeler:
    """The labeler with a number in a pool."""

    def one(trait: str) -> float:
        return draw(seed, "labeler", pool, number, trait)

    country, language = _pick_country(one("country"))
    lowest, span = _SKILLS[pool]
    skill = lowest + span * (one("skill") + one("practice")) / 2
    score = min(1.0, max(0.0, skill + (one("score") - 0.5) * 0.16))
    return Labeler(
        id=f"sbx_user_{int(one('id') * (1 << 53)):014x}",
        country=country,
        language=language,
        age=_pick(_AGES, one("age")),
        gender=_pick(_GENDERS, one("gender")),
        occupation=_pick(_OCCUPATIONS, one("occupation")),
        skill=skill,
        score=round(score, 4),
    )


def panel(seed: int, pool: str, key: str, size: int) -> list[Labeler]:
    """Different people, in the order in which they answer.

    Args:
        seed: The sandbox's seed.
        pool: Where they come from.
        key: What they answer; every key has its own panel.
        size: How many, at most ``POOL_SIZE``.
    """
    # Walking a prime number of people with a fixed step meets nobody twice.
    first = int(draw(seed, "panel", key, "first") * POOL_SIZE)
    step = 1 + int(draw(seed, "panel", key, "step") * (POOL_SIZE - 1))
    return [labeler(seed, pool, (first + step * place) % POOL_SIZE) for place in range(size)]


def truth(seed: int, question: Question) -> int:
    """The index of the option that is right; for a comparison the better item."""
    if question.compared:
        qualities = _qualities(seed, question)
        return max(range(len(qualities)), key=qualities.__getitem__)
    return int(draw(seed, "truth", question.content, *question.options) * len(question.options))


def answer(seed: int, question: Question, person: Labeler) -> int:
    """The index of the option that a labeler chooses.

    A comparison that may be answered with both or neither has two more indexes.
    """
    chance = draw(seed, "answer", question.content, *question.options, person.id)
    if question.compared:
        return _compare(seed, question, person, chance)
    return _classify(seed, question, person, chance)


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


def _qualities(seed: int, question: Question) -> list[float]:
    """How good each item is, whatever it is compared with and on whichever side it stands."""
    return [draw(seed, "quality", question.content, option) for option in question.options]


def _compare(seed: int, question: Question, person: Labeler, chance: float) -> int:
    qualities = _qualities(seed, question)
    better = max(range(len(qualities)), key=qualities.__getitem__)
    gap = abs(qualities[0] - qualities[1])
    if question.unsure:
        hesitation = 0.3 * (1 - gap)
        if chance < hesitation:
            return 2 if chance < hesitation * (qualities[0] + qualities[1]) / 2 else 3
        chance = (chance - hesitation) / (1 - hesitation)
    right = 0.5 + 0.5 * person.skill * min(1.0, 0.3 + 1.4 * gap)
    return better if chance < right else 1 - better


def _classify(seed: int, question: Question, person: Labeler, chance: float) -> int:
    count = len(question.options)
    true = truth(seed, question)
    clarity = 0.7 + 0.3 * draw(seed, "clarity", question.content, *question.options)
    right = 1 / count + (1 - 1 / count) * person.skill * clarity
    if chance < right or count == 1:
        return true
    wrong = [index for index in range(count) if index != true]
    # On a scale people miss by one rather than by three; without order every mistake is as likely.
    weights = [1 / (index - true) ** 2 if question.ordered else 1.0 for index in wrong]
    return wrong[_weighted(weights, (chance - right) / (1 - right))]


def _pick(choices: tuple[tuple[str, int], ...], chance: float) -> str:
    return choices[_weighted([weight for _, weight in choices], chance)][0]


def _pick_country(chance: float) -> tuple[str, str]:
    country, language, _ = _COUNTRIES[_weighted([row[2] for row in _COUNTRIES], chance)]
    return country, language


def _weighted(weights: list[float] | list[int], chance: float) -> int:
    mark = chance * sum(weights)
    for index, weight in enumerate(weights):
        mark -= weight
        if mark < 0:
            return index
    return len(weights) - 1
