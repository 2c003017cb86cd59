"""The text half of the loopback room: streams, packets, attributes and calls that the agent's participant sends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

from livekit import rtc


class Stream:
    """A text stream that the agent opened."""

    def __init__(self, words: Words, topic: str, sender: str, attributes: dict[str, str]) -> None:
        self._words = words
        self.topic, self.sender, self.attributes = topic, sender, attributes
        self.chunks: list[str] = []
        self.closed = False
        self.closing: dict[str, str] | None = None

    async def write(self, text: str) -> None:
        await self._words.pass_through("write")
        self.chunks.append(text)

    async def aclose(self, *, reason: str = "", attributes: dict[str, str] | None = None) -> None:
        await self._words.pass_through("aclose")
        self.closed, self.closing = True, attributes

    @property
    def text(self) -> str:
        return "".join(self.chunks)


class Words:
    """What a participant of the agent has sent, and what goes wrong with it."""

    def __init__(self) -> None:
        self.streams: list[Stream] = []
        self.packets: list[rtc.Transcription] = []
        self.attributes: list[dict[str, str]] = []
        self.methods: dict[str, Any] = {}
        self.called: list[tuple[str, str, str, float | None]] = []
        self.answers: dict[str, str | Exception] = {}
        self.faults: dict[str, list[Exception]] = {}
        """What is raised instead, by the name of what is called."""
        self.gate = asyncio.Event()
        """Closed: everything waits."""
        self.gate.set()

    def participant(self) -> dict[str, Any]:
        """The methods of the SDK's participant."""
        return {
            "stream_text": self._stream_text,
            "publish_transcription": self._publish,
            "set_attributes": self._set_attributes,
            "register_rpc_method": self.methods.__setitem__,
            "unregister_rpc_method": self.methods.pop,
            "perform_rpc": self._call,
        }

    async def pass_through(self, name: str) -> None:
        await self.gate.wait()
        if self.faults.get(name):
            raise self.faults[name].pop(0)

    async def _stream_text(self, *, topic: str, sender_identity: str, attributes: dict[str, str]) -> Stream:
        await self.pass_through("stream_text")
        stream = Stream(self, topic, sender_identity, attributes)
        self.streams.append(stream)
        return stream

    async def _publish(self, transcription: rtc.Transcription) -> None:
        await self.pass_through("publish_transcription")
        self.packets.append(transcription)

    async def _set_attributes(self, attributes: dict[str, str]) -> None:
        await self.pass_through("set_attributes")
        self.attributes.append(attributes)

    async def _call(
        self, *, destination_identity: str, method: str, payload: str, response_timeout: float | None
    ) -> str:
        self.called.append((destination_identity, method, payload, response_timeout))
        answer = self.answers[method]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Typed:
    """A text stream that a participant sends; also half of one."""

    def __init__(self, *chunks: str, error: Exception | None = None, after: asyncio.Event | None = None) -> None:
        self._chunks, self._error, self._after = chunks, error, after
        self.closed = False

    def __aiter__(self) -> AsyncIterator[str]:
        return self._read()

    async def _read(self) -> AsyncIterator[str]:
        if self._after is not None:
            await self._after.wait()
        for chunk in self._chunks:
            yield chunk
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        self.closed = True


def type_into(room: Any, reader: Typed, identity: str = "ann") -> None:
    """Somebody in the room sends it as chat."""
    room._text_stream_handlers["lk.chat"](reader, identity)


def data_packet(data: bytes, topic: str = "lk-chat-topic", identity: str | None = "ann") -> rtc.DataPacket:
    """A packet of data as the room tells of it."""
    who: Any = None if identity is None else SimpleNamespace(identity=identity)
    return rtc.DataPacket(data=data, kind=rtc.DataPacketKind.KIND_RELIABLE, participant=who, topic=topic)
