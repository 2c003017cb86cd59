"""An OpenAI-compatible endpoint for tests, over a real socket on this machine, strict about what it is sent.

::

    async with OpenAIServer([Completion("Hello there.")]) as server:
        llm = openai.LLM(base_url=server.base_url)

It answers the n-th chat completion with the n-th completion of its script, and notes what it was asked. What the real
API would refuse (`openai_rules.py`) it refuses in the same way, and :attr:`OpenAIServer.refused` says so. Other parts
of the API are added as routes: `openai_responses.py`, `openai_audio.py`, `openai_transcription.py`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

from aiohttp import web

from .openai_rules import RefusedError, check_chat
from .vendor_server import CHATTER


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
    reasoning: int | None = None
    refusal: str = ""
    finish_reason: str = ""
    """Empty: as fits."""
    status: int = 200
    error: dict[str, Any] | None = None
    """The body with a status that is no 200; or, with 200, an error in the middle of the stream."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """With a status that is no 200."""
    delay: float = 0.0
    """Seconds before the response begins."""
    drip: float = 0.0
    """Seconds between events."""
    hang_after: int | None = None
    """Events after which nothing more comes."""
    break_after: int | None = None
    """Events after which the connection breaks."""
    garbage_after: int | None = None
    """Events after which something comes that is no JSON."""
    chatters: bool = False
    """Events for ever that say nothing, instead of an answer."""
    finish: bool = True
    """Say why the model stopped, and that the stream is done."""


@dataclass
class Asked:
    """One request."""

    body: dict[str, Any]
    headers: dict[str, str]
    """By name in lower case."""
    query: dict[str, str] = field(default_factory=dict)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """The response is over, or the client has gone."""

    @property
    def messages(self) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = self.body["messages"]
        return messages


class Routes(Protocol):
    """Another part of the API."""

    def add_to(self, application: web.Application, server: OpenAIServer) -> None: ...


class OpenAIServer:
    """Serves on a free port of the loopback interface while it is entered.

    Args:
        script: answers, one for each chat completion.
        otherwise: the answer when the script is over, or what makes it of the request.
        key: the only key it takes; None: any.
        parts: other parts of the API.
        strict: refuse what OpenAI would refuse; compatible endpoints take more.
    """

    def __init__(
        self,
        script: Sequence[Completion | str] = (),
        *,
        otherwise: Completion | Callable[[Mapping[str, Any]], Completion] | None = None,
        key: str | None = None,
        parts: Sequence[Routes] = (),
        strict: bool = True,
    ) -> None:
        self._script = [Completion(item) if isinstance(item, str) else item for item in script]
        self._otherwise = otherwise or Completion(status=500, error={"message": "the script is over"})
        self._key = key
        self._parts = parts
        self._strict = strict
        self._runner: web.AppRunner
        self.asked: list[Asked] = []
        self.refused: list[str] = []
        """Why requests were refused by the rules of the API."""
        self.connections: set[object] = set()
        """The other ends of all connections so far."""
        self.pinged = 0
        """How often the models were listed."""
        self.base_url = ""

    async def __aenter__(self) -> Self:
        application = web.Application(middlewares=[self._watch])
        # The SDK at Azure adds the deployment to the path.
        for prefix in ("/v1", "/openai/deployments/{deployment}"):
            application.router.add_post(f"{prefix}/chat/completions", self._complete)
        application.router.add_get("/v1/models", self._models)
        for part in self._parts:
            part.add_to(application, self)
        self._runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.base_url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._runner.cleanup()

    @web.middleware
    async def _watch(self, request: web.Request, handler: Any) -> web.StreamResponse:
        assert request.transport is not None
        self.connections.add(request.transport.get_extra_info("peername"))
        sent = request.headers.get("api-key") or request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not sent or self._key not in (None, sent):
            return refusal("Incorrect API key provided.", 401, "invalid_request_error", "invalid_api_key")
        try:
            response: web.StreamResponse = await handler(request)
        except RefusedError as error:
            self.refused.append(str(error))
            return refusal(str(error), 400, "invalid_request_error", error.code)
        return response

    async def _models(self, request: web.Request) -> web.StreamResponse:
        self.pinged += 1
        return web.json_response({"object": "list", "data": []})

    def note(self, request: web.Request, body: dict[str, Any]) -> Asked:
        """One more request."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        asked = Asked(body, headers, dict(request.query))
        self.asked.append(asked)
        return asked

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        number = len(self.asked)
        asked = self.note(request, await request.json())
        if self._strict:
            check_chat(asked.body)
        completion = self._script[number] if number < len(self._script) else self._by_default(asked.body)
        try:
            return await answer(request, completion, number + 1, _events(completion, number + 1))
        finally:
            asked.gone.set()

    def _by_default(self, body: Mapping[str, Any]) -> Completion:
        return self._otherwise(body) if callable(self._otherwise) else self._otherwise


