"""One response, from the events of its stream to chunks."""

from __future__ import annotations

from collections.abc import Mapping

import structlog
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseErrorEvent,
    ResponseFailedEvent,
    ResponseFunctionToolCall,
    ResponseIncompleteEvent,
    ResponseOutputItemDoneEvent,
    ResponseReasoningItem,
    ResponseRefusalDeltaEvent,
    ResponseStreamEvent,
    ResponseTextDeltaEvent,
)

from sessionactors.interfaces.llm import ChatChunk, CompletionUsage, FunctionToolCall
from sessionactors.model.errors import APIError
from sessionactors.providers.openai.chat_messages import OfferedTools
from sessionactors.providers.openai.sdk_errors import reported

log = structlog.get_logger("sessionactors.providers")


class ResponseReply:
    """What has come of one response.

    Args:
        label: of the model, for people.
        tools: what it was offered.
    """

    def __init__(self, label: str, tools: OfferedTools) -> None:
        self._label = label
        self._tools = tools
        self._thoughts: list[Mapping[str, object]] = []
        self.response_id = ""
        self.text = ""
        self.calls: list[FunctionToolCall] = []
        self.finished = False
        """It is complete, or was cut off at the limit."""

    def take(self, event: ResponseStreamEvent) -> ChatChunk:
        """Our chunk for an event; empty for those that are only a sign of life.

        Raises:
            APIError: the response failed, was withheld, or was cut off in the middle of a call.
        """
        match event:
            case ResponseTextDeltaEvent() | ResponseRefusalDeltaEvent():
                # A refusal is what the model says instead; the listener should hear it.
                self.text += event.delta
                return ChatChunk(event.delta, request_id=self.response_id)
            case ResponseOutputItemDoneEvent():
                self._keep(event.item)
            case ResponseCompletedEvent() | ResponseIncompleteEvent():
                return self._end(event.response)
            case ResponseFailedEvent():
                failed = event.response.error
                body = {"code": failed.code, "message": failed.message} if failed is not None else None
                raise reported(body, failed.message if failed is not None else "the response failed", self._label)
            case ResponseErrorEvent():
                raise reported({"code": event.code, "message": event.message}, event.message, self._label)
            case _:
                response = getattr(event, "response", None)
                self.response_id = self.response_id or getattr(response, "id", "") or ""
        return ChatChunk(request_id=self.response_id)

    def _keep(self, item: object) -> None:
        match item:
            case ResponseReasoningItem():
                kept = {"type": "reasoning", "id": item.id, "summary": [part.to_dict() for part in item.summary or ()]}
                if item.encrypted_content:
                    kept["encrypted_content"] = item.encrypted_content
                self._thoughts.append(kept)
            case ResponseFunctionToolCall():
                # The API wants the thoughts that led to a call back with it, while the call is being answered.
                of_provider: dict[str, object] = {"item": item.id} if item.id else {}
                if self._thoughts:
                    of_provider["reasoning"] = self._thoughts
                    self._thoughts = []
                extra = {"openai": of_provider} if "reasoning" in of_provider else {}
                arguments = self._tools.arguments(item.name, item.arguments or "{}")
                self.calls.append(FunctionToolCall(item.call_id, item.name, arguments, extra))
            case _:
                pass  # text has come piece by piece; what the server runs by itself is its own

    def _end(self, response: Response) -> ChatChunk:
        reason = None if response.incomplete_details is None else response.incomplete_details.reason
        if reason == "content_filter":
            raise APIError(f"{self._label}: the provider's content filter withheld the reply", retryable=False)
        if response.status == "incomplete":
            if not self.text or any(item.type == "function_call" for item in response.output or ()):
                raise APIError(
                    f"{self._label}: the reply was cut off ({reason}) before it was one: allow more max_output_tokens",
                    retryable=False,
                )
            log.warning("reply_cut_off", model=self._label, request=response.id, reason=reason)
        self.finished = True
        return ChatChunk("", tuple(self.calls), _usage(response), response.id or self.response_id)


def _usage(response: Response) -> CompletionUsage | None:
    usage = response.usage
    if usage is None:
        return None
    # The SDK builds events without checking: compatible endpoints leave the details out.
    prompt: object = usage.input_tokens_details
    made: object = usage.output_tokens_details
    return CompletionUsage(
        usage.output_tokens or 0,
        usage.input_tokens or 0,
        prompt_cached_tokens=getattr(prompt, "cached_tokens", 0) or 0,
        cache_creation_tokens=getattr(prompt, "cache_write_tokens", 0) or 0,
        reasoning_tokens=getattr(made, "reasoning_tokens", 0) or 0,
    )
