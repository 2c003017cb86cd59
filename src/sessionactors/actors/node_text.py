"""What user code has made of a segment's text so far, as a value, and how much of that goes with what was heard. Pure.

Two texts: the segment's own, which a voice speaks, and the node's, which people read. Where they differ, words that
both have are the same words; pieces to which the node gave times of their own are known by these.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from sessionactors.interfaces.text_node import TextNode
from sessionactors.interfaces.tts import WordTiming
from sessionactors.messages.transcription import NodeTextMade
from sessionactors.model.text_alignment import aligned_place
from sessionactors.model.timed_string import TimedString
from sessionactors.runtime.frozen import replace

from .heard import SAME_MOMENT


@dataclass(frozen=True, slots=True)
class NodeText:
    """The text of one segment behind its node."""

    node: TextNode
    timed: bool = False
    """It is given the words as the voice says when they are spoken, not as the model writes them."""
    text: str = ""
    """What it has made."""
    times: tuple[WordTiming, ...] = ()
    """Of its pieces: places in :attr:`text`, seconds of audio; ascending."""
    untimed: bool = False
    """It gave a word without a time: its times alone do not say what was heard."""
    given: int = 0
    """Characters of the segment's text that it has been given."""
    taken: int = 0
    """The same, at the last piece that it made."""
    wanting: bool = False
    """It asks for more."""
    begun: bool = False
    ended: bool = False
    failed: bool = False
    """It raised, or was given up: what it had not answered for is shown as it is."""

    def with_made(self, piece: NodeTextMade) -> NodeText:
        """It has made a piece."""
        text = self.text + piece.text
        last = self.times[-1].end_time if self.times else 0.0
        if piece.end_time is not None and piece.end_time >= last:
            return replace(
                self, text=text, taken=piece.taken, times=(*self.times, WordTiming(len(text), piece.end_time))
            )
        return replace(self, text=text, taken=piece.taken, untimed=self.untimed or bool(piece.text.strip()))

    def shown(self, source: str) -> str:
        """What there is to read, of a segment whose own text is ``source``."""
        return self.text + source[self.taken :] if self.failed else self.text

    def place(self, source: str, heard: int, position: float) -> int:
        """How much of what there is to read has been heard: characters.

        Args:
            source: the segment's own text.
            heard: characters of it that have been heard.
            position: seconds of its audio that have been heard.
        """
        shown = self.shown(source)
        if self.times and not self.untimed and not self.failed and heard < len(source):
            done = bisect_right(self.times, position + SAME_MOMENT, key=lambda timing: timing.end_time)
            return self.times[done - 1].text_end if done else 0
        return aligned_place(source, shown, heard)

    def next_pieces(self, source: str, words: tuple[WordTiming, ...], *, complete: bool) -> tuple[str, ...]:
        """What it is given next, of what has come.

        Args:
            source: the segment's own text so far.
            words: the times of those of its words that the voice has spoken so far.
            complete: nothing more of either comes.
        """
        pieces: list[str] = []
        given, since = self.given, 0.0
        if self.timed:
            for word in words:
                if given < word.text_end <= len(source):
                    pieces.append(TimedString(source[given : word.text_end], since, word.end_time))
                    given = word.text_end
                since = word.end_time
        if source[given:] and (complete or not self.timed):
            pieces.append(source[given:])
        return tuple(pieces)
