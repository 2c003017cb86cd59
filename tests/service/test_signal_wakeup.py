"""A signal that finds the loop asleep, and not its thread, is answered at once."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator

import pytest

from sessionactors.service.signal_wakeup import woken_by_signals


@pytest.fixture
def handlers() -> Iterator[None]:
    before = signal.getsignal(signal.SIGUSR2)
    yield
    signal.signal(signal.SIGUSR2, before)
    assert signal.set_wakeup_fd(-1) == -1


@pytest.mark.usefixtures("handlers")
def test_a_signal_that_another_thread_gets_is_handled_though_the_loop_has_nothing_to_do() -> None:
    """It is given to that thread, and nothing interrupts the main one: as when it comes just before the sleep."""
    came = list[int]()

    async def idle() -> None:
        over = asyncio.get_running_loop().create_future()
        asleep = threading.Event()

        def on_signal(number: int, _: object) -> None:
            came.append(number)
            over.set_result(None)

        def send() -> None:
            asleep.wait()
            signal.pthread_kill(threading.get_ident(), signal.SIGUSR2)

        signal.signal(signal.SIGUSR2, on_signal)
        sender = threading.Thread(target=send)
        sender.start()
        asyncio.get_running_loop().call_soon(asleep.set)
        await over
        sender.join()

    with asyncio.Runner() as runner, woken_by_signals(runner.get_loop()):
        runner.run(idle())
    assert came == [signal.SIGUSR2]


@pytest.mark.usefixtures("handlers")
def test_who_has_handlers_of_the_loop_keeps_their_wakeup() -> None:
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        loop.add_signal_handler(signal.SIGUSR2, lambda: None)
        before = signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(before, warn_on_full_buffer=False)
        with woken_by_signals(loop):
            assert signal.set_wakeup_fd(before) == before
        loop.remove_signal_handler(signal.SIGUSR2)


def test_in_other_threads_it_does_nothing() -> None:
    done = list[bool]()

    def elsewhere() -> None:
        with asyncio.Runner() as runner, woken_by_signals(runner.get_loop()):
            done.append(True)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert done == [True]
