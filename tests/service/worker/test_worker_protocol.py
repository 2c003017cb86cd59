"""The worker against a strict server in memory: registration, offers, admission, assignment, reconnect, the end."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from livekit.protocol import agent

from sessionactors import APIConnectionError, AssignmentTimeoutError, JobContext, JobRequest, OptionError
from sessionactors.testing.virtual_loop import run

from tests.service.worker.serving import quiet, serving, stay
from tests.service.worker.virtual import virtual
from tests.wire.livekit_worker import WorkerServer, job


@virtual
async def test_registers_with_type_permissions_name_and_version() -> None:
    async with serving(agent_name="front-desk") as served:
        said = served.server.worker.registration
        assert said is not None
        assert said.type == agent.JobType.JT_ROOM
        assert said.agent_name == "front-desk"
        assert said.version
        assert said.allowed_permissions.can_publish
        assert said.allowed_permissions.agent
        assert not said.allowed_permissions.hidden
        assert served.worker.id == "AW_1"
    assert served.server.complaints == []


@virtual
async def test_a_job_is_accepted_assigned_run_and_reported() -> None:
    seen: list[JobContext] = []

    async def program(ctx: JobContext) -> None:
        seen.append(ctx)
        await ctx.connect()

    async with serving(program) as served:
        server = served.server
        server.worker.offer(job("J1", "room-1"))
        await asyncio.sleep(1.0)
        assert server.worker.answers["J1"].participant_identity == "agent-J1"
        assert server.worker.answers["J1"].participant_attributes["lk.agent.name"] == ""
        assert server.jobs == {"J1": "running"}
        assert [info.job.id for info in served.worker.active_jobs] == ["J1"]
        (ctx,) = seen
        assert (ctx.job.room.name, ctx.worker_id, ctx.local_participant_identity) == ("room-1", "AW_1", "agent-J1")
        grants = ctx.token_claims().video
        assert grants is not None
        assert grants.room == "room-1"
        url, _, _ = served.rooms["J1"].joins[0]
        assert url == "ws://livekit.test"
        served.rooms["J1"].lose()
        await asyncio.sleep(1.0)
        assert server.jobs == {"J1": "success"}
        assert served.worker.active_jobs == []
    assert server.complaints == []


@virtual
async def test_a_program_that_raises_is_reported_as_failed_by_its_kind_of_error_only() -> None:
    async def program(ctx: JobContext) -> None:
        raise ValueError("the caller's secret")

    async with serving(program) as served:
        served.server.worker.offer(job("J1"))
        await asyncio.sleep(1.0)
        assert served.server.jobs == {"J1": "failed"}
        assert served.server.errors == {"J1": "ValueError"}
        assert served.worker.stats.failed == 1


@virtual
async def test_p19_a_burst_of_200_offers_gets_exactly_50() -> None:
    async with serving(max_sessions=50) as served:
        worker = served.server.worker
        worker.offer(*(job(f"J{number}") for number in range(200)))
        await asyncio.sleep(3.0)
        assert (len(worker.accepted), len(worker.refused)) == (50, 150)
        assert len(served.worker.active_jobs) == 50
        assert served.worker.stats.refused == 150
        assert (worker.statuses[-1].full, worker.statuses[-1].jobs) == (True, 50)
    assert served.server.complaints == []


@virtual
async def test_p19_slots_of_jobs_that_never_come_are_free_again_after_seven_and_a_half_seconds() -> None:
    async with serving(server=WorkerServer(assigns=False), max_sessions=50) as served:
        worker = served.server.worker
        worker.offer(*(job(f"J{number}") for number in range(200)))
        await asyncio.sleep(7.0)
        assert len(worker.accepted) == 50
        worker.offer(job("one-more"))
        await quiet()
        assert "one-more" in worker.refused
        await asyncio.sleep(1.0)
        assert served.worker.stats.never_assigned == 50
        assert not worker.statuses[-1].full
        worker.offer(*(job(f"K{number}") for number in range(200)))
        await quiet()
        assert len(worker.accepted) == 100
    assert served.server.complaints == []


@virtual
async def test_p19_a_burst_with_slow_answers_and_rejections_never_takes_one_too_many() -> None:
    most = 0

    async def look(request: JobRequest) -> None:
        await asyncio.sleep(int(request.id[1:]) % 7 * 0.1)
        if int(request.id[1:]) % 3 == 0:
            await request.reject(terminate=False)
        else:
            await request.accept()

    async with serving(on_request=look, max_sessions=5) as served:
        for burst in range(10):
            served.server.worker.offer(*(job(f"J{burst * 40 + number}") for number in range(40)))
            await asyncio.sleep(0.15)
            most = max(most, len(served.worker.active_jobs))
        await asyncio.sleep(2.0)
        stats = served.worker.stats
        assert most <= 5
        assert len(served.worker.active_jobs) == 5
        assert stats.offered == 400 == stats.refused + stats.rejected + stats.assigned
    assert served.server.complaints == []


@virtual
async def test_status_is_told_every_two_and_a_half_seconds_and_at_once_when_it_changes() -> None:
    async with serving(max_sessions=1) as served:
        worker = served.server.worker
        await asyncio.sleep(6.0)
        worker.offer(job("J1"))
        await asyncio.sleep(0.2)
        assert [round(status.at, 1) for status in worker.statuses] == [0.0, 2.5, 5.0, 6.0]
        assert [status.full for status in worker.statuses] == [False, False, False, True]
        await asyncio.sleep(2.5)
        assert (worker.statuses[-1].load, worker.statuses[-1].jobs) == (1.0, 1)


@virtual
async def test_request_fnc_says_who_the_agent_is_and_waits_for_the_assignment() -> None:
    at: list[float] = []

    async def look(request: JobRequest) -> None:
        assert request.room.name == "room-1"
        assert request.publisher is None
        await request.accept(name="Ann", identity="ann", metadata="m", attributes={"a": "b"})
        at.append(asyncio.get_running_loop().time())

    async with serving(on_request=look) as served:
        served.server.assigns = False
        one = job("J1", "room-1")
        served.server.worker.offer(one)
        await asyncio.sleep(3.0)
        assert at == []
        served.server.worker.assign(one)
        await asyncio.sleep(1.0)
        answer = served.server.worker.answers["J1"]
        assert (answer.participant_name, answer.participant_identity, answer.participant_metadata) == (
            "Ann",
            "ann",
            "m",
        )
        assert dict(answer.participant_attributes) == {"lk.agent.name": "", "a": "b"}
        assert at == [pytest.approx(3.0, abs=0.1)]


@virtual
async def test_accept_raises_when_the_server_never_assigns() -> None:
    raised: list[BaseException] = []

    async def look(request: JobRequest) -> None:
        try:
            await request.accept()
        except AssignmentTimeoutError as error:
            raised.append(error)

    async with serving(on_request=look, server=WorkerServer(assigns=False)) as served:
        served.server.worker.offer(job("J1"))
        await asyncio.sleep(7.4)
        assert raised == []
        await asyncio.sleep(0.2)
        assert [str(error) for error in raised] == ["the server has not assigned job J1 within 7.5 s"]


@pytest.mark.parametrize("how", ["raises", "says nothing", "hangs", "exits"])
def test_a_request_fnc_that_does_not_answer_rejects(how: str) -> None:
    async def look(request: JobRequest) -> None:
        if how == "raises":
            raise ValueError("no")
        if how == "exits":
            raise SystemExit
        if how == "hangs":
            await asyncio.Event().wait()

    async def main() -> None:
        async with serving(on_request=look, max_sessions=1) as served:
            served.server.worker.offer(job("J1"))
            await asyncio.sleep(10.1)
            assert served.server.worker.refused == ["J1"]
            assert not served.server.worker.answers["J1"].terminate
            assert served.worker.stats.rejected == 1
            assert not served.server.worker.statuses[-1].full
        assert served.server.complaints == []

    run(main)


@virtual
async def test_reject_says_that_nobody_else_shall_take_it() -> None:
    async with serving(on_request=lambda request: request.reject()) as served:
        served.server.worker.offer(job("J1"))
        await quiet()
        assert served.server.worker.answers["J1"].terminate


@virtual
async def test_doubled_messages_change_nothing() -> None:
    async with serving() as served:
        worker, one = served.server.worker, job("J1")
        served.server.assigns = False
        worker.offer(one)
        worker.offer(one)
        await quiet()
        served.server.lenient = True
        worker.assign(one)
        await asyncio.sleep(0.5)
        worker.offer(one)
        worker.say(agent.ServerMessage(assignment=agent.JobAssignment(job=one, token="other")))
        await asyncio.sleep(0.5)
        assert list(served.rooms) == ["J1"]
        assert not worker.answers["J1"].available  # it runs: not a second time
        worker.terminate("J1")
        worker.terminate("J1")
        worker.terminate("nobody's")
        await asyncio.sleep(1.0)
        worker.terminate("J1")
        await quiet()
        assert served.server.jobs == {"J1": "success"}
        assert served.worker.stats.offered == 1
        assert served.worker.stats.repeated == 6
    assert served.server.complaints == []


@virtual
async def test_an_assignment_that_was_not_asked_for_is_reported_as_failed() -> None:
    async with serving() as served:
        served.server.worker.assign(job("stranger"))
        await quiet()
        assert served.server.jobs == {"stranger": "failed"}
        assert "has not accepted" in served.server.errors["stranger"]
        assert served.worker.stats.unknown_assignments == 1
        assert served.rooms == {}


@virtual
async def test_garbage_costs_one_frame_and_no_job() -> None:
    async with serving() as served:
        worker = served.server.worker
        worker.offer(job("J1"))
        for frame in (b"\xff\xff\xff\xff", b"", "text", b"\x0a", bytes(70_000)):
            worker.raw(frame)
        worker.say(agent.ServerMessage(availability=agent.AvailabilityRequest()))
        worker.say(agent.ServerMessage(pong=agent.WorkerPong(timestamp=1)))
        worker.offer(job("J2"))
        await asyncio.sleep(1.0)
        assert served.server.jobs == {"J1": "running", "J2": "running"}
        assert served.worker.stats.frames_refused == 6
        assert len(served.server.connections) == 1


@virtual
async def test_what_comes_before_the_registration_is_refused() -> None:
    async with serving(server=WorkerServer(registers=False), wait=False) as served:
        await quiet()
        served.server.worker.offer(job("J1"))
        await quiet()
        assert served.server.worker.answers == {}
        assert served.worker.stats.frames_refused == 1
        assert served.worker.id == "unregistered"


@virtual
async def test_a_server_that_never_registers_the_worker_is_left_after_ten_seconds() -> None:
    async with serving(server=WorkerServer(registers=False), wait=False) as served:
        await asyncio.sleep(23.0)
        assert [round(at) for at in served.server.attempts] == [0, 10, 22]  # at once, then after 2 s


@virtual
async def test_reconnects_after_two_more_seconds_each_time_and_ten_at_most() -> None:
    server = WorkerServer(refuse=[None] * 8)
    async with serving(server=server) as served:
        gaps = [round(after - before) for before, after in pairwise(server.attempts)]
        assert gaps == [0, 2, 4, 6, 8, 10, 10, 10]
        assert served.worker.id == "AW_1"


@virtual
async def test_gives_up_after_max_retry_attempts_and_run_raises() -> None:
    with pytest.raises(APIConnectionError, match="could not be reached in 4 attempts; the last: nobody listens"):
        async with serving(server=WorkerServer(refuse=[None] * 20), wait=False, max_retry=3) as served:
            await asyncio.sleep(60.0)
    assert len(served.server.attempts) == 4


@virtual
async def test_a_wrong_key_is_said_at_once_to_a_new_worker() -> None:
    with pytest.raises(OptionError, match="refuses this worker: check api_key and api_secret") as caught:
        async with serving(wait=False, api_secret="another secret that is also long enough") as served:
            await asyncio.sleep(1.0)
    assert len(served.server.attempts) == 1
    assert "another secret" not in str(caught.value)


@virtual
async def test_a_worker_that_was_taken_in_once_tries_again_also_when_it_is_refused() -> None:
    async with serving() as served:
        served.server.refuse = [401, 503]
        served.server.break_line()
        await asyncio.sleep(10.0)
        assert len(served.server.connections) == 2


@virtual
async def test_after_a_reconnect_running_jobs_migrate_and_ends_are_told() -> None:
    async with serving() as served:
        server = served.server
        server.worker.offer(job("stays"), job("ends"))
        await asyncio.sleep(12.0)
        server.refuse = [None]
        server.break_line()
        await asyncio.sleep(1.0)
        served.rooms["ends"].lose()
        await asyncio.sleep(3.0)
        assert len(server.connections) == 2
        assert server.worker.migrated == ["stays"]
        assert server.jobs == {"stays": "running", "ends": "success"}
        assert served.worker.id == "AW_2"
        server.worker.terminate("stays")
        await asyncio.sleep(1.0)
        assert server.jobs["stays"] == "success"
    assert server.complaints == []


@virtual
async def test_a_lost_connection_gives_back_what_was_accepted_and_not_assigned() -> None:
    async with serving(server=WorkerServer(assigns=False), max_sessions=2) as served:
        served.server.worker.offer(job("J1"), job("J2"))
        await quiet()
        served.server.break_line()
        await asyncio.sleep(0.5)
        assert served.worker.stats.lost == 2
        served.server.assigns = True
        served.server.worker.offer(job("J3"), job("J4"))
        await asyncio.sleep(0.5)
        assert served.server.jobs == {"J3": "running", "J4": "running"}
    assert served.server.complaints == []


@virtual
async def test_connections_that_do_not_last_are_tried_again_ever_more_slowly() -> None:
    async with serving() as served:
        for lasts in (1.0, 1.0, 1.0, 11.0, 1.0):
            await served.server.registered.wait()
            await asyncio.sleep(lasts)
            served.server.break_line()
            served.server.registered.clear()
        await served.server.registered.wait()
        at = served.server.attempts
        gaps = [round(after - before) for before, after in pairwise(at)]
        assert gaps == [1 + 0, 1 + 2, 1 + 4, 11 + 0, 1 + 2]


@virtual
async def test_drain_refuses_what_is_new_and_waits_for_what_runs() -> None:
    async with serving() as served:
        worker = served.server.worker
        worker.offer(job("J1"))
        await asyncio.sleep(1.0)
        draining = asyncio.create_task(served.worker.drain())
        await quiet()
        assert served.worker.draining
        assert worker.statuses[-1].full
        worker.offer(job("J2"))
        await asyncio.sleep(100.0)
        assert worker.refused == ["J2"]
        assert not draining.done()
        served.rooms["J1"].lose()
        await asyncio.sleep(1.0)
        assert draining.done()


@virtual
async def test_drain_waits_also_for_what_was_accepted_and_has_a_deadline() -> None:
    async with serving(server=WorkerServer(assigns=False)) as served:
        one = job("J1")
        served.server.worker.offer(one)
        await quiet()
        with pytest.raises(TimeoutError):
            await served.worker.drain(timeout=2.0)
        served.server.worker.assign(one)
        await asyncio.sleep(1.0)
        assert served.server.jobs == {"J1": "running"}  # it was promised


@virtual
async def test_aclose_ends_jobs_reports_them_and_leaves() -> None:
    reasons: list[str] = []

    async def program(ctx: JobContext) -> None:
        ctx.add_shutdown_callback(reasons.append)
        await ctx.connect()

    async with serving(program) as served:
        served.server.worker.offer(job("J1"), job("J2"))
        await asyncio.sleep(1.0)
        await served.worker.aclose()
        assert served.server.jobs == {"J1": "success", "J2": "success"}
        assert reasons == ["worker closed", "worker closed"]
        assert served.server.worker.gone.is_set()
        assert served.running is not None
        await asyncio.wait((served.running,), timeout=0.1)
        assert served.running.done()
    assert served.server.complaints == []


@virtual
async def test_aclose_while_offers_are_looked_at_refuses_them() -> None:
    async def look(request: JobRequest) -> None:
        await asyncio.sleep(5.0)
        await request.accept()

    async with serving(on_request=look) as served:
        served.server.worker.offer(job("J1"))
        await quiet()
        await served.worker.aclose()
        assert served.server.worker.refused == ["J1"]


@virtual
async def test_a_load_fnc_decides_with_its_threshold() -> None:
    load = 0.2
    async with serving(stay, load_fnc=lambda: load, load_threshold=0.5, max_sessions=10) as served:
        worker = served.server.worker
        await asyncio.sleep(1.0)
        worker.offer(job("J1"))
        await asyncio.sleep(1.0)
        load = 0.6
        await asyncio.sleep(1.0)
        worker.offer(job("J2"))
        await asyncio.sleep(3.0)
        assert worker.refused == ["J2"]
        assert worker.statuses[-1].full
        assert worker.statuses[-1].load == pytest.approx(0.6)
        load = 0.1
        await asyncio.sleep(1.0)
        assert not worker.statuses[-1].full


@virtual
async def test_a_load_fnc_that_raises_leaves_the_last_load() -> None:
    asked = 0

    def load(server: object) -> float:
        nonlocal asked
        asked += 1
        if asked > 1:
            raise OSError("no /proc")
        return 0.25

    async with serving(load_fnc=load) as served:
        await asyncio.sleep(3.0)
        assert asked > 3
        assert served.worker.worker_load == 0.25
