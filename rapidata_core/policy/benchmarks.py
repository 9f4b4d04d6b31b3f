"""Benchmarks: what may be asked for, and what the platform's answers mean."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from os.path import basename
from typing import Any, Literal, Protocol, cast

from rapidata_core.errors import (
    KeyConflictError,
    ValidationError,
    blank,
    is_number,
    is_whole,
    outside,
    refuse,
    some,
)
from rapidata_core.jobs.datapoint import is_url
from rapidata_core.policy.submission import readable
from rapidata_core.types import Origin, SampleUpload, Standing, Tag
from rapidata_core.wire.mri import (
    LeaderboardAnswer,
    ParticipantAnswer,
    PromptAnswer,
    SampleAnswer,
    StandingAnswer,
)

LEVELS = {"debug": 20, "low": 2_000, "medium": 4_000, "high": 8_000, "very high": 16_000}
"""Answers that are collected per evaluation, by the words of the platform's documents."""

MIN_RESPONSES = 3
MAX_SUBMITTED = 100
READY = frozenset({"Created", "Submittable"})
"""The states of participants that were not submitted yet."""

SUBMITTED = "Submitted"
PRICE_UNITS = {
    "image": "UsdPerImage",
    "video_second": "UsdPerVideoSecond",
    "million_tokens": "UsdPerMillionTokens",
    "sample": "UsdPerSample",
}

LevelOfDetail = Literal["debug", "low", "medium", "high", "very high"]
_TEXT_SEGMENT, _ASSET_SEGMENT = "prompt", "prompt_asset"


class HasId(Protocol):
    """Anything with an id, such as an audience of any kind."""

    id: str


@dataclass(frozen=True)
class Prompt:
    """A prompt of a benchmark, before or after the platform has it.

    Attributes:
        identifier: Its name in the benchmark.
        prompt: Its text.
        prompt_asset: Paths or URLs of the media that go with it.
        tags: See :class:`Tag`.
        origin: See :class:`Origin`.
        english_prompt: The platform's translation.
        id: The platform's id.
    """

    identifier: str
    prompt: str | None = None
    prompt_asset: list[str] | None = None
    tags: tuple[Tag, ...] = ()
    origin: Origin | None = None
    english_prompt: str | None = None
    id: str = ""

    def body(self, asset: Mapping[str, Any] | None) -> dict[str, Any]:
        """The prompt on the wire.

        Args:
            asset: Its uploaded media.
        """
        segments: list[dict[str, Any]] = []
        if self.prompt is not None:
            segments.append({"key": _TEXT_SEGMENT, "kind": "Text", "text": self.prompt})
        if asset is not None:
            segments.append({"key": _ASSET_SEGMENT, "kind": "Asset", "asset": asset})
        return {
            "identifier": self.identifier,
            "segments": segments,
            "tags": tags_on_the_wire(self.tags),
            "origin": None if self.origin is None else {"source": self.origin.source},
        }


def tags_on_the_wire(tags: Iterable[Tag]) -> list[dict[str, Any]]:
    """Tags as the platform takes them."""
    return [{"value": tag.value, "category": tag.category} for tag in tags]


def read_prompt(answer: PromptAnswer) -> Prompt:
    """A prompt as the platform answers it, in either dialect."""
    segments = {segment.key: segment for segment in answer.segments or []}
    text, asset = segments.get(_TEXT_SEGMENT), segments.get(_ASSET_SEGMENT)
    given = answer.prompt_asset if asset is None else asset.asset
    return Prompt(
        identifier=answer.identifier,
        prompt=answer.original_prompt or (text and text.original_text),
        prompt_asset=_references(given),
        tags=tuple(Tag(tag.value, tag.category) for tag in answer.tags or []),
        origin=None if answer.origin is None else Origin(answer.origin.source),
        english_prompt=answer.english_prompt or (text and text.english_text),
        id=answer.id,
    )


