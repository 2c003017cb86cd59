"""One job, from its entry point to its last callback."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any, cast

import pytest
from livekit import rtc

from sessionactors import (
    Agent,
    AgentSession,
    AutoSubscribe,
    JobContext,
    OptionError,
    RoomInputOptions,
    RoomOutputOptions,
    SessionStateError,
    get_job_context,
)
from sessionactors.runtime import InternalError
from sessionactors.runtime.messages import Kill
from sessionactors.service.worker.job_life import JobBounds
from sessionactors.service.worker.world import World
from sessionactors.transports.memory import MemoryTransport

from tests.service.worker.serving import Person, quiet, serving
from tests.service.worker.virtual import virtual
from tests.transports.livekit.loopback import Loopback, LoopbackRoom, house
from tests.wire.livekit_worker import job

_ = house  # a fixture
ROOM = rtc.Room


def now() -> float:
    return asyncio.get_running_loop().time()


@virtual
async def test_the_end_of_a_job_is_in_order_and_each_callback_has_the_reason() -> None:
    order: list[str] = []

    async def program(ctx: JobContext) -> None:
        await ctx.connect()
        session: AgentSession[None] = AgentSession()
        session.on("close", lambda event: order.append(f"session closed: {event.reason.value}"))
        await session.start(Agent(instructions=""), room=MemoryTransport())

        async def late(reason: str) -> None:
            await asyncio.sleep(0.1)
            order.append(f"callback {reason}")

        ctx.add_shutdown_callback(late)
        ctx.add_shutdown_callback(lambda: order.append("callback"))
        await asyncio.sleep(5.0)
        ctx.shutdown("enough")
        ctx.shutdown("too late")
        await asyncio.sleep(1.0)
        order.append("entry point")

    def ended(ctx: JobContext) -> None:
        order.append(f"session end, connected {ctx.room.isconnected()}")

    async with serving(program, on_session_end=ended) as served:
        served.server.worker.offer(job("J1"))
        await asyncio.sleep(8.0)
        assert order == [
            "entry point",
            "session closed: job_shutdown",
            "session end, connected True",
            "callback",
            "callback enough",
        ]
        assert served.server.jobs == {"J1": "success"}


@virtual
async def test_a_callback_that_raises_or_hangs_hurts_no_other() -> None:
    heard: list[str] = []

    async def program(ctx: JobContext) -> None:
        def raises() -> None:
            raise ValueError("broken")

        async def exits() -> None:
            raise SystemExit

        async def hangs() -> None:
            await asyncio.Event().wait()

        async def works() -> None:
            await asyncio.sleep(1.0)
            heard.append("works")

        for callback in (raises, exits, hangs, works):
            ctx.add_shutdown_callback(callback)
        ctx.shutdown()

    async with serving(program, shutdown_process_timeout=3.0) as served:
        served.server.worker.offer(job("J1"))
        await asyncio.sleep(2.9)
        assert heard == ["works"]
        assert served.server.jobs == {"J1": "running"}
        await asyncio.sleep(0.2)
        assert served.server.jobs == {"J1": "success"}


@virtual
async def test_an_entry_point_that_goes_on_is_cancelled_after_fifteen_seconds() -> None:
    cancelled: list[float] = []

    async def program(ctx: JobContext) -> None:
        await ctx.connect()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(now())
            raise

    async with serving(program) as served:
        served.server.worker.offer(job("J1"))
        await asyncio.sleep(1.0)
        served.server.worker.terminate("J1")
        await asyncio.sleep(20.0)
        assert cancelled == [pytest.approx(16.0)]
        assert served.server.jobs == {"J1": "success"}


@virtual
async def test_a_room_that_does_not_let_go_and_a_hung_session_end_are_bounded() -> None:
    async def program(ctx: JobContext) -> None:
        await ctx.connect()
        await AgentSession[None]().start(Agent(instructions=""), room=MemoryTransport())

    async def for_ever(*_: object) -> None:
        await asyncio.Event().wait()

    async with serving(program, on_session_end=for_ever, session_end_timeout=20.0) as served:
        served.server.worker.offer(job("J1"))
        await asyncio.sleep(1.0)
        served.rooms["J1"].leave = for_ever
        served.server.worker.terminate("J1")
        await asyncio.sleep(24.5)
        assert served.server.jobs == {"J1": "running"}
        await asyncio.sleep(1.0)
        assert served.server.jobs == {"J1": "success"}


@virtual
async def test_a_job_that_does_nothing_does_not_keep_its_slot() -> None:
    async def program(ctx: JobContext) -> None:
        return

    async with serving(program) as served:
        served.server.worker.offer(job("J1"))
        await asyncio.sleep(1.0)
        assert served.server.jobs == {"J1": "success"}


@virtual
async def test_jobs_do_not_see_each_other() -> None:
    seen: dict[str, str] = {}

    async def program(ctx: JobContext) -> None:
        await ctx.connect()
        await asyncio.sleep(0.5)
        seen[ctx.job.id] = get_job_context().job.id
        if ctx.job.id == "J2":
            raise SystemExit

    async with serving(program) as served:
        served.server.worker.offer(job("J1"), job("J2"), job("J3"))
        await asyncio.sleep(2.0)
        assert seen == {"J1": "J1", "J2": "J2", "J3": "J3"}
        assert served.server.jobs == {"J1": "running", "J2": "failed", "J3": "running"}
    assert get_job_context(required=False) is None
    with pytest.raises(SessionStateError, match="no job runs here"):
        get_job_context()


@virtual
async def test_connect_joins_once_and_again_after_a_failure() -> None:
    results: list[object] = []

    async def program(ctx: JobContext) -> None:
        room = cast("Any", ctx.room)
        room.fail.append(rtc.ConnectError("no"))
        results.extend(await asyncio.gather(ctx.connect(), ctx.connect(), return_exceptions=True))
        await asyncio.gather(ctx.connect(auto_subscribe=AutoSubscribe.SUBSCRIBE_NONE), ctx.connect())
        await ctx.connect()

    async with serving(program) as served:
        served.server.worker.offer(job("J1"))
        await asyncio.sleep(1.0)
        assert [type(result) for result in results] == [rtc.ConnectError, rtc.ConnectError]
        ((url, _, options),) = served.rooms["J1"].joins
        assert (url, options.auto_subscribe) == ("ws://livekit.test", False)


@virtual
async def test_participants_are_waited_for_and_have_entry_points_of_their_own() -> None:
    met: list[str] = []

    async def meet(ctx: JobContext, participant: rtc.RemoteParticipant) -> None:
        met.append(participant.identity)
        if participant.identity == "rude":
            raise ValueError(participant.identity)

    async def program(ctx: JobContext) -> None:
        ctx.add_participant_entrypoint(meet)
        with pytest.raises(OptionError, match="added before"):
            ctx.add_participant_entrypoint(meet)
        first = await ctx.wait_for_participant()
        ann = await ctx.wait_for_participant(identity="ann")
        met.append(f"waited for {first.identity} and {ann.identity}")

    async with serving(program) as served:
        served.server.worker.offer(job("J1"))
        await asyncio.sleep(1.0)
        room = served.rooms["J1"]
        assert room.linked
        room.join(Person("another agent", kind=4))
        room.join(Person("rude", kind=3))
        await quiet()
        room.join(Person("ann"))
        await quiet()
        assert sorted(met) == ["ann", "rude", "waited for rude and ann"]


@virtual
async def test_waiting_for_somebody_ends_with_the_room() -> None:
    raised: list[BaseException] = []

    async def program(ctx: JobContext) -> None:
        try:
            await ctx.wait_for_participant()
        except SessionStateError as error:
            raised.append(error)

    async with serving(program) as served:
        served.server.worker.offer(job("J1"))
        await asyncio.sleep(1.0)
        served.rooms["J1"].lose()
        await asyncio.sleep(1.0)
        assert [str(error) for error in raised] == ["the room was disconnected while waiting for a participant"]


@virtual
async def test_simulated_jobs_take_slots_and_are_not_reported() -> None:
    async def program(ctx: JobContext) -> None:
        assert ctx.is_fake_job()
        await ctx.connect()
        await ctx.delete_room()
        with pytest.raises(SessionStateError, match="needs a LiveKit server"):
            _ = ctx.api
        await AgentSession[None]().start(Agent(instructions=""), room=ctx.room)

    async with serving(program, max_sessions=1) as served:
        await served.worker.simulate_job("lobby", fake_job=True)
        await asyncio.sleep(1.0)
        (info,) = served.worker.active_jobs
        assert (info.fake_job, info.job.room.name) == (True, "lobby")
        assert served.server.worker.statuses[-1].full
        with pytest.raises(SessionStateError, match="refused: full"):
            await served.worker.simulate_job("lobby", fake_job=True)
        with pytest.raises(OptionError, match="needs agent_identity"):
            await served.worker.simulate_job("lobby")
    assert served.server.jobs == {}
    assert served.worker.stats.local == 1


@virtual
async def test_sessions_belong_to_the_job_in_whose_program_they_start() -> None:
    found: list[object] = []

    async def program(ctx: JobContext) -> None:
        with pytest.raises(SessionStateError, match="no AgentSession has been started"):
            _ = ctx.primary_session
        first: AgentSession[None] = AgentSession()
        await first.start(Agent(instructions=""), room=MemoryTransport())
        second: AgentSession[None] = AgentSession()
        await second.start(Agent(instructions=""), room=MemoryTransport())
        found.extend([ctx.primary_session is first, len(ctx.sessions)])

    async with serving(program) as served:
        await served.worker.simulate_job("lobby", fake_job=True)
        await asyncio.sleep(1.0)
        assert found == [True, 2]


@virtual
async def test_setup_fnc_runs_once_before_the_first_job_and_all_jobs_share_what_it_made() -> None:
    made: list[object] = []
    got: list[object] = []

    async def program(ctx: JobContext) -> None:
        got.append(ctx.proc.userdata["model"])

    async def setup(proc: Any) -> None:
        made.append(proc)
        proc.userdata["model"] = "loaded"

    async with serving(program, setup_fnc=setup) as served:
        served.server.worker.offer(job("J1"), job("J2"))
        await asyncio.sleep(1.0)
        assert (len(made), got) == (1, ["loaded", "loaded"])


@virtual
async def test_a_setup_fnc_that_hangs_is_an_error_of_run() -> None:
    async def setup(proc: object) -> None:
        await asyncio.Event().wait()

    from sessionactors import AgentServer

    worker = AgentServer(setup_fnc=setup, initialize_process_timeout=2.0)
    worker._world = World(cast("Any", None), cast("Any", None))
    with pytest.raises(SessionStateError, match="has no entry point"):
        await worker.run(unregistered=True)
    worker.rtc_session(lambda ctx: ctx.connect())
    with pytest.raises(SessionStateError, match="has not returned within initialize_process_timeout=2 s"):
        await worker.run(unregistered=True)


@virtual
async def test_a_program_that_ignores_its_cancellation_does_not_hold_up_the_end() -> None:
    async def program(ctx: JobContext) -> None:
        await ctx.connect()
        for _ in range(2):
            try:
                await asyncio.sleep(1000.0)
            except asyncio.CancelledError:
                continue

    async with serving(program, bounds=JobBounds(entry_point=1.0, cancelled=0.5)) as served:
        served.server.worker.offer(job("J1"))
        await asyncio.sleep(1.0)
        began = now()
        await served.worker.aclose()
        assert now() - began < 5.0
        assert served.server.jobs == {"J1": "success"}


@virtual
async def test_a_worker_that_has_no_time_cancels_its_jobs_and_leaves_their_rooms() -> None:
    async def program(ctx: JobContext) -> None:
        await ctx.connect()
        await asyncio.Event().wait()

    async with serving(program) as served:
        served.server.worker.offer(job("J1"))
        await asyncio.sleep(1.0)
        began = now()
        await served.worker.aclose(deadline=0.5)
        assert now() - began < 3.0
        assert not served.rooms["J1"].linked


@virtual
async def test_a_worker_whose_actor_fails_says_so_and_leaves_the_rooms() -> None:
    async with serving() as served:
        served.server.worker.offer(job("J1"))
        await asyncio.sleep(1.0)
        running, served.running = served.running, asyncio.create_task(quiet())
        assert served.worker._ref is not None
        served.worker._ref.cell.deliver_system(Kill(RuntimeError("a bug")))
        assert running is not None
        with pytest.raises(InternalError, match=r"the actor livekit-worker\S* failed: please report it"):
            await running
    assert not served.rooms["J1"].linked


@virtual
async def test_p17_a_job_that_is_over_is_forgotten() -> None:
    jobs: list[weakref.ref[JobContext]] = []

    async def program(ctx: JobContext) -> None:
        jobs.append(weakref.ref(ctx))
        await ctx.connect()
        await AgentSession[None]().start(Agent(instructions=""), room=MemoryTransport())

    async with serving(program) as served:
        served.server.worker.offer(*(job(f"J{number}") for number in range(3)))
        await asyncio.sleep(1.0)
        for room in served.rooms.values():
            room.lose()
        await asyncio.sleep(400.0)  # asyncio keeps cancelled timers, with their context variables, until they are due
        served.rooms.clear()
        del room
        gc.collect()
        assert served.worker.stats.succeeded == 3
        assert [made() for made in jobs] == [None, None, None]


async def test_a_session_that_starts_in_the_room_of_its_job_joins_it(
    house: Loopback,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("livekit.rtc.Room", ROOM)  # the fixture gives another one: here the worker makes the rooms
    order: list[str] = []

    async def program(ctx: JobContext) -> None:
        session: AgentSession[None] = AgentSession()
        await session.start(
            Agent(instructions=""),
            room=ctx.room,
            room_input_options=RoomInputOptions(audio_enabled=False),
            room_output_options=RoomOutputOptions(audio_enabled=False),
        )
        order.append(f"{ctx.primary_session is session} {ctx.room.isconnected()}")
        ctx.shutdown("enough")

    async with serving(program) as served:
        served.worker._world = World(served.server.dial, lambda _: cast("rtc.Room", LoopbackRoom(house)))
        served.server.worker.offer(job("J1"))
        async with asyncio.timeout(5):
            while served.server.jobs.get("J1") != "success":  # noqa: ASYNC110
                await asyncio.sleep(0.005)
    assert order == ["True True"]
    assert house.joined_with[0][0] == "ws://livekit.test"
    assert not house.room.linked
