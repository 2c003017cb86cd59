"""Agents that do what a plan says: slow, failing and irreversible tools, handoffs, tasks, hooks that raise."""

from __future__ import annotations

import asyncio

from sessionactors import StopResponse, ToolError, ToolFlag, function_tool
from sessionactors.model.chat import ChatContext, ChatMessage
from sessionactors.session.agent import Agent
from sessionactors.session.agent_task import AgentTask
from sessionactors.session.run_context import RunContext
from sessionactors.session.tool import Tool

from .conversation import AgentPlan, ToolPlan

KINDS = {"plain": ToolFlag.NONE, "cancellable": ToolFlag.CANCELLABLE, "irreversible": ToolFlag.IRREVERSIBLE}


class PlannedFault(ValueError):
    """What hooks and tools raise when their plan says so."""


class PlannedAgent(Agent):
    """Follows its plan."""

    def __init__(self, plan: AgentPlan, name: str = "planned") -> None:
        super().__init__(instructions="Be kind.", id=name, tools=[_tool(tool) for tool in plan.tools])
        self._plan = plan

    async def on_enter(self) -> None:
        """Says something, asks for a reply, or fails."""
        match self._plan.enters:
            case "says":
                _ = self.session.say("Here I am.")
            case "replies":
                _ = self.session.generate_reply()
            case "raises":
                raise PlannedFault("on_enter")
            case _:
                pass

    async def on_exit(self) -> None:
        """Says goodbye, or fails."""
        if self._plan.exits == "says":
            _ = await self.session.say("Goodbye.")
        elif self._plan.exits == "raises":
            raise PlannedFault("on_exit")

    async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
        """Wants no reply, fails, or takes its time."""
        match self._plan.listens:
            case "stops":
                raise StopResponse
            case "raises":
                raise PlannedFault("on_user_turn_completed")
            case "slow":
                await asyncio.sleep(0.6)
            case _:
                pass


class PlannedTask(AgentTask[str]):
    """Asks, and is content after a while."""

    def __init__(self) -> None:
        super().__init__(instructions="Find it out.")

    async def on_enter(self) -> None:
        """The answer comes by itself."""
        _ = self.session.say("What is it?")
        await asyncio.sleep(0.8)
        if not self.done():
            self.complete("found out")


def planned(plan: AgentPlan, name: str = "planned") -> Agent:
    """An agent of this plan."""
    return PlannedAgent(plan, name)


def _tool(plan: ToolPlan) -> Tool:
    async def run(context: RunContext[object]) -> object:
        """Does what it is made for."""
        await asyncio.sleep(plan.takes)
        return await _act(plan, context)

    made: Tool = function_tool(run, name=plan.name, flags=KINDS[plan.kind])
    return made


async def _act(plan: ToolPlan, context: RunContext[object]) -> object:
    match plan.does:
        case "fails":
            raise PlannedFault(plan.name)
        case "refuses":
            raise ToolError("not today")
        case "talks":
            _ = context.session.say("Let me say something.")
        case "hands over":
            return PlannedAgent(AgentPlan(enters="says"), f"after-{plan.name}")
        case "asks":
            return await PlannedTask()
        case "cuts":
            _ = context.session.interrupt(force=True)
        case _:
            pass
    return "done"
