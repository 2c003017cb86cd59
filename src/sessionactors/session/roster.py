"""The agents of one session, on the user's loop: which of the user's objects is which agent of the actors'."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING

from sessionactors.interfaces.user_code import AgentComponents
from sessionactors.model.chat import ChatContext
from sessionactors.model.errors import SessionStateError
from sessionactors.model.events import ContextNote

from .user_code import SessionUserAgent

if TYPE_CHECKING:
    from sessionactors.runtime.threads import Threads

    from .agent import Agent
    from .agent_session import AgentSession


class Roster:
    """Binds agents to the session, and lets go of them when they have left."""

    def __init__(self, session: AgentSession[object]) -> None:
        self._session = session
        self._agents: dict[str, Agent] = {}
        self._keys: dict[str, int] = {}
        self._components = AgentComponents()
        self._threads: Callable[[], Threads] | None = None
        self._tickets = count(1)
        self._waiting: dict[str, asyncio.Future[None]] = {}

    def begin(self, components: AgentComponents, threads: Callable[[], Threads]) -> None:
        """A session starts, with these components and these threads for tools."""
        self._agents.clear()
        self._keys.clear()
        self._components, self._threads = components, threads

    def bind(self, agent: Agent) -> SessionUserAgent:
        """Make an agent one of this session, if it is not yet, as it is now.

        Raises:
            SessionStateError: it runs in another session.
        """
        if agent._bound is not None and agent._session is self._session:
            return agent._bound
        if agent._session is not None:
            raise SessionStateError(f"agent {agent.id!r} runs in another session: make an agent for each session")
        number = self._keys[agent.id] = self._keys.get(agent.id, 0) + 1
        key = agent.id if number == 1 else f"{agent.id}#{number}"
        bound = self._made(agent, key)
        agent._session, agent._bound = self._session, bound
        self._agents[key] = agent
        return bound

    def revise(self, agent: Agent) -> SessionUserAgent | None:
        """The agent has been changed: as it is now, under its old key. None if it does not run here."""
        bound = agent._bound
        if bound is None or self._agents.get(bound.key) is not agent:
            return None
        agent._bound = self._made(agent, bound.key)
        return agent._bound

    def _made(self, agent: Agent, key: str) -> SessionUserAgent:
        if self._threads is None:
            raise SessionStateError("the session is not running; call start() first")
        return SessionUserAgent(agent, self._session, self._threads, key=key, components=self._components)

    def agent(self, key: str) -> Agent | None:
        """The user's object."""
        return self._agents.get(key)

    def remember(self, note: ContextNote) -> None:
        """Bring what an agent can read of its context up to date."""
        agent = self._agents.get(note.agent)
        if agent is not None and note.replaced:
            agent._chat_ctx = ChatContext(note.items)
        elif agent is not None:
            agent._chat_ctx.items.extend(note.items)
        waiting = self._waiting.pop(note.ticket, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def ticket(self) -> tuple[str, asyncio.Future[None]]:
        """A name for a change that is asked for, and what is done when it is."""
        name = f"change-{next(self._tickets)}"
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[name] = done
        return name, done

    def left(self, key: str) -> None:
        """An agent has left for good: it may run elsewhere, or here again."""
        agent = self._agents.pop(key, None)
        if agent is not None:
            agent._session = agent._bound = None

    def release(self) -> None:
        """The session is over."""
        for key in list(self._agents):
            self.left(key)
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_result(None)  # it holds for whatever session the agent runs in next
        self._waiting.clear()
