"""``ToolProxyToolset``: many tools behind two that never change: one finds, one calls."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from sessionactors.model.errors import ToolDefinitionError
from sessionactors.model.sentinel import NOT_GIVEN, NotGivenOr, given
from sessionactors.model.tool_arguments import read_arguments
from sessionactors.model.tools import JsonValue, ToolRules

from .function_tool import CallableTool, RawFunctionTool
from .run_context import RunContext
from .tool import Offered, StandIn, Tool, ToolNotFound, Toolset, flattened
from .tool_ranking import SearchStrategy
from .tool_search import ToolSearchToolset

SEARCH_DESCRIPTION = (
    "Finds tools by what they do, and gives their names and the schemas of their parameters. call_tool calls them. Use "
    "it before you say that you cannot do something."
)
CALL_DESCRIPTION = "Calls a tool that tool_search has found, with parameters that fit its schema."


class ToolProxyToolset(ToolSearchToolset):
    """Offers two tools whatever is behind them: ``tool_search`` tells of those that fit, ``call_tool`` calls one.

    What a model is offered never changes, so that its provider's cache of the prompt holds. A call by ``call_tool`` is
    treated as one of the tool that it names: arguments, ``timeout``, approval, duplicates, ``IRREVERSIBLE`` and mocks.

    Args:
        id: names the set.
        tools: what can be found and called: functions, and sets of them, which are set up and closed with this one.
        max_results: the most tools that one search tells of, > 0.
        search_strategy: what finds them; :class:`.BM25SearchStrategy` if not given.
        search_description: what the model is told of ``tool_search``.
        query_description: what the model is told of its one parameter.
        call_description: what the model is told of ``call_tool``.

    Raises:
        ToolDefinitionError: ``max_results`` is not positive, or a tool is one that its provider runs.
    """

    def __init__(
        self,
        *,
        id: str,
        tools: Sequence[Tool | Toolset] = (),
        max_results: int = 5,
        search_strategy: NotGivenOr[SearchStrategy] = NOT_GIVEN,
        search_description: NotGivenOr[str] = NOT_GIVEN,
        query_description: NotGivenOr[str] = NOT_GIVEN,
        call_description: NotGivenOr[str] = NOT_GIVEN,
    ) -> None:
        super().__init__(
            id=id,
            tools=tools,
            max_results=max_results,
            search_strategy=search_strategy,
            search_description=given(search_description, SEARCH_DESCRIPTION),
            query_description=query_description,
        )
        for offered in self._behind():
            if not isinstance(offered.tool, CallableTool):
                raise ToolDefinitionError(
                    f"tool {offered.tool.id!r} of tool set {id!r} is run by the provider: offer it to the model itself"
                )
        self._call_tool = _CallTool(self, given(call_description, CALL_DESCRIPTION))

    @property
    def tools(self) -> Sequence[Tool | Toolset]:
        """Always these two."""
        return [self._search_tool, self._call_tool]

    @property
    def may_offer(self) -> Sequence[Tool | Toolset]:
        """No more than these two."""
        return self.tools

    async def _search(self, raw_arguments: dict[str, object], context: RunContext[object]) -> str:
        del context  # what is found in which step does not matter: nothing is loaded
        found = await self._found(raw_arguments)
        told = [offered.tool.definition for offered in flattened(found)]
        return "\n".join(
            json.dumps({"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)})
            for tool in told
        )

    def _behind(self) -> Iterable[Offered]:
        return flattened(self._tools)


class _CallTool(RawFunctionTool[..., object], StandIn):
    """``call_tool``: stands in for the tool that it is told to call."""

    def __init__(self, toolset: ToolProxyToolset, description: str) -> None:
        self._toolset = toolset
        properties = {
            "name": {"type": "string", "description": "The name of the tool."},
            "parameters": {"type": "object", "description": "Its parameters."},
        }
        schema = {"type": "object", "properties": properties, "required": ["name", "parameters"]}
        super().__init__(
            self._called_by_hand,
            raw_schema={"name": "call_tool", "description": description, "parameters": schema},
            rules=ToolRules(),
        )

    @property
    def behind(self) -> Iterable[Offered]:
        """All that can be called."""
        return self._toolset._behind()

    def meant(self, arguments: Mapping[str, JsonValue]) -> tuple[str, dict[str, JsonValue]]:
        """The name that it is given, and the parameters."""
        parameters = arguments.get("parameters")
        sent = parameters if isinstance(parameters, str) else json.dumps(parameters)
        return str(arguments.get("name", "")), read_arguments(sent)

    async def _called_by_hand(self, raw_arguments: dict[str, JsonValue]) -> object:
        """Outside of a session: call the function that is meant."""
        name, sent = self.meant(raw_arguments)
        for offered in self.behind:
            if offered.tool.id == name:
                tool = cast("CallableTool[..., object]", offered.tool)
                value = tool(**tool.parse(sent).values)
                return await value if inspect.isawaitable(value) else value
        raise ToolNotFound(f"unknown tool {name!r}")
