"""The tools an agent has in a session, by name: the session's first, then its own, those of sets too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias, cast

from sessionactors.model.chat import FunctionCall
from sessionactors.model.tool_arguments import ArgumentsUnreadable, read_arguments
from sessionactors.model.tools import ABOUT_TASKS, ANY_TOOL, JsonValue, ToolDefinition, ToolFlag, ToolRules

from .function_tool import CallableTool
from .tool import AnyTool, Offered, StandIn, ToolNotFound, Toolset, check_tools, flattened, put_aside, toolsets
from .tool_handling import AsyncToolOptions, ToolHandlingOptions, resolved

if TYPE_CHECKING:
    from .agent import Agent

AnyCallable: TypeAlias = CallableTool[..., object]


@dataclass(frozen=True, slots=True)
class Meant:
    """What a call means."""

    tool: AnyCallable
    arguments: dict[str, JsonValue]
    rules: ToolRules
    templates: AsyncToolOptions
    """The words in which a model is told of the tool."""


class ToolTable:
    """What an agent's model is offered. Read by the actors; what it holds is replaced as a whole, never edited.

    Args:
        session_tools: tools of the session; they come first and survive handoffs.
        agent: whose tools follow.
        session_handling: the session's words for what a model is told of tools.

    Raises:
        DuplicateToolError: a tool of the agent has the name of one of the session.
    """

    def __init__(
        self, session_tools: Iterable[AnyTool], agent: Agent, session_handling: ToolHandlingOptions | None = None
    ) -> None:
        self._session_tools = tuple(session_tools)
        self._agent = agent
        self._handling = session_handling, agent._tool_handling
        self._tools: Mapping[str, Offered] = {}
        self._aside: Mapping[str, Offered] = {}
        self._behind: Mapping[str, Mapping[str, Offered]] = {}
        self._lent: dict[str, AnyCallable] = {}
        self._definitions: tuple[ToolDefinition, ...] = ()
        self.refresh()

    def refresh(self) -> None:
        """On the user's loop: look at the tools anew, since a set has changed.

        Raises:
            DuplicateToolError: there are two of one name now; what was before stays.
        """
        given = (*self._session_tools, *self._agent.tools)
        check_tools(given, f"agent {self._agent.id!r}, with the tools of its session,")
        found = [
            *flattened(self._session_tools, outlives_agent=True),
            *flattened(self._agent.tools),
        ]
        aside = [*put_aside(self._session_tools, outlives_agent=True), *put_aside(self._agent.tools)]
        self._tools = {offered.tool.id: offered for offered in found}
        self._aside = {offered.tool.id: offered for offered in aside}
        self._behind = {
            offered.tool.id: {other.tool.id: other for other in offered.tool.behind}
            for offered in found
            if isinstance(offered.tool, StandIn)
        }
        all_behind = [other for behind in self._behind.values() for other in behind.values()]
        self._definitions = (*map(_as_offered, found), *_about_tasks([*found, *all_behind]))

    @property
    def definitions(self) -> tuple[ToolDefinition, ...]:
        """What the model is told."""
        return self._definitions

    def lend(self, call_id: str, tool: AnyCallable) -> None:
        """For one call: the agent's own ``llm_node`` offered this tool, which the agent may not have."""
        if self.callable(tool.name) is not tool:
            self._lent[call_id] = tool

    def meant(self, call: FunctionCall) -> Meant:
        """What a call means.

        Raises:
            ToolNotFound: there is no such tool; the text is for the model.
            ArgumentsUnreadable: its arguments are no JSON object.
        """
        found = self._found(call)
        if found is None:
            known = ", ".join(self.names) or "none"
            raise ToolNotFound(f"Unknown tool {call.name!r}. Available tools: {known}")
        arguments = read_arguments(call.arguments)
        if isinstance(found.tool, StandIn):
            name, arguments = found.tool.meant(arguments)
            other = self._behind[found.tool.id].get(name)
            if other is None:
                raise ToolNotFound(f"Unknown tool {name!r}: {call.name} calls those that tool_search finds.")
            found = replace(
                other,
                outlives_agent=other.outlives_agent or found.outlives_agent,
                handling=other.handling or found.handling,
            )
        return Meant(cast("AnyCallable", found.tool), arguments, found.rules, resolved(*self._handling, found.handling))

    def rules_of(self, call: FunctionCall) -> ToolRules:
        """How a call is treated; as any, if there is no such tool."""
        try:
            return self.meant(call).rules
        except (ToolNotFound, ArgumentsUnreadable):
            found = self._found(call)
            return ANY_TOOL if found is None else found.rules

    @property
    def rules(self) -> Mapping[str, ToolRules]:
        """How calls are treated, by the names of the tools."""
        offered = {**self._aside, **self._tools}
        return {name: each.rules for name, each in offered.items() if isinstance(each.tool, CallableTool)}

    def over(self, call_id: str) -> None:
        """A call is over: what was lent for it is not needed any more."""
        self._lent.pop(call_id, None)

    def _found(self, call: FunctionCall) -> Offered | None:
        lent = self._lent.get(call.call_id)
        if lent is not None:
            return Offered(lent, outlives_agent=False, handling=None)
        found = self._tools.get(call.name) or self._aside.get(call.name)
        return found if found is not None and isinstance(found.tool, CallableTool) else None

    @property
    def names(self) -> tuple[str, ...]:
        """Of the tools that can be called here."""
        return tuple(name for name, offered in self._tools.items() if isinstance(offered.tool, CallableTool))

    def callable(self, name: str) -> AnyCallable | None:
        """The tool of this name, if it is offered and called here."""
        offered = self._tools.get(name)
        return offered.tool if offered is not None and isinstance(offered.tool, CallableTool) else None

    @property
    def templates(self) -> AsyncToolOptions:
        """The words in which a model is told of tools in general."""
        return resolved(*self._handling)

    @property
    def toolsets(self) -> tuple[Toolset, ...]:
        """All sets."""
        return toolsets((*self._session_tools, *self._agent.tools))

    @property
    def session_toolsets(self) -> tuple[Toolset, ...]:
        """Those of the session, which are closed with it."""
        return toolsets(self._session_tools)

    @property
    def own_toolsets(self) -> tuple[Toolset, ...]:
        """The agent's sets; those of the session are the session's to set up and close."""
        return toolsets(self._agent.tools)

    def listen(self, failed: Callable[[Exception], None]) -> None:
        """Follow the changes of all sets; ``failed`` is told why a change cannot be followed."""

        def changed() -> None:
            try:
                self.refresh()
            except Exception as error:  # noqa: BLE001  # it comes from a connection: nobody above can handle it
                failed(error)

        for toolset in self.toolsets:
            toolset.when_changed(changed)


def _as_offered(offered: Offered) -> ToolDefinition:
    return replace(offered.tool.definition, rules=offered.rules)


def _about_tasks(found: Iterable[Offered]) -> tuple[ToolDefinition, ...]:
    """The tools with which a model looks at running calls and cancels them, if there are calls to cancel."""
    cancellable = any(ToolFlag.CANCELLABLE in offered.rules.flags for offered in found)
    return ABOUT_TASKS if cancellable else ()
