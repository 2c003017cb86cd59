"""Servers that speak the Model Context Protocol, through the ``mcp`` library (extra ``mcp``).

``MCPServerStdio`` starts a program and talks to it through its pipes; ``MCPServerHTTP`` talks to a URL (streamable
HTTP). Give one to :class:`sessionactors.MCPToolset`.
"""

from .servers import MCPServer, MCPServerHTTP, MCPServerStdio

__all__ = ["MCPServer", "MCPServerHTTP", "MCPServerStdio"]
