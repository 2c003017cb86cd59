"""``ToolSearchToolset``: many tools, of which a model is offered those that it searches for."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence

from sessionactors.model.errors import ToolDefinitionError
from sessionactors.model.sentinel import NOT_GIVEN, NotGivenOr, given

from .function_tool import RawFunctionTool, ToolError
from .run_context import RunContext
from .tool import Offered, Tool, Toolset, flattened, toolsets
from .tool_ranking import BM25SearchStrategy, SearchItem, SearchStrategy

SEARCH_DESCRIPTION = (
    "Finds tools by what they do. Those that are found can be called from then on. Use it before you say that you "
    "cannot do something."
)
QUERY_DESCRIPTION = "words that may be in the name or in the description of the tool, separated by spaces"


class ToolSearchToolset(Toolset):
    """Keeps its tools back, and offers ``tool_search``, with which a model loads those that fit.

    What the searches of one step have found is offered until a later step searches again. Then the tools of before are
    put aside: not offered any more, but a model that remembers them can call them. A tool that is in a set is loaded
    with all of the set.

    Args:
        id: names the set.
        tools: what can be found: tools, and sets, which are set up and closed with this one.
        max_results: the most tools that one search finds, > 0.
        search_strategy: what finds them; :class:`.BM25SearchStrategy` if not given.
        search_description: what the model is told of ``tool_search``.
        query_description: what the model is told of its one parameter.

    Raises:
        ToolDefinitionError: ``max_results`` is not positive.
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
    ) -> None:
        if max_results < 1:
            raise ToolDefinitionError(f"max_results of tool set {id!r} must be at least 1, got {max_results}")
        super().__init__(id=id, tools=tools)
        self._strategy: SearchStrategy = given(search_strategy, BM25SearchStrategy())
        self._max_results = max_results
        self._items: list[SearchItem] | None = None
        self._loaded: list[Tool | Toolset] = []
        self._aside: list[Tool | Toolset] = []
        self._step: tuple[str, int] | None = None
        query = {"type": "string", "description": given(query_description, QUERY_DESCRIPTION)}
        self._search_tool = RawFunctionTool(
            self._search,
            raw_schema={
                "name": "tool_search",
                "description": given(search_description, SEARCH_DESCRIPTION),
                "parameters": {"type": "object", "properties": {"query": query}, "required": ["query"]},
            },
        )

    @property
    def tools(self) -> Sequence[Tool | Toolset]:
        """``tool_search``, and what it has found last."""
        return [self._search_tool, *self._loaded]

    @property
    def may_offer(self) -> Sequence[Tool | Toolset]:
        """All that can be found."""
        return [self._search_tool, *self._tools]

    @property
    def put_aside(self) -> Sequence[Tool | Toolset]:
        """What was found before."""
        return [source for source in self._aside if not _among(source, self._loaded)]

    async def setup(self) -> None:
        """Set up the sets in it, and index what can be found."""
        await super().setup()
        await self._index()

    async def aclose(self) -> None:
        """Close the sets in it, and forget what was found."""
        self._items, self._step = None, None
        self._loaded, self._aside = [], []
        await super().aclose()
        cleaned = self._strategy.cleanup()
        if inspect.isawaitable(cleaned):
            await cleaned

    def replace_tools(self, tools: Sequence[Tool | Toolset]) -> None:
        """From now on, these can be found. What was found of others is not offered any more."""
        self._loaded = [source for source in self._loaded if _among(source, tools)]
        self._aside = [source for source in self._aside if _among(source, tools)]
        self._items = None
        super().replace_tools(tools)

    def when_changed(self, call: Callable[[], None]) -> None:
        """For the session: call back when it offers other tools, or has others to offer."""

        def inner_changed() -> None:
            self._items = None
            call()

        self._changed = call
        for inner in toolsets(self._tools):
            inner.when_changed(inner_changed)

    # -- searching ---------------------------------------------------------------------------------------------------

    async def _search(self, raw_arguments: dict[str, object], context: RunContext[object]) -> str:
        found = await self._found(raw_arguments)
        step = context.speech_handle.id, context._step
        if step != self._step:
            self._aside = [*self.put_aside, *self._loaded]
            self._loaded, self._step = [], step
        self._loaded = [*self._loaded, *(source for source in found if not _among(source, self._loaded))]
        self._changed()
        names = [offered.tool.id for offered in flattened(found)]
        return f"These can be called now: {', '.join(names)}."

    async def _found(self, raw_arguments: dict[str, object]) -> list[Tool | Toolset]:
        """What a query finds, each once.

        Raises:
            ToolError: there is no query, or it finds nothing.
        """
        query = raw_arguments.get("query")
        if not isinstance(query, str) or not query.strip():
            raise ToolError("tool_search needs a query: a few words of what the tool does")
        items = await self._index() if self._items is None else self._items
        results = self._strategy.search(query, items, self._max_results)
        if inspect.isawaitable(results):
            results = await results
        if not results:
            raise ToolError(f"No tool was found for {query!r}. Try other words.")
        return list(dict.fromkeys(result.source for result in results))

    async def _index(self) -> list[SearchItem]:
        items = [_item(offered, source) for source in self._tools for offered in flattened([source])]
        built = self._strategy.build_index(items)
        if inspect.isawaitable(built):
            await built
        self._items = items
        return items


def _item(offered: Offered, source: Tool | Toolset) -> SearchItem:
    told = offered.tool.definition
    properties = told.parameters.get("properties")
    described = properties.items() if isinstance(properties, dict) else ()
    parameters = {
        name: str(schema.get("description") or "") if isinstance(schema, dict) else "" for name, schema in described
    }
    return SearchItem(source, told.name, told.description, parameters)


def _among(source: Tool | Toolset, sources: Sequence[Tool | Toolset]) -> bool:
    return any(source is other for other in sources)
