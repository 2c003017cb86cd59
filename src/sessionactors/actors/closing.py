"""How a session ends: in which order its parts are told, and who is waited for. Used by ``supervisor`` only.

Speech is cut and what the users still said is waited for; then the room is left, and the agent settles its turns; last,
drop-ins are told of the end. Each phase has a share of the deadline, and what has not ended by then is the kernel's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from sessionactors.messages.ear import FlushTurn, SetInputEnabled
from sessionactors.messages.floor import HoldFloor
from sessionactors.messages.room import (
    LeaveRoom,
)
from sessionactors.messages.session import (
    EventRaised,
    FinishClose,
    LeaveAgent,
    SettleTurns,
)
from sessionactors.messages.tools import CancelOwned
from sessionactors.model.events import (
    CloseEvent,
    CloseReason,
)
from sessionactors.runtime import (
    NS,
    Outbox,
)
from sessionactors.runtime.frozen import replace

from .ear_names import EAR_NAME, ear_name
from .supervisor_state import Closing, SupervisorState
from .wiring import Wiring

if TYPE_CHECKING:
    from .supervisor import SupervisorMessage

GENTLE_SHARE = 0.7
"""Part of the close deadline for speech, hooks and transport to end by themselves; the rest is the kernel's."""
TRANSCRIPT_SHARE = 0.6
"""Part of that in which the transcript of a turn that has not ended yet may come."""
LAST_CALL_SHARE = 0.5
"""Part of what is left then in which drop-ins must have handled the close event."""

FinishSession: TypeAlias = Callable[[CloseReason, BaseException | None, float], None]
"""Ends the tree within so many seconds and raises the ``close`` event; given by the session."""


class CloseProtocol:
    """The end of one session."""

    def __init__(self, wiring: Wiring, end: FinishSession) -> None:
        self._wiring = wiring
        self._end = end

    def begin(
        self,
        state: SupervisorState,
        reason: CloseReason,
        deadline: float,
        error: BaseException | None,
        out: Outbox[SupervisorMessage],
    ) -> SupervisorState:
        """Cut speech, keep what was said, run ``on_exit``, leave the room; then the kernel ends what is left."""
        until = out.now + round(deadline * NS)
        if state.closing is not None:
            if until < state.closing.until:  # a later, shorter deadline wins; a longer one does not
                out.timer("finish", max(0.0, deadline * GENTLE_SHARE), FinishClose())
                return replace(state, closing=replace(state.closing, until=until))
            return state
        wiring = self._wiring
        out.tell(wiring.floor, HoldFloor())
        out.tell(wiring.agent, LeaveAgent())
        out.tell(wiring.tools, CancelOwned())
        parts = {"floor", "agent"}
        patience = min(wiring.options.session_close_transcript_timeout, deadline * GENTLE_SHARE * TRANSCRIPT_SHARE)
        for identity, ear in state.ears.items():
            if reason is not CloseReason.ERROR and ear.is_alive():
                out.tell(ear, FlushTurn(patience, out.myself))
                parts.add(ear_name(identity))
            out.tell(ear, SetInputEnabled(False))
        if wiring.room is not None:
            parts.add("room")
        if state.tools_running:
            parts.add("tools")
        out.oblige("close", "speech, hooks and transport to end", deadline)
        out.timer("finish", deadline * GENTLE_SHARE, FinishClose())
        return self._go_on(replace(state, closing=Closing(reason, error, until, frozenset(parts))), out)

    def _go_on(self, state: SupervisorState, out: Outbox[SupervisorMessage]) -> SupervisorState:
        """The room is left when the users' last words are known; the agent is done when no speech or turn can come."""
        closing = state.closing
        if closing is None:
            return state
        listening = any(part.startswith(EAR_NAME) for part in closing.waits_for)
        if not listening and not closing.leaving:
            closing = replace(closing, leaving=True)
            if self._wiring.room is not None:
                out.tell(self._wiring.room, LeaveRoom())
        if not listening and "floor" not in closing.waits_for and not closing.settling:
            closing = replace(closing, settling=True)
            out.tell(self._wiring.agent, SettleTurns())
        return replace(state, closing=closing)

    def part_ended(self, state: SupervisorState, part: str, out: Outbox[SupervisorMessage]) -> SupervisorState:
        """A part has ended: when it was the last one, all is over."""
        if state.closing is None:
            return state
        gone = {part, "agent"} if part == "history" else {part}  # who would have told of the agent
        left = state.closing.waits_for - gone
        state = self._go_on(replace(state, closing=replace(state.closing, waits_for=left)), out)
        if not left:
            # By message, so that what the parts said before (history, events) is handled first.
            out.tell(out.myself, FinishClose())
        return state

    def tools_counted(self, state: SupervisorState, out: Outbox[SupervisorMessage]) -> SupervisorState:
        """The last tool call may have ended."""
        waited_for = state.closing is not None and "tools" in state.closing.waits_for
        return self.part_ended(state, "tools", out) if waited_for and not state.tools_running else state

    def finish(self, state: SupervisorState, out: Outbox[SupervisorMessage]) -> SupervisorState:
        """All parts have ended, or have had their time: drop-ins next, then the kernel."""
        closing = state.closing
        if closing is None or state.ended:
            return state
        last_calls = frozenset(path for path, listener in state.listeners.items() if CloseEvent in listener.events)
        if last_calls and not closing.finishing:
            return self._call_last(state, closing, last_calls, out)
        out.discharge("close")
        out.port(self._end, closing.reason, closing.error, max(0.0, (closing.until - out.now) / NS))
        return replace(state, ended=True)

    def _call_last(
        self, state: SupervisorState, closing: Closing, paths: frozenset[str], out: Outbox[SupervisorMessage]
    ) -> SupervisorState:
        """Tell the drop-ins of the end. They have handled all that came before once they have handled this."""
        out.subscribe((EventRaised,))
        event = CloseEvent(closing.reason, out.wall(), closing.error)
        for path, listener in state.listeners.items():  # not of the set: its order is another in each process
            if path in paths:
                out.tell(listener.ref, EventRaised(event))
        out.timer("finish", LAST_CALL_SHARE * max(0, closing.until - out.now) / NS, FinishClose())
        return replace(state, closing=replace(closing, finishing=True, last_calls=paths))

    def last_call_handled(self, state: SupervisorState, path: str, out: Outbox[SupervisorMessage]) -> SupervisorState:
        """A drop-in has handled the end."""
        closing = state.closing
        if closing is None or path not in closing.last_calls:
            return state
        left = closing.last_calls - {path}
        state = replace(state, closing=replace(closing, last_calls=left))
        return state if left else self.finish(state, out)
