"""An OpenAI-compatible endpoint for tests: chat completions streamed from a script, over a real socket on this machine.

::

    async with OpenAIServer([Completion("Hello there.")]) as server:
        llm = openai.LLM(base_url=server.base_url)

It answers the n-th request with the n-th completion, and notes what it was asked.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web


@dataclass(frozen=True)
class Call:
    """A tool call of a scripted completion."""

    name: str
    arguments: str = "{}"
    id: str | None = "call_1"
    index: int | None = 0


@dataclass(frozen=True)
class Completion:
    """How one request is answered."""

    text: str = ""
    calls: Sequence[Call] = ()
    usage: tuple[int, int] | None = (7, 3)
    """Prompt and completion tokens; None: not told."""
    cached: int | None = None
    status: int = 200
    error: dict[str, Any] | None = None
    """The body with a status that is no 200; or, with 200, an error in the middle of the stream."""
    delay: float = 0.0
    """Seconds before the response begins."""
    hang_after: int | None = None
    """Events after which nothing more comes."""
    break_after: int | None = None
    """Events after which the connection breaks."""
    garbage_after: int | None = None
    """Events after which something comes that is no JSON."""
    finish: bool = True
    """Say why the model stopped, and that the stream is done."""


@dataclass
class Asked:
    """One request."""

    body: dict[str, Any]
    headers: dict[str, str]
    """By name in lower case."""
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """The response is over, or the client has gone."""

    @property
    def messages(self) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = self.body["messages"]
        return messages


class OpenAIServer:
    """Serves on a free port of the loopback interface while it is entered."""

    def __init__(self, script: Sequence[Completion | str] = (), *, otherwise: Completion | None = None) -> None:
        self._script = [Completion(item) if isinstance(item, str) else item for item in script]
        self._otherwise = otherwise or Completion(status=500, error={"message": "the script is over"})
        self._runner: web.AppRunner
        self.asked: list[Asked] = []
        self.base_url = ""

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_post("/v1/chat/completions", self._complete)
        self._runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.base_url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._runner.cleanup()

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        asked = Asked(await request.json(), {name.lower(): value for name, value in request.headers.items()})
        number = len(self.asked)
        self.asked.append(asked)
        completion = self._script[number] if number < len(self._script) else self._otherwise
        try:
            return await self._answer(request, completion, number + 1)
        finally:
            asked.gone.set()

    async def _answer(self, request: web.Request, completion: Completion, number: int) -> web.StreamResponse:
        await asyncio.sleep(completion.delay)
        if completion.status != 200:
            body = {"error": completion.error or {"message": "no"}}
            return web.json_response(body, status=completion.status, headers={"x-request-id": f"req_{number}"})
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        sent = 0
        async for event in _events(completion, number):
            if sent == completion.hang_after:
                await asyncio.get_running_loop().create_future()
            if sent == completion.break_after:
                assert request.transport is not None
                request.transport.abort()
                return response
            if sent == completion.garbage_after:
                await response.write(b"data: {no json\n\n")
            await response.write(b"data: " + event.encode() + b"\n\n")
            sent += 1
        await response.write_eof()
        return response


async def _events(completion: Completion, number: int) -> AsyncIterator[str]:
    def event(**fields: Any) -> str:
        chunk = {"id": f"chatcmpl-{number}", "object": "chat.completion.chunk", "created": 0, "model": "test"}
        return json.dumps({**chunk, **fields})

    def choice(delta: dict[str, Any], finish: str | None = None) -> str:
        return event(choices=[{"index": 0, "delta": delta, "finish_reason": finish}])

    yield choice({"role": "assistant", "content": ""})
    for word in completion.text.split(" ") if completion.text else []:
        yield choice({"content": word + " "})
    if completion.error is not None:
        yield json.dumps({"error": completion.error})
        return
    for call in completion.calls:
        head = {"index": call.index, "id": call.id, "type": "function"}
        head = {key: value for key, value in head.items() if value is not None}
        yield choice({"tool_calls": [{**head, "function": {"name": call.name, "arguments": ""}}]})
        half = len(call.arguments) // 2
        place = {} if call.index is None else {"index": call.index}
        for part in (call.arguments[:half], call.arguments[half:]):
            yield choice({"tool_calls": [{**place, "function": {"arguments": part}}]})
    if not completion.finish:
        return
    yield choice({}, "tool_calls" if completion.calls else "stop")
    if completion.usage is not None:
        prompt, generated = completion.usage
        usage: dict[str, Any] = {
            "prompt_tokens": prompt,
            "completion_tokens": generated,
            "total_tokens": prompt + generated,
        }
        if completion.cached is not None:
            usage["prompt_tokens_details"] = {"cached_tokens": completion.cached}
        yield event(choices=[], usage=usage)
    yield "[DONE]"