def new_prompts(
    subject: str,
    identifiers: Sequence[str] | None,
    prompts: Sequence[str | None] | None,
    prompt_assets: Sequence[Sequence[str] | str | None] | None,
    tags: Sequence[Sequence[str | Tag] | None] | None,
    origins: Sequence[Origin | str | None] | None,
    *,
    name: object = "given",
) -> list[Prompt]:
    """Put together what belongs together, by index.

    Args:
        subject: What the prompts are for, in an error.
        identifiers: The names of the prompts; by default the prompts themselves.
        prompts: Their texts.
        prompt_assets: Paths or URLs of the media that go with each.
        tags: The tags of each.
        origins: Where each comes from.
        name: The name of a new benchmark, to be checked together with the rest.

    Raises:
        ValidationError: With everything that is wrong.
    """
    problems = blank("name", name)
    problems += _wrong_lists(identifiers, prompts, prompt_assets, tags, origins)
    if not problems:
        problems += _wrong_prompts(identifiers, prompts, prompt_assets)
        problems += _wrong_details(tags, origins)
    if problems:
        raise ValidationError(subject, problems)
    names = cast("Sequence[str]", identifiers or prompts)
    nothing: list[None] = [None] * len(names)
    return [
        Prompt(
            identifier=identifier,
            prompt=prompt,
            prompt_asset=_asset_list(asset),
            tags=read_tags(own_tags or ()),
            origin=read_origin(origin),
        )
        for identifier, prompt, asset, own_tags, origin in zip(
            names,
            prompts or nothing,
            prompt_assets or nothing,
            tags or nothing,
            origins or nothing,
            strict=True,
        )
    ]


def read_tags(tags: Iterable[str | Tag]) -> tuple[Tag, ...]:
    """Tags, of which plain texts have no category."""
    return tuple(Tag(tag) if isinstance(tag, str) else tag for tag in tags)


def read_origin(origin: Origin | str | None) -> Origin | None:
    """An origin, which may be given as its source alone."""
    return Origin(origin) if isinstance(origin, str) else origin


def taken(subject: str, prompts: Iterable[Prompt], existing: Iterable[str]) -> None:
    """Refuse identifiers that the benchmark has.

    Raises:
        ValidationError: Names them all.
    """
    held = set(existing)
    double = [prompt.identifier for prompt in prompts if prompt.identifier in held]
    if double:
        raise ValidationError(
            subject, [f"identifiers: the benchmark has {_some(double)} already; use other ones"]
        )


def new_samples(
    subject: str,
    media: Sequence[str],
    identifiers: Sequence[str] | None,
    prompts: Sequence[str] | None,
    *,
    data_type: str,
    argument: str = "media",
    name: object = "given",
) -> list[SampleUpload]:
    """Pair media with the prompts that they were made for.

    Args:
        subject: Whose media they are, in an error.
        media: Paths, URLs or texts.
        identifiers: The identifier of the prompt of each.
        prompts: The same, where prompts are their own identifiers.
        data_type: ``media`` or ``text``.
        argument: What the caller calls the media.
        name: The name of a new model, to be checked together with the rest.

    Raises:
        ValidationError: With everything that is wrong.
    """
    problems = blank("name", name)
    if data_type not in ("media", "text"):
        problems.append(f"data_type: must be 'media' or 'text', not {data_type!r}")
    if _is_no_list(media) or not media:
        problems.append(f"{argument}: must be a list with one item at least")
    elif any(blank(argument, item) for item in media):
        problems.append(f"{argument}: every item must be a text that is not blank")
    if identifiers and prompts:
        problems.append("identifiers: give either identifiers or prompts, not both")
    names = identifiers or prompts
    if not names or _is_no_list(names):
        problems.append("identifiers: give a list of identifiers or of prompts, one per item")
    elif not _is_no_list(media) and len(names) != len(media):
        problems.append(
            f"identifiers: must have one entry per item; there are {len(names)} for {len(media)}"
        )
    if problems:
        raise ValidationError(subject, problems)
    assert names is not None
    pairs = [SampleUpload(item, name) for item, name in zip(media, names, strict=True)]
    double = [pair for pair, count in Counter(pairs).items() if count > 1]
    if double:
        listed = _some([f"{pair.media} for {pair.identifier}" for pair in double])
        raise ValidationError(subject, [f"{argument}: the same item is given twice: {listed}"])
    return pairs


def missing_samples(
    held: Iterable[SampleAnswer], samples: Sequence[SampleUpload], data_type: str
) -> list[SampleUpload] | None:
    """What a participant lacks of a model's samples, if it is that model.

    The platform says of a sample which URL or file it was, or its text. Where it does not, only the
    prompts are compared.

    Args:
        held: What the participant has.
        samples: What the model made.
        data_type: ``media`` or ``text``.

    Returns:
        Nothing if it has them all; None if it has something else, or has nothing.
    """
    origins = [(one.identifier, _origin(one)) for one in held if one.id is not None]
    tells = all(origin is not None for _, origin in origins)
    left = Counter(origins if tells else [(identifier, None) for identifier, _ in origins])
    missing: list[SampleUpload] = []
    for sample in samples:
        name = sample.media
        if data_type == "media" and not is_url(name):
            name = basename(name)
        known = (sample.identifier, name if tells else None)
        if left[known]:
            left[known] -= 1
        else:
            missing.append(sample)
    return missing if origins and not left.total() else None


