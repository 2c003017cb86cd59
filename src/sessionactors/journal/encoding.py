"""Values to bytes: messages, states, and what users put into them.

A class of ours is a list of its number and its fields: a captured frame takes about a microsecond. What only lives here
(providers, agents, functions) gets a number, and a definition that says what it was. Everything happens on the actor
loop, while the value is what it is: users' dicts may change later.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Iterator
from itertools import count
from typing import Final, Protocol, cast

import msgspec

from sessionactors.runtime import Scope

from .flattening import CLASSES, FLATTEN, Context, Node, flatten
from .stand_ins import described
from .tags import Defines, Tag

KEPT_AFTER_DEATH: Final = 1000
"""Definitions of things that are gone: a ring may still speak of them."""

_to_bytes = msgspec.msgpack.Encoder().encode


def to_bytes(node: Node) -> bytes:
    """Nodes as msgpack.

    Raises:
        RecursionError: they lie in each other too deep, or in themselves.
    """
    try:
        return _to_bytes(node)
    except (OverflowError, UnicodeEncodeError):
        return _to_bytes(_mended(node))


def _mended(node: Node) -> Node:
    """What is nearly never there, and so is looked for only when it is: huge whole numbers, halves of characters."""
    if isinstance(node, list):
        return [_mended(part) for part in node]
    if isinstance(node, int) and not -(2**63) <= node < 2**64:
        return [int(Tag.BIG_INT), hex(node)]
    if isinstance(node, str):
        try:
            node.encode()
        except UnicodeEncodeError:
            return [int(Tag.ODD_STRING), node.encode("utf-8", "surrogatepass")]
    return node


_class_definitions: Final[list[bytes]] = []


def _class_definition(index: int) -> bytes:
    """Of one of all classes met in this process; made once."""
    while len(_class_definitions) <= index:
        number, name, names = CLASSES[len(_class_definitions)]
        _class_definitions.append(to_bytes([int(Defines.CLASS), number, name, *names]))
    return _class_definitions[index]


class Redacts(Protocol):
    """What changes texts before they are written."""

    def __call__(self, node: Node) -> Node:
        """Nodes of a value, with the texts in it changed."""

    def fact(self, name: str, node: Node) -> Node:
        """Nodes of a fact of a stand-in."""


class Encoder(Context):
    """Values of one journal to bytes.

    Args:
        audio: keep what frames of audio and video hold; False: only how long they are.
        redact: what nodes become before they are written; None: they stay.
    """

    def __init__(self, *, audio: bool = True, redact: Redacts | None = None) -> None:
        self.audio = audio
        self.table = FLATTEN
        self._redact = redact
        self.classes = 0
        """Of all classes of the process, how many are defined in this journal."""
        self._next = count(1).__next__
        self._known: dict[int, int] = {}
        """Numbers of what lives, by its id."""
        self._held: dict[int, object] = {}
        """Weak references; or the thing itself where it allows none."""
        self._definitions: dict[int, bytes] = {}
        self._dead: deque[int] = deque()
        self.new: list[bytes] = []

    def encode(self, value: object) -> bytes:
        """A value as bytes. What it needs is in :meth:`new_definitions` then, which must stand before it.

        Raises:
            RecursionError: values within values within values, without an end.
        """
        return self.bytes_of(flatten(value, self))

    def bytes_of(self, node: Node) -> bytes:
        """Nodes that were flattened with this encoder, redacted, as bytes."""
        if self._redact is not None:
            return to_bytes(self._redact(node))
        try:
            return _to_bytes(node)
        except (OverflowError, UnicodeEncodeError):
            return to_bytes(node)

    def new_definitions(self) -> Iterator[bytes]:
        """What was met for the first time since the last call."""
        while len(CLASSES) > self.classes:
            yield _class_definition(self.classes)
            self.classes += 1
        new, self.new = self.new, []
        yield from new

    def all_definitions(self) -> Iterator[bytes]:
        """All so far, for a file that begins in the middle."""
        yield from map(_class_definition, range(self.classes))
        yield from tuple(self._definitions.values())

    # -- what only lives here ----------------------------------------------------------------------------------------

    def live(self, thing: object) -> Node:
        """Its number; the first time with a definition."""
        number = self._known.get(id(thing))
        if number is None:
            number = self._hold(thing)
            kind, name, facts = described(thing)
            told = [int(Defines.LIVE), number, kind, name]
            for fact, value in facts.items():
                node = flatten(value, self)
                told += [fact, node if self._redact is None else self._redact.fact(fact, node)]
            self._define(number, told)
        return [int(Tag.LIVE), number]

    def scope(self, scope: Scope) -> Node:
        """Its number, and whether it is closed; the first time with a definition."""
        number = self._known.get(id(scope))
        if number is None:
            parent = 0 if scope.parent is None else cast("list[int]", self.scope(scope.parent))[1]
            number = self._hold(scope)
            self._define(number, [int(Defines.SCOPE), number, scope.path, parent])
        return [int(Tag.SCOPE), number, scope.closed]

    def _define(self, number: int, told: list[Node]) -> None:
        definition = self._definitions[number] = to_bytes(told)
        self.new.append(definition)

    def _hold(self, thing: object) -> int:
        key, number = id(thing), self._next()
        self._known[key] = number
        try:
            self._held[key] = weakref.ref(thing, lambda _: self._died(key, number))
        except TypeError:
            self._held[key] = thing  # its id must not become another's
        return number

    def _died(self, key: int, number: int) -> None:
        if self._known.get(key) == number:
            del self._known[key], self._held[key]
        self._dead.append(number)
        if len(self._dead) > KEPT_AFTER_DEATH:
            self._definitions.pop(self._dead.popleft(), None)
