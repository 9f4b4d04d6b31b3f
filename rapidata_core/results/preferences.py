"""Preferences to train on: pairs of a better and a worse item, or single items with a verdict.

Rows are in the formats of TRL (its guide "Dataset formats and types"), with explicit prompts:
``preference`` for DPO and reward models, ``unpaired preference`` for KTO. What else a row holds,
trainers do not need: how sure people were, and which datapoint it came from.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from rapidata_core.errors import is_number, outside, refuse, some
from rapidata_core.results.frames import records, table_problems

if TYPE_CHECKING:
    import pandas

Row = dict[str, Any]
Style = Literal["standard", "conversational"]
Ties = Literal["drop", "error"]

_COLUMNS = ("datapoint", "datapoint_id", "items", "votes", "responses")
# Elo's convention: whoever is 400 points ahead is preferred ten times out of eleven.
_ELO_SCALE = 400 / math.log(10)


@dataclass(frozen=True)
class TrainingRows:
    """What there is to train on, and what is missing from it.

    Attributes:
        rows: Plain dictionaries; ``datasets.Dataset.from_list(rows)`` takes them.
        left_out: How many pairs (or items, where rows are single items) there could have been
            besides, by the reason why there are not.
    """

    rows: list[Row]
    left_out: dict[str, int]


def preference_pairs(
    labels: pandas.DataFrame,
    *,
    prompts: str = "context",
    contents: str = "items",
    style: Style = "standard",
    ties: Ties = "drop",
    min_margin: float = 0.0,
    min_responses: int = 1,
    weighted: bool = False,
) -> TrainingRows:
    """Pairs of a chosen and a rejected item, from the labels of a comparison or a ranking.

    A comparison gives one pair per datapoint. A ranking gives every two of its items, the one with
    the higher score chosen.

    Each row holds ``prompt``, ``chosen``, ``rejected``; ``votes_chosen`` and ``votes_rejected``,
    the answers for each item; ``margin``; ``score_chosen`` and ``score_rejected``, a ranking's
    scores (None in a comparison); ``datapoint`` and ``datapoint_id``.

    The margin says how clear the preference is, from 0 to 1. In a comparison it is the difference
    of the shares of all votes. In a ranking it is the difference that the scores make expect if
    people compared the two, 2 / (1 + 10^(-d / 400)) - 1 for scores that are d apart (A. E. Elo,
    "The Rating of Chessplayers, Past and Present", 1978; the logistic form).

    Args:
        labels: The table of labels.
        prompts: The column with the prompts, as texts.
        contents: The column with what the items stand for: a list per datapoint, in the order of
            ``items``. Names of files, say, become URLs in a column of your own.
        style: ``standard`` has texts, ``conversational`` lists of messages with ``role`` and
            ``content``.
        ties: What to do where neither item is better: the votes or the scores are equal, or most
            people said ``Both`` or ``Neither``. ``drop`` leaves the pair out, ``error`` refuses.
        min_margin: The least margin of a pair.
        min_responses: The least number of answers to a datapoint.
        weighted: Whether votes count by the user scores of the people; in comparisons only, since
            a ranking has one score for each item.

    Raises:
        ValidationError: An argument is wrong, the table is of no comparison or ranking, or there
            are ties and ``ties`` is ``error``.
    """
    rules = _Rules(prompts, contents, style, ties, min_margin, min_responses, weighted)
    rows: list[Row] = []
    left_out: Counter[str] = Counter()
    for asked in _datapoints(labels, rules):
        for pair in asked.pairs(rules):
            if pair.reason is None:
                rows.append(asked.pair_row(pair, rules))
            else:
                left_out[pair.reason] += 1
    return TrainingRows(rows, dict(left_out))


def unpaired(
    labels: pandas.DataFrame,
    *,
    prompts: str = "context",
    contents: str = "items",
    style: Style = "standard",
    ties: Ties = "drop",
    min_margin: float = 0.0,
    min_responses: int = 1,
    weighted: bool = False,
) -> TrainingRows:
    """Single items with a verdict: whether the item is better than most of what it stood beside.

    It is better if it is the chosen one in more of the datapoint's pairs than it is the rejected
    one, see :func:`preference_pairs`. So a comparison gives its winner and its loser, and a ranking
    its upper and its lower half, without the item in the middle.

    Each row holds ``prompt``, ``completion`` and ``label`` (a bool); ``votes``, the answers for the
    item; ``datapoint`` and ``datapoint_id``.

    Args:
        labels: See :func:`preference_pairs`, as for all arguments.
        prompts: The column with the prompts.
        contents: The column with what the items stand for.
        style: ``standard`` or ``conversational``.
        ties: ``drop`` or ``error``.
        min_margin: The least margin of a pair that counts.
        min_responses: The least number of answers to a datapoint.
        weighted: Whether votes count by the user scores of the people.

    Raises:
        ValidationError: As :func:`preference_pairs`.
    """
    rules = _Rules(prompts, contents, style, ties, min_margin, min_responses, weighted)
    rows: list[Row] = []
    left_out: Counter[str] = Counter()
    for asked in _datapoints(labels, rules):
        lead: Counter[int] = Counter()
        reasons: dict[int, str] = {}
        for pair in asked.pairs(rules):
            won = 1 if pair.reason is None else 0
            lead.update({pair.chosen: won, pair.rejected: -won})
            if pair.reason is not None:
                reasons.setdefault(pair.chosen, pair.reason)
                reasons.setdefault(pair.rejected, pair.reason)
        for item, ahead in sorted(lead.items()):
            if ahead:
                rows.append(asked.item_row(item, rules, label=ahead > 0))
            else:
                left_out[reasons.get(item, "in the middle of the ranking")] += 1
    return TrainingRows(rows, dict(left_out))


@dataclass(frozen=True)
class _Rules:
    """The arguments of both functions."""

    prompts: str
    contents: str
    style: Style
    ties: Ties
    min_margin: float
    min_responses: int
    weighted: bool

    @property
    def columns(self) -> tuple[str, ...]:
        return (*_COLUMNS, self.winner, self.prompts, self.contents)

    @property
    def winner(self) -> str:
        return "weighted_label_index" if self.weighted else "label_index"

    @property
    def share(self) -> str:
        return "user_score_ratio" if self.weighted else "ratio"

    def problems(self) -> Iterator[str]:
        if self.style not in get_args(Style):
            yield f"style: must be {' or '.join(get_args(Style))}, not {self.style!r}"
        if self.ties not in get_args(Ties):
            yield f"ties: must be {' or '.join(get_args(Ties))}, not {self.ties!r}"
        yield from outside("min_margin", self.min_margin, 0, 1)
        yield from outside("min_responses", self.min_responses, 1, whole=True)


@dataclass(frozen=True)
class _Pair:
    """Two items by their places, and the margin; or the reason why neither is chosen."""

    chosen: int
    rejected: int
    margin: float = 0.0
    reason: str | None = None


@dataclass(frozen=True)
class _Asked:
    """A datapoint: what was asked, and what people said.

    Attributes:
        facts: Its row of the table.
        contents: What the items stand for.
        votes: What there is about each item, in the order of the items.
        scores: A ranking's scores; all None in a comparison.
    """

    facts: Row
    contents: list[Any]
    votes: list[Row]
    scores: list[float | None]

    @property
    def is_ranking(self) -> bool:
        return len(self.votes) > 2 or any(score is not None for score in self.scores)

    def pairs(self, rules: _Rules) -> Iterator[_Pair]:
        """Every two items, once."""
        general = self._unusable(rules)
        if len(self.votes) < 2:
            yield _Pair(0, 0, reason="fewer than two items")
        for first, second in combinations(range(len(self.votes)), 2):
            if general is not None:
                yield _Pair(first, second, reason=general)
                continue
            pair = self._ranked(first, second) if self.is_ranking else self._compared(rules)
            if pair.reason is None and pair.margin < rules.min_margin:
                pair = _Pair(first, second, reason="margin too small")
            yield pair

    def pair_row(self, pair: _Pair, rules: _Rules) -> Row:
        return {
            "prompt": _said("user", self.facts[rules.prompts], rules),
            "chosen": _said("assistant", self.contents[pair.chosen], rules),
            "rejected": _said("assistant", self.contents[pair.rejected], rules),
            "votes_chosen": self.votes[pair.chosen].get("count", 0),
            "votes_rejected": self.votes[pair.rejected].get("count", 0),
            "margin": pair.margin,
            "score_chosen": self.scores[pair.chosen],
            "score_rejected": self.scores[pair.rejected],
            **self._origin(),
        }

    def item_row(self, item: int, rules: _Rules, *, label: bool) -> Row:
        return {
            "prompt": _said("user", self.facts[rules.prompts], rules),
            "completion": _said("assistant", self.contents[item], rules),
            "label": label,
            "votes": self.votes[item].get("count", 0),
            **self._origin(),
        }

    def _unusable(self, rules: _Rules) -> str | None:
        """Why nothing can be learned from this datapoint."""
        prompt = self.facts[rules.prompts]
        if not isinstance(prompt, str) or not prompt.strip():
            return "no prompt"
        if any(content is None for content in self.contents):
            return "no content"
        return "too few responses" if self.facts["responses"] < rules.min_responses else None

    def _compared(self, rules: _Rules) -> _Pair:
        winner = self.facts[rules.winner]
        # Missing after equal votes, and where most people said Both or Neither.
        if winner is None:
            return _Pair(0, 1, reason="tie")
        chosen = int(winner)
        shares = [vote.get(rules.share) or 0.0 for vote in self.votes]
        return _Pair(chosen, 1 - chosen, margin=shares[chosen] - shares[1 - chosen])

    def _ranked(self, first: int, second: int) -> _Pair:
        one, other = self.scores[first], self.scores[second]
        if one is None or other is None:
            return _Pair(first, second, reason="no score")
        if one == other:
            return _Pair(first, second, reason="tie")
        chosen, rejected = (first, second) if one > other else (second, first)
        # The same as 2 / (1 + 10^(-d / 400)) - 1.
        return _Pair(chosen, rejected, margin=math.tanh(abs(one - other) / _ELO_SCALE / 2))

    def _origin(self) -> Row:
        return {name: self.facts[name] for name in ("datapoint", "datapoint_id")}


def _datapoints(labels: pandas.DataFrame, rules: _Rules) -> list[_Asked]:
    """The rows of the table, after everything about them was checked."""
    refuse([*table_problems("labels", labels, rules.columns), *rules.problems()])
    asked = [_read(row, rules) for row in records(labels, rules.columns)]
    refuse(_problems(asked, rules))
    return asked


def _read(row: Row, rules: _Rules) -> _Asked:
    by_name: dict[str, Row] = {vote["option"]: vote for vote in row["votes"]}
    votes = [by_name.get(name, {}) for name in row["items"]]
    contents = row[rules.contents]
    # A text is no list of its letters.
    is_list = isinstance(contents, Iterable) and not isinstance(contents, str)
    scores = [_score(vote) for vote in votes]
    return _Asked(row, list(cast("Iterable[Any]", contents)) if is_list else [], votes, scores)


def _score(vote: Row) -> float | None:
    score = cast("Any", vote.get("score"))
    return float(score) if is_number(score) and math.isfinite(score) else None


def _problems(asked: list[_Asked], rules: _Rules) -> list[str]:
    problems: list[str] = []
    if asked and all(len(one.votes) < 2 for one in asked):
        problems.append("labels: must be those of a comparison or a ranking; all have single items")
    uneven = [one for one in asked if len(one.contents) != len(one.votes)]
    if uneven:
        problems.append(
            f"contents: {_named(uneven)} with another number of entries in {rules.contents!r} than "
            "in 'items'"
        )
    if rules.weighted and any(one.is_ranking for one in asked):
        problems.append("weighted: a ranking has one score for each item; leave it out")
    if rules.ties == "error" and not problems:
        tied = [one for one in asked if any(pair.reason == "tie" for pair in one.pairs(rules))]
        problems += [f"ties: {_named(tied)} in which neither item is better"] if tied else []
    return problems


def _named(asked: list[_Asked]) -> str:
    return f"there are datapoints ({some(one.facts['datapoint'] for one in asked)})"


def _said(role: str, content: Any, rules: _Rules) -> Any:
    return [{"role": role, "content": content}] if rules.style == "conversational" else content
