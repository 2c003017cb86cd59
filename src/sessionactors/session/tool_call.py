"""One tool call on the user's loop: arguments in, a result for the model out, whatever the tool does."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, cast

import pydantic
import structlog

from sessionactors.interfaces.llm import FunctionToolCall
from sessionactors.interfaces.user_code import ToolResult
from sessionactors.model.chat import FunctionCall
from sessionactors.model.tool_arguments import ArgumentsUnreadable, read_arguments

from .function_tool import StopResponse, ToolError
from .mock_tools import call_mock, mock_of
from .run_context import RunContext
from .tool_signature import ToolArguments
from .tool_table import AnyCallable, ToolTable
from .waits import CURRENT_TOOL, RunningTool

if TYPE_CHECKING:
    from sessionactors.runtime.threads import Threads

    from .agent import Agent
    from .agent_session import AgentSession

log = structlog.get_logger("sessionactors.session")

INTERNAL_ERROR = "An internal error occurred"
"""What the model is told when a tool raised something else than ToolError: details are for the log, not for callers."""


class ToolCaller:
    """Runs the calls of one agent's tools."""

    def __init__(
        self, agent: Agent, table: ToolTable, session: AgentSession[object], threads: Callable[[], Threads]
    ) -> None:
        self._agent = agent
        self._table = table
        self._session = session
        self._threads = threads

    async def run(self, call: FunctionToolCall, *, speech_id: str, room: str) -> ToolResult:
        """Run one call. Raises only when it is cancelled."""
        tool = self._table.callable(call.name)
        if tool is None:
            known = ", ".join(self._table.names) or "none"
            return ToolResult(f"Unknown tool {call.name!r}. Available tools: {known}", is_error=True)
        try:
            arguments = tool.parse(read_arguments(call.arguments))
        except pydantic.ValidationError as error:
            return ToolResult(f"Wrong arguments for tool {call.name!r}: {_explain(error)}", is_error=True)
        except ArgumentsUnreadable as error:
            return ToolResult(f"Wrong arguments for tool {call.name!r}: {error}", is_error=True)
        except Exception as error:  # noqa: BLE001  # a validator of the user's own
            return _internal(error, call)
        context: RunContext[object] = RunContext(
            self._session,
            self._session._handle_of(speech_id),
            FunctionCall(call.call_id, call.name, call.arguments),
        )
        inside = CURRENT_TOOL.set(RunningTool(call.call_id, call.name, speech_id))
        try:
            value = await self._value(tool, arguments, context, room)
        except ToolError as error:
            return ToolResult(error.message, is_error=True)
        except StopResponse:
            return ToolResult("", reply_required=False)
        except Exception as error:  # noqa: BLE001
            return _internal(error, call)
        finally:
            CURRENT_TOOL.reset(inside)
            self._session._waits.tool_ended(call.call_id)
        return result_of(call.name, value)

    async def _value(
        self, tool: AnyCallable, arguments: ToolArguments, context: RunContext[object], room: str
    ) -> object:
        mock = mock_of(self._agent, self._session, tool.name)
        if mock is not None:
            return await call_mock(mock, arguments, context)
        if tool.is_async:
            return await cast("Awaitable[object]", tool.invoke(arguments, context))
        return await self._threads().run(f"{room}/tools/{tool.name}", lambda: tool.invoke(arguments, context))


def _internal(error: Exception, call: FunctionToolCall) -> ToolResult:
    log.error("tool_failed", tool=call.name, call_id=call.call_id, error=repr(error), exc_info=error)
    return ToolResult(INTERNAL_ERROR, is_error=True)


def _explain(error: pydantic.ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc']) or 'arguments'}: {problem['msg']}"
        for problem in error.errors(include_url=False)
    )


def result_of(tool: str, value: object) -> ToolResult:
    """A returned value as text; None needs no reply."""
    if value is None:
        return ToolResult("", reply_required=False)
    if isinstance(value, str):
        return ToolResult(value)
    if isinstance(value, pydantic.BaseModel):
        return ToolResult(value.model_dump_json())
    try:
        return ToolResult(json.dumps(value, ensure_ascii=False, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        log.error("tool_returned_invalid", tool=tool, type=type(value).__name__, error=repr(error))  # noqa: TRY400
        return ToolResult(
            f"The tool returned an invalid output ({type(value).__name__}): return text, numbers, lists or dicts",
            is_error=True,
        )
