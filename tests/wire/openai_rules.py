"""What OpenAI's API refuses, from its public reference and the types of its SDK: enough to catch a wrong request."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, get_origin, get_type_hints

from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming
from openai.types.responses.response_create_params import ResponseCreateParamsStreaming
from pydantic import TypeAdapter, ValidationError

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class RefusedError(Exception):
    """Raised when the API would answer with 400."""

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


@cache
def _fields(params: type) -> Mapping[str, TypeAdapter[Any] | None]:
    """Every parameter; with what its value must be where that is not a long list of items."""
    hints = get_type_hints(params)
    plain = {"model", "messages", "input", "tools", "tool_choice", "functions", "text", "response_format", "file"}
    return {
        name: None if name in plain or get_origin(hint) is Sequence else TypeAdapter(hint)
        for name, hint in hints.items()
    }


def check_fields(body: Mapping[str, Any], params: type) -> None:
    """All parameters are known, and of their type.

    Raises:
        RefusedError: one is not.
    """
    fields = _fields(params)
    for name, value in body.items():
        if name not in fields:
            raise RefusedError(f"Unknown parameter: '{name}'.", "unknown_parameter")
        if (adapter := fields[name]) is not None:
            try:
                adapter.validate_python(value, strict=True)
            except ValidationError as error:
                raise RefusedError(f"Invalid value for '{name}': {error}", "invalid_value") from None


def check_chat(body: Mapping[str, Any]) -> None:
    """A request for a chat completion.

    Raises:
        RefusedError: it is wrong.
    """
    check_fields(body, CompletionCreateParamsStreaming)
    _check_messages(body.get("messages"))
    for tool in body.get("tools") or []:
        check_function(tool.get("function") or {})
    _check_reasoning(body, body.get("reasoning_effort"))


def _check_messages(messages: Any) -> None:
    if not messages:
        raise RefusedError("Invalid 'messages': empty array.")
    open_calls: set[str] = set()
    for place, message in enumerate(messages):
        role = message.get("role")
        if role not in ("developer", "system", "user", "assistant", "tool"):
            raise RefusedError(f"Invalid value: '{role}' for messages[{place}].role")
        if role == "tool":
            if message.get("tool_call_id") not in open_calls:
                raise RefusedError(
                    f"messages[{place}]: 'tool' must be a response to a preceding message with 'tool_calls'"
                )
            open_calls.discard(message["tool_call_id"])
            continue
        if open_calls:
            raise RefusedError("An assistant message with 'tool_calls' must be followed by tool messages")
        calls = message.get("tool_calls") or []
        if message.get("content") is None and not calls:
            raise RefusedError(f"Invalid value for 'content' of messages[{place}]: null")
        for part in message["content"] if isinstance(message.get("content"), list) else []:
            if part["type"] not in ("text", "image_url"):
                raise RefusedError(f"Invalid content type '{part['type']}'")
        open_calls = {call["id"] for call in calls}
        if len(open_calls) != len(calls) or any(len(call["id"]) > 40 for call in calls):
            raise RefusedError(f"messages[{place}]: ids of tool calls must be unique and of 40 characters at most")
    if open_calls:
        raise RefusedError("An assistant message with 'tool_calls' must be followed by tool messages")


def check_responses(body: Mapping[str, Any]) -> None:
    """A request to the Responses API.

    Raises:
        RefusedError: it is wrong.
    """
    check_fields(body, ResponseCreateParamsStreaming)
    for tool in body.get("tools") or []:
        if tool["type"] == "function":
            check_function(tool)
    _check_reasoning(body, (body.get("reasoning") or {}).get("effort"))
    last = ""
    for item in body["input"]:
        if last == "reasoning" and item.get("type", "message") == "function_call_output":
            raise RefusedError("Item of type 'reasoning' was provided without its required following item.")
        last = item.get("type", "message")


def _check_reasoning(body: Mapping[str, Any], effort: object) -> None:
    model = str(body["model"])
    if body.get("tool_choice") and not body.get("tools"):
        raise RefusedError("'tool_choice' is only allowed when 'tools' are specified.")
    if body.get("parallel_tool_calls") is not None and not body.get("tools"):
        raise RefusedError("'parallel_tool_calls' is only allowed when 'tools' are specified.")
    if not model.startswith(("o1", "o3", "o4", "gpt-5")):
        if effort is not None:
            raise RefusedError("Unrecognized request argument supplied: reasoning_effort")
        return
    if effort != "none" and {"temperature", "top_p"} & body.keys():
        raise RefusedError("Unsupported parameter: 'temperature' is not supported with this model.")
    if "max_tokens" in body:
        raise RefusedError("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")


def check_function(function: Mapping[str, Any]) -> None:
    """A tool's definition; in strict mode every object is closed and every property required."""
    if not NAME.fullmatch(function.get("name", "")):
        raise RefusedError(f"Invalid function name {function.get('name')!r}")
    if function.get("strict"):
        parameters = function["parameters"]
        _check_strict(parameters, function["name"])
        for definition in (parameters.get("$defs") or {}).values():
            _check_strict(definition, function["name"])


def _check_strict(schema: Any, name: str) -> None:
    wrong = f"Invalid schema for function '{name}': {json.dumps(schema)}"
    unknown = {"default", "oneOf", "allOf", "not", "title", "minLength", "maxLength"} & schema.keys()
    if unknown or ("$ref" in schema and len(schema) > 1):
        raise RefusedError(f"{wrong}: {unknown or '$ref'} is not permitted", "invalid_function_parameters")
    if schema.get("type") == "object":
        properties = schema.get("properties", {})
        if schema.get("additionalProperties") is not False or sorted(schema.get("required", [])) != sorted(properties):
            raise RefusedError(f"{wrong}: 'additionalProperties' must be false and all be required")
        for value in properties.values():
            _check_strict(value, name)
    for value in schema.get("anyOf", []):
        _check_strict(value, name)
    if schema.get("type") == "array":
        _check_strict(schema["items"], name)
    if not {"type", "anyOf", "enum", "const", "$ref"} & schema.keys():
        raise RefusedError(f"{wrong}: schema must have a 'type' key", "invalid_function_parameters")
