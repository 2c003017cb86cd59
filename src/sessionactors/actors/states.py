"""The public states of agent and user: one reducer over facts, one table of legal changes (P6). Pure.

No decision of the runtime reads these states back; they are what people outside see.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from sessionactors.messages.session import ReplyScheduled
from sessionactors.model.events import AgentState, UserState
from sessionactors.runtime.frozen import replace

AGENT_TRANSITIONS: Final[Mapping[AgentState, AbstractSet[AgentState]]] = {
    "initializing": frozenset({"listening"}),
    "idle": frozenset({"listening"}),
    "listening": frozenset({"thinking", "speaking"}),
    "thinking": frozenset({"speaking", "listening"}),
    "speaking": frozenset({"thinking", "listening"}),
}
"""From each state, the states that may follow."""

USER_TRANSITIONS: Final[Mapping[UserState, AbstractSet[UserState]]] = {
    "listening": frozenset({"speaking", "away"}),
    "speaking": frozenset({"listening"}),
    "away": frozenset({"speaking", "listening"}),
}


@dataclass(frozen=True, slots=True)
class AgentFacts:
    """What is known about the agent's speeches."""

    ready: bool = False
    """The session listens."""
    thinking: frozenset[str] = frozenset()
    """Replies on their way, and speeches that go on out of hearing."""
    audible: frozenset[str] = frozenset()
    """Speeches that are heard now (one, but for the moment of a change)."""
    paused: frozenset[str] = frozenset()
    """Speeches that the user's voice has stopped: while they wait the agent listens."""


def agent_state(facts: AgentFacts) -> AgentState:
    """The public state that the facts amount to."""
    if not facts.ready:
        return "initializing"
    if facts.audible - facts.paused:
        return "speaking"
    if facts.thinking - facts.paused:
        return "thinking"
    return "listening"


def taken(facts: AgentFacts, turn: str) -> AgentFacts:
    """A typed turn is seen to: what it cuts off leads to thinking, without listening in between."""
    return replace(facts, thinking=facts.thinking | {turn}) if facts.audible - facts.paused else facts


def unanswered(facts: AgentFacts, turn: str) -> AgentFacts:
    """No reply to a turn comes."""
    return replace(facts, thinking=facts.thinking - {turn})


def on_its_way(facts: AgentFacts, reply: ReplyScheduled) -> AgentFacts:
    """A reply was scheduled; a realtime model's is heard before anybody hears of it."""
    if not reply.thinks:
        return unanswered(facts, reply.turn)
    return scheduled(facts, reply.speech, reply.turn)


def scheduled(facts: AgentFacts, speech: str, turn: str = "") -> AgentFacts:
    """A reply is on its way, to a turn or of itself."""
    return replace(facts, thinking=(facts.thinking - {turn}) | {speech})


def audible(facts: AgentFacts, speech: str) -> AgentFacts:
    """A speech is heard."""
    return replace(facts, audible=facts.audible | {speech}, thinking=facts.thinking - {speech})


def quiet(facts: AgentFacts, speech: str, *, working: bool) -> AgentFacts:
    """A speech is not heard any more; ``working``: it goes on out of hearing."""
    thinking = facts.thinking | {speech} if working else facts.thinking - {speech}
    return replace(facts, audible=facts.audible - {speech}, thinking=thinking, paused=facts.paused - {speech})


def paused(facts: AgentFacts, speech: str, *, now: bool) -> AgentFacts:
    """A speech was stopped by the user's voice, or goes on."""
    return replace(facts, paused=facts.paused | {speech} if now else facts.paused - {speech})


def user_state(speaking: AbstractSet[str]) -> UserState:
    """The public state of the users together: speaking when any is."""
    return "speaking" if speaking else "listening"
