"""``supervisor``: the root of a session. Starts its actors, tracks the public states, counts failures, ends the session.

It decides nothing about turns or speech. All public events leave through it, in the order of its mailbox.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias, assert_never

from sessionactors.messages.agent import AgentEnters
from sessionactors.messages.ear import AttachSource, FlushTurn, SetInputEnabled, TurnFlushed
from sessionactors.messages.floor import HoldFloor
from sessionactors.messages.history import ContextSnapshot, HistoryChanged
from sessionactors.messages.room import (
    LeaveRoom,
    ParticipantJoined,
    ParticipantLeft,
    RoomClosed,
    RoomConnected,
    RoomConnectFailed,
    RoomLeft,
)
from sessionactors.messages.session import (
    ActorEnded,
    CloseSession,
    ComponentFailed,
    DropInEnded,
    EventRaised,
    FinishClose,
    FloorIdle,
    LeaveAgent,
    Publish,
    Recovered,
    ReplyScheduled,
    SettleTurns,
    SpeechAudible,
    SpeechQuiet,
)
from sessionactors.messages.turn import UserSpeechFact
from sessionactors.model.chat import AgentHandoff, ChatMessage
from sessionactors.model.errors import APIError, SessionActorsError
from sessionactors.model.events import (
    AgentState,
    AgentStateChangedEvent,
    CloseEvent,
    CloseReason,
    ConversationItemAddedEvent,
    ErrorEvent,
    HistoryNote,
    PublicEvent,
    SessionEvent,
    SessionReady,
    UserState,
    UserStateChangedEvent,
)
from sessionactors.runtime import (
    NS,
    Actor,
    Backoff,
    ChildSpec,
    Delivery,
    InternalError,
    ObligationExpired,
    Outbox,
    Ref,
    Restart,
    Strategy,
    Supervision,
    Terminated,
)

from . import states
from .agent import AgentActor
from .ear import Ear, EarMessage
from .floor import Floor
from .history import History
from .llm import LLMActor
from .output import Output
from .room import Room
from .states import AgentFacts
from .tools import ToolsActor
from .tts import TTSActor
from .wiring import Wiring

SupervisorMessage: TypeAlias = (
    Publish
    | HistoryChanged
    | ReplyScheduled
    | SpeechAudible
    | SpeechQuiet
    | UserSpeechFact
    | RoomConnected
    | RoomConnectFailed
    | RoomClosed
    | RoomLeft
    | ParticipantJoined
    | ParticipantLeft
    | AttachSource
    | SetInputEnabled
    | ComponentFailed
    | Recovered
    | CloseSession
    | FloorIdle
    | TurnFlushed
    | ContextSnapshot
    | ActorEnded
    | DropInEnded
    | FinishClose
    | Delivery
    | ObligationExpired
)

GENTLE_SHARE = 0.7
"""Part of the close deadline for speech, hooks and transport to end by themselves; the rest is the kernel's."""
TRANSCRIPT_SHARE = 0.6
"""Part of that in which the transcript of a turn that has not ended yet may come."""
LAST_CALL_SHARE = 0.5
"""Part of what is left then in which drop-ins must have handled the close event."""

RESTARTED_ONCE = ChildSpec(Restart.TRANSIENT, keep_state=True, max_restarts=1)
"""For the actors that hold the conversation together: one restart from their last committed state."""
RESTARTED_FREELY = ChildSpec(Restart.TRANSIENT, keep_state=True)
"""For the actors around providers and sinks: as often as the window allows."""
EAR = ChildSpec(Restart.TEMPORARY)
"""An ear restarts its own children; when it gives up, the session ends."""

DROP_IN = ChildSpec(Restart.TEMPORARY)
"""A user's own actor that fails is gone; the call goes on."""

EAR_NAME = "ear-"

DEFAULT_PARTICIPANT = "user"
"""Whose ear it is when audio comes without a transport."""


class SessionBroken(SessionActorsError):
    """Reported as the error of ``close`` when a part of the session failed for good."""


