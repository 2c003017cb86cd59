"""Errors of the actor kernel.

::

    KernelError
    ├── MailboxFull               a bounded lane refused a message
    ├── BlockingAskOnLoop         a wait that could never end: blocking on the loop that must answer
    ├── AskTimeout                no reply in time; says where the message is and what the target does
    ├── AskCycle                  actors waiting for each other in a circle
    ├── OutsideHandler            ``ref.tell`` inside a handler, or an outbox used outside of one
    ├── HandlerError              a handler broke its contract (async, or returned no state)
    ├── EffectDeadlineExceeded    an effect did not end in time
    ├── EffectCancelled           an effect was cancelled by its owner
    ├── RestartsExhausted         an actor failed more often than its supervisor allows
    ├── SystemClosed              the actor system is not running (closed, or used after a fork)
    ├── NameTaken                 an actor of that name lives already
    └── InternalError             a bug in sessionactors, please report it
"""

from __future__ import annotations

import pykka


class KernelError(Exception):
    """Base of all errors of the actor kernel."""


class MailboxFull(KernelError):
    """Raised when a bounded lane refuses a message (overflow policy ``REFUSE``)."""


class BlockingAskOnLoop(KernelError, RuntimeError):
    """Raised when a blocking wait on the actor loop would wait for the actor loop itself."""


class AskTimeout(KernelError, pykka.Timeout):
    """Raised when an ask got no reply in time. The text says where the message is and what the target is doing."""


class AskCycle(KernelError, RuntimeError):
    """Raised when an ask would close a circle of actors that wait for each other."""


class OutsideHandler(KernelError, RuntimeError):
    """Raised when ``ref.tell`` is used inside a handler (use ``out.tell``), or an outbox outside of its handler."""


class HandlerError(KernelError, TypeError):
    """Raised when a handler breaks its contract: it is ``async``, or does not return the state."""


class EffectDeadlineExceeded(KernelError, TimeoutError):
    """Raised when an effect did not end within its deadline."""


class EffectCancelled(KernelError):
    """Reported for an effect that its owner cancelled and asked a report of."""


class RestartsExhausted(KernelError):
    """Raised when an actor failed more often than its supervisor's restart intensity allows."""


class SystemClosed(KernelError, RuntimeError):
    """Raised when an actor system is used before its start, after its close, or after a fork."""


class NameTaken(KernelError, ValueError):
    """Raised when an actor of that name already lives under the same parent."""


class InternalError(KernelError):
    """Raised when the kernel finds itself in an impossible state: a bug in sessionactors, please report it."""
