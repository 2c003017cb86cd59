"""What is outside of a worker: the server's socket, rooms, and the packages that these need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sessionactors.model.errors import APIConnectionError

from .endpoint import Endpoint
from .job_life import JobBounds
from .messages import RunningJobInfo

if TYPE_CHECKING:
    from livekit import rtc
    from livekit.protocol import models

    from sessionactors.interfaces.transport import Transport

    from .link import Dial


@dataclass(frozen=True, slots=True)
class World:
    """How a worker reaches it."""

    dial: Dial
    new_room: Callable[[RunningJobInfo], rtc.Room | Transport]
    """Makes the room of a job, not joined."""
    bounds: JobBounds = field(default_factory=JobBounds)
    """Of the end of each job."""


def real_world() -> World:
    """LiveKit's. To be called in a thread: it imports for a second.

    Raises:
        ImportError: an extra is not installed.
    """
    try:
        from livekit import api, rtc  # noqa: F401

        from .link import dial
    except ImportError as missing:
        raise ImportError(
            "a LiveKit worker needs LiveKit's SDKs: pip install 'sessionactors[livekit-worker]'"
        ) from missing

    from sessionactors.transports.memory import MemoryTransport

    return World(dial, lambda info: MemoryTransport() if info.fake_job else rtc.Room())


def identity_in(token: str) -> str:
    """Whom a room's token is for."""
    from livekit.api import TokenVerifier

    return TokenVerifier("unused", "unused").verify(token, verify_signature=False).identity


async def make_room(endpoint: Endpoint, name: str) -> models.Room:
    """The room of this name at the server, made if it is not there.

    Raises:
        OptionError: the endpoint is incomplete.
        APIConnectionError: the server could not be asked, or refused.
    """
    endpoint.check()
    from aiohttp import ClientError
    from livekit import api

    try:
        async with api.LiveKitAPI(endpoint.url, endpoint.api_key, endpoint.api_secret) as calls:
            return await calls.room.create_room(api.CreateRoomRequest(name=name))
    except (api.TwirpError, ClientError, OSError) as error:
        raise APIConnectionError(f"the LiveKit server at {endpoint.url} has not made room {name!r}: {error}") from error
