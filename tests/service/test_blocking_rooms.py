"""Threads and programs without an event loop open rooms, talk in them and close them."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from sessionactors import (
    ActorSystem,
    AdmissionRefused,
    RoomSupervisor,
    SessionStateError,
)

from tests.service.rooms import ANSWER, HangingTransport, Specs, answered, balanced


def test_a_program_without_a_loop_hosts_rooms() -> None:
    specs = Specs()
    rooms = RoomSupervisor(specs, max_sessions=1)
    threads = threading.active_count()
    with rooms.blocking() as desk:
        handle = desk.spawn("a")
        assert desk.call(lambda: answered(handle.session)) == ANSWER
        assert desk.call(lambda: handle.session.room_name) == "a"
        assert rooms.inspect("a")["agent"].accounts.handled > 0
        with pytest.raises(AdmissionRefused, match="full"):
            desk.spawn("b")
        assert desk.close("a").abandoned == {}
        desk.spawn("b")
        assert desk.drain(0.0).exit_code in (0, 1)  # no time: what it does then is of test_drain.py
    assert balanced(rooms)
    assert threading.active_count() == threads
    with pytest.raises(SessionStateError, match="closed"):
        desk.call(lambda: None)


def test_two_programs_in_one_process_know_nothing_of_each_other() -> None:
    with RoomSupervisor(Specs()).blocking() as here, RoomSupervisor(Specs()).blocking() as there:
        mine, theirs = here.spawn("a"), there.spawn("a")
        assert here.rooms.system is not there.rooms.system
        assert here.rooms.loop is not there.rooms.loop
        here.drain(0.0)
        assert mine.end is not None
        assert there.call(lambda: answered(theirs.session)) == ANSWER
        there.spawn("b")


async def test_many_threads_use_a_supervisor_that_runs_on_somebodys_loop() -> None:
    async with RoomSupervisor(Specs(), max_sessions=5) as rooms:

        def caller(number: int) -> str:
            desk = rooms.blocking()
            with desk:  # which neither starts nor ends it
                try:
                    handle = desk.spawn(f"room-{number}")
                except AdmissionRefused as refused:
                    return refused.reason
                return desk.call(lambda: answered(handle.session))

        with ThreadPoolExecutor(8) as pool:
            loop = asyncio.get_running_loop()
            told = await asyncio.gather(*(loop.run_in_executor(pool, caller, number) for number in range(8)))
        assert sorted(told) == sorted([ANSWER] * 5 + ["full"] * 3)
        assert rooms.stats.open == 5


async def test_the_loops_own_thread_is_told_that_it_would_wait_for_itself() -> None:
    async with RoomSupervisor(Specs()) as rooms:
        with pytest.raises(SessionStateError, match="would wait for itself"):
            rooms.blocking().spawn("a")


def test_a_start_that_takes_too_long_is_given_up() -> None:
    with RoomSupervisor(Specs()).blocking() as desk:
        with pytest.raises(TimeoutError):
            desk.spawn("a", transport=HangingTransport(), timeout=0.05)
        desk.call(lambda: desk.rooms.drain(0.0))
        assert desk.rooms.stats.taken == 0


def test_what_waits_when_the_supervisor_ends_is_told() -> None:
    failures: list[BaseException] = []
    with RoomSupervisor(Specs()).blocking() as desk:
        asked = threading.Event()

        async def for_ever() -> None:
            asked.set()
            await asyncio.Event().wait()

        def wait() -> None:
            try:
                desk.call(for_ever)
            except SessionStateError as error:
                failures.append(error)

        thread = threading.Thread(target=wait)
        thread.start()
        assert asked.wait(5.0)
    thread.join(5.0)
    assert "ended before the call did" in str(failures[0])


def test_a_supervisor_that_cannot_start_says_so() -> None:
    system = ActorSystem("own")
    system.start()
    system.close() if hasattr(system, "close") else asyncio.run(system.aclose())
    with pytest.raises(Exception, match="closed"), RoomSupervisor(Specs(), system=system).blocking():
        pass
