"""``tools``: runs the calls a model asks for, on the user's loop, and keeps their ledger (promise P5).

Every call gets exactly one terminal record. A call whose reply was superseded before it started never starts; one that
runs is not stopped by an interruption, its result counts, and is stored even if the speech that asked for it has died.
Start it with ``ChildSpec(keep_state=True)``: after a restart it reports the calls that ran as ``abandoned`` (what a
tool did before is not known, so nothing is run twice), and takes up those again that wait for an approval.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias, assert_never

from sessionactors.interfaces.tool_link import CallSuperseded, Entry
from sessionactors.interfaces.user_code import UserAgent
from sessionactors.messages.deferred import Quiet, QuietOver, QuietWanted
from sessionactors.messages.history import CallRuns
from sessionactors.messages.tools import (
    ApprovalGiven,
    ApprovalWanted,
    CallBegan,
    CallEntered,
    CallOverdue,
    CallsLost,
    CallsStored,
    CallsSuperseded,
    CallUpdated,
    CancelOwned,
    QuietAsked,
    ReleaseAgent,
    ReleaseFailed,
    RunTool,
    SpeechLost,
    TaskAwaitedInCall,
    ToolFinished,
    ToolOutcome,
    ToolReturned,
)
from sessionactors.model.errors import ToolTimeoutError
from sessionactors.model.tool_events import (
    ToolCallStarted,
)
from sessionactors.runtime import NS, Actor, EffectPort, Outbox, Ref
from sessionactors.runtime.frozen import replace

from . import duplicates, task_tools, tool_approval, tool_records, tools_state
from .retry_policy import reportable
from .tool_ends import CallEnds, oblige_return, owner_of, timer_of
from .tool_link import EffectLink, QuietGiven
from .tool_records import CLOSED, LATE_HANDOFF, STOPPED, output_of
from .tools_state import OpenCall, ToolsState, with_call
from .wiring import Wiring

ToolsMessage: TypeAlias = (
    RunTool
    | CallsStored
    | CallsSuperseded
    | SpeechLost
    | CallEntered
    | ApprovalWanted
    | ApprovalGiven
    | CallBegan
    | CallUpdated
    | TaskAwaitedInCall
    | ReleaseAgent
    | ReleaseFailed
    | CancelOwned
    | QuietAsked
    | Quiet
    | CallOverdue
    | ToolReturned
    | CallsLost
)


class ToolsActor(Actor[ToolsState, ToolsMessage]):
    """Runs tool calls."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._ends = CallEnds(wiring)

    def initial(self) -> ToolsState:
        """No call is known."""
        return ToolsState()

    def restarted(self, state: ToolsState, error: BaseException, out: Outbox[ToolsMessage]) -> ToolsState:
        """What ran is gone. Results that wait in the mailbox count, so the rest is settled behind them."""
        for speech, ref in state.speeches.items():
            _watch(speech, ref, out)
        for request in state.quiets:
            out.tell(self._wiring.deferred, QuietOver(request))
        state = replace(state, quiets={})
        if state.running:
            out.tell(out.myself, CallsLost(tuple(state.running)))
        return state

    def receive(self, state: ToolsState, message: ToolsMessage, out: Outbox[ToolsMessage]) -> ToolsState:
        """One message."""
        return self._let_go(self._handle(state, message, out), out)

    def _handle(self, state: ToolsState, message: ToolsMessage, out: Outbox[ToolsMessage]) -> ToolsState:
        match message:
            case RunTool():
                return self._on_call(state, message, out)
            case CallEntered():
                return self._on_entered(state, message, out)
            case ApprovalWanted(call_id):
                return tool_approval.wanted(state, call_id, self._ends, out)
            case ApprovalGiven():
                return tool_approval.given(state, message, self._ends, out)
            case CallBegan(call_id):
                return self._on_began(state, call_id, out)
            case CallUpdated():
                return self._on_updated(state, message, out)
            case TaskAwaitedInCall(call_id, over):
                return self._on_task(state, call_id, out, over=over)
            case ReleaseAgent(agent):
                return replace(state, leaving=(*state.leaving, agent))
            case ReleaseFailed(agent, error):
                self._ends.report(reportable(error, f"release of {agent}"), out)
                return state
            case CancelOwned(agent):
                return self._on_cancel_owned(state, agent, out)
            case QuietAsked():
                return self._on_quiet_asked(state, message, out)
            case Quiet(request):
                return self._on_quiet(state, request, out)
            case CallOverdue(call_id):
                return self._on_overdue(state, call_id, out)
            case ToolReturned():
                return self._on_returned(state, message, out)
            case CallsStored(call_ids):
                return self._ends.stored(state, call_ids, out)
            case CallsSuperseded(speech):
                return tool_approval.superseded(state, speech, self._ends, out)
            case SpeechLost(speech):
                return self._on_speech_lost(state, speech, out)
            case CallsLost(call_ids):
                for call_id in call_ids:
                    state = self._on_lost(state, call_id, out)
                return state
            case _:
                assert_never(message)

    # -- the beginning of a call -------------------------------------------------------------------------------------

    def _on_call(self, state: ToolsState, order: RunTool, out: Outbox[ToolsMessage]) -> ToolsState:
        call = order.call
        state = replace(state, received=state.received + 1)
        if call.call_id in state.running or call.call_id in state.ended:
            out.log(
                "tool_call_refused", level="warning", call_id=call.call_id, tool=call.name, reason="its id is known"
            )
            refusal = f"call {call.call_id} of {call.name} was refused: a call of that id has been made"
            output = output_of(order, refusal, out, is_error=True)
            out.tell(order.reply_to, ToolFinished(call.call_id, "failed", output, 0.0, call))
            return replace(state, duplicates=state.duplicates + 1)
        if order.speech not in state.speeches:
            _watch(order.speech, order.reply_to, out)
        state = tools_state.opened(state, order, out.now)
        if order.scope.closed:
            return self._ends.never_started(state, state.running[call.call_id], out)
        if task_tools.is_about_tasks(order):
            return self._about_tasks(state, order, out)
        self._start(order, out)
        oblige_return(state.running[call.call_id], out)
        return self._ends.count(state, out)

    @staticmethod
    def _start(order: RunTool, out: Outbox[ToolsMessage]) -> None:
        call, agent, room = order.call, order.agent, out.room

        async def run(port: EffectPort[ToolsMessage]) -> ToolReturned:
            link = EffectLink(port, call.call_id, order, room)
            try:
                result = await agent.run_tool(call, link)
            except CallSuperseded:
                return ToolReturned(call.call_id, "", is_error=True, reply_required=False, superseded=True)
            finally:
                link.close()
            return tool_records.returned(call.call_id, result)

        out.effect(
            call.call_id,
            run,
            done=tool_records.as_it_is,
            failed=lambda error: tool_records.raised(call.call_id, error),
            user_loop=True,
        )

    def _about_tasks(self, state: ToolsState, order: RunTool, out: Outbox[ToolsMessage]) -> ToolsState:
        answer = task_tools.answer(state, order)
        if answer.cancels is not None:
            state = self._cancel(state, answer.cancels, "The call was cancelled, as asked for.", out)
        output = output_of(order, answer.output, out, is_error=answer.is_error)
        outcome: ToolOutcome = "failed" if answer.is_error else "completed"
        return self._ends.end(state, state.running[order.call.call_id], outcome, output, out)

    def _on_entered(self, state: ToolsState, question: CallEntered, out: Outbox[ToolsMessage]) -> ToolsState:
        call = state.running.get(question.call_id)
        if call is None:
            return state
        rules = call.rules
        key = duplicates.duplicate_key(question.tool, question.arguments, rules)
        others = [
            duplicates.Running(call_id, other.key, duplicates.is_cancellable(other.rules))
            for call_id, other in state.running.items()
            if call_id != question.call_id
        ]
        verdict, ids = duplicates.decide(key, rules, others, confirmed=question.confirmed)
        same = tuple(state.running[call_id].call for call_id in ids)
        out.feed(question.call_id, Entry(verdict, same))
        if verdict != "run":
            return state
        for call_id in ids:
            state = self._cancel(state, state.running[call_id], "The call was replaced by a newer one.", out)
        return with_call(state, question.call_id, key=key)

    # -- while it runs -----------------------------------------------------------------------------------------------

    def _on_began(self, state: ToolsState, call_id: str, out: Outbox[ToolsMessage]) -> ToolsState:
        call = state.running.get(call_id)
        if call is None:
            return state
        kept = replace(call.call, created_at=out.wall())
        self._ends.publish(ToolCallStarted(kept), out)
        out.tell(self._wiring.history, CallRuns(kept, owner_of(call)))
        if call.rules.timeout is not None:
            out.timer(timer_of(call_id), call.rules.timeout, CallOverdue(call_id))
        oblige_return(call, out)
        return with_call(state, call_id, phase="running", call=kept, since=out.now)

    def _on_updated(self, state: ToolsState, update: CallUpdated, out: Outbox[ToolsMessage]) -> ToolsState:
        call = state.running.get(update.call_id)
        if call is None:
            return state
        if call.rules.timeout is None:
            oblige_return(call, out)  # it has shown that it goes on
        return self._ends.update(state, call, update, out)

    def _on_task(self, state: ToolsState, call_id: str, out: Outbox[ToolsMessage], *, over: bool) -> ToolsState:
        call = state.running.get(call_id)
        if call is None:
            return state
        call = replace(call, tasks=call.tasks - 1 if over else call.tasks + 1)
        oblige_return(call, out)
        return with_call(state, call_id, tasks=call.tasks)

    def _on_quiet_asked(self, state: ToolsState, asked: QuietAsked, out: Outbox[ToolsMessage]) -> ToolsState:
        request = f"quiet:{asked.call_id}:{asked.ticket}"
        quiets = {name: owner for name, owner in state.quiets.items() if name != request}
        if asked.over:
            return self._ends.defer(replace(state, quiets=quiets), asked.call_id, QuietOver(request), out)
        call = state.running.get(asked.call_id)
        if call is None:
            return state
        # Who has answered its call is waited for by no speech, and so by no handoff.
        waited_for = ("", "") if call.updates else (call.order.agent.key, call.order.speech)
        state = replace(state, quiets={**quiets, request: (asked.call_id, asked.ticket)})
        return self._ends.defer(state, asked.call_id, QuietWanted(request, out.myself, *waited_for), out)

    def _on_quiet(self, state: ToolsState, request: str, out: Outbox[ToolsMessage]) -> ToolsState:
        owner = state.quiets.get(request)
        if owner is None:  # the call has ended meanwhile
            out.tell(self._wiring.deferred, QuietOver(request))
        else:
            out.feed(owner[0], QuietGiven(owner[1]))
        return state

    def _on_overdue(self, state: ToolsState, call_id: str, out: Outbox[ToolsMessage]) -> ToolsState:
        call = state.running.get(call_id)
        if call is None:
            return state
        out.cancel_effect(call_id)
        if call.phase == "waiting for approval":
            what = f"Nobody approved the call within {call.rules.approval_within:g} s."
        else:
            what = f"The tool did not return within {call.rules.timeout or 0:g} s and was stopped."
            error = ToolTimeoutError(f"tool {call.call.name} ({call_id}) did not return within {call.rules.timeout} s")
            self._ends.report(error, out)
        return self._ends.end(state, call, "failed", output_of(call.order, what, out, is_error=True), out)

    def _on_cancel_owned(self, state: ToolsState, agent: str, out: Outbox[ToolsMessage]) -> ToolsState:
        why = "The agent that made the call has left." if agent else "The session is closing."
        for call in tuple(state.running.values()):
            owned = not agent or owner_of(call) == agent
            if owned and duplicates.is_cancellable(call.rules):
                state = self._cancel(state, call, why, out)
        return state

    def _cancel(self, state: ToolsState, call: OpenCall, why: str, out: Outbox[ToolsMessage]) -> ToolsState:
        """Stop a call that may be stopped."""
        out.cancel_effect(call.call.call_id)
        if call.phase != "running":
            return self._ends.never_started(state, call, out)
        return self._ends.end(
            state, call, "cancelled", output_of(call.order, why, out, is_error=True, reply=False), out
        )

    # -- the end of a call -------------------------------------------------------------------------------------------

    def _on_returned(self, state: ToolsState, end: ToolReturned, out: Outbox[ToolsMessage]) -> ToolsState:
        call = state.running.get(end.call_id)
        if call is None:
            return state  # reported as abandoned, or stopped, already
        if end.superseded:
            return self._ends.never_started(state, call, out)
        if end.error is not None:
            self._ends.report(reportable(end.error, call.call.name), out)
        if end.agent is not None and call.updates:
            output = output_of(call.order, LATE_HANDOFF, out, is_error=True)
            return self._ends.end(state, call, "failed", output, out)
        output = output_of(call.order, end.output, out, is_error=end.is_error, reply=end.reply_required)
        outcome: ToolOutcome = "failed" if end.is_error else "completed"
        return self._ends.end(state, call, outcome, output, out, agent=end.agent)

    def _on_lost(self, state: ToolsState, call_id: str, out: Outbox[ToolsMessage]) -> ToolsState:
        call = state.running.get(call_id)
        if call is None:
            return state
        if call.phase == "waiting for approval":  # nothing of the tool has run
            self._start(call.order, out)
            return with_call(state, call_id, phase="checking")
        _log_abandoned(call, out)
        return self._ends.end(state, call, "abandoned", output_of(call.order, STOPPED, out, is_error=True), out)

    def _on_speech_lost(self, state: ToolsState, speech: str, out: Outbox[ToolsMessage]) -> ToolsState:
        return tool_approval.superseded(self._ends.speech_lost(state, speech, out), speech, self._ends, out)

    @staticmethod
    def _let_go(state: ToolsState, out: Outbox[ToolsMessage]) -> ToolsState:
        """Close the tool sets of those that have left, when none of their calls needs them."""
        if not state.leaving:
            return state
        over = tools_state.over(state)
        for agent in over:
            _release(agent, out)
        return replace(state, leaving=tuple(agent for agent in state.leaving if agent not in over)) if over else state

    def stopped(self, state: ToolsState, out: Outbox[ToolsMessage]) -> None:
        """The session closes: what still runs is abandoned, and said so to those that can still hear it."""
        for call in state.running.values():
            if call.phase == "running":
                _log_abandoned(call, out)
            if call.order.reply_to.is_alive():
                output = output_of(call.order, CLOSED, out, is_error=True, reply=False)
                seconds = (out.now - call.since) / NS
                record = ToolFinished(call.call.call_id, "abandoned", output, seconds, call.call)
                out.tell(call.order.reply_to, record)

    def summary(self, state: ToolsState) -> Mapping[str, object]:
        """The ledger."""
        return tools_state.summary(state)


def _watch(speech: str, ref: Ref[ToolFinished], out: Outbox[ToolsMessage]) -> None:
    out.watch(ref, lambda _: SpeechLost(speech))


def _release(agent: UserAgent, out: Outbox[ToolsMessage]) -> None:
    key = agent.key

    async def run(_port: object) -> None:
        await agent.release()

    out.effect(f"release {key}", run, failed=lambda error: ReleaseFailed(key, error), user_loop=True)


def _log_abandoned(call: OpenCall, out: Outbox[ToolsMessage]) -> None:
    out.log(
        "tool_abandoned",
        level="warning",
        call_id=call.call.call_id,
        tool=call.call.name,
        speech=call.order.speech,
        running_for=round((out.now - call.since) / NS, 3),
    )