def refusal(message: str, status: int, kind: str, code: str | None = None) -> web.Response:
    body = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    return web.json_response(body, status=status, headers={"x-request-id": "req_refused"})


async def answer(
    request: web.Request, completion: Completion, number: int, events: AsyncIterator[str]
) -> web.StreamResponse:
    """Stream events as the completion says, faults included."""
    await asyncio.sleep(completion.delay)
    headers = {"x-request-id": f"req_{number}"}
    if completion.status != 200:
        body = {"error": completion.error or {"message": "no"}}
        return web.json_response(body, status=completion.status, headers={**headers, **completion.headers})
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", **headers})
    response.enable_chunked_encoding()
    await response.prepare(request)
    sent = 0
    async for event in _again(events) if completion.chatters else events:
        if sent == completion.hang_after:
            await asyncio.get_running_loop().create_future()
        if sent == completion.break_after:
            assert request.transport is not None
            request.transport.abort()
            return response
        if sent == completion.garbage_after:
            await response.write(b"data: {no json\n\n")
        if completion.drip and sent:
            await asyncio.sleep(completion.drip)
        await response.write(event.encode() + b"\n\n")
        sent += 1
    await response.write_eof()
    return response


async def _again(events: AsyncIterator[str]) -> AsyncIterator[str]:
    """The first event, which says nothing, for ever."""
    event = await anext(events)
    while True:
        yield event
        await asyncio.sleep(CHATTER)


async def _events(completion: Completion, number: int) -> AsyncIterator[str]:
    def event(**fields: Any) -> str:
        chunk = {"id": f"chatcmpl-{number}", "object": "chat.completion.chunk", "created": 0, "model": "test"}
        return "data: " + json.dumps({**chunk, **fields})

    def choice(delta: dict[str, Any], finish: str | None = None) -> str:
        return event(choices=[{"index": 0, "delta": delta, "finish_reason": finish}])

    yield choice({"role": "assistant", "content": ""})
    for word in completion.text.split(" ") if completion.text else []:
        yield choice({"content": word + " "})
    if completion.refusal:
        yield choice({"refusal": completion.refusal})
    if completion.error is not None:
        yield "data: " + json.dumps({"error": completion.error})
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
    yield choice({}, completion.finish_reason or ("tool_calls" if completion.calls else "stop"))
    if completion.usage is not None:
        prompt, generated = completion.usage
        usage: dict[str, Any] = {
            "prompt_tokens": prompt,
            "completion_tokens": generated,
            "total_tokens": prompt + generated,
        }
        if completion.cached is not None:
            usage["prompt_tokens_details"] = {"cached_tokens": completion.cached, "cache_write_tokens": 2}
        if completion.reasoning is not None:
            usage["completion_tokens_details"] = {"reasoning_tokens": completion.reasoning}
        yield event(choices=[], usage=usage)
    yield "data: [DONE]"
