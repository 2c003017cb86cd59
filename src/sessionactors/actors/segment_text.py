"""The text of one segment on its way to a voice: cut into pieces, transformed, and mapped back. Pure.

Two coordinates: *original* counts the characters of the text as the speech gave it, *spoken* those of it that a voice
is given. An attempt of synthesis begins at some place of the spoken text and is fed from there on, piece by piece.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

from sessionactors.model.options import NamedTransform
from sessionactors.runtime.frozen import replace

from .sentences import SentenceCutter
from .text_transforms import SpokenText, spoken_text


@dataclass(frozen=True, slots=True)
class TextPiece:
    """A sentence or so that has something to say."""

    original: int
    """Where it begins in the original."""
    spoken: int
    """Where it begins in the spoken text."""
    said: SpokenText


@dataclass(frozen=True, slots=True)
class SegmentText:
    """What has come of a segment's text."""

    transforms: tuple[NamedTransform, ...]
    pieces: tuple[TextPiece, ...] = ()
    cutter: SentenceCutter = field(default_factory=SentenceCutter)
    original_length: int = 0
    """Characters in pieces, silent ones included."""
    spoken_length: int = 0
    last: str = ""
    """The last character in a piece: what comes next may begin a line."""
    ended: bool = False

    def push(self, text: str) -> SegmentText:
        """More text."""
        cutter, pieces = self.cutter.push(text)
        return _grown(replace(self, cutter=cutter), pieces)

    def end(self) -> SegmentText:
        """The text is complete."""
        return replace(_grown(self, self.cutter.finish()), cutter=SentenceCutter(), ended=True)

    def after(self, spoken: int) -> str:
        """What a voice that has got ``spoken`` characters is given next: the rest of that piece, or nothing yet."""
        if not 0 <= spoken < self.spoken_length:
            return ""
        piece = self._piece_at(spoken)
        return piece.said.text[spoken - piece.spoken :]

    def is_silent_after(self, spoken: int) -> bool:
        """Whether no word has come that lies behind ``spoken``."""
        rest = self.after(spoken)
        if _says_something(rest):
            return False
        return spoken + len(rest) >= self.spoken_length

    def original_end(self, spoken: int) -> int:
        """How much of the original has been said when ``spoken`` characters have been."""
        if spoken <= 0 or not self.pieces:
            return 0
        # The end of one piece, not the start of the next: between them may be what no voice was given.
        piece = self._piece_at(min(spoken, self.spoken_length) - 1)
        return piece.original + piece.said.original_end(spoken - piece.spoken)

    def _piece_at(self, spoken: int) -> TextPiece:
        return self.pieces[bisect_right(self.pieces, spoken, key=lambda piece: piece.spoken) - 1]


def _grown(text: SegmentText, originals: tuple[str, ...]) -> SegmentText:
    for original in originals:
        said = spoken_text(original, text.last, text.transforms)
        start, spoken = text.original_length, text.spoken_length
        text = replace(text, original_length=start + len(original), last=original[-1])
        if _says_something(said.text):
            pieces = (*text.pieces, TextPiece(start, spoken, said))
            text = replace(text, pieces=pieces, spoken_length=spoken + len(said.text))
    return text


def _says_something(text: str) -> bool:
    """White space, markers and lone punctuation are nothing that a voice could say."""
    return any(character.isalnum() for character in text)
