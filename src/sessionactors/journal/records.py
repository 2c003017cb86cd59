"""What a journal consists of: records of all that a witness is told, and some about the journal itself.

Times named ``at``, ``began`` and ``ended`` are kernel clock nanoseconds. Messages are named by the id of their
delivery, actors by their paths.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from sessionactors.runtime.witness import Fate, Happening, Hook


@dataclass(frozen=True, slots=True)
class Captured:
    """What a journal keeps of what it is told."""

    audio: bool = True
    """What frames of audio and video hold; False: how long they are, and they come back as silence."""
    transcripts: bool = True
    """What people say and type, and what the agent says; False: texts come back as ``x``, as long as they were."""
    redacted: bool = False
    """A function of the user's has changed texts before they were written."""
    hashes: bool = True
    """Hashes of states, by which a replay sees where it parts."""
    seconds: float | None = None
    """It is a black box: so much of the end was kept. None: everything."""

    @property
    def faithful(self) -> bool:
        """Whether handlers get the same texts again; what audio sounds like, none of them asks."""
        return self.transcripts and not self.redacted


@dataclass(frozen=True, slots=True)
class Header:
    """The first record."""

    version: str
    """Of sessionactors."""
    python: str
    room: str
    """The session's name: root of the paths of its actors."""
    seed: int
    """Of the actor system."""
    at: int
    wall: float
    """Seconds since the epoch, at the same moment."""
    captured: Captured
    notes: Mapping[str, str]
    """What the user wants to find again, such as the id of a call."""
    code: str = ""
    """A hash of the code that decided; empty if it is not known."""


@dataclass(frozen=True, slots=True)
class Given:
    """What the root actor was made with: of a session its ``components``, and whether its silence is ``guarded``."""

    root: object


@dataclass(frozen=True, slots=True)
class Entered:
    """A message from outside of the handlers comes to a mailbox."""

    at: int
    """When it was sent."""
    id: int
    target: str
    sender: str
    cause: int
    turn: str
    message: object
    asked: bool
    """Somebody waits for an answer."""
    deadline: int | None
    """Until then."""
    timer: tuple[str, int] | None
    """Key and generation, if a timer sent it."""
    effect: tuple[str, int] | None
    """Key, and id of the message whose handler started it, if an effect sent it."""
    reserved: bool
    """It has a place also in a full lane."""


@dataclass(frozen=True, slots=True)
class Ordered:
    """A system message from outside: ``Stop``, ``Kill``, ``Suspend``, ``Step`` or ``Resume``."""

    target: str
    message: object


@dataclass(frozen=True, slots=True)
class Obeyed:
    """It is served."""

    target: str
    message: str
    """Name of its class."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A message is given to the thread of its actor."""

    target: str
    id: int
    began: int


@dataclass(frozen=True, slots=True)
class Handled:
    """A handler has returned."""

    target: str
    id: int
    cause: int
    type: str
    """Name of the message's class."""
    began: int
    ended: int
    operations: int
    """How many things it asked for."""
    state: int | None
    """Hash of the state it returned; None: it was not taken (states that change often are hashed now and then)."""


@dataclass(frozen=True, slots=True)
class CommitFailed:
    """Not all that a handled message asked for could be done."""

    target: str
    id: int
    error: object


@dataclass(frozen=True, slots=True)
class Failed:
    """A handler has raised."""

    target: str
    id: int
    error: object
    began: int


@dataclass(frozen=True, slots=True)
class Hooked:
    """A hook of an actor's life has returned. The first of an actor tells that it lives."""

    target: str
    hook: Hook
    at: int
    operations: int
    state: int | None


@dataclass(frozen=True, slots=True)
class Said:
    """What an actor of the user's own told others, in the handler or hook just before: its code is not there again."""

    target: str
    told: tuple[tuple[str, object], ...]
    """Path and message; the class :class:`~sessionactors.runtime.Terminated`: it wants to know of that actor's end."""


@dataclass(frozen=True, slots=True)
class HookFailed:
    """A hook has raised."""

    target: str
    hook: Hook
    at: int
    error: object


@dataclass(frozen=True, slots=True)
class NotCarriedOut:
    """One thing that a handler asked for has raised: a port, or control sent into a full lane."""

    target: str
    operation: str
    """What it was, for people."""
    error: object


@dataclass(frozen=True, slots=True)
class Discarded:
    """A message will not be handled."""

    target: str
    id: int
    fate: Fate
    at: int


@dataclass(frozen=True, slots=True)
class Happened:
    """Something other than a message changes an actor."""

    target: str
    what: Happening
    effect: tuple[str, int] | None
    """As that of :class:`Entered`."""
    at: int


@dataclass(frozen=True, slots=True)
class Finished:
    """An actor has ended for good."""

    target: str


@dataclass(frozen=True, slots=True)
class Named:
    """Somebody outside of the handlers took a name, such as ``speech-4``."""

    name: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The states of all actors between two messages: what a black box begins with, and what follows a loss.

    It is there to be read. Actors are made by the handlers of others, from what those knew; so a session runs again
    from its beginning only, and not from here.
    """

    at: int
    states: Mapping[str, object]
    """By path, parents before their children."""
    waiting: Mapping[str, int]
    """How many messages wait, where any do."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Records that the journal had no room for, because its disk was too slow. What follows begins anew."""

    records: int


@dataclass(frozen=True, slots=True)
class Noted:
    """What somebody wanted to be found here: why a black box was kept, or a remark of the user's."""

    at: int
    text: str


@dataclass(frozen=True, slots=True)
class Closed:
    """The last record of a journal that was closed."""

    at: int
    lost: int
    """Records lost in all."""


Record: TypeAlias = (
    Header
    | Given
    | Entered
    | Ordered
    | Obeyed
    | Taken
    | Handled
    | CommitFailed
    | Failed
    | Hooked
    | Said
    | HookFailed
    | NotCarriedOut
    | Discarded
    | Happened
    | Finished
    | Named
    | Checkpoint
    | Lost
    | Noted
    | Closed
)
