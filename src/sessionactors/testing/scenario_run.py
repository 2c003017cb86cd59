"""What a scenario came to: everything that can be looked at when it is over. Times are seconds from its beginning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from sessionactors.interfaces.transport import TranscriptSegment
from sessionactors.model.chat import ChatItem, ChatMessage
from sessionactors.model.events import (
    AgentState,
    AgentStateChangedEvent,
    CloseEvent,
    ErrorEvent,
    PublicEvent,
    UserState,
    UserStateChangedEvent,
)
from sessionactors.runtime import Accounts, CloseReport, DeadLetter, Delivery, MailboxBounds, TreeSnapshot
from sessionactors.session.waits import WaitEdge
from sessionactors.transports.segments import PlayoutStatistics

from .choices import Choices
from .schedule import Schedule
from .scripted_llm import ScriptedRequest
from .scripted_realtime import ScriptedRealtime

if TYPE_CHECKING:
    from .faults.fault import Fault

M = TypeVar("M")
E = TypeVar("E", bound=PublicEvent)


@dataclass(frozen=True, slots=True)
class TimedEvent:
    """A public event, when it was delivered."""

    at: float
    event: PublicEvent


@dataclass(frozen=True, slots=True)
class HeardAudio:
    """Audio of one synthesis that the agent's listener heard without a gap."""

    at: float
    until: float
    segment: str
    """Of which segment of playout; empty if ``tts`` never handed it over."""
    synthesis: int
    """Number of the voice's synthesis, from 1."""
    samples: int
    words: tuple[str, ...]
    """Words of the synthesis that had been spoken by its end, from the beginning of the synthesis."""
    words_nearly: tuple[str, ...]
    """The same, counting a word that would have ended within 5 ms of the cut."""

    @property
    def speech(self) -> str:
        """Name of the speech, such as ``speech-1``."""
        return self.segment.split("/", 1)[0]


