"""Agents drawn from a seed: slow, failing, blocking, irreversible tools, tasks in tasks, handoffs inside of tools."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import Any

from sessionactors import (
    Agent,
    AgentTask,
    RunContext,
    SessionStateError,
    StopResponse,
    ToolError,
    ToolFlag,
    function_tool,
)
from sessionactors.session.tool import Tool
from sessionactors.testing import Scenario

from tests.promises.random_conversation import unless_refused
from tests.session.talks import STORY

Context = RunContext[object]
ARGUMENTS = '{"word": "this"}'


class Ask(AgentTask[str]):
    """Ends when its model says so; or at once, or with an error; or asks somebody else first."""

    def __init__(self, dice: random.Random, depth: int) -> None:
        super().__init__(instructions="Find it out.", id=f"ask-{depth}", tools=tools(dice, depth + 1))
        self._dice, self._depth = dice, depth

    async def on_enter(self) -> None:
        match self._dice.randrange(6):
            case 0:
                self.complete("at once")
            case 1:
                self.complete(ToolError("no idea"))
            case 2:
                self.cancel()
            case 3 if self._depth < 2:
                await Ask(self._dice, self._depth + 1)
            case _:
                _ = self.session.say("What is it?")

    @function_tool
    async def answered(self, word: str) -> None:
        """The user has said it."""
        if not self.done():
            self.complete(word)


class Other(Agent):
    """Takes over, and may wait on its way."""

    def __init__(self, dice: random.Random, number: int) -> None:
        super().__init__(instructions="You are another.", id=f"other-{number}", tools=tools(dice, 1))
        self._dice = dice

    async def on_enter(self) -> None:
        match self._dice.randrange(4):
            case 0:
                _ = self.session.say("I am another.")
            case 1:
                self.session.generate_reply()
            case 2:
                raise ValueError("on_enter")
            case _:
                pass

    async def on_exit(self) -> None:
        match self._dice.randrange(4):
            case 0:
                await self.session.say("Goodbye.")
            case 1:
                await self.session.wait_for_idle()
            case 2:
                raise ValueError("on_exit")
            case _:
                pass


def tools(dice: random.Random, depth: int) -> list[Tool]:
    """Three tools that do what they like."""
    kinds = [_slow, _fails, _blocks, _talks, _background, _waits, _hands_over, _asks, _cuts, _leaves]
    return [_tool(dice, f"tool_{number}", dice.choice(kinds), depth) for number in range(3)]


def _tool(dice: random.Random, name: str, act: Callable[..., Any], depth: int) -> Tool:
    flags = dice.choice([ToolFlag.NONE, ToolFlag.NONE, ToolFlag.CANCELLABLE, ToolFlag.IRREVERSIBLE])
    rules: dict[str, Any] = {
        "flags": flags,
        "timeout": dice.choice([None, None, None, 0.5]),
        "on_duplicate": dice.choice(["allow", "allow", "reject", "replace", "confirm"]),
        "requires_approval": dice.random() < 0.1,
        "approval_timeout": 2.0,
    }

    async def run(context: Context, word: str) -> object:
        """Does something."""
        return await act(dice, context, depth)

    tool: Tool = function_tool(run, name=name, **rules)
    return tool


async def _slow(dice: random.Random, context: Context, depth: int) -> object:
    await asyncio.sleep(dice.choice([0.0, 0.3, 3.0]))
    return dice.choice(["done", None, {"a": 1}, object()])


async def _fails(dice: random.Random, context: Context, depth: int) -> object:
    await asyncio.sleep(dice.choice([0.0, 0.4]))
    raise dice.choice([ValueError("oops"), ToolError("sorry"), StopResponse(), SystemExit(3), asyncio.CancelledError()])


async def _blocks(dice: random.Random, context: Context, depth: int) -> object:
    time.sleep(0.001)
    return "blocked"


async def _talks(dice: random.Random, context: Context, depth: int) -> object:
    if dice.random() < 0.5:
        context.speech_handle.allow_interruptions = context.speech_handle.interrupted
    handle = context.session.say("Let me say something.")
    if dice.random() < 0.5:
        await handle
    return "talked"


async def _background(dice: random.Random, context: Context, depth: int) -> object:
    await context.update("I am at it.")
    async with context.with_filler("Still at it.", delay=0.5, interval=1.0, max_steps=2):
        await asyncio.sleep(dice.choice([0.2, 2.0]))
    await context.update("Nearly there.")
    if dice.random() < 0.3:
        async with context.foreground():
            _ = context.session.say("Listen.")
            await asyncio.sleep(0.5)
    return dice.choice(["at last", None])


async def _waits(dice: random.Random, context: Context, depth: int) -> object:
    match dice.randrange(3):
        case 0:
            await context.session.wait_for_idle()
        case 1:
            await context.wait_for_playout()
        case _:
            await context.speech_handle  # refused
    return "waited"


async def _hands_over(dice: random.Random, context: Context, depth: int) -> object:
    other = Other(dice, depth)
    match dice.randrange(3):
        case 0:
            context.session.update_agent(other)
            return "handed over"
        case 1:
            return other, "they know more"
        case _:
            return other


async def _asks(dice: random.Random, context: Context, depth: int) -> object:
    if depth > 3:
        return "enough"
    if dice.random() < 0.3:
        first, second = Ask(dice, depth), Ask(dice, depth)
        return str(await asyncio.gather(first, second, return_exceptions=True))
    return await Ask(dice, depth)


async def _cuts(dice: random.Random, context: Context, depth: int) -> object:
    context.session.interrupt(force=True)
    return "cut"


async def _leaves(dice: random.Random, context: Context, depth: int) -> object:
    """Leaves something behind that goes on talking."""

    async def later() -> None:
        await asyncio.sleep(1.0)
        try:
            context.session.generate_reply(instructions="Say it.")
            await context.session.wait_for_idle()
        except SessionStateError:
            return

    context.session.userdata.append(asyncio.ensure_future(later()))  # type: ignore[attr-defined]
    return "left"


def drawn(seed: int, *, audio: bool = True) -> Scenario:
    """One agent and its user; the same for the same seed."""
    dice = random.Random(seed)
    scenario = Scenario(
        Other(dice, 0),
        frame_ms=100,
        audio=audio,
        userdata=[],
        allow_interruptions=dice.random() < 0.9,
        max_tool_steps=dice.choice([1, 3]),
    )
    at = 0.5
    for number in range(dice.randint(2, 5)):
        if not audio or dice.random() < 0.5:
            scenario.user_types(f"Typed as number {number}.", at=at)
            at += dice.uniform(0.2, 3.0)
        else:
            until = at + dice.uniform(0.3, 2.0)
            scenario.user_says(dice.choice(["", "Tell me.", "What now?"]), at=at, until=until)
            at = until + dice.uniform(0.3, 3.0)
    for _ in range(dice.randint(0, 2)):
        scenario.call(round(dice.uniform(0.1, at), 3), unless_refused(lambda session: session.interrupt()))
    if dice.random() < 0.2:
        number = dice.randrange(9)
        moment = round(dice.uniform(0.1, at), 3)
        scenario.call(moment, unless_refused(lambda session: session.update_agent(Other(dice, 10 + number))))
    names = ["tool_0", "tool_1", "tool_2", "tool_2", "answered", "answered"]
    for _ in range(8):
        calls = [(dice.choice(names), ARGUMENTS) for _ in range(dice.choice([0, 1, 1, 2]))]
        text = dice.choice(["", "Short.", "One moment. " + STORY]) or ("" if calls else "Hm.")
        scenario.llm_replies(text, ttft=dice.choice([0.05, 0.1, 1.0]), duration=1.2, tool_calls=calls)
    scenario.llm_otherwise("That is all.")
    if dice.random() < 0.3:
        scenario.close(dice.uniform(0.1, at + 2.0), deadline=dice.choice([1.0, 5.0]))
    else:
        scenario.close(at + 60.0, deadline=5.0)
    return scenario
