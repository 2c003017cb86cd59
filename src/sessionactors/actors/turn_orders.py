"""What others order about a turn: commit it now, or forget it. One of the parts of ``turn``; no state of its own.

A commit waits only for words that are owed. What is still only an interim when the wait is over becomes final, and the
recogniser begins anew, so that the same words do not come again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionactors.messages.ear import (
    ClearTurn,
    FinalTranscript,
    FlushOverdue,
    FlushTurn,
    ResetOverdue,
    ResetRecognition,
    RestartDetection,
    SilenceWanted,
    TurnFlushed,
    UtteranceEnded,
)
from sessionactors.messages.realtime import ClearUserAudio
from sessionactors.runtime import NS, Outbox
from sessionactors.runtime.frozen import replace

from .ear_refs import EarRefs
from .turn_end import TurnEnd
from .turn_limit import TurnWindow
from .turn_rules import EndsBy
from .turn_state import Phase, Question, TurnState, Unheard
from .utterance import Utterance

if TYPE_CHECKING:
    from .turn import TurnMessage

FLUSHING = "flush"
RESET = "reset"
RESET_WITHIN = 1.0
"""Seconds after which ``stt`` is told again to begin anew (it was being restarted)."""
OVERDUE_BY = 1.0
"""Seconds beyond its time after which a commit that is not answered is named as overdue."""
JUST_CAME = 0.5
"""Seconds in which a final transcript counts as the last one."""


class TurnOrders:
    """Carries out the orders about the turns of one participant.

    Args:
        refs: the ear's actors.
        end: commits and drops.
    """

    def __init__(self, refs: EarRefs, end: TurnEnd) -> None:
        self._refs = refs
        self._end = end

    def on_flush(self, state: TurnState, flush: FlushTurn, out: Outbox[TurnMessage]) -> TurnState:
        """Commit what is said, when its last words have come."""
        state = replace(state, orders=(*state.orders, flush))
        stt = self._refs.stt
        if stt is None or flush.within <= 0 or not self._words_owed(state, flush, out):
            return self.carry_out(state, out)
        out.tell(stt, UtteranceEnded())
        if flush.silence:
            out.tell(self._refs.input, SilenceWanted(flush.silence))
        within = flush.within
        if state.flush_due is not None:
            within = min(within, max(0.0, (state.flush_due - out.now) / NS))
        out.timer(FLUSHING, within, FlushOverdue())
        out.oblige(FLUSHING, "the last words of the turn", within + OVERDUE_BY)
        return replace(state, flush_due=out.now + round(within * NS))

    def _words_owed(self, state: TurnState, flush: FlushTurn, out: Outbox[TurnMessage]) -> bool:
        """Words were seen and not finished, or the voice was heard after the last that came of it."""
        if state.said.owes_words:
            return True
        last = state.last_final_at
        if last is not None and (out.now - last) / NS < JUST_CAME:
            return False
        if self._refs.vad is None:  # nobody knows whether the user spoke
            return bool(flush.request)
        voiced = state.voiced_at(out.now)
        if voiced is None or (out.now - voiced) / NS > state.options.max_endpointing_delay:
            return False
        return voiced > max(last or 0, state.reset_at)

    def take_up(self, state: TurnState, out: Outbox[TurnMessage]) -> None:
        """After a restart: wait for what was waited for."""
        if state.flush_due is not None:
            left = max(0.0, (state.flush_due - out.now) / NS)
            out.timer(FLUSHING, left, FlushOverdue())
            out.oblige(FLUSHING, "the last words of the turn", left + OVERDUE_BY)
        if state.resetting:
            out.timer(RESET, RESET_WITHIN, ResetOverdue())

    def carry_out(self, state: TurnState, out: Outbox[TurnMessage]) -> TurnState:
        """The words have come, or do not: commit what is there and answer."""
        orders = state.orders
        if not orders:
            return state
        out.cancel_timer(FLUSHING)
        out.discharge(FLUSHING)
        voiced = state.voiced_at(out.now)
        in_flight = voiced is not None and voiced > max(state.last_final_at or 0, state.reset_at)
        give_up = state.said.owes_words or (in_flight and state.rules.ends_by is EndsBy.COMMAND)
        state = self._promote(state, out)
        if state.phase is Phase.SPEAKING:
            state = replace(state, ended_at=out.now)
            if self._refs.vad is not None and any(order.request for order in orders):
                out.tell(self._refs.vad, RestartDetection())
        transcript, turn = state.said.transcript, None
        by_call = any(order.request for order in orders)
        if state.said.finals or (self._end.heard_by_model and by_call):
            state = self._end.commit(state, out, reply=all(order.reply for order in orders))
            turn = out.turn
        elif state.phase in (Phase.SPEAKING, Phase.DECIDING, Phase.WAITING):
            state = self._end.drop(state, out)
        if give_up:  # the turn is over: what is still said of it would begin another
            state = self._reset(state, out)
        self._answer(orders, turn, transcript, out)
        return replace(state, orders=(), flush_due=None)

    def _answer(
        self, orders: tuple[FlushTurn, ...], turn: str | None, transcript: str, out: Outbox[TurnMessage]
    ) -> None:
        for order in orders:
            if order.reply_to is not None:
                out.tell(order.reply_to, TurnFlushed(self._refs.participant, turn, transcript, order.request))

    @staticmethod
    def _promote(state: TurnState, out: Outbox[TurnMessage]) -> TurnState:
        """Take an interim for final."""
        text = state.said.interim or state.said.preflight
        if not text:
            return state
        final = FinalTranscript(out.new_id("transcript"), text, state.said.language or "en", None, None)
        out.log("interim_promoted", id=final.id)
        return replace(state, said=state.said.with_final(final), ledger=state.ledger.receive(final.id))

    # -- forgetting --------------------------------------------------------------------------------------------------

    def on_clear(self, state: TurnState, _clear: ClearTurn, out: Outbox[TurnMessage]) -> TurnState:
        """Forget what was said and not committed, also what the recogniser has not said yet."""
        self._end.forget(out)
        out.cancel_timer(FLUSHING)
        out.discharge(FLUSHING)
        if self._refs.realtime is not None:
            out.tell(self._refs.realtime, ClearUserAudio(self._refs.participant))
        self._answer(state.orders, None, "", out)
        for transcript in state.ledger.open:
            out.log("transcript_discarded", id=transcript, reason="cleared")
        state = replace(
            state,
            phase=Phase.SPEAKING if state.phase is Phase.SPEAKING else Phase.SILENT,
            said=Utterance(),
            last_final_at=None,
            recognizer_ended=False,
            question=Question(state.question.number),
            offered=False,
            preflight="",
            orders=(),
            flush_due=None,
            unheard=Unheard(),
            window=TurnWindow(),
            exceeded=None,
            ledger=state.ledger.discard("cleared"),
        )
        return self._reset(state, out)

    def _reset(self, state: TurnState, out: Outbox[TurnMessage]) -> TurnState:
        stt = self._refs.stt
        if stt is None:
            return state
        out.tell(stt, ResetRecognition())
        out.timer(RESET, RESET_WITHIN, ResetOverdue())
        return replace(state, resetting=True, reset_at=out.now)

    def on_reset_overdue(self, state: TurnState, out: Outbox[TurnMessage]) -> TurnState:
        """Tell it again."""
        return self._reset(state, out) if state.resetting else state

    @staticmethod
    def on_reset(state: TurnState, out: Outbox[TurnMessage]) -> TurnState:
        """The recogniser has begun anew: what it says from now on counts."""
        out.cancel_timer(RESET)
        return replace(state, resetting=False)
