"""Calls that somebody has to approve before they run. Used by ``tools`` only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionactors.interfaces.tool_link import Approval
from sessionactors.messages.tools import ApprovalGiven, CallOverdue
from sessionactors.model.tool_events import ToolApprovalRequested, ToolApprovalResolved
from sessionactors.runtime import Outbox

from .tool_ends import GRACE, CallEnds, obligation_of, oblige_return, timer_of
from .tools_state import ToolsState, with_call

if TYPE_CHECKING:
    from .tools import ToolsMessage


def wanted(state: ToolsState, call_id: str, ends: CallEnds, out: Outbox[ToolsMessage]) -> ToolsState:
    """A call asks for somebody to approve it."""
    call = state.running.get(call_id)
    if call is None:
        return state
    if call.order.scope.closed:
        return ends.never_started(state, call, out)
    if call.decided is not None:
        out.feed(call_id, call.decided)
        return state
    within = call.rules.approval_within
    out.timer(timer_of(call_id), within, CallOverdue(call_id))
    out.oblige(obligation_of(call_id), f"somebody to approve tool {call.call.name} ({call_id})", within + GRACE)
    ends.publish(ToolApprovalRequested(call.call, within), out)
    return with_call(state, call_id, phase="waiting for approval")


def given(state: ToolsState, answer: ApprovalGiven, ends: CallEnds, out: Outbox[ToolsMessage]) -> ToolsState:
    """Somebody has approved or denied it."""
    call = state.running.get(answer.call_id)
    if call is None or call.phase == "running" or call.decided is not None:
        return state
    decided = Approval(answer.approved, answer.reason)
    if call.phase == "checking":  # begun anew by a restart: it has not asked again yet
        return with_call(state, answer.call_id, decided=decided)
    if call.order.scope.closed:
        return ends.never_started(state, call, out)
    out.cancel_timer(timer_of(answer.call_id))
    out.feed(answer.call_id, decided)
    oblige_return(call, out)
    ends.publish(ToolApprovalResolved(answer.call_id, answer.approved), out)
    return with_call(state, answer.call_id, phase="checking", decided=decided)


def superseded(state: ToolsState, speech: str, ends: CallEnds, out: Outbox[ToolsMessage]) -> ToolsState:
    """The speech was cut off. What is being checked looks at its scope before it begins; what waits ends here."""
    for call in tuple(state.running.values()):
        if call.order.speech == speech and call.phase == "waiting for approval":
            state = ends.never_started(state, call, out)
    return state
