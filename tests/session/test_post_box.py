"""From the actor loop to the user's: in order, one wake-up for a burst, and no failure costs another's news."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from sessionactors.session.post_box import PostBox


class CountingLoop(asyncio.SelectorEventLoop):
    """Counts how often another thread wakes it."""

    woken = 0

    def call_soon_threadsafe(self, callback: Callable[..., object], *args: object, **kwargs: object) -> asyncio.Handle:
        self.woken += 1
        return super().call_soon_threadsafe(callback, *args, **kwargs)  # type: ignore[arg-type]


def put(box: PostBox[int], *numbers: int) -> None:
    for number in numbers:
        box.put(number)


def test_a_burst_comes_in_order_and_wakes_the_loop_once() -> None:
    loop, got = CountingLoop(), list[int]()
    box = PostBox[int](loop, got.append)

    async def burst() -> None:
        there = threading.Thread(target=put, args=(box, *range(100)))
        there.start()
        there.join()  # this loop does not run meanwhile
        await asyncio.sleep(0)

    loop.run_until_complete(burst())
    loop.close()
    assert got == list(range(100))
    assert loop.woken == 1


def test_what_comes_while_it_is_emptied_is_delivered_behind() -> None:
    loop, got, done = asyncio.new_event_loop(), list[int](), asyncio.Event()

    def deliver(number: int) -> None:
        got.append(number)
        if number == 1:
            threading.Thread(target=put, args=(box, 3, 4)).start()
        if number == 4:
            done.set()

    box = PostBox[int](loop, deliver)
    put(box, 1, 2)  # before the loop runs: both wait when the first is delivered
    loop.run_until_complete(done.wait())
    loop.close()
    assert got == [1, 2, 3, 4]


async def test_who_fails_does_not_cost_the_others_their_news() -> None:
    got: list[int] = []
    done = asyncio.Event()
    failures: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: failures.append(context["exception"]))

    def deliver(number: int) -> None:
        if number == 1:
            raise ValueError(number)
        got.append(number)
        done.set()

    box = PostBox[int](loop, deliver)
    await asyncio.to_thread(put, box, 1, 2)
    await done.wait()
    assert got == [2]
    assert [type(failure) for failure in failures] == [ValueError]


async def test_on_one_loop_each_item_is_a_callback_of_its_own() -> None:
    got: list[object] = []
    loop = asyncio.get_running_loop()
    box = PostBox[int](loop, got.append)
    box.put(1)
    loop.call_soon(got.append, "another")
    box.put(2)
    assert got == []
    await asyncio.sleep(0)
    assert got == [1, "another", 2]


def test_a_closed_loop_is_an_error_for_who_posts_and_nothing_is_kept() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    box = PostBox[int](loop, print)
    with pytest.raises(RuntimeError):
        box.put(1)
    with pytest.raises(RuntimeError):
        box.put(2)
