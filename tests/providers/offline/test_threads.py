"""From the threads of engines back to loops."""

from __future__ import annotations

import asyncio
import threading

import pytest

from sessionactors.providers.offline.threads import call_on_loop, ended


def test_a_call_for_a_closed_loop_is_noted_and_dropped(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    call_on_loop(loop, print, "lost")
    assert "closed loop" in caplog.text


async def test_other_errors_of_a_loop_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()

    def refuse(*args: object) -> None:
        raise RuntimeError("something else")

    with monkeypatch.context() as patch:
        patch.setattr(loop, "call_soon_threadsafe", refuse)
        with pytest.raises(RuntimeError, match="something else"):
            call_on_loop(loop, print)


async def test_waiting_for_a_thread_does_not_block_the_loop() -> None:
    go = threading.Event()
    thread = threading.Thread(target=go.wait)
    thread.start()
    waiting = asyncio.create_task(ended(thread))
    await asyncio.sleep(0.02)
    assert not waiting.done()
    go.set()
    await waiting
