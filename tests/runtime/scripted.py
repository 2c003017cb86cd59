"""Actors for kernel tests: their messages carry what their handlers shall do, so a test reads from top to bottom."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias, TypeVar, cast

from sessionactors.runtime import (
    Actor,
    ActorSnapshot,
    ActorSystem,
    ChildSpec,
    KernelFuture,
    Lane,
    MailboxBounds,
    Outbox,
    Overflow,
    Ref,
    Scope,
    Supervision,
    message,
)

T = TypeVar("T")
Out: TypeAlias = Outbox[Any]
Act: TypeAlias = Callable[[Out], object]
State: TypeAlias = tuple[object, ...]
"""What was noted, in order."""

DEFAULT_CHILD = ChildSpec()
PATIENCE = 5.0
"""Real seconds that a test waits for something that should happen at once."""


class Boom(Exception):
    """What handlers of these tests raise."""


@message()
class Do:
    """Run ``act`` in the handler."""

    act: Act


@message(lane=Lane.CONTROL)
class DoNow:
    """Run ``act`` in the handler, ahead of data."""

    act: Act


@message()
class Note:
    """Add ``what`` to the state."""

    what: object


@message(lane=Lane.CONTROL)
class NoteNow:
    """Add ``what`` to the state, ahead of data."""

    what: object


@message(fenced=True)
class Fenced:
    """A note that a closed scope discards."""

    scope: Scope
    what: object


@message(lane=Lane.CONTROL, fenced=True)
class FencedNow:
    """A control note that a closed scope discards."""

    scope: Scope
    what: object


@message()
class Accounting:
    """A note of a scope that is handled also when the scope is closed."""

    scope: Scope
    what: object


@message(overflow=Overflow.DROP_OLDEST)
class Oldest:
    """Gives way to newer ones in a full lane."""

    what: object


@message(overflow=Overflow.DROP_NEWEST)
class Newest:
    """Is dropped by a full lane."""

    what: object


@message(overflow=Overflow.DROP_OLDEST, limit=2)
class OldestOfTwo:
    """At most two of this type wait."""

    what: object


@message(overflow=Overflow.DROP_NEWEST, limit=2)
class NewestOfTwo:
    """At most two of this type wait."""

    what: object


@message(limit=2)
class RefusedAfterTwo:
    """At most two of this type wait."""

    what: object


@message(overflow=Overflow.CONFLATE)
class Level:
    """Only the newest matters."""

    what: object


@message(overflow=Overflow.CONFLATE, key=lambda message: message.of)
class LevelOf:
    """Only the newest of each ``of`` matters."""

    of: str
    what: object


@message(lane=Lane.CONTROL, overflow=Overflow.CONFLATE, key=lambda message: message.of)
class Pause:
    """A command that supersedes an older one for the same ``of``."""

    of: str
    what: object


@message()
class Report:
    """Asked for: the state."""


@message(lane=Lane.CONTROL)
class ReportNow:
    """Asked for, ahead of data: the state."""


class Scripted(Actor[State, Any]):
    """Does what its messages say, and notes all others."""

    def __init__(self, *, began: Act | None = None, ended: Act | None = None, again: Act | None = None) -> None:
        self._began = began
        self._ended = ended
        self._again = again

    def initial(self) -> State:
        return ()

    def started(self, state: State, out: Out) -> State:
        if self._began is not None:
            self._began(out)
        return state

    def restarted(self, state: State, error: BaseException, out: Out) -> State:
        if self._again is not None:
            self._again(out)
            return state
        return self.started(state, out)

    def stopped(self, state: State, out: Out) -> None:
        if self._ended is not None:
            self._ended(out)

    def receive(self, state: State, message: Any, out: Out) -> State:
        match message:
            case Do(act) | DoNow(act):
                noted = act(out)
                return state if noted is None else (*state, noted)
            case Report() | ReportNow():
                out.reply(state)
                return state
            case Note(what) | NoteNow(what) | Oldest(what) | Newest(what) | Level(what):
                return (*state, what)
            case OldestOfTwo(what) | NewestOfTwo(what) | RefusedAfterTwo(what):
                return (*state, what)
            case LevelOf(of, what) | Pause(of, what):
                return (*state, (of, what))
            case Fenced(_, what) | FencedNow(_, what) | Accounting(_, what):
                return (*state, what)
            case _:
                return (*state, message)

    def summary(self, state: State) -> Mapping[str, object]:
        return {"notes": len(state)}


class Threaded(Scripted):
    """Runs its handlers in a thread of its own."""

    own_thread = True


def with_bounds(control: int = 64, data: int = 1024, base: type[Scripted] = Scripted) -> type[Scripted]:
    """A scripted actor whose mailbox is that small."""

    class Small(base):  # type: ignore[valid-type,misc]  # a base given at run time
        bounds = MailboxBounds(control=control, data=data)

    return Small


def with_supervision(supervision: Supervision, base: type[Scripted] = Scripted) -> type[Scripted]:
    """A scripted actor that supervises its children so."""

    class Parent(base):  # type: ignore[valid-type,misc]  # a base given at run time
        pass

    Parent.supervision = supervision
    return Parent


def fails(error: BaseException | None = None) -> Act:
    """An act that raises."""

    def act(out: Out) -> object:
        raise Boom("boom") if error is None else error

    return act


async def spawn(system: ActorSystem, name: str, factory: Callable[[], Actor[Any, Any]], **options: Any) -> Ref[Any]:
    """Start a tree; on another thread where that waits for the actor loop."""
    if system.mode == "own":
        return await asyncio.to_thread(lambda: system.spawn(name, factory, **options))
    return system.spawn(name, factory, **options)


async def child(
    of: Ref[Any], name: str, factory: Callable[[], Actor[Any, Any]] = Scripted, spec: ChildSpec = DEFAULT_CHILD
) -> Ref[Any]:
    """Let a scripted actor start a child."""
    ref = await ask(of, lambda out: out.reply(out.spawn(name, factory, spec)))
    assert isinstance(ref, Ref)
    return ref


async def ask(ref: Ref[Any], act: Act) -> object:
    """Run an act in the handler of a scripted actor; its ``out.reply`` is the answer."""
    return await ref.ask(Do(act), block=False)


async def on_loop(system: ActorSystem, call: Callable[[], T]) -> T:
    """Run something on the actor loop, after all that was told from here before."""
    future = KernelFuture()

    def run() -> None:
        try:
            future.set(call())
        except BaseException as error:
            future.fail(error)

    system.call(run)
    return cast("T", await future)


async def quiet(ref: Ref[Any]) -> None:
    """Wait until the actor has handled all that waited."""
    cell, mailbox = ref.cell, ref.cell.mailbox
    await eventually(
        lambda: not any(cell.on_the_way) and not mailbox.control and not mailbox.data and cell.current is None
    )


async def snapshot_of(system: ActorSystem, ref: Ref[Any]) -> ActorSnapshot:
    """An actor's snapshot, after all that was told from here before has arrived."""
    return (await on_loop(system, lambda: system.inspect(ref.cell.tree.name)))[ref.path]