def model_to_adopt(participants: Sequence[ParticipantAnswer]) -> ParticipantAnswer | None:
    """Which of several participants that are the same model stays.

    One that was submitted is paid for. Of others it is the oldest, so that a runner that saw no
    other one before it submitted, and all that came later, agree without talking.
    """
    return min(participants, key=lambda one: (one.status in READY, age(one)), default=None)


def may_be_filled(participant: ParticipantAnswer) -> bool:
    """Whether a participant that shows no media may get some, or have some that show later."""
    return participant.status in {*READY, SUBMITTED}


def age(participant: ParticipantAnswer) -> tuple[datetime, str]:
    """What participants are ordered by, the oldest first; ties are broken alike by everybody."""
    never = datetime.max.replace(tzinfo=UTC)
    return participant.created_at or never, participant.id


def unknown_identifiers(
    subject: str, samples: Iterable[SampleUpload], existing: Iterable[str]
) -> None:
    """Refuse media for prompts that the benchmark does not have.

    Raises:
        ValidationError: Names them all.
    """
    known = set(existing)
    unknown = [s for s in dict.fromkeys(sample.identifier for sample in samples) if s not in known]
    if unknown:
        problem = (
            f"identifiers: the benchmark has no prompt {_some(unknown)}; see its identifiers, or "
            "add them with add_prompts"
        )
        raise ValidationError(subject, [problem])


@dataclass(frozen=True)
class LeaderboardSettings:
    """What can be changed about a leaderboard; None leaves it as it is."""

    name: str | None = None
    level_of_detail: LevelOfDetail | int | None = None
    min_responses_per_matchup: int | None = None
    vote_aggregation: str | None = None

    @property
    def response_budget(self) -> int | None:
        """The answers per evaluation that a level of detail stands for."""
        level = self.level_of_detail
        return LEVELS[level] if isinstance(level, str) else level

    def problems(self) -> list[str]:
        """Everything that is wrong."""
        problems: list[str] = []
        level = self.level_of_detail
        if not (level is None or level in LEVELS or is_whole(level, 1)):
            words = ", ".join(map(repr, LEVELS))
            problems.append(
                f"level_of_detail: must be one of {words} or a number of answers above 0, "
                f"not {level!r}"
            )
        least = self.min_responses_per_matchup
        if least is not None and not is_whole(least, MIN_RESPONSES):
            problems.append(
                f"min_responses_per_matchup: must be a whole number, at least {MIN_RESPONSES}, "
                f"not {least!r}"
            )
        if self.vote_aggregation not in (None, "MajorityVote", "AllVotes"):
            problems.append(
                "vote_aggregation: must be VoteAggregation.MAJORITY_VOTE or "
                f"VoteAggregation.ALL_VOTES, not {self.vote_aggregation!r}"
            )
        return problems

    def body(self) -> dict[str, Any]:
        """The change on the wire."""
        values = {
            "name": self.name,
            "responseBudget": self.response_budget,
            "minResponses": self.min_responses_per_matchup,
            "voteAggregation": self.vote_aggregation,
        }
        return {key: value for key, value in values.items() if value is not None}


def is_asked_for(found: LeaderboardAnswer, body: Mapping[str, Any]) -> bool:
    """Whether a leaderboard is what a creation asked for; what was not given may be anything."""
    read = {
        "name": found.name,
        "instruction": found.instruction,
        "showPrompt": found.show_prompt,
        "showPromptAsset": found.show_prompt_asset,
        "isInversed": found.is_inversed,
        "responseBudget": found.response_budget,
        "minResponses": found.min_responses,
    }
    return all(value == body.get(field, value) for field, value in read.items())


def leaderboard_to_adopt(found: LeaderboardAnswer, body: Mapping[str, Any]) -> LeaderboardAnswer:
    """The leaderboard that a key has.

    Raises:
        KeyConflictError: It asks something else.
    """
    if is_asked_for(found, {**body, "name": found.name}):
        return found
    raise KeyConflictError(
        f"This key already has leaderboard {found.id} ({readable(found.name)!r}), which asks "
        f"{found.instruction!r}, now {body['instruction']!r}, or asks it in another way. Use a new "
        "key to pay for a new leaderboard, or give back the old arguments.",
        object_id=found.id,
        expected=body["instruction"],
        found=found.instruction,
    )


