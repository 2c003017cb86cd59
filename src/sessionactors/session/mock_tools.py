"""``mock_tools``: other functions in place of an agent's tools, in tests. The model goes on seeing the real ones.

Whether a call is mocked is looked up when the tool is called, so it does not matter when the session was started.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Final, TypeAlias, overload

from sessionactors.model.errors import OptionError

if TYPE_CHECKING:
    from .agent import Agent
    from .agent_session import AgentSession
    from .tool_signature import ToolArguments

Mock: TypeAlias = Callable[..., object]
"""Takes any of the tool's parameters by name; may be ``async``, may raise and return whatever a tool may."""

_entered: Final[list[tuple[type[Agent], Mapping[str, Mock]]]] = []
"""Of the ``with`` blocks of this process that are open, the innermost last."""


@overload
def mock_tools(agent: type[Agent], mocks: Mapping[str, Mock]) -> AbstractContextManager[None]: ...
@overload
def mock_tools(agent: type[Agent], mocks: Mapping[str, Mock], *, session: AgentSession[object]) -> None: ...
def mock_tools(
    agent: type[Agent], mocks: Mapping[str, Mock], *, session: AgentSession[object] | None = None
) -> AbstractContextManager[None] | None:
    """Let other functions answer for an agent's tools.

    Args:
        agent: whose tools; its subclasses' too.
        mocks: by name of the tool. A mock need not take all parameters of the tool.
        session: only there, until it is called again (``{}``: no mocks). Without, the mocks hold for every session of
            the process, inside a ``with`` block, and go before those of a session.

    Raises:
        OptionError: a mock cannot be called.
    """
    for name, mock in mocks.items():
        if not callable(mock):
            raise OptionError(f"the mock of {name!r} must be a function, got {mock!r}")
    if session is None:
        return _block(agent, dict(mocks))
    session._tool_mocks[agent] = dict(mocks)
    return None


@contextmanager
def _block(agent: type[Agent], mocks: Mapping[str, Mock]) -> Iterator[None]:
    entry = (agent, mocks)
    _entered.append(entry)
    try:
        yield
    finally:
        _entered.remove(entry)


def mock_of(agent: Agent, session: AgentSession[object], tool: str) -> Mock | None:
    """What answers instead of a tool, if something does."""
    layers = [*reversed(_entered), *session._tool_mocks.items()]
    return next((mocks[tool] for kind, mocks in layers if isinstance(agent, kind) and tool in mocks), None)


async def call_mock(mock: Mock, arguments: ToolArguments, context: object) -> object:
    """Call it with those of the arguments that it takes."""
    values: dict[str, object] = dict(arguments.values)
    if arguments.context_name is not None:
        values[arguments.context_name] = context
    parameters = inspect.signature(mock).parameters.values()
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        taken = {parameter.name for parameter in parameters}
        values = {name: value for name, value in values.items() if name in taken}
    result = mock(**values)
    return await result if inspect.isawaitable(result) else result
