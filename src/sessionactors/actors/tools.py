"""``tools``: runs the calls a model asks for, on the user's loop, and keeps their ledger (promise P5).

Every call gets exactly one terminal record. A call whose reply was superseded before it started never starts; one that
runs is not stopped by an interruption, its result counts. Start it with ``ChildSpec(keep_state=True)``: after a restart
it reports the calls that ran as ``abandoned``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias, assert_never

from sessionactors.interfaces.user_code import ToolResult
from sessionactors.messages.session import Publish
from sessionactors.messages.tools import CallsLost, RunTool, ToolFinished, ToolOutcome, ToolReturned
from sessionactors.model.chat import FunctionCallOutput
from sessionactors.model.errors import SessionActorsError
from sessionactors.model.events import ErrorEvent
from sessionactors.runtime import NS, Actor, EffectPort, Outbox

from .retry_policy import reportable
from .wiring import Wiring

ToolsMessage: TypeAlias = RunTool | ToolReturned | CallsLost

REMEMBERED = 1000
"""Ended calls whose ids are known, so that none runs twice."""

INTERNAL_ERROR = "An internal error occurred"
"""What a model is told of a fault in code: nothing that could leak."""


class ToolResultInvalid(SessionActorsError):
    """Raised when an agent's ``run_tool`` returned something that is no :class:`ToolResult`."""


@dataclass(frozen=True, slots=True)
class RunningCall:
    """A call that has started."""

    order: RunTool
    since: int


@dataclass(frozen=True, slots=True)
class ToolsState:
    """The ledger: ``received = running + completed + failed + cancelled + abandoned + duplicates``."""

    running: Mapping[str, RunningCall] = field(default_factory=dict)
    ended: Mapping[str, ToolOutcome] = field(default_factory=dict)
    """Outcomes of the newest ended calls, oldest first."""
    received: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    abandoned: int = 0
    duplicates: int = 0
    """Refused: a call of that id is known."""


