"""Rooms are opened, listed, looked into and closed by name; a refusal says why; what fails leaves nothing."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from typing import Literal

import pytest

from sessionactors import (
    ActorSystem,
    AdmissionRefused,
    Agent,
    APIConnectionError,
    CloseEvent,
    CloseReason,
    OptionError,
    RoomExists,
    RoomHandle,
    RoomSupervisor,
    SessionSpec,
    SessionStateError,
)
from sessionactors.transports.memory import MemoryTransport

from tests.service.rooms import (
    ANSWER,
    Block,
    Bomb,
    FailingTransport,
    HangingTransport,
    Poison,
    Specs,
    answered,
    answering,
    balanced,
    nothing_left,
    until,
)


@pytest.fixture
def specs() -> Specs:
    return Specs()


@pytest.fixture(params=["own", "running"])
async def rooms(request: pytest.FixtureRequest, specs: Specs) -> AsyncIterator[RoomSupervisor]:
    """A supervisor of at most three rooms, in each mode of the actor system."""
    mode: Literal["running"] | None = "running" if request.param == "running" else None
    async with RoomSupervisor(specs, max_sessions=3, system=mode, close_deadline=1.0) as supervisor:
        yield supervisor
    assert balanced(supervisor)


# -- the ordinary way --------------------------------------------------------------------------------------------------


async def test_a_spawned_room_listens_and_answers(rooms: RoomSupervisor) -> None:
    handle = await rooms.spawn("a", transport=MemoryTransport(audio=False))
    assert await answered(handle.session) == ANSWER
    assert rooms.get("a") is handle
    assert rooms.list() == (handle,)
    assert rooms.inspect("a")["agent"].accounts.handled > 0
    assert rooms.stats.open == 1


async def test_a_factory_may_be_async() -> None:
    async def session_for(room: str) -> SessionSpec:
        await asyncio.sleep(0)
        return SessionSpec(agent=Agent(instructions=room), llm=answering())

    async with RoomSupervisor(session_for) as rooms:
        handle = await rooms.spawn("a")
        assert handle.session.current_agent.instructions == "a"


async def test_prepare_sees_the_session_before_its_first_event() -> None:
    states: list[str] = []
    specs = Specs(
        prepare=lambda session: session.on("agent_state_changed", lambda event: states.append(event.new_state))
    )
    async with RoomSupervisor(specs) as rooms:
        await rooms.spawn("a")
        await until(lambda: states == ["listening"])


async def test_close_says_how_each_actor_ended(rooms: RoomSupervisor, specs: Specs) -> None:
    handle = await rooms.spawn("a")
    report = await rooms.close("a", deadline=1.0)
    assert report.room == "a"
    assert "a/agent" in report.clean
    assert report.abandoned == {}
    assert handle.closed.done()
    assert (await handle.wait_closed()).reason is CloseReason.USER_INITIATED
    assert nothing_left(rooms, "a", specs)
    assert await handle.aclose() == report


async def test_two_callers_close_one_room_and_get_one_report(rooms: RoomSupervisor) -> None:
    await rooms.spawn("a")
    first, second = await asyncio.gather(rooms.close("a"), rooms.close("a"))
    assert first is second
    assert rooms.stats.closed == 1


async def test_a_room_that_ends_by_itself_frees_its_name(rooms: RoomSupervisor, specs: Specs) -> None:
    transport = MemoryTransport(audio=False)
    handle = await rooms.spawn("a", transport=transport)
    transport.leave()
    assert (await handle.wait_closed()).reason is CloseReason.PARTICIPANT_DISCONNECTED
    assert nothing_left(rooms, "a", specs)
    assert (await rooms.spawn("a")).session.agent_state == "listening"


async def test_two_supervisors_may_host_rooms_of_one_name() -> None:
    async with RoomSupervisor(Specs()) as here, RoomSupervisor(Specs()) as there:
        mine, theirs = await asyncio.gather(here.spawn("a"), there.spawn("a"))
        await here.close("a")
        assert await answered(theirs.session) == ANSWER
        assert mine.closed.done()


# -- refusals and failed starts ----------------------------------------------------------------------------------------


async def test_a_full_supervisor_refuses_with_counts(rooms: RoomSupervisor, specs: Specs) -> None:
    for name in "abc":
        await rooms.spawn(name)
    with pytest.raises(AdmissionRefused, match="3 of 3") as refusal:
        await rooms.spawn("d")
    assert (refusal.value.reason, refusal.value.taken, refusal.value.max_sessions) == ("full", 3, 3)
    assert [room for room, _ in specs.made] == ["a", "b", "c"], "a refused room is not even made"
    await rooms.close("a")
    await rooms.spawn("d")


async def test_a_room_spawned_twice_is_refused_and_the_first_is_untouched(rooms: RoomSupervisor) -> None:
    handle = await rooms.spawn("a")
    with pytest.raises(RoomExists, match="'a' exists already"):
        await rooms.spawn("a")
    assert await answered(handle.session) == ANSWER


async def test_a_room_spawned_twice_is_refused_while_the_first_still_starts(rooms: RoomSupervisor) -> None:
    first = asyncio.create_task(rooms.spawn("a"))
    await asyncio.sleep(0)
    with pytest.raises(RoomExists, match="starting"):
        await rooms.spawn("a")
    assert (await first).room == "a"


async def test_a_room_of_another_owner_in_a_shared_system_is_not_touched() -> None:
    system = ActorSystem("running")
    async with RoomSupervisor(Specs(), system=system) as here, RoomSupervisor(Specs(), system=system) as there:
        mine = await here.spawn("a")
        with pytest.raises(RoomExists, match="another owner"):
            await there.spawn("a")
        assert there.stats.taken == 0
        assert await answered(mine.session) == ANSWER
    await system.aclose()


class FactoryBroke(Exception): ...


@pytest.mark.parametrize(
    "error", [FactoryBroke("no"), SystemExit(3), asyncio.CancelledError(), GeneratorExit()], ids=repr
)
async def test_a_factory_that_raises_costs_no_slot_and_no_loop(error: BaseException) -> None:
    def session_for(room: str) -> SessionSpec:
        raise error

    async with RoomSupervisor(session_for, max_sessions=1) as rooms:
        for _ in range(3):
            with pytest.raises(FactoryBroke if isinstance(error, Exception) else SessionStateError):
                await rooms.spawn("a")
            assert rooms.stats.taken == 0
        assert rooms.stats.failed_to_start == 3


async def test_a_factory_must_give_a_spec() -> None:
    async with RoomSupervisor(lambda room: None) as rooms:  # type: ignore[arg-type, return-value]
        with pytest.raises(OptionError, match=r"session_for\('a'\) must give a SessionSpec"):
            await rooms.spawn("a")


async def test_a_spec_with_wrong_options_is_refused_at_the_spawn() -> None:
    async with RoomSupervisor(lambda room: SessionSpec(agent=Agent(instructions=""), max_tool_steps=-1)) as rooms:
        with pytest.raises(OptionError):
            await rooms.spawn("a")
        assert rooms.stats.taken == 0


def test_a_spec_needs_an_agent() -> None:
    with pytest.raises(OptionError, match="must be an Agent"):
        SessionSpec(agent="agent")  # type: ignore[arg-type]


async def test_a_start_that_fails_leaves_nothing(rooms: RoomSupervisor, specs: Specs) -> None:
    transport = FailingTransport()
    with pytest.raises(APIConnectionError, match="no such room"):
        await rooms.spawn("a", transport=transport)
    assert nothing_left(rooms, "a", specs)
    assert transport.closed
    assert rooms.stats.failed_to_start == 1
    with pytest.raises(KeyError):
        rooms.get("a")
    assert (await rooms.spawn("a")).session.agent_state == "listening"


async def test_the_agent_of_a_failed_start_is_free_again() -> None:
    agent = Agent(instructions="Be brief.")
    async with RoomSupervisor(lambda room: SessionSpec(agent=agent, llm=answering())) as rooms:
        with pytest.raises(APIConnectionError):
            await rooms.spawn("a", transport=FailingTransport())
        handle = await rooms.spawn("a")
        with pytest.raises(SessionStateError, match="runs in another session"):
            await rooms.spawn("b")
        assert rooms.stats.taken == 1
        assert await answered(handle.session) == ANSWER


async def test_a_cancelled_spawn_leaves_nothing(rooms: RoomSupervisor, specs: Specs) -> None:
    spawn = asyncio.create_task(rooms.spawn("a", transport=HangingTransport()))
    await until(lambda: "a" in rooms.system.trees)
    spawn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await spawn
    assert nothing_left(rooms, "a", specs)
    assert rooms.stats.failed_to_start == 1


async def test_a_spawn_cancelled_at_any_step_of_its_way_leaves_nothing(rooms: RoomSupervisor, specs: Specs) -> None:
    cancelled = opened = 0
    for steps in range(40):
        spawn = asyncio.create_task(rooms.spawn("a"))
        for _ in range(steps):
            await asyncio.sleep(0)
        spawn.cancel()
        try:
            await spawn
        except asyncio.CancelledError:
            cancelled += 1
        else:
            opened += 1
            await rooms.close("a")
        assert nothing_left(rooms, "a", specs), (
            steps,
            rooms.system.leaks("a"),
            [a._session for a in specs.agents],
            rooms.list(),
        )
    assert cancelled > 0
    assert rooms.stats.failed_to_start + rooms.stats.closed + 1 == cancelled + opened, (
        "one was cancelled before it began"
    )


@pytest.mark.timeout(15)
async def test_a_room_closed_before_its_first_step_frees_its_slot(rooms: RoomSupervisor, specs: Specs) -> None:
    spawn = asyncio.create_task(rooms.spawn("a"))
    await asyncio.sleep(0)  # the slot is taken; the room's own task has not begun, and never will
    assert rooms.stats.starting == 1
    await rooms.close("a")
    with pytest.raises(SessionStateError, match="closed while it was starting"):
        await spawn
    assert specs.made == []
    assert rooms.stats.taken == 0


async def test_closing_a_room_that_still_starts_gives_it_up(rooms: RoomSupervisor, specs: Specs) -> None:
    spawn = asyncio.create_task(rooms.spawn("a", transport=HangingTransport()))
    await until(lambda: "a" in rooms.system.trees)
    with pytest.raises(KeyError, match="still starting"):
        rooms.get("a")
    report = await rooms.close("a", deadline=1.0)
    assert report.seconds < 1.1
    with pytest.raises(SessionStateError, match="closed while it was starting"):
        await spawn
    assert nothing_left(rooms, "a", specs)


async def test_a_factory_that_swallows_its_cancellation_opens_no_room() -> None:
    async def session_for(room: str) -> SessionSpec:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(30)
        return SessionSpec(agent=Agent(instructions=""))

    async with RoomSupervisor(session_for, max_sessions=1) as rooms:
        spawn = asyncio.create_task(rooms.spawn("a"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await rooms.close("a")
        with pytest.raises(SessionStateError, match="closed while it was starting"):
            await spawn
        assert rooms.stats.failed_to_start == 1
        assert "a" not in rooms.system.trees


async def test_a_factory_that_cannot_be_cancelled_keeps_its_slot_and_is_named() -> None:
    go_on, asked = asyncio.Event(), asyncio.Event()

    async def session_for(room: str) -> SessionSpec:
        asked.set()
        while not go_on.is_set():
            try:
                await go_on.wait()
            except asyncio.CancelledError:
                continue
        return SessionSpec(agent=Agent(instructions=""))

    async with RoomSupervisor(session_for, max_sessions=1) as rooms:
        spawn = asyncio.create_task(rooms.spawn("a"))
        await asked.wait()
        report = await rooms.close("a", deadline=0.0)
        assert "session_for('a') goes on" in report.abandoned["a"]
        with pytest.raises(AdmissionRefused):
            await rooms.spawn("b")
        go_on.set()
        with pytest.raises(SessionStateError):
            await spawn
        assert rooms.stats.taken == 0


async def test_what_is_unknown_is_named(rooms: RoomSupervisor) -> None:
    await rooms.spawn("a")
    for call in (rooms.get, rooms.inspect):
        with pytest.raises(KeyError, match="no room named 'b'; there are: a"):
            call("b")
    with pytest.raises(KeyError, match="no room named 'b'"):
        await rooms.close("b")


@pytest.mark.parametrize(
    "options",
    [{"max_sessions": 0}, {"max_sessions": True}, {"close_deadline": -1}, {"drain_deadline": -0.1}, {"system": "own"}],
    ids=str,
)
def test_options_out_of_range_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(OptionError, match=next(iter(options))):
        RoomSupervisor(Specs(), **options)  # type: ignore[arg-type]


def test_a_factory_must_be_callable() -> None:
    with pytest.raises(OptionError, match="session_for"):
        RoomSupervisor("agent")  # type: ignore[arg-type]


# -- its own life ------------------------------------------------------------------------------------------------------


async def test_before_the_start_and_after_the_close_it_refuses() -> None:
    rooms = RoomSupervisor(Specs())
    with pytest.raises(SessionStateError, match="start"):
        await rooms.spawn("a")
    await rooms.start()
    await rooms.start()
    await rooms.spawn("a")
    [report] = await rooms.aclose()
    assert report.room == "a"
    assert await rooms.aclose() == (report,)
    with pytest.raises(AdmissionRefused) as refusal:
        await rooms.spawn("a")
    assert refusal.value.reason == "closed"
    with pytest.raises(SessionStateError, match="make a new one"):
        await rooms.start()


async def test_closing_one_that_was_never_started_is_no_error() -> None:
    rooms = RoomSupervisor(Specs())
    assert await rooms.aclose() == ()
    with pytest.raises(SessionStateError, match="make a new one"):
        await rooms.start()


async def test_a_given_system_stays_open() -> None:
    system = ActorSystem("running")
    async with RoomSupervisor(Specs(), system=system) as rooms:
        await rooms.spawn("a")
    assert system.running
    assert system.trees == {}
    await system.aclose()


def test_nothing_runs_before_the_start() -> None:
    before = threading.active_count()
    RoomSupervisor(Specs())
    assert threading.active_count() == before


def test_one_that_is_forgotten_says_so() -> None:
    rooms = RoomSupervisor(Specs(), system=ActorSystem("running", watchdog=False))

    async def use() -> None:
        await rooms.start()

    asyncio.run(use())
    with pytest.warns(ResourceWarning, match="unclosed"):
        rooms.__del__()
    rooms._loop = None  # its loop is gone: nothing is left to be closed


async def test_another_loop_is_told_how_to_ask(rooms: RoomSupervisor) -> None:
    def elsewhere() -> str:
        with pytest.raises(SessionStateError, match="run_coroutine_threadsafe") as refusal:
            asyncio.run(rooms.spawn("a"))
        return str(refusal.value)

    assert "another loop" in await asyncio.to_thread(elsewhere)


async def test_plain_threads_spawn_and_close_through_the_loop(rooms: RoomSupervisor) -> None:
    def caller() -> str:
        handle: RoomHandle = asyncio.run_coroutine_threadsafe(rooms.spawn("a"), rooms.loop).result(5)
        seen = str(rooms.inspect("a")), rooms.list(), rooms.get("a"), rooms.stats.open
        assert seen[1:] == ((handle,), handle, 1)
        return asyncio.run_coroutine_threadsafe(rooms.close("a"), rooms.loop).result(5).room

    assert await asyncio.to_thread(caller) == "a"


# -- drain -------------------------------------------------------------------------------------------------------------


async def test_drain_waits_for_rooms_that_end_by_themselves(rooms: RoomSupervisor) -> None:
    handle = await rooms.spawn("a")
    drain = asyncio.create_task(rooms.drain(5.0))
    await asyncio.sleep(0)
    with pytest.raises(AdmissionRefused) as refusal:
        await rooms.spawn("b")
    assert refusal.value.reason == "draining"
    assert await answered(handle.session) == ANSWER, "a talking room goes on"
    handle.session.shutdown()
    report = await drain
    assert (report.finished, report.closed, report.clean) == (("a",), (), True)
    assert (await handle.wait_closed()).reason is CloseReason.USER_INITIATED


async def test_drain_closes_the_rest_at_its_deadline(rooms: RoomSupervisor, specs: Specs) -> None:
    handle = await rooms.spawn("a")
    starting = asyncio.create_task(rooms.spawn("b", transport=HangingTransport()))
    await until(lambda: "b" in rooms.system.trees)
    drained = await rooms.drain(0.6)
    assert {report.room for report in drained.closed} == {"a", "b"}
    assert drained.in_time
    assert (await handle.wait_closed()).reason is CloseReason.JOB_SHUTDOWN
    with pytest.raises(SessionStateError, match="closed while it was starting"):
        await starting
    assert rooms.stats.taken == 0
    assert nothing_left(rooms, "a", specs)
    assert nothing_left(rooms, "b", specs)


async def test_leaving_a_lifespan_says_what_was_closed(caplog: pytest.LogCaptureFixture) -> None:
    rooms = RoomSupervisor(Specs(), drain_deadline=0.4)
    async with rooms.lifespan():
        await rooms.spawn("a")
    (line,) = [one.message for one in caplog.records if "drained" in one.message]
    assert "closed=1 abandoned=[]" in line


async def test_lifespan_starts_and_drains() -> None:
    rooms = RoomSupervisor(Specs(), drain_deadline=0.4)
    async with rooms.lifespan(object()):
        handle = await rooms.spawn("a")
    assert (await handle.wait_closed()).reason is CloseReason.JOB_SHUTDOWN
    assert not rooms.system.running


# -- callbacks ---------------------------------------------------------------------------------------------------------


async def test_callbacks_hear_of_the_end_when_slot_and_name_are_free(rooms: RoomSupervisor) -> None:
    heard: list[tuple[str, int, bool]] = []

    @rooms.on_room_closed
    def note(handle: RoomHandle) -> None:
        heard.append((handle.room, rooms.stats.taken, handle.closed.done()))

    @rooms.on_room_closed
    async def note_later(handle: RoomHandle) -> None:
        await asyncio.sleep(0)
        heard.append((f"{handle.room} later", rooms.stats.taken, handle.closed.done()))

    await rooms.spawn("a")
    await rooms.close("a")
    await until(lambda: len(heard) == 2)
    assert heard == [("a", 0, True), ("a later", 0, True)]


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(1)])
async def test_a_callback_that_raises_hurts_nobody(rooms: RoomSupervisor, error: BaseException) -> None:
    @rooms.on_room_closed
    def fail(handle: RoomHandle) -> None:
        raise error

    @rooms.on_room_closed
    async def fail_later(handle: RoomHandle) -> None:
        raise error

    await rooms.spawn("a")
    await rooms.close("a")
    assert await answered((await rooms.spawn("b")).session) == ANSWER


async def test_a_callback_that_hangs_is_given_up_by_the_close() -> None:
    cancelled = asyncio.Event()
    async with RoomSupervisor(Specs(), system="running") as rooms:

        @rooms.on_room_closed
        async def hang(handle: RoomHandle) -> None:
            try:
                await asyncio.sleep(60)
            finally:
                cancelled.set()

        await rooms.spawn("a")
    await cancelled.wait()


# -- failures of rooms, and of what is around them ---------------------------------------------------------------------


async def test_a_room_that_crashes_frees_its_slot_and_says_so() -> None:
    events: list[CloseEvent] = []
    specs = Specs(prepare=lambda session: session.on("close", events.append))
    async with RoomSupervisor(specs) as rooms:
        broken, other = await rooms.spawn("a"), await rooms.spawn("b")
        await rooms.system.stop_tree("a", 0.0)  # as if its root had failed for good
        assert (await broken.wait_closed()).reason is CloseReason.ERROR
        assert len(events) == 1
        assert rooms.stats.crashed == 1
        assert nothing_left(rooms, "a")
        assert await answered(other.session) == ANSWER


@pytest.mark.may_block("the test's actor blocks the actor loop on purpose", in_functions=["wait_at_the_gate"])
async def test_a_blocked_actor_loop_is_looked_into_and_named_by_close() -> None:
    gate = threading.Event()

    def wait_at_the_gate() -> None:
        gate.wait(5.0)

    async with RoomSupervisor(Specs(actors=lambda: (Bomb(),))) as rooms:
        handle = await rooms.spawn("a")
        other = await rooms.spawn("b")
        bomb = handle.session.actor("bomb")
        bomb.tell(Block(wait_at_the_gate))
        await until(lambda: rooms.inspect("a")["bomb"].in_hand is not None)
        assert rooms.inspect("b")["agent"].path == "b/agent"
        report = await rooms.close("a", deadline=0.1)
        assert "blocked by a/bomb" in report.abandoned["a/bomb"]
        assert report.seconds == pytest.approx(0.6, abs=0.1)
        assert rooms.stats.closing == 1, "it has not ended: its slot is taken"
        gate.set()
        assert (await handle.wait_closed()).reason is CloseReason.USER_INITIATED
        assert await answered(other.session) == ANSWER


async def test_a_drop_in_that_fails_is_gone_and_the_room_goes_on(rooms: RoomSupervisor, specs: Specs) -> None:
    specs.actors = lambda: (Bomb(),)
    handle = await rooms.spawn("a")
    handle.session.actor("bomb").tell(Poison(ValueError("no")))
    await until(lambda: "a/bomb" not in rooms.inspect("a"))
    assert await answered(handle.session) == ANSWER


@pytest.mark.leaves_behind("what this is about: the loop ends while a room is open")
def test_rooms_that_nobody_closed_end_with_their_loop() -> None:
    """``asyncio.run`` cancels what is left: the rooms hear of it as of any close."""
    reasons: list[CloseReason] = []
    specs = Specs(prepare=lambda session: session.on("close", lambda event: reasons.append(event.reason)))
    system = ActorSystem()
    system.start()
    rooms = RoomSupervisor(specs, system=system)

    async def main() -> None:
        await rooms.start()
        await rooms.spawn("a")

    asyncio.run(main())
    assert reasons == [CloseReason.USER_INITIATED]
    assert system.trees == {}
    assert rooms.stats.taken == 0
    system.close()
    with pytest.warns(ResourceWarning, match="unclosed"):
        rooms.__del__()
    rooms._loop = None
