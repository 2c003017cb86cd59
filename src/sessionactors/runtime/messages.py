"""Messages that the kernel itself sends: to a cell on its system queue, and to actors about other actors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from .future import KernelFuture


@dataclass(frozen=True, slots=True)
class Stop:
    """End the actor now; what waits in its mailbox is accounted as waiting at close."""

    reason: str = "stopped"
    reply_to: KernelFuture | None = None


@dataclass(frozen=True, slots=True)
class Suspend:
    """Handle nothing but system messages until :class:`Resume`."""

    reply_to: KernelFuture | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """Handle exactly one waiting message, then stay suspended."""

    reply_to: KernelFuture | None = None


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on after :class:`Suspend`."""

    reply_to: KernelFuture | None = None


@dataclass(frozen=True, slots=True)
class Kill:
    """Fail as if a handler had raised: for tests, fault injection and debugging."""

    error: BaseException
    reply_to: KernelFuture | None = None


SystemMessage: TypeAlias = Stop | Suspend | Step | Resume | Kill


@dataclass(frozen=True, slots=True)
class Terminated:
    """A watched actor ended."""

    path: str
    reason: str
    """``stopped``, or what failed."""
    error: BaseException | None = None
    """The failure, if it did not end on purpose."""
