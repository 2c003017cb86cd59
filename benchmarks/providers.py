"""What it costs where a model lives, and what is left of many requests to one that is shared.

Homes: one reply of many tokens, from a model at no distance, through a whole session; the model on the actor loop, on
the user's loop, or behind an `llm_node` of the user's. Each token that comes from another loop than the actors' is
carried over by itself, in order. Shared: `openai.LLM` against a local server, half of the requests cancelled midway.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from pathlib import Path
from typing import Literal

sys.path.insert(0, str(Path(__file__).parents[1]))

from sessionactors import ActorSystem, Agent, AgentSession, ChatContext
from sessionactors.interfaces.home import Home
from sessionactors.interfaces.llm import LLM, ChatChunk, LLMStream
from sessionactors.model.tools import ModelSettings, ToolChoice, ToolDefinition
from sessionactors.session.agent_nodes import OfferedTool
from sessionactors.testing.conformance.footprint import footprint, settled

Where = Literal["own", "running"]


class Near(LLM):
    """Answers at once: what is left is the way of the tokens."""

    label = "near"

    def __init__(self, tokens: int, home: Home) -> None:
        self._tokens = tokens
        self.home = home

    def chat(
        self, *, chat_ctx: ChatContext, tools: Sequence[ToolDefinition] = (), tool_choice: ToolChoice = "auto"
    ) -> LLMStream:
        return LLMStream(self._answer())

    async def _answer(self) -> AsyncGenerator[ChatChunk, None]:
        for _ in range(self._tokens):
            await asyncio.sleep(0)  # a network would give way too
            yield ChatChunk("word ")


class Noding(Agent):
    """Passes on what the model says, in code of the user's."""

    async def llm_node(
        self, chat_ctx: ChatContext, tools: list[OfferedTool], model_settings: ModelSettings
    ) -> AsyncIterator[ChatChunk]:
        async for chunk in Agent.default.llm_node(self, chat_ctx, tools, model_settings):
            yield chunk


async def per_token(where: Where, home: Home, agent: type[Agent], tokens: int, rounds: int) -> tuple[float, float]:
    """Best of the rounds: microseconds of time and of CPU for each token."""
    system = ActorSystem(where)
    session: AgentSession[None] = AgentSession(llm=Near(tokens, home), system=system)
    await session.start(agent(instructions=""))
    took = []
    for _ in range(rounds):
        began, cpu = time.perf_counter(), time.process_time()
        await session.generate_reply(user_input="Go on.").wait_for_playout()
        took.append((time.perf_counter() - began, time.process_time() - cpu))
        said = getattr(session.history.items[-1], "text_content", "")
        if said.split() != ["word"] * tokens:
            sys.exit(f"{len(said.split())} words of {tokens} arrived")
    await session.aclose()
    await system.aclose()
    return min(wall for wall, _ in took) / tokens * 1e6, min(cpu for _, cpu in took) / tokens * 1e6


def homes(tokens: int, rounds: int) -> None:
    """Print the table, as a ratio to a model that lives where the actors do."""
    cases: list[tuple[str, Where, Home, type[Agent]]] = [
        ("actor loop of its own, model at home there", "own", Home.ACTOR, Agent),
        ("actor loop of its own, model on the user's loop", "own", Home.USER, Agent),
        ("actor loop of its own, llm_node of the user's", "own", Home.ACTOR, Noding),
        ("actors on the user's loop, model there too", "running", Home.ACTOR, Agent),
        ("actors on the user's loop, llm_node of the user's", "running", Home.ACTOR, Noding),
    ]
    base = (1.0, 1.0)
    print(f"{'microseconds a token':<52} {'time':>7} {'ratio':>6} {'CPU':>7} {'ratio':>6}")
    for number, (name, where, home, agent) in enumerate(cases):
        wall, cpu = asyncio.run(per_token(where, home, agent, tokens, rounds))
        base = (wall, cpu) if number == 0 else base
        print(f"{name:<52} {wall:>7.1f} {wall / base[0]:>6.2f} {cpu:>7.1f} {cpu / base[1]:>6.2f}")


async def shared(requests: int, rooms: int = 10) -> None:
    """Print what many requests to one object leave."""
    from sessionactors.providers import openai

    from tests.wire.openai_server import Completion, OpenAIServer

    context = ChatContext()
    context.add_message(role="user", content="Hello?")

    async def room(llm: openai.LLM) -> None:
        for number in range(requests // rooms):
            async with llm.chat(chat_ctx=context) as chunks:
                words = 0
                async for chunk in chunks:
                    words += bool(chunk.content)
                    if number % 2 and words == 2:
                        break

    async with OpenAIServer(otherwise=Completion("one two three four five")) as server:
        llm = openai.LLM(base_url=server.base_url)
        await asyncio.gather(*(anext(aiter(llm.chat(chat_ctx=context))) for _ in range(rooms)))
        before, seen, began = await footprint(), len(server.connections), time.perf_counter()
        await asyncio.gather(*(room(llm) for _ in range(rooms)))
        took = time.perf_counter() - began
        left = await settled(before, 2.0)
        made = len(server.connections) - seen
        given_up = rooms * (requests // rooms // 2)
        print(f"{requests} requests of {rooms} rooms to one openai.LLM in {took:.1f} s, {given_up} given up midway:")
        print(f"  {made} new connections; HTTP/1.1 closes one to stop an answer, so at least {given_up - rooms}")
        print(f"  left behind: {left or 'no task, thread or descriptor'}")
        await llm.aclose()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=500)
    options = parser.parse_args()
    homes(options.tokens, options.rounds)
    asyncio.run(shared(options.requests))


if __name__ == "__main__":
    main()
