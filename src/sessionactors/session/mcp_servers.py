"""The older way to give servers of tools: ``mcp_servers`` instead of a set of tools for each."""

from __future__ import annotations

from collections.abc import Sequence

from sessionactors.interfaces.tool_server import ToolServer
from sessionactors.model.sentinel import NotGivenOr, given

from .deprecations import warn_deprecated
from .mcp_toolset import MCPToolset
from .tool import AnyTool


def with_servers(
    owner: str, tools: Sequence[AnyTool], servers: NotGivenOr[Sequence[ToolServer] | None]
) -> tuple[AnyTool, ...]:
    """The tools, and behind them a set for each server.

    Args:
        owner: ``AgentSession`` or ``Agent``, for the warning.
        tools: as given.
        servers: as given; they warn.
    """
    listed: Sequence[ToolServer] | None = given(servers, None)
    if not listed:
        return tuple(tools)
    warn_deprecated(f"{owner}(mcp_servers=...)", "tools=[MCPToolset(id=..., mcp_server=...)]")
    return (*tools, *(MCPToolset(id=f"mcp-{number}", mcp_server=server) for number, server in enumerate(listed, 1)))


def servers_of(tools: Sequence[AnyTool]) -> list[ToolServer]:
    """The servers behind the sets among these tools."""
    return [tool._server for tool in tools if isinstance(tool, MCPToolset)]