@dataclass(frozen=True, slots=True)
class Closing:
    """The end of the session."""

    reason: CloseReason
    error: BaseException | None
    until: int
    """Kernel clock: when all must be over."""
    waits_for: frozenset[str]
    leaving: bool = False
    """The room has been told to leave."""
    settling: bool = False
    """The agent has been told that no further turn comes."""
    last_calls: frozenset[str] = frozenset()
    """Drop-ins that have not handled the close event yet."""
    finishing: bool = False
    """All parts have left, or have had their time; only drop-ins are waited for."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A drop-in that is told of public events."""

    ref: Ref[EventRaised]
    events: tuple[type, ...]


@dataclass(frozen=True, slots=True)
class SupervisorState:
    """Lifecycle, public states, and failures in a row."""

    facts: AgentFacts = AgentFacts()
    agent_state: AgentState = "initializing"
    user_state: UserState = "listening"
    speaking: frozenset[str] = frozenset()
    ears: Mapping[str, Ref[EarMessage]] = field(default_factory=dict)
    failures: Mapping[str, int] = field(default_factory=dict)
    listeners: Mapping[str, Listener] = field(default_factory=dict)
    """Drop-ins that are told of public events, by path."""
    closing: Closing | None = None
    ended: bool = False


FinishSession: TypeAlias = Callable[[CloseReason, BaseException | None, float], None]
"""Ends the tree within so many seconds and raises the ``close`` event; given by the session."""


