"""The gate before a turn: which voice and words count, by the strategies that the session was given. Part of ``turn``.

Without strategies it stands open. What it keeps out leaves no trace but in the ledger: no public state, no wish to
interrupt, and finals are discarded with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sessionactors.messages.ear import (
    FinalTranscript,
    InterimTranscript,
    PreflightTranscript,
    RecognizerHeardEnd,
    RecognizerHeardStart,
    SpeechContinues,
    SpeechEnded,
    SpeechStarted,
)
from sessionactors.messages.overlap import VoiceWasNoise
from sessionactors.messages.turn import AgentStateFact
from sessionactors.model.options import SessionOptions
from sessionactors.model.turn_strategies import TurnScene
from sessionactors.runtime import NS
from sessionactors.runtime.frozen import replace

if TYPE_CHECKING:
    from .turn import TurnMessage


@dataclass(frozen=True, slots=True)
class Gate:
    """What the gate remembers."""

    scene: TurnScene = field(default_factory=TurnScene)
    knocked_at: int = 0
    """When the voice that is heard set in, ns."""
    open_until: int | None = None
    """A strategy said that a turn begins: until then, and for as long as that turn lasts, all counts; ns."""
    kept_out: int = 0
    """Finals that were discarded."""

    def is_muted(self, options: SessionOptions) -> bool:
        """Whether nothing counts now."""
        return any(strategy.mutes(self.scene) for strategy in options.turn_mute)

    def is_open(self, options: SessionOptions, now: int, *, in_turn: bool) -> bool:
        """Whether what is heard now counts without any strategy's word."""
        if self.is_muted(options):
            return False
        if not options.turn_start or in_turn:
            return True
        return self.open_until is not None and now < self.open_until

    def seen(self, message: TurnMessage) -> Gate:
        """What a message tells about the scene."""
        scene = self.scene
        match message:
            case SpeechStarted(at) | RecognizerHeardStart(at):
                return replace(self, scene=replace(scene, voice=True, text=""), knocked_at=at)
            case SpeechEnded() | RecognizerHeardEnd() | VoiceWasNoise():
                return replace(self, scene=replace(scene, voice=False))
            case InterimTranscript(text) | PreflightTranscript(text):
                return replace(self, scene=replace(scene, text=text))
            case FinalTranscript():
                return replace(self, scene=replace(scene, text=message.text))
            case AgentStateFact(agent_state, _, tools):
                spoken = scene.agent_has_spoken or (scene.agent_state == "speaking" and agent_state != "speaking")
                now = replace(scene, agent_state=agent_state, agent_has_spoken=spoken, tools_running=tools)
                return replace(self, scene=now)
            case _:
                return self

    def opened(self, options: SessionOptions, now: int) -> Gate:
        """Open, if a strategy says that a turn begins; strategies that keep open do so from now on."""
        hits = [strategy for strategy in options.turn_start if strategy.starts(self.scene)]
        if not hits:
            return self
        return self.kept_open(options, now)

    def kept_open(self, options: SessionOptions, now: int) -> Gate:
        """There was a sign of the turn: what follows closely needs no strategy."""
        longest = max((strategy.open_for for strategy in options.turn_start), default=0.0)
        return replace(self, open_until=now + round(longest * NS))


def is_kept_out(message: TurnMessage) -> bool:
    """Whether a message is of the kind that a closed gate keeps out."""
    return isinstance(
        message,
        SpeechStarted
        | SpeechContinues
        | InterimTranscript
        | PreflightTranscript
        | FinalTranscript
        | RecognizerHeardStart
        | RecognizerHeardEnd,
    )
