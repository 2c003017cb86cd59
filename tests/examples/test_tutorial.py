"""The tutorial's programs (sections 2.4 and 2.5), word for word but for their imports: with our model and livekit's."""

from __future__ import annotations

import asyncio
import importlib
import sys
import types
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
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


OURS = "from sessionactors.providers import openai"
THEIRS = "from livekit.plugins import openai"
WHOSE = pytest.mark.parametrize("model", [OURS, THEIRS], ids=["our openai", "livekit's openai"])

pytestmark = pytest.mark.may_block(
    "the plugin's client reads the trusted certificates where the program makes it", in_functions=["making"]
)


@pytest.fixture(autouse=True)
def imported(model: str) -> None:
    """A program's imports run before its loop does; SDKs read files and start processes in theirs."""
    if model == OURS:
        importlib.import_module("sessionactors.providers.openai")
    else:
        pytest.importorskip("livekit.plugins.openai", reason="needs livekit-plugins-openai")


class MyAgent(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You are a helpful assistant.")


@asynccontextmanager
async def closed_behind(model: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """A plugin's object is closed by who made it; the programs leave that to the end of their process."""
    if model == OURS:
        yield
        return
    plugin = importlib.import_module("livekit.plugins.openai")
    made: list[Any] = []
    begin = plugin.LLM.__init__

    def making(self: Any, **options: Any) -> None:
        made.append(self)
        begin(self, **options)

    monkeypatch.setattr(plugin.LLM, "__init__", making)
    yield
    for one in made:
        await one.aclose()


def with_model(program: str, model: str) -> str:
    """The program with the import of a model."""
    assert OURS in program
    return program.replace(OURS, model)


def loaded(program: str, **names: object) -> Callable[..., Awaitable[None]]:
    """The entry point of a program."""
    namespace: dict[str, Any] = {"__name__": "tutorial", **names}
    exec(compile(program, "tutorial", "exec", flags=0, dont_inherit=True), namespace)
    entrypoint: Callable[..., Awaitable[None]] = namespace["entrypoint"]
    return entrypoint


@WHOSE
async def test_section_2_4_an_agent_starts_and_answers(monkeypatch: pytest.MonkeyPatch, model: str) -> None:
    made: list[AgentSession[None]] = []
    begin = AgentSession.__init__

    def noting(self: AgentSession[None], **options: Any) -> None:
        made.append(self)
        begin(self, **options)

    monkeypatch.setattr(sessionactors.AgentSession, "__init__", noting)
    async with (
        OpenAIServer([Completion("Paris, of course.")], key="secret") as server,
        closed_behind(model, monkeypatch),
    ):
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "secret")
        await loaded(with_model(SECTION_2_4, model), MyAgent=MyAgent)(None)
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


@WHOSE
async def test_section_2_5_a_typed_conversation(monkeypatch: pytest.MonkeyPatch, model: str) -> None:
    monkeypatch.setitem(sys.modules, "dotenv", types.SimpleNamespace(load_dotenv=lambda: None))
    async with OpenAIServer(["Paris, of course."], key="secret") as server, closed_behind(model, monkeypatch):
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "secret")
        out = Printed()
        with typed("What is the capital of France?") as stdin:
            await talk(loaded(with_model(SECTION_2_5, model)), stdin=stdin, stdout=out)
    assert out.getvalue().strip() == "agent: Paris, of course."
    assert [message["role"] for message in server.asked[0].messages] == ["system", "user"]
    assert server.refused == []
