"""A witness is told everything that decides the order and the life of a tree, and changes nothing of it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from sessionactors.runtime import ActorSystem, EffectPort, Lane, Outbox, Overflow, Ref, message
from sessionactors.runtime.effect import Effect
from sessionactors.runtime.messages import Kill
from sessionactors.runtime.witness import Fate, Happening, Hook, Witness
from sessionactors.testing import run

from tests.runtime.scripted import Boom, Do, Note, NoteNow, Out, Scripted


@message(fenced=True)
class Scoped:
    """Fenced."""

    scope: Any


@message(lane=Lane.CONTROL, overflow=Overflow.CONFLATE)
class Newest:
    """Only the newest matters."""

    value: int


class Teller(Witness):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def _note(self, *words: object) -> None:
        self.told.append(" ".join(str(word) for word in words))

    def entered(self, cell: Any, envelope: Any) -> None:
        self._note("entered", cell.path, type(envelope.message).__name__, "from", envelope.sender)

    def ordered(self, cell: Any, message: Any) -> None:
        self._note("ordered", cell.path, type(message).__name__)

    def obeyed(self, cell: Any, message: Any) -> None:
        self._note("obeyed", cell.path, type(message).__name__)

    def taken(self, cell: Any, envelope: Any, began: int) -> None:
        self._note("taken", cell.path, type(envelope.message).__name__)

    def handled(self, cell: Any, envelope: Any, began: int, ended: int, state: object, ops: list[Any]) -> None:
        self._note("handled", cell.path, type(envelope.message).__name__, len(ops))

    def committed(self, cell: Any, envelope: Any, error: BaseException | None) -> None:
        self._note("committed", cell.path, type(error).__name__ if error else "well")

    def failed(self, cell: Any, envelope: Any, error: BaseException, began: int) -> None:
        self._note("failed", cell.path, type(error).__name__)

    def hooked(self, cell: Any, hook: Hook, now: int, state: object, ops: list[Any]) -> None:
        self._note("hooked", cell.path, hook.value)

    def hook_failed(self, cell: Any, hook: Hook, now: int, error: BaseException) -> None:
        self._note("hook failed", cell.path, hook.value)

    def not_carried_out(self, cell: Any, operation: Any, error: BaseException) -> None:
        self._note("not carried out", cell.path, type(error).__name__)

    def discarded(self, cell: Any, envelope: Any, fate: Fate, now: int) -> None:
        self._note("discarded", cell.path, type(envelope.message).__name__, fate.value)

    def happened(self, cell: Any, what: Happening, effect: Effect | None, now: int) -> None:
        self._note("happened", cell.path, what.value, effect.key if effect is not None else "-")

    def finished(self, cell: Any) -> None:
        self._note("finished", cell.path)

    def named(self, tree: Any, name: str) -> None:
        self._note("named", name)


def witnessed(script: Any, factory: Any = Scripted) -> list[str]:
    """What a witness is told while ``script(system, root)`` runs in virtual time, and the room is closed."""
    teller = Teller()

    async def live() -> None:
        system = ActorSystem("running")
        system.start()
        root = system.spawn("room", factory, witness=teller)
        await script(system, root)
        await system.stop_tree("room")
        await system.aclose()

    run(live)
    return teller.told


END = ["happened room closing -", "hooked room stopped", "finished room"]


def test_what_people_tell_enters_and_what_handlers_tell_does_not() -> None:
    async def script(system: ActorSystem, root: Ref[Any]) -> None:
        root.tell(Do(lambda out: out.tell(out.myself, Note("again"))))
        await root.ask(Note("asked"), block=False)
        await asyncio.sleep(0.1)

    assert witnessed(script) == [
        "hooked room started",
        "entered room Do from edge",
        "entered room Note from edge",
        "handled room Do 1",
        "committed room well",
        "handled room Note 0",
        "committed room well",
        "handled room Note 0",
        "committed room well",
        *END,
    ]


@pytest.mark.parametrize("burst", [1, 3])
def test_what_another_tree_tells_enters(burst: int) -> None:
    async def script(system: ActorSystem, root: Ref[Any]) -> None:
        other = system.spawn("elsewhere", Scripted)

        def tell_room(out: Out) -> None:
            for number in range(burst):
                out.tell(root, Note(str(number)))

        other.tell(Do(tell_room))
        await asyncio.sleep(0.1)
        await system.stop_tree("elsewhere")

    assert witnessed(script) == [
        "hooked room started",
        *["entered room Note from elsewhere"] * burst,
        *["handled room Note 0", "committed room well"] * burst,
        *END,
    ]


def test_timers_and_effects_enter_and_their_ends_are_told() -> None:
    async def work(port: EffectPort[Any]) -> None:
        await port.send(Note("said"))

    async def slow(port: EffectPort[Any]) -> None:
        await asyncio.sleep(9)

    def start(out: Out) -> None:
        out.timer("t", 1, Note("due"))
        out.effect("work", work, done=lambda _: Note("done"), failed=Note)
        out.effect("slow", slow, failed=Note, deadline=0.5)

    async def script(system: ActorSystem, root: Ref[Any]) -> None:
        root.tell(Do(start))
        await asyncio.sleep(2)

    told = [line for line in witnessed(script) if line.startswith(("entered", "happened"))]
    assert told == [
        "entered room Do from edge",
        "entered room Note from room#work",
        "happened room effect ended work",
        "entered room Note from room#work",
        "happened room effect expired slow",
        "entered room Note from room#slow",
        "happened room effect ended slow",
        "entered room Note from room",
        "happened room closing -",
    ]


def test_failures_restarts_and_ports_that_raise() -> None:
    def broken_port() -> None:
        raise Boom

    def fail(out: Out) -> None:
        raise Boom

    async def script(system: ActorSystem, root: Ref[Any]) -> None:
        children: list[Ref[Any]] = []
        root.tell(Do(lambda out: children.append(out.spawn("child", Scripted))))
        await asyncio.sleep(0.1)
        children[0].tell(Do(fail))
        await asyncio.sleep(2)
        children[0].tell(Do(lambda out: out.port(broken_port)))
        await asyncio.sleep(2)

    told = [line for line in witnessed(script) if "room/child" in line]
    assert told == [
        "hooked room/child started",
        "entered room/child Do from edge",
        "failed room/child Boom",
        "happened room/child restart due -",
        "hooked room/child restarted",
        "entered room/child Do from edge",
        "handled room/child Do 1",
        "not carried out room/child Boom",
        "committed room/child Boom",
        "happened room/child restart due -",
        "hooked room/child restarted",
        "hooked room/child stopped",
        "finished room/child",
    ]


def test_orders_and_what_is_never_handled() -> None:
    async def script(system: ActorSystem, root: Ref[Any]) -> None:
        scopes: list[Any] = []
        root.tell(Do(lambda out: scopes.append(out.open_scope("s"))))
        await asyncio.sleep(0.1)
        await root.suspend()
        root.tell(Newest(1))
        root.tell(Newest(2))
        root.tell(Scoped(scopes[0]))
        late = root.ask(Note("late"), block=False, timeout=0.5)
        root.tell(Do(lambda out: out.stop(out.myself)))
        root.tell(Note("too late"))
        system.tree("room").new_id("by-hand")
        await asyncio.sleep(1)
        scopes[0].close()
        assert not late.done()
        await root.step()
        await root.resume()
        await asyncio.sleep(0.1)

    told = witnessed(script)
    assert [line for line in told if line.split()[0] in ("ordered", "obeyed", "discarded", "named")] == [
        "ordered room Suspend",
        "obeyed room Suspend",
        "discarded room Newest conflated",
        "named by-hand-1",
        "ordered room Step",
        "obeyed room Step",
        "ordered room Resume",
        "obeyed room Resume",
        "discarded room Scoped fenced",
        "discarded room Note expired",
        "obeyed room Stop",
        "discarded room Note dead",
    ]


def test_a_kill_is_an_order_and_a_failed_start_is_told() -> None:
    class Stillborn(Scripted):
        def started(self, state: Any, out: Outbox[Any]) -> Any:
            raise Boom

    async def script(system: ActorSystem, root: Ref[Any]) -> None:
        root.tell(Do(lambda out: out.spawn("child", Stillborn)))
        await asyncio.sleep(9)
        if not root.cell.stopping:
            root.cell.deliver_system(Kill(Boom()))
        await asyncio.sleep(1)

    told = witnessed(script)
    assert told.count("hook failed room/child started") == 1
    assert told.count("hook failed room/child restarted") == 3
    assert told[-1] == "finished room"


def test_an_end_that_takes_too_long_is_told_for_the_children_of_a_restart_too() -> None:
    async def stubborn(port: EffectPort[Any]) -> None:
        until = asyncio.get_running_loop().time() + 4
        while (left := until - asyncio.get_running_loop().time()) > 0:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(left)

    def spawn(out: Out) -> None:
        child = out.spawn("child", Scripted)
        out.tell(child, Do(lambda out: out.tell(out.spawn("grandchild", Scripted), Do(start))))

    def start(out: Out) -> None:
        out.effect("stubborn", stubborn, failed=Note)

    async def script(system: ActorSystem, root: Ref[Any]) -> None:
        root.tell(Do(spawn))
        await asyncio.sleep(0.1)
        root.cell.children["child"].deliver_system(Kill(Boom()))
        await asyncio.sleep(9)

    assert [line for line in witnessed(script) if "abandoned" in line] == ["happened room/child children abandoned -"]


def test_the_report_of_an_effect_that_fails_is_told() -> None:
    async def work(port: EffectPort[Any]) -> None:
        return None

    def report(_: object) -> Any:
        raise Boom

    async def script(system: ActorSystem, root: Ref[Any]) -> None:
        root.tell(Do(lambda out: out.effect("work", work, done=report, failed=Note)))
        await asyncio.sleep(1)

    assert "happened room report failed work" in witnessed(script)


def test_a_handler_on_a_thread_is_told_when_it_is_taken_and_when_it_is_back() -> None:
    class OnThread(Scripted):
        own_thread = True

    teller = Teller()
    system = ActorSystem("own")
    system.start()
    root = system.spawn("room", OnThread, witness=teller)
    root.ask(Note("a"))
    with pytest.raises(Boom):
        root.ask(Do(_boom))
    system.close()
    assert [line for line in teller.told if line.split()[0] in ("taken", "handled", "failed", "committed")] == [
        "taken room Note",
        "handled room Note 0",
        "committed room well",
        "taken room Do",
        "failed room Boom",
    ]


def _boom(out: Out) -> None:
    raise Boom


def test_who_comes_later_is_told_from_then_on_and_one_that_raises_no_more() -> None:
    class Hurt(Teller):
        def handled(self, *facts: Any) -> None:
            super().handled(*facts)
            raise Boom

    first, hurt, states = Teller(), Hurt(), []

    async def live() -> None:
        system = ActorSystem("running")
        system.observers.append(lambda room: first if room == "room" else None)
        system.start()
        system.spawn("elsewhere", Scripted)
        root = system.spawn("room", Scripted)
        root.tell(Note(1))
        await asyncio.sleep(0.1)
        system.tree("room").observe(hurt)
        root.tell(Note(2))
        root.tell(Note(3))
        await asyncio.sleep(0.1)
        states.append(root.cell.state)
        await system.aclose()

    run(live)
    assert states == [(1, 2, 3)]
    assert sum(line.startswith("handled") for line in first.told) == 3
    assert hurt.told == ["entered room Note from edge", "entered room Note from edge", "handled room Note 0"]


def test_an_observed_tree_runs_in_the_same_order_as_one_that_is_not() -> None:
    def orders(observed: bool) -> list[object]:
        seen: list[object] = []

        async def live() -> None:
            system = ActorSystem("running")
            system.start()
            witness = Teller() if observed else None
            root = system.spawn("room", Scripted, witness=witness)

            def child(name: str) -> Ref[Any]:
                return root.cell.children[name].ref

            def fan(out: Out) -> None:
                for name in ("a", "b"):
                    for number in range(5):
                        kind = NoteNow if number == 3 else Note
                        out.tell(child(name), kind(number))
                        out.tell(child(name), Do(lambda out, n=(name, number): out.port(seen.append, n)))  # type: ignore[misc]

            root.tell(Do(lambda out: [out.spawn(name, Scripted) for name in ("a", "b")]))
            await asyncio.sleep(0.1)
            root.tell(Do(fan))
            await asyncio.sleep(0.1)
            seen.extend(cell.state for cell in root.cell.children.values())
            await system.aclose()

        run(live)
        return seen

    assert orders(observed=True) == orders(observed=False)
