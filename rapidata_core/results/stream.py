"""Reads a results file datapoint by datapoint, so that memory does not grow with the file.

Most of the time of ``json.loads`` on a large file goes into the garbage collector, which walks over
all that was read so far, again and again. Here only one datapoint is alive at a time.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import IO, Any, NoReturn, cast

from rapidata_core.errors import ResultsError

# Bytes to read at once; more than a datapoint with a thousand answers has.
_CHUNK = 1 << 18
_IN_NUMBERS = "0123456789+-.eE"
_SPACE = re.compile(r"[ \t\r\n]*")
# Half of a character, or a whole one in two halves.
_HALF = re.compile(r"\\u[dD][89a-fA-F]")
# The end of an item, and the beginning of the next one up to its first key.
_BETWEEN = re.compile(r'\}[ \t\r\n]*,[ \t\r\n]*\{[ \t\r\n]*"[^"\\]*"')


class JsonStream:
    """A JSON document that is read from its beginning, value by value.

    Args:
        file: The document, in UTF-8.
        about: Whose results they are, for errors.
    """

    def __init__(self, file: IO[bytes], about: str) -> None:
        self._file = file
        self._about = about
        self._text = ""
        self._at = 0
        self._passed = 0
        self._ended = False
        self._to_text = codecs.getincrementaldecoder("utf-8-sig")()
        # NaN and Infinity are no JSON, and say that there is no number.
        self._read = json.JSONDecoder(parse_constant=lambda _: None).raw_decode

    def fields(self) -> Iterator[str]:
        """The keys of the object that comes next; its values are to be read in between."""
        self._expect("{", "an object")
        if self._skip("}"):
            return
        while True:
            key = self.value()
            if not isinstance(key, str):
                self._fail("have a key that is no text")
            self._expect(":", "a value")
            yield key
            if not self._skip(","):
                break
        self._expect("}", "the end of an object")

    def items(self, without: str | None = None) -> Iterator[Any]:
        """The values of the list that comes next.

        Args:
            without: A field of these that is not needed, and is left out where that saves time.
        """
        self._expect("[", "a list")
        if self._skip("]"):
            return
        fast, between = _fast_reader(without), None
        while True:
            item = self._cut(fast, between) if fast and between else None
            if item is None:
                item = self.value()
                found = _BETWEEN.match(self._text, self._at - 1)
                between = found and found[0]
            yield item
            if not self._skip(","):
                break
        self._expect("]", "the end of a list")

    def value(self) -> Any:
        """The value that comes next."""
        while True:
            self._peek()
            try:
                value, end = self._read(self._text, self._at)
            except RecursionError:
                self._fail("are nested too deeply")
            except json.JSONDecodeError as error:
                if self._ended:
                    early = error.pos >= len(self._text) or "Unterminated" in error.msg
                    self._fail("end too early" if early else f"are not JSON: {error.msg}")
            except ValueError as error:
                self._fail(f"have a number that is too long: {error}")
            else:
                # A number may go on behind what has been read so far.
                if self._ended or self._text[end : end + 1] not in _IN_NUMBERS:
                    began, self._at = self._at, end
                    return (
                        whole_characters(value) if _HALF.search(self._text, began, end) else value
                    )
            self._more()

    def next_is(self, character: str) -> bool:
        """Whether the value that comes next begins so."""
        return self._peek() == character

    def end(self) -> None:
        """Make sure that nothing follows."""
        if self._peek():
            self._fail("go on behind their end")

    def _cut(self, read: Callable[[str], Any], between: str) -> Any:
        """The next item, cut out where the following one seems to begin; None if that is wrong.

        It is right if what was cut out is a value: no value is the beginning of another one.
        """
        end = self._text.find(between, self._at)
        if end < 0 and len(self._text) - self._at < _CHUNK:
            self._more()
            end = self._text.find(between, self._at)
        if end < 0:
            return None
        try:
            item = read(self._text[self._at : end + 1])
        except (ValueError, RecursionError):
            return None
        self._at = end + 1
        return item

    def _expect(self, character: str, what: str) -> None:
        if not self._skip(character):
            self._fail("end too early" if self._is_over() else f"lack {what}")

    def _skip(self, character: str) -> bool:
        """Go on behind a character, if it comes next."""
        found = self._peek() == character
        self._at += found
        return found

    def _peek(self) -> str:
        """The character that comes next, but for white space; nothing at the end."""
        while True:
            self._at = cast("re.Match[str]", _SPACE.match(self._text, self._at)).end()
            if self._at < len(self._text) or self._ended:
                return self._text[self._at : self._at + 1]
            self._more()

    def _is_over(self) -> bool:
        return self._ended and not self._text[self._at :].strip()

    def _more(self) -> None:
        """Read on, and forget what was passed. What is long is read in ever longer pieces."""
        rest = self._text[self._at :]
        piece = self._file.read(max(_CHUNK, len(rest)))
        self._ended = not piece
        self._passed += self._at
        try:
            self._text, self._at = rest + self._to_text.decode(piece, final=self._ended), 0
        except UnicodeDecodeError:
            self._fail("are not UTF-8")

    def _fail(self, problem: str) -> NoReturn:
        place = self._passed + self._at
        raise ResultsError(
            f"The results of {self._about} {problem} (after {place:,} characters). If the file was "
            "copied, it may be damaged: fetch it again."
        )


def whole_characters(value: Any) -> Any:
    """A value of JSON without halves of characters, which JSON can express and UTF-8 cannot."""
    return json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


@lru_cache
def _fast_reader(without: str | None) -> Callable[[str], Any] | None:
    """Reads JSON in half the time, if it is installed (extra ``speed``)."""
    try:
        import msgspec
    except ImportError:
        return None
    read = msgspec.json.Decoder().decode
    if without is None:
        return read
    divide = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

    def read_without(text: str) -> Any:
        return {name: read(raw) for name, raw in divide(text).items() if name != without}

    return read_without
