"""What was asked about what: the identity of a datapoint, by which tables are joined.

It is a digest of the question (type, instruction, settings, names of the sides) and of what people
are shown (items, contexts, sentence, answer options, each in its order). Who is asked, how many
answers are wanted, the name, private metadata and the place among other datapoints do not count.

URLs and paths count as they are written; what is behind them is not looked at. A table of labels is
often made where the files are not, or after they have changed, and would then be joined to what
nobody was asked about. So a new version of a picture needs a new name, as everywhere here.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from urllib.parse import unquote, urlsplit

from rapidata_core.jobs.checks import MAX_CONTEXT
from rapidata_core.jobs.datapoint import Json, is_url
from rapidata_core.jobs.spec import JobSpec

Shown = tuple[tuple[str, ...], str | None]

# Fields with a value for each datapoint: there the datapoint's own value counts.
OWN_FIELDS = ("datapoints", "contexts", "media_contexts", "sentences", "answer_options")
# Fields that change what a job costs or how it is found again, but not what people are asked. All
# others count, so that a field that is added to a spec never makes two questions the same.
_NOT_ASKED = (
    "name",
    "private_metadata",
    "responses_per_datapoint",
    "confidence_threshold",
    "quorum_threshold",
    "comparison_budget_per_ranking",
    "responses_per_comparison",
    "random_comparisons_ratio",
)
# 128 bits: two datapoints that share an identity would be labelled as one, so they must never.
_DIGITS = 32
# Whatever is shown instead of a context that was too long. No context is blank.
_SHORTENED = ""


def datapoint_ids(spec: JobSpec) -> list[str]:
    """The identities of a spec's datapoints, in their order; of a ranking one per list of items.

    Args:
        spec: What is asked.

    Returns:
        32 hex digits each. Datapoints that say the same have the same.
    """
    question = hashlib.sha256(_text(_question(spec)))
    ids: list[str] = []
    for content in _contents(spec):
        digest = question.copy()
        digest.update(_text(content))
        ids.append(digest.hexdigest()[:_DIGITS])
    return ids


def places(spec: JobSpec, shown: Sequence[Shown]) -> list[int | None]:
    """Which of a spec's datapoints the entries of a results file are about.

    A file names items by their sources or by the last part of these only, it may or may not tell
    contexts, and datapoints that could not be uploaded are missing. Where different datapoints look
    alike, their entries are taken to be in the order of the spec if none is missing.

    Args:
        spec: What was asked.
        shown: Of each entry, the items as results name them, and the context.

    Returns:
        A position in ``spec.datapoints`` each; None where nobody can tell.
    """
    contents = list(_contents(spec))
    alike = _by_looks(spec, contents, shown)
    entries: defaultdict[Shown, list[int]] = defaultdict(list)
    for position, (names, context) in enumerate(shown):
        key = _looks(spec, names), context
        entries[key if key in alike else (key[0], _SHORTENED)].append(position)
    found: list[int | None] = [None] * len(shown)
    for key, positions in entries.items():
        candidates = alike.get(key, [])
        # Which of several equal ones is missing makes no difference.
        equal = all(contents[place] == contents[candidates[0]] for place in candidates)
        if len(positions) == len(candidates) or (equal and len(positions) < len(candidates)):
            for position, place in zip(positions, candidates, strict=False):
                found[position] = place
    return found


def _question(spec: JobSpec) -> Json:
    # Defaults are left out: a field that is added later must not change what is known so far.
    said = spec.model_dump(mode="json", exclude_defaults=True, exclude={*OWN_FIELDS, *_NOT_ASKED})
    # Switches have no order; the same one twice has.
    settings = sorted(said.pop("settings", ()), key=lambda one: (one.get("target", ""), one["key"]))
    return {**said, "type": spec.type, "settings": settings}


def _contents(spec: JobSpec) -> Iterator[Json]:
    """What people are shown about each datapoint."""
    for index, given in enumerate(spec.datapoints):
        yield {
            "items": [given] if isinstance(given, str) else given,
            "context": spec.contexts[index] if spec.contexts else None,
            "media_context": spec.media_contexts[index] if spec.media_contexts else None,
            **spec.own_parts(index),
        }


def _text(content: object) -> bytes:
    return json.dumps(content, sort_keys=True).encode()


def _by_looks(
    spec: JobSpec, contents: Sequence[Json], shown: Sequence[Shown]
) -> dict[Shown, list[int]]:
    """The datapoints by what their entries would show, in the way that this file shows things."""
    whole = any(is_url(name) for names, _ in shown for name in names)
    with_context = any(context is not None for _, context in shown)
    alike: defaultdict[Shown, list[int]] = defaultdict(list)
    for place, content in enumerate(contents):
        names, context = content["items"], content["context"] if with_context else None
        if spec.data_type == "media":
            names = _distinct([_name(item, whole=whole) for item in names])
        long = context is not None and len(context) > MAX_CONTEXT
        alike[_looks(spec, names), _SHORTENED if long else context].append(place)
    return dict(alike)


def _looks(spec: JobSpec, names: Sequence[str]) -> tuple[str, ...]:
    if spec.data_type == "media":
        # An upload may have put escapes into a name, or taken them out.
        names = [unquote(name) for name in names]
    # The items of a ranking may be listed from best to worst; those of a pair are A and B.
    return tuple(sorted(names) if spec.type == "ranking" else names)


def _name(item: str, *, whole: bool) -> str:
    """What results call a file, or a URL: by the whole of it or by its last part."""
    if not is_url(item):
        return os.path.basename(item)
    url = urlsplit(item)
    return item if whole else unquote(url.path.rstrip("/").rpartition("/")[2]) or url.netloc


def _distinct(names: Sequence[str]) -> list[str]:
    """Names as they are told apart in an entry: ``cat.jpg``, ``cat.jpg (2)``."""
    seen: Counter[str] = Counter()
    told: list[str] = []
    for name in names:
        seen[name] += 1
        told.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return told
