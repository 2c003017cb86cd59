"""How final transcripts ended: each in exactly one of committed, merged or discarded (promise P3). A value."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sessionactors.runtime.frozen import replace

KEPT = 64
"""Discarded transcripts that are kept by name."""


@dataclass(frozen=True, slots=True)
class TranscriptLedger:
    """Counts of one participant's finals, and the ids of those that have not ended."""

    received: int = 0
    committed: int = 0
    """First finals of a turn."""
    merged: int = 0
    """Further finals of a turn."""
    discarded: int = 0
    open: tuple[str, ...] = ()
    lost: tuple[tuple[str, str], ...] = ()
    """The last discarded ones, with the reason."""

    def receive(self, transcript: str) -> TranscriptLedger:
        """A final came."""
        return replace(self, received=self.received + 1, open=(*self.open, transcript))

    def commit(self) -> TranscriptLedger:
        """All open ones became a turn."""
        return replace(
            self,
            committed=self.committed + min(1, len(self.open)),
            merged=self.merged + max(0, len(self.open) - 1),
            open=(),
        )

    def take(self, transcripts: Collection[str]) -> TranscriptLedger:
        """These of the open ones were answered before their turn was over."""
        taken = sum(transcript in transcripts for transcript in self.open)
        return replace(
            self,
            committed=self.committed + min(1, taken),
            merged=self.merged + max(0, taken - 1),
            open=tuple(transcript for transcript in self.open if transcript not in transcripts),
        )

    def discard(self, reason: str) -> TranscriptLedger:
        """All open ones come to nothing."""
        lost = (*self.lost, *((transcript, reason) for transcript in self.open))[-KEPT:]
        return replace(self, discarded=self.discarded + len(self.open), open=(), lost=lost)

    def discard_one(self, transcript: str, reason: str) -> TranscriptLedger:
        """This open one comes to nothing."""
        left = tuple(other for other in self.open if other != transcript)
        lost = (*self.lost, (transcript, reason))[-KEPT:]
        return replace(self, discarded=self.discarded + 1, open=left, lost=lost)

    @property
    def balances(self) -> bool:
        """Whether every final has ended, or is open, once."""
        return self.received == self.committed + self.merged + self.discarded + len(self.open)

    def summary(self) -> Mapping[str, object]:
        """For inspection."""
        return {
            "received": self.received,
            "committed": self.committed,
            "merged": self.merged,
            "discarded": self.discarded,
            "open": list(self.open),
            "lost": [f"{transcript}: {reason}" for transcript, reason in self.lost],
        }