def level_of(response_budget: int) -> str:
    """The level of detail that a budget is called; ``custom`` for any other number."""
    return next((word for word, budget in LEVELS.items() if budget == response_budget), "custom")


def check_price(price: float, unit: str) -> None:
    """Refuse a price that means nothing.

    Raises:
        ValidationError: With everything that is wrong.
    """
    problems: list[str] = []
    if not is_number(price):
        problems.append("price: must be a number")
    elif not math.isfinite(price) or price <= 0:
        problems.append("price: must be above 0")
    if unit not in PRICE_UNITS:
        problems.append(f"unit: must be one of {', '.join(map(repr, PRICE_UNITS))}, not {unit!r}")
    if problems:
        raise ValidationError("The price", problems)


def vote_filters(**wanted: Sequence[str] | str | None) -> list[tuple[str, str]]:
    """Query parameters that restrict which votes count; None does not restrict."""
    lists = {
        field: [values] if isinstance(values, str) else values or ()
        for field, values in wanted.items()
    }
    return [(f"{field}[in]", str(value)) for field, values in lists.items() for value in values]


def standings_rows(items: Iterable[StandingAnswer]) -> list[dict[str, Any]]:
    """Standings as rows of a table, in the words of the platform's documents."""
    return [
        {
            "name": item.name,
            "wins": item.wins,
            "total_matches": item.total_matches,
            "score": None if item.score is None else round(item.score, 2),
        }
        for item in items
    ]


@dataclass(frozen=True)
class StandingGoal:
    """What a model's standing shall be; at least one of these is given.

    Attributes:
        max_rank: The worst rank.
        min_score: The lowest score.
        min_matches: The fewest matches that it took part in.

    Raises:
        ValidationError: None is given, or one is out of its range; it lists every problem.
    """

    max_rank: int | None = None
    min_score: float | None = None
    min_matches: float | None = None

    def __post_init__(self) -> None:
        problems: list[str] = []
        if self.max_rank is not None:
            problems += outside("max_rank", self.max_rank, 1, whole=True)
        if self.min_score is not None:
            problems += outside("min_score", self.min_score, -math.inf)
        if self.min_matches is not None:
            problems += outside("min_matches", self.min_matches, 0)
        if self.max_rank is None and self.min_score is None and self.min_matches is None:
            problems.append("standing: give max_rank, min_score or min_matches, or several")
        refuse(problems)

    def is_met(self, standing: Standing) -> bool:
        """Whether a standing keeps all that is given; without a score it keeps no rank."""
        rank, score = standing.rank, standing.score
        return (
            (self.max_rank is None or (rank is not None and rank <= self.max_rank))
            and (self.min_score is None or (score is not None and score >= self.min_score))
            and (self.min_matches is None or standing.matches >= self.min_matches)
        )


def standing_of(items: Sequence[StandingAnswer], participant: str) -> Standing | None:
    """How a model stands.

    Args:
        items: The standings.
        participant: Its id, or its name; of several with one name, the best one counts.
    """
    same = [item for item in items if item.id == participant]
    same = same or [item for item in items if item.name == participant]
    if not same:
        return None
    item = max(same, key=lambda one: -math.inf if one.score is None else one.score)
    scores = [one.score for one in items if one.score is not None]
    return Standing(
        participant=item.name,
        rank=None if item.score is None else 1 + sum(other > item.score for other in scores),
        score=None if item.score is None else round(item.score, 2),
        wins=item.wins,
        matches=item.total_matches,
    )


def is_evaluated(item: StandingAnswer) -> bool:
    """Whether all leaderboards of a benchmark have compared a model; one by its standing there."""
    under_way = item.is_evaluating or item.is_partially_evaluated
    return item.total_matches > 0 and not under_way


def standing_so_far(items: Sequence[StandingAnswer], participant: str) -> str:
    """How a model stands, or who is there instead, as a sentence."""
    standing = standing_of(items, participant)
    if standing is not None:
        rank = "no rank" if standing.rank is None else f"rank {standing.rank}"
        return (
            f"{standing.participant!r} has {rank}, the score {standing.score} and "
            f"{standing.matches:g} matches so far."
        )
    if not items:
        return "No model was submitted so far."
    return f"There is no model {participant!r}; there are {some(item.name for item in items)}."


