"""What the checks have to know of a provider: how to make one, what it can do, and which faults can be brought on.

A rig is written once for a provider. Its ``open`` is an async context manager: it starts what the provider talks to
(a local server that speaks the vendor's protocol, or nothing, for a test against the real one), and gives a provider
that is closed by the check.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import ClassVar, Generic, Protocol, TypeVar

from .fault import Fault


class Closable(Protocol):
    """What every provider has."""

    async def aclose(self) -> None:
        """Release all that it holds."""


P = TypeVar("P", bound=Closable)


@dataclass(frozen=True, kw_only=True)
class Rig(Generic[P]):
    """One provider, as the checks want it.

    Args:
        name: of the provider, for the table.
        open: gives a new provider whose backend has this fault; None: none. Its argument is one of ``faults``.
        faults: those that ``open`` can bring on; checks of the others do not apply.
        patience: seconds in which the provider must have answered, failed or ended; what hangs is waited for so long.
        secret: the key that ``open`` gives to the provider. It must not be in any error.
        connections: how many connections were made to the backend since ``open``; None: nobody counts them.
        most_connections: how many one request may make at most, retries of the SDK included.
        rounds: how many requests are made where many are: leaks show by their number.
        loop_factory: makes the loop on which a check runs, such as ``VirtualLoop``; None: asyncio's own.
        waived: checks that say nothing about this provider, by name, with the reason.
    """

    kind: ClassVar[str]
    """``llm``, ``stt``, ...: which checks there are."""

    name: str
    open: Callable[[Fault | None], AbstractAsyncContextManager[P]]
    faults: frozenset[Fault] = frozenset()
    patience: float = 2.0
    secret: str = ""
    connections: Callable[[], int] | None = None
    most_connections: int = 4
    rounds: int = 8
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    waived: Mapping[str, str] = field(default_factory=dict)

    @asynccontextmanager
    async def opened(self, fault: Fault | None = None) -> AsyncIterator[P]:
        """A provider for a check, closed afterwards."""
        async with self.open(fault) as provider:
            try:
                yield provider
            finally:
                await provider.aclose()

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, kw_only=True)
class RequestRig(Rig[P], ABC):
    """A provider that is asked and answers, piece by piece."""

    @abstractmethod
    def ask(self, provider: P) -> AsyncGenerator[object, None]:
        """One ordinary request, as long as it is read. What it needs is closed with it."""

    @abstractmethod
    def is_answer(self, item: object) -> bool:
        """Whether what ``ask`` yielded is a piece of the answer: words, sound."""

    @abstractmethod
    def is_whole(self, items: list[object]) -> str:
        """What is wrong with the answer to ``ask`` on a healthy backend; empty: nothing."""
