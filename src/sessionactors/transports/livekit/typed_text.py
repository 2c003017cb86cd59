"""What participants type: text streams on ``lk.chat``, and packets of old chats."""

from __future__ import annotations

import asyncio
import json
from typing import Final

import structlog
from livekit import rtc

from sessionactors.interfaces.transport import TransportEvents

from .part import RoomPart
from .participants import PUBLISH_ON_BEHALF

log = structlog.get_logger("sessionactors.livekit")

TOPIC: Final = "lk.chat"
OLD_TOPIC: Final = "lk-chat-topic"
"""Of the data packets in which LiveKit's components sent chat before there were text streams."""
MAX_CHARACTERS: Final = 64_000
"""Of one message; a longer one is no chat, and is refused whole."""


class TypedText(RoomPart):
    """Passes on what participants type, of each of them in order.

    Args:
        events: the session.
    """

    def __init__(self, events: TransportEvents) -> None:
        self._events = events
        self._room: rtc.Room | None = None
        self._registered = False
        self._reading: dict[str, asyncio.Task[None]] = {}
        """The last message that each participant began to send."""
        self._refused = 0

    @property
    def refused(self) -> int:
        """Messages that were too long, broken, or of nobody who is there."""
        return self._refused

    def attach(self, room: rtc.Room) -> None:
        self._room = room
        try:
            room.register_text_stream_handler(TOPIC, self._stream_opened)
            self._registered = True
        except ValueError:  # the program reads the chat itself
            log.warning("livekit_chat_is_read_elsewhere", room="", actor="", message_id=0, topic=TOPIC)
        room.on("data_received", self._packet_received)

    def detach(self, room: rtc.Room) -> None:
        self._room = None
        room.off("data_received", self._packet_received)
        if self._registered:
            self._registered = False
            room.unregister_text_stream_handler(TOPIC)
        for reading in self._reading.values():
            reading.cancel()
        self._reading.clear()

    def _stream_opened(self, reader: rtc.TextStreamReader, identity: str) -> None:
        before = self._reading.get(identity)
        loop = asyncio.get_running_loop()
        self._reading[identity] = loop.create_task(self._read(reader, identity, before), name="livekit-chat")

    async def _read(self, reader: rtc.TextStreamReader, identity: str, before: asyncio.Task[None] | None) -> None:
        try:
            text = ""
            async for more in reader:
                text += more
                if len(text) > MAX_CHARACTERS:
                    self._refuse(identity, f"longer than {MAX_CHARACTERS} characters")
                    return
        except Exception as error:  # noqa: BLE001  # half a message is none
            self._refuse(identity, repr(error))
            return
        finally:
            reader.close()
            if before is not None and not before.done():
                await asyncio.wait((before,))
            if self._reading.get(identity) is asyncio.current_task():
                del self._reading[identity]
        self._typed(identity, text)

    def _packet_received(self, packet: rtc.DataPacket) -> None:
        if packet.topic != OLD_TOPIC or packet.participant is None:
            return
        identity = packet.participant.identity
        try:
            chat = json.loads(packet.data[: 4 * MAX_CHARACTERS + 1])
            text = chat["message"]
            if chat.get("ignoreLegacy") is True:
                return  # it comes as a stream as well
            if not isinstance(text, str) or len(text) > MAX_CHARACTERS:
                raise ValueError(f"no message of at most {MAX_CHARACTERS} characters")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            self._refuse(identity, repr(error)[:200])
            return
        self._typed(identity, text)

    def _typed(self, identity: str, text: str) -> None:
        room = self._room
        if room is None:
            return
        participant = room.remote_participants.get(identity)
        if participant is None:
            self._refuse(identity, "nobody of that name is in the room")
        elif participant.attributes.get(PUBLISH_ON_BEHALF) != room.local_participant.identity:
            self._events.text_received(identity, text)

    def _refuse(self, identity: str, reason: str) -> None:
        self._refused += 1
        log.warning("livekit_chat_refused", room="", actor="", message_id=0, participant=identity, reason=reason)
