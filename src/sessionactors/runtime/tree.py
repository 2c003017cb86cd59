"""A room's tree of actors, and what the kernel keeps for the room as a whole: ids, seed, scopes, obligations, sums."""

from __future__ import annotations

import asyncio
import contextvars
import random
from collections import Counter
from itertools import count
from typing import TYPE_CHECKING

from .accounts import Accounts
from .clock import NS
from .obligation import Obligation, ObligationExpired
from .scope import Scope
from .witness import Witness, Witnesses

if TYPE_CHECKING:
    from .cell import Cell
    from .system import ActorSystem
    from .ticker import Alarm


class Tree:
    """One root actor and everything below it."""

    def __init__(
        self,
        system: ActorSystem,
        name: str,
        *,
        seed: int,
        user_loop: asyncio.AbstractEventLoop | None,
        user_context: contextvars.Context | None,
    ) -> None:
        self.system = system
        self.name = name
        self.user_loop = user_loop
        self.user_context = user_context
        self.random = random.Random(f"{seed}:{name}")
        self.message_ids = count(1)
        self.next_message_id = self.message_ids.__next__
        self.counters: dict[str, count[int]] = {}
        """The last number of each kind of name that `new_id` has given."""
        self.root: Cell | None = None
        self.cells: dict[str, Cell] = {}
        self.ended: list[tuple[str, str | None]] = []
        """Actors that have ended while the tree was closing: path, and why one was abandoned."""
        self.ended_accounts = Accounts()
        """Sums of the actors that have ended."""
        self.open_scopes: dict[str, Scope] = {}
        self.closed_scopes = 0
        self.obligations: dict[str, Obligation] = {}
        self._alarms: dict[str, Alarm] = {}
        self.dead_letters = 0
        self.undeliverable = 0
        """Messages to actors that had ended: received by no mailbox."""
        self.restarts: Counter[str] = Counter()
        """By path, of actors that have ended too."""
        self.closing = False
        self.witness: Witnesses | None = None
        """Who is told everything; None, as a rule: nobody."""

    def observe(self, witness: Witness) -> None:
        """On the actor loop: tell ``witness`` everything from now on."""
        self.witness = Witnesses(*(self.witness.each if self.witness is not None else ()), witness)
        for cell in self.cells.values():
            cell.receive = None

    def keep(self, why: str) -> list[object]:
        """Something is wrong: have what was seen of this tree kept, if it has a black box. From any thread.

        Returns:
            What those who kept something say of it: a path, as a rule.
        """
        return [] if self.witness is None else self.witness.keep(why)

    def new_id(self, kind: str) -> str:
        """``kind-1``, ``kind-2``, ...: for those outside of the handlers, from any thread."""
        name = self.next_id(kind)
        if self.witness is not None:
            self.witness.named(self, name)
        return name

    def next_id(self, kind: str) -> str:
        """For handlers: as :meth:`new_id`."""
        counter = self.counters.setdefault(kind, count(1))  # atomic: users' threads name speeches too
        return f"{kind}-{next(counter)}"

    def scope_closed(self, scope: Scope) -> None:
        """Forget a closed scope and those inside it."""
        self.closed_scopes += 1
        for path, other in list(self.open_scopes.items()):
            if other.is_within(scope):
                del self.open_scopes[path]

    def oblige(self, obligation: Obligation) -> None:
        """Open an obligation and watch its deadline."""
        self.discharge(obligation.key)
        self.obligations[obligation.key] = obligation
        self._alarms[obligation.key] = self.system.ticker.at(obligation.deadline, lambda: self._expired(obligation))

    def discharge(self, key: str) -> None:
        """Close an obligation, if it is open."""
        self.obligations.pop(key, None)
        alarm = self._alarms.pop(key, None)
        if alarm is not None:
            alarm.cancel()

    def _expired(self, obligation: Obligation) -> None:
        from .commit import told_of_end  # noqa: PLC0415 - commit knows trees

        self._alarms.pop(obligation.key, None)
        root = self.root
        if root is None or root.stopping:
            return
        now = self.system.clock.now()
        told_of_end(
            root,
            ObligationExpired(obligation.key, obligation.owner, obligation.waits_for, (now - obligation.since) / NS),
            obligation.owner,
            now,
            from_outside=True,
        )

    def cell_ended(self, cell: Cell) -> None:
        """An actor has ended: keep its sums."""
        if self.cells.get(cell.path) is cell:
            del self.cells[cell.path]
        self.ended_accounts.add(cell.mailbox.accounts)
        if self.closing:
            self.ended.append((cell.path, cell.abandoned))
        for key, obligation in list(self.obligations.items()):
            if obligation.owner == cell.path:
                self.discharge(key)
        if cell is self.root:
            for key in list(self._alarms):
                self.discharge(key)
            self.open_scopes.clear()
            self.system.tree_ended(self)

    def accounts(self) -> Accounts:
        """The sums over all actors, living and ended."""
        total = self.ended_accounts.copy()
        for cell in list(self.cells.values()):
            total.add(cell.mailbox.accounts)
        return total
