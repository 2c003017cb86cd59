"""What reaches for the real world in a simulated run is named with its place; without a schedule it may."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections.abc import Callable

import pytest

from sessionactors import Agent, function_tool
from sessionactors.testing import Escaped, PromiseBroken, Run, Scenario, explore


def connects() -> None:
    with socket.socket() as made, contextlib.suppress(OSError):
        made.connect(("127.0.0.1", 9))


def looks_up() -> None:
    with contextlib.suppress(OSError):
        socket.getaddrinfo("localhost", 9)


def starts() -> None:
    subprocess.run([sys.executable, "-c", ""], check=True)


def reaching(reach: Callable[[], None], *, in_thread: bool = False) -> Scenario:
    @function_tool(name="reach")
    async def reach_out() -> str:
        """Reach for the real world."""
        reach()
        return "done"

    @function_tool(name="reach")
    def reach_out_in_a_thread() -> str:
        """Reach for the real world."""
        reach()
        return "done"

    tool = reach_out_in_a_thread if in_thread else reach_out
    scenario = Scenario(Agent(instructions="Be kind.", tools=[tool]), audio=False)
    scenario.user_types("Go on.", at=0.5)
    scenario.llm_replies(tool_calls=[("reach", "{}")])
    scenario.llm_replies("Done.")
    return scenario


@pytest.mark.parametrize("reach, in_thread", [(connects, True), (looks_up, True), (looks_up, False), (starts, False)])
def test_what_escapes_from_a_seeded_run_is_named_with_its_place(reach: Callable[[], None], in_thread: bool) -> None:
    with pytest.raises(Escaped, match=rf"test_escapes\.py:\d+ in {reach.__name__} ") as caught:
        reaching(reach, in_thread=in_thread).play(1)
    assert reach.__name__ in caught.value.site


def test_a_connection_of_asyncio_is_named_with_who_awaits_it() -> None:
    async def dials() -> None:
        with contextlib.suppress(OSError):
            await asyncio.open_connection("localhost", 9)

    @function_tool
    async def dial() -> str:
        """Connect."""
        await dials()
        return "connected"

    scenario = Scenario(Agent(instructions="Be kind.", tools=[dial]), audio=False)
    scenario.user_types("Go on.", at=0.5)
    scenario.llm_replies(tool_calls=[("dial", "{}")])
    with pytest.raises(Escaped, match=r"test_escapes\.py:\d+ in dials looks up a name"):
        scenario.play(1)


def test_without_a_schedule_the_real_world_is_there() -> None:
    run: Run = reaching(connects, in_thread=True).play()
    assert run.said() == ["Done."]


def test_an_exploration_reports_it() -> None:
    with pytest.raises(PromiseBroken, match="no exception: Escaped: "):
        explore(lambda: reaching(looks_up), schedules=1, shrunk=False)
