"""What transports, sources and sinks tell actors, from any thread: it never raises into their callbacks."""

from __future__ import annotations

from typing import TypeVar

import pykka

from sessionactors.runtime import MailboxFull, Ref, SystemClosed

M = TypeVar("M")


def tell_if_taken(ref: Ref[M], message: M) -> None:
    """Tell an actor. Who calls has nothing to learn from one that is full or gone: the kernel counts it."""
    try:
        ref.tell(message)
    except (pykka.ActorDeadError, MailboxFull, SystemClosed):
        return