@dataclass(frozen=True, slots=True)
class MailboxFacts:
    """How full a mailbox was, and how full it may be."""

    bounds: MailboxBounds
    high_water: int
    """The most messages that ever waited in one of its lanes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A finished scenario."""

    schedule: Schedule | None
    """By which it ran; None: as in production."""
    choices: Choices | None
    """What was chosen by the schedule, and what of it could not be followed."""
    room: str
    mode: str
    settled: bool
    """All was quiet before the close: nobody spoke, nothing was owed."""
    events: tuple[TimedEvent, ...]
    history: tuple[ChatItem, ...]
    initial: int
    """How many items of it are the agent's own, from before the session."""
    audio: tuple[HeardAudio, ...]
    """What was heard of the agent, in order."""
    word_timings: bool
    """The voice told when each word had been spoken: what was heard is known to the word."""
    sink: PlayoutStatistics | None
    """The account of the agent's sink; None in a room without audio."""
    deliveries: tuple[Delivery, ...]
    """Every message that was handled, failed or fenced, in order."""
    deliveries_lost: int
    """Deliveries that were too many to be kept."""
    transcripts: tuple[TranscriptSegment, ...]
    """What was shown in the room."""
    requests: tuple[ScriptedRequest, ...]
    """What the scripted model was asked."""
    realtime: ScriptedRealtime | None
    """The scripted realtime model, with what it was told; None without one."""
    snapshot: TreeSnapshot | None
    """Taken before the close; None when the session had ended before."""
    accounts: Accounts
    """Sums of all mailboxes of the session, after its end."""
    dead_letters: int
    refused: tuple[DeadLetter, ...]
    """Messages that found no room in a lane, and may not be lost; the last ones."""
    mailboxes: Mapping[str, MailboxFacts]
    """By path, of the actors that lived before the close."""
    waits: tuple[WaitEdge, ...]
    """What users' code waited for before the close."""
    waits_left: tuple[WaitEdge, ...]
    """What it waits for though all is over."""
    max_retry: int
    """Attempts after the first that the session grants a provider, at most."""
    report: CloseReport | None
    close_asked: bool
    """Somebody asked for the close; False: the session ended by itself."""
    close_took: float
    """Seconds from the request to close to the close event; 0.0 when nobody asked."""
    close_deadline: float
    """Seconds that the close had."""
    closed_by_script: bool
    """The script said when to close: nothing had to be quiet then."""
    leaks: tuple[str, ...]
    killed: tuple[str, ...]
    """Actors that the script killed, as often as it did."""
    struck: tuple[Fault, ...] = ()
    """Injected faults that came to their point."""
    signals: Mapping[str, int] | None = None
    """How many signals of each kind providers and transport gave; None: :meth:`.Scenario.inject` was not called."""
    began: int
    """Kernel clock at the beginning, ns."""
    ended_at: float

    def __repr__(self) -> str:
        """In one line: all of it is thousands of deliveries, and asyncio asks for it with every task it ends."""
        how = "as in production" if self.schedule is None else str(self.schedule)
        return f"<Run of {self.room}, {self.mode}, {how}: {len(self.deliveries)} deliveries in {self.ended_at:.3f} s>"

    # -- states ------------------------------------------------------------------------------------------------------

    @property
    def agent_states(self) -> list[AgentState]:
        """The public states of the agent, from ``initializing`` on."""
        return ["initializing", *(event.new_state for event in self.of(AgentStateChangedEvent))]

    @property
    def user_states(self) -> list[UserState]:
        """The public states of the user, from ``listening`` on."""
        return ["listening", *(event.new_state for event in self.of(UserStateChangedEvent))]

    def agent_became(self, state: AgentState) -> list[float]:
        """When the agent's state became this one."""
        return [
            timed.at
            for timed in self.events
            if isinstance(timed.event, AgentStateChangedEvent) and timed.event.new_state == state
        ]

    def user_became(self, state: UserState) -> list[float]:
        """When it was noticed that the user's state became this one."""
        return [
            timed.at
            for timed in self.events
            if isinstance(timed.event, UserStateChangedEvent) and timed.event.new_state == state
        ]

    # -- events and items --------------------------------------------------------------------------------------------

    def of(self, kind: type[E]) -> list[E]:
        """The events of a type, in order."""
        return [timed.event for timed in self.events if isinstance(timed.event, kind)]

    @property
    def errors(self) -> list[ErrorEvent]:
        """The error events, in order."""
        return self.of(ErrorEvent)

    @property
    def close_event(self) -> CloseEvent:
        """The event that ended the session.

        Raises:
            AssertionError: there was none, or more than one.
        """
        (event,) = self.of(CloseEvent)
        return event

    @property
    def conversation(self) -> list[tuple[str, str]]:
        """(role, text) of the messages in the history."""
        return [(item.role, item.text_content) for item in self.history if isinstance(item, ChatMessage)]

    @property
    def added(self) -> tuple[ChatItem, ...]:
        """What the session added to the history."""
        return self.history[self.initial :]

    def said(self) -> list[str]:
        """Texts of the assistant's messages in the history."""
        return [text for role, text in self.conversation if role == "assistant"]

    # -- messages ----------------------------------------------------------------------------------------------------

    def told(self, kind: type[M], to: str | None = None, *, after_snapshot: bool = False) -> list[M]:
        """The messages of a type that were handled, in order.

        Args:
            kind: the type.
            to: by the actor whose path ends so; None: by any.
            after_snapshot: only those that were handled while the session closed.
        """
        since = self.snapshot.now if after_snapshot and self.snapshot is not None else 0
        return [
            delivery.message
            for delivery in self.handled(kind, to)
            if isinstance(delivery.message, kind) and delivery.began_at >= since
        ]

    def handled(self, kind: type, to: str | None = None) -> list[Delivery]:
        """The deliveries of a type that were handled, in order."""
        return [
            delivery
            for delivery in self.deliveries
            if delivery.outcome == "handled"
            and isinstance(delivery.message, kind)
            and (to is None or delivery.target.endswith(f"/{to}") or delivery.target == to)
        ]

    def time_of(self, delivery: Delivery) -> float:
        """When a delivery was handled."""
        return (delivery.began_at - self.began) / 1e9

    def state_of(self, actor: str) -> Mapping[str, object]:
        """What an actor said about its state before the close.

        Raises:
            AssertionError: the session had ended before.
        """
        if self.snapshot is None:
            raise AssertionError("the session ended before a snapshot was taken")
        return self.snapshot[actor].state

    # -- audio -------------------------------------------------------------------------------------------------------

    def heard_of(self, segment: str) -> tuple[list[str], list[str]]:
        """The words heard of a segment, and the same counting one that was cut within 5 ms of its end."""
        last = list({piece.synthesis: piece for piece in self.audio if piece.segment == segment}.values())
        words = [word for piece in last for word in piece.words]
        nearly = [word for piece in last[:-1] for word in piece.words]
        return words, [*nearly, *(word for piece in last[-1:] for word in piece.words_nearly)]

    def audible(self, speech: str) -> list[tuple[float, float]]:
        """When a speech was heard: (from, until)."""
        return [(piece.at, piece.until) for piece in self.audio if piece.speech == speech]
