"""A stage for `llm`, `tools` and `tts`: the actor under test among probes that note what they are told, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

from sessionactors.actors.wiring import Components, Wiring
from sessionactors.interfaces.llm import LLM
from sessionactors.interfaces.tool_link import ToolLink
from sessionactors.interfaces.tts import TTS
from sessionactors.interfaces.user_code import ToolResult, TurnVerdict, UserAgent
from sessionactors.messages.session import Publish
from sessionactors.model.chat import ChatContext, ChatItem, ChatMessage, FunctionCall
from sessionactors.model.events import MetricsCollectedEvent
from sessionactors.model.options import APIConnectOptions, SessionOptions
from sessionactors.model.tools import ToolDefinition
from sessionactors.runtime import (
    NS,
    Actor,
    ActorSnapshot,
    ActorSystem,
    ChildSpec,
    Outbox,
    Ref,
    Scope,
    TreeSnapshot,
    message,
)
from sessionactors.runtime.messages import Kill
from sessionactors.testing import SeededDispatcher
from sessionactors.testing.virtual_loop import VirtualLoop

T = TypeVar("T")
RunTool = Callable[[FunctionCall], Awaitable[ToolResult]]

SEEDS = (None, 1, 2, 3)
"""FIFO, and three seeded schedules."""

PATIENT = SessionOptions(
    llm_conn_options=APIConnectOptions(max_retry=2, retry_interval=1.0, timeout=5.0),
    tts_conn_options=APIConnectOptions(max_retry=2, retry_interval=1.0, timeout=5.0),
)


class Boom(Exception):
    """What kills an actor in these tests."""


@message()
class Do:
    """Run ``act`` in the handler of the stage's root."""

    act: Callable[[Outbox[Any]], object]


@dataclass
class Told:
    """What one probe was told: seconds and message, in order."""

    entries: list[tuple[float, Any]] = field(default_factory=list)

    @property
    def messages(self) -> list[Any]:
        return [message for _, message in self.entries]

    def of(self, *kinds: type) -> list[Any]:
        return [message for _, message in self.entries if isinstance(message, kinds)]

    def at(self, *kinds: type) -> list[float]:
        return [at for at, message in self.entries if isinstance(message, kinds)]


class Probe(Actor[tuple[()], Any]):
    """Notes all it is told; may answer."""

    def __init__(self, told: Told, answer: Callable[[Any, Outbox[Any]], object] | None = None) -> None:
        self._told = told
        self._answer = answer

    def initial(self) -> tuple[()]:
        return ()

    def receive(self, state: tuple[()], message: Any, out: Outbox[Any]) -> tuple[()]:
        self._told.entries.append((out.seconds(), message))
        if self._answer is not None:
            self._answer(message, out)
        return state


class Root(Actor[tuple[()], Any]):
    def __init__(self, begin: Callable[[Outbox[Any]], object]) -> None:
        self._begin = begin

    def initial(self) -> tuple[()]:
        return ()

    def started(self, state: tuple[()], out: Outbox[Any]) -> tuple[()]:
        self._begin(out)
        return state

    def receive(self, state: tuple[()], message: Any, out: Outbox[Any]) -> tuple[()]:
        if isinstance(message, Do):
            message.act(out)
        return state


class ScriptedAgent(UserAgent):
    """Runs tools as the test says."""

    id = "agent"
    instructions = "Be brief."
    tools: tuple[ToolDefinition, ...] = ()
    initial_items: tuple[ChatItem, ...] = ()

    def __init__(self, run: RunTool | None = None) -> None:
        self._run = run
        self.started: list[str] = []
        self.cancelled: list[str] = []

    async def run_tool(self, call: FunctionCall, link: ToolLink) -> ToolResult:
        await link.begin()
        self.started.append(call.call_id)
        assert self._run is not None
        try:
            return await self._run(call)
        except asyncio.CancelledError:
            self.cancelled.append(call.call_id)
            raise

    async def on_enter(self) -> None: ...

    async def on_exit(self) -> None: ...

    async def on_user_turn_completed(self, chat_ctx: ChatContext, message: ChatMessage) -> TurnVerdict:
        raise NotImplementedError


