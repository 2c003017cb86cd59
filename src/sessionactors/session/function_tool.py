"""``@function_tool``: an ordinary function becomes a tool; its schema comes from the signature, or is given."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Generic, ParamSpec, Self, TypeAlias, TypeVar, cast, get_args, overload

from sessionactors.model.chat import FunctionCall
from sessionactors.model.errors import SessionActorsError, ToolDefinitionError
from sessionactors.model.tools import (
    CONFIRM_DUPLICATE_PARAM,
    DuplicateMode,
    DuplicateScope,
    JsonValue,
    ToolDefinition,
    ToolFlag,
    ToolRules,
)

from .run_context import RunContext
from .tool import Tool
from .tool_signature import RawSignature, Signature, ToolArguments, TypedSignature, summary_of

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)

ApprovalPolicy: TypeAlias = Callable[[FunctionCall], bool | Awaitable[bool]]
"""Says of a call whether somebody has to approve it; on the user's loop."""


class ToolError(SessionActorsError):
    """Raise it in a tool to give the model an error text it can work with."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class StopResponse(SessionActorsError):
    """Raise it in a tool or in ``on_user_turn_completed`` to end without a reply."""


@dataclass(frozen=True, slots=True)
class FunctionToolInfo:
    """What a tool is, in one value."""

    name: str
    description: str
    flags: ToolFlag
    on_duplicate: DuplicateMode
    duplicate_scope: DuplicateScope


class CallableTool(Tool, Generic[P, R_co]):
    """A function that a model may call. Still callable as the function it wraps."""

    def __init__(
        self,
        function: Callable[P, R_co],
        signature: Signature,
        definition: ToolDefinition,
        requires_approval: bool | ApprovalPolicy,
    ) -> None:
        self._function = function
        self._signature = signature
        self._definition = definition
        self._requires_approval = requires_approval
        self.__name__ = function.__name__
        self.__doc__ = function.__doc__

    @property
    def id(self) -> str:
        """What the model calls it."""
        return self._definition.name

    @property
    def name(self) -> str:
        """What the model calls it."""
        return self._definition.name

    @property
    def description(self) -> str:
        """What the model is told of it."""
        return self._definition.description

    @property
    def definition(self) -> ToolDefinition:
        """All of it that is plain data."""
        return self._definition

    @property
    def info(self) -> FunctionToolInfo:
        """What it is, in one value."""
        told, rules = self._definition, self._definition.rules
        return FunctionToolInfo(told.name, told.description, rules.flags, rules.on_duplicate, rules.duplicate_scope)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Call the function as if it were not a tool."""
        return self._function(*args, **kwargs)

    def __get__(self, instance: object, owner: type | None = None) -> Self:
        """As a method of an agent or a tool set: bound like any function."""
        if instance is None:
            return self
        bound = object.__new__(type(self))
        bound.__dict__.update(self.__dict__)
        bound._function = self._function.__get__(instance, owner)
        return bound

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    @property
    def is_async(self) -> bool:
        """Whether it runs on the user's loop; a plain function runs in a thread of its own."""
        return inspect.iscoroutinefunction(self._function)

    def parse(self, arguments: Mapping[str, JsonValue]) -> ToolArguments:
        """Validate the model's arguments.

        Raises:
            pydantic.ValidationError: they do not fit the signature.
        """
        return self._signature.parse({name: arguments[name] for name in arguments if name != CONFIRM_DUPLICATE_PARAM})

    async def needs_approval(self, call: FunctionCall) -> bool:
        """Whether somebody has to approve this call."""
        if isinstance(self._requires_approval, bool):
            return self._requires_approval
        answer = self._requires_approval(call)
        return bool(await answer if inspect.isawaitable(answer) else answer)

    def invoke(self, arguments: ToolArguments, context: RunContext[object]) -> object:
        """Call the function; a coroutine function gives its coroutine."""
        values = dict(arguments.values)
        if arguments.context_name is not None:
            values[arguments.context_name] = context
        return cast("Callable[..., object]", self._function)(**values)


