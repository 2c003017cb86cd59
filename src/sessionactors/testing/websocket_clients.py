"""Clients of a WebSocket room, scripted: one speaks our own protocol, one is a telephone call in Twilio's format.

They play what they are sent as a real one does: by the clock, from a buffer that a clear empties, and they answer marks
when all before them was played. Real sockets, real time. For tests, examples, load. Needs ``sessionactors[websocket]``.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import socket
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from sessionactors.model.audio import BYTES_PER_SAMPLE, AudioFrame
from sessionactors.transports.websocket import mulaw

FRAME: Final = 0.02
"""Seconds of a piece of audio that a client sends."""


@dataclass
class RemotePlayer:
    """A loudspeaker with a buffer, by the loop's clock.

    Args:
        sample_rate: Hertz of the mono audio.
    """

    sample_rate: int
    heard: list[tuple[float, bytes]] = field(default_factory=list)
    """What was played, or will be: loop time of the first sample, and int16 samples. A clear cuts it."""
    cleared: float = 0.0
    """Seconds of audio that were dropped unheard."""
    gaps: list[float] = field(default_factory=list)
    """Seconds of each silence within a stretch: audio that came too late."""
    _ends_at: float = 0.0
    _stretch_at: int = 0
    """Where in ``heard`` the stretch begins."""
    _marks: list[tuple[asyncio.TimerHandle, Callable[[], None]]] = field(default_factory=list)

    def begin(self) -> None:
        """A stretch begins: :meth:`clear` counts from here."""
        self._stretch_at = len(self.heard)

    def add(self, pcm: bytes) -> None:
        """Play behind what is buffered."""
        now = asyncio.get_running_loop().time()
        at = max(now, self._ends_at)
        if now > self._ends_at and len(self.heard) > self._stretch_at:
            self.gaps.append(now - self._ends_at)
        self.heard.append((at, pcm))
        self._ends_at = at + self._seconds(pcm)

    def mark(self, reached: Callable[[], None]) -> None:
        """Call ``reached`` when all so far was played."""
        loop = asyncio.get_running_loop()
        self._marks = [mark for mark in self._marks if mark[0].when() > loop.time() and not mark[0].cancelled()]
        self._marks.append((loop.call_at(max(loop.time(), self._ends_at), reached), reached))

    def clear(self, *, flush_marks: bool = False) -> int:
        """Drop what is buffered; gives the samples that were played of the stretch.

        Args:
            flush_marks: call those that wait, as telephone providers do; else they are forgotten.
        """
        now = asyncio.get_running_loop().time()
        kept: list[tuple[float, bytes]] = []
        for at, pcm in self.heard[self._stretch_at :]:
            played = max(0, min(len(pcm) // BYTES_PER_SAMPLE, round((now - at) * self.sample_rate)))
            self.cleared += self._seconds(pcm) - played / self.sample_rate
            if played:
                kept.append((at, pcm[: played * BYTES_PER_SAMPLE]))
        self.heard[self._stretch_at :] = kept
        self._ends_at = now
        marks, self._marks = self._marks, []
        for timer, reached in marks:
            if timer.when() > now and not timer.cancelled():
                timer.cancel()
                if flush_marks:
                    reached()
        return sum(len(pcm) for _, pcm in kept) // BYTES_PER_SAMPLE

    def close(self) -> None:
        """Forget all marks."""
        for timer, _ in self._marks:
            timer.cancel()

    @property
    def seconds(self) -> float:
        """Length of what was played, or is about to be."""
        return sum(self._seconds(pcm) for _, pcm in self.heard)

    @property
    def played(self) -> float:
        """Length of what was played by now."""
        return self.seconds - max(0.0, self._ends_at - asyncio.get_running_loop().time())

    def _seconds(self, pcm: bytes) -> float:
        return len(pcm) / BYTES_PER_SAMPLE / self.sample_rate


class _Client(ABC):
    """A connection that is read in a task."""

    receive_buffer: int | None = None
    """Bytes that the kernel keeps of what is not read, roughly; None: as it likes, which may be megabytes."""
    source = ""
    """Address of this machine to call from, where ``receive_buffer`` is given; "": the usual one."""

    def __init__(self, url: str, sample_rate: int) -> None:
        self.url = url
        self.player = RemotePlayer(sample_rate)
        self.close_code: int | None = None
        """Of the close, when it has come."""
        self.close_reason = ""
        self._changed = asyncio.Event()
        self._connection: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._sending: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        options: dict[str, Any] = {"compression": None, "max_size": None, "ping_interval": None, "close_timeout": 0.5}
        if self.receive_buffer is not None:
            options["sock"] = await self._small_socket(self.receive_buffer)
        self._connection = await connect(self.url, **options)
        self._reader = asyncio.create_task(self._read(self._connection), name="client reader")
        await self._greet()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.player.close()
        if self._connection is not None:
            await self._connection.close()
        if self._reader is not None:
            await self._reader
        sending = list(self._sending)
        for task in sending:
            task.cancel()
        await asyncio.gather(*sending, return_exceptions=True)

    @property
    def connection(self) -> ClientConnection:
        """The socket."""
        if self._connection is None:
            raise RuntimeError("use it with `async with`")
        return self._connection

    async def until(self, there: Callable[[], object], within: float = 5.0) -> None:
        """Wait until something is true; looked at whenever a message comes, or something was played.

        Raises:
            TimeoutError: it did not become true.
        """
        async with asyncio.timeout(within):
            while not there():
                self._changed.clear()
                await self._changed.wait()

    async def closed(self, within: float = 5.0) -> int | None:
        """Wait for the end; gives the close code."""
        await self.until(lambda: self._reader is not None and self._reader.done(), within)
        return self.close_code

    async def _small_socket(self, size: int) -> socket.socket:
        where = urlsplit(self.url)
        sock = socket.socket()
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)  # before it connects, or it has no effect
        sock.bind((self.source, 0))
        await asyncio.get_running_loop().sock_connect(sock, (where.hostname, where.port))
        return sock

    def stop_reading(self) -> None:
        """Read nothing more, as a program that hangs; the connection stays."""
        self.connection.transport.pause_reading()

    async def say(self, pcm: AudioFrame) -> None:
        """Say a recording in real time."""
        loop = asyncio.get_running_loop()
        begin, rest = loop.time(), pcm
        for number in itertools.count(1):
            if not rest.data:
                return
            piece, rest = rest.split(round(pcm.sample_rate * FRAME))
            await self.speak(piece)
            await asyncio.sleep(max(0.0, begin + number * FRAME - loop.time()))

    @abstractmethod
    async def speak(self, frame: AudioFrame) -> None:
        """Send audio now."""

    @abstractmethod
    async def _greet(self) -> None:
        """The first messages."""

    @abstractmethod
    def _on_message(self, data: str | bytes) -> None:
        """A message came."""

    def _post(self, message: object) -> None:
        """Send from a callback."""

        async def send() -> None:
            try:
                await self.connection.send(json.dumps(message))
            except ConnectionClosed:
                return
            finally:
                self._changed.set()

        task = asyncio.create_task(send())
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _read(self, connection: ClientConnection) -> None:
        try:
            while True:
                self._on_message(await connection.recv())
                self._changed.set()
        except ConnectionClosed:
            self.close_code, self.close_reason = connection.close_code, connection.close_reason or ""
            asyncio.get_running_loop().call_soon(self._changed.set)


class NativeClient(_Client):
    """Speaks the protocol of docs/websocket.md, with PCM.

    Args:
        url: ``ws://...``
        sample_rate: Hertz of what it sends and wants to be sent.
        hello: more of the hello message, or other values: ``token="..."``, ``positions=False``.
    """

    def __init__(self, url: str, *, sample_rate: int = 24000, **hello: object) -> None:
        super().__init__(url, sample_rate)
        self.messages: list[dict[str, Any]] = []
        """Control messages, as they came."""
        pcm = {"codec": "pcm", "sample_rate": sample_rate}
        self._hello = {"type": "hello", "version": 1, "input": pcm, "output": pcm, **hello}
        self._positions = bool(self._hello.get("positions", True))

    async def _greet(self) -> None:
        await self.send(**self._hello)

    async def send(self, **message: object) -> None:
        """Send a control message."""
        await self.connection.send(json.dumps(message))

    async def speak(self, frame: AudioFrame) -> None:
        """Send audio now."""
        await self.connection.send(frame.data)

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The messages of a type, in order."""
        return [message for message in self.messages if message["type"] == kind]

    def said(self) -> str:
        """The agent's words, as they were shown."""
        return "".join(shown["text"] for shown in self.of("transcript") if shown["participant"] == "agent")

    def _on_message(self, data: str | bytes) -> None:
        if isinstance(data, bytes):
            self.player.add(data)
            return
        message = json.loads(data)
        self.messages.append(message)
        match message["type"]:
            case "begin":
                self.player.begin()
            case "mark" if self._positions:
                self.player.mark(lambda: self._post(message))
            case "clear":
                samples = self.player.clear()
                if self._positions:
                    self._post({"type": "cleared", "stretch": message["stretch"], "samples": samples})
            case "ping":
                self._post({"type": "pong"})
            case _:  # to be read by the program
                return


