"""The example with budgets, restarts and a polite end on a signal."""

from __future__ import annotations

import asyncio
import signal

import pytest

from examples import supervised_rooms


async def test_a_room_fails_and_goes_on_and_a_signal_ends_the_program(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(supervised_rooms, "FAILS_AFTER", 0.02)
    monkeypatch.setattr(supervised_rooms, "ASKS_EVERY", 0.01)
    program = asyncio.create_task(supervised_rooms.main())
    told = ""
    async with asyncio.timeout(20.0):
        while "room-2: room_restarted" not in told:
            await asyncio.sleep(0.02)
            told += capsys.readouterr().out
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)  # the second: now
        code = await program
    told += capsys.readouterr().out
    assert "room-1: When is breakfast? -> The front desk is open" in told
    assert "room-2: room_restarting" in told
    assert "room-2: room_draining, RoomUse(" in told
    assert "2 were closed" in told
    assert code in (0, 1), "no time was given"
