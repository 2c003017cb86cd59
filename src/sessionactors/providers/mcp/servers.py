"""Connections to MCP servers. One task owns each: the library's connections are entered and left in one task."""

from __future__ import annotations

import asyncio
import json
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import structlog

from sessionactors.interfaces.tool_server import ServedAnswer, ServedTool, ToolServer
from sessionactors.model.errors import APIConnectionError, APIError, APITimeoutError, OptionError
from sessionactors.model.tools import JsonValue

if TYPE_CHECKING:
    from mcp import Client
    from mcp.client.session import IncomingMessage

    CallToolResult = object

R = TypeVar("R")

log = structlog.get_logger("sessionactors.mcp")

CLOSE_WITHIN = 8.0
"""Seconds for all of the end of a connection: a program that does not go when its input ends is killed on the way."""


class MCPServer(ToolServer):
    """A server of tools.

    Args:
        name: for people.
        timeout: seconds > 0 to connect.
        client_session_timeout_seconds: seconds > 0 for each request.
        allowed_tools: names of the tools that are offered; None for all.

    Raises:
        OptionError: a figure is out of range.
    """

    def __init__(
        self,
        *,
        name: str,
        timeout: float,
        client_session_timeout_seconds: float,
        allowed_tools: Sequence[str] | None,
    ) -> None:
        for option, seconds in (
            ("timeout", timeout),
            ("client_session_timeout_seconds", client_session_timeout_seconds),
        ):
            if not seconds > 0:
                raise OptionError(f"{option} must be more than 0 seconds, got {seconds}")
        self.name = name
        self._timeout = timeout
        self._request_timeout = client_session_timeout_seconds
        self._allowed = None if allowed_tools is None else frozenset(allowed_tools)
        self._changed: Callable[[], None] = lambda: None
        self._client: Client | None = None
        self._owner: asyncio.Task[None] | None = None
        self._leave = asyncio.Event()
        self._connecting = asyncio.Lock()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    @abstractmethod
    def _open(self) -> AbstractAsyncContextManager[Client]:
        """The library's client, connected while the block lasts."""

    async def connect(self) -> None:
        """Connect; does nothing when it is connected."""
        async with self._connecting:
            if self._client is not None:
                return
            ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._leave = asyncio.Event()
            self._owner = owner = asyncio.create_task(self._own(ready, self._leave), name=f"mcp:{self.name}")
            try:
                await asyncio.wait_for(asyncio.shield(ready), self._timeout)
            except TimeoutError as error:
                await self._drop(owner, gently=False)
                raise APITimeoutError(f"MCP server {self.name} did not connect within {self._timeout:g} s") from error
            except APIError:
                await self._drop(owner)
                raise
            except asyncio.CancelledError:
                owner.cancel()
                raise

    async def list_tools(self) -> Sequence[ServedTool]:
        """The tools it has now, of all pages."""
        client = await self._connected()
        tools: list[ServedTool] = []
        cursor: str | None = None
        while True:
            page = await self._ask(client.list_tools(cursor=cursor, cache_mode="refresh"), "list its tools")
            for tool in page.tools:
                if self._allowed is None or tool.name in self._allowed:
                    schema = cast("Mapping[str, JsonValue]", tool.input_schema)
                    tools.append(ServedTool(tool.name, tool.description or "", schema))
            cursor = page.next_cursor
            if cursor is None:
                return tools

    async def call(self, tool: str, arguments: Mapping[str, JsonValue]) -> ServedAnswer:
        """Call a tool."""
        client = await self._connected()
        result = await self._ask(client.call_tool(tool, dict(arguments)), f"answer a call of {tool}")
        texts = [
            block.text if block.type == "text" else json.dumps(block.model_dump(mode="json", exclude_none=True))
            for block in result.content
        ]
        if not texts and result.structured_content is not None:
            texts = [json.dumps(result.structured_content, ensure_ascii=False)]
        return ServedAnswer("\n".join(texts), bool(result.is_error))

    def when_changed(self, call: Callable[[], None]) -> None:
        """Call back when its tools have become others."""
        self._changed = call

    async def aclose(self) -> None:
        """Disconnect, and end the program if there is one."""
        owner = self._owner
        if owner is not None:
            await self._drop(owner)

    # -- the connection ----------------------------------------------------------------------------------------------

    async def _connected(self) -> Client:
        await self.connect()
        if self._client is None:
            raise APIConnectionError(f"MCP server {self.name} closed the connection")
        return self._client

    async def _own(self, ready: asyncio.Future[None], leave: asyncio.Event) -> None:
        try:
            async with self._open() as client:
                self._client = client
                if not ready.done():
                    ready.set_result(None)
                async with _following(client, self._tools_changed):
                    await leave.wait()
        except Exception as error:  # noqa: BLE001  # whatever the library and its transports raise
            self._client = None
            if not ready.done():
                failed = APIConnectionError(f"MCP server {self.name} cannot be reached: {_reason(error)}")
                failed.__cause__ = error
                ready.set_exception(failed)
            else:
                log.warning("mcp_connection_lost", server=self.name, error=_reason(error))
        finally:
            self._client = None
            if not ready.done():
                ready.set_exception(APIConnectionError(f"MCP server {self.name} was closed while it connected"))
                ready.exception()  # whoever waited may be gone

    async def _ask(self, answer: Awaitable[R], what: str) -> R:
        """Wait for an answer; a connection that does not give it is not used again."""
        try:
            return await asyncio.wait_for(answer, self._request_timeout)
        except TimeoutError as error:
            raise APITimeoutError(
                f"MCP server {self.name} did not {what} within {self._request_timeout:g} s"
            ) from error
        except Exception as error:
            if not _is_refusal(error) and self._owner is not None:
                await self._drop(self._owner)
            raise APIConnectionError(f"MCP server {self.name} did not {what}: {_reason(error)}") from error

    async def _drop(self, owner: asyncio.Task[None], *, gently: bool = True) -> None:
        """End the connection. Who is cancelled here waits no more; the owner goes on to end it."""
        self._client = None
        self._leave.set()
        if not gently:
            owner.cancel()
        try:
            await asyncio.wait((owner,), timeout=CLOSE_WITHIN)
        finally:
            owner.cancel()
            if self._owner is owner:
                self._owner = None

    def _tools_changed(self) -> None:
        self._changed()

    async def _on_message(self, message: IncomingMessage) -> None:
        """What a server of the older protocol says unasked."""
        from mcp.types import ToolListChangedNotification

        if isinstance(getattr(message, "root", message), ToolListChangedNotification):
            self._tools_changed()


