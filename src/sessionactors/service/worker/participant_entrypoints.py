"""Functions that are run for each participant, and the wait for one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

import structlog

from sessionactors.model.errors import OptionError, SessionStateError
from sessionactors.runtime.containment import escapes

if TYPE_CHECKING:
    from livekit import rtc

    from .job_context import JobContext

log = structlog.get_logger("sessionactors.service.worker")

ParticipantEntrypoint: TypeAlias = "Callable[[JobContext, rtc.RemoteParticipant], Awaitable[None]]"
Kinds: TypeAlias = "Sequence[int] | int"
"""One or several of ``rtc.ParticipantKind``."""
PEOPLE: Final = (5, 3, 0)
"""``CONNECTOR``, ``SIP`` and ``STANDARD`` of ``rtc.ParticipantKind``: whom an agent talks to."""


class ParticipantEntrypoints:
    """Those of one job.

    Args:
        ctx: given to each.
    """

    def __init__(self, ctx: JobContext) -> None:
        self._ctx = ctx
        self._functions: list[tuple[ParticipantEntrypoint, Kinds]] = []
        self._begun: rtc.Room | None = None
        self.tasks: set[asyncio.Task[None]] = set()
        """Those that run."""

    def add(self, function: ParticipantEntrypoint, kinds: Kinds) -> None:
        """One more. If the room is joined already, it is run for those who are there."""
        if function in [other for other, _ in self._functions]:
            raise OptionError(f"participant entry point {_name(function)} was added before")
        self._functions.append((function, kinds))
        if self._begun is not None:
            for participant in self._begun.remote_participants.values():
                self._run(function, kinds, participant)

    def begin(self, room: rtc.Room) -> None:
        """The room is joined: run them for those who are there, and for whoever comes."""
        self._begun = room
        room.on("participant_connected", self._joined)
        for participant in room.remote_participants.values():
            self._joined(participant)

    def _joined(self, participant: rtc.RemoteParticipant) -> None:
        for function, kinds in self._functions:
            self._run(function, kinds, participant)

    def _run(self, function: ParticipantEntrypoint, kinds: Kinds, participant: rtc.RemoteParticipant) -> None:
        if participant.kind not in ((kinds,) if isinstance(kinds, int) else kinds):
            return
        name = f"{_name(function)} for {participant.identity}"
        if any(task.get_name() == name for task in self.tasks):
            log.warning("participant_came_back", entry_point=name, so="it runs twice: the one before has not ended")
        task = asyncio.ensure_future(_contained(name, partial(function, self._ctx, participant)))
        task.set_name(name)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


async def _contained(name: str, run: Callable[[], Awaitable[None]]) -> None:
    try:
        await run()
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        if escapes(error):
            raise
        log.exception("participant_entry_point_failed", entry_point=name, error=repr(error))


def _name(function: ParticipantEntrypoint) -> str:
    return getattr(function, "__name__", repr(function))


async def first_participant(room: rtc.Room, identity: str | None, kinds: Kinds) -> rtc.RemoteParticipant:
    """Somebody who is there, or the next to come.

    Raises:
        SessionStateError: the room was left meanwhile.
    """
    wanted = (kinds,) if isinstance(kinds, int) else tuple(kinds)

    def fits(participant: rtc.RemoteParticipant) -> bool:
        return participant.kind in wanted and identity in (None, participant.identity)

    for participant in room.remote_participants.values():
        if fits(participant):
            return participant
    found: asyncio.Future[rtc.RemoteParticipant] = asyncio.get_running_loop().create_future()

    def joined(participant: rtc.RemoteParticipant) -> None:
        if fits(participant) and not found.done():
            found.set_result(participant)

    def left(*_: object) -> None:
        if not found.done():
            found.set_exception(SessionStateError("the room was disconnected while waiting for a participant"))

    room.on("participant_connected", joined)
    room.on("disconnected", left)
    try:
        if not room.isconnected():
            raise SessionStateError("the room is not connected: nobody will come")
        return await found
    finally:
        room.off("participant_connected", joined)
        room.off("disconnected", left)
