"""``MCPToolset``: the tools of a server, such as one that speaks the Model Context Protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from sessionactors.interfaces.tool_server import ServedTool, ToolServer
from sessionactors.model.errors import APIError
from sessionactors.model.tools import JsonValue

from .function_tool import RawFunctionTool, ToolError
from .tool import Toolset

log = structlog.get_logger("sessionactors.session")


class MCPToolset(Toolset):
    """Offers a model the tools of a server. It connects when the session starts, and follows changes of the tools.

    A call whose server dies, or does not answer in time, is answered with an error that says so; the next one connects
    anew.

    Args:
        id: names the set.
        mcp_server: the connection; it belongs to this set, which closes it.
    """

    def __init__(self, *, id: str, mcp_server: ToolServer) -> None:
        super().__init__(id=id)
        self._server = mcp_server
        self._looking: asyncio.Task[None] | None = None

    async def setup(self) -> None:
        """Connect, and list the tools.

        Raises:
            APIError: the server cannot be reached, or does not answer in time.
        """
        await self._server.connect()
        self._server.when_changed(self._look_again)
        self.replace_tools([self._as_tool(served) for served in await self._server.list_tools()])

    async def aclose(self) -> None:
        """Disconnect."""
        if self._looking is not None:
            self._looking.cancel()
        await self._server.aclose()

    def _look_again(self) -> None:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.ensure_future(self._relist())

    async def _relist(self) -> None:
        try:
            self.replace_tools([self._as_tool(served) for served in await self._server.list_tools()])
        except APIError as error:
            log.warning("mcp_tools_unknown", toolset=self.id, error=str(error))

    def _as_tool(self, served: ServedTool) -> RawFunctionTool[..., Coroutine[Any, Any, str]]:
        schema = {"name": served.name, "description": served.description, "parameters": dict(served.parameters)}
        return RawFunctionTool(self._caller(served.name), raw_schema=schema)

    def _caller(self, name: str) -> Callable[..., Coroutine[Any, Any, str]]:
        async def call(raw_arguments: dict[str, JsonValue]) -> str:
            try:
                answer = await self._server.call(name, raw_arguments)
            except APIError as error:
                raise ToolError(f"Tool {name!r} failed: {error.message}") from error
            if answer.is_error:
                raise ToolError(answer.text or f"Tool {name!r} failed and gave no reason.")
            return answer.text

        return call
