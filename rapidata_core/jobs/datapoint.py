"""One datapoint, and a set of them that is ranked together: as data, and on the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal
from urllib.parse import urlsplit

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Datapoint:
    """What labelers are asked about once. ``dataclasses.replace`` makes a corrected copy.

    Attributes:
        asset: One item or several: URLs, paths of local files, or texts.
        data_type: ``media`` for URLs and paths, ``text`` for the texts themselves.
        context: Text shown beside it.
        media_context: Images (URLs or paths) shown beside it.
        sentence: The sentence to select words from.
        answer_options: The options to choose from.
        private_metadata: What labelers never see.
        group: The ranking that it belongs to; that one has the contexts.
        sort_index: Its place among all datapoints.
    """

    asset: str | list[str]
    data_type: Literal["media", "text"] = "media"
    context: str | None = None
    media_context: list[str] | None = None
    sentence: str | None = None
    answer_options: list[str] | None = None
    private_metadata: dict[str, str] | None = None
    group: str | None = None
    sort_index: int = 0

    def items(self) -> list[str]:
        """Everything that has to be uploaded before it: URLs and paths."""
        contexts = self.media_context or []
        if self.data_type == "text":
            return contexts
        return [self.asset, *contexts] if isinstance(self.asset, str) else [*self.asset, *contexts]

    def body(self, uploaded: Mapping[str, str]) -> Json:
        """It on the wire.

        Args:
            uploaded: The platform's file name of everything in :meth:`items`.
        """
        asset = asset_input(self.asset, self.data_type, uploaded)
        segments: list[Json] = [{"key": "asset", "kind": "Asset", "asset": asset}]
        segments += context_segments(self.context, self.media_context, uploaded)
        if self.sentence is not None:
            segments.append({"key": "transcription", "kind": "Text", "text": self.sentence})
        if self.answer_options is not None:
            options = option_inputs(self.answer_options)
            segments.append({"key": "answer_options", "kind": "OptionList", "options": options})
        return {
            "segments": segments,
            "sortIndex": self.sort_index,
            "group": self.group,
            "privateMetadata": self.private_metadata,
        }

    def __repr__(self) -> str:
        # What is as usual says nothing.
        told = [
            f"{field.name}={value!r}"
            for field in fields(self)
            if (value := getattr(self, field.name)) != field.default
        ]
        return f"Datapoint({', '.join(told)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Datapoints that are ranked together, and what is shown beside each of them.

    Attributes:
        name: As the datapoints name it.
        context: Text shown beside them.
        media_context: Images (URLs or paths) shown beside them.
    """

    name: str
    context: str | None = None
    media_context: list[str] | None = None

    def items(self) -> list[str]:
        """Everything that has to be uploaded before it: URLs and paths."""
        return self.media_context or []

    def body(self, uploaded: Mapping[str, str]) -> Json:
        """It on the wire; see :meth:`Datapoint.body`."""
        segments = context_segments(self.context, self.media_context, uploaded)
        return {"group": self.name, "segments": segments}


def asset_input(item: str | Sequence[str], data_type: str, uploaded: Mapping[str, str]) -> Json:
    """One item or several as an asset on the wire; ``uploaded`` has the media's file names."""
    if isinstance(item, str):
        if data_type == "text":
            return {"_t": "TextAssetInput", "text": item}
        return {"_t": "ExistingAssetInput", "name": uploaded[item]}
    assets = [asset_input(part, data_type, uploaded) for part in item]
    if data_type == "media" and len(assets) == 1:
        return assets[0]
    return {"_t": "MultiAssetInput", "assets": assets}


def context_segments(
    context: str | None, media_context: Sequence[str] | None, uploaded: Mapping[str, str]
) -> list[Json]:
    """What is shown beside a datapoint, on the wire."""
    segments: list[Json] = []
    if context is not None:
        segments.append({"key": "context", "kind": "Text", "text": context})
    if media_context:
        asset = asset_input(media_context, "media", uploaded)
        segments.append({"key": "context_asset", "kind": "Asset", "asset": asset})
    return segments


def option_inputs(options: Sequence[str]) -> list[Json]:
    """Answer options on the wire."""
    return [{"label": option, "value": option} for option in options]


def is_url(text: str) -> bool:
    """Whether an item is a URL that the platform fetches; everything else is a local file."""
    try:
        url = urlsplit(text)
    except ValueError:
        return False
    return url.scheme.lower() in {"http", "https"} and bool(url.netloc)
