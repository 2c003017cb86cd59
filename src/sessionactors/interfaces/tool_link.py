"""What a running tool call may tell the session, and ask it, from the user's loop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Literal, TypeAlias

from sessionactors.model.chat import FunctionCall


class CallSuperseded(BaseException):
    """Raised by :meth:`ToolLink.begin`: the reply that made the call has been cut off, so the tool must not run.

    No ``Exception``: user code that catches everything does not catch this.
    """


@dataclass(frozen=True, slots=True)
class Approval:
    """What became of a call that had to be approved."""

    approved: bool
    reason: str = ""
    """Why not, for the model."""


EntryVerdict: TypeAlias = Literal["run", "reject", "confirm", "stuck"]
"""What becomes of a call beside others of its tool: it runs (those it replaces are cancelled); it is rejected; it is to
be confirmed; it cannot replace the running one, which cannot be cancelled."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Whether a call may run beside those that run."""

    verdict: EntryVerdict
    running: tuple[FunctionCall, ...] = ()
    """The running calls that count as the same."""


class ToolLink(ABC):
    """One call's line to the ledger."""

    @property
    @abstractmethod
    def speech_id(self) -> str:
        """The speech that made the call."""

    @property
    @abstractmethod
    def on_enter(self) -> bool:
        """Whether the call belongs to a reply that ``on_enter`` asked for."""

    @property
    @abstractmethod
    def room(self) -> str:
        """The session's room, for names of threads."""

    @abstractmethod
    async def enter(self, tool: str, arguments: str, *, confirmed: bool) -> Entry:
        """Ask whether the call may run beside others of this tool. ``arguments``: canonical JSON."""

    @abstractmethod
    async def approval(self) -> Approval:
        """Wait until somebody approves or denies the call."""

    @abstractmethod
    async def update(self, message: str, output: str, *, reply_required: bool) -> None:
        """Tell how far the tool is: the first time answers the call, and the tool goes on in the background.

        Args:
            message: as the tool said it.
            output: as the model shall see it.
            reply_required: whether the user shall hear of it.
        """

    @abstractmethod
    def quiet(self) -> AbstractAsyncContextManager[None]:
        """Wait until nobody speaks or is about to, and keep others that want the quiet waiting meanwhile."""

    @abstractmethod
    def awaiting_task(self) -> AbstractAsyncContextManager[None]:
        """Inside, the call awaits an ``AgentTask``: it is the task's time that counts, and the user's."""

    @abstractmethod
    async def begin(self) -> None:
        """The tool's own code comes next.

        Raises:
            CallSuperseded: it must not.
        """
