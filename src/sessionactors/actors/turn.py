"""``turn``: what one participant says, until it is a turn. Assembles transcripts and decides when the user is done.

Told by ``vad`` when the voice sets in and ends, by ``stt`` what was said, and by ``detector`` whether the user seems
to be done. It tells ``floor`` whether the user speaks and wants to interrupt, ``supervisor`` the same as a public fact,
and ``agent`` the complete turn. Whether the agent is cut off is the floor's business, what is answered the agent's.
Without a detector of speech the words alone show it.

How the end is decided stands in :mod:`.turn_end`, what others order in :mod:`.turn_orders`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias, assert_never

from sessionactors.interfaces.llm import LLM
from sessionactors.messages.ear import (
    ClearTurn,
    EndOfTurnPredicted,
    EndpointingElapsed,
    FinalTranscript,
    FlushOverdue,
    FlushTurn,
    InterimTranscript,
    NoWords,
    OpinionOverdue,
    PreflightTranscript,
    RecognitionReset,
    RecognizerHeardEnd,
    RecognizerHeardStart,
    ResetOverdue,
    RestartDetection,
    SpeechContinues,
    SpeechEnded,
    SpeechStarted,
    SpeechStateWanted,
    TranscriptOverdue,
)
from sessionactors.messages.history import ContextSnapshot
from sessionactors.messages.overlap import HeardBackchannel, OverlapNews, VoiceWasNoise, WordsHeld
from sessionactors.messages.realtime import UserBegan
from sessionactors.messages.session import OptionsChanged
from sessionactors.messages.turn import AgentStateFact, InterruptionWanted, TurnAnswered, TurnTaken
from sessionactors.model.options import SessionOptions
from sessionactors.runtime import NS, Actor, Outbox
from sessionactors.runtime.frozen import replace

from . import dynamic_endpointing
from .barge_in import worth_telling
from .ear_refs import EarRefs
from .model_transcript import turn_of_model
from .turn_admission import TurnAdmission
from .turn_end import ENDPOINTING, TurnEnd
from .turn_facts import TurnFacts
from .turn_orders import TurnOrders
from .turn_rules import EndsBy, TurnParts, TurnRules, resolve_rules
from .turn_state import Phase, Question, TurnState, hears_edges
from .turn_watch import TurnWatch

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
    | ResetOverdue
    | EndpointingElapsed
    | ContextSnapshot
    | EndOfTurnPredicted
    | OpinionOverdue
    | TurnAnswered
    | TranscriptOverdue
    | AgentStateFact
    | TurnTaken
    | OptionsChanged
    | FlushTurn
    | FlushOverdue
    | ClearTurn
    | OverlapNews
    | VoiceWasNoise
)

ASK_AFTER = 0.2
"""Seconds of silence inside of speech after which a detector that listens is asked."""


class TurnActor(Actor[TurnState, TurnMessage]):
    """Finds the turns of one participant.

    Args:
        refs: the ear's actors.
    """

    def __init__(self, refs: EarRefs) -> None:
        self._refs = refs
        self._gate = TurnAdmission(refs)
        self._facts = TurnFacts(refs)
        self._end = TurnEnd(refs)
        self._orders = TurnOrders(refs, self._end)
        self._watch = TurnWatch(refs)

    def initial(self) -> TurnState:
        """Silence."""
        options = self._refs.wiring.options
        return TurnState(options, self._rules(options))

    def _rules(self, options: SessionOptions) -> TurnRules:
        components = self._refs.wiring.components
        realtime = components.llm is not None and not isinstance(components.llm, LLM)
        return resolve_rules(options, TurnParts(self._refs.detects, self._refs.recogniser is not None, realtime))

    def started(self, state: TurnState, out: Outbox[TurnMessage]) -> TurnState:
        """Say so if turns end otherwise than was asked for."""
        if state.rules.warning:
            out.log("turn_detection_unusable", level="warning", reason=state.rules.warning)
        return state

    def restarted(self, state: TurnState, error: BaseException, out: Outbox[TurnMessage]) -> TurnState:
        """Take up what was waited for: timers and the question to the detector ended with the failure."""
        self._orders.take_up(state, out)
        self._watch.take_up(state, out)
        state = replace(state, question=Question(state.question.number), offered=False)
        if state.phase is Phase.DECIDING:
            return self._end.decide(state, out)
        if state.phase is Phase.SPEAKING:
            if self._refs.vad is None:
                self._end.wait(state, state.options.max_endpointing_delay, out)
            else:  # the end of speech may have been the message that failed
                out.tell(self._refs.vad, SpeechStateWanted())
        return state

    def receive(self, state: TurnState, message: TurnMessage, out: Outbox[TurnMessage]) -> TurnState:
        """Handle one message, and let others know what changed by it."""
        admitted = self._gate.admit(state, message, out)
        changed = admitted.state
        if admitted.ends:
            changed = self._on_speech_ended(changed, out.now, out)
        if admitted.begins_at is not None:
            changed = self._on_speech_started(changed, admitted.begins_at, out)
        if admitted.passes:
            changed = self._handle(changed, message, out)
        return self._facts.tell(state, self._watch.tell_exceeded(changed, out), out)

    def _handle(self, state: TurnState, message: TurnMessage, out: Outbox[TurnMessage]) -> TurnState:
        match message:
            case SpeechContinues():
                return self._on_speech_continues(state, message, out)
            case SpeechStarted(at):
                return self._on_speech_started(state, at, out)
            case SpeechEnded(at, duration):
                return self._on_speech_ended(state, at, out, duration)
            case InterimTranscript(text):
                return self._on_interim(state, text, out)
            case PreflightTranscript():
                return self._on_preflight(state, message, out)
            case NoWords():
                return self._on_no_words(state, out)
            case FinalTranscript():
                return self._on_final(state, message, out)
            case RecognizerHeardStart(at):
                return self._on_recognizer_start(state, at, out)
            case RecognizerHeardEnd(at):
                return self._on_recognizer_end(state, at, out)
            case RecognitionReset():
                return self._orders.on_reset(state, out)
            case ResetOverdue():
                return self._orders.on_reset_overdue(state, out)
            case EndpointingElapsed():
                return self._end.on_elapsed(state, out)
            case ContextSnapshot():
                return self._end.on_context(state, message, out)
            case EndOfTurnPredicted():
                return self._end.on_predicted(state, message, out)
            case OpinionOverdue(question):
                return self._end.on_opinion_overdue(state, question, out)
            case TurnAnswered():
                return self._end.on_answered(state, message, out)
            case TranscriptOverdue():
                return self._watch.on_transcript_overdue(state, out)
            case AgentStateFact():
                return self._on_agent_state(state, message)
            case TurnTaken(finals):
                return self._on_taken(state, finals, out)
            case OptionsChanged(options):
                return self._on_options(state, options, out)
            case FlushTurn():
                return self._orders.on_flush(state, message, out)
            case FlushOverdue():
                return self._orders.carry_out(state, out)
            case ClearTurn():
                return self._orders.on_clear(state, message, out)
            case WordsHeld() | HeardBackchannel():
                return self._watch.on_overlap(state, message, out)
            case VoiceWasNoise():
                return self._end.on_backchannel(state, message, out)
            case _:
                assert_never(message)

    def stopped(self, state: TurnState, out: Outbox[TurnMessage]) -> None:
        """What was not committed ends here."""
        for transcript in state.ledger.open:
            out.log("transcript_discarded", id=transcript, reason="session closed")

    def summary(self, state: TurnState) -> Mapping[str, object]:
        """Phase and account; no words of the user."""
        return state.summary()

    # -- voice -------------------------------------------------------------------------------------------------------

    def _on_speech_started(self, state: TurnState, at: int, out: Outbox[TurnMessage]) -> TurnState:
        if state.phase is Phase.SPEAKING:
            return state
        if self._refs.realtime is not None:
            out.tell(self._refs.realtime, UserBegan(self._refs.participant))
        self._end.forget(out)
        self._watch.voice_came(out)
        goes_on = state.phase in (Phase.DECIDING, Phase.WAITING) and state.started_at is not None
        state = replace(
            state,
            phase=Phase.SPEAKING,
            started_at=state.started_at if goes_on else at,
            stretch_at=at,
            voice=(out.now - at) / NS,
            silence=0.0,
            told=None,
            recognizer_ended=False,
            question=Question(state.question.number),
            offered=False,
            pauses=dynamic_endpointing.utterance_began(state.pauses, at),
        )
        return self._wish(state, out)

    def _on_speech_continues(self, state: TurnState, now: SpeechContinues, out: Outbox[TurnMessage]) -> TurnState:
        if state.phase is not Phase.SPEAKING:
            return state
        if now.silence < state.silence:  # the voice goes on: what a detector thought is worth nothing
            state = replace(state, question=Question(state.question.number))
        state = replace(state, voice=now.duration, silence=now.silence)
        if state.rules.streaming is not None and now.silence >= ASK_AFTER:
            state = self._end.ask(state, out)
        return self._wish(state, out)

    def _on_speech_ended(self, state: TurnState, at: int, out: Outbox[TurnMessage], duration: float = 0.0) -> TurnState:
        if state.phase is not Phase.SPEAKING:
            return state
        state = replace(
            state,
            phase=Phase.DECIDING,
            ended_at=at,
            voice=duration or state.voice,
            silence=(out.now - at) / NS,
            pauses=dynamic_endpointing.utterance_ended(state.pauses, at, state.delays),
            pauses_before=state.pauses,
        )
        state = self._watch.voice_ended(state, at, duration, out)
        if state.rules.streaming is not None:
            state = self._end.ask(state, out)
        return self._end.decide(state, out)

    def _wish(self, state: TurnState, out: Outbox[TurnMessage], *, final: bool = False) -> TurnState:
        """Let the floor know, when it may decide otherwise than before."""
        refs = self._refs
        least = state.options.min_interruption_duration
        if not state.rules.voice_interrupts or (state.recognizer_ended and state.silence > 0 and not final):
            return state
        known = state.voiced_at(out.now) is not None  # else it is a final of no speech that was noticed
        duration = state.voice if known else 0.0
        if refs.vad is None:
            duration = max(duration, least)  # nobody measures the voice: recognised words stand for speech long enough
        words = None if refs.stt is None else state.said.words
        wish = InterruptionWanted(refs.participant, duration, words, state.stretch_at, final)
        if not worth_telling(wish, state.told, least):
            return state
        out.tell(refs.wiring.floor, wish)
        return replace(state, told=wish)

    # -- words -------------------------------------------------------------------------------------------------------

    def _on_interim(self, state: TurnState, text: str, out: Outbox[TurnMessage]) -> TurnState:
        if state.resetting:
            return state
        return self._words_seen(replace(state, said=state.said.with_interim(text)), text, out)

    def _words_seen(self, state: TurnState, text: str, out: Outbox[TurnMessage]) -> TurnState:
        if self._refs.vad is None and text:
            state = self._voice_by_words(state, out)
            self._end.wait(state, state.options.max_endpointing_delay, out)
        if state.phase is Phase.SPEAKING:
            return self._wish(state, out)
        return self._end.decide(state, out) if state.phase is Phase.DECIDING else state

    def _on_preflight(self, state: TurnState, preflight: PreflightTranscript, out: Outbox[TurnMessage]) -> TurnState:
        if state.resetting:
            return state
        state = replace(state, said=state.said.with_preflight(preflight.text))
        state = self._words_seen(state, preflight.text, out)
        return self._facts.prepare_reply(state, state.said.seems, preflight.confidence, out)

    def _on_no_words(self, state: TurnState, out: Outbox[TurnMessage]) -> TurnState:
        if state.resetting:
            return state
        state = replace(state, said=state.said.with_interim(""))
        if state.phase is Phase.DECIDING:
            state = self._end.decide(state, out)
        return self._orders.carry_out(state, out)

    def _on_final(self, state: TurnState, final: FinalTranscript, out: Outbox[TurnMessage]) -> TurnState:
        if final.item_id:  # the realtime model's own words for a turn that it has had
            turn = turn_of_model(self._refs, final, out.new_id("turn"))
            out.tell(self._refs.wiring.agent, turn)
            return state
        ledger = state.ledger.receive(final.id)
        if state.resetting:
            out.log("transcript_discarded", id=final.id, reason="given up")
            return replace(state, ledger=ledger.discard("given up"))
        state = replace(state, said=state.said.with_final(final), last_final_at=out.now, ledger=ledger)
        state = self._watch.words_came(state, final, out)
        if self._refs.vad is None:
            state = self._wish(self._voice_by_words(state, out), out, final=True)
            if state.rules.ends_by is EndsBy.RECOGNIZER:
                self._end.wait(state, state.options.stt_conn_options.timeout, out)
            else:
                state = self._on_speech_ended(state, final.ended_at or out.now, out)
        elif state.phase is Phase.SPEAKING:
            state = self._wish(state, out, final=True)
        else:
            state = self._end.decide(self._late(self._wish(state, out, final=True), final, out), out)
        state = self._facts.prepare_reply(state, state.said.transcript, state.said.confidence, out)
        return self._orders.carry_out(state, out)

    def _late(self, state: TurnState, final: FinalTranscript, out: Outbox[TurnMessage]) -> TurnState:
        """A final in silence belongs to the speech that ended, or (too quiet for ``vad``) stands for itself.

        Times of words count more than a detector of speech that nobody chose.
        """
        silent = state.phase in (Phase.DECIDING, Phase.WAITING, Phase.DROPPED, Phase.HELD)
        expected = silent and state.ended_at is not None
        ended_at = state.ended_at if expected else out.now
        if final.ended_at is not None and self._refs.wiring.components.vad_is_default:
            ended_at = final.ended_at
        return replace(state, phase=Phase.DECIDING, ended_at=ended_at)

    def _voice_by_words(self, state: TurnState, out: Outbox[TurnMessage]) -> TurnState:
        """Without ``vad``: the user speaks when words come, and did so until the last of them."""
        return replace(self._on_speech_started(state, out.now, out), ended_at=out.now)

    # -- what the recogniser hears of the voice ----------------------------------------------------------------------

    def _on_recognizer_start(self, state: TurnState, at: int, out: Outbox[TurnMessage]) -> TurnState:
        if state.resetting or not hears_edges(state, vad=self._refs.vad is not None):
            return state
        return replace(self._on_speech_started(state, at, out), recognizer_ended=False)

    def _on_recognizer_end(self, state: TurnState, at: int, out: Outbox[TurnMessage]) -> TurnState:
        if state.resetting or not hears_edges(state, vad=self._refs.vad is not None):
            return state
        state = replace(state, recognizer_ended=True)
        if state.phase is Phase.SPEAKING:
            if self._refs.vad is not None:
                out.tell(self._refs.vad, RestartDetection())
                at = min(at, out.now - round(state.silence * NS))  # the detector knows better when the voice ended
            return self._on_speech_ended(state, at, out)
        return self._end.decide(state, out) if state.phase is Phase.DECIDING else state

    # -- the session -------------------------------------------------------------------------------------------------

    @staticmethod
    def _on_agent_state(state: TurnState, fact: AgentStateFact) -> TurnState:
        was, speaks = state.agent_state == "speaking", fact.state == "speaking"
        pauses = state.pauses
        if speaks and not was:
            pauses = dynamic_endpointing.agent_began(pauses, fact.at, user_speaking=state.phase is Phase.SPEAKING)
        elif was and not speaks:
            pauses = dynamic_endpointing.agent_ended(pauses)
        return TurnWatch.agent_is(replace(state, agent_state=fact.state, pauses=pauses))

    def _on_taken(self, state: TurnState, finals: tuple[str, ...], out: Outbox[TurnMessage]) -> TurnState:
        """Words of the open turn were answered already, and are in the history: they are no part of it any more."""
        state = replace(state, said=state.said.without(finals), ledger=state.ledger.take(finals))
        return self._end.decide(state, out) if state.phase is Phase.DECIDING else state

    def _on_options(self, state: TurnState, options: SessionOptions, out: Outbox[TurnMessage]) -> TurnState:
        """Other options hold from now on, for the turn that is open too."""
        rules = self._rules(options)
        state = self.started(replace(state, options=options, rules=rules), out)
        if rules != state.rules:
            state = replace(state, question=Question(state.question.number))
        if state.phase not in (Phase.DECIDING, Phase.WAITING):
            return state
        out.cancel_timer(ENDPOINTING)
        return self._end.decide(replace(state, phase=Phase.DECIDING), out)
