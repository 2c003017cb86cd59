"""The seam for who must see all of one tree: journals, replays, and monitors that look after each message.

A tap is offered what was handled and may lose some; a witness is told everything, on the actor loop, in the order in
which it happened: what entered from outside of the tree's handlers, what each handler made of it, and whatever else
decides order or life. From that alone the tree can be run again: its handlers, mailboxes and supervision are functions
of what a witness was told (decision 0175).

Who has none pays nothing: an actor that is observed has no ``receive`` for the fast way through ``handling.serve``, and
takes the other one. Whoever tells a witness asks ``tree.witness`` first.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Protocol, final

import structlog

from .containment import escapes

if TYPE_CHECKING:
    from .cell import Cell
    from .effect import Effect
    from .envelope import Envelope
    from .messages import SystemMessage
    from .operation import Operation
    from .tree import Tree

log = structlog.get_logger("sessionactors.runtime")


class Hook(Enum):
    """A hook of an actor's life that ran like a handler."""

    STARTED = "started"
    RESTARTED = "restarted"
    STOPPED = "stopped"


class Fate(Enum):
    """Why a message was not handled."""

    FENCED = "fenced"
    """Taken out, and its scope was closed, or its effect or timer over."""
    EXPIRED = "expired"
    """Taken out, and who asked had waited long enough."""
    CONFLATED = "conflated"
    """A newer one took its place in the mailbox."""
    DROPPED = "dropped"
    """Its lane was full, and it or the oldest gave way."""
    REFUSED = "refused"
    """Its lane was full, and it is of a kind that is not dropped."""
    DEAD = "dead"
    """Its actor has ended."""


class Happening(Enum):
    """What the clock, a coroutine or a caller did to a cell, other than by a message."""

    CLOSING = "closing"
    """The tree is to end (``stop_tree``); told for its root."""
    ABANDONED = "abandoned"
    """It did not end in time."""
    CHILDREN_ABANDONED = "children abandoned"
    """Its restart has waited long enough for the children of the last incarnation."""
    RESTART_DUE = "restart due"
    """The delay before its new incarnation is over."""
    EFFECT_ENDED = "effect ended"
    """The coroutine of an effect is over. What it reports, if anything, enters next."""
    EFFECT_EXPIRED = "effect expired"
    """The deadline of an effect has passed. What it reports, if anything, enters next."""
    REPORT_FAILED = "report failed"
    """What makes the message for the end of an effect has raised: the failure is its owner's."""


class Witness(Protocol):
    """Is told of one tree, on the actor loop (but for :meth:`named`). Must be quick, and must change nothing.

    A witness that raises is logged and told nothing more: looking on must not hurt a call. Subclass this for one that
    needs only a few of the calls.
    """

    def entered(self, cell: Cell, envelope: Envelope) -> None:
        """A message from outside of the tree's handlers is about to be put into a mailbox.

        People who tell and ask, effects, timers, expired obligations, stock Pykka actors, other trees, subscriptions,
        and ports that answer at once. What handlers tell each other is in the operations of :meth:`handled`.
        """

    def ordered(self, cell: Cell, message: SystemMessage) -> None:
        """A system message from outside of the tree's handlers: stop, kill, suspend, step, resume."""

    def obeyed(self, cell: Cell, message: SystemMessage) -> None:
        """A system message is served now."""

    def taken(self, cell: Cell, envelope: Envelope, began: int) -> None:
        """A message is given to the thread of its actor; :meth:`handled` or :meth:`failed` follows later."""

    def handled(
        self, cell: Cell, envelope: Envelope, began: int, ended: int, state: object, ops: list[Operation]
    ) -> None:
        """A handler has returned ``state`` and asked for ``ops``; both are about to take effect.

        The list is the kernel's own and empty again afterwards. A replay, and only a replay, replaces operations in it:
        those that would leave the tree.
        """

    def committed(self, cell: Cell, envelope: Envelope, error: BaseException | None) -> None:
        """All that a handled message asked for is done; ``error``: part of it failed, and so did the actor.

        A witness with a true attribute ``only_failed_commits`` is told of those only.
        """

    def failed(self, cell: Cell, envelope: Envelope, error: BaseException, began: int) -> None:
        """A handler has raised: it has changed nothing and sent nothing."""

    def hooked(self, cell: Cell, hook: Hook, now: int, state: object, ops: list[Operation]) -> None:
        """A hook has returned; as :meth:`handled`. The first of an actor tells that it lives."""

    def hook_failed(self, cell: Cell, hook: Hook, now: int, error: BaseException) -> None:
        """A hook has raised."""

    def not_carried_out(self, cell: Cell, operation: Operation, error: BaseException) -> None:
        """An operation of the commit in hand has raised: a port, or control sent into a full lane."""

    def discarded(self, cell: Cell, envelope: Envelope, fate: Fate, now: int) -> None:
        """A message will not be handled."""

    def happened(self, cell: Cell, what: Happening, effect: Effect | None, now: int) -> None:
        """Something other than a message is about to change a cell; ``effect`` for those that say so."""

    def finished(self, cell: Cell) -> None:
        """An actor has ended for good: nothing of it is left."""

    def named(self, tree: Tree, name: str) -> None:
        """From any thread: somebody outside of the handlers took a name of :meth:`Tree.new_id`."""


