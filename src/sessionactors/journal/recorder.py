"""The witness that records: everything it is told becomes bytes at once, on the actor loop.

What handlers tell each other is not recorded: it follows from what came from outside. A handled message is a row of
numbers. States are hashed, so that a replay sees where it parts; an actor that is told something a hundred times a
second is hashed once in it.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from dataclasses import fields
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, cast

import msgspec

from sessionactors.runtime import NS, Terminated, commit
from sessionactors.runtime.witness import Fate, Happening, Hook

from .code_hash import code_hash
from .digest import Digest
from .encoding import Encoder, Redacts, to_bytes
from .flattening import CLASSES, FLATTEN, Node, flatten
from .layout import Code
from .records import Captured, Header
from .tags import FORMAT, Defines

if TYPE_CHECKING:
    from sessionactors.runtime.cell import Cell
    from sessionactors.runtime.effect import Effect
    from sessionactors.runtime.envelope import Envelope
    from sessionactors.runtime.messages import SystemMessage
    from sessionactors.runtime.operation import Operation
    from sessionactors.runtime.system import ActorSystem
    from sessionactors.runtime.tree import Tree

OURS: Final = "sessionactors.actors."
"""Handlers that are there again when the journal is replayed."""
HASHED_EVERY: Final = NS
"""Nanoseconds from one hash of an actor's state to the next, at least."""

ENTERED: Final = int(Code.ENTERED)
HANDLED: Final = int(Code.HANDLED)

_row = msgspec.msgpack.Encoder().encode
"""Rows of small numbers need no mending."""


class Sink(Protocol):
    """Where records go."""

    def put(self, record: bytes) -> None:
        """Take a record. At once, from the actor loop (:attr:`.Code.NAMED` from any thread)."""


