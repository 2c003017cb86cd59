"""One provider object for all: a session, its nodes and its tools, on several loops at once."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from typing import Any, Literal

import pytest

from sessionactors import ActorSystem, Agent, AgentSession, ChatContext, function_tool
from sessionactors.interfaces.llm import ChatChunk
from sessionactors.model.tools import ModelSettings
from sessionactors.providers.openai import LLM
from sessionactors.providers.openai.clients import Clients
from sessionactors.session.agent_nodes import OfferedTool

from tests.providers.openai.asking import answer, text_of
from tests.wire.openai_server import Call, Completion, OpenAIServer


@pytest.fixture
def loops_of_clients(monkeypatch: pytest.MonkeyPatch) -> Mapping[int, set[int]]:
    """On which loops each client was used."""
    used: dict[int, set[int]] = defaultdict(set)
    here = Clients.here

    async def noting(self: Clients) -> Any:
        client = await here(self)
        used[id(client)].add(id(asyncio.get_running_loop()))
        return client

    monkeypatch.setattr(Clients, "here", noting)
    return used


class Librarian(Agent):
    """Asks the same model in its node, in its tool, and as every agent does."""

    def __init__(self, llm: LLM) -> None:
        super().__init__(instructions="You look things up.")
        self.model = llm
        self.looked_up: list[str] = []
        self.seen: list[str] = []

    @function_tool
    async def look_up(self, what: str) -> str:
        """Look something up."""
        found = await asyncio.gather(*(answer(self.model) for _ in range(3)))
        self.looked_up = [text_of(chunks) for chunks in found]
        return self.looked_up[0]

    async def llm_node(
        self, chat_ctx: ChatContext, tools: list[OfferedTool], model_settings: ModelSettings
    ) -> AsyncIterator[ChatChunk]:
        beside = asyncio.create_task(answer(self.model))
        async for chunk in Agent.default.llm_node(self, chat_ctx, tools, model_settings):
            self.seen.append(chunk.content)
            yield chunk
        self.looked_up.append(text_of(await beside))


WORDS = " ".join(f"word{number}" for number in range(60))


def by_question(body: Mapping[str, Any]) -> Completion:
    match body["messages"][-1]:
        case {"role": "user", "content": "Find it."}:
            return Completion(calls=[Call("look_up", '{"what": "it"}')])
        case {"role": "user", "content": "Hello?"}:
            return Completion("By the way.")
        case _:
            return Completion(WORDS)


@pytest.mark.parametrize("where", ["own", "running"])
async def test_a_session_its_node_and_its_tool_use_one_object_and_no_client_off_its_loop(
    where: Literal["own", "running"], loops_of_clients: Mapping[int, set[int]]
) -> None:
    async with OpenAIServer(otherwise=by_question) as server:
        llm = LLM(base_url=server.base_url)
        system = ActorSystem(where)
        agents = [Librarian(llm) for _ in range(2)]
        sessions = [AgentSession[None](llm=llm, system=system) for _ in agents]
        for session, agent in zip(sessions, agents, strict=True):
            await session.start(agent)
        replies = [session.generate_reply(user_input="Find it.") for session in sessions]
        for reply in replies:
            await reply.wait_for_playout()
        for session, agent in zip(sessions, agents, strict=True):
            last = session.history.items[-1]
            assert getattr(last, "text_content", "").split() == WORDS.split()
            assert "".join(agent.seen).split() == WORDS.split()
            assert set(agent.looked_up) == {"By the way. "}
            await session.aclose()
        # One client for each loop that asked, and none on two.
        assert all(len(loops) == 1 for loops in loops_of_clients.values())
        assert len(loops_of_clients) == (2 if where == "own" else 1)
        await llm.aclose()
        await system.aclose()
