"""Tool calls that somebody has to approve before they run: ``session.pending_approvals``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sessionactors.model.chat import FunctionCall
from sessionactors.model.tool_events import ToolApprovalRequested, ToolApprovalResolved, ToolExecutionUpdate


class ToolApproval:
    """A call that waits to be approved or denied."""

    def __init__(self, function_call: FunctionCall, within: float, decide: Callable[[str, bool, str], None]) -> None:
        self._function_call = function_call
        self._within = within
        self._decide = decide
        self._done = False
        self._hook: asyncio.Task[None] | None = None

    @property
    def function_call(self) -> FunctionCall:
        """What the model wants to run."""
        return self._function_call

    @property
    def within(self) -> float:
        """Seconds, from the request on, after which the call fails."""
        return self._within

    @property
    def done(self) -> bool:
        """Whether it is decided, by whomever, or too late."""
        return self._done

    def approve(self) -> None:
        """Let the tool run. Does nothing when it is done; a call whose reply was cut off meanwhile never runs."""
        self._settle(approved=True, reason="")

    def deny(self, reason: str = "") -> None:
        """Answer the call with an error instead, which tells the model why. Does nothing when it is done."""
        self._settle(approved=False, reason=reason)

    def _settle(self, *, approved: bool, reason: str) -> None:
        if not self._done:
            self._done = True
            self._decide(self._function_call.call_id, approved, reason)

    def __repr__(self) -> str:
        return f"<ToolApproval {self._function_call.name} ({self._function_call.call_id})>"


class ToolApprovals:
    """Those of one session, on the user's loop."""

    def __init__(self, decide: Callable[[str, bool, str], None]) -> None:
        self._decide = decide
        self._pending: dict[str, ToolApproval] = {}

    @property
    def pending(self) -> tuple[ToolApproval, ...]:
        """Calls that wait, the longest wait first."""
        return tuple(approval for approval in self._pending.values() if not approval.done)

    def follow(self, update: ToolExecutionUpdate) -> ToolApproval | None:
        """Bring it up to date; gives an approval that is new."""
        match update:
            case ToolApprovalRequested(call, within):
                known = self._pending.get(call.call_id)
                approval = ToolApproval(call, within, self._decide)
                self._pending[call.call_id] = approval if known is None else known
                return approval if known is None else None
            case ToolApprovalResolved(call_id):
                self._end(call_id)
            case _:
                pass
        return None

    def close(self) -> None:
        """The session is over."""
        for call_id in tuple(self._pending):
            self._end(call_id)

    def _end(self, call_id: str) -> None:
        approval = self._pending.pop(call_id, None)
        if approval is not None and not approval.done:  # too late for whoever thinks about it
            approval._done = True
            if approval._hook is not None:
                approval._hook.cancel()
