"""Which endpoint answers a path: a tree of segments, so that a hundred paths cost what one does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from rapidata_core.sandbox.api.call import Call, Endpoint
from rapidata_core.sandbox.problems import plain


def _unknown(_call: Call) -> None:
    raise plain(404)


def _not_allowed(_call: Call) -> None:
    raise plain(405)


_UNKNOWN = Endpoint("", "", _unknown, open=True)
_NOT_ALLOWED = Endpoint("", "", _not_allowed, open=True)


@dataclass(slots=True)
class _Node:
    """The paths that begin alike.

    Attributes:
        fixed: What follows, by the next segment.
        any: What follows a segment that is a parameter.
        endpoints: The endpoints whose paths end here, by method.
    """

    fixed: dict[str, _Node] = field(default_factory=dict[str, "_Node"])
    any: _Node | None = None
    endpoints: dict[str, Endpoint] = field(default_factory=dict[str, Endpoint])


class Routes:
    """All endpoints. Where a fixed segment and a parameter both fit, the fixed one is meant."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self._root = _Node()
        for endpoint in endpoints:
            self._add(endpoint)

    def find(self, method: str, path: str) -> tuple[Endpoint, dict[str, str]]:
        """The endpoint for a request with its path's parameters; one that refuses if none fits."""
        # A HEAD is a GET whose body the server leaves out.
        method = "GET" if method == "HEAD" else method
        segments = path.split("/")[1:]
        refusal = _UNKNOWN
        for node in _ends(self._root, segments, 0):
            endpoint = node.endpoints.get(method)
            if endpoint is not None:
                return endpoint, _parameters(endpoint, segments)
            refusal = _NOT_ALLOWED
        return refusal, {}

    def _add(self, endpoint: Endpoint) -> None:
        node = self._root
        for segment in endpoint.path.split("/")[1:]:
            if segment.startswith("{"):
                node.any = node.any or _Node()
                node = node.any
            else:
                node = node.fixed.setdefault(segment, _Node())
        other = node.endpoints.setdefault(endpoint.method, endpoint)
        assert other is endpoint, f"{endpoint} and {other} answer the same path"


def _ends(node: _Node, segments: list[str], depth: int) -> Iterator[_Node]:
    """The nodes with endpoints at which a path may end, the most specific one first."""
    if depth == len(segments):
        if node.endpoints:
            yield node
        return
    segment = segments[depth]
    fixed = node.fixed.get(segment)
    if fixed is not None:
        yield from _ends(fixed, segments, depth + 1)
    if node.any is not None and segment:
        yield from _ends(node.any, segments, depth + 1)


def _parameters(endpoint: Endpoint, segments: list[str]) -> dict[str, str]:
    names = endpoint.path.split("/")[1:]
    return {
        name[1:-1]: segment
        for name, segment in zip(names, segments, strict=True)
        if name.startswith("{")
    }
