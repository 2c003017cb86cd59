"""Asking a model, as the tests of this package do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from sessionactors.interfaces.llm import LLM, ChatChunk
from sessionactors.model.chat import ChatContext
from sessionactors.model.tools import ToolDefinition

WEATHER = ToolDefinition(
    "weather", "Tells the weather.", {"type": "object", "properties": {"place": {"type": "string"}}}
)


def hello() -> ChatContext:
    context = ChatContext()
    context.add_message(role="system", content="Be brief.")
    context.add_message(role="user", content="Hello?")
    return context


async def answer(llm: LLM, chat_ctx: ChatContext | None = None, **options: Any) -> list[ChatChunk]:
    async with llm.chat(chat_ctx=chat_ctx or hello(), **options) as stream:
        return [chunk async for chunk in stream]


def text_of(chunks: list[ChatChunk]) -> str:
    return "".join(chunk.content for chunk in chunks)


async def until(condition: Callable[[], object]) -> None:
    """Wait, by turns of the loop, for what a thread or another task does."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - a thread sets no event of this loop
            await asyncio.sleep(0.005)
