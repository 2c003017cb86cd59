"""How a tool call ends, or is answered before its end: who is told, and who stores it. Used by ``tools`` only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sessionactors.interfaces.user_code import UserAgent
from sessionactors.messages.deferred import CallReported, QuietOver
from sessionactors.messages.history import AppendItems
from sessionactors.messages.session import Publish
from sessionactors.messages.tools import CallUpdated, ToolAnswered, ToolFinished, ToolOutcome, ToolsRunning
from sessionactors.model.chat import FunctionCall, FunctionCallOutput
from sessionactors.model.events import ErrorEvent
from sessionactors.model.tool_events import (
    ToolApprovalResolved,
    ToolCallUpdated,
    ToolExecutionUpdate,
    ToolExecutionUpdatedEvent,
)
from sessionactors.runtime import NS, Outbox
from sessionactors.runtime.frozen import replace

from . import tool_records, tools_state
from .tool_records import NEVER_STARTED, output_of
from .tools_state import OpenCall, Report, ToolsState, Unstored, with_call
from .wiring import Wiring

if TYPE_CHECKING:
    from .tools import ToolsMessage


OVERDUE = 60.0
"""Seconds after which a call without a timeout is named as overdue. It is not stopped: its tool sets no limit."""
GRACE = 0.5
"""Seconds after its own deadline in which a call must have ended, before it is named as overdue."""


def timer_of(call_id: str) -> str:
    """The timer of a call's deadline."""
    return f"overdue:{call_id}"


def obligation_of(call_id: str) -> str:
    """The obligation of a call to end."""
    return f"tool:{call_id}"


def oblige_return(call: OpenCall, out: Outbox[ToolsMessage]) -> None:
    """It is owed that the tool returns; while it awaits a task, which `agent` owes, that is not."""
    if call.tasks and call.rules.timeout is None:
        out.discharge(obligation_of(call.call.call_id))
        return
    within = OVERDUE if call.rules.timeout is None else call.rules.timeout + GRACE
    out.oblige(obligation_of(call.call.call_id), f"tool {call.call.name} ({call.call.call_id}) to return", within)


