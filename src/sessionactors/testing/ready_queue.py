"""What a simulated loop could do next: wake-ups of tasks, due timers, callbacks, and a message of any ready actor.

asyncio runs its callbacks in the order in which they became ready. Here each is a choice, as far as one can rely on no
order: tasks are woken in any order, timers that are due at the same instant fire in any order, and actors may handle
messages between any two of them. Other callbacks keep their order (``call_soon`` promises it).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TYPE_CHECKING, cast

from sessionactors.runtime.ticker import Ticker

if TYPE_CHECKING:
    from .choices import Choices

CALLBACKS = "callbacks"
"""The key of all callbacks that keep their order."""


class Due:
    """The key of one due timer."""

    __slots__ = ("__weakref__", "handle")

    def __init__(self, handle: asyncio.Handle) -> None:
        self.handle = handle


class ReadyQueue:
    """Takes the place of the queue of handles of an asyncio loop; its ``popleft`` chooses.

    Args:
        handles: what is ready already.
        choices: who chooses.
    """

    def __init__(self, handles: Iterable[asyncio.Handle], choices: Choices) -> None:
        self._choices = choices
        self._entries: list[tuple[Hashable, asyncio.Handle]] = []
        self._chosen: Hashable | None = None
        self._turn: Callable[[], object] | None = None
        self._actors: Callable[[], list[Hashable]] = list
        self._take_actor: Callable[[Hashable], None] = _nobody
        for handle in handles:
            self.append(handle)

    def serve(
        self, turn: Callable[[], object], actors: Callable[[], list[Hashable]], take: Callable[[Hashable], None]
    ) -> None:
        """Take a dispatcher in.

        Args:
            turn: the callback by which it serves actors.
            actors: the keys of those that are ready.
            take: which of them is served first when ``turn`` is called.
        """
        self._turn, self._actors, self._take_actor = turn, actors, take

    # -- what asyncio does with its queue ----------------------------------------------------------------------------

    def __iter__(self) -> Iterator[asyncio.Handle]:
        return (handle for _, handle in self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def append(self, handle: asyncio.Handle) -> None:
        """It is ready."""
        self._entries.append((self._key(handle), handle))

    def clear(self) -> None:
        """The loop is closed."""
        self._entries.clear()

    def popleft(self) -> asyncio.Handle:
        """What runs now."""
        entries = self._entries
        if len(entries) == 1 or entries[0][1]._cancelled:
            self._chosen = None
            return entries.pop(0)[1]
        key = self._chosen
        if key is None:
            key = self._choices.next(self._keys())
        self._chosen = None
        index = self._index(key)
        if index is None:  # an actor: the dispatcher serves it in its turn
            self._take_actor(key)
            index = self._index(self._turn)
        return entries.pop(index or 0)[1]

    def _index(self, key: Hashable) -> int | None:
        for index, (known, handle) in enumerate(self._entries):
            if known == key and not handle._cancelled:
                return index
        return None

    # -- choosing ----------------------------------------------------------------------------------------------------

    def waiting(self) -> list[Hashable]:
        """The keys of what waits besides the actors, first come first."""
        entries = self._entries
        if not entries:
            return []
        return list(dict.fromkeys(key for key, handle in entries if not handle._cancelled))

    def choose(self, key: Hashable) -> None:
        """Have this run as soon as the loop has its turn."""
        self._chosen = key

    def _keys(self) -> list[Hashable]:
        keys = self.waiting()
        if self._turn in keys:
            at = keys.index(self._turn)
            keys[at : at + 1] = self._actors() or [self._turn]
        return keys

    def _key(self, handle: asyncio.Handle) -> Hashable:
        callback = cast("Callable[..., object]", handle._callback)  # type: ignore[attr-defined]
        owner = getattr(callback, "__self__", None)
        if isinstance(owner, asyncio.Task):
            return owner
        if isinstance(handle, asyncio.TimerHandle):
            return "timers" if isinstance(owner, Ticker) else Due(handle)
        return self._turn if callback == self._turn else CALLBACKS


def _nobody(_: Hashable) -> None:
    raise AssertionError("an actor was chosen, and no dispatcher serves any")
