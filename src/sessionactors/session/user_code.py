"""The user's agent as the actors call it: its hooks and tools, with what they raise turned into results."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, cast

import pydantic
import structlog

from sessionactors.interfaces.llm import FunctionToolCall
from sessionactors.interfaces.user_code import AgentComponents, ToolResult, TurnVerdict, UserAgent
from sessionactors.model.chat import ChatContext, ChatItem, ChatMessage, FunctionCall
from sessionactors.model.tools import ToolDefinition

from .function_tool import FunctionTool, StopResponse, ToolError
from .run_context import RunContext
from .waits import CURRENT_TOOL, RunningTool

if TYPE_CHECKING:
    from sessionactors.runtime.threads import Threads

    from .agent import Agent
    from .agent_session import AgentSession

log = structlog.get_logger("sessionactors.session")

INTERNAL_ERROR = "An internal error occurred"
"""What the model is told when a tool raised something else than ToolError: details are for the log, not for callers."""


class SessionUserAgent(UserAgent):
    """Binds one agent to one session, as it is now."""

    def __init__(
        self,
        agent: Agent,
        session: AgentSession[object],
        threads: Callable[[], Threads],
        *,
        components: AgentComponents,
    ) -> None:
        self._agent = agent
        self._components = components
        self._instructions = agent.instructions
        self._session = session
        self._threads = threads
        self._by_name = {tool.name: tool for tool in agent.tools}

    @property
    def id(self) -> str:
        """The agent's id."""
        return self._agent.id

    @property
    def instructions(self) -> str:
        """The agent's instructions."""
        return self._instructions

    @property
    def tools(self) -> tuple[ToolDefinition, ...]:
        """Definitions of the agent's tools."""
        return tuple(tool.definition for tool in self._by_name.values())

    @property
    def initial_items(self) -> tuple[ChatItem, ...]:
        """The agent's own conversation."""
        return tuple(self._agent.chat_ctx.items)

    @property
    def components(self) -> AgentComponents:
        """The agent's providers."""
        return self._components

    async def on_enter(self) -> None:
        """The agent's hook."""
        await self._agent.on_enter()

    async def on_exit(self) -> None:
        """The agent's hook."""
        await self._agent.on_exit()

    async def on_user_turn_completed(self, chat_ctx: ChatContext, message: ChatMessage) -> TurnVerdict:
        """The agent's hook; a changed context is for this reply only."""
        before = list(chat_ctx.items)
        try:
            await self._agent.on_user_turn_completed(chat_ctx, message)
        except StopResponse:
            return TurnVerdict(reply=False, message=message)
        edited = chat_ctx.items != before
        return TurnVerdict(reply=True, message=message, chat_items=tuple(chat_ctx.items) if edited else None)

    async def run_tool(self, call: FunctionToolCall, *, speech_id: str, room: str) -> ToolResult:
        """Run one tool call."""
        tool = self._by_name.get(call.name)
        if tool is None:
            known = ", ".join(self._by_name) or "none"
            return ToolResult(f"Unknown tool {call.name!r}. Available tools: {known}", is_error=True)
        try:
            arguments = tool.parse(call.arguments)
        except pydantic.ValidationError as error:
            return ToolResult(f"Wrong arguments for tool {call.name!r}: {_explain(error)}", is_error=True)
        context: RunContext[object] = RunContext(
            self._session,
            self._session._handle_of(speech_id),
            FunctionCall(call.call_id, call.name, call.arguments),
        )
        inside = CURRENT_TOOL.set(RunningTool(call.call_id, call.name, speech_id))
        try:
            value = tool.invoke(arguments, context) if tool.is_async else None
            if tool.is_async:
                value = await cast("Awaitable[object]", value)
            else:
                name = f"{room}/tools/{call.name}"
                value = await self._threads().run(name, lambda: tool.invoke(arguments, context))
        except ToolError as error:
            return ToolResult(error.message, is_error=True)
        except StopResponse:
            return ToolResult("", reply_required=False)
        except Exception as error:
            log.exception("tool_failed", tool=call.name, call_id=call.call_id, error=repr(error))
            return ToolResult(INTERNAL_ERROR, is_error=True)
        finally:
            CURRENT_TOOL.reset(inside)
            self._session._waits.tool_ended(call.call_id)
        return _result_of(tool, value)


def _explain(error: pydantic.ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc']) or 'arguments'}: {problem['msg']}"
        for problem in error.errors(include_url=False)
    )


def _result_of(tool: FunctionTool[..., object], value: object) -> ToolResult:
    """A returned value as text; None needs no reply."""
    if value is None:
        return ToolResult("", reply_required=False)
    if isinstance(value, str):
        return ToolResult(value)
    if isinstance(value, pydantic.BaseModel):
        return ToolResult(value.model_dump_json())
    try:
        return ToolResult(json.dumps(value, ensure_ascii=False))
    except TypeError:
        log.exception("tool_returned_invalid", tool=tool.name, type=type(value).__name__)
        return ToolResult(
            f"The tool returned an invalid output ({type(value).__name__}): return text, numbers, lists or dicts",
            is_error=True,
        )
