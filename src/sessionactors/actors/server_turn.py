"""``turn`` of an ear whose turns a realtime model's server detects: it passes on what the server hears.

It decides nothing: the server says when the user begins and ceases to speak, and what was said; a turn is over when the
server replies. It stands in the place of :class:`.TurnActor` and tells the same facts to the same actors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from sessionactors.messages.ear import (
    ClearTurn,
    FinalTranscript,
    FlushOverdue,
    FlushTurn,
    InterimTranscript,
    NoWords,
    SpeechEnded,
    SpeechStarted,
    TurnFlushed,
)
from sessionactors.messages.realtime import ClearUserAudio
from sessionactors.messages.session import OptionsChanged
from sessionactors.messages.turn import AgentStateFact, InterruptionWanted, UserActivity, UserSpeechFact, UserTurnEnded
from sessionactors.runtime import Actor, Outbox
from sessionactors.runtime.frozen import replace

from .ear_refs import EarRefs
from .model_transcript import turn_of_model

ServerTurnMessage: TypeAlias = (
    SpeechStarted
    | SpeechEnded
    | InterimTranscript
    | FinalTranscript
    | NoWords
    | FlushTurn
    | FlushOverdue
    | ClearTurn
    | AgentStateFact
    | OptionsChanged
)

FLUSHING = "flush"


@dataclass(frozen=True, slots=True)
class ServerTurnState:
    """What the server hears."""

    speaking: bool = False
    started_at: int | None = None
    ended_at: int | None = None
    owed: bool = False
    """A transcript of what was said has not come yet."""
    flush: FlushTurn | None = None
    """Somebody waits for it."""
    turns: int = 0
    """Turns with words."""
    empty: int = 0
    """Turns without: the server found no words in them."""


class ServerTurnActor(Actor[ServerTurnState, ServerTurnMessage]):
    """Reports the turns of one participant, as a server finds them.

    Args:
        refs: the ear's actors.
    """

    def __init__(self, refs: EarRefs) -> None:
        self._refs = refs
        realtime = refs.wiring.components.realtime
        self._transcribes = realtime is not None and realtime.capabilities.user_transcription

    def initial(self) -> ServerTurnState:
        """Silence."""
        return ServerTurnState()

    def restarted(
        self, state: ServerTurnState, error: BaseException, out: Outbox[ServerTurnMessage]
    ) -> ServerTurnState:
        """What the server said stands; who waits for words goes on to wait."""
        if state.flush is not None:
            out.timer(FLUSHING, state.flush.within, FlushOverdue())
        return state

    def receive(
        self, state: ServerTurnState, message: ServerTurnMessage, out: Outbox[ServerTurnMessage]
    ) -> ServerTurnState:
        """Handle one message."""
        match message:
            case SpeechStarted(at):
                return self._on_speech_started(state, at, out)
            case SpeechEnded(at):
                return self._on_speech_ended(state, at, out)
            case InterimTranscript() | AgentStateFact() | OptionsChanged():
                return state  # shown already; and whose turn it is, the server says
            case NoWords():
                return self._flushed(replace(state, owed=False, empty=state.empty + 1), None, out)
            case ClearTurn():
                if self._refs.realtime is not None:
                    out.tell(self._refs.realtime, ClearUserAudio(self._refs.participant))
                return state
            case FinalTranscript():
                return self._on_final(state, message, out)
            case FlushTurn():
                return self._on_flush(state, message, out)
            case FlushOverdue():
                return self._flushed(state, None, out)
            case _:
                assert_never(message)

    def _on_speech_started(self, state: ServerTurnState, at: int, out: Outbox[ServerTurnMessage]) -> ServerTurnState:
        """The user takes the floor: the server has stopped its reply, or is about to."""
        wiring, participant = self._refs.wiring, self._refs.participant
        self._tell_activity(out, speaking=True, at=at)
        out.tell(wiring.floor, InterruptionWanted(participant, 0.0, None, at, by_model=True))
        return replace(state, speaking=True, started_at=at, ended_at=None)

    def _on_speech_ended(self, state: ServerTurnState, at: int, out: Outbox[ServerTurnMessage]) -> ServerTurnState:
        if not state.speaking:
            return state
        self._tell_activity(out, speaking=False, at=at)
        return replace(state, speaking=False, ended_at=at, owed=self._transcribes)

    def _tell_activity(self, out: Outbox[ServerTurnMessage], *, speaking: bool, at: int) -> None:
        wiring, participant = self._refs.wiring, self._refs.participant
        out.tell(wiring.floor, UserActivity(participant, speaking, at, recognised=self._refs.stt is not None))
        out.tell(wiring.supervisor, UserSpeechFact(participant, speaking, at))

    def _on_final(
        self, state: ServerTurnState, final: FinalTranscript, out: Outbox[ServerTurnMessage]
    ) -> ServerTurnState:
        state = replace(state, owed=False)
        turn = turn_of_model(self._refs, final, out.new_id("turn"))
        out.turn = turn.turn
        out.tell(self._refs.wiring.agent, turn)
        return self._flushed(replace(state, turns=state.turns + 1), turn, out)

    def _on_flush(self, state: ServerTurnState, flush: FlushTurn, out: Outbox[ServerTurnMessage]) -> ServerTurnState:
        """Words that are on their way are waited for; the turn itself the server ends."""
        state = replace(state, flush=flush)
        if flush.within <= 0 or not (state.owed or (state.speaking and self._transcribes)):
            return self._flushed(state, None, out)
        out.timer(FLUSHING, flush.within, FlushOverdue())
        return state

    def _flushed(
        self, state: ServerTurnState, turn: UserTurnEnded | None, out: Outbox[ServerTurnMessage]
    ) -> ServerTurnState:
        flush = state.flush
        if flush is None:
            return state
        out.cancel_timer(FLUSHING)
        if state.speaking:
            self._tell_activity(out, speaking=False, at=out.now)
            state = replace(state, speaking=False)
        if flush.reply_to is not None:
            name, text = (None, "") if turn is None else (turn.turn, turn.transcript)
            out.tell(flush.reply_to, TurnFlushed(self._refs.participant, name, text, flush.request))
        return replace(state, flush=None)

    def summary(self, state: ServerTurnState) -> Mapping[str, object]:
        """What the server hears; no words of the user."""
        return {
            "phase": "speaking" if state.speaking else "silent",
            "detected_by": "server",
            "transcript_owed": state.owed,
            "turns": state.turns,
            "empty": state.empty,
        }
