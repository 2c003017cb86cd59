"""The agents of a session: who is in charge, and what the user changes in them."""

from __future__ import annotations

from sessionactors.messages.agent import ReviseAgent, RewriteContext
from sessionactors.model.chat import AgentConfigUpdate, ChatContext

from .agent import Agent
from .session_link import SessionLink, Userdata_T


class AgentsOfSession(SessionLink[Userdata_T]):
    """Commands about agents."""

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

    async def _rewrite_context(self, agent: Agent, chat_ctx: ChatContext) -> None:
        """The user gives an agent another context."""
        bound = agent._bound
        if bound is None or self._root is None:
            return
        _, wiring = self._live("update_chat_ctx()")
        ticket, done = self._roster.ticket()
        wiring.agent.tell(RewriteContext(bound.key, tuple(chat_ctx.items), ticket))
        await done