class MCPServerStdio(MCPServer):
    """A program that is started, and talked to through its standard input and output. It ends with the session.

    Args:
        command: the program.
        args: its arguments.
        env: variables besides the few that are safe to inherit.
        cwd: its working directory.
        timeout: seconds > 0 to start and connect.
        client_session_timeout_seconds: seconds > 0 for each request.
        allowed_tools: names of the tools that are offered; None for all.

    Raises:
        OptionError: a figure is out of range.
    """

    def __init__(
        self,
        command: str,
        args: Sequence[str] = (),
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | Path | None = None,
        timeout: float = 10.0,
        client_session_timeout_seconds: float = 30.0,
        allowed_tools: Sequence[str] | None = None,
    ) -> None:
        super().__init__(
            name=" ".join((command, *args)),
            timeout=timeout,
            client_session_timeout_seconds=client_session_timeout_seconds,
            allowed_tools=allowed_tools,
        )
        self._command, self._args = command, list(args)
        self._env = None if env is None else dict(env)
        self._cwd = cwd

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[Client]:
        from mcp import Client
        from mcp.client.stdio import StdioServerParameters

        program = StdioServerParameters(command=self._command, args=self._args, env=self._env, cwd=self._cwd)
        async with Client(program, message_handler=self._on_message) as client:
            yield client


class MCPServerHTTP(MCPServer):
    """A server at a URL, by streamable HTTP.

    Args:
        url: such as ``https://example.com/mcp``.
        headers: sent with each request.
        timeout: seconds > 0 to connect.
        client_session_timeout_seconds: seconds > 0 for each request.
        allowed_tools: names of the tools that are offered; None for all.

    Raises:
        OptionError: a figure is out of range.
    """

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float = 5.0,
        client_session_timeout_seconds: float = 30.0,
        allowed_tools: Sequence[str] | None = None,
    ) -> None:
        super().__init__(
            name=url.split("?", 1)[0],  # what comes behind may be a secret
            timeout=timeout,
            client_session_timeout_seconds=client_session_timeout_seconds,
            allowed_tools=allowed_tools,
        )
        self._url = url
        self._headers = dict(headers or {})

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[Client]:
        import httpx2
        from mcp import Client
        from mcp.client.streamable_http import streamable_http_client

        timeouts = httpx2.Timeout(self._timeout, read=self._request_timeout + self._timeout)
        async with httpx2.AsyncClient(headers=self._headers, timeout=timeouts) as http:
            transport = streamable_http_client(self._url, http_client=http)
            async with Client(transport, message_handler=self._on_message) as client:
                yield client


@asynccontextmanager
async def _following(client: Client, changed: Callable[[], None]) -> AsyncIterator[None]:
    """Hear of other tools: newer servers tell who listens; older ones tell everybody, through the message handler."""
    task = asyncio.create_task(_follow(client, changed), name="mcp:changes")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait((task,))


async def _follow(client: Client, changed: Callable[[], None]) -> None:
    from mcp.client.subscriptions import ListenNotSupportedError

    try:
        async with client.listen(tools_list_changed=True) as changes:
            async for _ in changes:
                changed()
    except ListenNotSupportedError:
        return
    except Exception as error:  # noqa: BLE001  # without it, the tools stay as they were listed
        log.info("mcp_changes_unheard", error=_reason(error))


def _is_refusal(error: BaseException) -> bool:
    """Whether the server itself said no: the connection is as good as before."""
    from mcp import MCPError

    return isinstance(error, MCPError) and "closed" not in str(error).lower()


def _reason(error: BaseException) -> str:
    """What went wrong: the first of those that a task group has collected."""
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}".rstrip(": ")
