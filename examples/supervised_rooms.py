"""Rooms with budgets, restarts and a polite end on SIGTERM.  python examples/supervised_rooms.py, then Ctrl-C.

Needs no account: the front desk is a table of rules. A caller types now and then; the session of the second room fails
after five seconds, and goes on with what was said. Ctrl-C, or SIGTERM, refuses new rooms, says the last sentence in all
others, and ends the program with an exit code that tells whether all went well.
"""

from __future__ import annotations

import asyncio
import sys

from sessionactors import (
    Agent,
    ChatMessage,
    DrainOnSignals,
    Limit,
    RestartPolicy,
    RoomDraining,
    RoomEvent,
    RoomHandle,
    RoomLimits,
    RoomSupervisor,
    SessionSpec,
    SessionStateError,
)
from sessionactors.providers import offline

FAILS_AFTER = 5.0
ASKS_EVERY = 2.0


def session_for(room: str) -> SessionSpec:
    """What the session of a room is made of: called for each restart, too."""
    agent = Agent(instructions="You are the front desk of a hotel.")
    return SessionSpec(agent=agent, llm=offline.RuleBasedLLM(offline.FRONT_DESK))


def supervisor() -> RoomSupervisor:
    """At most ten rooms, with a budget each."""
    return RoomSupervisor(
        session_for,
        max_sessions=10,
        limits=RoomLimits(
            lifetime=3600.0,
            idle=120.0,
            tokens=Limit(50_000, "warn"),
            memory=20 * 2**20,
            handling=Limit(30.0, "kill"),
        ),
        restart=RestartPolicy(most=3, within=60.0, says="Sorry, I was cut off. Please go on."),
        farewell="We have to close now. Please call again.",
        drain_deadline=6.0,
        close_deadline=1.0,
    )


async def ask(handle: RoomHandle, question: str) -> None:
    """A caller types the same again and again."""
    while handle.end is None:
        try:
            reply = await handle.session.generate_reply(user_input=question)  # another session after a restart
        except SessionStateError as error:
            print(f"{handle.room}: {question} -> ({error})")
        else:
            said = [item.text_content for item in reply.chat_items if isinstance(item, ChatMessage)]
            print(f"{handle.room}: {question} -> {said[-1] if said else '(nothing)'}")
        await asyncio.sleep(ASKS_EVERY)


async def main() -> int:
    """Host two rooms until a signal comes."""
    async with supervisor() as rooms:

        @rooms.on_room_event
        def tell(event: RoomEvent) -> None:
            used = f", {rooms.get(event.room).use()}" if isinstance(event, RoomDraining) else ""
            print(f"{event.room}: {event.type}{used}")

        callers = [
            asyncio.create_task(ask(await rooms.spawn(room), question))
            for room, question in (("room-1", "When is breakfast?"), ("room-2", "May I see the menu?"))
        ]
        asyncio.get_running_loop().call_later(FAILS_AFTER, lambda: rooms.system.stop_tree("room-2", 0.0))
        with DrainOnSignals(rooms) as draining:
            report = await draining.wait()
        for caller in callers:
            caller.cancel()
        await asyncio.gather(*callers, return_exceptions=True)
    print(report)
    return report.exit_code


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
