"""``@function_tool``: an ordinary function becomes a tool; its schema comes from the signature."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, ParamSpec, TypeVar, cast, get_origin, get_type_hints, overload

import docstring_parser
import pydantic
from pydantic.fields import FieldInfo

from sessionactors.model.errors import SessionActorsError, ToolDefinitionError
from sessionactors.model.tools import JsonValue, ToolDefinition

from .run_context import RunContext

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)


class ToolError(SessionActorsError):
    """Raise it in a tool to give the model an error text it can work with."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class StopResponse(SessionActorsError):
    """Raise it in a tool or in ``on_user_turn_completed`` to end without a reply."""


@dataclass(frozen=True, slots=True)
class ToolArguments:
    """Validated arguments of one call."""

    values: Mapping[str, object]
    context_name: str | None
    """Parameter that takes the :class:`RunContext`."""


class FunctionTool(Generic[P, R_co]):
    """A function that a model may call. Still callable as the function it wraps."""

    def __init__(self, function: Callable[P, R_co], *, name: str | None, description: str | None) -> None:
        self._function = function
        self.__name__ = function.__name__
        self.__doc__ = function.__doc__
        parsed = docstring_parser.parse(inspect.getdoc(function) or "")
        self.name = name or function.__name__
        self._context_name, self._model = _arguments_model(function, self.name, parsed)
        described = " ".join(part for part in (parsed.short_description, parsed.long_description) if part)
        self.description = description if description is not None else described
        self.definition = ToolDefinition(self.name, self.description, _schema(self._model, self.name))

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Call the function as if it were not a tool."""
        return self._function(*args, **kwargs)

    def __get__(self, instance: object, owner: type | None = None) -> FunctionTool[..., R_co]:
        """As a method of an agent: bound like any function."""
        if instance is None:
            return self
        bound = object.__new__(FunctionTool)
        bound.__dict__.update(self.__dict__)
        bound._function = self._function.__get__(instance, owner)
        return cast("FunctionTool[..., R_co]", bound)

    def __repr__(self) -> str:
        return f"<FunctionTool {self.name}>"

    @property
    def is_async(self) -> bool:
        """Whether it runs on the user's loop; a plain function runs in a thread of its own."""
        return inspect.iscoroutinefunction(self._function)

    def parse(self, arguments: str) -> ToolArguments:
        """Validate the model's arguments.

        Raises:
            pydantic.ValidationError: they do not fit the signature.
        """
        parsed = self._model.model_validate_json(arguments or "{}")
        return ToolArguments({name: getattr(parsed, name) for name in type(parsed).model_fields}, self._context_name)

    def invoke(self, arguments: ToolArguments, context: RunContext[object]) -> object:
        """Call the function; a coroutine function gives its coroutine."""
        values = dict(arguments.values)
        if arguments.context_name is not None:
            values[arguments.context_name] = context
        function = cast("Callable[..., object]", self._function)
        return function(**values)


@overload
def function_tool(function: Callable[P, R_co], /) -> FunctionTool[P, R_co]: ...
@overload
def function_tool(
    *, name: str | None = None, description: str | None = None
) -> Callable[[Callable[P, R_co]], FunctionTool[P, R_co]]: ...
def function_tool(
    function: Callable[P, R_co] | None = None, /, *, name: str | None = None, description: str | None = None
) -> FunctionTool[P, R_co] | Callable[[Callable[P, R_co]], FunctionTool[P, R_co]]:
    """Make a function (or a method of an agent) a tool.

    Args:
        function: the function, when used without parentheses. Every parameter needs a type; one typed
            ``RunContext`` receives the context of the call and is not shown to the model.
        name: what the model calls it; the function's name if not given.
        description: what the model is told; the docstring's text if not given, its ``Args`` describe the parameters.

    Raises:
        ToolDefinitionError: a parameter has no type, is positional-only or variadic, or its type has no JSON schema.
    """
    if function is not None:
        return FunctionTool(function, name=name, description=description)
    return lambda wrapped: FunctionTool(wrapped, name=name, description=description)


def _arguments_model(
    function: Callable[..., object], tool: str, parsed: docstring_parser.Docstring
) -> tuple[str | None, type[pydantic.BaseModel]]:
    described = {parameter.arg_name: parameter.description for parameter in parsed.params}
    try:
        hints = get_type_hints(function, include_extras=True)
    except NameError as error:
        raise ToolDefinitionError(f"tool {tool!r}: a type of its signature cannot be resolved: {error}") from error
    context_name: str | None = None
    fields: dict[str, tuple[object, FieldInfo]] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if name in ("self", "cls") and name not in hints:
            continue
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise ToolDefinitionError(
                f"tool {tool!r}: parameter {parameter} is {parameter.kind.description}; a model names each argument, "
                "so use ordinary or keyword-only parameters"
            )
        if name not in hints:
            raise ToolDefinitionError(
                f"tool {tool!r}: parameter {name!r} has no type; write it as in `{name}: str`, so that the model knows"
            )
        hint = hints[name]
        if hint is RunContext or get_origin(hint) is RunContext:
            context_name = name
            continue
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[name] = (hint, pydantic.Field(default=default, description=described.get(name)))
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
