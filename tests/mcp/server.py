"""A small MCP server: ``server.py`` talks through its pipes, ``server.py PORT`` by streamable HTTP on loopback."""

from __future__ import annotations

import asyncio
import os
import sys

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("small")


@server.tool()
async def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


@server.tool()
async def refuse() -> str:
    """Always fails."""
    raise ToolError("not on Mondays")


@server.tool()
async def sleep(seconds: float) -> str:
    """Takes its time."""
    await asyncio.sleep(seconds)
    return "awake"


@server.tool()
async def die() -> str:
    """Ends the server in the middle of the call."""
    os._exit(3)


@server.tool()
async def whoami(context: Context) -> str:
    """Says in which process it runs, and under which name."""
    return f"{os.getpid()} {os.environ.get('SMALL_NAME', '')}".strip()


@server.tool()
async def grow(context: Context) -> str:
    """Gets another tool."""

    async def grown() -> str:
        """New."""
        return "grown"

    server.add_tool(grown)
    await context.notify_tools_changed()
    return "done"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
    else:
        server.run("stdio")
