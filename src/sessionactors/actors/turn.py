"""``turn``: what one participant says, until it is a turn. Assembles transcripts and decides when the user is done.

Told by ``vad`` when the voice sets in and ends, and by ``stt`` what was said. It tells ``floor`` whether the user
speaks and wants to interrupt, ``supervisor`` the same as a public fact, and ``agent`` the complete turn. Whether the
agent is cut off is the floor's business, what is answered the agent's. Without a detector of speech the words alone
show it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias, assert_never

from sessionactors.interfaces.home import Home
from sessionactors.interfaces.turn_detector import TurnDetector
from sessionactors.messages.ear import (
    EndOfTurnPredicted,
    EndpointingElapsed,
    FinalTranscript,
    FlushOverdue,
    FlushTurn,
    InterimTranscript,
    NoWords,
    PreflightTranscript,
    RecognitionReset,
    RecognizerHeardEnd,
    RecognizerHeardStart,
    SpeechContinues,
    SpeechEnded,
    SpeechStarted,
    SpeechStateWanted,
    TurnFlushed,
    UtteranceEnded,
)
from sessionactors.messages.session import OptionsChanged
from sessionactors.messages.turn import Decided, InterruptionWanted, UserActivity, UserSpeechFact, UserTurnEnded
from sessionactors.model.chat import ChatContext, ChatMessage
from sessionactors.model.options import SessionOptions
from sessionactors.runtime import NS, Actor, EffectPort, Outbox

from .barge_in import spoken_for, word_count, worth_telling
from .component_metadata import metadata_of
from .ear_refs import EarRefs
from .endpointing import Wait, seconds_left, silence_needed, waits_for
from .turn_state import Phase, TurnState

TurnMessage: TypeAlias = (
    SpeechStarted
    | SpeechContinues
    | SpeechEnded
    | InterimTranscript
    | PreflightTranscript
    | FinalTranscript
    | NoWords
    | RecognizerHeardStart
    | RecognizerHeardEnd
    | RecognitionReset
    | EndpointingElapsed
    | EndOfTurnPredicted
    | FlushTurn
    | OptionsChanged
    | FlushOverdue
)

ENDPOINTING = "endpointing"
PREDICTION = "prediction"
FLUSHING = "flush"
PREDICTION_WITHIN = 1.0
"""Seconds for the turn detector; then its opinion is not waited for."""


class TurnActor(Actor[TurnState, TurnMessage]):
    """Finds the turns of one participant.

    Args:
        refs: the ear's actors.
    """

    def __init__(self, refs: EarRefs) -> None:
        self._refs = refs

    def initial(self) -> TurnState:
        """Silence."""
        return TurnState(options=self._refs.wiring.options)

    def restarted(self, state: TurnState, error: BaseException, out: Outbox[TurnMessage]) -> TurnState:
        """Take up what was waited for: timers and the question to the detector ended with the failure."""
        if state.flush is not None:
            out.timer(FLUSHING, state.flush.within, FlushOverdue())
        state = replace(state, asked=None)
        if state.phase is Phase.DECIDING:
            return self._decide(state, out)
        if state.phase is Phase.SPEAKING:
            if self._refs.vad is None:
                self._limit_wait(state, out)
            else:  # the end of speech may have been the message that failed
                out.tell(self._refs.vad, SpeechStateWanted())
        return state

    def receive(self, state: TurnState, message: TurnMessage, out: Outbox[TurnMessage]) -> TurnState:
        """Handle one message."""
        match message:
            case SpeechContinues(duration):
                return self._wish(state, duration, out) if state.phase is Phase.SPEAKING else state
            case SpeechStarted(at):
                return self._on_speech_started(state, at, out)
            case SpeechEnded(at):
                return self._on_speech_ended(state, at, out)
            case InterimTranscript(text) | PreflightTranscript(text):
                return self._on_interim(state, text, out)
            case NoWords():
                state = replace(state, interim="")
                return self._decide(state, out) if state.phase is Phase.DECIDING else state
            case RecognizerHeardStart() | RecognizerHeardEnd() | RecognitionReset():
                return state
            case FinalTranscript():
                return self._on_final(state, message, out)
            case EndpointingElapsed():
                return self._on_endpointing_elapsed(state, out)
            case EndOfTurnPredicted():
                return self._on_predicted(state, message, out)
            case OptionsChanged(options):
                return self._on_options_changed(replace(state, options=options), out)
            case FlushTurn():
                return self._on_flush(state, message, out)
            case FlushOverdue():
                return self._flushed(state, out)
            case _:
                assert_never(message)

    def stopped(self, state: TurnState, out: Outbox[TurnMessage]) -> None:
        """What was not committed ends here."""
        for transcript in state.ledger.open:
            out.log("transcript_discarded", id=transcript, reason="session closed")

    def summary(self, state: TurnState) -> Mapping[str, object]:
        """Phase and account; no words of the user."""
        return {
            "phase": state.phase.value,
            "finals": len(state.finals),
            "interim_words": word_count(state.interim),
            "turns": state.turns,
            "dropped": state.dropped,
            "transcripts": state.ledger.summary(),
        }

    # -- voice -------------------------------------------------------------------------------------------------------

    def _on_speech_started(self, state: TurnState, at: int, out: Outbox[TurnMessage]) -> TurnState:
        if state.phase is Phase.SPEAKING:
            return state
        out.cancel_timer(ENDPOINTING)
        out.cancel_effect(PREDICTION)
        goes_on = state.phase is Phase.DECIDING and state.started_at is not None
        self._tell_activity(out, speaking=True, at=at)
        state = replace(
            state,
            phase=Phase.SPEAKING,
            started_at=state.started_at if goes_on else at,
            stretch_at=at,
            told=None,
            asked=None,
        )
        return self._wish(state, (out.now - at) / NS, out)

    def _on_speech_ended(self, state: TurnState, at: int, out: Outbox[TurnMessage]) -> TurnState:
        if state.phase is not Phase.SPEAKING:
            return state
        self._tell_activity(out, speaking=False, at=at, decided=state.decided)
        return self._decide(replace(state, phase=Phase.DECIDING, ended_at=at), out)

    def _tell_activity(
        self, out: Outbox[TurnMessage], *, speaking: bool, at: int, decided: Decided = Decided.DROPPED
    ) -> None:
        wiring, participant = self._refs.wiring, self._refs.participant
        out.tell(wiring.floor, UserActivity(participant, speaking, at, decided))
        out.tell(wiring.supervisor, UserSpeechFact(participant, speaking, at))

    def _tell_decided(self, state: TurnState, decided: Decided, out: Outbox[TurnMessage]) -> None:
        at = out.now if state.ended_at is None else state.ended_at
        out.tell(self._refs.wiring.floor, UserActivity(self._refs.participant, False, at, decided))

    def _wish(self, state: TurnState, duration: float, out: Outbox[TurnMessage], *, final: bool = False) -> TurnState:
        """Let the floor know, when it may decide otherwise than before."""
        refs = self._refs
        least = state.options.min_interruption_duration
        if refs.vad is None:
            duration = max(duration, least)  # nobody measures the voice: recognised words stand for speech long enough
        words = None
        if refs.stt is not None:
            words = word_count(state.interim, *(final.text for final in state.finals))
        wish = InterruptionWanted(refs.participant, duration, words, state.stretch_at, final)
        if not worth_telling(wish, state.told, least):
            return state
        out.tell(refs.wiring.floor, wish)
        return replace(state, told=wish)

    # -- words -------------------------------------------------------------------------------------------------------

    def _on_interim(self, state: TurnState, text: str, out: Outbox[TurnMessage]) -> TurnState:
        state = replace(state, interim=text)
        if self._refs.vad is None and text:
            state = self._voice_by_words(state, out)
            self._limit_wait(state, out)
        if state.phase is Phase.SPEAKING:
            return self._wish(state, (out.now - state.stretch_at) / NS, out)
        if state.phase is not Phase.DECIDING:
            return state
        self._tell_decided(state, state.decided, out)
        return self._decide(state, out)

    def _on_final(self, state: TurnState, final: FinalTranscript, out: Outbox[TurnMessage]) -> TurnState:
        state = replace(
            state,
            finals=(*state.finals, final),
            interim="",
            last_final_at=out.now,
            ledger=state.ledger.receive(final.id),
        )
        if self._refs.vad is None:
            state = self._voice_by_words(state, out)
            state = self._wish(state, (out.now - state.stretch_at) / NS, out, final=True)
            state = self._on_speech_ended(state, out.now, out)
        elif state.phase is Phase.SPEAKING:
            state = self._wish(state, (out.now - state.stretch_at) / NS, out, final=True)
        else:
            duration = spoken_for(state.phase is Phase.DECIDING, state.stretch_at, state.ended_at)
            state = self._wish(self._late(state, out), duration, out, final=True)
            self._tell_decided(state, Decided.OPEN, out)
            state = self._decide(state, out)
        return state if state.flush is None else self._flushed(state, out)

    @staticmethod
    def _late(state: TurnState, out: Outbox[TurnMessage]) -> TurnState:
        """A final in silence belongs to the speech that ended, or (too quiet for ``vad``) stands for itself."""
        expected = state.phase in (Phase.DECIDING, Phase.DROPPED) and state.ended_at is not None
        ended_at = state.ended_at if expected else out.now
        return replace(state, phase=Phase.DECIDING, ended_at=ended_at)

    def _voice_by_words(self, state: TurnState, out: Outbox[TurnMessage]) -> TurnState:
        """Without ``vad``: the user speaks when words come, and did so until the last of them."""
        return replace(self._on_speech_started(state, out.now, out), ended_at=out.now)

    # -- the end of the turn -----------------------------------------------------------------------------------------

    def _decide(self, state: TurnState, out: Outbox[TurnMessage]) -> TurnState:
        """The user is silent: wait for what is missing, or for the end."""
        detector = _detector(state.options)
        opinion = state.opinion if state.opinion and state.opinion.transcript == state.transcript else None
        wait = waits_for(
            recognised=self._refs.stt is not None,
            finals=len(state.finals),
            interim=state.interim,
            opinion_wanted=detector is not None and opinion is None,
        )
        match wait:
            case Wait.NOTHING:
                return self._drop(state, out)
            case Wait.WORDS:
                self._limit_wait(state, out)
                return state
            case Wait.OPINION:
                return self._ask_detector(state, out)
            case Wait.SILENCE:
                probability = None if opinion is None else opinion.probability
                threshold = (None if detector is None else detector.unlikely_threshold()) or 0.0
                self._wait(state, silence_needed(state.options, probability, threshold), out)
                return state
            case _:
                assert_never(wait)

    def _on_options_changed(self, state: TurnState, out: Outbox[TurnMessage]) -> TurnState:
        """What is being waited for is waited for by the new options."""
        if state.phase is Phase.DECIDING:
            return self._decide(state, out)
        if state.phase is Phase.SPEAKING and self._refs.vad is None:
            self._limit_wait(state, out)
        return state

    def _limit_wait(self, state: TurnState, out: Outbox[TurnMessage]) -> None:
        self._wait(state, state.options.max_endpointing_delay, out)

    @staticmethod
    def _wait(state: TurnState, delay: float, out: Outbox[TurnMessage]) -> None:
        anchor = out.now if state.ended_at is None else state.ended_at
        out.timer(ENDPOINTING, seconds_left(anchor, delay, out.now), EndpointingElapsed())

    def _ask_detector(self, state: TurnState, out: Outbox[TurnMessage]) -> TurnState:
        detector = _detector(state.options)
        transcript = state.transcript
        if detector is None or state.asked == transcript:
            return state
        said = ChatMessage("user", [transcript], id=state.finals[-1].id, created_at=out.wall())

        async def predict(_port: EffectPort[TurnMessage]) -> float:
            return await detector.predict_end_of_turn(ChatContext([said]))

        out.cancel_timer(ENDPOINTING)
        out.effect(
            PREDICTION,
            predict,
            done=lambda probability: EndOfTurnPredicted(transcript, probability),
            failed=lambda error: EndOfTurnPredicted(transcript, None, error),
            deadline=PREDICTION_WITHIN,
            user_loop=detector.home is Home.USER,
        )
        return replace(state, asked=transcript)

    def _on_predicted(self, state: TurnState, predicted: EndOfTurnPredicted, out: Outbox[TurnMessage]) -> TurnState:
        if predicted.error is not None:
            out.log("turn_detector_failed", level="warning", error=repr(predicted.error))
        state = replace(state, opinion=predicted)
        return self._decide(state, out) if state.phase is Phase.DECIDING else state

    def _on_endpointing_elapsed(self, state: TurnState, out: Outbox[TurnMessage]) -> TurnState:
        if state.phase is Phase.SPEAKING:  # without vad: words were begun and never finished
            self._tell_activity(out, speaking=False, at=out.now if state.ended_at is None else state.ended_at)
        return self._commit(state, out) if state.finals else self._drop(replace(state, interim=""), out)

    def _commit(self, state: TurnState, out: Outbox[TurnMessage]) -> TurnState:
        turn = out.new_id("turn")
        out.turn = turn
        known = [final.confidence for final in state.finals if final.confidence is not None]
        ended = UserTurnEnded(
            turn,
            state.transcript,
            self._refs.participant,
            confidence=sum(known) / len(known) if known else None,
            started_speaking_at=state.started_at,
            stopped_speaking_at=state.ended_at,
            last_final_at=state.last_final_at,
            recogniser=metadata_of(self._refs.wiring.components.stt),
        )
        out.tell(self._refs.wiring.agent, ended)
        out.log("turn_committed", level="debug", turn=turn, transcripts=list(state.ledger.open))
        self._tell_decided(state, Decided.COMMITTED, out)
        self._forget(out)
        return replace(
            state,
            phase=Phase.COMMITTED,
            started_at=None,
            finals=(),
            last_final_at=None,
            asked=None,
            opinion=None,
            turns=state.turns + 1,
            ledger=state.ledger.commit(),
        )

    def _drop(self, state: TurnState, out: Outbox[TurnMessage]) -> TurnState:
        """Speech without words is no turn. Words that come late still make it one."""
        self._tell_decided(state, Decided.DROPPED, out)
        self._forget(out)
        return replace(state, phase=Phase.DROPPED, dropped=state.dropped + 1)

    @staticmethod
    def _forget(out: Outbox[TurnMessage]) -> None:
        out.cancel_timer(ENDPOINTING)
        out.cancel_effect(PREDICTION)

    # -- the end of the session --------------------------------------------------------------------------------------

    def _on_flush(self, state: TurnState, flush: FlushTurn, out: Outbox[TurnMessage]) -> TurnState:
        state = replace(state, flush=flush)
        stt = self._refs.stt
        speaking, deciding = state.phase is Phase.SPEAKING, state.phase is Phase.DECIDING
        words_owed = speaking or state.interim or (deciding and not state.finals)
        if stt is None or flush.within <= 0 or not words_owed:
            return self._flushed(state, out)
        out.tell(stt, UtteranceEnded())
        out.timer(FLUSHING, flush.within, FlushOverdue())
        return state

    def _flushed(self, state: TurnState, out: Outbox[TurnMessage]) -> TurnState:
        """Commit what is there and answer."""
        flush = state.flush
        if flush is None:
            return state
        out.cancel_timer(FLUSHING)
        turns = state.turns
        if state.phase is Phase.SPEAKING:
            self._tell_activity(out, speaking=False, at=out.now)
            state = replace(state, ended_at=out.now)
        if state.finals:
            state = self._commit(state, out)
        elif state.phase in (Phase.SPEAKING, Phase.DECIDING):
            state = self._drop(state, out)
        if flush.reply_to is not None:
            committed = out.turn if state.turns > turns else None
            out.tell(flush.reply_to, TurnFlushed(self._refs.participant, committed))
        return replace(state, flush=None)


def _detector(options: SessionOptions) -> TurnDetector | None:
    return options.turn_detection if isinstance(options.turn_detection, TurnDetector) else None