class Recorder:
    """Records one tree.

    Args:
        sink: where records go.
        captured: what is kept.
        redact: what texts become before they leave the session; None: they stay.
    """

    only_failed_commits: ClassVar[bool] = True
    """For the kernel: of :meth:`committed` only failures matter."""

    def __init__(self, sink: Sink, captured: Captured, *, redact: Redacts | None = None) -> None:
        self._put = sink.put
        self.captured = captured
        self._encoder = Encoder(audio=captured.audio, redact=redact)
        self._digest = Digest() if captured.hashes else None
        self._hashed: dict[str, int] = {}
        """By path: when its state may be hashed again."""
        self._actors: dict[str, int] = {}
        self._types: dict[int, str] = {}

    # -- about the journal -------------------------------------------------------------------------------------------

    def about(self, system: ActorSystem, room: str, notes: Mapping[str, str]) -> Header:
        """What a journal of a session that begins now says of itself."""
        # As the clock counts, so that seconds since the epoch come out the same, to the last bit.
        at, python = system.clock.origin, platform.python_version()
        return Header(
            *(version("sessionactors"), python, room, system.seed, at, system.clock.wall(at), self.captured),
            *(dict(notes), code_hash()),
        )

    def begin(self, header: Header, given: object) -> None:
        """Write the head of the journal."""
        head = self.head(header)
        self._define()
        self._put(head)
        self._record([int(Code.GIVEN), flatten(given, self._encoder)])

    def head(self, header: Header) -> bytes:
        """The first record."""
        facts = (getattr(header, field.name) for field in fields(header))
        return to_bytes([int(Code.HEADER), FORMAT, *[flatten(fact, self._encoder) for fact in facts]])

    def definitions(self) -> Iterator[bytes]:
        """All definitions so far, for a file that begins in the middle."""
        yield from self._encoder.all_definitions()
        for path, number in list(self._actors.items()):
            yield _row([int(Defines.ACTOR), number, path])
        for code, name in list(self._types.items()):
            yield _row([int(Defines.MESSAGE), code, name])

    def again(self) -> None:
        """After a loss: what later records name is defined anew."""
        for definition in self.definitions():
            self._put(definition)

    def remark(self, at: int, text: str) -> bytes:
        """A record of a remark."""
        return self._encoder.bytes_of([int(Code.NOTED), at, text])

    def end(self, at: int, lost: int) -> None:
        """The last record."""
        self._put(_row([int(Code.CLOSED), at, lost]))

    def checkpoint(self, tree: Tree) -> None:
        """The states of all actors, as they are now. Between two messages only."""
        at, cells = tree.system.clock.now(), list(tree.cells.values())
        parts: list[Node] = [int(Code.CHECKPOINT), at]
        for cell in cells:
            parts += (self._actor(cell.path), len(cell.mailbox.data or ()) + len(cell.mailbox.control or ()))
            parts.append(flatten(cell.state, self._encoder))
        self._record(parts)

    # -- what a witness is told --------------------------------------------------------------------------------------

    def entered(self, cell: Cell, envelope: Envelope) -> None:
        """See :class:`~sessionactors.runtime.witness.Witness`, as for all that follow."""
        origin, reply_to, encoder, path = envelope.origin, envelope.reply_to, self._encoder, cell.path
        how: Node = None
        if origin is not None:
            timer = None if origin.timer_key is None else [origin.timer_key, origin.timer_generation]
            how = [timer, None if origin.effect is None else _named(origin.effect), origin.reserved]
        message = envelope.message
        record = encoder.bytes_of(
            [
                ENTERED,
                self._actors.get(path) or self._actor(path),
                envelope.id,
                envelope.sender,
                envelope.cause,
                envelope.turn,
                envelope.at,
                FLATTEN[message.__class__](message, encoder),
                how,
                reply_to is not None,
                None if reply_to is None else reply_to.deadline,
            ]
        )
        if encoder.new or len(CLASSES) > encoder.classes:
            self._define()
        self._put(record)

    def ordered(self, cell: Cell, message: SystemMessage) -> None:
        """A system message from outside."""
        self._record([int(Code.ORDERED), self._actor(cell.path), flatten(message, self._encoder)])

    def obeyed(self, cell: Cell, message: SystemMessage) -> None:
        """It is served."""
        self._record([int(Code.OBEYED), self._actor(cell.path), type(message).__name__])

    def taken(self, cell: Cell, envelope: Envelope, began: int) -> None:
        """Given to the thread of its actor."""
        self._record([int(Code.TAKEN), self._actor(cell.path), envelope.id, began])

    def handled(
        self, cell: Cell, envelope: Envelope, began: int, ended: int, state: object, ops: list[Operation]
    ) -> None:
        """The commonest record by far."""
        path, code = cell.path, envelope.policy.code
        number = self._actors.get(path) or self._actor(path)
        if code not in self._types:
            self._type(code, type(envelope.message).__name__)
        hashed = None
        if state is not cell.state and self._digest is not None and ended >= self._hashed.get(path, 0):
            self._hashed[path] = ended + HASHED_EVERY
            hashed = self._digest.of(state)
        self._put(_row((HANDLED, number, envelope.id, envelope.cause, code, began, ended - began, len(ops), hashed)))
        if ops and not type(cell.actor).__module__.startswith(OURS):
            self._said(cell, ops)

    def committed(self, cell: Cell, envelope: Envelope, error: BaseException | None) -> None:
        """Told of for failures only."""
        if error is not None:
            told = flatten(error, self._encoder)
            self._record([int(Code.COMMIT_FAILED), self._actor(cell.path), envelope.id, told])

    def failed(self, cell: Cell, envelope: Envelope, error: BaseException, began: int) -> None:
        """A handler has raised."""
        told = flatten(error, self._encoder)
        self._record([int(Code.FAILED), self._actor(cell.path), envelope.id, told, began])

    def hooked(self, cell: Cell, hook: Hook, now: int, state: object, ops: list[Operation]) -> None:
        """A hook has returned."""
        hashed = None if self._digest is None else self._digest.of(state)
        self._record([int(Code.HOOKED), self._actor(cell.path), hook.value, now, len(ops), hashed])
        if ops and not type(cell.actor).__module__.startswith(OURS):
            self._said(cell, ops)

    def hook_failed(self, cell: Cell, hook: Hook, now: int, error: BaseException) -> None:
        """A hook has raised."""
        told = flatten(error, self._encoder)
        self._record([int(Code.HOOK_FAILED), self._actor(cell.path), hook.value, now, told])

    def not_carried_out(self, cell: Cell, operation: Operation, error: BaseException) -> None:
        """A port has raised, or control was refused."""
        told = flatten(error, self._encoder)
        self._record([int(Code.NOT_CARRIED_OUT), self._actor(cell.path), _what(operation), told])

    def discarded(self, cell: Cell, envelope: Envelope, fate: Fate, now: int) -> None:
        """It will not be handled."""
        self._record([int(Code.DISCARDED), self._actor(cell.path), envelope.id, fate.value, now])

    def happened(self, cell: Cell, what: Happening, effect: Effect | None, now: int) -> None:
        """Something other than a message."""
        of_effect = None if effect is None else _named(effect)
        self._record([int(Code.HAPPENED), self._actor(cell.path), what.value, of_effect, now])

    def finished(self, cell: Cell) -> None:
        """An actor has ended."""
        self._record([int(Code.FINISHED), self._actor(cell.path)])
        self._hashed.pop(cell.path, None)

    def named(self, tree: Tree, name: str) -> None:
        """From any thread."""
        self._put(_row([int(Code.NAMED), name]))

    # -- bytes -------------------------------------------------------------------------------------------------------

    def _record(self, node: list[Node]) -> None:
        record = self._encoder.bytes_of(node)
        self._define()
        self._put(record)

    def _define(self) -> None:
        for definition in self._encoder.new_definitions():
            self._put(definition)

    def _said(self, cell: Cell, ops: list[Operation]) -> None:
        parts: list[Node] = [int(Code.SAID), self._actor(cell.path)]
        for target, what in ops:
            if target is not None:
                parts += (target.path, flatten(what, self._encoder))
            elif (asked := cast("tuple[Any, ...]", what))[0] is commit.watch:
                parts += (asked[1].path, flatten(Terminated, self._encoder))
        if len(parts) > 2:
            self._record(parts)

    def _actor(self, path: str) -> int:
        number = self._actors.get(path)
        if number is None:
            number = self._actors[path] = len(self._actors) + 1
            self._put(_row([int(Defines.ACTOR), number, path]))
        return number

    def _type(self, code: int, name: str) -> None:
        self._types[code] = name
        self._put(_row([int(Defines.MESSAGE), code, name]))


def _named(effect: Effect) -> Node:
    return [effect.key, effect.cause]


def _what(operation: Operation) -> str:
    if operation[0] is not None:
        return f"tell {operation[0].path} {type(operation[1]).__name__}"
    call, *arguments = operation[1]
    return " ".join([call.__name__, *[getattr(each, "__qualname__", "") for each in arguments[:1]]]).rstrip()