class Supervisor(Actor[SupervisorState, SupervisorMessage]):
    """The root actor of a session."""

    supervision = Supervision(Strategy.ONE_FOR_ONE, max_restarts=5, within=10.0, backoff=Backoff(first=0.02))

    def __init__(self, wiring: Wiring, finish: FinishSession) -> None:
        self._wiring = wiring
        self._finish = finish

    def initial(self) -> SupervisorState:
        """Nothing runs."""
        return SupervisorState()

    # -- start -------------------------------------------------------------------------------------------------------

    def started(self, state: SupervisorState, out: Outbox[SupervisorMessage]) -> SupervisorState:
        """Start the actors: what others tell to first."""
        wiring = self._wiring
        components = wiring.components
        wiring.supervisor = out.myself
        listeners: dict[str, Listener] = {}
        for part in components.drop_ins:  # first, so that they see all and end last
            drop_in = out.spawn(part.name, part.make, DROP_IN)
            out.watch(drop_in, _drop_in_ended)
            if part.events:
                listeners[drop_in.path] = Listener(drop_in, part.events)
        state = replace(state, listeners=listeners)
        wiring.history = out.spawn("history", lambda: History(wiring), RESTARTED_ONCE)
        wiring.llm = out.spawn("llm", lambda: LLMActor(wiring), RESTARTED_FREELY)
        wiring.tools = out.spawn("tools", lambda: ToolsActor(wiring), RESTARTED_FREELY)
        wiring.tts = out.spawn("tts", lambda: TTSActor(wiring), RESTARTED_FREELY)
        wiring.output = out.spawn("output", lambda: Output(wiring), RESTARTED_FREELY)
        wiring.floor = out.spawn("floor", lambda: Floor(wiring), RESTARTED_ONCE)
        wiring.agent = out.spawn("agent", lambda: AgentActor(wiring), RESTARTED_ONCE)
        for ref in (wiring.history, wiring.llm, wiring.tools, wiring.tts, wiring.output, wiring.floor, wiring.agent):
            out.watch(ref, _ended)
        transport = components.transport
        if transport is not None:
            wiring.room = out.spawn("room", lambda: Room(wiring, transport), RESTARTED_ONCE)
            out.watch(wiring.room, _ended)
            return state
        return self._ready(state, out)

    def receive(
        self, state: SupervisorState, message: SupervisorMessage, out: Outbox[SupervisorMessage]
    ) -> SupervisorState:
        """One message."""
        match message:
            case Publish(event):
                self._emit(state, event, out)
                return state
            case HistoryChanged():
                self._on_history_changed(state, message, out)
                return state
            case ReplyScheduled(speech):
                return self._facts_changed(state, states.scheduled(state.facts, speech), out.now, out)
            case SpeechAudible(speech, at):
                state = self._recovered(state, ("llm", "tts"))
                return self._facts_changed(state, states.audible(state.facts, speech), at, out)
            case SpeechQuiet(speech, at, working):
                return self._facts_changed(state, states.quiet(state.facts, speech, working=working), at, out)
            case UserSpeechFact():
                return self._on_user_speech(state, message, out)
            case RoomConnected():
                return self._ready(state, out)
            case RoomConnectFailed(error):
                return self._close(state, CloseReason.ERROR, 2.0, error, out)
            case RoomClosed(reason):
                out.log("room_closed", reason=reason)
                return self._close(state, CloseReason.PARTICIPANT_DISCONNECTED, 2.0, None, out)
            case ParticipantJoined(identity, source):
                return self._attach(state, identity, AttachSource(source), out) if source is not None else state
            case ParticipantLeft(identity):
                return self._on_participant_left(state, identity, out)
            case AttachSource():
                return self._attach(state, DEFAULT_PARTICIPANT, message, out)
            case SetInputEnabled():
                for ear in state.ears.values():
                    out.tell(ear, message)
                return state
            case ComponentFailed(component, error):
                return self._on_component_failed(state, component, error, out)
            case Recovered(component):
                return self._recovered(state, (component,))
            case ObligationExpired():
                self._on_obligation_expired(state, message, out)
                return state
            case CloseSession(reason, deadline, error):
                return self._close(state, reason, deadline, error, out)
            case FloorIdle():
                return self._closed_a_part(state, "floor", out)
            case TurnFlushed(participant):
                return self._closed_a_part(state, _ear_name(participant), out)
            case ContextSnapshot():  # the agent's last word has been stored
                return self._closed_a_part(state, "agent", out)
            case RoomLeft():
                return self._closed_a_part(state, "room", out)
            case FinishClose():
                return self._finish_close(state, out)
            case ActorEnded(path, error):
                return self._on_actor_ended(state, path, error, out)
            case DropInEnded():
                return self._on_drop_in_ended(state, message, out)
            case Delivery(target=path):
                return self._on_last_call_handled(state, path, out)
            case _:
                assert_never(message)

    def _ready(self, state: SupervisorState, out: Outbox[SupervisorMessage]) -> SupervisorState:
        if state.facts.ready or state.closing is not None:
            return state
        self._emit(state, SessionReady(), out)  # first: who hears that it listens may use it
        facts = replace(state.facts, ready=True)
        state = self._facts_changed(state, AgentFacts(ready=True), out.now, out)
        state = self._facts_changed(state, facts, out.now, out)  # what was typed while the room was linked
        out.tell(self._wiring.agent, AgentEnters())
        return state

    # -- public states -----------------------------------------------------------------------------------------------

    def _facts_changed(
        self, state: SupervisorState, facts: AgentFacts, at: int, out: Outbox[SupervisorMessage]
    ) -> SupervisorState:
        new = states.agent_state(facts)
        old = state.agent_state
        state = replace(state, facts=facts)
        if new == old:
            return state
        if new not in states.AGENT_TRANSITIONS[old]:
            bug = InternalError(f"agent state {old} -> {new} is not in the table (message #{out.message_id})")
            self._emit(state, ErrorEvent(bug, out.path, recoverable=True, created_at=out.wall()), out)
        self._emit(state, AgentStateChangedEvent(old, new, out.wall(at), out.message_id), out)
        return replace(state, agent_state=new)

    def _on_user_speech(
        self, state: SupervisorState, fact: UserSpeechFact, out: Outbox[SupervisorMessage]
    ) -> SupervisorState:
        present = state.speaking | {fact.participant} if fact.speaking else state.speaking - {fact.participant}
        new = states.user_state(present)
        if new != state.user_state:
            change = UserStateChangedEvent(state.user_state, new, out.wall(fact.at), out.message_id)
            self._emit(state, change, out)
        return replace(state, speaking=present, user_state=new)

    def _on_history_changed(
        self, state: SupervisorState, change: HistoryChanged, out: Outbox[SupervisorMessage]
    ) -> None:
        self._emit(state, HistoryNote(change.version, change.added), out)
        for item in change.added:
            if isinstance(item, ChatMessage | AgentHandoff):
                self._emit(state, ConversationItemAddedEvent(item, out.wall()), out)

    def _emit(self, state: SupervisorState, event: SessionEvent, out: Outbox[SupervisorMessage]) -> None:
        out.port(self._wiring.components.emit, event)
        if not isinstance(event, PublicEvent):
            return
        for listener in state.listeners.values():
            if isinstance(event, listener.events):
                out.tell(listener.ref, EventRaised(event))

    # -- participants ------------------------------------------------------------------------------------------------

    def _attach(
        self, state: SupervisorState, identity: str, attach: AttachSource, out: Outbox[SupervisorMessage]
    ) -> SupervisorState:
        components = self._wiring.components
        if not components.audio_input or state.closing is not None:
            return state
        ear = state.ears.get(identity)
        if ear is None:
            wiring = self._wiring
            ear = out.spawn(_ear_name(identity), lambda: Ear(identity, wiring), EAR)
            out.watch(ear, _ended)
            state = replace(state, ears={**state.ears, identity: ear})
        out.tell(ear, attach)
        return state

    def _on_participant_left(
        self, state: SupervisorState, identity: str, out: Outbox[SupervisorMessage]
    ) -> SupervisorState:
        ear = state.ears.get(identity)
        if ear is not None:
            out.tell(ear, AttachSource(None))
        if state.closing is None:
            return self._close(state, CloseReason.PARTICIPANT_DISCONNECTED, 2.0, None, out)
        return state

    # -- failures ----------------------------------------------------------------------------------------------------

    def _on_component_failed(
        self, state: SupervisorState, component: str, error: BaseException, out: Outbox[SupervisorMessage]
    ) -> SupervisorState:
        count = state.failures.get(component, 0) + 1
        fatal = count > self._wiring.options.max_unrecoverable_errors
        self._emit(state, ErrorEvent(error, component, recoverable=not fatal, created_at=out.wall()), out)
        state = replace(state, failures={**state.failures, component: count})
        if not fatal:
            return state
        broken = SessionBroken(f"{component} failed {count} times in a row; the last: {error!r}")
        broken.__cause__ = error
        return self._close(state, CloseReason.ERROR, 2.0, broken, out)

    @staticmethod
    def _recovered(state: SupervisorState, components: tuple[str, ...]) -> SupervisorState:
        if not any(component in state.failures for component in components):
            return state
        left = {name: count for name, count in state.failures.items() if name not in components}
        return replace(state, failures=left)

    def _on_obligation_expired(
        self, state: SupervisorState, expired: ObligationExpired, out: Outbox[SupervisorMessage]
    ) -> None:
        overdue = APIError(
            f"{expired.owner} has waited {expired.age:.1f} s for {expired.waits_for}: inspect() shows what it is doing"
        )
        self._emit(state, ErrorEvent(overdue, expired.owner, recoverable=True, created_at=out.wall()), out)
        out.log("obligation_expired", level="error", owner=expired.owner, waits_for=expired.waits_for)

    def _on_actor_ended(
        self, state: SupervisorState, path: str, error: BaseException | None, out: Outbox[SupervisorMessage]
    ) -> SupervisorState:
        if error is None or state.ended:
            return state
        broken = SessionBroken(f"{path} failed for good: {error}")
        broken.__cause__ = error
        self._emit(state, ErrorEvent(broken, path, recoverable=False, created_at=out.wall()), out)
        if state.closing is not None:
            return self._closed_a_part(state, path.rsplit("/", 1)[-1], out)
        return self._close(state, CloseReason.ERROR, 2.0, broken, out)

    def _on_drop_in_ended(
        self, state: SupervisorState, end: DropInEnded, out: Outbox[SupervisorMessage]
    ) -> SupervisorState:
        left = {path: listener for path, listener in state.listeners.items() if path != end.path}
        state = replace(state, listeners=left)
        if end.error is not None:
            event = ErrorEvent(end.error, end.path, recoverable=True, created_at=out.wall())
            self._emit(state, event, out)
        return self._on_last_call_handled(state, end.path, out)

    # -- close -------------------------------------------------------------------------------------------------------

    def _close(
        self,
        state: SupervisorState,
        reason: CloseReason,
        deadline: float,
        error: BaseException | None,
        out: Outbox[SupervisorMessage],
    ) -> SupervisorState:
        """Cut speech, keep what was said, run ``on_exit``, leave the room; then the kernel ends what is left."""
        until = out.now + round(deadline * NS)
        if state.closing is not None:
            if until < state.closing.until:  # a later, shorter deadline wins; a longer one does not
                out.timer("finish", max(0.0, deadline * GENTLE_SHARE), FinishClose())
                return replace(state, closing=replace(state.closing, until=until))
            return state
        wiring = self._wiring
        out.tell(wiring.floor, HoldFloor())
        out.tell(wiring.agent, LeaveAgent())
        parts = {"floor", "agent"}
        patience = min(wiring.options.session_close_transcript_timeout, deadline * GENTLE_SHARE * TRANSCRIPT_SHARE)
        for identity, ear in state.ears.items():
            if reason is not CloseReason.ERROR and ear.is_alive():
                out.tell(ear, FlushTurn(patience, out.myself))
                parts.add(_ear_name(identity))
            out.tell(ear, SetInputEnabled(False))
        if wiring.room is not None:
            parts.add("room")
        out.oblige("close", "speech, hooks and transport to end", deadline)
        out.timer("finish", deadline * GENTLE_SHARE, FinishClose())
        return self._go_on_closing(replace(state, closing=Closing(reason, error, until, frozenset(parts))), out)

    def _go_on_closing(self, state: SupervisorState, out: Outbox[SupervisorMessage]) -> SupervisorState:
        """The room is left when the users' last words are known; the agent is done when no speech or turn can come."""
        closing = state.closing
        if closing is None:
            return state
        listening = any(part.startswith(EAR_NAME) for part in closing.waits_for)
        if not listening and not closing.leaving:
            closing = replace(closing, leaving=True)
            if self._wiring.room is not None:
                out.tell(self._wiring.room, LeaveRoom())
        if not listening and "floor" not in closing.waits_for and not closing.settling:
            closing = replace(closing, settling=True)
            out.tell(self._wiring.agent, SettleTurns())
        return replace(state, closing=closing)

    def _closed_a_part(self, state: SupervisorState, part: str, out: Outbox[SupervisorMessage]) -> SupervisorState:
        if state.closing is None:
            return state
        gone = {part, "agent"} if part == "history" else {part}  # who would have told of the agent
        left = state.closing.waits_for - gone
        state = self._go_on_closing(replace(state, closing=replace(state.closing, waits_for=left)), out)
        if not left:
            # By message, so that what the parts said before (history, events) is handled first.
            out.tell(out.myself, FinishClose())
        return state

    def _finish_close(self, state: SupervisorState, out: Outbox[SupervisorMessage]) -> SupervisorState:
        closing = state.closing
        if closing is None or state.ended:
            return state
        last_calls = frozenset(path for path, listener in state.listeners.items() if CloseEvent in listener.events)
        if last_calls and not closing.finishing:
            return self._call_last(state, closing, last_calls, out)
        out.discharge("close")
        out.port(self._finish, closing.reason, closing.error, max(0.0, (closing.until - out.now) / NS))
        return replace(state, ended=True)

    def _call_last(
        self, state: SupervisorState, closing: Closing, paths: frozenset[str], out: Outbox[SupervisorMessage]
    ) -> SupervisorState:
        """Tell the drop-ins of the end. They have handled all that came before once they have handled this."""
        out.subscribe((EventRaised,))
        event = CloseEvent(closing.reason, out.wall(), closing.error)
        for path in paths:
            out.tell(state.listeners[path].ref, EventRaised(event))
        out.timer("finish", LAST_CALL_SHARE * max(0, closing.until - out.now) / NS, FinishClose())
        return replace(state, closing=replace(closing, finishing=True, last_calls=paths))

    def _on_last_call_handled(
        self, state: SupervisorState, path: str, out: Outbox[SupervisorMessage]
    ) -> SupervisorState:
        closing = state.closing
        if closing is None or path not in closing.last_calls:
            return state
        left = closing.last_calls - {path}
        state = replace(state, closing=replace(closing, last_calls=left))
        return state if left else self._finish_close(state, out)

    def summary(self, state: SupervisorState) -> Mapping[str, object]:
        """Public states, and what a close waits for."""
        closing = state.closing
        return {
            "agent_state": state.agent_state,
            "user_state": state.user_state,
            "ears": sorted(state.ears),
            "failures": dict(state.failures),
            "closing": None if closing is None else sorted(closing.waits_for | closing.last_calls),
        }


def _ear_name(identity: str) -> str:
    return f"{EAR_NAME}{identity}"


def _ended(end: Terminated) -> ActorEnded:
    return ActorEnded(end.path, end.error)


def _drop_in_ended(end: Terminated) -> DropInEnded:
    return DropInEnded(end.path, end.error)
