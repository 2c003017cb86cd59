"""Tools of real MCP servers: a program behind its pipes, and one behind HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sessionactors import (
    Agent,
    AgentSession,
    FunctionCallOutput,
    FunctionToolCall,
    MCPServerHTTP,
    MCPServerStdio,
    MCPToolset,
    OptionError,
)
from sessionactors.interfaces.tool_server import ToolServer
from sessionactors.model.errors import APIConnectionError, APITimeoutError
from sessionactors.testing.scripted_llm import ScriptedLLM, ScriptedReply

pytest.importorskip("mcp", reason="needs the extra mcp")

SERVER = str(Path(__file__).with_name("server.py"))
pytestmark = [
    pytest.mark.may_block("the program is started, and its pipes are opened, on the loop"),
    pytest.mark.waits("for programs that start"),
]


def stdio(patience: float = 30.0) -> MCPServerStdio:
    return MCPServerStdio(sys.executable, [SERVER], env={"SMALL_NAME": "bert"}, client_session_timeout_seconds=patience)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server behind HTTP, for all tests of this file."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    program = subprocess.Popen(
        [sys.executable, SERVER, str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 20
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        program.terminate()
        program.wait(10)


@asynccontextmanager
async def talking(server: ToolServer, *calls: tuple[str, object]) -> AsyncIterator[AgentSession[None]]:
    """A session with the server's tools, whose model makes these calls, one in each reply."""
    replies: list[ScriptedReply | str] = []
    for number, (name, arguments) in enumerate(calls):
        made = FunctionToolCall(f"call-{number}", name, json.dumps(arguments))
        replies += [ScriptedReply(tool_calls=(made,), ttft=0.0, duration=0.0), "Done."]
    session: AgentSession[None] = AgentSession(llm=ScriptedLLM(replies))
    await session.start(Agent(instructions="", tools=[MCPToolset(id="small", mcp_server=server)]))
    try:
        yield session
    finally:
        await session.aclose()


async def ask(session: AgentSession[None]) -> tuple[str, bool]:
    handle = await session.generate_reply(user_input="Go.")
    (output,) = [item for item in handle.chat_items if isinstance(item, FunctionCallOutput)]
    return output.output, output.is_error


async def test_a_program_is_started_its_tools_are_called_and_it_ends_with_the_session() -> None:
    async with talking(stdio(), ("add", {"a": 2, "b": 3}), ("whoami", {}), ("refuse", {})) as session:
        assert await ask(session) == ("5", False)
        (pid, name), failed = (await ask(session))[0].split(), False
        assert (name, failed) == ("bert", False)
        text, failed = await ask(session)
        assert failed
        assert "not on Mondays" in text
        os.kill(int(pid), 0)  # it runs
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)


async def test_a_server_behind_http_is_called(url: str) -> None:
    async with talking(MCPServerHTTP(url, headers={"X-Test": "1"}), ("add", {"a": 20, "b": 3})) as session:
        assert await ask(session) == ("23", False)


async def test_a_server_that_dies_in_a_call_is_an_error_output_and_the_next_call_starts_it_anew() -> None:
    async with talking(stdio(), ("die", {}), ("add", {"a": 1, "b": 1})) as session:
        text, failed = await ask(session)
        assert failed
        assert text.startswith("Tool 'die' failed: MCP server")
        assert await ask(session) == ("2", False)


async def test_a_call_that_takes_too_long_is_an_error_output(url: str) -> None:
    server = MCPServerHTTP(url, client_session_timeout_seconds=0.5)
    async with talking(server, ("sleep", {"seconds": 30}), ("add", {"a": 1, "b": 1})) as session:
        began = time.monotonic()
        text, failed = await ask(session)
        assert failed
        assert "within 0.5 s" in text
        assert time.monotonic() - began < 3.0
        assert await ask(session) == ("2", False)


@pytest.mark.parametrize("kind", ["stdio", "http"])
async def test_tools_that_come_while_the_session_runs_are_offered(kind: str, url: str) -> None:
    server = stdio() if kind == "stdio" else MCPServerHTTP(url)
    async with talking(server, ("grow", {}), ("grown", {})) as session:
        assert await ask(session) == ("done", False)
        bound = session.current_agent._bound
        assert bound is not None
        for _ in range(100):
            if "grown" in {tool.name for tool in bound.tools}:
                break
            await asyncio.sleep(0.05)
        assert await ask(session) == ("grown", False)


async def test_only_the_allowed_tools_are_offered(url: str) -> None:
    server = MCPServerHTTP(url, allowed_tools=["add"])
    async with talking(server) as session:
        bound = session.current_agent._bound
        assert bound is not None
        assert [tool.name for tool in bound.tools] == ["add"]


@pytest.mark.parametrize(
    "server, error",
    [
        (MCPServerStdio("/no/such/program"), APIConnectionError),
        (MCPServerStdio(sys.executable, ["-c", "pass"]), APIConnectionError),
        (MCPServerStdio(sys.executable, ["-c", "import time; time.sleep(60)"], timeout=0.5), APITimeoutError),
        (MCPServerHTTP("http://127.0.0.1:9/mcp"), APIConnectionError),
    ],
    ids=["no program", "ends at once", "never answers", "nobody listens"],
)
async def test_a_server_that_cannot_be_reached_keeps_the_session_from_starting(
    server: ToolServer, error: type[Exception]
) -> None:
    with pytest.raises(error, match="MCP server"):
        async with talking(server):
            pass


def test_figures_out_of_range_are_refused() -> None:
    with pytest.raises(OptionError, match="timeout must be more than 0 seconds"):
        MCPServerHTTP("http://localhost", timeout=0)
