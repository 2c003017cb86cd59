"""The ledger of tool calls as a value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, assert_never

from sessionactors.interfaces.tool_link import Approval
from sessionactors.interfaces.user_code import UserAgent
from sessionactors.messages.deferred import CallReported, QuietOver, QuietWanted
from sessionactors.messages.tools import RunTool, ToolAnswered, ToolFinished, ToolOutcome
from sessionactors.model.chat import FunctionCall
from sessionactors.model.tools import ToolRules
from sessionactors.runtime import NS, Ref
from sessionactors.runtime.frozen import replace

REMEMBERED = 1000
"""Ended calls whose ids are known, so that none runs twice."""

Phase: TypeAlias = Literal["checking", "waiting for approval", "running"]
"""Checking: arguments, rules and policies are looked at; the tool's own code does not run yet."""


Report: TypeAlias = CallReported | ToolFinished | QuietWanted | QuietOver
"""What ``deferred`` is told of a call that has been answered."""


@dataclass(frozen=True, slots=True)
class OpenCall:
    """A call that has no terminal record yet."""

    order: RunTool
    since: int
    call: FunctionCall
    """As it will be kept."""
    rules: ToolRules
    """How it is treated, as its tool was when it was called."""
    phase: Phase = "checking"
    key: str = ""
    """Equal for calls that count as the same; empty if it may run beside any."""
    tasks: int = 0
    """That it awaits now: while it does, nobody asks when it returns."""
    updates: int = 0
    """That it has told; from the first one on it runs in the background."""
    decided: Approval | None = None
    """Given before it was asked for: the call was begun anew by a restart."""


@dataclass(frozen=True, slots=True)
class Unstored:
    """A terminal record that its speech has not stored yet."""

    order: RunTool
    record: ToolFinished | ToolAnswered


@dataclass(frozen=True, slots=True)
class ToolsState:
    """The ledger: ``received = open + completed + failed + cancelled + abandoned + duplicates``."""

    running: Mapping[str, OpenCall] = field(default_factory=dict)
    unstored: Mapping[str, Unstored] = field(default_factory=dict)
    """Told to their speeches, which have not stored them yet."""
    speeches: Mapping[str, Ref[ToolFinished | ToolAnswered]] = field(default_factory=dict)
    """Speeches that have made calls and have not ended."""
    ended: Mapping[str, ToolOutcome] = field(default_factory=dict)
    """Outcomes of the newest ended calls, oldest first."""
    received: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    abandoned: int = 0
    duplicates: int = 0
    """Refused: a call of that id is known."""
    held: Mapping[str, tuple[Report, ...]] = field(default_factory=dict)
    """Reports of calls whose answer is not stored yet: they come after it."""
    leaving: tuple[UserAgent, ...] = ()
    """Agents that have left; calls of theirs still run."""
    quiets: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    """Requests for the quiet that are open, with call and ticket."""
    stored_here: int = 0
    """Of calls whose speech had ended."""
    counted: int = 0
    """Open calls, as ``supervisor`` knows."""


def with_call(state: ToolsState, call_id: str, **changes: object) -> ToolsState:
    """The same with one open call changed."""
    changed = replace(state.running[call_id], **changes)  # type: ignore[arg-type]
    return replace(state, running={**state.running, call_id: changed})


def opened(state: ToolsState, order: RunTool, at: int) -> ToolsState:
    """The same with one call more."""
    call_id = order.call.call_id
    return replace(
        state,
        running={**state.running, call_id: OpenCall(order, at, order.call, order.agent.rules_of(order.call))},
        speeches={**state.speeches, order.speech: order.reply_to},
    )


def ended(state: ToolsState, call_id: str, outcome: ToolOutcome) -> ToolsState:
    """The same with a call that has its terminal record."""
    remembered = {**state.ended, call_id: outcome}
    while len(remembered) > REMEMBERED:
        del remembered[next(iter(remembered))]
    running = {other: call for other, call in state.running.items() if other != call_id}
    state = replace(state, running=running, ended=remembered)
    match outcome:
        case "completed":
            return replace(state, completed=state.completed + 1)
        case "failed":
            return replace(state, failed=state.failed + 1)
        case "cancelled":
            return replace(state, cancelled=state.cancelled + 1)
        case "abandoned":
            return replace(state, abandoned=state.abandoned + 1)
        case _:
            assert_never(outcome)


def told(state: ToolsState, call: OpenCall, record: ToolFinished | ToolAnswered) -> ToolsState:
    """The same with an answer that its speech will store."""
    if not record.stored:
        return state
    return replace(state, unstored={**state.unstored, record.call_id: Unstored(call.order, record)})


def stored(state: ToolsState, call_ids: Iterable[str]) -> ToolsState:
    """The same without these ends, which are in the history."""
    gone = set(call_ids)
    return replace(state, unstored={call_id: end for call_id, end in state.unstored.items() if call_id not in gone})


def left_by(state: ToolsState, speech: str) -> tuple[Unstored, ...]:
    """What a speech was told and has not stored."""
    return tuple(end for end in state.unstored.values() if end.order.speech == speech)


def over(state: ToolsState) -> tuple[UserAgent, ...]:
    """The agents that have left, and whose last call is over."""
    working = {call.order.agent.key for call in state.running.values()}
    return tuple(agent for agent in state.leaving if agent.key not in working)


def summary(state: ToolsState) -> Mapping[str, object]:
    """The ledger for people."""
    return {
        "running": {
            call_id: f"{call.call.name} {_phase(call)} since {call.since / NS:.3f} s"
            if _phase(call) != "running"
            else f"{call.call.name} since {call.since / NS:.3f} s"
            for call_id, call in state.running.items()
        },
        "unstored": sorted(state.unstored),
        "received": state.received,
        "completed": state.completed,
        "failed": state.failed,
        "cancelled": state.cancelled,
        "abandoned": state.abandoned,
        "duplicates": state.duplicates,
        "stored_here": state.stored_here,
        "leaving": [agent.key for agent in state.leaving],
    }


def _phase(call: OpenCall) -> str:
    if call.tasks:
        return "waiting for a task"
    return "in the background" if call.updates else call.phase
