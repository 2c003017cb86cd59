"""How far recognition has come: which audio is accounted for, and which a new stream must hear again. Pure.

Positions are the numbers of frames. A recogniser does not say which audio a final belongs to, so the rule is: with one
utterance open, a final covers all that was heard; with more than one, only the oldest utterance is taken as covered,
and the text is remembered as *uncertain*, because a new stream may hear its audio again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class RecognitionProgress:
    """What was heard, what is accounted for, and which utterances are open."""

    heard: int = 0
    """Number of the newest frame that was seen."""
    settled: int = 0
    """Up to here everything is delivered, or was noise."""
    flushes: tuple[int, ...] = ()
    """Ends of utterances of which nothing has come yet, oldest first."""
    voice: bool = False
    """The user is in the middle of an utterance."""
    uncertain: tuple[str, ...] = ()
    """Finals that were delivered and whose audio may lie behind ``settled``, oldest first."""

    @property
    def open_utterances(self) -> int:
        """Utterances that a final may belong to."""
        return len(self.flushes) + self.voice

    def utterance_ended(self) -> RecognitionProgress:
        """The user fell silent: the recogniser is told to finish at this place."""
        if self.flushes and self.flushes[-1] == self.heard:
            return replace(self, voice=False)
        return replace(self, voice=False, flushes=(*self.flushes, self.heard))

    def final(self, text: str) -> RecognitionProgress:
        """A final transcript was delivered."""
        if self.flushes and self.open_utterances > 1:
            return replace(self, settled=self.flushes[0], flushes=self.flushes[1:], uncertain=(*self.uncertain, text))
        return replace(self, settled=self.heard, flushes=(), uncertain=())

    def empty(self) -> RecognitionProgress:
        """The recogniser found no words in an utterance."""
        if not self.flushes:
            return self
        if self.open_utterances > 1:
            return replace(self, settled=self.flushes[0], flushes=self.flushes[1:])
        return replace(self, settled=self.heard, flushes=(), uncertain=())

    def quiet(self) -> RecognitionProgress:
        """Nothing came of the utterances that have ended: they were noise."""
        if not self.flushes:
            return self
        return replace(self, settled=self.flushes[-1], flushes=(), uncertain=self.uncertain if self.voice else ())

    def replayed(self, upto: int) -> RecognitionProgress:
        """A new stream has heard all that is not settled, up to this frame."""
        return replace(self, heard=max(self.heard, upto), uncertain=())
