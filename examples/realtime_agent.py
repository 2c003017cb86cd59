"""A voice agent that is one model: it hears, thinks and speaks over one connection, OpenAI's realtime API.

    OPENAI_API_KEY=... python examples/realtime_agent.py console --audio

``OPENAI_BASE_URL`` names another server of the protocol. Needs the extras ``console-audio`` and ``openai``.

Without a key, from the repository, a call whose caller and server are scripted, in about four seconds:

    python -m examples.realtime_agent

The caller interrupts a story and asks for something that takes a tool, and the connection is lost. In the end this
side's history stands beside the conversation that the server has: what was not heard is in neither.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from sessionactors import (
    Agent,
    AgentSession,
    AgentStateChangedEvent,
    ChatMessage,
    ConversationItemAddedEvent,
    ErrorEvent,
    FunctionToolsExecutedEvent,
    JobContext,
    RealtimeSessionReconnectedEvent,
    UserInputTranscribedEvent,
    WorkerOptions,
    cli,
    function_tool,
)
from sessionactors.providers import openai
from sessionactors.transports import MemoryTransport

WITHIN = 10.0
"""Seconds for each step of the scripted call."""


class Storyteller(Agent):
    """Tells stories, and knows the weather."""

    def __init__(self) -> None:
        super().__init__(instructions="You tell stories. Be brief when you are asked something else.")

    @function_tool
    async def weather(self, city: str) -> str:
        """Look up the weather.

        Args:
            city: where.
        """
        return f"It is sunny in {city}."


async def entrypoint(ctx: JobContext) -> None:
    """Serve one room."""
    await ctx.connect()
    model = openai.realtime.RealtimeModel()
    session: AgentSession[None] = AgentSession(llm=model)
    try:
        await session.start(agent=Storyteller(), room=ctx.room)
        await session.wait_closed()
    finally:
        await model.aclose()


# -- the scripted call -----------------------------------------------------------------------------------------------


@dataclass
class Outcome:
    """What is known of the call on both sides."""

    here: list[tuple[str, str]] = field(default_factory=list)
    """Role and text of the messages in the session's history."""
    there: list[list[str]] = field(default_factory=list)
    """The same for each connection, as the server has it: text, or how much of the sound was left."""
    tools: list[str] = field(default_factory=list)
    """What tools gave."""
    outages: list[float] = field(default_factory=list)
    """Seconds without a connection."""


class Watched:
    """A session whose events are shown, and waited for."""

    def __init__(self, session: AgentSession[None], outcome: Outcome, show: Callable[[str], None]) -> None:
        self._session = session
        self._outcome = outcome
        self._show = show
        self._began = asyncio.get_running_loop().time()
        self._happened = asyncio.Event()
        session.on_any(self._see)

    def _see(self, event: object) -> None:
        match event:
            case UserInputTranscribedEvent(transcript, is_final=True):
                self._line(f"caller: {transcript}")
            case AgentStateChangedEvent(_, state):
                self._line(f"agent is {state}")
            case ConversationItemAddedEvent(ChatMessage("assistant") as said):
                self._line(f"agent was heard to say: {said.text_content}{' ...' if said.interrupted else ''}")
            case FunctionToolsExecutedEvent():
                self._outcome.tools += [output.output for output in event.function_call_outputs]
                self._line(f"tools gave {self._outcome.tools}")
            case RealtimeSessionReconnectedEvent(outage):
                self._outcome.outages.append(outage)
                self._line(f"another connection, after {outage:.2f} s")
            case ErrorEvent(error):
                self._line(f"error: {error}")
            case _:
                pass
        self._happened.set()

    def _line(self, text: str) -> None:
        self._show(f"{asyncio.get_running_loop().time() - self._began:5.2f}  {text}")

    def messages(self) -> list[tuple[str, str]]:
        """Role and text, without instructions."""
        items = [item for item in self._session.history.items if isinstance(item, ChatMessage)]
        return [(item.role, item.text_content) for item in items if item.role != "system"]

    async def until(self, happened: Callable[[], bool]) -> None:
        """Wait for it."""
        async with asyncio.timeout(WITHIN):
            while not happened():
                self._happened.clear()
                await self._happened.wait()


async def scripted_call(show: Callable[[str], None] = print) -> Outcome:
    """Hold the call against a server in this process.

    Args:
        show: is given each line of what happens.
    """
    try:
        from tests.wire.openai_realtime import OpenAIRealtimeServer, Reply, Said  # noqa: PLC0415 - only in the repository
    except ModuleNotFoundError as missing:
        raise SystemExit(
            "The scripted call needs the server of this repository's tests: in its root, after `make setup`, run\n"
            "    python -m examples.realtime_agent\n"
            "With OPENAI_API_KEY, talk to the model itself: python examples/realtime_agent.py console --audio"
        ) from missing

    said = [Said("Tell me a story.", 0.1, 0.3), Said("Stop! How is the weather in Oslo?", 1.6, 1.8)]
    replies = [
        Reply("Once upon a time there was a king who lived in a castle by the sea.", seconds=4.0),
        Reply(calls=[("weather", '{"city": "Oslo"}')]),
        Reply("It is sunny in Oslo.", seconds=0.5),
        Reply("Good bye.", seconds=0.3),
    ]
    outcome = Outcome()
    async with OpenAIRealtimeServer(replies, said) as server:
        model = openai.realtime.RealtimeModel(api_key=server.key, base_url=server.url)
        session: AgentSession[None] = AgentSession(llm=model)
        call = Watched(session, outcome, show)
        try:
            await session.start(agent=Storyteller(), room=MemoryTransport(silence_rate=24000))
            await call.until(lambda: ("assistant", replies[2].text) in call.messages())
            show("       the connection breaks")
            await server.session.line.close(1012, "service restart")
            await call.until(lambda: bool(outcome.outages))
            _ = session.generate_reply(instructions="Say good bye.")
            await call.until(lambda: ("assistant", replies[3].text) in call.messages())
            outcome.here = call.messages()
        finally:
            await session.aclose()
            await model.aclose()
        for connection in server.sessions:
            left = [f"{item.heard} ms of {item.sound:.1f} s" if item.heard else item.text for item in connection.items]
            outcome.there.append([text for text in left if text])
    return outcome


def main() -> None:
    """Hold the scripted call, and show what both sides know."""
    outcome = asyncio.run(scripted_call())
    sys.stdout.write("\nthis side\n")
    for role, text in outcome.here:
        sys.stdout.write(f"  {role:9}  {text}\n")
    for number, items in enumerate(outcome.there, 1):
        sys.stdout.write(f"the server, connection {number}\n")
        sys.stdout.writelines(f"  {text}\n" for text in items)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        cli.run_app(WorkerOptions(entrypoint_fnc=entrypoint))
    else:
        main()
