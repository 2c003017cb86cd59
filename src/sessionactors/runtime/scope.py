"""Scopes: what a message belongs to, so that it can be discarded by identity when that thing is over.

A scope is closed once, by the actor that owns it, as part of a handler's outbox. From then on every fenced message of
it, or of a scope inside it, is discarded at dequeue, wherever it waits. Closing one scope says nothing about another:
scopes are a set, never a number to compare.
"""

from __future__ import annotations


class Scope:
    """One open or closed scope. Made by ``out.open_scope``; compared by identity."""

    __slots__ = ("__weakref__", "_closed", "parent", "path")

    def __init__(self, path: str, parent: Scope | None = None) -> None:
        self.path = path
        self.parent = parent
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether this scope, or one that contains it, is closed."""
        scope: Scope | None = self
        while scope is not None:
            if scope._closed:
                return True
            scope = scope.parent
        return False

    def is_within(self, other: Scope) -> bool:
        """Whether this scope is ``other`` or lies inside it."""
        scope: Scope | None = self
        while scope is not None:
            if scope is other:
                return True
            scope = scope.parent
        return False

    def close(self) -> None:
        """For the kernel, at commit, and for who makes a recorded one again; actors ask ``out.close_scope``."""
        self._closed = True

    def __repr__(self) -> str:
        return f"<Scope {self.path}{' closed' if self.closed else ''}>"