class CallEnds:
    """Makes the terminal records."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring

    def end(
        self,
        state: ToolsState,
        call: OpenCall,
        outcome: ToolOutcome,
        output: FunctionCallOutput,
        out: Outbox[ToolsMessage],
        *,
        agent: UserAgent | None = None,
        stored: bool = True,
    ) -> ToolsState:
        """Make the terminal record, once; and tell it to the speech, or store it if the speech has ended.

        The end of a call that was answered already is a report of its own.
        """
        call_id = call.call.call_id
        out.cancel_timer(timer_of(call_id))
        out.discharge(obligation_of(call_id))
        state = self._give_back_quiet(state, call_id, out)
        if call.phase == "waiting for approval":
            self.publish(ToolApprovalResolved(call_id, approved=False), out)
        seconds = (out.now - call.since) / NS if call.phase == "running" else 0.0
        made, pair = call.call, output
        if call.updates:
            made, pair = _pair(call.call, output, "final", out)
        if call.phase == "running":
            self.publish(tool_records.ended_event(made.call_id, call_id, outcome, output), out)
        record = ToolFinished(call_id, outcome, pair, seconds, made, stored, agent, owner_of(call))
        if call.updates:
            state = tools_state.ended(self.defer(state, call_id, record, out), call_id, outcome)
        elif call.order.speech in state.speeches:
            out.tell(call.order.reply_to, record)
            state = tools_state.told(tools_state.ended(state, call_id, outcome), call, record)
        else:
            out.tell(self._wiring.supervisor, record)
            state = self._store(tools_state.ended(state, call_id, outcome), (Unstored(call.order, record),), out)
        return self.count(state, out)

    def never_started(self, state: ToolsState, call: OpenCall, out: Outbox[ToolsMessage]) -> ToolsState:
        """Its reply was superseded before the tool's own code ran: it leaves no trace in the history."""
        out.cancel_effect(call.call.call_id)
        output = output_of(call.order, NEVER_STARTED, out, is_error=True, reply=False)
        return self.end(state, call, "cancelled", output, out, stored=False)

    def update(self, state: ToolsState, call: OpenCall, update: CallUpdated, out: Outbox[ToolsMessage]) -> ToolsState:
        """The first update answers the call; the tool goes on in the background, and later ones are reports."""
        output = output_of(call.order, update.output, out, is_error=False, reply=update.reply_required)
        if call.updates == 0:
            self.publish(ToolCallUpdated(update.call_id, update.call_id, update.message), out)
            answer = ToolAnswered(update.call_id, output, call.call)
            if call.order.speech in state.speeches:
                out.tell(call.order.reply_to, answer)
                state = tools_state.told(state, call, answer)
            else:
                state = self._store(state, (Unstored(call.order, answer),), out)
        else:
            made, pair = _pair(call.call, output, f"update_{call.updates}", out)
            self.publish(ToolCallUpdated(made.call_id, update.call_id, update.message), out)
            state = self.defer(state, update.call_id, CallReported(made, pair, owner_of(call)), out)
        return with_call(state, update.call_id, updates=call.updates + 1)

    def speech_lost(self, state: ToolsState, speech: str, out: Outbox[ToolsMessage]) -> ToolsState:
        """A speech has ended: what it has not stored is stored here."""
        left = tools_state.left_by(state, speech)
        state = replace(state, speeches={name: ref for name, ref in state.speeches.items() if name != speech})
        state = self._store(state, left, out)
        return self.stored(state, (end.record.call_id for end in left), out)

    def stored(self, state: ToolsState, call_ids: Iterable[str], out: Outbox[ToolsMessage]) -> ToolsState:
        """These answers are in the history: what was told after them may follow."""
        ids = tuple(call_ids)
        for call_id in ids:
            for report in state.held.get(call_id, ()):
                out.tell(self._wiring.deferred, report)
        held = {call_id: reports for call_id, reports in state.held.items() if call_id not in ids}
        return replace(tools_state.stored(state, ids), held=held)

    def defer(self, state: ToolsState, call_id: str, report: Report, out: Outbox[ToolsMessage]) -> ToolsState:
        """Pass it on, behind the answer of its call."""
        if call_id not in state.unstored:
            out.tell(self._wiring.deferred, report)
            return state
        return replace(state, held={**state.held, call_id: (*state.held.get(call_id, ()), report)})

    def _store(self, state: ToolsState, ends: Iterable[Unstored], out: Outbox[ToolsMessage]) -> ToolsState:
        for end in ends:
            if end.record.stored:
                items = (end.record.call, end.record.output)
                out.tell(self._wiring.history, AppendItems(items, agent=end.order.agent.key))
                state = replace(state, stored_here=state.stored_here + 1)
        return state

    def _give_back_quiet(self, state: ToolsState, call_id: str, out: Outbox[ToolsMessage]) -> ToolsState:
        for request, owner in state.quiets.items():
            if owner[0] == call_id:
                state = self.defer(state, call_id, QuietOver(request), out)
        return replace(state, quiets={name: owner for name, owner in state.quiets.items() if owner[0] != call_id})

    # -- what others are told ----------------------------------------------------------------------------------------

    def count(self, state: ToolsState, out: Outbox[ToolsMessage]) -> ToolsState:
        """Say how many calls are open, if that has changed."""
        if len(state.running) != state.counted:
            out.tell(self._wiring.deferred, ToolsRunning(len(state.running)))
        return replace(state, counted=len(state.running))

    def publish(self, update: ToolExecutionUpdate, out: Outbox[ToolsMessage]) -> None:
        """Raise ``tool_execution_updated``."""
        out.tell(self._wiring.supervisor, Publish(ToolExecutionUpdatedEvent(update, out.wall())))

    def report(self, error: Exception, out: Outbox[ToolsMessage]) -> None:
        """Raise ``error``."""
        event = ErrorEvent(error, "tool", recoverable=True, created_at=out.wall())
        out.tell(self._wiring.supervisor, Publish(event))


def owner_of(call: OpenCall) -> str:
    """Key of the agent that made it; empty if the call is the session's."""
    return "" if call.rules.outlives_agent else call.order.agent.key


def _pair(
    call: FunctionCall, output: FunctionCallOutput, name: str, out: Outbox[ToolsMessage]
) -> tuple[FunctionCall, FunctionCallOutput]:
    """A call and an output of their own, for something that comes after the answer."""
    call_id = f"{call.call_id}_{name}"
    made = replace(call, call_id=call_id, id=out.new_id("item"), created_at=out.wall())
    return made, replace(output, call_id=call_id)
