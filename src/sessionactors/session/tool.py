"""What may be given as a tool, besides functions: tools that the provider runs, and sets of tools."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from sessionactors.model.errors import DuplicateToolError, SessionActorsError, ToolDefinitionError
from sessionactors.model.tools import JsonValue, ToolDefinition, ToolRules

from .tool_handling import ToolHandlingOptions, check_tool_handling


class Tool(ABC):
    """Something a model may use."""

    @property
    @abstractmethod
    def id(self) -> str:
        """Its name."""

    @property
    @abstractmethod
    def definition(self) -> ToolDefinition:
        """What the model is told of it, and how its calls are treated."""


class ProviderTool(Tool):
    """A tool that the model's provider runs on its side (web search, code interpreter ...).

    Args:
        id: names it here; ids are unique among an agent's tools.
        definition: what the provider is sent, in its own format.
    """

    def __init__(self, *, id: str, definition: Mapping[str, JsonValue] | None = None) -> None:
        self._definition = ToolDefinition(id, "", {}, server_side=dict(definition or {"type": id}))

    @property
    def id(self) -> str:
        """Its name."""
        return self._definition.name

    @property
    def definition(self) -> ToolDefinition:
        """What the provider is sent."""
        return self._definition


class Toolset:
    """Tools that are set up and closed together. Subclass it for tools that need a connection.

    Args:
        id: names the set.
        tools: what is in it; methods of a subclass that are decorated with ``@function_tool`` are added.
    """

    outlives_agent: bool = False
    """Whether calls of its tools go on when another agent takes over."""
    tool_handling: ToolHandlingOptions | None = None
    """Its own words for what a model is told of its tools, instead of the agent's."""

    def __init__(self, *, id: str, tools: Sequence[Tool | Toolset] = ()) -> None:
        self._id = id
        self._tools: list[Tool | Toolset] = [*tools, *decorated(self)]
        self._changed: Callable[[], None] = _nobody_listens

    @property
    def id(self) -> str:
        """Names the set."""
        return self._id

    @property
    def tools(self) -> Sequence[Tool | Toolset]:
        """What is in it now, and is offered."""
        return self._tools

    @property
    def may_offer(self) -> Sequence[Tool | Toolset]:
        """What it may offer at some time: their names are taken."""
        return self.tools

    @property
    def put_aside(self) -> Sequence[Tool | Toolset]:
        """What is not offered any more, but can still be called by a model that remembers it."""
        return ()

    async def setup(self) -> None:
        """Called before its tools are offered to a model. What it raises, ``session.start()`` raises."""
        await asyncio.gather(*(inner.setup() for inner in self._tools if isinstance(inner, Toolset)))

    async def aclose(self) -> None:
        """Called when its agent has left or the session has closed."""
        await asyncio.gather(*(inner.aclose() for inner in self._tools if isinstance(inner, Toolset)))

    def replace_tools(self, tools: Sequence[Tool | Toolset]) -> None:
        """For subclasses: from now on, these are its tools. Requests that are under way keep the old ones."""
        self._tools = list(tools)
        self._changed()

    def when_changed(self, call: Callable[[], None]) -> None:
        """For the session: call back, on the user's loop, when its tools are others."""
        self._changed = call
        for inner in self._tools:
            if isinstance(inner, Toolset):
                inner.when_changed(call)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._id}: {len(self._tools)} tools>"


class AsyncToolset(Toolset):
    """Tools whose calls belong to the session: they go on when another agent takes over, which then tells the user.

    Args:
        id: names the set.
        tools: what is in it.
        tool_handling: words for what a model is told of these tools.

    Raises:
        OptionError: a template is unknown or cannot be used.
    """

    outlives_agent = True

    def __init__(
        self, *, id: str, tools: Sequence[Tool | Toolset] = (), tool_handling: ToolHandlingOptions | None = None
    ) -> None:
        super().__init__(id=id, tools=tools)
        check_tool_handling(tool_handling)
        self.tool_handling = tool_handling


