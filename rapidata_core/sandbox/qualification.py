"""Qualification: candidates answer an audience's examples, and who answers well enough joins.

Candidates are people of the whole population, in an order that belongs to the audience. They
arrive one after the other by the simulated clock, and each answers the examples as they would
answer a job. Nothing of it is stored but the exam itself: who took it, when, and how it ended
derive from the exam and the seed.

The sandbox does not know what a picture shows, so the first example about some content defines
what is true about it. A later example that claims something else is wrong in this world: those who
see what is true fail by it, and those who do not pass.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from sqlalchemy import Row, func, select, update

from rapidata_core.sandbox import crowd, filters
from rapidata_core.sandbox.clock import SECOND
from rapidata_core.sandbox.examples import is_right, keys_of, task_of
from rapidata_core.sandbox.questions import (
    Classification,
    Comparison,
    Line,
    Locate,
    Question,
    Transcription,
)
from rapidata_core.sandbox.store import Store
from rapidata_core.sandbox.tables import audiences, cohorts, examples, truths

Json = Mapping[str, Any]

MIN_EXAMPLES = 3
"""With fewer, nobody is recruited."""

ENOUGH = 50
"""How many graduates make an audience ready, unless it says otherwise or there are fewer."""

_MOST_GRADUATES = 1_000
_MOST_CANDIDATES = 5_000
_FIRST = 2 * SECOND
_INTERVAL = SECOND // 10
"""Between two candidates."""
_TASK = 4 * SECOND
"""How long a candidate takes for one example."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """How one person's qualification went; times count from the start of recruiting.

    Attributes:
        number: Which one of the population it is.
        seen: The examples that were answered, as bits.
        right: Those of them that were answered as the example claims.
    """

    number: int
    arrived: int
    done: int
    graduated: bool
    seen: int
    right: int


@dataclass(frozen=True)
class Outcome:
    """How an exam ends for all its candidates, in the order in which they arrive.

    Attributes:
        enough: How many graduates make the audience ready.
    """

    candidates: tuple[Candidate, ...]
    enough: int

    @cached_property
    def graduates(self) -> Sequence[Candidate]:
        """Those who joined."""
        return [candidate for candidate in self.candidates if candidate.graduated]

    @property
    def over(self) -> int:
        """When the last candidate is done."""
        return self._done[-1] if self._done else 0

    @property
    def ready(self) -> int:
        """When enough have graduated, or when recruiting is over."""
        joined = self._joined
        return joined[self.enough - 1] if len(joined) >= self.enough else self.over

    def users_per_state(self, elapsed: int) -> dict[str, int]:
        """How many people are where, some time after recruiting began."""
        arrived = bisect_right(self.candidates, elapsed, key=lambda each: each.arrived)
        done, joined = bisect_right(self._done, elapsed), bisect_right(self._joined, elapsed)
        return {"Graduated": joined, "Distilling": arrived - done, "Dropped": done - joined}

    def answers_to(self, place: int, elapsed: int) -> tuple[int, int]:
        """How many right and wrong answers an example has so far."""
        bit = 1 << place
        seen = [each for each in self.candidates if each.done <= elapsed and each.seen & bit]
        right = sum(1 for candidate in seen if candidate.right & bit)
        return right, len(seen) - right

    @cached_property
    def _done(self) -> Sequence[int]:
        return sorted(candidate.done for candidate in self.candidates)

    @cached_property
    def _joined(self) -> Sequence[int]:
        return sorted(candidate.done for candidate in self.graduates)


NOBODY = Outcome((), 1)


@dataclass(frozen=True, slots=True)
class Truths:
    """What is known to be true, because a qualification example said so first."""

    by_content: Mapping[str, Any]

    def about(
        self,
        task: str,
        keys: Sequence[str],
        context: str | None = None,
        context_asset: Json | None = None,
        choices: Sequence[str] = (),
    ) -> Any:
        """What is true about some content; ``None`` when nobody ever said.

        Args:
            task: Named like the task of a workflow: ``Compare``, ``Classify``, ``Locate``, ``Line``
                or ``Transcription``.
            keys: The items: a text itself, or the name of an uploaded file.
            context: The text shown with it.
            context_asset: The asset shown with it, as it came in a request.
            choices: The options of a classification, or the words of a transcription.

        Returns:
            The key of the better item of a comparison, a list of the right categories, a list of
            boxes ``[xMin, yMin, xMax, yMax]`` in percent, or a list of the numbers of the right
            words.
        """
        if not self.by_content:
            return None
        return self.by_content.get(_content(task, keys, context, context_asset, choices))


def known_truths(store: Store, moment: int) -> Truths:
    """Everything that was known at some moment, such as the creation of a job."""
    wanted = select(truths.c.content, truths.c.value).where(truths.c.created_at <= moment)
    return Truths({row.content: row.value for row in store.read(wanted)})


def learn(store: Store, example: Row[Any], now: int) -> None:
    """Let an example define what is true, unless an earlier one did."""
    content = _content(*_shown(example))
    store.add_or_keep(truths, content=content, value=claim(example.truth), created_at=now)


def count_examples(store: Store, audience_id: str) -> int:
    """How many examples an audience has."""
    return store.number(select(func.count()).where(examples.c.audience_id == audience_id))


def examples_of(store: Store, audience_id: str) -> Sequence[Row[Any]]:
    """An audience's examples in their order."""
    wanted = select(examples).where(examples.c.audience_id == audience_id)
    return store.read(wanted.order_by(examples.c.sort_index, examples.c.seq)).all()