class TwilioCall(_Client):
    """A telephone call as Twilio streams it: mu-law at 8 kHz, marks, clear, keys.

    Args:
        url: ``ws://...``
        open_line: send silence while nobody speaks, as a telephone line does.
        parameters: the stream's custom parameters, such as ``token``.
    """

    def __init__(self, url: str, *, open_line: bool = True, **parameters: str) -> None:
        super().__init__(url, 8000)
        self._open_line = open_line
        self._speaking = False
        self.events: list[dict[str, Any]] = []
        """Messages other than audio, as they came."""
        self.marks: list[str] = []
        """Names of the marks that were given back, in order."""
        self.media_sizes: set[int] = set()
        """Bytes of mu-law of the messages with audio."""
        self._parameters = parameters
        self._sids = {"streamSid": f"MZ{id(self):032x}"[:34], "callSid": f"CA{id(self):032x}"[:34]}
        self._number = itertools.count(1)
        self._chunk = itertools.count(1)

    @property
    def call_sid(self) -> str:
        """The call's name."""
        return self._sids["callSid"]

    async def _greet(self) -> None:
        await self.connection.send(json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"}))
        form = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
        start = {"accountSid": "AC0", **self._sids, "tracks": ["inbound"], "mediaFormat": form}
        await self._send("start", start={**start, "customParameters": self._parameters})
        if self._open_line:
            line = asyncio.create_task(self._silence(), name="open line")
            self._sending.add(line)
            line.add_done_callback(self._sending.discard)

    @property
    def clears(self) -> int:
        """How often the buffer was cleared."""
        return sum(event["event"] == "clear" for event in self.events)

    async def say(self, pcm: AudioFrame) -> None:
        """Say a recording in real time: mono at 8 kHz."""
        self._speaking = True
        try:
            await super().say(pcm)
        finally:
            self._speaking = False

    async def _silence(self) -> None:
        loop = asyncio.get_running_loop()
        begin = loop.time()
        for number in itertools.count(1):
            await asyncio.sleep(max(0.0, begin + number * FRAME - loop.time()))
            if self._speaking:
                continue
            try:
                await self.speak(AudioFrame(bytes(320), 8000))
            except ConnectionClosed:
                return

    async def _send(self, event: str, **fields: object) -> None:
        message = {"event": event, "sequenceNumber": str(next(self._number)), "streamSid": self._sids["streamSid"]}
        await self.connection.send(json.dumps({**message, **fields}))

    async def speak(self, frame: AudioFrame) -> None:
        """Send audio now: mono at 8 kHz."""
        payload = base64.b64encode(mulaw.encode(frame.data)).decode()
        chunk = next(self._chunk)
        media = {"track": "inbound", "chunk": str(chunk), "timestamp": str(chunk * 20), "payload": payload}
        await self._send("media", media=media)

    async def press(self, digit: str) -> None:
        """Press a key."""
        await self._send("dtmf", dtmf={"track": "inbound_track", "digit": digit})

    async def hang_up(self) -> None:
        """End the call."""
        await self._send("stop", stop={"accountSid": "AC0", "callSid": self._sids["callSid"]})

    def _on_message(self, data: str | bytes) -> None:
        message = json.loads(data)
        if message["streamSid"] != self._sids["streamSid"]:
            raise AssertionError(f"of another stream: {message}")
        match message["event"]:
            case "media":
                sound = base64.b64decode(message["media"]["payload"])
                self.media_sizes.add(len(sound))
                self.player.add(mulaw.decode(sound))
            case "mark":
                self.events.append(message)
                self.player.mark(lambda: self._give_back(message))
            case "clear":
                self.events.append(message)
                self.player.clear(flush_marks=True)
            case _:
                raise AssertionError(f"Twilio knows no such message: {message}")

    def _give_back(self, mark: dict[str, Any]) -> None:
        self.marks.append(mark["mark"]["name"])
        self._post({**mark, "sequenceNumber": str(next(self._number))})