class FunctionTool(CallableTool[P, R_co]):
    """A tool whose parameters are those of its function."""

    def __init__(
        self,
        function: Callable[P, R_co],
        *,
        name: str | None = None,
        description: str | None = None,
        rules: ToolRules | None = None,
        requires_approval: bool | ApprovalPolicy = False,
    ) -> None:
        name = name or function.__name__
        signature = TypedSignature(function, name)
        told = description if description is not None else summary_of(function)
        definition = _definition(name, told, signature.parameters, rules or ToolRules())
        super().__init__(function, signature, definition, requires_approval)


class RawFunctionTool(CallableTool[P, R_co]):
    """A tool with a schema of its own; its function takes ``raw_arguments: dict[str, object]``."""

    def __init__(
        self,
        function: Callable[P, R_co],
        *,
        raw_schema: Mapping[str, object],
        rules: ToolRules | None = None,
        requires_approval: bool | ApprovalPolicy = False,
    ) -> None:
        name, parameters = raw_schema.get("name"), raw_schema.get("parameters")
        if not isinstance(name, str) or not name:
            raise ToolDefinitionError(f"raw_schema of {function.__name__} has no name: give it one, as in OpenAI's API")
        if not isinstance(parameters, Mapping):
            raise ToolDefinitionError(f"raw_schema of tool {name!r} has no parameters: give it a JSON schema")
        signature = RawSignature(function, name, cast("Mapping[str, JsonValue]", parameters))
        told = str(raw_schema.get("description") or "")
        definition = _definition(name, told, signature.parameters, rules or ToolRules())
        super().__init__(function, signature, definition, requires_approval)


def _definition(name: str, description: str, parameters: Mapping[str, JsonValue], rules: ToolRules) -> ToolDefinition:
    if rules.on_duplicate == "confirm":
        parameters = _with_confirmation(parameters, name)
    return ToolDefinition(name, description, parameters, rules)


def _with_confirmation(parameters: Mapping[str, JsonValue], tool: str) -> Mapping[str, JsonValue]:
    properties = parameters.get("properties", {})
    if not isinstance(properties, dict):
        raise ToolDefinitionError(f"tool {tool!r}: the properties of its schema are no object")
    confirm: JsonValue = {
        "type": "boolean",
        "default": False,
        "description": "True runs it although it runs already. Only when the user has said that they want that.",
    }
    return {**parameters, "properties": {**properties, CONFIRM_DUPLICATE_PARAM: confirm}}


class _Decorator:
    """What ``@function_tool(...)`` gives: makes the tool of the function below it."""

    def __init__(
        self,
        raw_schema: Mapping[str, object] | None,
        name: str | None,
        description: str | None,
        rules: ToolRules,
        requires_approval: bool | ApprovalPolicy,
    ) -> None:
        self._raw_schema = raw_schema
        self._name = name
        self._description = description
        self._rules = rules
        self._requires_approval = requires_approval

    def __call__(self, function: Callable[P, R_co]) -> CallableTool[P, R_co]:
        if self._raw_schema is None:
            return FunctionTool(
                function,
                name=self._name,
                description=self._description,
                rules=self._rules,
                requires_approval=self._requires_approval,
            )
        schema = dict(self._raw_schema)
        if self._name is not None:
            schema["name"] = self._name
        if self._description is not None:
            schema["description"] = self._description
        return RawFunctionTool(
            function, raw_schema=schema, rules=self._rules, requires_approval=self._requires_approval
        )


