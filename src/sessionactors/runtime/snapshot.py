"""What ``inspect()`` returns: a picture of a room, taken without asking any actor, from any thread.

Reading goes on while the loop may be writing. Each actor's sums are therefore checked: received = ended + waiting +
stashed + in hand. When they do not add up after a few tries the actor is marked ``torn``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from .accounts import Accounts
from .blocked_loop import BlockedLoop
from .brief import brief
from .clock import NS
from .dead_letters import DeadLetter
from .flight_recorder import Recorded
from .held import Status
from .obligation import Obligation
from .policy import Lane

if TYPE_CHECKING:
    from .cell import Cell
    from .envelope import Envelope
    from .tree import Tree

T = TypeVar("T")

PEEK = 5
"""Waiting messages shown for each lane."""
TRIES = 4


@dataclass(frozen=True, slots=True)
class WaitingMessage:
    """A message in a mailbox."""

    id: int
    type: str
    sender: str
    age: float
    """Seconds in the mailbox."""
    scope: str | None
    summary: str
    """The message in a few characters; never audio."""


@dataclass(frozen=True, slots=True)
class MessageInHand:
    """The message an actor is handling now."""

    id: int
    type: str
    sender: str
    running: float
    """Seconds in the handler so far."""


@dataclass(frozen=True, slots=True)
class TimerInfo:
    """An armed timer."""

    key: str
    due_in: float
    """Seconds; negative when it is late."""


@dataclass(frozen=True, slots=True)
class EffectInfo:
    """A running effect."""

    key: str
    running: float
    """Seconds since it began."""
    deadline_in: float | None
    """Seconds until it is cancelled; None for no deadline."""
    unhandled: int
    """Its messages that the actor has not handled yet."""
    inlet: int
    """Fed items that wait."""
    dropped: int
    """Fed items that gave way."""
    ending: bool
    """It was cancelled and has not ended yet."""
    cause: int = 0
    """Id of the message whose handler started it; 0 for none."""


@dataclass(frozen=True, slots=True)
class ActorSnapshot:
    """One actor as it was at the moment of reading."""

    path: str
    status: Status
    state: Mapping[str, object]
    """What the actor says about its state (``Actor.summary``)."""
    in_hand: MessageInHand | None
    control: tuple[WaitingMessage, ...]
    """The first messages of the control lane."""
    control_depth: int
    data: tuple[WaitingMessage, ...]
    """The first messages of the data lane."""
    data_depth: int
    high_water: int
    stashed: int
    timers: tuple[TimerInfo, ...]
    effects: tuple[EffectInfo, ...]
    accounts: Accounts
    waited: float
    """Seconds that handled messages spent in the mailbox, in all."""
    handling: float
    """Seconds in handlers, in all."""
    unfed: int
    """Items fed to effects that were not running."""
    refused_at_edge: int
    """Messages refused to senders on other threads before they reached the mailbox."""
    restarts: int
    last_error: str | None
    recent: Sequence[Recorded]
    """The last handled messages, oldest first."""
    torn: bool
    """The numbers were read while they changed and do not add up."""

    @property
    def oldest(self) -> float:
        """Age in seconds of the oldest waiting message; 0.0 when none waits."""
        return max((waiting.age for waiting in (*self.control[:1], *self.data[:1])), default=0.0)


@dataclass(frozen=True, slots=True)
class TreeSnapshot(Mapping[str, ActorSnapshot]):
    """A room: its actors by path, its obligations and sums. ``snapshot["tts"]`` finds one by the end of its path."""

    room: str
    at: float
    """Seconds since the epoch."""
    actors: Mapping[str, ActorSnapshot]
    obligations: tuple[Obligation, ...]
    open_scopes: tuple[str, ...]
    accounts: Accounts
    """Sums over all actors of the room, ended ones included."""
    dead_letters: tuple[DeadLetter, ...]
    loop_blocked: float
    """Seconds that the actor loop has not run; 0.0 when it runs."""
    now: int
    """Kernel clock, ns: what ages and deadlines refer to."""
    blocked: tuple[BlockedLoop, ...] = ()
    """The actor loop and the loop of user code, where they do not run, and what holds them."""

    def __getitem__(self, name: str) -> ActorSnapshot:
        if name in self.actors:
            return self.actors[name]
        found = [path for path in self.actors if path.endswith(f"/{name}")]
        if len(found) == 1:
            return self.actors[found[0]]
        known = ", ".join(self.actors)
        if found:
            raise KeyError(f"{name!r} could be any of {', '.join(found)}")
        raise KeyError(f"room {self.room!r} has no actor {name!r}; there are: {known}")

    def __iter__(self) -> Iterator[str]:
        return iter(self.actors)

    def __len__(self) -> int:
        return len(self.actors)

    def __str__(self) -> str:
        from .snapshot_text import render  # noqa: PLC0415 - it knows this module

        return render(self)


def take(tree: Tree) -> TreeSnapshot:
    """Read a room. Costs well under a millisecond; never waits for anybody."""
    system = tree.system
    now = system.clock.now()
    cells = dict(sorted(_copied(lambda: list(tree.cells.items())), key=lambda item: item[0]))
    return TreeSnapshot(
        room=tree.name,
        at=system.clock.wall(now),
        actors={path: actor(cell, now) for path, cell in cells.items()},
        obligations=tuple(_copied(lambda: list(tree.obligations.values()))),
        open_scopes=tuple(_copied(lambda: list(tree.open_scopes))),
        accounts=_copied(tree.accounts),
        dead_letters=tuple(
            letter for letter in _copied(lambda: list(system.dead_letters.last)) if letter.room == tree.name
        ),
        loop_blocked=system.blocked_since() or 0.0,
        now=now,
        blocked=() if system.watchdog is None else system.watchdog.held(tree.user_loop),
    )


def _copied(copy: Callable[[], T]) -> T:
    """A copy of what the loop may change meanwhile: a change during the copy raises, and it is made again."""
    while True:
        try:
            return copy()
        except RuntimeError:
            continue


def actor(cell: Cell, now: int) -> ActorSnapshot:
    """Read one actor."""
    for attempt in range(TRIES):
        read = _read(cell, now)
        if not read.torn or attempt == TRIES - 1:
            return read
    raise AssertionError  # pragma: no cover


def _read(cell: Cell, now: int) -> ActorSnapshot:
    mailbox = cell.mailbox
    current, since = cell.current, cell.current_since
    accounts = mailbox.accounts.copy()
    control_depth, data_depth = mailbox.waiting(Lane.CONTROL), mailbox.waiting(Lane.DATA)
    stashed = mailbox.stashed_count()
    in_hand = (
        1 if current is not None and accounts.received > accounts.ended() + control_depth + data_depth + stashed else 0
    )
    adds_up = accounts.received == accounts.ended() + control_depth + data_depth + stashed + in_hand
    error = cell.last_error
    return ActorSnapshot(
        path=cell.path,
        status=cell.status,
        state=_summary(cell),
        in_hand=None if current is None else _in_hand(current, since, now),
        control=tuple(_waiting(envelope, now) for envelope in mailbox.peek(Lane.CONTROL, PEEK)),
        control_depth=control_depth,
        data=tuple(_waiting(envelope, now) for envelope in mailbox.peek(Lane.DATA, PEEK)),
        data_depth=data_depth,
        high_water=mailbox.high_water,
        stashed=stashed,
        timers=tuple(
            TimerInfo(key, (timer.due - now) / NS) for key, timer in _copied(lambda: list(cell.timers.items()))
        ),
        effects=tuple(
            EffectInfo(
                effect.key,
                (now - effect.started_at) / NS,
                None if effect.deadline is None else (effect.deadline - now) / NS,
                effect.in_flight,
                effect.inlet.depth(),
                effect.inlet.dropped,
                effect.cancelled,
                effect.cause,
            )
            for effect in _copied(lambda: [*cell.effects.values(), *cell.ending_effects])
        ),
        accounts=accounts,
        waited=cell.waited_ns / NS,
        handling=cell.handler_ns / NS,
        unfed=cell.unfed,
        refused_at_edge=cell.refused_at_edge,
        restarts=cell.restarts,
        last_error=None if error is None else repr(error),
        recent=cell.recorder.recording(),
        torn=not adds_up,
    )


def _summary(cell: Cell) -> Mapping[str, object]:
    try:
        return cell.actor.summary(cell.state)
    except Exception as error:
        # Written by the actor's author and run on the reader's thread: a fault in it must not hide the mailbox.
        return {"summary failed": repr(error)}


def _in_hand(envelope: Envelope, since: int, now: int) -> MessageInHand:
    return MessageInHand(envelope.id, type(envelope.message).__name__, envelope.sender, max(0, now - since) / NS)


def _waiting(envelope: Envelope, now: int) -> WaitingMessage:
    message = envelope.message
    scope = getattr(message, "scope", None)
    return WaitingMessage(
        envelope.id,
        type(message).__name__,
        envelope.sender,
        max(0, now - envelope.at) / NS,
        None if scope is None else str(getattr(scope, "path", scope)),
        brief(message),
    )
