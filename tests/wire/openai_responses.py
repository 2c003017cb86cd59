"""The Responses API for tests, with the memory that it has: responses are stored, and requests may go on from them.

::

    api = Responses(["Hello there."])
    async with OpenAIServer(parts=[api]) as server:
        llm = openai.responses.LLM(base_url=server.base_url)
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import web
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from .openai_rules import RefusedError, check_responses
from .openai_server import Call, Completion, OpenAIServer, answer

EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


@dataclass(frozen=True)
class Thoughts:
    """The model thinks before it answers."""

    summary: str = "Let me see."


class Responses:
    """``/responses``. The n-th request is answered by the n-th completion; then by ``otherwise``.

    Args:
        script: completions. ``finish_reason`` is that of an incomplete response.
        otherwise: the answer when the script is over, or what makes it of the request.
        thinks: every answer begins with thoughts, which must come back with the calls that they led to.
    """

    def __init__(
        self,
        script: Sequence[Completion | str] = (),
        *,
        otherwise: Completion | Callable[[Mapping[str, Any]], Completion] | None = None,
        thinks: Thoughts | None = None,
    ) -> None:
        self._script = [Completion(item) if isinstance(item, str) else item for item in script]
        self._otherwise = otherwise or Completion(status=500, error={"message": "the script is over"})
        self._thinks = thinks
        self.asked: list[Mapping[str, Any]] = []
        self.stored: dict[str, list[Mapping[str, Any]]] = {}
        """By response: all items up to its end."""
        self._server: OpenAIServer

    def add_to(self, application: web.Application, server: OpenAIServer) -> None:
        self._server = server
        application.router.add_post("/v1/responses", self._respond)

    async def _respond(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        number = len(self.asked)
        self.asked.append(body)
        asked = self._server.note(request, body)
        check_responses(body)
        items = [*self._known(body.get("previous_response_id")), *body["input"]]
        _check_calls(items)
        completion = self._script[number] if number < len(self._script) else self._by_default(body)
        made = list(self._output(completion, number, encrypted="include" in body))
        if body.get("store", True) and completion.status == 200:
            self.stored[f"resp_{number}"] = [*items, *made]
        try:
            return await answer(request, completion, number + 1, _events(completion, number, made))
        finally:
            asked.gone.set()

    def _known(self, previous: str | None) -> Sequence[Mapping[str, Any]]:
        if previous is None:
            return ()
        if previous not in self.stored:
            raise RefusedError(f"Previous response with id '{previous}' not found.", "previous_response_not_found")
        return self.stored[previous]

    def _output(self, completion: Completion, number: int, *, encrypted: bool) -> Sequence[Mapping[str, Any]]:
        made: list[Mapping[str, Any]] = []
        if self._thinks is not None:
            summary = [{"type": "summary_text", "text": self._thinks.summary}]
            sealed = {"encrypted_content": f"sealed-{number}"} if encrypted else {}
            made.append({"type": "reasoning", "id": f"rs_{number}", "summary": summary, **sealed})
        if completion.text:
            content = [{"type": "output_text", "text": completion.text, "annotations": []}]
            message = {"type": "message", "id": f"msg_{number}", "role": "assistant", "status": "completed"}
            made.append({**message, "content": content})
        for call in completion.calls:
            called = {"call_id": call.id, "name": call.name, "arguments": call.arguments, "status": "completed"}
            made.append({"type": "function_call", "id": f"fc_{number}_{call.id}", **called})
        return made

    def _by_default(self, body: Mapping[str, Any]) -> Completion:
        return self._otherwise(body) if callable(self._otherwise) else self._otherwise


def _check_calls(items: Sequence[Mapping[str, Any]]) -> None:
    """Each call has one output, each output a call, and a call that thoughts led to comes with them."""
    open_calls: set[str] = set()
    thought_of: set[str] = set()
    for item in items:
        kind = item.get("type", "message")
        if kind == "reasoning":
            thought_of.add(item["id"].removeprefix("rs_"))
        elif kind == "function_call":
            if item["call_id"] in open_calls:
                raise RefusedError(f"Duplicate item found with id {item['call_id']}.")
            number = item.get("id", "").removeprefix("fc_").partition("_")[0]
            if thought_of and item.get("id") and number not in thought_of:
                raise RefusedError("Item of type 'function_call' was provided without its required 'reasoning' item.")
            open_calls.add(item["call_id"])
        elif kind == "function_call_output":
            if item["call_id"] not in open_calls:
                raise RefusedError(f"No tool call found for function call output with call_id {item['call_id']}.")
            open_calls.discard(item["call_id"])
    if open_calls:
        raise RefusedError(f"No tool output found for function call {open_calls.pop()}.")


async def _events(completion: Completion, number: int, made: Sequence[Mapping[str, Any]]) -> AsyncIterator[str]:
    sequence = iter(range(10_000))

    def event(kind: str, **fields: Any) -> str:
        told = {"type": kind, "sequence_number": next(sequence), **fields}
        EVENT.validate_python(told)
        return f"event: {kind}\ndata: {json.dumps(told)}"

    response = _response(completion, number, made)
    begun = {**response, "status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    yield event("response.created", response=begun)
    yield event("response.in_progress", response=begun)
    for place, item in enumerate(made):
        here = {"output_index": place, "item_id": item["id"]}
        yield event("response.output_item.added", output_index=place, item={**item, **_begun(item)})
        for kind, delta in _deltas(item, completion):
            of_text = {"content_index": 0, "logprobs": []} if kind == "response.output_text.delta" else {}
            yield event(kind, delta=delta, **here, **of_text)
        yield event("response.output_item.done", output_index=place, item=item)
    if completion.refusal:
        refused = {"output_index": 0, "item_id": f"msg_{number}", "content_index": 0}
        yield event("response.refusal.delta", delta=completion.refusal, **refused)
    if completion.error is not None:
        if completion.error.get("type") == "error":
            yield event("error", code=completion.error["code"], message=completion.error["message"], param=None)
        else:
            failed = {**response, "status": "failed", "error": completion.error, "usage": None}
            yield event("response.failed", response=failed)
        return
    if completion.finish:
        yield event("response.incomplete" if completion.finish_reason else "response.completed", response=response)


def _begun(item: Mapping[str, Any]) -> Mapping[str, Any]:
    match item["type"]:
        case "message":
            return {"content": [], "status": "in_progress"}
        case "function_call":
            return {"arguments": "", "status": "in_progress"}
        case _:
            return {}


def _deltas(item: Mapping[str, Any], completion: Completion) -> Sequence[tuple[str, str]]:
    match item["type"]:
        case "message":
            words = completion.text.split(" ")
            return [("response.output_text.delta", word + " ") for word in words[:-1]] + [
                ("response.output_text.delta", words[-1])
            ]
        case "function_call":
            half = len(item["arguments"]) // 2
            parts = (item["arguments"][:half], item["arguments"][half:])
            return [("response.function_call_arguments.delta", part) for part in parts]
        case _:
            return []


def _response(completion: Completion, number: int, made: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    usage: dict[str, Any] | None = None
    if completion.usage is not None:
        prompt, generated = completion.usage
        usage = {
            "input_tokens": prompt,
            "input_tokens_details": {"cached_tokens": completion.cached or 0, "cache_write_tokens": 1},
            "output_tokens": generated,
            "output_tokens_details": {"reasoning_tokens": completion.reasoning or 0},
            "total_tokens": prompt + generated,
        }
    return {
        "id": f"resp_{number}",
        "object": "response",
        "created_at": 0,
        "model": "test",
        "status": "incomplete" if completion.finish_reason else "completed",
        "incomplete_details": {"reason": completion.finish_reason} if completion.finish_reason else None,
        "output": list(made),
        "usage": usage,
        "error": None,
        "instructions": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "temperature": None,
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
    }


def calling(name: str, arguments: str = "{}", call_id: str = "call_1") -> Completion:
    """An answer that is a call."""
    return replace(Completion(), calls=[Call(name, arguments, call_id)])
