"""The restarts of one room: how often there was one, whether there is another, and why not. Part of ``HostedRoom``."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, replace

import structlog

from .errors import RoomCrashLoop
from .restart_policy import RestartPolicy, RoomFailure, recent
from .room_events import RoomRestarted, RoomRestarting
from .room_handle import RoomHandle

log = structlog.get_logger("sessionactors.service")


@dataclass(frozen=True, slots=True)
class Grant:
    """It is restarted."""

    number: int
    """Which restart of the room it is, from 1."""
    delay: float
    """Seconds before it."""

    def event(self, failure: RoomFailure, at: float) -> RoomRestarting:
        """What is told of it."""
        return RoomRestarting(failure.room, failure.error, self.number, self.delay, at)


@dataclass(frozen=True, slots=True)
class Refusal:
    """It is not."""

    why: str
    error: BaseException
    """With which the room ends."""


class RoomRestarts:
    """The restarts of a room.

    Args:
        room: which.
        policy: that in force; each spec may bring another.
    """

    def __init__(self, room: str, policy: RestartPolicy) -> None:
        self.policy = policy
        self.why_not = ""
        """Why it was not restarted, once it was not."""
        self._room = room
        self._at: list[float] = []
        """When it was restarted: loop time, those that still count."""
        self._number = 0
        self._listening_since = 0.0

    def listens(self) -> None:
        """A session of the room listens."""
        self._listening_since = _now()

    def failed(self, handle: RoomHandle, error: BaseException | None, closing: bool) -> RoomFailure | None:
        """The failure of a session that is over; None: it did not fail, or the room was to be closed anyway."""
        if error is None or closing:
            return None
        return RoomFailure(
            room=self._room,
            error=error,
            lived=_now() - self._listening_since,
            restarts=self._number,
            session=handle.session,
            history=tuple(handle.history.items),
        )

    def not_started(self, failure: RoomFailure, error: BaseException) -> RoomFailure:
        """The restart after that failure failed itself."""
        return replace(failure, error=error, lived=0.0, restarts=self._number)

    def grant(self, failure: RoomFailure, refusal: str) -> Grant | Refusal:
        """Whether the room is restarted after this failure.

        Args:
            failure: what happened.
            refusal: why it cannot be, whatever the policy says.
        """
        policy, now = self.policy, _now()
        count = recent(self._at, now, policy.within)
        if not self._wanted(failure):
            self.why_not = self.why_not or "its restart policy says so"
            return Refusal(self.why_not, failure.error)
        if refusal:
            self.why_not = refusal
            return Refusal(refusal, failure.error)
        if count >= policy.most:
            self.why_not = f"it was restarted {count} times within {policy.within:.6g} s"
            loop = RoomCrashLoop(self._room, restarts=count, within=policy.within, last=failure.error)
            return Refusal(self.why_not, loop)
        self._at = [*self._at[len(self._at) - count :], now]
        self._number += 1
        return Grant(self._number, policy.backoff.delay(count + 1, random.random()))

    def _wanted(self, failure: RoomFailure) -> bool:
        try:
            return self.policy.wants(failure)
        except Exception as error:  # the user's function
            log.exception("restart_policy_failed", room=self._room, actor="", message_id=0, error=repr(error))
            self.why_not = f"its restart policy raised {error!r}"
            return False

    def done(self, at: float) -> RoomRestarted:
        """It listens again."""
        return RoomRestarted(self._room, self._number, at)


def _now() -> float:
    return asyncio.get_running_loop().time()
