"""What a turn is watched for: words that do not come, and a user who does not stop. One of the parts of ``turn``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionactors.messages.ear import FinalTranscript, TranscriptOverdue
from sessionactors.messages.overlap import HeardBackchannel, OverlapNews, WordsHeld
from sessionactors.messages.session import Publish
from sessionactors.messages.turn import UserTurnExceeded, UserUnderstood
from sessionactors.model.events import UserTranscriptionTimeoutEvent, UserTurnExceededEvent
from sessionactors.runtime import NS, Outbox
from sessionactors.runtime.frozen import replace

from .dynamic_endpointing import was_backchannel
from .ear_refs import EarRefs
from .turn_limit import TurnWindow
from .turn_state import Phase, TurnState, Unheard

if TYPE_CHECKING:
    from .turn import TurnMessage

TRANSCRIPT = "transcript"


class TurnWatch:
    """Watches the turns of one participant.

    Args:
        refs: the ear's actors.
    """

    def __init__(self, refs: EarRefs) -> None:
        self._refs = refs

    # -- words that do not come --------------------------------------------------------------------------------------

    @staticmethod
    def voice_came(out: Outbox[TurnMessage]) -> None:
        """The user speaks: nothing is overdue."""
        out.cancel_timer(TRANSCRIPT)

    def voice_ended(self, state: TurnState, at: int, duration: float, out: Outbox[TurnMessage]) -> TurnState:
        """A stretch of speech ended: words must come of it."""
        within = state.options.transcription_timeout
        unheard = state.unheard
        if within is None or unheard.transcribed or self._refs.stt is None or self._refs.vad is None:
            return state
        out.timer(TRANSCRIPT, within - (out.now - at) / NS, TranscriptOverdue())
        since = state.stretch_at if unheard.since is None else unheard.since
        return replace(state, unheard=replace(unheard, since=since, seconds=unheard.seconds + duration))

    def take_up(self, state: TurnState, out: Outbox[TurnMessage]) -> None:
        """After a restart: wait again."""
        within = state.options.transcription_timeout
        if within is not None and state.unheard.since is not None and not state.unheard.transcribed:
            out.timer(TRANSCRIPT, within, TranscriptOverdue())

    def on_transcript_overdue(self, state: TurnState, out: Outbox[TurnMessage]) -> TurnState:
        """None came."""
        unheard = state.unheard
        if unheard.since is not None and not unheard.transcribed:
            overdue = UserTranscriptionTimeoutEvent(unheard.seconds, out.wall(unheard.since), out.wall())
            out.tell(self._refs.wiring.supervisor, Publish(overdue))
        return state

    @staticmethod
    def on_overlap(state: TurnState, news: OverlapNews, out: Outbox[TurnMessage]) -> TurnState:
        """What was said over the agent: words came, though they are held; or it was a listening noise."""
        match news:
            case WordsHeld():
                out.cancel_timer(TRANSCRIPT)
                return replace(state, unheard=Unheard(transcribed=True))
            case HeardBackchannel():
                return replace(state, pauses=was_backchannel(state.pauses, state.pauses_before))

    def words_came(self, state: TurnState, final: FinalTranscript, out: Outbox[TurnMessage]) -> TurnState:
        """A final transcript came."""
        out.cancel_timer(TRANSCRIPT)
        refs = self._refs
        out.tell(refs.wiring.supervisor, UserUnderstood(refs.participant, out.now, refs.vad is not None))
        began = out.now if state.started_at is None else state.started_at
        window = state.window.with_final(final.text, began)
        state = replace(state, unheard=Unheard(transcribed=True), window=window)
        if not window.exceeds(state.options, out.now):
            return state
        exceeded = UserTurnExceededEvent(
            state.said.transcript, window.text, window.words, window.duration(out.now), out.wall()
        )
        return replace(state, exceeded=exceeded)

    # -- a user who does not stop ------------------------------------------------------------------------------------

    def tell_exceeded(self, state: TurnState, out: Outbox[TurnMessage]) -> TurnState:
        """Let the agent know that the user goes on too long, unless the turn ends by itself or a reply is coming."""
        silent = state.phase is Phase.DECIDING or (state.phase is Phase.SPEAKING and state.silence > 0)
        ending = silent and state.rules.voice_interrupts
        if state.exceeded is None or ending or state.agent_state == "thinking":
            return state
        if state.agent_state != "speaking":
            told = UserTurnExceeded(self._refs.participant, state.exceeded, state.ledger.open, out.myself)
            out.tell(self._refs.wiring.agent, told)
        return replace(state, exceeded=None)

    @staticmethod
    def agent_is(state: TurnState) -> TurnState:
        """An agent that is heard was let speak by the user: the count begins anew."""
        return replace(state, window=TurnWindow(), exceeded=None) if state.agent_state == "speaking" else state
