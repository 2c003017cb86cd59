"""One ear under test: scripted providers, a paced source, and probes in place of floor, agent and supervisor.

Seconds are virtual, from the first sample that the source delivers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar, cast

import pytest

from sessionactors.actors.ear import Ear, EarMessage
from sessionactors.actors.history import History
from sessionactors.actors.participants import EAR
from sessionactors.actors.wiring import Components, Wiring
from sessionactors.interfaces.audio_io import AudioSource
from sessionactors.interfaces.stt import STT
from sessionactors.interfaces.tool_link import ToolLink
from sessionactors.interfaces.turn_detector import TurnDetector
from sessionactors.interfaces.user_code import ToolResult, TurnVerdict, UserAgent
from sessionactors.interfaces.vad import VAD
from sessionactors.messages.session import ComponentFailed, ComponentStumbled, Publish, Recovered
from sessionactors.messages.turn import InterruptionWanted, UserActivity, UserSpeechFact, UserTurnEnded
from sessionactors.model.chat import ChatContext, ChatItem, ChatMessage, FunctionCall
from sessionactors.model.events import SessionEvent, UserInputTranscribedEvent
from sessionactors.model.options import SessionOptions
from sessionactors.model.tools import ToolDefinition
from sessionactors.runtime import NS, Actor, ActorSystem, LoopDispatcher, Outbox, Ref, Terminated
from sessionactors.runtime.messages import Kill
from sessionactors.testing import SeededDispatcher
from sessionactors.testing import run as run_virtually
from sessionactors.transports.memory_source import MemorySource

T = TypeVar("T")
E = TypeVar("E")

WITHIN = 0.02
"""Seconds of virtual time by which a moment may be off: one frame."""


def about(seconds: float, within: float = WITHIN) -> object:
    """Equal to within one frame."""
    return pytest.approx(seconds, abs=within)


@dataclass(frozen=True)
class Noted:
    """A message that a probe got."""

    at: float
    message: object
    turn: str


class Probe(Actor[int, object]):
    """Notes what it is told."""

    def __init__(self, notes: list[Noted]) -> None:
        self._notes = notes

    def initial(self) -> int:
        return 0

    def receive(self, state: int, message: object, out: Outbox[object]) -> int:
        self._notes.append(Noted(out.now / NS, message, out.turn))
        return state + 1


class Root(Actor[int, Terminated]):
    """Holds the ear and the probes, and notes how the ear ends."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    def initial(self) -> int:
        return 0

    def started(self, state: int, out: Outbox[Terminated]) -> int:
        bench = self._bench
        wiring = Wiring(bench.components)
        wiring.floor, wiring.agent, wiring.supervisor = (
            _probe(out, "floor", bench.floor),
            _probe(out, "agent", bench.agent),
            _probe(out, "supervisor", bench.supervisor),
        )
        wiring.history = out.spawn("history", lambda: History(wiring))
        bench.ear = out.spawn("ear-ann", lambda: Ear("ann", wiring, bench.source), EAR)
        out.watch(bench.ear, lambda end: end)
        return state

    def receive(self, state: int, message: Terminated, out: Outbox[Terminated]) -> int:
        self._bench.ended.append(message)
        return state


def _probe(out: Outbox[Terminated], name: str, notes: list[Noted]) -> Ref[object]:
    return out.spawn(name, lambda: Probe(notes))


class NoAgent(UserAgent):
    """An ear does not know the agent."""

    @property
    def id(self) -> str:
        return "nobody"

    @property
    def instructions(self) -> str:
        return ""

    @property
    def tools(self) -> tuple[ToolDefinition, ...]:
        return ()

    @property
    def initial_items(self) -> tuple[ChatItem, ...]:
        return ()

    async def run_tool(self, call: FunctionCall, link: ToolLink) -> ToolResult:
        raise NotImplementedError

    async def on_enter(self) -> None: ...

    async def on_exit(self) -> None: ...

    async def on_user_turn_completed(self, chat_ctx: ChatContext, message: ChatMessage) -> TurnVerdict:
        raise NotImplementedError


def _emit(event: SessionEvent) -> None:
    raise AssertionError(f"only the supervisor raises events, not {event}")


