"""The agents of a session: who is in charge, who takes over, and what the user changes in them."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from typing import TYPE_CHECKING

from sessionactors.interfaces.home import Home
from sessionactors.interfaces.realtime import AnyModel, RealtimeModel, RealtimeSession
from sessionactors.messages.agent import HandOver, ReviseAgent, RewriteContext, TaskAwaited, TaskEnded
from sessionactors.model.chat import AgentConfigUpdate, ChatContext
from sessionactors.model.errors import SessionStateError

from .agent import Agent
from .prewarming import prewarm
from .realtime_access import HeldRealtimeSession
from .room_io import RoomIO
from .session_link import SessionLink, Userdata_T
from .tool import check_tools

if TYPE_CHECKING:
    from .agent_task import AgentTask
    from .caller import Caller
    from .user_code import SessionUserAgent


class AgentsOfSession(SessionLink[Userdata_T]):
    """Commands about agents."""

    def update_agent(self, agent: Agent) -> None:
        """Let another agent take over. :attr:`current_agent` is the new one at once.

        The old one runs ``on_exit`` and is heard to its end; what the user says meanwhile, the new one answers.

        Raises:
            SessionStateError: the session is not running or is closing, or the agent runs in another session.
            DuplicateToolError: the agent has a tool of the name of one of the session.
        """
        _, wiring = self._listening("update_agent()")
        if self._close_asked:
            raise SessionStateError(f"update_agent(): the session is closing; {agent.id!r} cannot take over any more")
        bound = self._hand_over_to(agent)
        self._agent = agent
        wiring.agent.tell(HandOver(bound))

    def _hand_over_to(self, agent: Agent) -> SessionUserAgent:
        """An agent is to take over: make it one of this session. A run is not over before it has entered."""
        check_tools((*self._tools, *agent.tools), f"agent {agent.id!r}, with the tools of its session,")
        bound = self._roster.bind(agent)
        self._mirror.handoff_begins(bound.key)
        prewarm(bound.stock, {home: self._home_of(home) for home in Home})
        return bound

    def _home_of(self, home: Home) -> asyncio.AbstractEventLoop:
        """The loop on which a provider of this home is called."""
        return self._loop if home is Home.USER or self._system is None else self._system.loop

    def _realtime_session(self, agent: Agent) -> RealtimeSession:
        model, held = None if agent._bound is None else agent._bound.components.llm, self._mirror.realtime
        if not isinstance(model, RealtimeModel):
            raise SessionStateError(f"agent {agent.id!r} has no realtime session: its model is {_named(model)}")
        if not isinstance(held, RealtimeSession):
            raise SessionStateError(f"the realtime session of agent {agent.id!r} is not open: {model.label} is linked")
        return HeldRealtimeSession(held, self._home_of(model.home))

    @property
    def room_io(self) -> RoomIO:
        """The session's link to its room.

        Raises:
            SessionStateError: it does not run, or was started without a room.
        """
        _, wiring = self._live("room_io")
        transport = wiring.components.transport
        if transport is None:
            raise SessionStateError("room_io: the session was started without a room: start(..., room=...)")
        return RoomIO(transport, wiring, self._mirror, self._home_of(transport.home))

    # -- for agents --------------------------------------------------------------------------------------------------

    async def _revise(self, agent: Agent, change: AgentConfigUpdate) -> None:
        """The user has changed an agent: from its next request on it is so."""
        bound = self._roster.revise(agent)
        if bound is None or self._root is None:
            return
        if change.tools_added or change.tools_removed:
            await bound.set_up()
        _, wiring = self._live("update_instructions() or update_tools()")
        ticket, done = self._roster.ticket()
        wiring.agent.tell(ReviseAgent(bound, change, ticket))
        await done

    def _swap_components(self, agent: Agent) -> None:
        """The user has given an agent other components: from its next request on it uses them."""
        bound = self._roster.revise(agent)
        if bound is not None and self._wiring is not None and self._root is not None:
            self._wiring.agent.tell(ReviseAgent(bound, None, ""))

    async def _rewrite_context(self, agent: Agent, chat_ctx: ChatContext) -> None:
        """The user gives an agent another context."""
        bound = agent._bound
        if bound is None or self._root is None:
            return
        _, wiring = self._live("update_chat_ctx()")
        ticket, done = self._roster.ticket()
        wiring.agent.tell(RewriteContext(bound.key, tuple(chat_ctx.items), ticket))
        await done

    async def _run_task(self, task: AgentTask[object], caller: Caller) -> str:
        """Let a task take over until it ends. Gives why it ended, if that was not its own doing."""
        _, wiring = self._live(f"await {task.id}")
        check_tools((*self._tools, *task.tools), f"task {task.id!r}, with the tools of its session,")
        bound = self._roster.bind(task)
        self._mirror.handoff_begins(bound.key)
        task._key = bound.key
        done = self._roster.wait_for(bound.key)
        caller.when_over(lambda: task._abandon(f"{caller.what} returned before task {task.id!r} had ended"))
        wiring.agent.tell(TaskAwaited(bound, caller.agent, caller.speech))
        async with nullcontext() if caller.link is None else caller.link.awaiting_task():
            with self._waits.waiting_for(f"task {bound.key}"):
                return await done

    def _end_task(self, key: str, *, with_calls: bool, cut: bool, result: object) -> None:
        """A task has ended by itself."""
        if self._mirror.run is not None:
            self._mirror.run.put_output(result)
        if self._wiring is not None and self._root is not None:
            self._wiring.agent.tell(TaskEnded(key, with_calls, cut))


def _named(model: AnyModel | None) -> str:
    return "none" if model is None else repr(model.label)
