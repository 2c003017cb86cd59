"""The agents of one session, on the user's loop: which of the user's objects is which agent of the actors'."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, assert_never

from sessionactors.interfaces.user_code import AgentComponents
from sessionactors.model.chat import AgentHandoff, ChatContext
from sessionactors.model.errors import SessionStateError
from sessionactors.model.events import AgentInChargeNote, AgentLeftNote, AgentNote, ContextNote, TaskOverNote

from .realtime_limits import check_model
from .stand_ins import StandIn, own_parts, stand_ins
from .user_code import SessionUserAgent

if TYPE_CHECKING:
    from sessionactors.runtime.threads import Threads

    from .agent import Agent
    from .agent_session import AgentSession
    from .mirror import Mirror


class Roster:
    """Binds agents to the session, and lets go of them when they have left."""

    def __init__(self, session: AgentSession[object]) -> None:
        self._session = session
        self._agents: dict[str, Agent] = {}
        self._keys: dict[str, int] = {}
        self._latest: dict[str, Agent] = {}
        """By id: handoffs name ids."""
        self._worked: set[str] = set()
        self._components = AgentComponents()
        self._taken: Mapping[str, StandIn] = {}
        self._threads: Callable[[], Threads] | None = None
        self._tickets = count(1)
        self._waiting: dict[str, asyncio.Future[str]] = {}

    def begin(self, components: AgentComponents, threads: Callable[[], Threads]) -> None:
        """A session starts, with these components and these threads for tools."""
        self._agents.clear()
        self._keys.clear()
        self._components, self._threads = components, threads
        self._taken = stand_ins.get().parts  # agents that come later come in contexts of their own

    def bind(self, agent: Agent) -> SessionUserAgent:
        """Make an agent one of this session, if it is not yet, as it is now.

        Raises:
            SessionStateError: it runs in another session.
            OptionError: it has a model of its own where there is a realtime model, or is one.
        """
        if agent._bound is not None and agent._session is self._session:
            return agent._bound
        if agent._session is not None:
            raise SessionStateError(f"agent {agent.id!r} runs in another session: make an agent for each session")
        number = self._keys[agent.id] = self._keys.get(agent.id, 0) + 1
        key = agent.id if number == 1 else f"{agent.id}#{number}"
        bound = self._made(agent, key)
        check_model(agent.id, bound.components.llm, self._components.llm)
        agent._session, agent._bound = self._session, bound
        self._agents[key] = self._latest[agent.id] = agent
        return bound

    def revise(self, agent: Agent) -> SessionUserAgent | None:
        """The agent has been changed: as it is now, under its old key. None if it does not run here."""
        bound = agent._bound
        if bound is None or self._agents.get(bound.key) is not agent:
            return None
        agent._bound = self._made(agent, bound.key)
        agent._bound.hears_as(bound)
        return agent._bound

    def _made(self, agent: Agent, key: str) -> SessionUserAgent:
        if self._threads is None:
            raise SessionStateError("the session is not running; call start() first")
        components = replace(self._components, **own_parts(agent._parts, self._taken))  # type: ignore[arg-type]
        return SessionUserAgent(agent, self._session, self._threads, key=key, components=components)

    def has_worked(self, key: str) -> bool:
        """Whether the agent has been in charge, and has not left."""
        return key in self._worked

    def who(self, handoff: AgentHandoff) -> tuple[Agent | None, Agent]:
        """The user's objects of a handoff: the old one, if there was one, and the new one."""
        new = self._latest[handoff.new_agent_id]
        return self._latest.get(handoff.old_agent_id or ""), new

    def note(self, note: AgentNote, mirror: Mirror) -> Agent | None:
        """What the actors tell of agents. Gives the one in charge, if that is what it is about."""
        match note:
            case ContextNote():
                self.remember(note)
            case AgentInChargeNote(key):
                if self.has_worked(key):
                    mirror.handoff_ends(key)
                return self._agents.get(key)
            case AgentLeftNote(key):
                self.left(key)
                mirror.handoff_ends(key)
            case TaskOverNote(task, reason):
                self.over(task, reason)
            case _:
                assert_never(note)
        return None

    def remember(self, note: ContextNote) -> None:
        """Bring what an agent can read of its context up to date."""
        agent = self._agents.get(note.agent)
        if agent is not None:
            self._worked.add(note.agent)
        if agent is not None and note.replaced:
            agent._chat_ctx = ChatContext(note.items)
        elif agent is not None:
            agent._chat_ctx.items.extend(note.items)
        self.over(note.ticket, "")

    def ticket(self) -> tuple[str, asyncio.Future[str]]:
        """A name for a change that is asked for, and what is done when it is."""
        name = f"change {next(self._tickets)}"
        return name, self.wait_for(name)

    def wait_for(self, ticket: str) -> asyncio.Future[str]:
        """Done when that is over; its result is why, if something went wrong."""
        done: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting[ticket] = done
        return done

    def over(self, ticket: str, reason: str) -> None:
        """What was asked for under that name is done, or will not be."""
        waiting = self._waiting.pop(ticket, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(reason)

    def left(self, key: str) -> None:
        """An agent has left for good: it may run elsewhere, or here again."""
        agent = self._agents.pop(key, None)
        self._worked.discard(key)
        if agent is not None:
            agent._session = agent._bound = None

    def release(self) -> None:
        """The session is over."""
        for key in list(self._agents):
            self.left(key)
        for ticket in list(self._waiting):
            self.over(ticket, "did not end: the session has closed")  # a change holds for the agent's next session
