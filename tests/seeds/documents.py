"""Reads the Python programs out of the documents that our user gave, and restores their layout.

Some documents lost their line breaks, one of them its indentation. What is restored is white space
and nothing else: without white space a restored program is, character for character, what the
document says, and :func:`blocks` checks that.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "seeds"
_STRING = r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'"
_STATEMENT = (
    r"from [\w.]+ import |import [\w.]+|\w+(?:, \w+)* = |[\w.]+\.\w+ = |[\w.]+\.\w+\(|print\("
)
# Where a comment that lost its line break ends: in front of what cannot be prose. Inside brackets
# an argument or an element follows, outside them a statement.
_AFTER_COMMENT_INSIDE = re.compile(r" (?=\w+=|[\])]|\[\d|\[\"|\(\"|\"|# )|$|\n")
_AFTER_COMMENT_OUTSIDE = re.compile(rf" (?={_STATEMENT}|for \w+ in |# )|$|\n")
_FOOTNOTE = re.compile(r"# \(\d\)!(?: (?!#)|(?= #)|$|\n)")
_HEADER = re.compile(rf"(?:try|(?:for|if|except)\b(?:{_STRING}|[^\"':\n])*):(?:\s|$)")


@cache
def blocks() -> dict[str, str]:
    """All Python examples of all documents, laid out, by document and number, as in ``002-15``."""
    found: dict[str, str] = {}
    for path in sorted(FOLDER.glob("*.txt")):
        text = path.read_text(encoding="utf-8").replace("\r\n", "\n")
        for number, code in enumerate(_fenced(text) or _bare(text)):
            name = f"{path.name[:3]}-{number}"
            whole = "\n" in code and _parses(code)
            found[name] = code if whole else restore(code)
            assert _without_space(found[name]) == _without_space(code), name
    return found


def _fenced(text: str) -> list[str]:
    return [code.strip() for code in re.findall(r"```(?:py|python)\s(.*?)```", text, re.DOTALL)]


def _bare(text: str) -> list[str]:
    """Programs between prose: runs of lines each of which begins, or goes on with, a statement."""
    found: list[str] = []
    run: list[str] = []
    depth = 0
    for line in [*text.splitlines(), "End."]:
        if depth or not line or re.match(rf"{_STATEMENT}|# |for |\s", line):
            run.append(line)
            bare = re.sub(rf"{_STRING}|#.*", "", line)
            depth += sum(bare.count(opening) for opening in "([{")
            depth -= sum(bare.count(closing) for closing in ")]}")
            continue
        code = "\n".join(run).strip() + "\n"
        found += [code] if re.search(_STATEMENT, code) else []
        run = []
    return found


def _parses(code: str) -> bool:
    try:
        ast.parse(code)
    except SyntaxError:
        return False
    return True


def restore(code: str) -> str:
    """Give a program its line breaks and its indentation back; unchanged if that fails."""
    lines: list[str] = []
    for logical, is_comment in _comments_and_code(code):
        lines += [logical] if is_comment else _statements(logical)
    return _indented(lines)


def _comments_and_code(code: str) -> list[tuple[str, bool]]:
    """Break lines after comments; what is between two comments outside brackets is one piece."""
    pieces: list[tuple[str, bool]] = []
    piece, depth, at = "", 0, 0
    while at < len(code):
        string = re.compile(_STRING).match(code, at)
        if string:
            piece += string.group()
            at = string.end()
            continue
        if code[at] == "#":
            after = _AFTER_COMMENT_INSIDE if depth else _AFTER_COMMENT_OUTSIDE
            end = _FOOTNOTE.match(code, at) or after.search(code, at + 2)
            assert end is not None  # The end of the text always matches.
            comment = code[at : end.end()].strip()
            at = end.end()
            if depth:
                piece += f"{comment}\n"
            else:
                pieces += [(piece.strip(), False)] if piece.strip() else []
                pieces.append((comment, True))
                piece = ""
            continue
        depth += (code[at] in "([{") - (code[at] in ")]}")
        piece += code[at]
        at += 1
    return [*pieces, (piece.strip(), False)] if piece.strip() else pieces


def _statements(text: str) -> list[str]:
    """Split at spaces: headers of blocks, then the longest piece that is one statement."""
    found: list[str] = []
    while text:
        header = _HEADER.match(text)
        if header:
            end = header.end()
        else:
            ends = [match.start() for match in re.finditer(r"\s|$", text)]
            end = next((one for one in reversed(ends) if _parses(text[:one])), len(text))
        found.append(text[:end].strip())
        text = text[end:].strip()
    return found


def _indented(lines: list[str]) -> str:
    """A loop and a condition have one statement each; what follows ``except`` belongs to it."""
    result: list[str] = []
    outer, inner = 0, 0
    for line in lines:
        if line.startswith("except"):
            outer = 0
        result.append("    " * (outer + inner) + line)
        if line.startswith(("try:", "except")):
            outer = 1
        elif _HEADER.fullmatch(line):
            inner += 1
        elif not line.startswith("#"):
            inner = 0
    return "\n".join(result) + "\n"


def _without_space(text: str) -> str:
    return re.sub(r"\s", "", text)
