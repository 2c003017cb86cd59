"""Whether a voice speaks as fast as it is heard. Pure; used by ``tts``.

A voice that hangs is given up after its time. One that drips gives signs of life for ever, and what is heard is more
silence than speech: nothing but its pace shows that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sessionactors.runtime import NS
from sessionactors.runtime.frozen import replace

BEHIND: Final = 2.0
"""Seconds of silence between its words with which a voice is named as too slow. All of an attempt's, put together."""


@dataclass(frozen=True, slots=True)
class VoicePace:
    """Of one attempt, from its first audio on."""

    late: int = 0
    """Nanoseconds for which it worked without audio to show for it; below 0: there is more audio than time."""
    since: int | None = None
    """From when on it works; None: it waits for us, for text or for credit."""
    named: bool = False
    """It has been told that it is too slow."""

    def at(self, now: int, *, works: bool) -> VoicePace:
        """The time until now is counted if it worked; from now on it does, or waits for us."""
        worked = 0 if self.since is None else now - self.since
        return replace(self, late=self.late + worked, since=now if works else None)

    def spoke(self, seconds: float) -> VoicePace:
        """So much audio has come."""
        return replace(self, late=self.late - round(seconds * NS))

    def as_named(self) -> VoicePace:
        """It has been told."""
        return replace(self, named=True)

    @property
    def seconds_late(self) -> float:
        """How much silence there was between its words; >= 0."""
        return max(0.0, self.late / NS)

    @property
    def is_news(self) -> bool:
        """Whether it is too slow, and nobody has been told."""
        return not self.named and self.seconds_late > BEHIND