class Stage:
    """One room with the actor under test."""

    def __init__(
        self,
        service: Callable[[Wiring], Actor[Any, Any]],
        *,
        llm: LLM | None = None,
        tts: TTS | None = None,
        agent: ScriptedAgent | None = None,
        options: SessionOptions = PATIENT,
        seed: int | None = None,
        output: Callable[[Any, Outbox[Any]], object] | None = None,
        keep_state: bool = True,
    ) -> None:
        self.agent = agent or ScriptedAgent()
        components = Components(options=options, agent=self.agent, emit=lambda event: None, llm=llm, tts=tts)
        self.wiring = Wiring(components)
        self.speech, self.supervisor, self.output, self.history = Told(), Told(), Told(), Told()
        self.deferred = Told()
        self._service = service
        self._answer = output
        self._keep_state = keep_state
        if seed is None:
            self.system = ActorSystem("running")
        else:
            self.system = ActorSystem("running", seed=seed, dispatcher=SeededDispatcher.with_seed(seed))
        self.root: Ref[Any]
        self.under_test: Ref[Any]
        self.speech_ref: Ref[Any]

    async def __aenter__(self) -> Self:
        self.system.start()
        self.root = self.system.spawn("room", lambda: Root(self._begin), user_loop=asyncio.get_running_loop())
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.system.aclose(1.0)

    def _begin(self, out: Outbox[Any]) -> None:
        wiring = self.wiring
        wiring.supervisor = out.spawn("supervisor", lambda: Probe(self.supervisor))
        wiring.history = out.spawn("history", lambda: Probe(self.history))
        wiring.deferred = out.spawn("deferred", lambda: Probe(self.deferred))
        wiring.output = out.spawn("output", lambda: Probe(self.output, self._answer))
        self.speech_ref = out.spawn("speech", lambda: Probe(self.speech))
        spec = ChildSpec(keep_state=self._keep_state)
        self.under_test = out.spawn("service", lambda: self._service(wiring), spec)
        wiring.llm = wiring.tools = wiring.tts = self.under_test

    @staticmethod
    def scope(name: str = "speech-1") -> Scope:
        return Scope(name)

    def close_scope(self, scope: Scope) -> None:
        self.root.tell(Do(lambda out: out.close_scope(scope)))

    def tell(self, *messages: Any) -> None:
        """Told by one sender, in this order."""
        for sent in messages:
            self.under_test.tell(sent)

    def kill(self) -> None:
        """As if a handler had raised."""
        self.under_test.cell.deliver_system(Kill(Boom("killed")))

    def inspect(self) -> ActorSnapshot:
        return self.system.inspect("room")["service"]

    def inspect_room(self) -> TreeSnapshot:
        return self.system.inspect("room")

    def metrics(self) -> list[Any]:
        return [
            published.event.metrics
            for published in self.supervisor.of(Publish)
            if isinstance(published.event, MetricsCollectedEvent)
        ]

    def facts(self, *kinds: type) -> list[Any]:
        """What the supervisor was told, but for metrics."""
        return self.supervisor.of(*kinds)

    async def settle(self) -> None:
        """Until nothing is ready, without moving the clock by more than a tick."""
        await asyncio.sleep(0.002)


def virtually(main: Callable[[], Awaitable[T]]) -> T:
    """Run a test body in virtual time."""

    async def body() -> T:
        return await main()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(body())


def now() -> float:
    return asyncio.get_running_loop().time()


def seconds(nanoseconds: int) -> float:
    return nanoseconds / NS


def text_of(messages: Sequence[Any]) -> str:
    return "".join(message.text for message in messages)
