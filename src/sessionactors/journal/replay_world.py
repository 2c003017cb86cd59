"""Where recorded values live again: refs are those of the replay's actors, scopes those that its handlers opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionactors.runtime import Scope

from .recorded import RecordedRef, RecordedReply

if TYPE_CHECKING:
    from sessionactors.runtime import ReplyTo
    from sessionactors.runtime.cell import Cell


class ReplayWorld:
    """A world for the decoder: see :class:`.decoding.World`."""

    def __init__(self) -> None:
        self.cells: dict[str, Cell] = {}
        """By path: the actor that lived there last."""
        self._opened: dict[str, Scope] = {}
        """By path: the scope that was opened last."""
        self._scopes: dict[int, Scope] = {}

    def opened(self, scope: Scope) -> None:
        """A handler has opened a scope."""
        self._opened[scope.path] = scope

    def ref(self, path: str) -> object:
        """The actor of this path; of one that is not in this room, its path."""
        cell = self.cells.get(path)
        return RecordedRef(path) if cell is None else cell.ref

    def scope(self, number: int, path: str, parent: object | None, *, closed: bool) -> Scope:
        """The scope of this number: when it is first met, the one of its path that was opened last."""
        scope = self._scopes.get(number)
        if scope is None:
            scope = self._opened.get(path) or Scope(path, parent if isinstance(parent, Scope) else None)
            self._scopes[number] = scope
        return scope

    def reply(self, message_id: int) -> ReplyTo | RecordedReply:
        """The right to answer an ask that was kept."""
        for cell in self.cells.values():
            for kept in cell.kept_replies:
                if kept.message_id == message_id:
                    return kept
        return RecordedReply(message_id)