@dataclass(frozen=True, slots=True)
class Offered:
    """A tool as it is offered."""

    tool: Tool
    outlives_agent: bool
    """Its calls belong to the session."""
    handling: ToolHandlingOptions | None
    """Of the set it is in, if that has some."""

    @property
    def rules(self) -> ToolRules:
        """How its calls are treated."""
        return replace(self.tool.definition.rules, outlives_agent=self.outlives_agent)


AnyTool: TypeAlias = Tool | Toolset


class StandIn(Tool):
    """A tool whose calls mean another one: that one's rules hold, its arguments are checked, and it runs."""

    @property
    @abstractmethod
    def behind(self) -> Iterable[Offered]:
        """All that its calls may mean. Read on the user's loop."""

    @abstractmethod
    def meant(self, arguments: Mapping[str, JsonValue]) -> tuple[str, dict[str, JsonValue]]:
        """The name of the other tool, and the arguments for it. Pure: the actors ask it, too.

        Raises:
            ArgumentsUnreadable: its arguments are no JSON object.
        """


class ToolNotFound(SessionActorsError, LookupError):
    """Raised when a call names a tool that there is not; the text is for the model."""


def decorated(owner: object) -> tuple[Tool, ...]:
    """The methods of an agent or a set that are tools, bound to it."""
    kind = type(owner)
    return tuple(getattr(owner, name) for name in dir(kind) if isinstance(getattr(kind, name, None), Tool))


def toolsets(tools: Iterable[AnyTool]) -> tuple[Toolset, ...]:
    """The sets among the tools; a set inside of another is the other's affair."""
    return tuple(tool for tool in tools if isinstance(tool, Toolset))


def offered_of(toolset: Toolset) -> Sequence[AnyTool]:
    """What a set offers now."""
    return toolset.tools


def may_offer_of(toolset: Toolset) -> Sequence[AnyTool]:
    """What a set may offer at some time."""
    return toolset.may_offer


def flattened(
    tools: Iterable[AnyTool],
    *,
    outlives_agent: bool = False,
    handling: ToolHandlingOptions | None = None,
    inside: Callable[[Toolset], Sequence[AnyTool]] = offered_of,
) -> Iterator[Offered]:
    """Each tool, those in sets too: what these offer, if nothing else is asked for."""
    for tool in tools:
        if isinstance(tool, Toolset):
            yield from flattened(
                inside(tool),
                outlives_agent=outlives_agent or tool.outlives_agent,
                handling=tool.tool_handling or handling,
                inside=inside,
            )
        else:
            yield Offered(tool, outlives_agent, handling)


def put_aside(tools: Iterable[AnyTool], *, outlives_agent: bool = False) -> Iterator[Offered]:
    """Each tool in a set that does not offer it any more, and can still run it."""
    for toolset in toolsets(tools):
        outlives = outlives_agent or toolset.outlives_agent
        yield from flattened(toolset.put_aside, outlives_agent=outlives, handling=toolset.tool_handling)
        yield from put_aside(toolset.tools, outlives_agent=outlives)


def check_tools(tools: Iterable[AnyTool], whose: str) -> None:
    """Raise if something is no tool, or two have one name.

    Raises:
        ToolDefinitionError: something is no tool.
        DuplicateToolError: two tools, or two sets, have one name.
    """
    given = list(tools)
    for tool in given:
        if not isinstance(tool, Tool | Toolset):
            raise ToolDefinitionError(f"{tool!r} of {whose} is not a tool: decorate it with @function_tool")
    _all_different([toolset.id for toolset in toolsets(given)], "tool sets", whose)
    _all_different([offered.tool.id for offered in flattened(given, inside=may_offer_of)], "tools", whose)


def _all_different(names: Sequence[str], what: str, whose: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise DuplicateToolError(f"{whose} has two {what} named {name!r}: give one another name")
        seen.add(name)


def _nobody_listens() -> None:
    """The set belongs to no running session."""