@dataclass
class Bench:
    """What goes in and what came out."""

    vad: VAD | None = None
    stt: STT | None = None
    detector: TurnDetector | None = None
    options: SessionOptions = field(default_factory=SessionOptions)
    source: AudioSource | None = field(default_factory=lambda: MemorySource(silence_rate=16000))
    seed: int | None = None
    """Of the schedule; None: first in, first out."""
    vad_is_default: bool = False
    """Nobody chose the detector of speech."""
    floor: list[Noted] = field(default_factory=list)
    agent: list[Noted] = field(default_factory=list)
    supervisor: list[Noted] = field(default_factory=list)
    ended: list[Terminated] = field(default_factory=list)
    system: ActorSystem = field(init=False)
    ear: Ref[EarMessage] = field(init=False)
    summaries: dict[str, dict[str, object]] = field(default_factory=dict)
    """Of the ear's actors, when the call was over."""
    dropped: dict[str, int] = field(default_factory=dict)
    open_scopes: tuple[str, ...] = ()

    @property
    def components(self) -> Components:
        options = self.options
        if self.detector is not None:
            options = replace(options, turn_detection=self.detector)
        return Components(options, NoAgent(), _emit, vad=self.vad, stt=self.stt, vad_is_default=self.vad_is_default)

    def call(self, seconds: float, *events: tuple[float, Callable[[], object]]) -> Bench:
        """Let the caller be heard for so long; ``events`` are done at their seconds."""
        run_virtually(lambda: self._call(seconds, events))
        return self

    async def _call(self, seconds: float, events: tuple[tuple[float, Callable[[], object]], ...]) -> None:
        dispatcher = LoopDispatcher if self.seed is None else SeededDispatcher.with_seed(self.seed)
        self.system = ActorSystem("running", seed=self.seed or 0, dispatcher=dispatcher)
        self.system.start()
        self.system.spawn("room", lambda: Root(self))
        for at, event in sorted(events, key=lambda timed: timed[0]):
            await self.until(at)
            done = event()
            if isinstance(done, Awaitable):
                await done
        await self.until(seconds)
        snapshot = self.system.inspect("room")
        self.open_scopes = snapshot.open_scopes
        for path, actor in snapshot.actors.items():
            if path.startswith("room/ear-ann/"):
                name = path.rsplit("/", 1)[-1]
                self.summaries[name] = dict(actor.state)
                self.dropped[name] = actor.accounts.dropped
        await self.system.aclose()
        assert self.system.leaks("room") == []

    @staticmethod
    async def until(at: float) -> None:
        """Wait for a second of the call."""
        await asyncio.sleep(max(0.0, at - asyncio.get_running_loop().time()))

    def tell(self, message: EarMessage) -> Callable[[], None]:
        """An event: tell the ear."""
        return lambda: self.ear.tell(message)

    def cell(self, name: str) -> Ref[object]:
        """An actor of the ear."""
        return self.system.tree("room").cells[f"room/ear-ann/{name}"].ref

    def kill(self, name: str) -> Callable[[], None]:
        """An event: an actor of the ear fails between two messages."""

        def strike() -> None:
            cell = self.system.tree("room").cells.get(f"room/ear-ann/{name}")
            if cell is not None:
                cell.deliver_system(Kill(RuntimeError(f"{name} was killed")))

        return strike

    # -- what came out -----------------------------------------------------------------------------------------------

    @property
    def turns(self) -> list[UserTurnEnded]:
        return [note.message for note in self.agent if isinstance(note.message, UserTurnEnded)]

    @property
    def turn_times(self) -> list[float]:
        return [note.at for note in self.agent if isinstance(note.message, UserTurnEnded)]

    @property
    def transcripts(self) -> list[str]:
        return [turn.transcript for turn in self.turns]

    @property
    def activity(self) -> list[tuple[bool, float]]:
        """What the floor was told of: (speaking, seconds at which the voice set in or ended), at each change."""
        told = [(m.speaking, m.at / NS) for m in self.of(self.floor, UserActivity)]
        before = [False, *(speaking for speaking, _ in told)]
        return [change for change, was in zip(told, before, strict=False) if change[0] is not was]

    @property
    def facts(self) -> list[tuple[bool, float]]:
        return [(m.speaking, m.at / NS) for m in self.of(self.supervisor, UserSpeechFact)]

    @property
    def wishes(self) -> list[tuple[float, InterruptionWanted]]:
        return [(n.at, n.message) for n in self.floor if isinstance(n.message, InterruptionWanted)]

    @property
    def failures(self) -> list[ComponentFailed]:
        return self.of(self.supervisor, ComponentFailed)

    @property
    def stumbles(self) -> list[ComponentStumbled]:
        return self.of(self.supervisor, ComponentStumbled)

    @property
    def recoveries(self) -> list[Recovered]:
        return self.of(self.supervisor, Recovered)

    def events(self, kind: type[E]) -> list[E]:
        """Public events of a kind."""
        return [m.event for m in self.of(self.supervisor, Publish) if isinstance(m.event, kind)]

    @property
    def finals(self) -> list[str]:
        """Final transcripts as they were published."""
        return [event.transcript for event in self.events(UserInputTranscribedEvent) if event.is_final]

    @property
    def ledger(self) -> dict[str, object]:
        return cast("dict[str, object]", self.summaries["turn"]["transcripts"])

    @staticmethod
    def of(notes: list[Noted], kind: type[T]) -> list[T]:
        return [note.message for note in notes if isinstance(note.message, kind)]
