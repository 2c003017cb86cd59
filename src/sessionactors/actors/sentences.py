"""Cutting a growing text into pieces that a voice can speak well. Pure, and independent of how the text arrives.

A piece ends one white-space character after the end of a sentence, once it is long enough. The first piece of a text is
cut earlier, also at a comma, because the listener waits for it. The concatenation of the pieces is the text.
"""

from __future__ import annotations

from dataclasses import dataclass

LEAST = 20
"""Characters a piece should have: voices stumble over shorter ones."""
LEAST_FIRST = 6
"""Characters the first piece should have, at a sentence end."""
LEAST_FIRST_CLAUSE = 24
"""Characters the first piece should have, at a comma or the like."""
MOST = 300
"""Characters after which a text without any sentence end is cut at white space."""

_ENDS = ".!?…"
_WIDE_ENDS = "。！？｡"  # noqa: RUF001 - these need no space after them
_CLAUSE_ENDS = ",;:\N{EN DASH}\N{EM DASH}"
_CLOSERS = "\"')]}\N{RIGHT DOUBLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}»*_`"

_ABBREVIATIONS = frozenset(
    {"mr", "mrs", "ms", "dr", "prof", "sr", "jr", "st", "mt", "gen", "gov", "hon", "rep", "sen", "rev"}
    | {"vs", "etc", "eg", "ie", "approx", "dept", "est", "inc", "ltd", "corp", "vol", "bzw", "usw", "nr", "str"}
    | {"jan", "feb", "apr", "aug", "sept", "oct", "nov", "dec", "mon", "tue", "thu", "fri"}
)
"""Without those that are words as well; a piece that ends too late costs less than one that ends in its middle."""


@dataclass(frozen=True, slots=True)
class SentenceCutter:
    """What has come of a text and is not a piece yet."""

    pending: str = ""
    scanned: int = 0
    """How much of ``pending`` has no boundary in it."""
    first: bool = True
    """No piece has been cut yet."""

    def push(self, text: str) -> tuple[SentenceCutter, tuple[str, ...]]:
        """More text: the pieces that are complete now, and what waits."""
        pending, start, scanned, first = self.pending + text, 0, self.scanned, self.first
        pieces: list[str] = []
        while scanned < len(pending) - start:
            scanned += 1
            if _may_end(pending[start + scanned - 1]) and _ends_piece(pending[start : start + scanned], first=first):
                pieces.append(pending[start : start + scanned])
                start, scanned, first = start + scanned, 0, False
            elif scanned >= MOST:
                cut = _last_space(pending[start : start + scanned])
                pieces.append(pending[start : start + cut])
                start, scanned, first = start + cut, 0, False
        return SentenceCutter(pending[start:], scanned, first), tuple(pieces)

    def finish(self) -> tuple[str, ...]:
        """The text is complete: what is left, as one piece."""
        return (self.pending,) if self.pending else ()


def _may_end(character: str) -> bool:
    return character.isspace() or character in _WIDE_ENDS


def _ends_piece(piece: str, *, first: bool) -> bool:
    """Whether a boundary lies exactly after the last character."""
    last = piece[-1]
    if last in _WIDE_ENDS:
        return len(piece.strip()) >= (LEAST_FIRST if first else LEAST)
    body = piece[:-1].rstrip(_CLOSERS)
    if not body or body[-1].isspace():
        # White space after white space: only a line break still ends something, such as an item of a list.
        return last == "\n" and len(piece.strip()) >= LEAST
    length = len(piece.strip())
    if last == "\n" and length >= LEAST:
        return not _is_list_number(body)
    if length >= (LEAST_FIRST if first else LEAST) and _ends_sentence(body):
        return True
    return first and length >= LEAST_FIRST_CLAUSE and body[-1] in _CLAUSE_ENDS


def _ends_sentence(body: str) -> bool:
    if body[-1] not in _ENDS:
        return False
    words = body.split()
    word = words[-1]
    stem = word.rstrip(_ENDS)
    marks = word[len(stem) :]
    if "…" in marks or marks.endswith(".."):
        return False  # an ellipsis goes on
    if marks != ".":
        return True
    stem = stem.lstrip("\"'([{*_`\N{LEFT DOUBLE QUOTATION MARK}«")
    if len(stem) == 1 and stem.isalpha() and stem != "I":
        return False  # an initial
    if "." in stem and all(len(part) == 1 and part.isalpha() for part in stem.split(".")):
        return False  # U.S., a.m.
    return stem.lower() not in _ABBREVIATIONS and not _is_list_number(body)


def _is_list_number(body: str) -> bool:
    """Whether the line so far is nothing but ``12.``: the number of an item belongs to its text."""
    line = body.rsplit("\n", 1)[-1].strip()
    return line.endswith(".") and line[:-1].isdigit()


def _last_space(piece: str) -> int:
    """Where to cut a piece that is too long: after its last white space, or where it is."""
    for index in range(len(piece) - 1, 0, -1):
        if piece[index].isspace():
            return index + 1
    return len(piece)
