"""What users of Pykka know keeps working with our actors, and their own actors talk to ours through ordinary refs."""

from __future__ import annotations

import asyncio
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pykka
import pytest
from pykka._envelope import Envelope as StockEnvelope

from sessionactors.runtime import ActorSystem, KernelFuture

from tests.runtime.scripted import (
    Boom,
    Do,
    Note,
    Probe,
    Report,
    Scripted,
    ask,
    child,
    eventually,
    fails,
    on_loop,
    spawn,
    state_of,
)

REAL = pytest.mark.modes("own", "own+uvloop", "running")


async def test_a_ref_is_a_pykka_ref(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    assert isinstance(ref, pykka.ActorRef)
    assert ref.actor_urn == "urn:sessionactors:room"
    assert issubclass(ref.actor_class, pykka.Actor)
    assert (str(ref), repr(ref)) == ("room", "<Ref room>")


async def test_tell(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    ref.tell(Note(1))
    assert await state_of(ref) == (1,)


@REAL
async def test_ask_blocks_on_a_thread(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    assert await asyncio.to_thread(lambda: ref.ask(Report(), timeout=1.0)) == ()


@REAL
async def test_ask_gives_a_future_to_get_or_await(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    future = ref.ask(Report(), block=False)
    assert isinstance(future, pykka.Future)
    assert await asyncio.to_thread(future.get) == ()
    assert await future == ()
    assert await asyncio.to_thread(lambda: pykka.get_all([ref.ask(Report(), block=False)])) == [()]


async def test_stop_and_is_alive(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    assert ref.is_alive()
    assert await asyncio.to_thread(ref.stop) is True
    assert not ref.is_alive()
    assert ref.stop() is False
    assert await ref.stop(block=False) is False


async def test_whoever_waits_for_the_end_is_woken(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    assert not ref.actor_stopped.is_set()
    assert ref.actor_stopped.wait(0.0) is False
    loop, begun = asyncio.get_running_loop(), asyncio.Event()

    def wait() -> bool:
        loop.call_soon_threadsafe(begun.set)
        return ref.actor_stopped.wait(5.0)

    waiting = asyncio.ensure_future(asyncio.to_thread(wait))
    await begun.wait()  # not by the clock: in virtual time it waits for the thread, which waits for us
    await ref.stop(block=False)
    assert await waiting is True
    assert (ref.actor_stopped.is_set(), ref.actor_stopped.wait()) == (True, True)


async def test_a_dead_actor_raises_as_pykka_does(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    await ref.stop(block=False)
    with pytest.raises(pykka.ActorDeadError):
        ref.tell(Note(1))
    with pytest.raises(pykka.ActorDeadError):
        await asyncio.to_thread(ref.ask, Note(1))


# -- futures -----------------------------------------------------------------------------------------------------------


def test_map_filter_and_reduce() -> None:
    numbers = KernelFuture()
    doubled = numbers.map(lambda found: [number * 2 for number in found])  # type: ignore[attr-defined]
    even: Any = numbers.filter(lambda number: number % 2 == 0)  # type: ignore[misc]
    total: Any = numbers.reduce(lambda one, two: one + two, 0)  # type: ignore[misc]
    numbers.set([1, 2, 3, 4])
    assert (doubled.get(), even.get(), total.get()) == ([2, 4, 6, 8], [2, 4], 10)


def test_join() -> None:
    one, two = KernelFuture(), KernelFuture()
    joined: Any = one.join(two)
    one.set("a")
    two.set("b")
    assert joined.get(timeout=1.0) == ["a", "b"]


async def test_what_is_mapped_or_joined_can_be_awaited() -> None:
    one, two = KernelFuture(), KernelFuture()
    joined: Any = one.join(two).map("".join)
    one.set("a")
    threading.Timer(0.01, two.set, args=("b",)).start()
    assert await joined == "ab"


def test_a_future_is_set_once() -> None:
    future = KernelFuture()
    future.set(1)
    with pytest.raises(Exception):  # noqa: B017, PT011  # queue.Full, as in Pykka
        future.set(2)
    with pytest.raises(Exception):  # noqa: B017, PT011
        future.set_get_hook(lambda timeout: 3)
    assert future.get() == 1


def test_a_future_with_a_hook_cannot_be_set() -> None:
    future = KernelFuture().map(lambda value: value)
    with pytest.raises(Exception):  # noqa: B017, PT011
        future.set(1)


def test_set_exception_takes_what_pykka_takes() -> None:
    handled, given, bare = KernelFuture(), KernelFuture(), KernelFuture()
    try:
        raise Boom("handled")
    except Boom:
        handled.set_exception()
        info = sys.exc_info()
    given.set_exception(info)
    bare.set_exception((Boom, None, None))
    for future in (handled, given, bare):
        with pytest.raises(Boom):
            future.get()


def test_set_exception_outside_of_an_except_block_says_so() -> None:
    future = KernelFuture()
    future.set_exception()
    with pytest.raises(RuntimeError, match="outside of an except block"):
        future.get()


# -- users' own actors -------------------------------------------------------------------------------------------------


class Neighbour(pykka.ThreadingActor):
    """A user's own actor, which talks to ours."""

    def __init__(self, probe: Probe) -> None:
        super().__init__()
        self._probe = probe

    def on_receive(self, message: Any) -> Any:
        if callable(message):
            return message()
        self._probe.put(message)
        return None


@pytest.fixture
def neighbour(probe: Probe) -> Iterator[pykka.ActorRef[Neighbour]]:
    ref = Neighbour.start(probe)
    yield ref
    ref.stop(timeout=5.0)


@REAL
async def test_a_stock_actor_tells_and_asks_ours(system: ActorSystem, neighbour: pykka.ActorRef[Neighbour]) -> None:
    ref = await spawn(system, "room", Scripted)

    def visit() -> object:
        ref.tell(Note("from a neighbour"))
        return ref.ask(Report())

    assert await asyncio.to_thread(neighbour.ask, visit) == ("from a neighbour",)


@REAL
async def test_a_stock_actor_is_told_by_ours(
    system: ActorSystem, neighbour: pykka.ActorRef[Neighbour], probe: Probe
) -> None:
    ref = await spawn(system, "room", Scripted)
    await ask(ref, lambda out: out.tell(neighbour, "hello"))
    assert await probe.count(1) == ["hello"]


@REAL
async def test_what_a_failing_handler_tells_a_stock_actor_is_not_sent(
    system: ActorSystem, neighbour: pykka.ActorRef[Neighbour], probe: Probe
) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child")

    def act(out: Any) -> None:
        out.tell(neighbour, "hello")
        raise Boom

    with pytest.raises(Boom):
        await ask(ref, act)
    await ask(ref, lambda out: out.tell(neighbour, "second"))
    assert await probe.count(1) == ["second"]


async def test_a_message_to_a_dead_stock_actor_is_a_dead_letter(system: ActorSystem, probe: Probe) -> None:
    dead = Neighbour.start(probe)
    dead.stop(timeout=5.0) if system.mode == "own" else dead.stop(block=False)
    await eventually(lambda: not dead.is_alive())
    ref = await spawn(system, "room", Scripted)
    await ask(ref, lambda out: out.tell(dead, "hello"))
    [letter] = await on_loop(system, lambda: list(system.dead_letters.last))
    assert (letter.target, letter.reason) == (str(dead), "the Pykka actor is dead")


@REAL
async def test_an_envelope_that_stock_code_puts_into_our_inbox_is_delivered(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    asked: pykka.Future[Any] = pykka.ThreadingFuture()
    await asyncio.to_thread(ref.actor_inbox.put, StockEnvelope(Note("by the inbox")))
    await asyncio.to_thread(ref.actor_inbox.put, StockEnvelope(Report(), reply_to=asked))
    assert await asyncio.to_thread(asked.get, timeout=5.0) == ("by the inbox",)
    assert ref.actor_inbox.empty()


@REAL
async def test_a_failure_reaches_the_stock_future_that_waits(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    failing: pykka.Future[Any] = pykka.ThreadingFuture()
    await asyncio.to_thread(ref.actor_inbox.put, StockEnvelope(Do(fails()), reply_to=failing))
    with pytest.raises(Boom):
        await asyncio.to_thread(failing.get, timeout=5.0)
    dead: pykka.Future[Any] = pykka.ThreadingFuture()
    await asyncio.to_thread(ref.actor_inbox.put, StockEnvelope(Report(), reply_to=dead))
    with pytest.raises(pykka.ActorDeadError):
        await asyncio.to_thread(dead.get, timeout=5.0)


async def test_a_full_inbox_is_not_empty(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    await ref.suspend()
    await on_loop(system, lambda: ref.tell(Note(1)))
    assert not ref.actor_inbox.empty()


def test_the_example_of_the_docs_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "pykka.md").read_text()
    [example] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(compile(example, "docs/pykka.md", "exec"), {"__name__": __name__})
    assert capsys.readouterr().out == "hello\nagain\n"
