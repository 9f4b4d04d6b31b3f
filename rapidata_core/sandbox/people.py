"""Groups of simulated people, and the order in which they come."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rapidata_core.sandbox.crowd import Labeler, draw, labeler


@dataclass(frozen=True, slots=True)
class People:
    """Some of the people of a population, by their numbers there."""

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