def _wrong_lists(
    identifiers: object, prompts: object, prompt_assets: object, tags: object, origins: object
) -> list[str]:
    """Arguments that are no lists, are missing, or differ in length."""
    given = {
        "identifiers": identifiers,
        "prompts": prompts,
        "prompt_assets": prompt_assets,
        "tags": tags,
        "origins": origins,
    }
    problems = [
        f"{name}: must be a list, one entry per prompt"
        for name, value in given.items()
        if value is not None and _is_no_list(value)
    ]
    if not identifiers and not prompts:
        problems.append("prompts: give prompts, or identifiers together with prompt_assets")
    elif not prompts and not prompt_assets:
        problems.append("prompts: give prompts or prompt_assets; identifiers alone ask nothing")
    if problems:
        return problems
    lengths = {name: len(cast("Sequence[Any]", value)) for name, value in given.items() if value}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        problems.append(f"prompts: all lists must have the same length; {listed}")
    return problems


def _wrong_prompts(
    identifiers: Sequence[Any] | None,
    prompts: Sequence[Any] | None,
    prompt_assets: Sequence[Any] | None,
) -> list[str]:
    problems: list[str] = []
    argument = "identifiers" if identifiers else "prompts"
    advice = "" if identifiers else "; or give identifiers"
    names = identifiers or prompts or ()
    if any(blank(argument, name) for name in names):
        return [f"{argument}: every entry must be a text that is not blank{advice}"]
    double = [name for name, count in Counter(map(str, names)).items() if count > 1]
    if double:
        problems.append(f"{argument}: must differ from each other; twice: {_some(double)}{advice}")
    if identifiers and any(p is not None and blank("prompts", p) for p in prompts or ()):
        problems.append("prompts: every entry must be None or a text that is not blank")
    for index, asset in enumerate(prompt_assets or ()):
        parts: Sequence[Any] | None = asset if not isinstance(asset, str) else [asset]
        if parts is None:
            continue
        if _is_no_list(parts) or not parts or any(blank("prompt_assets", part) for part in parts):
            problems.append(
                f"prompt_assets[{index}]: must be None or a list of paths and URLs, not {asset!r}"
            )
    for index, identifier in enumerate(names):
        if not (prompts and prompts[index]) and not (prompt_assets and prompt_assets[index]):
            problems.append(f"prompts: {identifier!r} has neither a prompt nor a prompt asset")
    return problems


def _wrong_details(tags: Sequence[Any] | None, origins: Sequence[Any] | None) -> list[str]:
    problems: list[str] = []
    for index, own in enumerate(tags or ()):
        if own is None:
            continue
        if _is_no_list(own) or not all(isinstance(tag, str | Tag) and tag for tag in own):
            problems.append(f"tags[{index}]: must be None or a list of texts and Tags, not {own!r}")
    problems += [
        f"origins[{index}]: must be None, a text or an Origin, not {origin!r}"
        for index, origin in enumerate(origins or ())
        if not isinstance(origin, str | Origin | None)
    ]
    return problems


def wrong_tags(tags: object) -> list[str]:
    """What is wrong with the tags of one prompt."""
    return [problem.replace("[0]", "") for problem in _wrong_details([tags], None)]


def _asset_list(asset: Sequence[str] | str | None) -> list[str] | None:
    if asset is None:
        return None
    return [asset] if isinstance(asset, str) else list(asset)


def _references(asset: Mapping[str, Any] | None) -> list[str] | None:
    """The URLs, or the names of local files, that an asset was made from."""
    if asset is None:
        return None
    match asset:
        case {"assets": [*parts]}:
            known = [_references(part) or [] for part in cast("list[dict[str, Any]]", parts)]
            return [reference for references in known for reference in references] or None
        case {"metadata": {"sourceUrl": {"url": str(url)}}}:
            return [url]
        case {"metadata": {"originalFilename": {"originalFilename": str(name)}}}:
            return [name]
        case _:
            return None


def _origin(sample: SampleAnswer) -> str | None:
    """The URL or the name of the file that a sample was, or its text."""
    asset = sample.asset or {}
    text = asset.get("text")
    return text if isinstance(text, str) else next(iter(_references(asset) or ()), None)


def _is_no_list(value: object) -> bool:
    return isinstance(value, str | bytes) or not isinstance(value, Sequence)


def _some(names: Sequence[str]) -> str:
    """A few of the names, for a message."""
    shown = ", ".join(map(repr, names[:5]))
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
