"""The program in a room of one's own: against a LiveKit server, or skipped."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from benchmarks.livekit_server import Server
from tests.transports.livekit.test_real_rooms import Caller, room_name, server, until

__all__ = ["room_name", "server"]

PROGRAM = Path(__file__).parents[2] / "examples" / "livekit_room.py"


@pytest.mark.livekit
@pytest.mark.leaves_behind("the SDK's native library keeps its threads")
@pytest.mark.may_block("the SDK asks its native library on the loop")
async def test_the_front_desk_greets_and_leaves_with_its_guest(server: Server, room_name: str) -> None:
    keys = {"LIVEKIT_URL": server.url, "LIVEKIT_API_KEY": server.key, "LIVEKIT_API_SECRET": server.secret}
    program = await asyncio.create_subprocess_exec(
        sys.executable, str(PROGRAM), room_name, stdout=asyncio.subprocess.PIPE, env={**os.environ, **keys}
    )
    try:
        async with Caller(server, room_name, "guest") as guest:
            await until(lambda: guest.hears(0.0), 20.0)
        assert program.stdout is not None
        told = (await asyncio.wait_for(program.stdout.read(), 15)).decode()
        assert f"room {room_name!r} at {server.url}" in told
        assert "assistant: Front" in told  # as much as was heard before the guest left
        assert await program.wait() == 0
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()
