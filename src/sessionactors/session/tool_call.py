"""One tool call on the user's loop: arguments in, a result for the model out, whatever the tool does."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pydantic
import structlog

from sessionactors.interfaces.tool_link import ToolLink
from sessionactors.interfaces.user_code import ToolResult
from sessionactors.model.chat import FunctionCall
from sessionactors.model.errors import SessionActorsError
from sessionactors.model.tool_arguments import ArgumentsUnreadable
from sessionactors.model.tools import CONFIRM_DUPLICATE_PARAM, ToolFlag

from .agent import Agent
from .function_tool import StopResponse, ToolError
from .mock_tools import call_mock, mock_of
from .on_enter import entering
from .run_context import RunContext
from .tool import ToolNotFound
from .tool_handling import duplicate_args, rendered
from .tool_signature import ToolArguments
from .tool_table import AnyCallable, Meant, ToolTable
from .waits import CURRENT_TOOL, RunningTool

if TYPE_CHECKING:
    from sessionactors.runtime.threads import Threads

    from .agent_session import AgentSession

log = structlog.get_logger("sessionactors.session")

INTERNAL_ERROR = "An internal error occurred"
"""What the model is told when a tool raised something else than ToolError: details are for the log, not for callers."""
DENIED = "The call was not approved."


class ToolCaller:
    """Runs the calls of one agent's tools."""

    def __init__(
        self, agent: Agent, table: ToolTable, session: AgentSession[object], threads: Callable[[], Threads]
    ) -> None:
        self._agent = agent
        self._table = table
        self._session = session
        self._threads = threads

    async def run(self, call: FunctionCall, link: ToolLink) -> ToolResult:
        """Run one call.

        Raises:
            CallSuperseded: its reply was cut off before it began.
        """
        try:
            meant = self._table.meant(call)
        except ToolNotFound as error:
            return ToolResult(str(error), is_error=True)
        except ArgumentsUnreadable as error:
            return ToolResult(f"Wrong arguments for tool {call.name!r}: {error}", is_error=True)
        finally:
            self._table.over(call.call_id)
        try:
            arguments = meant.tool.parse(meant.arguments)
            refusal = await self._refusal(meant, call, arguments, link)
        except pydantic.ValidationError as error:
            return ToolResult(f"Wrong arguments for tool {meant.tool.name!r}: {_explain(error)}", is_error=True)
        except Exception as error:  # noqa: BLE001  # a validator, a policy or a template of the user's own
            return _internal(error, call)
        if refusal is not None:
            return refusal
        context: RunContext[object] = RunContext(
            self._session,
            self._session._handle_of(link.speech_id),
            call,
            link=link,
            templates=meant.templates,
        )
        self._session._waits.tool_began(call.call_id)
        inside = CURRENT_TOOL.set(RunningTool(call.call_id, call.name, link.speech_id))
        try:
            await link.begin()
            with entering(link.on_enter):
                value = await self._value(meant.tool, arguments, context, link.room)
        except ToolError as error:
            return ToolResult(error.message, is_error=True)
        except StopResponse:
            return ToolResult("", reply_required=False)
        except Exception as error:  # noqa: BLE001
            return _internal(error, call)
        finally:
            context._over()
            CURRENT_TOOL.reset(inside)
            self._session._waits.let_go(call.call_id)
        return self._result(call.name, value)

    def _result(self, tool: str, value: object) -> ToolResult:
        """What the tool returned, agents taken out."""
        agents, rest = agents_in(value)
        if not agents:
            return result_of(tool, value)
        if len(agents) > 1:
            names = ", ".join(agent.id for agent in agents)
            return ToolResult(f"The tool returned several agents ({names}): return one at most", is_error=True)
        try:
            bound = self._session._hand_over_to(agents[0])
        except SessionActorsError as error:
            return ToolResult(f"There was no handoff: {error}", is_error=True)
        return replace(result_of(tool, rest), agent=bound)

    async def _refusal(
        self,
        meant: Meant,
        call: FunctionCall,
        arguments: ToolArguments,
        link: ToolLink,
    ) -> ToolResult | None:
        """Why the call may not run, if it may not: because of others of its tool, or since nobody approved it."""
        tool, rules = meant.tool, meant.rules
        if link.on_enter and tool.name != call.name and ToolFlag.IGNORE_ON_ENTER in rules.flags:
            return ToolResult(f"Tool {tool.name!r} cannot be called yet.", is_error=True)
        if rules.on_duplicate != "allow":
            confirmed = bool(meant.arguments.get(CONFIRM_DUPLICATE_PARAM, False))
            entry = await link.enter(tool.name, arguments.canonical, confirmed=confirmed)
            templates, args = meant.templates, duplicate_args(tool.name, entry.running)
            match entry.verdict:
                case "reject":
                    return ToolResult(rendered(templates["duplicate_reject_template"], args))
                case "confirm":
                    return ToolResult(rendered(templates["duplicate_confirm_template"], args))
                case "stuck":
                    return ToolResult(
                        f"Not started: {tool.name!r} runs already and cannot be cancelled.\n{args['fnc_calls_text']}",
                        is_error=True,
                    )
                case "run":
                    pass
        if await tool.needs_approval(call):
            approval = await link.approval()
            if not approval.approved:
                return ToolResult(f"{DENIED} {approval.reason}".strip(), is_error=True)
        return None

    async def _value(
        self, tool: AnyCallable, arguments: ToolArguments, context: RunContext[object], room: str
    ) -> object:
        mock = mock_of(self._agent, self._session, tool.name)
        if mock is not None:
            return await call_mock(mock, arguments, context)
        if tool.is_async:
            return await cast("Awaitable[object]", tool.invoke(arguments, context))
        return await self._threads().run(f"{room}/tools/{tool.name}", lambda: tool.invoke(arguments, context))


def _internal(error: Exception, call: FunctionCall) -> ToolResult:
    log.error("tool_failed", tool=call.name, call_id=call.call_id, error=repr(error), exc_info=error)
    return ToolResult(INTERNAL_ERROR, is_error=True)


def _explain(error: pydantic.ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc']) or 'arguments'}: {problem['msg']}"
        for problem in error.errors(include_url=False)
    )


def agents_in(value: object) -> tuple[list[Agent], object]:
    """The agents that a tool returned, alone or in a list or tuple, and what else it returned."""
    if isinstance(value, Agent):
        return [value], None
    if not isinstance(value, list | tuple):
        return [], value
    rest = [part for part in value if not isinstance(part, Agent)]
    agents = [part for part in value if isinstance(part, Agent)]
    return agents, rest[0] if len(rest) == 1 else (rest or None)


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
