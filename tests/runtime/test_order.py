"""The whole contract of order: FIFO for each sender, receiver and lane."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sessionactors.runtime import ActorSystem
from sessionactors.testing import SeededDispatcher, run

from tests.runtime.scripted import Do, Note, NoteNow, Out, Scripted, State

SENDERS = ("a", "b", "c")
RECEIVERS = ("x", "y")
Told = tuple[str, str, bool]
"""Sender, receiver, control?"""


async def traffic(told: list[Told], seed: int) -> dict[str, State]:
    """Each sender tells its part from its handlers, one message of the list for each of its own."""
    system = ActorSystem("running", dispatcher=SeededDispatcher.with_seed(seed))
    system.start()
    receivers = {name: system.spawn(name, Scripted) for name in RECEIVERS}
    senders = {name: system.spawn(name, Scripted) for name in SENDERS}
    for number, (sender, receiver, control) in enumerate(told):

        def send(out: Out, number: int = number, told: Told = (sender, receiver, control)) -> None:
            kind = NoteNow if told[2] else Note
            out.tell(receivers[told[1]], kind((told[0], told[2], number)))

        senders[sender].tell(Do(send))
    await asyncio.sleep(1)
    states = {name: ref.cell.state for name, ref in receivers.items()}
    await system.aclose()
    return states  # type: ignore[return-value]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(SENDERS), st.sampled_from(RECEIVERS), st.booleans()), max_size=30),
    st.integers(0, 1_000_000),
)
def test_messages_of_one_sender_to_one_receiver_in_one_lane_keep_their_order(told: list[Told], seed: int) -> None:
    states = run(lambda: traffic(told, seed))
    for receiver in RECEIVERS:
        notes: Any = states[receiver]
        assert len(notes) == sum(to == receiver for _, to, _ in told)
        for sender in SENDERS:
            for control in (True, False):
                numbers = [n for by, lane, n in notes if (by, lane) == (sender, control)]
                assert numbers == sorted(numbers)


def test_a_receiver_keeps_up_with_bursts() -> None:
    """Who tells a hundred in one handler, and goes on, must not leave more and more behind: backlogs are memory."""

    async def high_water() -> int:
        system = ActorSystem("running")
        system.start()
        receiver, sender = system.spawn("receiver", Scripted), system.spawn("sender", Scripted)
        left = 30

        def burst(out: Out) -> None:
            nonlocal left
            left -= 1
            for number in range(100):
                out.tell(receiver, Note(number))
            if left:
                out.tell(out.myself, Do(burst))

        sender.tell(Do(burst))
        await asyncio.sleep(1)
        read = system.inspect("receiver")["receiver"]
        await system.aclose()
        assert (read.accounts.handled, read.accounts.dead_lettered) == (3_000, 0)
        return read.high_water

    assert run(high_water) <= 300
