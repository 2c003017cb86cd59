"""Actors of the user's own in a session that runs again: their code is not run, the journal says what they did."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from sessionactors.runtime import Actor, Outbox, failure, handling, lifecycle
from sessionactors.runtime.cell import Cell
from sessionactors.runtime.envelope import NO_CAUSE, Envelope
from sessionactors.runtime.held import BUSY, STARTING
from sessionactors.runtime.messages import Terminated
from sessionactors.runtime.policy import policy_of
from sessionactors.runtime.supervision import DEFAULT_CHILD
from sessionactors.runtime.witness import Hook

from .records import Discarded, Failed, Finished, Handled, Hooked, HookFailed, NotCarriedOut, Record, Said, Taken

if TYPE_CHECKING:
    from sessionactors.runtime.tree import Tree

    from .replay_world import ReplayWorld


class Outsider(Actor[None, object]):
    """In the place of an actor of the user's."""

    failing: Callable[[], BaseException | None] | None = None
    """What its start raises."""

    def initial(self) -> None:
        """Nothing is known of its state."""

    def started(self, state: None, out: Outbox[object]) -> None:
        """As it was."""
        error = None if self.failing is None else self.failing()
        if error is not None:
            raise error

    def receive(self, state: None, message: object, out: Outbox[object]) -> None:
        """Never called: the journal says what it made of the message."""


class Outsiders:
    """All of them in one tree, and what they start."""

    def __init__(self, tree: Tree, world: ReplayWorld, failing: Callable[[], BaseException | None]) -> None:
        self._tree = tree
        self._world = world
        self._paths: set[str] = set()
        self.serving = False
        """One of them is being served."""
        self._cause, self._turn = NO_CAUSE, ""
        Outsider.failing = staticmethod(failing)

    def add(self, cell: Cell) -> None:
        """One has started. The kernel takes it for one whose handler is at work: it neither serves nor ends it."""
        self._paths.add(cell.path)
        cell.held |= BUSY
        self._cause, self._turn = NO_CAUSE, ""

    def has(self, path: str) -> bool:
        """Whether an actor is one of them."""
        return path in self._paths

    def is_of(self, record: Record) -> bool:
        """Whether a record is of what one of them did by itself, in the order of all."""
        match record:
            case Hooked(hook=Hook.STARTED) | HookFailed(hook=Hook.STARTED):
                return self._parent_is(record.target)
            case Hooked() | HookFailed() | NotCarriedOut() | Said() | Finished():
                return record.target in self._paths
            case _:
                return False

    def _parent_is(self, path: str) -> bool:
        return path.rpartition("/")[0] in self._paths

    def went_on(self, record: Record) -> None:
        """One has said something, started another, has ended, or a part of its commit has failed."""
        match record:
            case Said():
                self.say(record)
            case Finished(target):
                cell = self._world.cells[target]
                cell.held &= ~BUSY
                lifecycle.maybe_finish(cell)
            case Hooked() | HookFailed() | NotCarriedOut():
                self._hooked(record)
            case _:
                pass

    def _hooked(self, record: Hooked | HookFailed | NotCarriedOut) -> None:
        cell = self._world.cells.get(record.target)
        if isinstance(record, Hooked) and record.hook is Hook.STARTED and (cell is None or cell.stopped):
            self._begin(record.target)
        elif isinstance(record, NotCarriedOut) and cell is not None:
            failure.on_failure(cell, cast("BaseException", record.error))

    def _begin(self, path: str) -> None:
        above, _, name = path.rpartition("/")
        parent = self._world.cells[above]
        child = parent.prepare_child(name, Outsider, DEFAULT_CHILD)
        parent.children[name] = self._tree.cells[path] = self._world.cells[path] = child
        child.held &= ~STARTING
        self.add(child)

    def serve(self, cell: Cell, record: Taken | Handled | Failed | Discarded) -> bool:
        """It was one's turn; False if it has not got that message."""
        in_hand = cell.current
        envelope = in_hand if in_hand is not None and in_hand.id == record.id else _take_out(cell, record.id)
        if envelope is None or (isinstance(record, Handled) and type(envelope.message).__name__ != record.type):
            return False
        if isinstance(record, Taken):
            cell.current = envelope
            return True
        self._cause, self._turn = envelope.id, envelope.turn
        self.serving = True
        match record:
            case Discarded():
                handling.discard(cell, envelope, record.at)
            case Failed(error=error):
                handling.fail_current(cell, envelope, cast("BaseException", error), record.began)
            case Handled():
                cell.mailbox.accounts.handled += 1
                cell.recorder.record(envelope, record.began, record.ended)
        self.serving = False
        cell.current = None
        if isinstance(record, Failed):
            failure.on_failure(cell, cast("BaseException", record.error))
        return True

    def say(self, record: Said) -> None:
        """One has told actors of the session something, or watches them."""
        cell, tree = self._world.cells[record.target], self._tree
        for path, message in record.told:
            target = self._world.cells.get(path)
            if target is None:
                continue
            if message is Terminated:
                lifecycle.add_watcher(target, cell, cell.restarts, _itself)
                continue
            at, cause, policy = tree.system.clock.now(), self._cause, policy_of(type(message))
            target.deliver(
                Envelope.of(message, None, cell.path, tree.next_message_id(), cause, self._turn, at, policy, None)
            )


def _itself(terminated: Terminated) -> object:
    return terminated


def _take_out(cell: Cell, id: int) -> Envelope | None:
    for lane in (cell.mailbox.control, cell.mailbox.data):
        for envelope in lane or ():
            if envelope.id == id and lane is not None:
                lane.remove(envelope)
                return envelope
    return None
