"""A session with the realtime model in a room whose line is in real time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from sessionactors import (
    Agent,
    AgentHandoff,
    AgentSession,
    APIConnectOptions,
    ChatMessage,
    RunContext,
    function_tool,
)
from sessionactors.interfaces.realtime import RealtimeModel
from sessionactors.transports import MemoryTransport

from tests.providers.openai.realtime_talk import model_at
from tests.wire.openai_realtime import OpenAIRealtimeServer


class Weatherman(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Be kind.")

    @function_tool
    async def weather(self, context: RunContext[None], city: str) -> str:
        """The weather in a city."""
        return f"sunny in {city}"


class Room:
    """A session under way, and what it said."""

    def __init__(self, session: AgentSession[None]) -> None:
        self.session = session
        self.events: list[object] = []
        self._more = asyncio.Event()
        session.on_any(self._keep)

    def _keep(self, event: object) -> None:
        self.events.append(event)
        self._more.set()

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def conversation(self) -> list[tuple[str, str]]:
        return [
            (item.role, item.text_content)
            for item in self.session.history.items
            if isinstance(item, ChatMessage) and item.role != "system"
        ]

    @property
    def handed_over(self) -> bool:
        return any(isinstance(item, AgentHandoff) and item.old_agent_id for item in self.session.history.items)

    async def more(self) -> None:
        """Until there is another event."""
        self._more.clear()
        await self._more.wait()

    async def later(self, seconds: float) -> None:
        """So many seconds pass: what has to rest, rests."""
        await asyncio.sleep(seconds)

    async def until(self, kind: type, number: int = 1) -> Any:
        """The n-th event of a kind."""
        async with asyncio.timeout(6):
            while len(self.of(kind)) < number:
                await self.more()
        return self.of(kind)[number - 1]

    async def said(self, number: int) -> str:
        """The n-th message of the agent's that was heard."""
        async with asyncio.timeout(6):
            while len(spoken := [text for role, text in self.conversation if role == "assistant"]) < number:
                await self.more()
        return spoken[number - 1]


@asynccontextmanager
async def room(
    server: OpenAIRealtimeServer,
    agent: Agent | None = None,
    model: dict[str, Any] | None = None,
    llm: RealtimeModel | None = None,
    timeout: float = 2.0,
    last: bool = True,
    **options: Any,
) -> AsyncGenerator[Room, None]:
    llm = llm or model_at(server, **(model or {}))
    fast = APIConnectOptions(max_retry=2, retry_interval=0.05, timeout=timeout)
    session: AgentSession[None] = AgentSession(llm=llm, conn_options=fast, **options)
    seen = Room(session)
    try:
        await session.start(agent=agent or Weatherman(), room=MemoryTransport(silence_rate=24000))
        yield seen
    finally:
        await session.aclose()
        await llm.aclose()
    if last:
        await server.all_gone()
        assert server.open_now == 0
