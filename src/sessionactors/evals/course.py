"""The course of one conversation: what was said, called and felt, each with its moment. Seconds from its beginning."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sessionactors.interfaces.transport import TranscriptSegment
from sessionactors.model.chat import AgentHandoff, ChatMessage
from sessionactors.model.events import (
    AgentState,
    AgentStateChangedEvent,
    CloseEvent,
    ConversationItemAddedEvent,
    ErrorEvent,
    FunctionToolsExecutedEvent,
    PublicEvent,
    UserState,
    UserStateChangedEvent,
)
from sessionactors.transports.memory import MemoryTransport
from sessionactors.transports.transcript import AGENT


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the transcript that a report shows."""

    at: float
    who: str
    """``caller``, ``agent``, ``tool``, ``handoff``, ``error``; ``says``, ``types``, ...: steps of the file."""
    text: str


@dataclass(frozen=True, slots=True)
class Called:
    """A call of a tool that has answered."""

    name: str
    arguments: str
    """JSON."""
    output: str
    is_error: bool


@dataclass(frozen=True, slots=True)
class Said:
    """A message of the agent, as it was heard."""

    text: str
    interrupted: bool


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment in the course: what came after it is of the step that it begins."""

    at: float
    said: int
    called: int
    spoken: int
    kernel: int
    """Clock of the kernel, ns: where latencies are told in."""


@dataclass(frozen=True, slots=True)
class Came:
    """What came of a step."""

    at: float
    said: tuple[Said, ...] = ()
    called: tuple[Called, ...] = ()
    latency: Mapping[str, float] | None = None
    """Seconds by part, ``total`` among them; None: no turn was answered."""
    agent_state: AgentState = "listening"
    user_state: UserState = "listening"
    agent: tuple[str, str] = ("", "")
    """Name of the class of who is in charge, and its id."""
    ended: bool = False

    @property
    def text(self) -> str:
        """All that the agent said."""
        return " ".join(said.text for said in self.said)


@dataclass(slots=True)
class Course:
    """Takes down what happens. On the user's loop."""

    lines: list[Line] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    called: list[Called] = field(default_factory=list)
    broken: list[tuple[float, str]] = field(default_factory=list)
    """What no conversation should have: a component that failed for good, a session that ended with an error."""
    spoken: str = ""
    """The agent's words so far, as they are heard: a word is in it when it has been begun."""
    agent_state: AgentState = "initializing"
    user_state: UserState = "listening"
    speaking_since: float = 0.0
    """When the agent last began to speak."""
    ended: bool = False
    on_speaking: Callable[[], object] = lambda: None
    """Called when the agent begins to speak."""
    news: asyncio.Event = field(default_factory=asyncio.Event)
    """Set with every change."""
    _zero: float = 0.0

    def begin(self) -> None:
        """This is second 0."""
        self._zero = asyncio.get_running_loop().time()

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return asyncio.get_running_loop().time() - self._zero

    def mark(self, kernel: int) -> Mark:
        """This moment."""
        return Mark(self.now, len(self.said), len(self.called), len(self.spoken), kernel)

    def add(self, who: str, text: str) -> None:
        """A line of the transcript."""
        self.lines.append(Line(self.now, who, text))

    def hear(self, segment: TranscriptSegment) -> None:
        """Something of what the agent says is heard."""
        self.spoken += segment.text
        self.news.set()

    def note(self, event: PublicEvent) -> None:
        """Something happened."""
        match event:
            case AgentStateChangedEvent():
                self.agent_state = event.new_state
                if event.new_state == "speaking":
                    self.speaking_since = self.now
                    self.on_speaking()
            case UserStateChangedEvent():
                self.user_state = event.new_state
            case ConversationItemAddedEvent():
                self._item(event.item)
            case FunctionToolsExecutedEvent():
                for call, output in event.zipped():
                    self.called.append(Called(call.name, call.arguments, output.output, output.is_error))
                    self.add("tool", f"{call.name}({call.arguments}) -> {output.output}")
            case ErrorEvent():
                self.add("error", f"{event.source}: {event.error}")
                if not event.recoverable:
                    self.broken.append((self.now, f"{event.source} failed: {event.error}"))
            case CloseEvent():
                self.ended = True
                self.add("close", f"the session ended: {event.reason.value}")
                if event.error is not None:
                    self.broken.append((self.now, f"the session ended with {event.error!r}"))
            case _:
                pass
        self.news.set()

    def _item(self, item: ChatMessage | AgentHandoff) -> None:
        if isinstance(item, AgentHandoff):
            if item.old_agent_id is not None:
                self.add("handoff", f"{item.old_agent_id} -> {item.new_agent_id}")
        elif item.role == "assistant":
            self.said.append(Said(item.text_content, item.interrupted))
            self.add("agent", item.text_content + (" \N{EM DASH} cut off" if item.interrupted else ""))
        elif item.role == "user":
            self.add("caller", item.text_content)


class Room(MemoryTransport):
    """The room of a conversation, in which somebody hears the words of the agent as they are spoken.

    Args:
        heard: told of each piece of the agent's words, on the loop on which this is made.
        voice: a room with sound.
        rate: hertz of the caller's line.
        telephone: the caller has keys.
    """

    def __init__(
        self, heard: Callable[[TranscriptSegment], object], *, voice: bool, rate: int, telephone: bool
    ) -> None:
        super().__init__(audio=voice, silence_rate=rate if voice else None, telephone=telephone)
        self._heard = heard
        self._user_loop = asyncio.get_running_loop()

    def publish_transcript(self, segment: TranscriptSegment) -> None:
        """See :meth:`MemoryTransport.publish_transcript`; from the actor loop."""
        super().publish_transcript(segment)
        if segment.participant == AGENT:
            self._user_loop.call_soon_threadsafe(self._heard, segment)
