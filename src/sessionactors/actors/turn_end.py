"""The end of a turn: what is waited for, the detector's question, the offer to the floor, and the commit.

One of the parts of ``turn``; it has no state of its own. Every new fact decides anew, and the decision before is void:
its timer is replaced, and its question has an older number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from sessionactors.interfaces.home import Home
from sessionactors.messages.ear import (
    EndOfTurnPredicted,
    EndpointingElapsed,
    OpinionOverdue,
    PredictEndOfTurn,
    VoiceCommitted,
)
from sessionactors.messages.history import ContextSnapshot, ContextWanted
from sessionactors.messages.overlap import VoiceWasNoise
from sessionactors.messages.realtime import ClearUserAudio, CommitUserAudio
from sessionactors.messages.turn import TurnAnswered, TurnOffered, TurnRoute, UserTurnEnded
from sessionactors.model.chat import ChatContext, ChatMessage
from sessionactors.runtime import EffectPort, Outbox
from sessionactors.runtime.frozen import replace

from .component_metadata import metadata_of
from .ear_refs import EarRefs
from .endpointing import Known, Wait, seconds_left, silence_needed, waits_for
from .turn_rules import EndsBy
from .turn_state import Phase, Question, TurnState, Unheard
from .utterance import Utterance

if TYPE_CHECKING:
    from .turn import TurnMessage

ENDPOINTING = "endpointing"
OPINION = "opinion"
PREDICTION = "prediction"
PREDICTION_WITHIN = 1.0
"""Seconds for a turn detector that reads text; then its opinion is not waited for."""
ANSWER_WITHIN = 1.0
"""Seconds for the floor to answer an offer (it may be restarting); then the turn ends."""
VOICE = "the voice so far"
"""What a detector that listens is asked about."""


class TurnEnd:
    """Decides when the turns of one participant end.

    Args:
        refs: the ear's actors.
    """

    def __init__(self, refs: EarRefs) -> None:
        self._refs = refs

    @property
    def heard_by_model(self) -> bool:
        """Whether what the user says is a turn also without words: a realtime model has the audio."""
        return self._refs.realtime is not None and self._refs.stt is None

    # -- what is waited for ------------------------------------------------------------------------------------------

    def decide(self, state: TurnState, out: Outbox[TurnMessage]) -> TurnState:
        """The user is silent: wait for what is missing, or for the end."""
        state = replace(state, offered=False)
        about = self._about(state)
        known = Known(
            recognised=self._refs.stt is not None,
            heard=self.heard_by_model,
            finals=len(state.said.finals),
            interim=state.said.interim or state.said.preflight,
            recognizer_ended=state.recognizer_ended,
            opinion_wanted=about is not None and not (state.question.answered and state.question.about == about),
        )
        match waits_for(state.rules.ends_by, known):
            case Wait.NOTHING:
                return self.drop(state, out)
            case Wait.COMMAND:
                out.cancel_timer(ENDPOINTING)
                return replace(state, phase=Phase.WAITING)
            case Wait.RECOGNIZER:
                self.wait(state, state.options.stt_conn_options.timeout, out)
                return state
            case Wait.WORDS:
                self.wait(state, state.options.max_endpointing_delay, out)
                return state
            case Wait.OPINION:
                out.cancel_timer(ENDPOINTING)
                return self.ask(state, out)
            case Wait.SILENCE:
                self.wait(state, self._silence(state, about), out)
                return state
            case other:
                assert_never(other)

    @staticmethod
    def wait(state: TurnState, delay: float, out: Outbox[TurnMessage]) -> None:
        """End the turn so many seconds behind the end of speech."""
        anchor = out.now if state.ended_at is None else state.ended_at
        out.timer(ENDPOINTING, seconds_left(anchor, delay, out.now), EndpointingElapsed())

    def _silence(self, state: TurnState, about: str | None) -> float:
        probability = state.question.probability if about is not None else None
        threshold = None if about is None else self._threshold(state)
        return silence_needed(state.min_delay, state.options.max_endpointing_delay, probability, threshold)

    # -- the detector ------------------------------------------------------------------------------------------------

    @staticmethod
    def _threshold(state: TurnState) -> float | None:
        detector = state.rules.detector or state.rules.streaming
        return None if detector is None else detector.unlikely_threshold(state.said.language)

    def _about(self, state: TurnState) -> str | None:
        """What a detector is to be asked about now; None: none is."""
        if self._threshold(state) is None:
            return None
        return state.said.transcript if state.rules.streaming is None else VOICE

    def ask(self, state: TurnState, out: Outbox[TurnMessage]) -> TurnState:
        """Ask the detector, unless it is being asked about the same already."""
        about = self._about(state)
        question = state.question
        if about is None or question.about == about:
            return state
        question = Question(question.number + 1, about, out.now)
        streaming, number = state.rules.streaming, question.number
        if streaming is None:
            out.tell(self._refs.wiring.history, ContextWanted(f"{out.path}#{number}", out.myself))
            out.timer(OPINION, PREDICTION_WITHIN, OpinionOverdue(number))
        elif self._refs.detector is not None:
            out.tell(self._refs.detector, PredictEndOfTurn(number))
            out.timer(OPINION, streaming.prediction_timeout, OpinionOverdue(number))
        return replace(state, question=question)

    def on_context(self, state: TurnState, context: ContextSnapshot, out: Outbox[TurnMessage]) -> TurnState:
        """The conversation so far, for a detector that reads text."""
        detector, question = state.rules.detector, state.question
        wanted = question.about is not None and not question.answered  # else the turn was committed, or cleared
        if detector is None or not wanted or context.request != f"{out.path}#{question.number}":
            return state
        said = ChatMessage("user", [state.said.transcript], id=state.said.finals[-1].id, created_at=out.wall())
        conversation = ChatContext((*context.items, said))
        number = question.number

        async def predict(_port: EffectPort[TurnMessage]) -> float:
            return await detector.predict_end_of_turn(conversation)

        out.effect(
            PREDICTION,
            predict,
            done=lambda probability: EndOfTurnPredicted(number, probability),
            failed=lambda error: EndOfTurnPredicted(number, None, error),
            deadline=PREDICTION_WITHIN,
            user_loop=detector.home is Home.USER,
        )
        return state

    def on_predicted(self, state: TurnState, predicted: EndOfTurnPredicted, out: Outbox[TurnMessage]) -> TurnState:
        """The detector's opinion, or that it has none."""
        if predicted.error is not None:
            out.log("turn_detector_failed", level="warning", error=repr(predicted.error))
        question = state.question
        if predicted.question != question.number or question.answered or question.about is None:
            return state
        out.cancel_timer(OPINION)
        state = replace(state, question=replace(question, answered=True, probability=predicted.probability))
        return self.decide(state, out) if state.phase is Phase.DECIDING else state

    def on_opinion_overdue(self, state: TurnState, number: int, out: Outbox[TurnMessage]) -> TurnState:
        """The detector took too long: the turn ends as without it."""
        out.cancel_effect(PREDICTION)
        late = TimeoutError("the turn detector took too long; the turn ends without it")
        return self.on_predicted(state, EndOfTurnPredicted(number, None, late), out)

    # -- the end -----------------------------------------------------------------------------------------------------

    def on_elapsed(self, state: TurnState, out: Outbox[TurnMessage]) -> TurnState:
        """The user has been silent long enough, or what was waited for does not come."""
        if not state.said.finals and not self.heard_by_model:
            return self.drop(replace(state, said=Utterance()), out)
        least = state.options.min_interruption_words
        too_few = state.said.words < least and state.rules.ends_by is not EndsBy.COMMAND
        if not too_few or state.offered:
            return self.commit(state, out)
        offer = state.offer + 1
        out.tell(self._refs.wiring.floor, TurnOffered(self._refs.participant, offer, state.said.words, out.myself))
        out.timer(ENDPOINTING, ANSWER_WITHIN, EndpointingElapsed())
        return replace(state, offer=offer, offered=True)

    def on_answered(self, state: TurnState, answer: TurnAnswered, out: Outbox[TurnMessage]) -> TurnState:
        """The floor has said whether the words are enough."""
        if answer.offer != state.offer or not state.offered or state.phase is not Phase.DECIDING:
            return state
        if not answer.held:
            return self.commit(state, out)
        self.forget(out)
        return replace(state, phase=Phase.HELD, offered=False, held=state.held + 1)

    def commit(self, state: TurnState, out: Outbox[TurnMessage], *, reply: bool = True) -> TurnState:
        """The words so far are a turn."""
        turn = out.new_id("turn")
        out.turn = turn
        ended = UserTurnEnded(
            turn,
            state.said.transcript,
            self._refs.participant,
            confidence=state.said.confidence,
            started_speaking_at=state.started_at,
            stopped_speaking_at=state.ended_at,
            last_final_at=state.last_final_at,
            recogniser=metadata_of(self._refs.recogniser),
            reply=reply,
            finals=state.ledger.open,
            route=TurnRoute.WORDS if self._refs.realtime is None else TurnRoute.AUDIO,
        )
        if self._refs.realtime is not None:
            commit = CommitUserAudio(self._refs.participant, state.started_at, state.ended_at)
            out.tell(self._refs.realtime, commit)
        out.tell(self._refs.wiring.agent, ended)
        out.log("turn_committed", level="debug", turn=turn, transcripts=list(state.ledger.open))
        if self._refs.detector is not None:
            out.tell(self._refs.detector, VoiceCommitted())
        self.forget(out)
        return replace(
            state,
            phase=Phase.COMMITTED,
            started_at=None,
            said=Utterance(),
            last_final_at=None,
            question=Question(state.question.number),
            offered=False,
            preflight="",
            unheard=Unheard(),
            replied=reply,
            turns=state.turns + 1,
            ledger=state.ledger.commit(),
        )

    def on_backchannel(self, state: TurnState, heard: VoiceWasNoise, out: Outbox[TurnMessage]) -> TurnState:
        """What a realtime model heard over the agent was no turn: it forgets the audio, or would take it for one later.

        Where words of the same turn came before, the model has them in the same audio: then all of it counts.
        """
        goes_on = state.started_at is not None and state.started_at < heard.began_at
        if state.phase is Phase.SPEAKING:
            state = replace(state, phase=Phase.DECIDING, ended_at=heard.ended_at, pauses_before=state.pauses)
        if goes_on or state.rules.ends_by is EndsBy.COMMAND:
            return self.decide(state, out) if state.phase is Phase.DECIDING else state
        if self._refs.realtime is not None:
            out.tell(self._refs.realtime, ClearUserAudio(self._refs.participant))
        return self.drop(state, out) if self.heard_by_model else state

    def drop(self, state: TurnState, out: Outbox[TurnMessage]) -> TurnState:
        """Speech without words is no turn. Words that come late still make it one."""
        self.forget(out)
        return replace(state, phase=Phase.DROPPED, offered=False, dropped=state.dropped + 1)

    @staticmethod
    def forget(out: Outbox[TurnMessage]) -> None:
        """Nothing is waited for any more."""
        out.cancel_timer(ENDPOINTING)
        out.cancel_timer(OPINION)
        out.cancel_effect(PREDICTION)
