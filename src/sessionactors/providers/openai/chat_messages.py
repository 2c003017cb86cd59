"""A chat context and its tools, typed as the SDK wants them in a chat completion request. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from openai.types.chat import ChatCompletionFunctionToolParam, ChatCompletionMessageParam

from sessionactors.model.chat import ChatItem
from sessionactors.model.provider_format import openai_messages
from sessionactors.model.tools import ToolDefinition

from .strict_schema import StrictSchema, strict, without_nulls


def to_messages(items: Iterable[ChatItem], *, developer_role: bool = True) -> list[ChatCompletionMessageParam]:
    """The messages for these items, in order.

    Args:
        items: a context.
        developer_role: whether the endpoint knows the role ``developer``; without, ``system`` takes its place.
    """
    return cast("list[ChatCompletionMessageParam]", openai_messages(items, developer_role=developer_role))


class OfferedTools:
    """The tools of one request, and how to read the arguments that come back.

    Args:
        tools: their definitions; those that the server runs are sent as their definition says.
        strict: offer them in strict mode, where their schema can be said in it.
    """

    def __init__(self, tools: Iterable[ToolDefinition], *, strict: bool = False) -> None:
        self._strict: dict[str, StrictSchema] = {}
        self.offered: list[ChatCompletionFunctionToolParam] = [self._offer(tool, strict=strict) for tool in tools]

    def _offer(self, tool: ToolDefinition, *, strict: bool) -> ChatCompletionFunctionToolParam:
        if tool.server_side:
            return cast("ChatCompletionFunctionToolParam", dict(tool.server_side))
        schema = self.strict_form(tool) if strict else None
        if schema is None:
            return {
                "type": "function",
                "function": {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)},
            }
        return {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": dict(schema.schema),
                "strict": True,
            },
        }

    def strict_form(self, tool: ToolDefinition) -> StrictSchema | None:
        """The schema of a tool in strict mode, remembered for what comes back; None: it has none."""
        schema = strict(tool.parameters)
        if schema is not None:
            self._strict[tool.name] = schema
        return schema

    def arguments(self, tool: str, arguments: str) -> str:
        """What the model sent, as the tool wants it."""
        schema = self._strict.get(tool)
        return arguments if schema is None else without_nulls(arguments, schema.optional)
