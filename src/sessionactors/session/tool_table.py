"""The tools an agent has in a session, by name: the session's first, then its own, those of sets too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from sessionactors.model.tools import ABOUT_TASKS, ToolDefinition, ToolFlag

from .function_tool import CallableTool
from .tool import AnyTool, Offered, Tool, Toolset, check_tools, flattened, toolsets
from .tool_handling import AsyncToolOptions, ToolHandlingOptions, resolved

if TYPE_CHECKING:
    from .agent import Agent

AnyCallable: TypeAlias = CallableTool[..., object]


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
        self._tools: Mapping[str, Tool] = {}
        self._lent: dict[str, AnyCallable] = {}
        self._templates: Mapping[str, AsyncToolOptions] = {}
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
        session, agent = self._handling
        self._tools = {offered.tool.id: offered.tool for offered in found}
        self._templates = {offered.tool.id: resolved(session, agent, offered.handling) for offered in found}
        self._definitions = (*map(_as_offered, found), *_about_tasks(found))

    @property
    def definitions(self) -> tuple[ToolDefinition, ...]:
        """What the model is told."""
        return self._definitions

    def lend(self, call_id: str, tool: AnyCallable) -> None:
        """For one call: the agent's own ``llm_node`` offered this tool, which the agent may not have."""
        if self._tools.get(tool.name) is not tool:
            self._lent[call_id] = tool

    def called(self, call_id: str, name: str) -> AnyCallable | None:
        """The tool that a call means."""
        return self._lent.pop(call_id, None) or self.callable(name)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the tools that can be called here."""
        return tuple(name for name, tool in self._tools.items() if isinstance(tool, CallableTool))

    def callable(self, name: str) -> AnyCallable | None:
        """The tool of this name, if there is one that is called here."""
        tool = self._tools.get(name)
        return tool if isinstance(tool, CallableTool) else None

    def templates(self, name: str) -> AsyncToolOptions:
        """The words in which a model is told of this tool."""
        return self._templates.get(name) or resolved(*self._handling)

    @property
    def toolsets(self) -> tuple[Toolset, ...]:
        """All sets."""
        return toolsets((*self._session_tools, *self._agent.tools))

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
    definition = offered.tool.definition
    return replace(definition, rules=replace(definition.rules, outlives_agent=offered.outlives_agent))


def _about_tasks(found: Iterable[Offered]) -> tuple[ToolDefinition, ...]:
    """The tools with which a model looks at running calls and cancels them, if there are calls to cancel."""
    cancellable = any(ToolFlag.CANCELLABLE in offered.tool.definition.rules.flags for offered in found)
    return ABOUT_TASKS if cancellable else ()
