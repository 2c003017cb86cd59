"""An agent module to be served: the name of a room says what hangs in it, until the file RELEASE is there."""

from __future__ import annotations

import os
import time
from pathlib import Path

from sessionactors import Agent, DropIn, Outbox, SessionSpec, function_tool
from sessionactors.interfaces.llm import FunctionToolCall
from sessionactors.messages import HistoryChanged
from sessionactors.runtime import Delivery
from sessionactors.testing.scripted_llm import ScriptedLLM, ScriptedReply

RELEASE = Path(os.environ["RELEASE"])
ANSWER = ScriptedReply("At your service.", ttft=0.0, duration=0.0)


def hang() -> None:
    """Block whatever thread this is on."""
    limit = time.monotonic() + 30.0
    while not RELEASE.exists() and time.monotonic() < limit:
        time.sleep(0.002)


@function_tool
def blocks_its_thread() -> str:
    """A tool that is no coroutine."""
    hang()
    return "done"


@function_tool
async def blocks_the_users_loop() -> str:
    """A coroutine that blocks instead of waiting."""
    hang()
    return "done"


class Looping(DropIn[None, Delivery]):
    """Its handler loops."""

    name = "looping"
    subscribes = (HistoryChanged,)

    def initial(self) -> None:
        """No state."""

    def receive(self, state: None, message: Delivery, out: Outbox[Delivery]) -> None:
        """Never returns, or nearly so."""
        hang()


def session_for(room: str) -> SessionSpec:
    """A room in which that hangs."""
    tools = {"thread": blocks_its_thread, "loop": blocks_the_users_loop}
    agent = Agent(instructions="Be brief.", tools=list(tools.values()))
    if room in tools:
        call = FunctionToolCall("call-1", tools[room].name, "{}")
        return SessionSpec(agent=agent, llm=ScriptedLLM([ScriptedReply(tool_calls=(call,))], otherwise=ANSWER))
    if room == "provider":
        return SessionSpec(
            agent=agent, llm=ScriptedLLM([ScriptedReply("Never.", hang=True, after=0)], otherwise=ANSWER)
        )
    actors = (Looping(),) if room == "handler" else ()
    return SessionSpec(agent=agent, llm=ScriptedLLM(otherwise=ANSWER), actors=actors)
