"""How a supervisor is emptied: rooms may end by themselves for a while, then they are told, then they are closed.

All of it has one deadline. Its last part is kept for farewells and closes, so that the deadline is kept also if nobody
goes by themselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sessionactors.runtime import CloseReport

from .admission import Admission, RoomPhase
from .hosted_room import HostedRoom
from .room_end import RoomEndCause
from .room_events import RoomDraining

SLACK = 0.1
"""Seconds beyond its deadline in which a close is still in time, as everywhere (P10)."""
LAST_SHARE = 0.5
"""The part of a deadline, at most, that is kept for farewells and closes."""


@dataclass(frozen=True, slots=True)
class DrainReport:
    """What came of a drain."""

    deadline: float
    """Seconds there were for it."""
    seconds: float
    """How long it took."""
    finished: tuple[str, ...]
    """Rooms that ended by themselves."""
    closed: tuple[CloseReport, ...]
    """The reports of those that had to be closed."""
    remaining: tuple[str, ...]
    """Rooms that have not ended even so; each is named in :attr:`abandoned`."""
    crashed: tuple[str, ...]
    """Rooms that ended with an error meanwhile."""
    refused: int
    """Spawns that were refused meanwhile."""

    @property
    def abandoned(self) -> Mapping[str, str]:
        """What did not end by itself, by its path, and what it was doing."""
        return {path: at for report in self.closed for path, at in report.abandoned.items()}

    @property
    def in_time(self) -> bool:
        """Whether the deadline was kept."""
        return self.seconds <= self.deadline + SLACK

    @property
    def clean(self) -> bool:
        """Whether every room is over, in time, and nothing had to be abandoned."""
        return self.in_time and not self.abandoned and not self.remaining and not self.crashed

    @property
    def exit_code(self) -> int:
        """For ``sys.exit``: 0 if it was clean, else 1."""
        return 0 if self.clean else 1

    def __str__(self) -> str:
        how = "in time" if self.in_time else "too late"
        parts = [
            f"drained in {self.seconds:.2f} s of {self.deadline:.6g} s, {how}",
            f"{len(self.finished)} rooms ended by themselves, {len(self.closed)} were closed",
            f"{self.refused} spawns refused",
        ]
        for what, names in (
            ("abandoned", [f"{path} ({at})" for path, at in self.abandoned.items()]),
            ("crashed", self.crashed),
            ("not over", self.remaining),
        ):
            if names:
                parts.append(f"{what}: {', '.join(names[:5])}{', ...' if len(names) > 5 else ''}")
        return "; ".join(parts)


def together(reports: Sequence[DrainReport]) -> DrainReport:
    """The report of drains that went on at the same time."""
    return DrainReport(
        deadline=max(report.deadline for report in reports),
        seconds=max(report.seconds for report in reports),
        finished=tuple(room for report in reports for room in report.finished),
        closed=tuple(close for report in reports for close in report.closed),
        remaining=tuple(room for report in reports for room in report.remaining),
        crashed=tuple(room for report in reports for room in report.crashed),
        refused=sum(report.refused for report in reports),
    )


async def drain(
    rooms: Sequence[HostedRoom], admission: Admission, deadline: float, close_deadline: float
) -> DrainReport:
    """Empty a supervisor that takes nobody in any more. On its loop.

    Args:
        rooms: those that are not over.
        admission: counts the refused.
        deadline: seconds >= 0 for all of it.
        close_deadline: seconds that the close of a room may take, less if there is less.
    """
    loop = asyncio.get_running_loop()
    began, refused = loop.time(), admission.stats().refused_draining
    until = began + deadline
    last = min(max((room.farewell_within for room in rooms), default=0.0) + close_deadline, deadline * LAST_SHARE)
    for room in rooms:
        if room.slot.phase is RoomPhase.RESTARTING:  # nobody talks in it, and it is not restarted any more
            room.request_close(close_deadline, RoomEndCause.DRAINED)
        else:
            room.tell(RoomDraining(room.name, deadline - last, room.wall()))
    await _ended(rooms, deadline - last)
    left = [room for room in rooms if not room.ended.done()]
    for room in left:
        within = min(close_deadline, max(0.0, until - loop.time()) * (1.0 if not room.farewell_within else LAST_SHARE))
        farewell = max(0.0, min(room.farewell_within, until - loop.time() - within))
        room.dismiss(RoomEndCause.DRAINED, farewell, within)
    await _ended(left, until - loop.time())
    told = [room for room in rooms if room in left or room.drained]  # some by another drain that was in more of a hurry
    closed = await asyncio.gather(*(_closed(room, loop.time() - began) for room in told))
    return DrainReport(
        deadline=deadline,
        seconds=loop.time() - began,
        finished=tuple(room.name for room in rooms if room not in told),
        closed=tuple(closed),
        remaining=tuple(room.name for room in left if not room.ended.done()),
        crashed=tuple(room.name for room in rooms if room.crashed),
        refused=admission.stats().refused_draining - refused,
    )


async def _closed(room: HostedRoom, waited: float) -> CloseReport:
    """Its report. One that is not over by now is ended at once."""
    return room.report(waited) if room.ended.done() else await room.close(0.0, RoomEndCause.DRAINED)


async def _ended(rooms: Sequence[HostedRoom], seconds: float) -> None:
    ends = [room.ended for room in rooms if not room.ended.done()]
    if ends:
        await asyncio.wait(ends, timeout=max(0.0, seconds))