@overload
def function_tool(
    function: Callable[P, R_co],
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    flags: ToolFlag = ToolFlag.NONE,
    on_duplicate: DuplicateMode = "allow",
    duplicate_scope: DuplicateScope = "name",
    timeout: float | None = None,
    requires_approval: bool | ApprovalPolicy = False,
    approval_timeout: float = 60.0,
) -> FunctionTool[P, R_co]: ...
@overload
def function_tool(
    function: Callable[P, R_co],
    /,
    *,
    raw_schema: Mapping[str, object],
    name: str | None = None,
    description: str | None = None,
    flags: ToolFlag = ToolFlag.NONE,
    on_duplicate: DuplicateMode = "allow",
    duplicate_scope: DuplicateScope = "name",
    timeout: float | None = None,
    requires_approval: bool | ApprovalPolicy = False,
    approval_timeout: float = 60.0,
) -> RawFunctionTool[P, R_co]: ...
@overload
def function_tool(
    *,
    name: str | None = None,
    description: str | None = None,
    flags: ToolFlag = ToolFlag.NONE,
    on_duplicate: DuplicateMode = "allow",
    duplicate_scope: DuplicateScope = "name",
    timeout: float | None = None,
    requires_approval: bool | ApprovalPolicy = False,
    approval_timeout: float = 60.0,
) -> Callable[[Callable[P, R_co]], FunctionTool[P, R_co]]: ...
@overload
def function_tool(
    *,
    raw_schema: Mapping[str, object],
    name: str | None = None,
    description: str | None = None,
    flags: ToolFlag = ToolFlag.NONE,
    on_duplicate: DuplicateMode = "allow",
    duplicate_scope: DuplicateScope = "name",
    timeout: float | None = None,
    requires_approval: bool | ApprovalPolicy = False,
    approval_timeout: float = 60.0,
) -> Callable[[Callable[P, R_co]], RawFunctionTool[P, R_co]]: ...
def function_tool(
    function: Callable[P, R_co] | None = None,
    /,
    *,
    raw_schema: Mapping[str, object] | None = None,
    name: str | None = None,
    description: str | None = None,
    flags: ToolFlag = ToolFlag.NONE,
    on_duplicate: DuplicateMode = "allow",
    duplicate_scope: DuplicateScope = "name",
    timeout: float | None = None,
    requires_approval: bool | ApprovalPolicy = False,
    approval_timeout: float = 60.0,
) -> CallableTool[P, R_co] | Callable[[Callable[P, R_co]], CallableTool[P, R_co]]:
    """Make a function (or a method of an agent or a tool set) a tool.

    Args:
        function: the function, when used without parentheses. Every parameter needs a type; one typed
            ``RunContext`` receives the context of the call and is not shown to the model.
        raw_schema: name, description and JSON schema of the parameters, in OpenAI's format, instead of what the
            signature says; the function then takes ``raw_arguments: dict[str, object]``.
        name: what the model calls it; the function's name if not given.
        description: what the model is told; the docstring's text if not given, its ``Args`` describe the parameters.
        flags: what is special about it.
        on_duplicate: what becomes of a call while the tool runs already: it runs too, is rejected, replaces the
            running one (which has to be ``CANCELLABLE``), or has to be confirmed by the model.
        duplicate_scope: whether any running call of the tool counts, or only one with the same arguments.
        timeout: seconds > 0 after which a call is cancelled and fails; None: it may take as long as it likes.
        requires_approval: True, or a policy that says of each call whether somebody has to approve it before it runs
            (see ``session.pending_approvals``).
        approval_timeout: seconds > 0 after which a call that nobody approved fails.

    Raises:
        ToolDefinitionError: a parameter has no type, is positional-only or variadic, or its type has no JSON schema;
            a rule is unknown or out of range.
    """
    if on_duplicate not in get_args(DuplicateMode):
        raise ToolDefinitionError(f"on_duplicate must be one of {get_args(DuplicateMode)}, got {on_duplicate!r}")
    if duplicate_scope not in get_args(DuplicateScope):
        raise ToolDefinitionError(f"duplicate_scope must be one of {get_args(DuplicateScope)}, got {duplicate_scope!r}")
    for option, seconds in (("timeout", timeout), ("approval_timeout", approval_timeout)):
        if seconds is not None and not seconds > 0:
            raise ToolDefinitionError(f"{option} must be more than 0 seconds, got {seconds}")
    rules = ToolRules(
        flags=flags,
        on_duplicate=on_duplicate,
        duplicate_scope=duplicate_scope,
        timeout=timeout,
        approval_within=approval_timeout,
    )
    decorate = _Decorator(raw_schema, name, description, rules, requires_approval)
    return decorate(function) if function is not None else decorate
