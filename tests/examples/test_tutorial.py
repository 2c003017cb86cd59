"""The tutorial's programs (sections 2.4 and 2.5), word for word but for their imports, with a model of this package."""

from __future__ import annotations

import asyncio
import sys
import types
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import sessionactors
from sessionactors import Agent, AgentSession, ChatMessage, ConversationItemAddedEvent
from sessionactors.cli.console import talk

from tests.cli.terminal import Printed, typed
from tests.wire.openai_server import Completion, OpenAIServer

# In place of: from livekit.agents import ...; from livekit.plugins import openai
SECTION_2_4 = """
from sessionactors import AgentSession
from sessionactors.providers import openai

async def entrypoint(ctx): # JobContext context
    session = AgentSession()
    await session.start(
        agent=MyAgent(),
        llm=openai.LLM(model="gpt-4o-mini"),
    )
"""

SECTION_2_5 = """
import logging

from dotenv import load_dotenv

from sessionactors import (
    Agent,
    AgentSession,
    JobContext,
    RoomInputOptions,
    RoomOutputOptions,
    WorkerOptions,
    cli,
)
from sessionactors.providers import openai

logger = logging.getLogger("text-only")
logger.setLevel(logging.INFO)

load_dotenv()


class MyAgent(Agent):
    def __init__(self) -> None:
        super().__init__(
            instructions="You are a helpful assistant.",
        )


async def entrypoint(ctx: JobContext):
    await ctx.connect()

    session = AgentSession()
    await session.start(
        agent=MyAgent(),
        llm=openai.LLM(model="gpt-4o-mini"),
        # note that no TTS or STT are needed here
        room=ctx.room,
        room_input_options=RoomInputOptions(text_enabled=True, audio_enabled=False),
        room_output_options=RoomOutputOptions(transcription_enabled=True, audio_enabled=False),
    )


if __name__ == "__main__":
    cli.run_app(WorkerOptions(entrypoint_fnc=entrypoint))
"""


class MyAgent(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You are a helpful assistant.")


def loaded(program: str, **names: object) -> Callable[..., Awaitable[None]]:
    """The entry point of a program."""
    namespace: dict[str, Any] = {"__name__": "tutorial", **names}
    exec(compile(program, "tutorial", "exec", flags=0, dont_inherit=True), namespace)
    entrypoint: Callable[..., Awaitable[None]] = namespace["entrypoint"]
    return entrypoint


async def test_section_2_4_an_agent_starts_and_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[AgentSession[None]] = []
    begin = AgentSession.__init__

    def noting(self: AgentSession[None], **options: Any) -> None:
        made.append(self)
        begin(self, **options)

    monkeypatch.setattr(sessionactors.AgentSession, "__init__", noting)
    async with OpenAIServer([Completion("Paris, of course.")], key="secret") as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "secret")
        await loaded(SECTION_2_4, MyAgent=MyAgent)(None)
        (session,) = made
        said: list[str] = []

        def note(event: ConversationItemAddedEvent) -> None:
            if isinstance(event.item, ChatMessage):
                said.append(event.item.text_content)

        session.on("conversation_item_added", note)
        await session.generate_reply(user_input="What is the capital of France?").wait_for_playout()
        await asyncio.sleep(0)
        await session.aclose()
    assert [text.strip() for text in said] == ["What is the capital of France?", "Paris, of course."]
    assert server.asked[0].body["model"] == "gpt-4o-mini"
    assert server.refused == []


async def test_section_2_5_a_typed_conversation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dotenv", types.SimpleNamespace(load_dotenv=lambda: None))
    async with OpenAIServer(["Paris, of course."], key="secret") as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "secret")
        out = Printed()
        with typed("What is the capital of France?") as stdin:
            await talk(loaded(SECTION_2_5), stdin=stdin, stdout=out)
    assert out.getvalue().strip() == "agent: Paris, of course."
    assert [message["role"] for message in server.asked[0].messages] == ["system", "user"]
    assert server.refused == []
