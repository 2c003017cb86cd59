"""A program with three rooms that ends on SIGTERM; run by test_drain.py, which reads what it prints."""

from __future__ import annotations

import asyncio
import json
import sys

from sessionactors import (
    AdmissionRefused,
    Agent,
    ChatMessage,
    DrainOnSignals,
    DrainReport,
    RoomDraining,
    RoomEvent,
    RoomHandle,
    RoomSupervisor,
    SessionSpec,
)

GOODBYE = "We have to stop here. Please call again."


def session_for(room: str) -> SessionSpec:
    """Without model or voice: what the agent says is shown."""
    return SessionSpec(agent=Agent(instructions=""))


def tell(report: DrainReport, handles: list[RoomHandle], refusal: str) -> int:
    """Say what came of it."""
    said = [item.text_content for one in handles for item in one.history.items if isinstance(item, ChatMessage)]
    print(json.dumps({"refused": refusal, "finished": report.finished, "last_words": said, "report": str(report)}))
    return report.exit_code


async def main() -> int:
    """Host, wait for the signal, say what came of it."""
    async with RoomSupervisor(session_for, drain_deadline=30.0) as rooms:

        @rooms.on_room_event
        def finish(event: RoomEvent) -> None:
            if isinstance(event, RoomDraining):
                session = rooms.get(event.room).session
                _ = session.say(GOODBYE)
                session.shutdown()

        handles = [await rooms.spawn(f"room-{number}") for number in range(3)]
        with DrainOnSignals(rooms) as draining:
            print("ready", flush=True)
            report = await draining.wait()
            try:
                await rooms.spawn("late")
            except AdmissionRefused as refused:
                return tell(report, handles, refused.reason)
    return 2


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