class ToolsActor(Actor[ToolsState, ToolsMessage]):
    """Runs tool calls."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring

    def initial(self) -> ToolsState:
        """No call is known."""
        return ToolsState()

    def restarted(self, state: ToolsState, error: BaseException, out: Outbox[ToolsMessage]) -> ToolsState:
        """What ran is gone. Results that wait in the mailbox count, so the rest is settled behind them."""
        if state.running:
            out.tell(out.myself, CallsLost(tuple(state.running)))
        return state

    def receive(self, state: ToolsState, message: ToolsMessage, out: Outbox[ToolsMessage]) -> ToolsState:
        """One message."""
        match message:
            case RunTool():
                return self._on_call(state, message, out)
            case ToolReturned():
                return self._on_returned(state, message, out)
            case CallsLost(call_ids):
                for call_id in call_ids:
                    state = self._on_lost(state, call_id, out)
                return state
            case _:
                assert_never(message)

    def _on_call(self, state: ToolsState, order: RunTool, out: Outbox[ToolsMessage]) -> ToolsState:
        call = order.call
        state = replace(state, received=state.received + 1)
        if call.call_id in state.running or call.call_id in state.ended:
            out.log(
                "tool_call_refused", level="warning", call_id=call.call_id, tool=call.name, reason="its id is known"
            )
            refusal = f"call {call.call_id} of {call.name} was refused: a call of that id has been made"
            _answer(order, "failed", _record(order, refusal, out, is_error=True), 0.0, out)
            return replace(state, duplicates=state.duplicates + 1)
        if order.scope.closed:
            record = _record(order, "The call was cancelled before it started.", out, is_error=True, reply=False)
            return self._end(state, order, "cancelled", record, 0.0, out)
        agent, room = order.agent, out.room

        async def run(port: EffectPort[ToolsMessage]) -> ToolReturned:
            return _returned(call.call_id, await agent.run_tool(call, speech_id=order.speech, room=room))

        out.effect(call.call_id, run, done=_as_it_is, failed=lambda error: _raised(call.call_id, error), user_loop=True)
        return replace(state, running={**state.running, call.call_id: RunningCall(order, out.now)})

    def _on_returned(self, state: ToolsState, end: ToolReturned, out: Outbox[ToolsMessage]) -> ToolsState:
        call = state.running.get(end.call_id)
        if call is None:
            return state  # reported as abandoned already
        if end.error is not None:
            error = reportable(end.error, call.order.call.name)
            out.tell(
                self._wiring.supervisor,
                Publish(ErrorEvent(error, "tool", recoverable=True, created_at=out.wall())),
            )
        record = _record(call.order, end.output, out, is_error=end.is_error, reply=end.reply_required)
        outcome: ToolOutcome = "failed" if end.is_error else "completed"
        return self._end(state, call.order, outcome, record, (out.now - call.since) / NS, out)

    def _on_lost(self, state: ToolsState, call_id: str, out: Outbox[ToolsMessage]) -> ToolsState:
        call = state.running.get(call_id)
        if call is None:
            return state
        seconds = (out.now - call.since) / NS
        _log_abandoned(call, seconds, out)
        record = _record(
            call.order, "The tool was stopped before it finished; its effect is unknown.", out, is_error=True
        )
        return self._end(state, call.order, "abandoned", record, seconds, out)

    def _end(
        self,
        state: ToolsState,
        order: RunTool,
        outcome: ToolOutcome,
        record: FunctionCallOutput,
        seconds: float,
        out: Outbox[ToolsMessage],
    ) -> ToolsState:
        _answer(order, outcome, record, seconds, out)
        return _ended(state, order.call.call_id, outcome)

    def stopped(self, state: ToolsState, out: Outbox[ToolsMessage]) -> None:
        """The session closes: what still runs is abandoned, and said so to those that can still hear it."""
        for call in state.running.values():
            seconds = (out.now - call.since) / NS
            _log_abandoned(call, seconds, out)
            if call.order.reply_to.is_alive():
                record = _record(
                    call.order, "The session closed before the tool finished.", out, is_error=True, reply=False
                )
                _answer(call.order, "abandoned", record, seconds, out)

    def summary(self, state: ToolsState) -> Mapping[str, object]:
        """The ledger."""
        return {
            "running": {
                call_id: f"{call.order.call.name} since {call.since / NS:.3f} s"
                for call_id, call in state.running.items()
            },
            "received": state.received,
            "completed": state.completed,
            "failed": state.failed,
            "cancelled": state.cancelled,
            "abandoned": state.abandoned,
            "duplicates": state.duplicates,
        }


def _returned(call_id: str, result: object) -> ToolReturned:
    """A user's agent is not ours to trust: what is no result must not reach a handler."""
    if not isinstance(result, ToolResult):
        raise ToolResultInvalid(f"run_tool returned {type(result).__name__} instead of ToolResult for call {call_id}")
    return ToolReturned(call_id, result.output, result.is_error, result.reply_required)


def _as_it_is(returned: ToolReturned) -> ToolReturned:
    return returned


def _raised(call_id: str, error: BaseException) -> ToolReturned:
    return ToolReturned(call_id, INTERNAL_ERROR, is_error=True, reply_required=True, error=error)


def _record(
    order: RunTool, output: str, out: Outbox[ToolsMessage], *, is_error: bool, reply: bool = True
) -> FunctionCallOutput:
    return FunctionCallOutput(
        call_id=order.call.call_id,
        name=order.call.name,
        output=output,
        is_error=is_error,
        reply_required=reply,
        id=out.new_id("item"),
        created_at=out.wall(),
    )


def _answer(
    order: RunTool, outcome: ToolOutcome, record: FunctionCallOutput, seconds: float, out: Outbox[ToolsMessage]
) -> None:
    out.tell(order.reply_to, ToolFinished(order.call.call_id, outcome, record, seconds))


def _ended(state: ToolsState, call_id: str, outcome: ToolOutcome) -> ToolsState:
    ended = {**state.ended, call_id: outcome}
    while len(ended) > REMEMBERED:
        del ended[next(iter(ended))]
    running = {other: call for other, call in state.running.items() if other != call_id}
    state = replace(state, running=running, ended=ended)
    match outcome:
        case "completed":
            return replace(state, completed=state.completed + 1)
        case "failed":
            return replace(state, failed=state.failed + 1)
        case "cancelled":
            return replace(state, cancelled=state.cancelled + 1)
        case "abandoned":
            return replace(state, abandoned=state.abandoned + 1)


def _log_abandoned(call: RunningCall, seconds: float, out: Outbox[ToolsMessage]) -> None:
    out.log(
        "tool_abandoned",
        level="warning",
        call_id=call.order.call.call_id,
        tool=call.order.call.name,
        speech=call.order.speech,
        running_for=round(seconds, 3),
    )