def holding(entered: Probe, leave: threading.Event) -> Act:
    """An act that says that it has begun, and goes on when it may."""

    def act(out: Out) -> None:
        entered.put()
        leave.wait(10)

    return act


async def last_is_first(system: ActorSystem, ref: Ref[Any]) -> None:
    """Let the newest waiting data message overtake the others."""
    data = ref.cell.mailbox.data
    assert data is not None
    await on_loop(system, lambda: data.rotate(1))


async def state_of(ref: Ref[Any]) -> State:
    """The notes of an actor, after all that was told to it before from here."""
    state = await ref.ask(Report(), block=False)
    assert isinstance(state, tuple)
    return state


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class Probe:
    """Collects what actors and effects put into it, on any thread, and lets a test wait for it."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self._lock = threading.Lock()
        self._waiters: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []

    def put(self, item: object = None) -> None:
        """From any thread."""
        with self._lock:
            self.items.append(item)
            waiters, self._waiters = self._waiters, []
        for loop, future in waiters:
            loop.call_soon_threadsafe(_settle, future)

    async def until(self, condition: Callable[[list[Any]], object]) -> list[Any]:
        """Wait until the items are as wanted."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(PATIENCE):
            while True:
                with self._lock:
                    if condition(self.items):
                        return list(self.items)
                    future: asyncio.Future[None] = loop.create_future()
                    self._waiters.append((loop, future))
                await future

    async def count(self, number: int) -> list[Any]:
        """Wait until there are that many."""
        return await self.until(lambda items: len(items) >= number)


@dataclass(frozen=True)
class Mode:
    """One way to run actors; calling it makes the loop of the test."""

    name: str
    new_loop: Callable[[], asyncio.AbstractEventLoop]
    new_system: Callable[..., ActorSystem]
    virtual: bool = False
    own: bool = False
    missing: ClassVar[str] = ""

    def __call__(self) -> asyncio.AbstractEventLoop:
        return self.new_loop()


async def eventually(condition: Callable[[], object]) -> None:
    """Wait, by turns of the loop, for something that another thread or task does; fails after a while."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110  # what is waited for has no event
            await asyncio.sleep(0.001)
