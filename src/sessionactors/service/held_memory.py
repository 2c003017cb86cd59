"""How much memory a room's conversation holds, by looking at it.

Rooms share one process, and the allocator does not know whose an object is. What can be told is which values a room's
actors and its session hold on to, and how large these are.
"""

from __future__ import annotations

import array
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final

from sessionactors.runtime import ActorSystem
from sessionactors.session.agent_session import AgentSession

_LEAVES: Final = frozenset({str, bytes, bytearray, int, float, complex, array.array})
_SEQUENCES: Final = frozenset({tuple, list, set, frozenset, deque})
_MAPPINGS: Final = frozenset({dict, MappingProxyType})


def held_memory(system: ActorSystem, session: AgentSession[object]) -> int:
    """Bytes of the values that a session holds: an estimate from below, of what grows with a conversation.

    Counted, each object once: the states of its actors, the messages that wait in their mailboxes, what was fed to
    effects and not taken, the history, and the user data: numbers, texts, audio, containers, and dataclasses with all
    that is in them. Not counted: other objects, such as providers, clients, transports and what these buffer, models,
    native memory, tasks and stacks, the journal; nor what the allocator and fragments take. A value that several rooms
    share is counted for each.

    From any thread; takes about a millisecond for a conversation of a thousand items.
    """
    return size_of(_roots(system, session))


def _roots(system: ActorSystem, session: AgentSession[object]) -> Iterator[object]:
    yield session.history.items
    try:
        userdata = session.userdata
    except ValueError:  # none was given
        userdata = None
    yield userdata if _fields(type(userdata)) is not None else getattr(userdata, "__dict__", None)
    tree = system.trees.get(session.room_name)
    if tree is None:
        return
    for cell in tuple(tree.cells.values()):
        yield cell.state
        for lane in (cell.mailbox.control, cell.mailbox.data, cell.mailbox.stashed):
            for envelope in tuple(lane or ()):
                yield envelope.message
        for effect in tuple(cell.effects.values()):
            yield effect.inlet.waiting()


def size_of(roots: Iterable[object]) -> int:
    """Bytes of values and of the values in them, each once."""
    seen: set[int] = set()
    keep = list(roots)  # and what is made below: an object that is gone would lend its id to another
    waiting, total = keep.copy(), 0
    while waiting:
        value = waiting.pop()
        kind = type(value)
        names = _fields(kind)
        if names is None or id(value) in seen:
            continue
        seen.add(id(value))
        total += sys.getsizeof(value)
        if kind in _SEQUENCES:
            inner: list[object] = list(value)  # type: ignore[call-overload]  # in one step: its owner may go on
            waiting += inner
        elif kind in _MAPPINGS and isinstance(value, Mapping):
            copy = dict(value)
            keep.append(copy)
            waiting += copy.keys()
            waiting += copy.values()
        elif kind not in _LEAVES:
            waiting += [getattr(value, name, None) for name in names]
            waiting.append(getattr(value, "__dict__", None) if not hasattr(kind, "__slots__") else None)
    return total


_KNOWN: Final[dict[type[object], tuple[str, ...] | None]] = dict.fromkeys((*_LEAVES, *_SEQUENCES, *_MAPPINGS), ())
"""By class: the fields of its objects; None: they are not counted."""


def _fields(kind: type[object]) -> tuple[str, ...] | None:
    if kind not in _KNOWN:
        _KNOWN[kind] = None
        if is_dataclass(kind) and not issubclass(kind, Enum):
            _KNOWN[kind] = tuple(field.name for field in fields(kind))
    return _KNOWN[kind]
