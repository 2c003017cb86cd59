"""Servers that have tools to call: what a set of tools needs of one, whatever it speaks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sessionactors.model.tools import JsonValue


@dataclass(frozen=True, slots=True)
class ServedTool:
    """A tool of a server."""

    name: str
    description: str
    parameters: Mapping[str, JsonValue]
    """JSON schema of the arguments object."""


@dataclass(frozen=True, slots=True)
class ServedAnswer:
    """What a call gave."""

    text: str
    is_error: bool = False


class ToolServer(ABC):
    """A connection to a server with tools. Used on the user's loop."""

    @abstractmethod
    async def connect(self) -> None:
        """Connect; does nothing when it is connected.

        Raises:
            APIConnectionError: it cannot be reached, or its answer is not understood.
            APITimeoutError: it does not answer in time.
        """

    @abstractmethod
    async def list_tools(self) -> Sequence[ServedTool]:
        """The tools it has now.

        Raises:
            APIError: as for :meth:`connect`.
        """

    @abstractmethod
    async def call(self, tool: str, arguments: Mapping[str, JsonValue]) -> ServedAnswer:
        """Call a tool, connecting anew if the connection was lost before.

        Raises:
            APIError: as for :meth:`connect`; what the tool did is unknown then.
        """

    @abstractmethod
    def when_changed(self, call: Callable[[], None]) -> None:
        """Call back when its tools have become others."""

    @abstractmethod
    async def aclose(self) -> None:
        """Disconnect, and end what was started for it. Safe to call twice."""
