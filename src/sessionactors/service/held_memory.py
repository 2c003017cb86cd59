"""How much memory a room's conversation holds, by looking at it.

Rooms share one process, and the allocator does not know whose an object is. What can be told is which values a room's
actors and its session hold on to, and how large these are.
"""

from __future__ import annotations

import array
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final, cast

from sessionactors.runtime import ActorSystem
from sessionactors.session.agent_session import AgentSession

_LEAVES: Final = (str, bytes, bytearray, int, float, complex, array.array)
_SEQUENCES: Final = (tuple, list, set, frozenset, deque)
_MAPPINGS: Final = (dict, MappingProxyType)


def held_memory(system: ActorSystem, session: AgentSession[object]) -> int:
    """Bytes of the values that a session holds: an estimate from below, of what grows with a conversation.

    Counted, each object once: the states of its actors, the messages that wait in their mailboxes, what was fed to
    effects and not taken, the history, and the user data: numbers, texts, audio, containers, and dataclasses with all
    that is in them. Not counted: other objects, such as providers, clients, transports and what these buffer, models,
    native memory, tasks and stacks, the journal; nor what the allocator and fragments take. A value that several rooms
    share is counted for each.

    From any thread; takes about 15 us for each item of the history.
    """
    return size_of(_roots(system, session))


def _roots(system: ActorSystem, session: AgentSession[object]) -> Iterator[object]:
    yield session.history.items
    try:
        userdata = session.userdata
    except ValueError:  # none was given
        userdata = None
    yield userdata
    yield getattr(userdata, "__dict__", None)
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
    keep = list(roots)  # and what is made below: an object that is gone would lend its id to another
    seen: set[int] = set()
    waiting, total = keep.copy(), 0
    while waiting:
        value = waiting.pop()
        kind = type(value)
        shape = _SHAPES.get(kind)
        if shape is None:
            shape = _SHAPES[kind] = _shape_of(kind)
        if shape is _Shape.NOT_COUNTED:
            continue
        identity = id(value)
        if identity in seen:
            continue
        seen.add(identity)
        total += sys.getsizeof(value)
        if shape is _Shape.LEAF:
            continue
        if isinstance(shape, tuple):
            inside = [getattr(value, name, None) for name in shape]
        elif isinstance(value, _MAPPINGS):
            copy = dict(value)
            keep.append(copy)
            inside = [*copy.keys(), *copy.values()]
        else:
            inside = list(cast("Iterable[object]", value))  # in one step: its owner may go on
        waiting += [one for one in inside if one is not None]
    return total


class _Shape(Enum):
    """How objects of a class are looked at, if not by the names of their fields."""

    LEAF = "leaf"
    CONTAINER = "container"
    NOT_COUNTED = "not counted"


_SHAPES: Final[dict[type[object], _Shape | tuple[str, ...]]] = {}


def _shape_of(kind: type[object]) -> _Shape | tuple[str, ...]:
    if issubclass(kind, (Enum, bool)):  # one object for the whole process
        return _Shape.NOT_COUNTED
    if issubclass(kind, _LEAVES):
        return _Shape.LEAF
    if issubclass(kind, (*_SEQUENCES, *_MAPPINGS)):
        return _Shape.CONTAINER
    if is_dataclass(kind):
        own = () if hasattr(kind, "__slots__") else ("__dict__",)
        return (*own, *(field.name for field in fields(kind)))
    return _Shape.NOT_COUNTED
