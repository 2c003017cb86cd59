"""How long the user may go on until the agent is told. A value: words and time since the agent last spoke."""

from __future__ import annotations

from dataclasses import dataclass

from sessionactors.model.options import SessionOptions
from sessionactors.model.words import word_count
from sessionactors.runtime import NS
from sessionactors.runtime.frozen import replace

from .utterance import joined


@dataclass(frozen=True, slots=True)
class TurnWindow:
    """What the user said since the agent was last heard."""

    since: int | None = None
    """When the first speech of it set in, ns."""
    text: str = ""

    @property
    def words(self) -> int:
        """Words of it."""
        return word_count(self.text)

    def with_final(self, text: str, started_at: int) -> TurnWindow:
        """A final transcript of speech that set in then."""
        since = started_at if self.since is None else self.since
        return replace(self, since=since, text=joined((self.text, text)))

    def duration(self, now: int) -> float:
        """Seconds since its beginning."""
        return 0.0 if self.since is None else max(0.0, (now - self.since) / NS)

    def exceeds(self, options: SessionOptions, now: int) -> bool:
        """Whether it is longer than the options allow."""
        words, seconds = options.user_turn_max_words, options.user_turn_max_duration
        too_many = words is not None and self.words >= words
        return too_many or (seconds is not None and self.duration(now) >= seconds)
