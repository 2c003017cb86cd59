"""The user's agent as the actors call it: its hooks and tools, with what they raise turned into results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from sessionactors.interfaces.tool_link import ToolLink
from sessionactors.interfaces.user_code import AgentComponents, ToolResult, TurnVerdict, UserAgent
from sessionactors.model.chat import ChatContext, ChatItem, ChatMessage, FunctionCall
from sessionactors.model.events import UserTurnExceededEvent
from sessionactors.model.instructions import Instructions
from sessionactors.model.tools import ToolDefinition, ToolRules

from .caller import ON_EXIT, calling
from .editable_message import EditableMessage
from .function_tool import StopResponse
from .on_enter import entering
from .steered_voice import with_steering
from .text_transforms import with_transforms
from .tool_call import ToolCaller
from .tool_handling import ReplyPromptArgs, rendered
from .tool_table import ToolTable
from .user_nodes import with_nodes
from .waits import keeping_busy

if TYPE_CHECKING:
    from sessionactors.runtime.threads import Threads

    from .agent import Agent
    from .agent_session import AgentSession

log = structlog.get_logger("sessionactors.session")


class SessionUserAgent(UserAgent):
    """Binds one agent to one session, as it is now."""

    def __init__(
        self,
        agent: Agent,
        session: AgentSession[object],
        threads: Callable[[], Threads],
        *,
        key: str,
        components: AgentComponents,
    ) -> None:
        self._agent = agent
        self._key = key
        self._initial = tuple(agent.chat_ctx.items)
        self.stock = components = with_steering(components, session._home_of)
        """The providers without the agent's own nodes."""
        self._instructions = agent.instructions
        self._overrides = agent._overrides
        self._session = session
        self._table = ToolTable(session._tools, agent, session._tool_handling)
        self._components = with_transforms(
            with_nodes(agent, components, self._table), session._options.own_transforms, session._home_of
        )
        self._caller = ToolCaller(agent, self._table, session, threads)

    @property
    def key(self) -> str:
        """The agent's id, with a number if several of the session have the same."""
        return self._key

    @property
    def id(self) -> str:
        """The agent's id."""
        return self._agent.id

    @property
    def instructions(self) -> Instructions | str:
        """The agent's instructions."""
        return self._instructions

    @property
    def tools(self) -> tuple[ToolDefinition, ...]:
        """Definitions of the session's tools and the agent's."""
        return self._table.definitions

    @property
    def rules(self) -> Mapping[str, ToolRules]:
        """Also of tools that the model is not told of, and can call by another."""
        return self._table.rules

    def rules_of(self, call: FunctionCall) -> ToolRules:
        """Of the tool that the call means, though another may carry it out, or the agent's node may have lent it."""
        return self._table.rules_of(call)

    @property
    def initial_items(self) -> tuple[ChatItem, ...]:
        """The agent's own conversation."""
        return self._initial

    def hears_as(self, before: SessionUserAgent) -> None:
        """A revision: what it hears with goes on, unless the user has given it something else."""
        if self.stock.stt is before.stock.stt:
            self._components = replace(self._components, stt=before._components.stt)

    @property
    def components(self) -> AgentComponents:
        """The agent's providers, and its own nodes where it has replaced the stock ones."""
        return self._components

    def deferred_instructions(self, call_ids: Sequence[str], *, at_tail: bool) -> str:
        """The template of agent or session."""
        templates = self._table.templates
        name = templates["reply_at_tail_template"] if at_tail else templates["reply_maybe_covered_template"]
        return rendered(name, ReplyPromptArgs(call_ids=list(call_ids)))

    async def set_up(self) -> None:
        """Set up the tool sets of session and agent, and follow their changes."""
        await self._session._toolsets.open("", self._table.session_toolsets)
        await self._session._toolsets.open(self._key, self._table.own_toolsets)
        self._table.refresh()
        self._table.listen(self._tools_unusable)

    async def release(self) -> None:
        """Close the agent's own tool sets, but for those that another agent has, too."""
        await self._session._toolsets.close(self._key)

    def _tools_unusable(self, error: Exception) -> None:
        log.error("tools_unchanged", agent=self.id, error=repr(error))

    @property
    def overrides(self) -> Mapping[str, object]:
        """The agent's own options."""
        return self._overrides

    async def on_enter(self) -> None:
        """The agent's hook."""
        inside = calling(self._session, self._key, "on_enter")
        with self._session._mirror.entering(self._key), inside, entering(because=True):
            await self._agent.on_enter()

    async def on_exit(self) -> None:
        """The agent's hook."""
        with calling(self._session, self._key, ON_EXIT):
            await self._agent.on_exit()

    async def on_user_turn_exceeded(self, event: UserTurnExceededEvent) -> None:
        """The agent's hook."""
        await self._agent.on_user_turn_exceeded(event)

    async def on_user_turn_completed(self, chat_ctx: ChatContext, message: ChatMessage) -> TurnVerdict:
        """The agent's hook; a changed context is for this reply only."""
        before = list(chat_ctx.items)
        draft = EditableMessage(message)
        try:
            with keeping_busy(self._session, "on_user_turn_completed()"):
                await self._agent.on_user_turn_completed(chat_ctx, draft)
        except StopResponse:
            return TurnVerdict(reply=False, message=message)
        edited = chat_ctx.items != before
        return TurnVerdict(reply=True, message=draft.as_value(), chat_items=tuple(chat_ctx.items) if edited else None)

    async def run_tool(self, call: FunctionCall, link: ToolLink) -> ToolResult:
        """Run one tool call."""
        with calling(self._session, self._key, f"tool {call.name!r}", link):
            return await self._caller.run(call, link)