def recruit(store: Store, audience: Row[Any], now: int) -> str:
    """Let candidates take an audience's present exam; those before ``now`` are taken to have.

    Returns:
        The id of the new cohort.
    """
    cohort_id = store.next_id("cohort")
    started = now if audience.recruited_at is None else audience.recruited_at
    exam = json.dumps(_exam(store, audience, now), sort_keys=True)
    store.add(cohorts, id=cohort_id, audience_id=audience.id, exam=exam, started_at=started)
    result = outcome(store.seed, exam)
    change = update(audiences).where(audiences.c.id == audience.id)
    store.write(
        change.values(
            cohort_id=cohort_id,
            recruited_at=started,
            ready_at=started + result.ready,
            over_at=started + result.over,
            qualified=len(result.graduates),
            dropped=len(result.candidates) - len(result.graduates),
        )
    )
    return cohort_id


def cohort(store: Store, cohort_id: str | None) -> tuple[Outcome, int]:
    """How a cohort's qualification goes, and when it began."""
    if cohort_id is None:
        return NOBODY, 0
    row = store.read(select(cohorts).where(cohorts.c.id == cohort_id)).one()
    return outcome(store.seed, row.exam), row.started_at


def available_at(graduates: Sequence[Candidate], enough: int) -> int | None:
    """When so many of these have graduated, or all of them; ``None`` when there are none."""
    done = sorted(candidate.done for candidate in graduates)
    return done[min(enough, len(done)) - 1] if done else None


@lru_cache(maxsize=32)
def outcome(seed: int, exam: str) -> Outcome:
    """How an exam ends: a pure function, remembered because it takes up to half a second."""
    content = json.loads(exam)
    population = content["population"]
    people = filters.selected(seed, population, content["filters"])
    order = crowd.walk(seed, f"candidates/{content['audience']}", len(people), _MOST_CANDIDATES)
    questions = [_Asked.of(entry) for entry in content["questions"]]
    rule = _Rule.of(content["rule"], content["limit"], len(questions))
    candidates: list[Candidate] = []
    graduates = 0
    for place, index in enumerate(order):
        number = people[index]
        person = crowd.labeler(seed, population, number)
        ranks = _order(seed, person, len(questions), content["mode"], rule)
        passed, seen, right = _take(seed, questions, ranks, rule, person)
        arrived = _FIRST + place * _INTERVAL
        done = arrived + seen.bit_count() * _TASK
        candidates.append(Candidate(number, arrived, done, passed, seen, right))
        graduates += passed
        if graduates == _MOST_GRADUATES:
            break
    return Outcome(tuple(candidates), content["enough"])


@dataclass(frozen=True, slots=True)
class _Asked:
    """An example as candidates see it, and what it claims."""

    question: Question
    claim: Json

    @classmethod
    def of(cls, entry: Json) -> _Asked:
        """The example in an entry of an exam."""
        return cls(_question(entry), entry["truth"])

    def is_right(self, seed: int, person: crowd.Labeler) -> bool:
        """Whether somebody answers as the example claims."""
        return is_right(self.question.answer(seed, person), self.claim)


@dataclass(frozen=True, slots=True)
class _Rule:
    """When somebody graduates: from so many tasks on, with so many and such a share right."""

    tasks: int
    limit: int
    share: float
    right: int

    @classmethod
    def of(cls, rule: Json, limit: int | None, questions: int) -> _Rule:
        """A graduation rule, with as many tasks as there are examples at most."""
        least, share, right = 1, 0.0, 0
        match rule["_t"]:
            case "ScoreThreshold":
                least = rule.get("minResponsesToGraduate") or MIN_EXAMPLES
                share = rule["graduationScore"]
            case "AcceptedFreeText":
                right, share = rule["minAcceptedResponses"], rule["minAcceptedRatio"]
            case _:
                least, share = rule["minTasks"], rule["targetAccuracy"]
        most = min(questions, rule.get("maxTasks") or questions, limit or questions)
        return cls(min(least, most), most, share, min(right, most))

    def graduates(self, tasks: int, right: int) -> bool:
        """Whether somebody with so many right of so many tasks graduates."""
        return tasks >= self.tasks and right >= self.right and right >= self.share * tasks

    def is_hopeless(self, tasks: int, right: int) -> bool:
        """Whether not even getting everything else right would help; then nobody goes on."""
        best = right + self.limit - tasks
        return best < self.right or best < self.share * self.limit


