"""Runs the actors of a recorded session again: the real handlers, mailboxes, supervision; nothing outside of them.

The kernel does what it does in a call. What comes from outside is put in when the journal says so; whose turn it is,
and what time, the journal says too. Effects, timers and ports are noted and not carried out. The kernel tells its
witness what happens, and each thing it tells must be the next in the journal: if not, the runs part there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from sessionactors.runtime import (
    Actor,
    ChildSpec,
    KernelFuture,
    Restart,
    handling,
    lifecycle,
    observed,
    policy_of,
)
from sessionactors.runtime.cell import Cell
from sessionactors.runtime.envelope import Envelope, Origin
from sessionactors.runtime.messages import Step, Stop, SystemMessage
from sessionactors.runtime.witness import Fate, Hook, Witness, Witnesses

from .digest import Digest
from .disarming import disarm
from .divergence import Divergence
from .errors import JournalDamaged
from .happenings import effect_of, let_happen
from .outsiders import Outsider, Outsiders
from .plain import differences, plain
from .record_words import about, operation_in_words, said, same_turn, served_in_words
from .records import (
    Checkpoint,
    Closed,
    CommitFailed,
    Discarded,
    Entered,
    Failed,
    Finished,
    Handled,
    Happened,
    Header,
    Hooked,
    HookFailed,
    Named,
    NotCarriedOut,
    Noted,
    Obeyed,
    Ordered,
    Record,
    Taken,
)
from .replay_world import ReplayWorld
from .still_system import StillSystem, still_tree

if TYPE_CHECKING:
    from sessionactors.runtime.operation import Operation

CHANGES = 12
"""Lines about a state, in the report of a divergence."""
PASSED_OVER = (Finished, CommitFailed, Noted, Closed, Checkpoint)
"""What follows from the rest, and is not compared."""


class Reenactment(Witness):
    """One run of a recorded session, driven by its records.

    Args:
        header: the first record.
        root: makes the root actor.
        records: all that follow, values decoded in ``world`` as they are asked for.
        world: where they live.
        ids: of the messages that came from outside.
        names: that were taken outside.
    """

    def __init__(
        self,
        header: Header,
        root: Callable[[], Actor[Any, Any]],
        records: Iterable[Record],
        world: ReplayWorld,
        ids: frozenset[int],
        names: frozenset[str],
    ) -> None:
        self._ahead: Record | None = None
        self._records = iter(records)
        self._world = world
        self.header = header
        self.system = StillSystem(header.seed, header.at, header.wall)
        self.system.clock.now = self._now
        self.tree, self._numbers = still_tree(self.system, header.room, ids, names)
        self.tree.witness = Witnesses(self)
        self.divergence: Divergence | None = None
        self.handled_so_far = 0
        """Messages that were handled."""
        self.last: Handled | Failed | None = None
        """The newest of them."""
        self.at = header.at
        """Kernel clock of the newest record."""
        self._digest = Digest() if header.captured.hashes else None
        self._outsiders = Outsiders(self.tree, world, self._next_error)
        self.serving: Envelope | None = None
        """The message that was handled last."""
        self._before: object = None
        self._root = root

    # -- the journal -------------------------------------------------------------------------------------------------

    def _peek(self) -> Record | None:
        while self._ahead is None:
            record = self._ahead = next(self._records, None)
            if record is None:
                break
            if self._outsiders.is_of(record):
                self._take()
                self._outsiders.went_on(record)
            elif isinstance(record, PASSED_OVER):
                self._take()
        return self._ahead

    def _take(self) -> None:
        self._ahead = None

    def _now(self) -> int:
        record = self._peek()
        if isinstance(record, Hooked | HookFailed):  # the hook that begins now
            self.system.time = record.at
        return self.system.time

    def _next_error(self) -> BaseException | None:
        """What the hook of an outsider that runs now has raised, as the journal says."""
        record = self._peek()
        return _error(record.error) if isinstance(record, HookFailed) else None

    # -- driving -----------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start the root actor, as far as the journal says that it was started."""
        if isinstance(self._peek(), Hooked | HookFailed):
            root = Cell(self.system, self.tree, None, self.header.room, self._root, ChildSpec(Restart.TEMPORARY))
            self.tree.root = root
            self._world.cells[root.path] = root
            lifecycle.start(root)

    def step(self) -> bool:
        """Go on to the next record; False at the end, or where the runs have parted."""
        record = self._peek()
        if record is None or self.divergence is not None:
            return False
        match record:
            case Entered():
                self._enter(record)
            case Ordered(target, message):
                self._take()
                self._cell(target).deliver_system(replace(cast("SystemMessage", message), reply_to=None))
            case Happened():
                self._take()
                self._let_happen(record)
            case Named():
                self._take()
            case Obeyed(target, order):
                self.serving = None
                if order == Stop.__name__ and not self._cell(target).mailbox.system:
                    self._cell(target).deliver_system(Stop())  # by an actor of the user's own
                lifecycle.serve_system(self._cell(target))
                self._must_have_taken(record)
            case Taken() | Handled() | Failed() | Discarded():
                self._serve(record)
                self._must_have_taken(record)
            case Hooked() | HookFailed() | NotCarriedOut():
                self._part(said(record), "nothing of the kind")
            case _:
                self._take()  # about the journal itself
        return self.divergence is None

    def _cell(self, path: str) -> Cell:
        cell = self._world.cells.get(path)
        if cell is None:
            raise JournalDamaged(f"the journal speaks of an actor {path!r} that nobody has started")
        return cell

    def _must_have_taken(self, record: Record) -> None:
        if self._ahead is record and self.divergence is None:
            self._part(said(record), "nothing happened")

    def _enter(self, record: Entered) -> None:
        self._take()
        self.system.time = max(self.system.time, record.at)
        cell = self._world.cells.get(record.target)
        if cell is None:
            return self._part(said(record), f"there is no actor {record.target!r}")
        origin: Origin | None = None
        if record.timer is not None:
            origin = Origin(timer_key=record.timer[0], timer_generation=record.timer[1])
        elif record.effect is not None:
            effect = effect_of(cell, record.effect)
            if effect is not None:
                effect.in_flight += 1
                origin = Origin(effect=effect)
        elif record.reserved:
            origin = Origin(reserved=True)
        reply_to: KernelFuture | None = None
        if record.asked:
            reply_to = KernelFuture()
            reply_to.deadline = record.deadline
        policy = policy_of(type(record.message))
        cell.deliver(
            Envelope.of(
                record.message, reply_to, record.sender, record.id, record.cause, record.turn, record.at, policy, origin
            )
        )
        return None

    def _let_happen(self, record: Happened) -> None:
        cell = self._cell(record.target)
        self.system.time = self.at = record.at
        effect = None if record.effect is None else effect_of(cell, record.effect)
        if not let_happen(cell, record, effect) and not self._outsiders.has(cell.path):
            self._part(said(record), f"{cell.path} has no such effect")

    def _serve(self, record: Taken | Handled | Failed | Discarded) -> None:
        cell = self._cell(record.target)
        began = record.at if isinstance(record, Discarded) else record.began
        self.system.time = self.at = began
        if self._outsiders.has(record.target):
            return self._serve_outsider(cell, record)
        if isinstance(record, Discarded) and record.fate not in (Fate.FENCED, Fate.EXPIRED):
            return self._part(said(record), "it was not displaced")
        envelope = self._pop(cell, record.id)
        if envelope is None:
            waiting = ", ".join(repr(each) for each in (*(cell.mailbox.control or ()), *(cell.mailbox.data or ())))
            return self._part(said(record), f"it is not that message's turn: {waiting or 'nothing'} waits")
        self._before = cell.state
        if not handling.wanted(cell, envelope, began):
            return None
        observed.handle(cell, envelope, began)
        return None

    def _serve_outsider(self, cell: Cell, record: Taken | Handled | Failed | Discarded) -> None:
        self._take()
        if isinstance(record, Handled | Failed):
            self.handled_so_far += 1
            self.last = record
            self.system.time = self.at = record.ended if isinstance(record, Handled) else record.began
        if not self._outsiders.serve(cell, record):
            self._part(said(record), f"no message #{record.id} waits there")

    @staticmethod
    def _pop(cell: Cell, id: int) -> Envelope | None:
        for lane in (cell.mailbox.control, cell.mailbox.data):
            if lane and lane[0].id == id:
                return lane.popleft()
        return None

    # -- what the kernel tells ---------------------------------------------------------------------------------------

    def obeyed(self, cell: Cell, message: SystemMessage) -> None:
        """A system message is served."""
        now = Obeyed(cell.path, type(message).__name__)
        if self._expect(now, lambda record: record == now):
            self._take()
            following = self._peek() if isinstance(message, Step) else None
            if isinstance(following, Handled | Failed):
                self.system.time = following.began

    def handled(
        self, cell: Cell, envelope: Envelope, began: int, ended: int, state: object, ops: list[Operation]
    ) -> None:
        """A handler has returned."""
        asked = disarm(ops, self._world, self._port)  # also where the journal has ended, or the runs have parted
        kind = type(envelope.message).__name__
        record = self._peek()
        self.handled_so_far += 1
        self.serving = envelope
        now = Handled(cell.path, envelope.id, envelope.cause, kind, began, began, len(ops), None)
        if not self._expect(now, lambda record: same_turn(record, now)):
            return
        self._take()
        if not isinstance(record, Handled):
            return
        self.last = record
        self.system.time = self.at = record.ended
        self._compare(record.operations, record.state, state, asked)

    def failed(self, cell: Cell, envelope: Envelope, error: BaseException, began: int) -> None:
        """A handler has raised."""
        if self._outsiders.serving:
            return
        self.handled_so_far += 1
        self.serving = envelope
        now = Failed(cell.path, envelope.id, error, began)
        record = self._peek()
        if self._expect(now, lambda record: isinstance(record, Failed) and about(record) == about(now)):
            self._take()
            self.last = cast("Failed", record)

    def hooked(self, cell: Cell, hook: Hook, now: int, state: object, ops: list[Operation]) -> None:
        """A hook has returned."""
        self._world.cells[cell.path] = cell
        asked = disarm(ops, self._world, self._port)
        if isinstance(cell.actor, Outsider):
            self._outsiders.add(cell)
        told = Hooked(cell.path, hook, now, len(ops), None)
        record = self._peek()
        if not self._expect(told, lambda record: isinstance(record, Hooked) and about(record) == about(told)):
            return
        self._take()
        if isinstance(record, Hooked) and isinstance(cell.actor, Outsider):
            self.system.time = self.at = record.at
        elif isinstance(record, Hooked):
            self.system.time = self.at = cell.outbox.now = record.at
            self._before = None
            self._compare(record.operations, record.state, state, asked)

    def hook_failed(self, cell: Cell, hook: Hook, now: int, error: BaseException) -> None:
        """A hook has raised."""
        if isinstance(cell.actor, Outsider):
            self._outsiders.add(cell)
        told = HookFailed(cell.path, hook, now, error)
        if self._expect(told, lambda record: isinstance(record, HookFailed) and about(record) == about(told)):
            self._take()

    def not_carried_out(self, cell: Cell, operation: Operation, error: BaseException) -> None:
        """Part of a commit has raised."""
        told = NotCarriedOut(cell.path, "", error)
        if self._expect(told, lambda record: isinstance(record, NotCarriedOut) and record.target == cell.path):
            self._take()

    def discarded(self, cell: Cell, envelope: Envelope, fate: Fate, now: int) -> None:
        """A message will not be handled."""
        if self._outsiders.serving:
            return
        told = Discarded(cell.path, envelope.id, fate, now)
        if self._expect(told, lambda record: isinstance(record, Discarded) and about(record) == about(told)):
            self._take()

    # -- comparing ---------------------------------------------------------------------------------------------------

    def _expect(self, now: Record, agrees: Callable[[Record], bool]) -> bool:
        """Whether what happens now is what the journal says next."""
        if self.divergence is not None:
            return False
        record = self._peek()
        if record is None:  # the journal ends here, as that of a process that was killed: all it has was the same
            return False
        if not agrees(record):
            self._part(said(record), said(now))
            return False
        return True

    def _compare(self, operations: int, recorded: int | None, state: object, ops: list[Operation]) -> None:
        if operations != len(ops):
            asked = ", ".join(operation_in_words(op) for op in ops) or "nothing"
            self._part(f"the handler asked for {operations} things", f"it asks for {len(ops)}: {asked}", state)
        elif recorded is not None and self._digest is not None:
            digest = self._digest.of(state)
            if digest != recorded:
                self._part(f"the state came to hash {recorded:08x}", f"it comes to {digest:08x}", state)

    def _part(self, recorded: str, now: str, state: object = None) -> None:
        if self.divergence is not None:
            return
        changes = () if state is None else tuple(differences(plain(self._before), plain(state)))[:CHANGES]
        record = self._ahead if self._ahead is not None else self.last
        self.divergence = Divergence(
            self.handled_so_far,
            getattr(record, "target", self.header.room),
            served_in_words(record, self.serving),
            recorded,
            now,
            changes,
        )

    def _port(self, cell: Cell, call: Callable[..., object], arguments: tuple[object, ...]) -> None:
        """Not called. What came back while it was, the journal says."""
        while isinstance(record := self._peek(), Entered) and self._came_meanwhile(cell, record):
            self._enter(record)
        if isinstance(record, NotCarriedOut) and record.target == cell.path and _is_named(call, record.operation):
            raise _error(record.error)

    def _came_meanwhile(self, cell: Cell, record: Entered) -> bool:
        caused = record.sender == cell.path and record.cause == cell.cause_id and record.timer is None
        return caused and self._numbers.before_next(record.id)


def _error(recorded: object) -> BaseException:
    return recorded if isinstance(recorded, BaseException) else RuntimeError(str(recorded))


def _is_named(call: object, operation: str) -> bool:
    """Whether a port that is asked for is the one that raised."""
    name = getattr(call, "type_name", None) or getattr(call, "__name__", type(call).__name__)
    return str(name).replace(":", ".").rpartition(".")[2] == operation.rpartition(" ")[2].rpartition(".")[2]
