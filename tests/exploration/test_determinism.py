"""P23: the same schedule is the same run, byte for byte, in another process and with other hashes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sessionactors.testing import Schedule, VirtualLoop
from sessionactors.testing.trace import trace
from sessionactors.testing.virtual_loop import Livelock

from tests.exploration import catalogue


def test_p23_the_same_schedule_is_the_same_run_in_two_processes() -> None:
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.exploration.traces"],
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in ("1", "2")
    ]
    one, other = (process.communicate(timeout=40)[0] for process in started)
    assert [process.returncode for process in started] == [0, 0]
    assert len(one.splitlines()) == 2
    assert one == other


def test_p23_a_trace_tells_runs_apart_and_the_exact_order_is_the_same_run() -> None:
    run = catalogue.a_task().play(Schedule.random(3))
    assert run.choices is not None
    again = catalogue.a_task().play(run.choices.follow())
    first, second = (trace(each).split(b"\n", 1) for each in (run, again))
    assert first[0] == b"schedule random:seed=3"
    assert first[1] == second[1]
    assert trace(catalogue.a_task().play(Schedule.random(4))).split(b"\n", 1)[1] != first[1]


@pytest.mark.leaves_behind("the task that goes round")
def test_a_loop_that_goes_round_at_one_instant_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    from sessionactors.testing import run

    monkeypatch.setattr("sessionactors.testing.virtual_loop.MOST_ROUNDS", 500)

    async def never_later() -> None:
        assert isinstance(asyncio.get_running_loop(), VirtualLoop)
        await asyncio.sleep(1.0)
        while True:  # noqa: ASYNC110 - that is what is wrong with it
            await asyncio.sleep(0)

    with pytest.raises(Livelock, match=r"the clock stands at 1\.000000 s, and 500 rounds"):
        run(never_later)
