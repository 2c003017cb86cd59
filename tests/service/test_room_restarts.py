"""A room whose session fails gets another one, as its policy says; it keeps slot, name and conversation meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from sessionactors import (
    ActorSystem,
    AdmissionRefused,
    Agent,
    Backoff,
    ChatMessage,
    CloseEvent,
    CloseReason,
    OptionError,
    RestartPolicy,
    RoomCrashLoop,
    RoomEndCause,
    RoomEvent,
    RoomExists,
    RoomFailure,
    RoomHandle,
    RoomLimits,
    RoomRestarted,
    RoomRestarting,
    RoomSupervisor,
    SessionSpec,
)
from sessionactors.model.events import ErrorEvent
from sessionactors.testing import run
from sessionactors.transports.memory import MemoryTransport

from tests.service.rooms import ANSWER, Specs, answered, answering, balanced

STEADY = Backoff(first=1.0, maximum=4.0, jitter=0.0)
POLICY = RestartPolicy(most=2, within=60.0, backoff=STEADY)


async def hosting(
    policy: RestartPolicy | None, play: Callable[[RoomSupervisor, list[RoomEvent]], Awaitable[None]], specs: Specs
) -> None:
    """Virtual time: a supervisor of two rooms, and what happens to them."""
    events: list[RoomEvent] = []
    async with RoomSupervisor(specs, max_sessions=2, system="running", restart=policy or "never") as rooms:
        rooms.on_room_event(events.append)
        await play(rooms, events)
        assert balanced(rooms)
    assert rooms.system.trees == {}


async def crash(rooms: RoomSupervisor, room: str = "a") -> None:
    """Its session fails, as a root does that has failed too often."""
    root = rooms.system.tree(room).root
    assert root is not None
    root.ref.tell(object())
    await asyncio.sleep(0.1)


def restarting(policy: RestartPolicy, play: Callable[[RoomSupervisor, list[RoomEvent]], Awaitable[None]]) -> Specs:
    specs = Specs()
    run(lambda: hosting(policy, play, specs))
    return specs


def words(handle: RoomHandle) -> list[str]:
    return [item.text_content for item in handle.history.items if isinstance(item, ChatMessage)]


def test_a_room_that_fails_gets_another_session_that_knows_what_was_said() -> None:
    async def play(rooms: RoomSupervisor, events: list[RoomEvent]) -> None:
        handle = await rooms.spawn("a")
        first = handle.session
        assert await answered(first, "My name is Ada.") == ANSWER
        await crash(rooms)
        assert rooms.hosted_room("a").slot.phase.value == "restarting"
        assert rooms.stats.restarting == rooms.stats.taken == 1
        assert rooms.get("a") is handle
        await asyncio.sleep(1.5)
        assert handle.session is not first
        assert handle.restarts == rooms.stats.restarts == 1
        remembered = [one for one in handle.session.current_agent.chat_ctx.items if isinstance(one, ChatMessage)]
        assert [one.text_content for one in remembered if one.role != "system"] == ["My name is Ada.", ANSWER]
        assert await answered(handle.session, "Who am I?") == ANSWER
        assert words(handle) == ["My name is Ada.", ANSWER, "Who am I?", ANSWER]
        assert [one.type for one in events] == ["room_opened", "room_restarting", "room_restarted"]
        assert not handle.closed.done()
        await rooms.close("a")
        end = handle.end
        assert end is not None
        assert (end.cause, end.restarts, end.close.reason) == (RoomEndCause.CLOSED, 1, CloseReason.USER_INITIATED)

    specs = restarting(POLICY, play)
    assert [room for room, _ in specs.made] == ["a", "a"], "the factory is asked for each session"


def test_a_room_that_is_never_restarted_ends_with_its_failure() -> None:
    async def play(rooms: RoomSupervisor, events: list[RoomEvent]) -> None:
        handle = await rooms.spawn("a")
        await crash(rooms)
        assert (await handle.wait_closed()).reason is CloseReason.ERROR
        assert handle.end is not None
        assert handle.end.cause is RoomEndCause.CRASHED
        assert rooms.stats.crashed == 1
        assert rooms.stats.taken == 0
        assert [one.type for one in events] == ["room_opened", "room_ended"]

    restarting(RestartPolicy(when="never"), play)


def test_a_crash_loop_ends_in_a_named_failure_after_growing_delays() -> None:
    async def play(rooms: RoomSupervisor, events: list[RoomEvent]) -> None:
        handle = await rooms.spawn("a")
        while not handle.closed.done():
            await crash(rooms)
            await asyncio.sleep(2.5)
        event = await handle.wait_closed()
        assert event.reason is CloseReason.ERROR
        assert isinstance(event.error, RoomCrashLoop)
        assert (event.error.room, event.error.restarts, event.error.within) == ("a", 2, 60.0)
        assert event.error.__cause__ is event.error.last
        assert [one.delay for one in events if isinstance(one, RoomRestarting)] == [1.0, 2.0]
        assert handle.end is not None
        assert handle.end.cause is RoomEndCause.CRASH_LOOP
        assert "restarted 2 times within 60 s" in handle.end.not_restarted
        assert rooms.stats.crashed == 1

    restarting(POLICY, play)


def test_failures_that_lie_far_apart_are_no_crash_loop() -> None:
    async def play(rooms: RoomSupervisor, events: list[RoomEvent]) -> None:
        handle = await rooms.spawn("a")
        for _ in range(5):
            await crash(rooms)
            await asyncio.sleep(40.0)
        assert handle.restarts == 5
        assert not handle.closed.done()

    restarting(POLICY, play)


def test_p19_a_room_that_restarts_keeps_its_slot_and_its_name() -> None:
    async def play(rooms: RoomSupervisor, events: list[RoomEvent]) -> None:
        handle = await rooms.spawn("a")
        await rooms.spawn("b")
        await crash(rooms)
        with pytest.raises(AdmissionRefused, match="full, 2 of 2"):
            await rooms.spawn("c")
        with pytest.raises(RoomExists, match="restarting"):
            await rooms.spawn("a")
        await asyncio.sleep(1.0)
        with pytest.raises(AdmissionRefused):
            await rooms.spawn("c")
        assert rooms.stats.peak == rooms.stats.open == 2
        assert rooms.stats.admitted == 2
        await handle.aclose()
        await rooms.spawn("c")

    restarting(POLICY, play)


@pytest.mark.parametrize("end", ["close", "drain", "aclose"])
def test_a_room_is_closed_while_it_waits_for_its_restart(end: str) -> None:
    async def play(rooms: RoomSupervisor, events: list[RoomEvent]) -> None:
        handle = await rooms.spawn("a")
        await crash(rooms)
        began = asyncio.get_running_loop().time()
        match end:
            case "close":
                await rooms.close("a")
            case "drain":
                assert (await rooms.drain(10.0)).clean
            case _:
                await rooms.aclose()
        assert asyncio.get_running_loop().time() - began < 0.1, "it is not waited for"
        event = await handle.wait_closed()
        assert event.reason is (CloseReason.USER_INITIATED if end == "close" else CloseReason.JOB_SHUTDOWN)
        assert not any(isinstance(one, RoomRestarted) for one in events)
        assert rooms.stats.taken == 0

    restarting(POLICY, play)


def test_who_fails_while_the_supervisor_drains_is_not_restarted() -> None:
    async def play(rooms: RoomSupervisor, events: list[RoomEvent]) -> None:
        handle = await rooms.spawn("a")
        drain = asyncio.create_task(rooms.drain(10.0))
        await asyncio.sleep(0.1)
        await crash(rooms)
        report = await drain
        assert (report.crashed, report.clean, report.exit_code) == (("a",), False, 1)
        assert handle.end is not None
        assert handle.end.not_restarted == "the supervisor is draining"

    restarting(POLICY, play)


def test_a_restart_that_does_not_start_counts_and_is_tried_again() -> None:
    specs = Specs()
    broken = [OSError("no such model"), SystemExit(3)]

    def session_for(room: str) -> SessionSpec:
        if specs.made and broken:
            raise broken.pop(0)
        return specs(room)

    async def play() -> None:
        events: list[RoomEvent] = []
        policy = replace(POLICY, most=3)
        async with RoomSupervisor(session_for, system="running", restart=policy) as rooms:
            rooms.on_room_event(events.append)
            handle = await rooms.spawn("a")
            await crash(rooms)
            await asyncio.sleep(8.0)
            assert handle.restarts == 1, "as many as came to be"
            assert rooms.stats.restarts == 3, "as many as were tried"
            assert [type(one.error) for one in events if isinstance(one, RoomRestarting)][1:] == [
                OSError,
                type(events[3].error) if isinstance(events[3], RoomRestarting) else None,
            ]
            assert rooms.stats.open == 1
            assert balanced(rooms)

    run(play)


def test_a_custom_rule_decides_and_a_custom_resume_carries_over() -> None:
    seen: list[RoomFailure] = []

    def when(failure: RoomFailure) -> bool:
        seen.append(failure)
        return failure.restarts < 1

    def resume(spec: SessionSpec, failure: RoomFailure) -> SessionSpec:
        return replace(spec, userdata=[*failure.history, failure.session])

    async def play(rooms: RoomSupervisor, events: list[RoomEvent]) -> None:
        handle = await rooms.spawn("a")
        first = handle.session
        await answered(first, "Hi.")
        await crash(rooms)
        await asyncio.sleep(1.0)
        kept = handle.session.userdata
        assert isinstance(kept, list)
        assert kept[-1] is first
        assert not any(
            isinstance(one, ChatMessage) and one.role == "user" for one in handle.session.current_agent.chat_ctx.items
        ), "keep_history=False"
        await crash(rooms)
        assert (await handle.wait_closed()).reason is CloseReason.ERROR
        assert handle.end is not None
        assert handle.end.not_restarted == "its restart policy says so"
        assert [(one.room, one.restarts) for one in seen] == [("a", 0), ("a", 1)]
        assert 0 < seen[1].lived < 1.0

    restarting(replace(POLICY, when=when, resume=resume, keep_history=False), play)


def test_a_rule_that_raises_ends_the_room_and_nothing_else() -> None:
    def when(failure: RoomFailure) -> bool:
        raise ZeroDivisionError

    async def play(rooms: RoomSupervisor, events: list[RoomEvent]) -> None:
        handle = await rooms.spawn("a")
        await rooms.spawn("b")
        await crash(rooms)
        await handle.wait_closed()
        assert handle.end is not None
        assert "its restart policy raised ZeroDivisionError" in handle.end.not_restarted
        assert await answered(rooms.get("b").session) == ANSWER

    restarting(replace(POLICY, when=when), play)


def test_the_agent_says_something_when_it_is_back() -> None:
    async def play(rooms: RoomSupervisor, events: list[RoomEvent]) -> None:
        handle = await rooms.spawn("a")
        await crash(rooms)
        await asyncio.sleep(2.0)
        assert words(handle) == ["Sorry, where were we?"]

    restarting(replace(POLICY, says="Sorry, where were we?"), play)


def test_a_transport_that_is_made_is_made_anew_and_one_that_was_given_ends_the_room() -> None:
    made: list[MemoryTransport] = []

    async def new_transport() -> MemoryTransport:
        made.append(MemoryTransport(audio=False))
        return made[-1]

    async def play(rooms: RoomSupervisor, events: list[RoomEvent]) -> None:
        await rooms.spawn("a", transport=new_transport)
        await crash(rooms)
        await asyncio.sleep(1.5)
        assert [one.connected for one in made] == [False, True]
        given = await rooms.spawn("b", transport=MemoryTransport(audio=False))
        await crash(rooms, "b")
        await given.wait_closed()
        assert given.end is not None
        assert given.end.not_restarted.startswith("its transport was given, not made")

    restarting(POLICY, play)


def test_a_spec_says_for_its_room_what_the_supervisor_says_for_all() -> None:
    def session_for(room: str) -> SessionSpec:
        return SessionSpec(agent=Agent(instructions=""), llm=answering(), restart=POLICY if room == "a" else None)

    async def play() -> None:
        async with RoomSupervisor(session_for, system=ActorSystem("running")) as rooms:
            restarted, ended = await rooms.spawn("a"), await rooms.spawn("b")
            await crash(rooms, "a")
            await crash(rooms, "b")
            await asyncio.sleep(1.5)
            assert restarted.restarts == 1
            assert ended.closed.done()
        await rooms.system.aclose()

    run(play)


def test_a_listener_of_the_room_hears_of_it_and_one_of_the_session_hears_its_close() -> None:
    async def play(rooms: RoomSupervisor, events: list[RoomEvent]) -> None:
        handle = await rooms.spawn("a")
        own: list[RoomEvent] = []
        closes: list[CloseEvent | ErrorEvent] = []
        handle.on_event(own.append)
        handle.session.on("close", closes.append)
        await crash(rooms)
        await asyncio.sleep(1.5)
        assert own == events[1:]
        assert [one.reason for one in closes if isinstance(one, CloseEvent)] == [CloseReason.ERROR]

    restarting(POLICY, play)


def test_policies_that_cannot_be_are_refused() -> None:
    with pytest.raises(OptionError, match="most must be a whole number of restarts >= 1, got 0"):
        RestartPolicy(most=0)
    with pytest.raises(OptionError, match="within must be > 0"):
        RestartPolicy(within=0.0)
    with pytest.raises(OptionError, match='"never", "on_failure" or as a function says'):
        RestartPolicy(when="always")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="restart must be"):
        RoomSupervisor(Specs(), restart="always")  # type: ignore[arg-type]


def test_a_transport_that_does_not_close_is_waited_for_no_longer_than_a_close_may_take() -> None:
    class Stuck(MemoryTransport):
        async def aclose(self) -> None:
            await asyncio.Event().wait()

    async def play(rooms: RoomSupervisor, events: list[RoomEvent]) -> None:
        made = [Stuck(audio=False), MemoryTransport(audio=False)]
        handle = await rooms.spawn("a", transport=lambda: made.pop(0))
        await crash(rooms)
        await asyncio.sleep(7.0)  # a close may take five seconds, the restart waits for one more
        assert handle.restarts == 1
        assert made == []

    restarting(POLICY, play)


def test_limits_of_the_spec_after_a_restart_are_looked_after() -> None:
    limits = [None, RoomLimits(lifetime=60.0)]

    def session_for(room: str) -> SessionSpec:
        return SessionSpec(agent=Agent(instructions=""), llm=answering(), limits=limits.pop(0))

    async def play() -> None:
        async with RoomSupervisor(session_for, system="running", restart=POLICY) as rooms:
            handle = await rooms.spawn("a")
            await crash(rooms)
            await asyncio.sleep(70.0)
            assert handle.end is not None
            assert handle.end.cause is RoomEndCause.LIFETIME

    run(play)