class Keeper(Protocol):
    """A witness that can keep what it has seen last, such as a black box."""

    def keep(self, why: str) -> object:
        """Keep it, for this reason, without waiting. From any thread."""


def _passing_on(call: str) -> Callable[..., None]:
    def tell(self: Witnesses, whom: Cell | Tree, *facts: object) -> None:
        for witness in self.each:
            try:
                getattr(witness, call)(whom, *facts)
            except BaseException as error:
                self._failed(witness, getattr(whom, "tree", whom).name, error)

    return tell


@final
class Witnesses:
    """All witnesses of one tree, as one; they are told in the order in which they came."""

    __slots__ = ("_committed", "_entered", "_handled", "each")

    def __init__(self, *each: Witness) -> None:
        self.each = each
        # What is told of every message, bound once: a look-up for each would be a third of what telling costs.
        self._entered = tuple((witness.entered, witness) for witness in each)
        self._handled = tuple((witness.handled, witness) for witness in each)
        self._committed = tuple(
            (witness.committed, witness) for witness in each if not getattr(witness, "only_failed_commits", False)
        )

    def _failed(self, witness: Witness, room: str, error: BaseException) -> None:
        self.__init__(*(other for other in self.each if other is not witness))
        log.error(
            "witness_failed",
            room=room,
            actor="",
            message_id=0,
            witness=type(witness).__name__,
            error=repr(error),
            exc_info=error,
        )
        if escapes(error):
            raise error

    def keep(self, why: str) -> list[object]:
        """Have each :class:`Keeper` among them keep what it has seen last: what they say of it. From any thread."""
        keepers = [keep for witness in self.each if callable(keep := getattr(witness, "keep", None))]
        return [kept for keep in keepers if (kept := keep(why)) is not None]

    def entered(self, cell: Cell, envelope: Envelope) -> None:
        """See :class:`Witness`."""
        for tell, witness in self._entered:
            try:
                tell(cell, envelope)
            except BaseException as error:
                self._failed(witness, cell.tree.name, error)

    def handled(
        self, cell: Cell, envelope: Envelope, began: int, ended: int, state: object, ops: list[Operation]
    ) -> None:
        """See :class:`Witness`."""
        for tell, witness in self._handled:
            try:
                tell(cell, envelope, began, ended, state, ops)
            except BaseException as error:
                self._failed(witness, cell.tree.name, error)

    def committed(self, cell: Cell, envelope: Envelope, error: BaseException | None) -> None:
        """See :class:`Witness`."""
        for tell, witness in self._committed if error is None else [(each.committed, each) for each in self.each]:
            try:
                tell(cell, envelope, error)
            except BaseException as raised:
                self._failed(witness, cell.tree.name, raised)

    ordered = _passing_on("ordered")
    obeyed = _passing_on("obeyed")
    taken = _passing_on("taken")
    failed = _passing_on("failed")
    hooked = _passing_on("hooked")
    hook_failed = _passing_on("hook_failed")
    not_carried_out = _passing_on("not_carried_out")
    discarded = _passing_on("discarded")
    happened = _passing_on("happened")
    finished = _passing_on("finished")
    named = _passing_on("named")
