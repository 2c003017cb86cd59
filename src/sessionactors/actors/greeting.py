"""What has been heard of a greeting, and what follows: who answered, as far as times tell, and when a verdict counts.

Pure. What the words say is the model's to judge (:mod:`.greeting_question`); :mod:`.amd` asks it and keeps the times.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from sessionactors.messages.answering import Due
from sessionactors.model.answering import AMDCategory, AMDOptions
from sessionactors.runtime import NS
from sessionactors.runtime.frozen import replace

Wait: TypeAlias = tuple[Due, float]
"""What is waited for, and for how many seconds after the end of the voice."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Who answered, as far as is known."""

    category: AMDCategory
    reason: str


@dataclass(frozen=True, slots=True)
class Greeting:
    """A greeting so far."""

    started_at: int | None = None
    """When the first voice set in."""
    ended_at: int | None = None
    """When the last one fell silent."""
    speaking: bool = False
    transcript: str = ""
    silent: bool = False
    """The silence after it has lasted."""
    over: bool = False
    """Whoever greeted is done: a turn has ended."""
    verdict: Verdict | None = None
    asking: bool = False
    """The model judges words that the verdict does not cover yet."""

    def voice(self, at: int) -> Greeting:
        """A voice set in."""
        started = at if self.started_at is None else self.started_at
        return replace(self, started_at=started, speaking=True, silent=False, over=False)

    def silence(self, at: int) -> Greeting:
        """It fell silent."""
        if self.started_at is None:
            return self
        return replace(self, ended_at=max(at, self.started_at), speaking=False, over=False)

    def words(self, text: str) -> Greeting:
        """Something was understood."""
        return replace(self, transcript=f"{self.transcript} {text}".strip(), over=False, asking=True)

    def turn_ended(self) -> Greeting:
        """The session has taken it for a whole turn. Where no end of the voice was noticed, that is its end."""
        unnoticed = self.speaking or self.ended_at is None
        return replace(self, over=True, speaking=False, silent=self.silent or unnoticed)

    def settled(self, category: AMDCategory, reason: str, options: AMDOptions, *, done: bool = False) -> Greeting:
        """The times decide, unless the model has decided already.

        Args:
            category: who answered, then.
            reason: for people.
            options: whether a greeting is heard to its end.
            done: nobody will say anything more.
        """
        verdict = self.verdict or Verdict(category, reason)
        to_the_end = options.wait_until_finished and self.was_heard and not done
        asking = self.asking and to_the_end
        return replace(self, verdict=verdict, asking=asking, silent=True, over=self.over or not to_the_end)

    @property
    def was_heard(self) -> bool:
        """Whether there is a greeting at all."""
        return self.started_at is not None or bool(self.transcript)

    @property
    def counts(self) -> bool:
        """Whether the verdict may be told: a person's as soon as they are silent, any other when the greeting is over.

        A person wants an answer at once. A machine that is spoken to before the tone hears nothing.
        """
        if self.verdict is None or self.asking or not self.silent:
            return False
        return self.over or self.verdict.category is AMDCategory.HUMAN

    def seconds(self, now: int) -> float:
        """Length of the greeting, pauses included."""
        if self.started_at is None:
            return 0.0
        end = now if self.speaking or self.ended_at is None else self.ended_at
        return max(0, end - self.started_at) / NS

    def since(self, now: int) -> float:
        """Seconds since its end."""
        return 0.0 if self.ended_at is None else max(0, now - self.ended_at) / NS

    def wait(self, options: AMDOptions) -> Wait:
        """What the silence after it means: a short greeting without words is a person who has said hello."""
        short = self.ended_at is not None and self.seconds(self.ended_at) <= options.human_speech_threshold
        if short and not self.transcript:
            return Due.SHORT, options.human_silence_threshold
        return Due.SILENCE, options.machine_silence_threshold
