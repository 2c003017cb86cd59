"""From a function's signature to what a model is told, and back from what it sends. pydantic does the work."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, cast, get_origin, get_type_hints

import docstring_parser
import pydantic
from pydantic.fields import FieldInfo

from sessionactors.model.errors import ToolDefinitionError
from sessionactors.model.tool_arguments import canonical_json
from sessionactors.model.tools import JsonValue

from .run_context import RunContext

RAW_ARGUMENTS = "raw_arguments"
"""Parameter of a function with a schema of its own: it gets all arguments as one dict."""


@dataclass(frozen=True, slots=True)
class ToolArguments:
    """Validated arguments of one call."""

    values: Mapping[str, object]
    context_name: str | None
    """Parameter that takes the :class:`RunContext`."""
    canonical: str
    """As JSON with sorted keys, defaults included: equal for calls that mean the same."""


class Signature(Protocol):
    """What a tool takes."""

    parameters: Mapping[str, JsonValue]
    """JSON schema of the arguments object."""

    def parse(self, arguments: Mapping[str, JsonValue]) -> ToolArguments:
        """Validate what a model sent.

        Raises:
            pydantic.ValidationError: it does not fit.
        """
        ...


class TypedSignature:
    """Parameters described by their types, defaults and the docstring's ``Args``."""

    def __init__(self, function: Callable[..., object], tool: str) -> None:
        parsed = docstring_parser.parse(inspect.getdoc(function) or "")
        described = {parameter.arg_name: parameter.description for parameter in parsed.params}
        self._context_name, self._model = _model(function, tool, described)
        self.parameters: Mapping[str, JsonValue] = _schema(self._model, tool)

    def parse(self, arguments: Mapping[str, JsonValue]) -> ToolArguments:
        """Validate what a model sent."""
        parsed = self._model.model_validate_json(canonical_json(arguments))
        values = {name: getattr(parsed, name) for name in type(parsed).model_fields}
        return ToolArguments(values, self._context_name, _canonical(parsed, arguments))


class RawSignature:
    """A schema given as it is; the function takes ``raw_arguments: dict``, and a ``RunContext`` if it wants one."""

    def __init__(self, function: Callable[..., object], tool: str, parameters: Mapping[str, JsonValue]) -> None:
        self.parameters = parameters
        self._context_name: str | None = None
        takes_arguments = False
        hints = _hints(function, tool)
        for name, parameter in _parameters(function, hints):
            if name == RAW_ARGUMENTS:
                takes_arguments = True
            elif is_context(hints.get(name)):
                self._context_name = name
            elif parameter.default is parameter.empty:
                raise ToolDefinitionError(
                    f"tool {tool!r}: with raw_schema a function takes `raw_arguments: dict[str, object]` and, if it "
                    f"wants one, a RunContext; {name!r} is neither"
                )
        if not takes_arguments:
            raise ToolDefinitionError(f"tool {tool!r}: with raw_schema a function needs a parameter `raw_arguments`")

    def parse(self, arguments: Mapping[str, JsonValue]) -> ToolArguments:
        """What the model sent, unchecked: the schema is not ours."""
        return ToolArguments({RAW_ARGUMENTS: dict(arguments)}, self._context_name, canonical_json(arguments))


def summary_of(function: Callable[..., object]) -> str:
    """What a docstring says before its sections."""
    parsed = docstring_parser.parse(inspect.getdoc(function) or "")
    return " ".join(part for part in (parsed.short_description, parsed.long_description) if part)


def is_context(hint: object) -> bool:
    """Whether a parameter of this type takes the context of the call."""
    return hint is RunContext or get_origin(hint) is RunContext


def _hints(function: Callable[..., object], tool: str) -> dict[str, object]:
    try:
        return get_type_hints(function, include_extras=True)
    except NameError as error:
        raise ToolDefinitionError(f"tool {tool!r}: a type of its signature cannot be resolved: {error}") from error


def _parameters(function: Callable[..., object], hints: Mapping[str, object]) -> list[tuple[str, inspect.Parameter]]:
    return [
        (name, parameter)
        for name, parameter in inspect.signature(function).parameters.items()
        if name in hints or name not in ("self", "cls")
    ]


def _model(
    function: Callable[..., object], tool: str, described: Mapping[str, str | None]
) -> tuple[str | None, type[pydantic.BaseModel]]:
    hints = _hints(function, tool)
    context_name: str | None = None
    fields: dict[str, tuple[object, FieldInfo]] = {}
    for name, parameter in _parameters(function, hints):
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise ToolDefinitionError(
                f"tool {tool!r}: parameter {parameter} is {parameter.kind.description}; a model names each argument, "
                "so use ordinary or keyword-only parameters"
            )
        if name not in hints:
            raise ToolDefinitionError(
                f"tool {tool!r}: parameter {name!r} has no type; write it as in `{name}: str`, so that the model knows"
            )
        if is_context(hints[name]):
            context_name = name
            continue
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[name] = (hints[name], pydantic.Field(default=default, description=described.get(name)))
    try:
        model = pydantic.create_model(  # type: ignore[call-overload]
            f"{tool}_arguments", __config__=pydantic.ConfigDict(extra="forbid"), **fields
        )
    except pydantic.errors.PydanticSchemaGenerationError as error:
        raise ToolDefinitionError(f"tool {tool!r}: a parameter's type has no JSON schema: {error}") from error
    return context_name, cast("type[pydantic.BaseModel]", model)


def _schema(model: type[pydantic.BaseModel], tool: str) -> Mapping[str, JsonValue]:
    try:
        schema = model.model_json_schema()
    except pydantic.errors.PydanticInvalidForJsonSchema as error:
        raise ToolDefinitionError(f"tool {tool!r}: a parameter's type has no JSON schema: {error}") from error
    schema.pop("title", None)
    for described in schema.get("properties", {}).values():
        described.pop("title", None)
    return schema


def _canonical(parsed: pydantic.BaseModel, sent: Mapping[str, JsonValue]) -> str:
    try:
        return canonical_json(parsed.model_dump(mode="json"))
    except (ValueError, TypeError):  # a value that JSON cannot say (pydantic's serialisation errors are ValueErrors)
        return canonical_json(sent)
