"""``history``: the one writer of the conversation. Every change makes a new immutable version.

Told by ``agent`` (what the user said) and by the speeches (what was heard, what tools did); asked for a version by
whoever needs the context for a request. It knows nothing of audio or of who may speak.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias, assert_never

from sessionactors.messages.history import AppendItems, ContextSnapshot, ContextWanted, HistoryChanged
from sessionactors.model.chat import ChatItem
from sessionactors.runtime import Actor, Outbox

from .wiring import Wiring

HistoryMessage: TypeAlias = AppendItems | ContextWanted


@dataclass(frozen=True, slots=True)
class HistoryState:
    """The conversation."""

    version: int = 0
    items: tuple[ChatItem, ...] = ()
    """All of it, in order of playout."""
    context: tuple[ChatItem, ...] = ()
    """What the model sees."""


class History(Actor[HistoryState, HistoryMessage]):
    """Keeps the session's history."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring

    def initial(self) -> HistoryState:
        """Start with the agent's own conversation, if it has one."""
        items = self._wiring.components.agent.initial_items
        return HistoryState(0, items, items)

    def receive(self, state: HistoryState, message: HistoryMessage, out: Outbox[HistoryMessage]) -> HistoryState:
        """Append, or answer with the present version."""
        match message:
            case AppendItems():
                return self._append(state, message, out)
            case ContextWanted():
                out.tell(message.reply_to, ContextSnapshot(message.request, state.version, state.context))
                return state
            case _:
                assert_never(message)

    def _append(self, state: HistoryState, append: AppendItems, out: Outbox[HistoryMessage]) -> HistoryState:
        out.tell(self._wiring.supervisor, HistoryChanged(state.version + 1, append.items))
        return replace(
            state,
            version=state.version + 1,
            items=state.items + append.items,
            context=state.context + append.items if append.add_to_context else state.context,
        )

    def summary(self, state: HistoryState) -> Mapping[str, object]:
        """Version and length."""
        return {"version": state.version, "items": len(state.items)}
