"""A supervisor is emptied within one deadline: rooms finish or are told, and the report says what came of it."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sessionactors import (
    AdmissionRefused,
    Agent,
    ChatMessage,
    CloseReason,
    DrainOnSignals,
    DrainReport,
    Farewell,
    OptionError,
    RoomDismissed,
    RoomDraining,
    RoomEndCause,
    RoomEvent,
    RoomHandle,
    RoomSupervisor,
    SessionSpec,
    SessionStateError,
)
from sessionactors.testing import run
from sessionactors.testing.scripted_tts import ScriptedTTS
from sessionactors.transports.memory import MemoryTransport

from tests.service.rooms import ANSWER, Block, Bomb, HangingTransport, Specs, answered, answering, until

GOODBYE = "We have to stop here. Please call again."


def speaking(room: str) -> SessionSpec:
    """A session with a voice."""
    return SessionSpec(agent=Agent(instructions=""), llm=answering(), tts=ScriptedTTS(seconds_per_character=0.05))


def words(handle: RoomHandle) -> list[str]:
    return [item.text_content for item in handle.history.items if isinstance(item, ChatMessage)]


def test_each_room_is_told_then_hears_the_farewell_and_all_is_over_in_time() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        events: list[RoomEvent] = []
        async with RoomSupervisor(speaking, system="running", farewell=GOODBYE, close_deadline=1.0) as rooms:
            rooms.on_room_event(events.append)
            handle = await rooms.spawn("stays", transport=MemoryTransport())
            leaves = await rooms.spawn("leaves", transport=MemoryTransport())
            began = loop.time()
            drain = asyncio.create_task(rooms.drain(20.0))
            await asyncio.sleep(2.0)
            assert [one.closes_in for one in events if isinstance(one, RoomDraining)] == [14.0, 14.0]
            assert await answered(handle.session) == ANSWER, "who talks goes on"
            leaves.session.shutdown()
            report = await drain
            assert words(handle)[-1] == GOODBYE
            assert loop.time() - began == pytest.approx(14.0 + 0.05 * len(GOODBYE), abs=0.5)
            assert (report.finished, [one.room for one in report.closed]) == (("leaves",), ["stays"])
            assert report.clean
            assert report.exit_code == 0
            assert handle.end is not None
            assert handle.end.cause is RoomEndCause.DRAINED
            assert handle.end.close.reason is CloseReason.JOB_SHUTDOWN
            assert [one.room for one in events if isinstance(one, RoomDismissed)] == ["stays"]

    run(main)


def test_a_farewell_may_be_a_function_that_has_so_long() -> None:
    heard: list[tuple[str, RoomEndCause]] = []

    async def part(handle: RoomHandle, cause: RoomEndCause) -> None:
        heard.append((handle.room, cause))
        _ = await handle.session.say(f"Goodbye, {handle.room}.")
        await asyncio.sleep(1000.0)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with RoomSupervisor(speaking, system="running", farewell=Farewell(part, within=3.0)) as rooms:
            handle = await rooms.spawn("a", transport=MemoryTransport())
            began = loop.time()
            report = await rooms.drain(12.0)
            assert loop.time() - began <= 12.0
            assert heard == [("a", RoomEndCause.DRAINED)]
            assert words(handle) == ["Goodbye, a."]
            assert report.clean

    run(main)


def test_a_farewell_that_raises_or_cannot_be_said_keeps_nobody() -> None:
    def part(handle: RoomHandle, cause: RoomEndCause) -> None:
        raise ZeroDivisionError

    async def main() -> None:
        async with RoomSupervisor(Specs(), system="running", farewell=part) as rooms:
            await rooms.spawn("a")
            assert (await rooms.drain(4.0)).clean
        async with RoomSupervisor(Specs(), system="running", farewell=GOODBYE) as rooms:
            await rooms.spawn("a", transport=MemoryTransport())  # a room with audio, and an agent without a voice
            assert (await rooms.drain(4.0)).clean

    run(main)


def test_a_drain_without_time_closes_at_once() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with RoomSupervisor(speaking, system="running", farewell=GOODBYE) as rooms:
            await rooms.spawn("a", transport=MemoryTransport())
            starting = asyncio.create_task(rooms.spawn("b", transport=HangingTransport()))
            await asyncio.sleep(0.1)
            began = loop.time()
            report = await rooms.drain(0.0)
            assert loop.time() - began <= 0.1
            assert {one.room for one in report.closed} == {"a", "b"}
            with pytest.raises(SessionStateError, match="closed while it was starting"):
                await starting

    run(main)


@pytest.mark.may_block("an actor blocks the actor loop: that is the point")
async def test_what_cannot_end_is_named_and_the_exit_code_says_so() -> None:
    specs = Specs(actors=lambda: (Bomb(),))
    let_go = threading.Event()
    async with RoomSupervisor(specs, close_deadline=0.1) as rooms:
        handle = await rooms.spawn("a")
        handle.session.actor("bomb").tell(Block(lambda: let_go.wait(5.0)))
        await until(lambda: rooms.inspect("a")["bomb"].in_hand is not None)
        report = await rooms.drain(0.2)
        assert report.remaining == ("a",)
        assert "a/bomb" in report.abandoned
        assert report.exit_code == 1
        assert "abandoned: " in str(report)
        assert "not over: a" in str(report)
        let_go.set()


def test_reports_say_it_in_a_line() -> None:
    report = DrainReport(25.0, 26.0, ("a", "b"), (), (), ("c",), 7)
    assert str(report) == (
        "drained in 26.00 s of 25 s, too late; 2 rooms ended by themselves, 0 were closed; 7 spawns refused; crashed: c"
    )
    assert (report.in_time, report.clean, report.exit_code) == (False, False, 1)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(OptionError, match="a farewell is a text"):
        Farewell("  ")
    with pytest.raises(OptionError, match="the seconds for a farewell must be >= 0"):
        Farewell("Bye.", within=-1.0)
    with pytest.raises(OptionError, match="at least one"):
        DrainOnSignals()
    with pytest.raises(OptionError, match="deadline of a drain"):
        DrainOnSignals(RoomSupervisor(Specs()), deadline=-1.0)
    with pytest.raises(SessionStateError, match="is not running"), DrainOnSignals(RoomSupervisor(Specs())):
        pass


# -- signals -----------------------------------------------------------------------------------------------------------


def leaving(rooms: RoomSupervisor) -> None:
    """Rooms that end when they are told of the drain, so that no test waits for a deadline."""

    @rooms.on_room_event
    def leave(event: RoomEvent) -> None:
        if isinstance(event, RoomDraining):
            rooms.get(event.room).session.shutdown()


async def test_a_signal_drains_and_the_handlers_of_before_are_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    async with RoomSupervisor(Specs()) as rooms, RoomSupervisor(Specs()) as more:
        leaving(rooms)
        leaving(more)
        await rooms.spawn("a")
        await more.spawn("b")
        told: list[DrainReport] = []
        with DrainOnSignals(rooms, more, then=told.append) as draining:
            signal.raise_signal(signal.SIGTERM)
            with pytest.raises(AdmissionRefused, match="draining"):  # before the loop has taken a step
                rooms.spawn("c").send(None)
            report = await draining.wait()
            assert draining.signalled
        assert sorted(report.finished) == ["a", "b"]
        assert report.clean
        assert told == [report]
        assert signal.getsignal(signal.SIGTERM) is before


async def test_a_second_signal_closes_now_and_the_handler_of_before_is_called() -> None:
    passed: list[int] = []
    own = signal.signal(signal.SIGTERM, lambda number, frame: passed.append(number))
    try:
        async with RoomSupervisor(Specs()) as rooms:
            await rooms.spawn("a")
            with DrainOnSignals(rooms, deadline=60.0, pass_on=True) as draining:
                signal.raise_signal(signal.SIGTERM)
                await asyncio.sleep(0.01)
                assert rooms.stats.taken == 1
                assert passed == []
                signal.raise_signal(signal.SIGTERM)
                async with asyncio.timeout(5.0):
                    report = await draining.wait()
                assert [one.room for one in report.closed] == ["a"]
                assert passed == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, own)


async def test_signals_are_for_the_main_thread() -> None:
    async with RoomSupervisor(Specs()) as rooms:

        def enter() -> None:
            with DrainOnSignals(rooms):
                pass

        with pytest.raises(SessionStateError, match="in the main thread"):
            await asyncio.to_thread(enter)


PROGRAM = Path(__file__).with_name("drained_program.py")


def test_a_program_without_a_loop_waits_for_its_drain() -> None:
    with RoomSupervisor(Specs()).blocking() as desk:
        leaving(desk.rooms)
        handle = desk.spawn("a")
        with DrainOnSignals(desk.rooms) as draining:
            with pytest.raises(TimeoutError):
                draining.join(0.001)
            signal.raise_signal(signal.SIGINT)
            report = draining.join(10.0)
        assert report.finished == ("a",)
        assert handle.end is not None
        with pytest.raises(AdmissionRefused, match="draining"):
            desk.spawn("b")


def test_sigterm_ends_a_program_in_time_and_its_exit_code_says_how() -> None:
    program = subprocess.Popen([sys.executable, PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert program.stdout is not None
    try:
        assert program.stdout.readline() == "ready\n"
        program.send_signal(signal.SIGTERM)
        out, _ = program.communicate(timeout=30.0)
    finally:
        program.kill()
    told = json.loads(out.splitlines()[-1])
    assert program.returncode == 0, told
    assert told["refused"] == "draining"
    assert sorted(told["finished"]) == ["room-0", "room-1", "room-2"]
    assert told["last_words"] == [GOODBYE] * 3
