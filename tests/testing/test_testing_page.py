"""The code on the page about testing runs as it stands."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import cast

import pytest

from sessionactors import Agent, FunctionToolCall, function_tool
from sessionactors.testing import ScriptedLLM, ScriptedReply

PAGE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


class Storyteller(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Tell stories.")


class Waiter(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Take orders.")

    @function_tool
    async def order(self, dish: str) -> str:
        """Order a dish."""
        raise AssertionError(f"the mock of {dish} was not called")


def asks(name: str, **arguments: object) -> ScriptedReply:
    return ScriptedReply(tool_calls=(FunctionToolCall(f"call-{name}", name, json.dumps(arguments)),))


def run(block: str, **names: object) -> dict[str, object]:
    """The functions of a block."""
    scope: dict[str, object] = dict(names)
    exec(compile(block, "docs/testing.md", "exec", dont_inherit=True), scope)
    return scope


def test_the_exchange_by_text(monkeypatch: pytest.MonkeyPatch) -> None:
    verdict = asks("submit_verdict", verdict="pass", reason="it does")
    model = ScriptedLLM([asks("order", dish="soup"), "Two soups, coming.", verdict])
    openai = type("openai", (), {"LLM": staticmethod(lambda model: answers)})
    answers = model
    block = BLOCKS[0].replace("from sessionactors.providers import openai\n", "")
    test = run(block, Waiter=Waiter, openai=openai)["test_the_waiter_orders"]
    asyncio.run(cast("Callable[[], Coroutine[object, object, None]]", test)())
    model.assert_complete()


@pytest.mark.parametrize("name", ["test_the_user_is_heard", "test_the_user_is_heard_in_any_order"])
def test_the_spoken_conversation(name: str) -> None:
    block = BLOCKS[1].replace("schedules=25", "schedules=3")
    test = run(block, Storyteller=Storyteller)[name]
    cast("Callable[[], None]", test)()
