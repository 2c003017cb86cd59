"""What the outside sees of a session: its public states and its events, in one order. Used by ``supervisor`` only.

Facts come from ``turn``, ``floor`` and ``history``; nothing here is read back by a decision of the runtime.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionactors.messages.history import HistoryChanged
from sessionactors.messages.room import ShowAgentState
from sessionactors.messages.session import EventRaised
from sessionactors.messages.tools import ToolFinished, ToolsRunning
from sessionactors.messages.turn import UserSpeechFact
from sessionactors.messages.video import UsersSpeak
from sessionactors.model.chat import AgentHandoff, ChatMessage
from sessionactors.model.events import (
    AgentStateChangedEvent,
    ConversationItemAddedEvent,
    ErrorEvent,
    FunctionToolsExecutedEvent,
    HistoryNote,
    MetricsCollectedEvent,
    PublicEvent,
    SessionEvent,
    SessionUsageUpdatedEvent,
    UserStateChangedEvent,
)
from sessionactors.runtime import InternalError, Outbox
from sessionactors.runtime.frozen import replace

from . import states
from .states import AgentFacts
from .supervisor_state import SupervisorState
from .wiring import Wiring

if TYPE_CHECKING:
    from .supervisor import SupervisorMessage


class PublicFace:
    """Raises the events of one session."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring

    def emit(self, state: SupervisorState, event: SessionEvent, out: Outbox[SupervisorMessage]) -> None:
        """Raise an event: for the session's user, and for the drop-ins that want it."""
        out.port(self._wiring.components.emit, event)
        if not isinstance(event, PublicEvent):
            return
        for listener in state.listeners.values():
            if isinstance(event, listener.events):
                out.tell(listener.ref, EventRaised(event))

    def publish(self, state: SupervisorState, event: SessionEvent, out: Outbox[SupervisorMessage]) -> SupervisorState:
        """Raise an event that an actor asked for; figures are summed up, too."""
        self.emit(state, event, out)
        if not isinstance(event, MetricsCollectedEvent):
            return state
        usage = state.usage.with_metrics(event.metrics)
        if usage is state.usage:
            return state
        self.emit(state, SessionUsageUpdatedEvent(usage, out.wall()), out)
        return replace(state, usage=usage)

    def tools(
        self, state: SupervisorState, fact: ToolFinished | ToolsRunning, out: Outbox[SupervisorMessage]
    ) -> SupervisorState:
        """The number of open calls has changed; or one ended whose speech is gone and cannot say so."""
        if isinstance(fact, ToolsRunning):
            return replace(state, tools_running=fact.count)
        return self.publish(state, FunctionToolsExecutedEvent((fact.call,), (fact.output,), out.wall()), out)

    def facts_changed(
        self, state: SupervisorState, facts: AgentFacts, at: int, out: Outbox[SupervisorMessage]
    ) -> SupervisorState:
        """Something was learned about the agent's speeches at the instant ``at``."""
        new = states.agent_state(facts)
        old = state.agent_state
        state = replace(state, facts=facts)
        if new == old:
            return state
        if new not in states.AGENT_TRANSITIONS[old]:
            bug = InternalError(f"agent state {old} -> {new} is not in the table (message #{out.message_id})")
            self.emit(state, ErrorEvent(bug, out.path, recoverable=True, created_at=out.wall()), out)
        self.emit(state, AgentStateChangedEvent(old, new, out.wall(at), out.message_id), out)
        if self._wiring.room is not None:
            out.tell(self._wiring.room, ShowAgentState(new))
        return replace(state, agent_state=new)

    def user_spoke(
        self, state: SupervisorState, fact: UserSpeechFact, out: Outbox[SupervisorMessage]
    ) -> SupervisorState:
        """A participant began or ceased to speak: the users speak when any of them does."""
        present = state.speaking | {fact.participant} if fact.speaking else state.speaking - {fact.participant}
        new = states.user_state(present)
        if new != state.user_state:
            change = UserStateChangedEvent(state.user_state, new, out.wall(fact.at), out.message_id)
            self.emit(state, change, out)
        if self._wiring.video is not None and bool(present) != bool(state.speaking):
            out.tell(self._wiring.video, UsersSpeak(bool(present)))
        return replace(state, speaking=present, user_state=new)

    def history_changed(self, state: SupervisorState, change: HistoryChanged, out: Outbox[SupervisorMessage]) -> None:
        """Items were added: the mirror gets all of them, the public what was said and who took over."""
        self.emit(state, HistoryNote(change.version, change.added, change.at), out)
        for item in change.added:
            if isinstance(item, ChatMessage | AgentHandoff):
                self.emit(state, ConversationItemAddedEvent(item, out.wall()), out)
