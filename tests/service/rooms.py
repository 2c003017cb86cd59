"""What rooms of these tests are made of: agents, transports and factories that do as the test says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from sessionactors import (
    LLM,
    TTS,
    Agent,
    AgentSession,
    AnyDropIn,
    AudioFrame,
    AudioSink,
    ChatMessage,
    DropIn,
    Outbox,
    RoomHandle,
    RoomSupervisor,
    SessionSpec,
    TranscriptSegment,
    Transport,
    TransportEvents,
    message,
)
from sessionactors.model.errors import APIConnectionError
from sessionactors.testing.scripted_llm import ScriptedLLM, ScriptedReply

ANSWER = "At your service."
PROMPT = ScriptedReply(ANSWER, ttft=0.0, duration=0.0)


def answering() -> LLM:
    """A model that always answers, at once."""
    return ScriptedLLM(otherwise=PROMPT)


@dataclass
class Specs:
    """A factory that remembers what it made."""

    agent: Callable[[], Agent] = lambda: Agent(instructions="Be brief.")
    llm: Callable[[], LLM | None] = answering
    tts: Callable[[], TTS | None] = lambda: None
    actors: Callable[[], tuple[AnyDropIn, ...]] = tuple
    prepare: Callable[[AgentSession[object]], object] | None = None
    made: list[tuple[str, SessionSpec]] = field(default_factory=list)

    def __call__(self, room: str) -> SessionSpec:
        spec = SessionSpec(
            agent=self.agent(), llm=self.llm(), tts=self.tts(), actors=self.actors(), prepare=self.prepare
        )
        self.made.append((room, spec))
        return spec

    @property
    def agents(self) -> list[Agent]:
        return [spec.agent for _, spec in self.made]


class FailingTransport(Transport):
    """A room that cannot be reached."""

    def __init__(self, after: float = 0.0) -> None:
        self._after = after
        self.closed = False

    async def connect(self, events: TransportEvents) -> None:
        await asyncio.sleep(self._after)
        raise APIConnectionError("no such room")

    @property
    def audio_sink(self) -> AudioSink | None:
        return None

    def publish_transcript(self, segment: TranscriptSegment) -> None: ...

    async def aclose(self) -> None:
        self.closed = True


class HangingTransport(FailingTransport):
    """A room that does not answer."""

    async def connect(self, events: TransportEvents) -> None:
        await asyncio.get_running_loop().create_future()


@message()
class Poison:
    """Makes a :class:`Bomb` raise."""

    error: BaseException


@message()
class Block:
    """Makes a :class:`Bomb` do something that takes time, on the actor loop."""

    act: Callable[[], object]


class Bomb(DropIn[None, Poison | Block]):
    """A user's own actor that raises or blocks when told to."""

    name = "bomb"

    def initial(self) -> None:
        return None

    def receive(self, state: None, message: Poison | Block, out: Outbox[Poison | Block]) -> None:
        match message:
            case Poison(error):
                raise error
            case Block(act):
                act()


async def answered(session: AgentSession[object], question: str = "Are you there?") -> str:
    """What the session answers."""
    handle = await session.generate_reply(user_input=question)
    [item] = [item for item in handle.chat_items if isinstance(item, ChatMessage) and item.role == "assistant"]
    return item.text_content


async def until(condition: Callable[[], bool], patience: float = 5.0) -> None:
    """Let others run until it is so. What it waits for is another thread's or loop's to do, and says nothing itself."""
    loop = asyncio.get_running_loop()
    limit = loop.time() + patience
    while not condition():
        assert loop.time() < limit, "it did not come about"
        await asyncio.sleep(0.001)


async def outcome(spawn: Awaitable[RoomHandle]) -> RoomHandle | BaseException:
    """A handle, or why there is none."""
    try:
        return await spawn
    except BaseException as error:
        return error


def nothing_left(rooms: RoomSupervisor, room: str, specs: Specs | None = None) -> bool:
    """Whether a room that is over left nothing: no tree, no effect, no thread, no slot, and its agent is free."""
    free = all(agent._session is None for agent in specs.agents) if specs is not None else True
    return rooms.system.leaks(room) == [] and room not in {handle.room for handle in rooms.list()} and free


def balanced(rooms: RoomSupervisor) -> bool:
    """Whether every room that was ever admitted is accounted for."""
    now = rooms.stats
    return now.admitted == now.taken + now.closed + now.crashed + now.failed_to_start and now.taken <= now.max_sessions


def silence(seconds: float) -> AudioFrame:
    return AudioFrame(bytes(round(seconds * 16000) * 2), 16000)
