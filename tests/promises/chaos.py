"""A tree of actors whose handlers do everything the kernel offers, at random, from the room's seeded generator.

What happens depends on the seed and on the order of deliveries alone, so a seed is a run.
"""

from __future__ import annotations

import asyncio
from typing import Any, TypeAlias

from sessionactors.runtime import (
    Actor,
    ActorSystem,
    Backoff,
    ChildSpec,
    Lane,
    MailboxBounds,
    ObligationExpired,
    Outbox,
    Overflow,
    Ref,
    Restart,
    Scope,
    Strategy,
    Supervision,
    message,
)

CHILDREN = ("a", "b", "c", "d")
MOST = 400
"""Messages of work that one tree may start: chaos must end."""


class Misfortune(Exception):
    """What handlers raise."""


@message()
class Work:
    """Do something at random."""

    left: int


@message(overflow=Overflow.DROP_OLDEST, limit=3)
class Frame:
    """Gives way."""

    number: int


@message(overflow=Overflow.CONFLATE, key=lambda told: told.of)
class Level:
    """Only the newest of each."""

    of: int


@message(lane=Lane.CONTROL, overflow=Overflow.CONFLATE, key=lambda told: told.of)
class Order:
    """Control, by key."""

    of: int


@message(fenced=True)
class Text:
    """Of a scope that may close."""

    scope: Scope


@message()
class Kept:
    """Stashed by whom it finds at work, and brought back by the next order."""


@message()
class Ended:
    """An effect, or an actor, came to its end."""

    what: str


Told: TypeAlias = Work | Frame | Level | Order | Text | Kept | Ended | ObligationExpired
Out: TypeAlias = Outbox[Told]
ERRORS = (Misfortune, asyncio.CancelledError, SystemExit, GeneratorExit)


class Crew:
    """The refs that members of a tree know each other by."""

    def __init__(self) -> None:
        self.refs: dict[str, Ref[Any]] = {}
        self.started = 0
        self.scopes: list[Scope] = []

    def some(self, out: Out) -> Ref[Any]:
        names = sorted(self.refs)
        return self.refs[names[int(out.random() * len(names))]]


class Member(Actor[int, Told]):
    """Counts what it handles, and makes work for others."""

    bounds = MailboxBounds(control=8, data=12)
    supervision = Supervision(Strategy.REST_FOR_ONE, max_restarts=10_000, backoff=Backoff(0.001, 0.01))

    def __init__(self, crew: Crew, children: tuple[str, ...] = ()) -> None:
        self._crew = crew
        self._children = children

    def initial(self) -> int:
        return 0

    def started(self, state: int, out: Out) -> int:
        for index, name in enumerate(self._children):
            spec = ChildSpec(keep_state=index % 2 == 0, restart=Restart.TEMPORARY if name == "d" else Restart.TRANSIENT)
            self._crew.refs[name] = out.spawn(name, lambda: Member(self._crew), spec)
        return state

    def receive(self, state: int, message: Told, out: Out) -> int:
        match message:
            case Work(left):
                self._work(left, out)
            case Order():
                out.unstash_all()
            case Kept():
                if out.random() < 0.5:
                    out.stash()
            case _:
                pass
        return state + 1

    def _work(self, left: int, out: Out) -> None:
        crew = self._crew
        for _ in range(3):
            if left and crew.started < MOST:
                crew.started += 1
                out.tell(crew.some(out), Work(left - 1))
        if not self._children:  # a root that failed would end the tree
            acts = (self._flood, self._order, self._scope, self._timer, self._effect, self._keep, self._fail)
            acts[int(out.random() * len(acts))](out)

    def _flood(self, out: Out) -> None:
        target = self._crew.some(out)
        for number in range(5):
            out.tell(target, Frame(number))
            out.tell(target, Level(number % 2))

    def _order(self, out: Out) -> None:
        out.tell(self._crew.some(out), Order(int(out.random() * 4)))
        out.cancel_effect("e", report=out.random() < 0.5)

    def _scope(self, out: Out) -> None:
        scopes = self._crew.scopes
        scope = out.open_scope(out.new_id("scope"))
        scopes.append(scope)
        out.tell(self._crew.some(out), Text(scope))
        out.close_scope(scopes[int(out.random() * len(scopes))])

    def _timer(self, out: Out) -> None:
        out.timer("t", out.random() * 0.01, Frame(9))
        if out.random() < 0.3:
            out.cancel_timer("t")
        out.oblige("o", "nothing", out.random() * 0.01)

    def _keep(self, out: Out) -> None:
        for _ in range(3):
            out.tell(self._crew.some(out), Kept())

    def _fail(self, out: Out) -> None:
        out.tell(self._crew.some(out), Frame(0))  # never sent
        raise ERRORS[int(out.random() * len(ERRORS))](f"at {out.message_id}")

    def _effect(self, out: Out) -> None:
        pauses = [out.random() * 0.005 for _ in range(3)]

        async def run(port: Any) -> str:
            for pause in pauses:
                await asyncio.sleep(pause)
                await port.send(Frame(0))
            if pauses[0] < 0.001:
                raise Misfortune("effect")
            return "done"

        out.effect("e", run, failed=lambda error: Ended(type(error).__name__), done=Ended, deadline=0.01, window=1)


async def start(system: ActorSystem, name: str) -> tuple[Ref[Told], Crew]:
    """A tree of a root and four members."""
    crew = Crew()
    root: Ref[Told] = system.spawn(name, lambda: Member(crew, CHILDREN))
    return root, crew


async def run_to_rest(system: ActorSystem, *names: str) -> None:
    """Let the trees work until nothing is left to do (in virtual time)."""
    quiet = 0
    while quiet < 3:
        await asyncio.sleep(0.05)
        waiting = any(
            cell.mailbox.data or cell.mailbox.control or cell.effects or cell.ending_effects or cell.timers
            for name in names
            if name in system.trees
            for cell in list(system.trees[name].cells.values())
        )
        quiet = 0 if waiting or not system.dispatcher.idle() else quiet + 1
