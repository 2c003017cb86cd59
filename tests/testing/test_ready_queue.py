"""On a virtual loop that follows a schedule, wake-ups and due timers are choices; callbacks keep their order."""

from __future__ import annotations

import asyncio

from sessionactors.testing import Schedule, VirtualLoop, run
from sessionactors.testing.choices import Choices


def order(schedule: Schedule) -> list[str]:
    """Three tasks that wake up, three timers at one instant and three callbacks, in the order in which they run."""
    ran: list[str] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        gate = asyncio.Event()

        async def wait(name: str) -> None:
            await gate.wait()
            ran.append(name)

        tasks = [asyncio.create_task(wait(f"task {number}")) for number in range(3)]
        await asyncio.sleep(0)
        loop.follow(Choices(schedule))
        gate.set()
        for number in range(3):
            loop.call_soon(ran.append, f"callback {number}")
            loop.call_at(loop.time(), ran.append, f"timer {number}")
        loop.call_soon(ran.append, "cancelled").cancel()
        await asyncio.gather(*tasks)
        await asyncio.sleep(1.0)

    run(main)
    return ran


def of(kind: str, ran: list[str]) -> list[str]:
    return [name for name in ran if name.startswith(kind)]


def test_first_come_first_served_is_the_order_of_asyncio() -> None:
    assert order(Schedule()) == [
        *(f"task {number}" for number in range(3)),
        *(f"callback {number}" for number in range(3)),
        *(f"timer {number}" for number in range(3)),
    ]


def test_wakeups_and_due_timers_come_in_any_order_and_callbacks_in_theirs() -> None:
    orders = [order(Schedule.random(seed)) for seed in range(30)]
    assert len({tuple(of("task", ran)) for ran in orders}) == 6
    assert len({tuple(of("timer", ran)) for ran in orders}) == 6
    assert {tuple(of("callback", ran)) for ran in orders} == {("callback 0", "callback 1", "callback 2")}
    assert any(ran.index("callback 2") < ran.index("task 0") for ran in orders)
    assert all(len(ran) == 9 for ran in orders)


def test_priorities_are_followed_by_all_that_is_ready() -> None:
    assert order(Schedule.pct(2)) == order(Schedule.pct(2))
    assert order(Schedule.pct(2)) != order(Schedule.pct(3))
