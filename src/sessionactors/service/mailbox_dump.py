"""All mailboxes into the log, one line an actor: on request, and at SIGUSR1, also while a loop is blocked."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from types import FrameType
from typing import TYPE_CHECKING

import structlog

from sessionactors.runtime import ActorSnapshot

if TYPE_CHECKING:
    from .room_supervisor import RoomSupervisor

log = structlog.get_logger("sessionactors.service")


def dump_mailboxes(rooms: RoomSupervisor) -> int:
    """Log every actor of every room: status, message in hand, what waits. From any thread; asks nobody.

    Returns:
        How many lines.
    """
    lines = 0
    for hosted in rooms.hosted():
        try:
            snapshot = rooms.inspect(hosted.name)
        except KeyError:  # it has no actors yet, or none any more
            continue
        for actor in snapshot.values():
            _log(hosted.name, actor)
        lines += len(snapshot)
    blocked = rooms.system.blocked_since() or 0.0
    log.warning("mailboxes", room="", actor="", message_id=0, actors=lines, loop_blocked=round(blocked, 2))
    return lines


def _log(room: str, actor: ActorSnapshot) -> None:
    hand = actor.in_hand
    first = next(iter((*actor.control, *actor.data)), None)
    log.warning(
        "mailbox",
        room=room,
        actor=actor.path,
        message_id=0 if hand is None else hand.id,
        status=actor.status.value,
        in_hand="" if hand is None else f"{hand.type} for {hand.running:.2f} s",
        control=actor.control_depth,
        data=actor.data_depth,
        oldest="" if first is None else f"{first.type} #{first.id} for {actor.oldest:.2f} s",
        effects={effect.key: round(effect.running, 2) for effect in actor.effects},
        handled=actor.accounts.handled,
        restarts=actor.restarts,
    )


@contextmanager
def dumping_at_signal(rooms: RoomSupervisor, number: int | None = None) -> Iterator[None]:
    """While it lasts, the signal (SIGUSR1 if not given) has a thread call :func:`dump_mailboxes`. On the main thread.

    A thread, because the loop of the process may be what is blocked. Does nothing where there is no such signal.
    """
    number = getattr(signal, "SIGUSR1", None) if number is None else number
    if number is None:
        yield
        return
    asked: SimpleQueue[bool] = SimpleQueue()  # the one queue that a signal's handler may put into, wherever it strikes

    def serve() -> None:
        while asked.get():
            dump_mailboxes(rooms)

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        asked.put(True)

    thread = threading.Thread(target=serve, name="sessionactors mailbox dump", daemon=True)
    thread.start()
    before = signal.signal(number, on_signal)
    try:
        yield
    finally:
        signal.signal(number, before)
        asked.put(False)
        thread.join()
