"""What a journal holds: one record for each thing that a witness of a session's tree was told.

Some say what came from outside (:data:`Cause`) and whose turn it was (:data:`Turn`): all that is needed to run the
session again. The others say what followed, as digests, and are what the new run is compared with. ``bytes`` are values
as the encoder of the journal wrote them; times are of the kernel clock, in nanoseconds; ``path`` names the actor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from sessionactors.runtime.witness import Fate, Happening, Hook


@dataclass(frozen=True, slots=True)
class Opened:
    """The session begins: always the first."""

    room: str
    actor: str
    """Class of the root actor, ``module:name``."""
    arguments: bytes
    """What its object was made of: the attributes by name."""
    at: int
    wall: float
    """Seconds since the epoch at ``at``."""
    seed: int
    """Of the actor system: the room's random numbers follow from it and its name."""


@dataclass(frozen=True, slots=True)
class Effected:
    """Which effect of an actor: its key, and which of them if several of that key have not ended."""

    key: str
    place: int
    """-1: the one in force; else among those that are ending, oldest first."""


@dataclass(frozen=True, slots=True)
class Entered:
    """A message from outside is put into a mailbox."""

    path: str
    id: int
    cause: int
    sender: str
    turn: str
    at: int
    type: str
    """Class of the message, ``module:name``."""
    message: bytes
    asked: bool = False
    deadline: int | None = None
    """Of an ask."""
    timer: str | None = None
    """Key of the timer that it is of."""
    generation: int = 0
    effect: Effected | None = None
    """The effect in whose window it is."""
    reserved: bool = False
    """It has a place in a full lane."""


@dataclass(frozen=True, slots=True)
class Ordered:
    """A system message from outside reaches a cell."""

    path: str
    order: str
    """``Stop``, ``Suspend``, ``Step``, ``Resume`` or ``Kill``."""
    reason: bytes = b""
    """Of a stop its reason, of a kill its error."""


@dataclass(frozen=True, slots=True)
class Happened:
    """The clock, the end of a coroutine or a caller has changed a cell."""

    path: str
    what: Happening
    at: int
    effect: Effected | None = None


@dataclass(frozen=True, slots=True)
class Named:
    """Somebody outside of the handlers took a name."""

    name: str


@dataclass(frozen=True, slots=True)
class Obeyed:
    """A cell serves a system message."""

    path: str
    order: str


@dataclass(frozen=True, slots=True)
class Taken:
    """An actor's own thread has got a message."""

    path: str
    id: int
    at: int


@dataclass(frozen=True, slots=True)
class Handled:
    """A handler has returned."""

    path: str
    id: int
    began: int
    ended: int
    state: bytes = b""
    """Digest of the state after it; empty: none was taken."""
    asked: bytes = b""
    """Digest of what the handler asked for; empty: none was taken."""
    scopes: tuple[int, ...] = ()
    """Numbers, in the journal, of the scopes that it opened."""
    said: tuple[tuple[str, bytes], ...] = ()
    """Of an actor of the user's own, which is not run again: whom it told what."""
    kept: bytes = b""
    """The state itself, where whole states are kept."""


@dataclass(frozen=True, slots=True)
class Committed:
    """All that a handler asked for is done; what came from outside since :class:`Handled` came meanwhile."""

    path: str
    id: int


@dataclass(frozen=True, slots=True)
class NotCarriedOut:
    """An operation of a commit has raised."""

    path: str
    index: int
    """Which of those that the handler asked for."""
    error: bytes


@dataclass(frozen=True, slots=True)
class Failed:
    """A handler has raised."""

    path: str
    id: int
    began: int
    error: bytes


@dataclass(frozen=True, slots=True)
class Hooked:
    """A hook of an actor's life has returned, or raised."""

    path: str
    hook: Hook
    at: int
    actor: str
    """Class of the actor."""
    state: bytes = b""
    asked: bytes = b""
    scopes: tuple[int, ...] = ()
    said: tuple[tuple[str, bytes], ...] = ()
    kept: bytes = b""
    error: bytes = b""
    """If it raised."""


@dataclass(frozen=True, slots=True)
class Discarded:
    """A message was taken out and not handled."""

    path: str
    id: int
    fate: Fate
    at: int


@dataclass(frozen=True, slots=True)
class Defined:
    """Something that the values after it refer to: see ``encoding``."""

    what: bytes


@dataclass(frozen=True, slots=True)
class Lost:
    """The writer was too slow: so many records are missing here."""

    records: int


Cause: TypeAlias = Entered | Ordered | Happened | Named
"""From outside."""
Turn: TypeAlias = Obeyed | Taken | Handled | Failed | Discarded
"""Whose turn it was: the order in which the waiting messages were served."""
Record: TypeAlias = Opened | Cause | Turn | Committed | NotCarriedOut | Hooked | Defined | Lost
