"""How far recognition has come: which audio is accounted for, and which a new stream must hear again. Pure.

Positions are the numbers of frames. A recogniser does not say which audio a final belongs to, so the rule is: with one
utterance open, a final covers all that was heard; with more than one, only the oldest utterance is taken as covered,
and the text is remembered as *uncertain*, because a new stream may hear its audio again.
"""

from __future__ import annotations

from dataclasses import dataclass

from sessionactors.runtime.frozen import replace


@dataclass(frozen=True, slots=True)
class Delivered:
    """A final whose audio may not be settled."""

    at: int
    """What had been heard when it came: its audio ends here or before."""
    text: str


@dataclass(frozen=True, slots=True)
class RecognitionProgress:
    """What was heard, what is accounted for, and which utterances are open."""

    heard: int = 0
    """Number of the newest frame that was seen."""
    settled: int = 0
    """Up to here everything is delivered, or was noise."""
    cuts: tuple[int, ...] = ()
    """Ends of utterances behind ``settled``, oldest first."""
    open: tuple[int, ...] = ()
    """Those of which something is still to come."""
    voice: bool = False
    """The user is in the middle of an utterance."""
    answered: bool = False
    """A final came in the middle of this utterance, and no words were seen since: nothing is owed for its end."""
    uncertain: tuple[Delivered, ...] = ()
    """Finals whose audio may lie behind ``settled``, oldest first."""

    def utterance_began(self) -> RecognitionProgress:
        """The user began to speak."""
        return replace(self, voice=True, answered=False)

    def words_seen(self) -> RecognitionProgress:
        """An interim transcript: a final is owed."""
        return replace(self, answered=False) if self.answered else self

    def utterance_ended(self) -> RecognitionProgress:
        """The user fell silent: the recogniser is told to finish at this place."""
        if self.cuts and self.cuts[-1] == self.heard:
            return replace(self, voice=False)
        still_open = self.open if self.answered else (*self.open, self.heard)
        return replace(self, voice=False, cuts=(*self.cuts, self.heard), open=still_open)

    def final(self, text: str, *, again: bool = False) -> RecognitionProgress:
        """A final transcript came, to be delivered or (``again``) known already."""
        uncertain = self.uncertain if again else (*self.uncertain, Delivered(self.heard, text))
        return _pruned(replace(self._answer(), uncertain=uncertain, answered=self.voice))

    def empty(self) -> RecognitionProgress:
        """The recogniser found no words in an utterance."""
        return _pruned(self._answer()) if self.open else self

    def quiet(self) -> RecognitionProgress:
        """Nothing came of the utterances that have ended: they were noise."""
        return _pruned(replace(self, settled=max((self.settled, *self.open)), open=()))

    def all_settled(self) -> RecognitionProgress:
        """There is nothing more to come of what was heard."""
        return _pruned(replace(self, settled=self.heard, open=()))

    def replayed(self, first: int, upto: int) -> RecognitionProgress:
        """A new stream has heard these frames again; what lay before them is forgotten."""
        return _pruned(replace(self, heard=max(self.heard, upto), settled=max(self.settled, first - 1)))

    def _answer(self) -> RecognitionProgress:
        if self.open and len(self.open) + self.voice > 1:
            return replace(self, settled=max(self.settled, self.open[0]), open=self.open[1:])
        return replace(self, settled=self.heard, open=())


def _pruned(progress: RecognitionProgress) -> RecognitionProgress:
    """Without what is settled."""
    settled = progress.settled
    return replace(
        progress,
        cuts=tuple(cut for cut in progress.cuts if cut > settled),
        open=tuple(cut for cut in progress.open if cut > settled),
        uncertain=tuple(final for final in progress.uncertain if final.at > settled),
    )
