"""The one file that goes around what Pykka has no seam for.

Pykka's seams (`_create_actor_inbox`, `_create_future`, `_start_actor_loop`, `_handle_receive`) carry our mailbox,
future, dispatcher and message handling. By-passed here, each listed in ``docs/pykka.md`` with its test:

* ``Actor.__init__``: makes a thread event (1.6 kB), a random URN (3 us) and a weak ref for every actor;
* ``Actor.start``: registers in a process-wide list, returns a ref also when ``on_start`` failed, and owns nothing;
* the inline ``try`` of ``_actor_loop_running``: any ``BaseException`` there stops every actor of the process.
"""

from __future__ import annotations

import threading
from typing import NoReturn, cast

import pykka

from .envelope import Envelope
from .future import KernelFuture
from .mailbox import Mailbox


class StoppedFlag:
    """The part of ``threading.Event`` that Pykka and its users look at; a real event is made when somebody waits."""

    __slots__ = ("_event", "_lock", "_set")

    _guard = threading.Lock()

    def __init__(self) -> None:
        self._set = False
        self._event: threading.Event | None = None

    def is_set(self) -> bool:
        """Whether the actor has ended."""
        return self._set

    def set(self) -> None:
        """The actor has ended."""
        with self._guard:
            self._set = True
            if self._event is not None:
                self._event.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Block this thread until the actor has ended."""
        with self._guard:
            if self._set:
                return True
            if self._event is None:
                self._event = threading.Event()
        return self._event.wait(timeout)


class Inbox:
    """Pykka's inbox protocol over a cell's mailbox: only ``put`` and ``empty``; the dispatcher takes messages."""

    __slots__ = ("_cell",)

    def __init__(self, cell: PykkaCell) -> None:
        self._cell = cell

    def put(self, envelope: object, /) -> None:
        """Deliver an envelope that stock Pykka code made."""
        self._cell.put_foreign(envelope)

    def get(self) -> NoReturn:
        """Not available: nobody blocks on a mailbox here."""
        raise TypeError("the dispatcher takes messages from this mailbox; nobody may block on it")

    def empty(self) -> bool:
        """Whether nothing waits."""
        mailbox = self._cell.mailbox
        return not mailbox.control and not mailbox.data


class PykkaCell(pykka.Actor):
    """A Pykka actor without Pykka's thread, registry entry and random name."""

    __slots__ = ("_actor_ref", "actor_inbox", "actor_stopped", "actor_urn", "mailbox")

    mailbox: Mailbox

    def __init__(self, urn: str, mailbox: Mailbox) -> None:
        # Not super().__init__(): see the module text.
        self.mailbox = mailbox
        self.actor_urn = urn
        self.actor_inbox = cast("pykka._actor.ActorInbox", Inbox(self))
        self.actor_stopped = cast("threading.Event", StoppedFlag())

    @staticmethod
    def _create_actor_inbox() -> NoReturn:
        raise TypeError("cells get their mailbox from the actor system: use ActorSystem.spawn()")

    @staticmethod
    def _create_future() -> KernelFuture:
        return KernelFuture()

    @classmethod
    def start(cls, *_args: object, **_kwargs: object) -> NoReturn:
        """Not available: an actor needs a system that owns it."""
        raise TypeError("use ActorSystem.spawn() or out.spawn(): an actor needs a system that owns it")

    def _start_actor_loop(self) -> None:
        raise TypeError("cells are run by the dispatcher of their actor system")

    def put_foreign(self, envelope: object) -> None:
        """Deliver what stock Pykka code put into the inbox."""
        raise NotImplementedError

    def _handle_receive(self, message: object) -> NoReturn:
        raise TypeError(f"{message!r}: cells handle envelopes, not bare messages")


__all__ = ["Envelope", "Inbox", "PykkaCell", "StoppedFlag"]
