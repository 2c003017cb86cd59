"""What a room's own subscription lets through: its own events, not those of all rooms of the process.

The SDK offers each room the events of all others, and each capture of audio is acknowledged to all of them: with fifty
rooms in which agents speak that is most of what their loop does. Relied on are private names of the SDK; where they are
not there, the room gets what it always got.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final, cast

import structlog
from livekit import rtc
from livekit.rtc._ffi_client import FfiClient
from livekit.rtc._proto import ffi_pb2

log = structlog.get_logger("sessionactors.livekit")

NOT_FOR_ROOMS: Final = frozenset({"audio_stream_event", "video_stream_event", "capture_audio_frame"})
"""Events that are awaited by streams and sources, each with a subscription of its own."""


def only_its_own(room: rtc.Room) -> bool:
    """Keep the events of other rooms, and of all streams and sources, from a connected room.

    Returns:
        Whether the SDK has what is needed for it.
    """
    queue = FfiClient.instance.queue
    try:
        handle = room._ffi_handle.handle  # type: ignore[union-attr]  # noqa: SLF001
        mine = room._ffi_queue  # noqa: SLF001
        lock = cast("AbstractContextManager[object]", queue._lock)  # noqa: SLF001
        with lock:
            subscribers = queue._subscribers  # noqa: SLF001
            for index, (subscriber, loop, let_through) in enumerate(subscribers):
                if subscriber is mine:
                    subscribers[index] = (subscriber, loop, _narrowed(handle, let_through))
                    return True
    except (AttributeError, TypeError, ValueError) as error:
        log.info("livekit_room_events_not_narrowed", room="", actor="", message_id=0, error=repr(error))
    return False


def _narrowed(
    handle: int, let_through: Callable[[ffi_pb2.FfiEvent], bool] | None
) -> Callable[[ffi_pb2.FfiEvent], bool]:
    def its_own(event: ffi_pb2.FfiEvent) -> bool:
        which = event.WhichOneof("message")
        if which == "room_event":
            return bool(event.room_event.room_handle == handle)
        return which not in NOT_FOR_ROOMS and (let_through is None or let_through(event))

    return its_own