def _order(seed: int, person: crowd.Labeler, count: int, mode: str, rule: _Rule) -> Sequence[int]:
    """Which examples somebody sees, in which order."""
    # Who sees all of them before anything is decided may as well see them in their order.
    if mode == "Sequential" or rule.tasks == count:
        return range(count)
    return sorted(range(count), key=lambda place: crowd.draw(seed, "exam", person.id, place))


def _take(
    seed: int,
    questions: Sequence[_Asked],
    order: Sequence[int],
    rule: _Rule,
    person: crowd.Labeler,
) -> tuple[bool, int, int]:
    """Let somebody take the exam: whether they graduate, what they saw, and what was right."""
    seen = right = 0
    for tasks, place in enumerate(order[: rule.limit], 1):
        seen |= 1 << place
        right |= questions[place].is_right(seed, person) << place
        if rule.graduates(tasks, right.bit_count()):
            return True, seen, right
        if rule.is_hopeless(tasks, right.bit_count()):
            break
    return False, seen, right


def _question(entry: Json) -> Question:
    """The question of an example; what is true about it is always known."""
    task, keys, context, context_asset, choices = _shown_by(entry)
    # Of its own: who has qualified with some content is not sure to get it right in a job.
    content = f"example/{_content(task, keys, context, context_asset, choices)}"
    known = entry["known"]
    match task:
        case "Compare":
            return Comparison(content, (keys[0], keys[1]), known=known)
        case "Classify":
            ordered = any(flag["key"] == "no_shuffle" for flag in entry["flags"])
            return Classification(content, tuple(choices), ordered, known=tuple(known))
        case "Transcription":
            return Transcription(content, tuple(choices), known=tuple(known))
        case _:
            boxes = tuple((box[0], box[1], box[2], box[3]) for box in known)
            return Line(content, boxes) if task == "Line" else Locate(content, known=boxes)


def _exam(store: Store, audience: Row[Any], now: int) -> dict[str, Any]:
    """Everything that decides who qualifies."""
    known = known_truths(store, now)
    questions = [
        {
            "id": row.id,
            "asset": row.asset,
            "payload": row.payload,
            "truth": row.truth,
            "context": row.context,
            "context_asset": row.context_asset,
            "flags": row.flags,
            "known": known.about(*_shown(row)),
        }
        for row in examples_of(store, audience.id)
    ]
    options = audience.options
    return {
        "audience": audience.id,
        "population": audience.pool,
        "filters": audience.filters,
        "rule": audience.rule,
        "mode": options.get("distillingRetrievalMode", "Random"),
        "limit": options.get("maxDistillingResponses"),
        "enough": min(options.get("minimumSizeForActivation") or ENOUGH, _MOST_GRADUATES),
        "questions": questions,
    }


_Shown = tuple[str, Sequence[str], str | None, Json | None, Sequence[str]]


def _shown(example: Row[Any]) -> _Shown:
    """What identifies the content of an example."""
    return _shown_by(example._asdict())  # pyright: ignore[reportPrivateUsage] -- it is public


def _shown_by(entry: Mapping[str, Any]) -> _Shown:
    payload = entry["payload"]
    choices = [category["value"] for category in payload.get("categories", ())]
    words = sorted(payload.get("transcription", ()), key=lambda word: word["wordIndex"])
    choices += [word["word"] for word in words]
    asset, context_asset = entry["asset"], entry["context_asset"]
    return task_of(payload), keys_of(asset), entry["context"], context_asset, choices


def _content(
    task: str,
    keys: Sequence[str],
    context: str | None,
    context_asset: Json | None,
    choices: Sequence[str],
) -> str:
    """A hash of what is asked about, whatever the order of the items compared and of options."""
    shown = list(keys)
    if task == "Compare":
        shown.sort()
    offered = list(choices)
    if task == "Classify":
        offered.sort()
    beside = [] if context_asset is None else list(keys_of(context_asset))
    text = json.dumps([task, shown, context or None, beside, offered])
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def claim(truth: Json) -> Any:
    """What an example claims, in the form of :meth:`Truths.about`."""
    match truth["_t"]:
        case "CompareExampleTruth":
            return truth["winnerId"]
        case "ClassifyExampleTruth":
            return list(truth["correctCategories"])
        case "TranscriptionExampleTruth":
            return sorted(word["wordIndex"] for word in truth["correctWords"])
        case _:
            sides = ("xMin", "yMin", "xMax", "yMax")
            return [[box[side] for side in sides] for box in truth["boundingBoxes"]]
