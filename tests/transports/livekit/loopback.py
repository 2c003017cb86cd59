"""A LiveKit room without server and native library: what the SDK's objects tell and take, at the edge.

`Loopback` is the server's side of one room: people come, publish and leave in it, and it keeps what the agent does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from livekit import rtc

from sessionactors.interfaces.audio_io import FrameCallback
from sessionactors.model.audio import AudioFrame
from sessionactors.transports.livekit import audio_in, voice_track
from sessionactors.transports.livekit.native_queue import BLOCK, Landed, NativeQueue
from sessionactors.transports.livekit.track_audio import AudioShape, TrackAudio

from .loopback_text import Words


class FakeQueue(NativeQueue):
    """Plays by the loop's clock, ten milliseconds at a time, as the library does."""

    def __init__(self, sample_rate: int = 24000, num_channels: int = 1) -> None:
        self.sample_rate, self.num_channels = sample_rate, num_channels
        self.block = round(sample_rate * BLOCK) * 2
        self.queued = bytearray()
        self.heard = bytearray()
        self.heard_at: list[float] = []
        self.clears = 0
        self.captures: list[int] = []
        self.closed = False
        self.late: Callable[[Callable[[], None]], None] | None = None
        """How a capture lands later; None: at once."""
        self._busy = False
        self._take_back = False
        self._timer: asyncio.TimerHandle | None = None

    def track(self, name: str) -> rtc.LocalAudioTrack:
        return cast("rtc.LocalAudioTrack", SimpleNamespace(name=name, queue=self))

    @property
    def busy(self) -> bool:
        return self._busy

    def capture(self, pcm: bytes, landed: Landed) -> None:
        assert not self._busy, "one capture at a time"
        assert len(pcm) % self.block == 0, "a part of a block would wait for what is said next"
        self.captures.append(len(pcm) // 2)
        self._busy, self._take_back = True, False

        def land() -> None:
            self._busy = False
            if not self._take_back and not self.closed:
                self.queued += pcm
                if self._timer is None:
                    self._play()
            landed()

        if self.late is None:
            land()
        else:
            self.late(land)

    def _play(self) -> None:
        if not self.queued or self.closed:
            self._timer = None
            return
        loop = asyncio.get_running_loop()
        self.heard += self.queued[: self.block]
        self.heard_at.append(loop.time())
        del self.queued[: self.block]
        self._timer = loop.call_later(BLOCK, self._play)

    def clear(self) -> None:
        self.clears += 1
        self._take_back = True
        self.queued.clear()

    def silence(self) -> None:
        self.clear()

    def close(self) -> None:
        self.closed = True
        if self._timer is not None:
            self._timer.cancel()

    @property
    def spoken(self) -> bytes:
        """What was heard without silence."""
        samples = memoryview(bytes(self.heard)).cast("h")
        return b"".join(sample.to_bytes(2, "little", signed=True) for sample in samples if sample)


class FakeTrack(TrackAudio):
    """The frames of a participant's track, as the session reads them."""

    def __init__(self, shape: AudioShape, on_frame: FrameCallback, on_end: Callable[[], None]) -> None:
        self.shape, self.on_frame, self.on_end = shape, on_frame, on_end
        self.closed = False

    @property
    def dropped(self) -> int:
        return 0

    def close(self) -> None:
        self.closed = True


class Mic:
    """A participant's published microphone."""

    def __init__(
        self, sid: str, *, source: int = rtc.TrackSource.SOURCE_MICROPHONE, features: tuple[int, ...] = ()
    ) -> None:
        self.sid = sid
        self.opened: list[FakeTrack] = []
        self.track = SimpleNamespace(sid=sid, mic=self)
        self.publication = SimpleNamespace(
            sid=sid, source=source, kind=rtc.TrackKind.KIND_AUDIO, audio_features=features, track=None
        )

    def say(self, *frames: AudioFrame) -> None:
        """To all who read it now."""
        for opened in self.opened:
            if not opened.closed:
                for frame in frames:
                    opened.on_frame(frame)


class LoopbackRoom(rtc.Room):
    """The SDK's room, linked to a `Loopback`."""

    def __init__(self, house: Loopback) -> None:
        super().__init__()
        self.house = house
        self.linked = False
        self.published: list[Any] = []
        self.unpublished: list[str] = []
        self.pressed: list[tuple[int, str]] = []
        self.words = Words()
        self.mics: list[Any] = []
        """What the agent has published as microphones."""
        self.readers: dict[str, Any] = {}
        self.subscribed = asyncio.get_running_loop().create_future()
        house.rooms.append(self)

    @property
    def name(self) -> str:
        return self.house.name

    def isconnected(self) -> bool:
        return self.linked

    @property
    def remote_participants(self) -> Any:
        return self.house.people

    @property
    def local_participant(self) -> Any:
        return SimpleNamespace(
            identity="agent",
            publish_track=self._publish,
            unpublish_track=self._unpublish,
            publish_dtmf=self._press,
            track_publications={mic.sid: mic for mic in self.mics},
            permissions=self.house.permissions,
            **self.words.participant(),
        )

    async def connect(self, url: str, token: str, options: rtc.RoomOptions = rtc.RoomOptions()) -> None:  # noqa: B008
        self.house.joined_with.append((url, token))
        if self.house.refusals:
            raise self.house.refusals.pop(0)
        self.linked = True

    async def disconnect(self, *, reason: int = rtc.DisconnectReason.CLIENT_INITIATED) -> None:
        if self.linked:
            self.linked = False
            self.emit("disconnected", reason)

    async def _publish(self, track: Any, options: rtc.TrackPublishOptions) -> Any:
        if self.house.publish_fails is not None:
            raise self.house.publish_fails

        async def wait() -> None:
            await asyncio.shield(self.subscribed)

        self.published.append((track, options))
        if self.house.listens and not self.subscribed.done():
            self.subscribed.set_result(None)
        sid = f"TR_agent_{len(self.published)}"
        mic = SimpleNamespace(sid=sid, source=options.source, wait_for_subscription=wait)
        self.mics.append(mic)
        return mic

    async def _unpublish(self, sid: str) -> None:
        self.unpublished.append(sid)

    async def _press(self, *, code: int, digit: str) -> None:
        self.pressed.append((code, digit))

    def register_byte_stream_handler(self, topic: str, handler: Any) -> None:
        if topic in self.readers:
            raise ValueError(f"{topic} is taken")
        self.readers[topic] = handler

    def unregister_byte_stream_handler(self, topic: str) -> None:
        self.readers.pop(topic, None)


class Loopback:
    """One room's server."""

    def __init__(self, name: str = "lobby") -> None:
        self.name = name
        self.people: dict[str, Any] = {}
        self.rooms: list[LoopbackRoom] = []
        self.queues: list[FakeQueue] = []
        self.joined_with: list[tuple[str, str]] = []
        self.refusals: list[Exception] = []
        self.publish_fails: Exception | None = None
        self.permissions: Any = None
        """What the server lets the agent do; None: the SDK does not say."""
        self.listens = True
        """Whether somebody subscribes to the agent's track as soon as it is published."""

    @property
    def room(self) -> LoopbackRoom:
        """The last one made."""
        return self.rooms[-1]

    @property
    def queue(self) -> FakeQueue:
        """Where the agent's voice goes."""
        return self.queues[-1]

    def come(
        self,
        identity: str = "caller",
        *mics: Mic,
        kind: int = rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD,
        attributes: dict[str, str] | None = None,
    ) -> Any:
        """Somebody joins, with these tracks."""
        person = SimpleNamespace(
            identity=identity, kind=kind, attributes=attributes or {}, disconnect_reason=None, track_publications={}
        )
        self.people[identity] = person
        self._tell("participant_connected", person)
        for mic in mics:
            self.publish(identity, mic)
        return person

    def publish(self, identity: str, mic: Mic) -> None:
        person = self.people[identity]
        person.track_publications[mic.sid] = mic.publication
        mic.publication.track = mic.track
        self._tell("track_subscribed", mic.track, mic.publication, person)

    def unpublish(self, identity: str, mic: Mic) -> None:
        person = self.people[identity]
        del person.track_publications[mic.sid]
        mic.publication.track = None
        self._tell("track_unsubscribed", mic.track, mic.publication, person)
        self._tell("track_unpublished", mic.publication, person)

    def go(self, identity: str, reason: int = rtc.DisconnectReason.CLIENT_INITIATED) -> None:
        person = self.people.pop(identity)
        person.disconnect_reason = reason
        self._tell("participant_disconnected", person)

    def fail(self, reason: int = rtc.DisconnectReason.SIGNAL_CLOSE) -> None:
        """The SDK gives up the link."""
        self.room.linked = False
        self.room.emit("disconnected", reason)

    def _tell(self, event: Any, *told: object) -> None:
        for room in self.rooms:
            if room.linked:
                room.emit(event, *told)


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Loopback:
    """A room whose agent needs no server."""
    return built(monkeypatch)


def built(monkeypatch: pytest.MonkeyPatch) -> Loopback:
    """The same, where there are no fixtures: it lasts as long as the patches."""
    house = Loopback()

    def open_queue(sample_rate: int, num_channels: int) -> NativeQueue:
        house.queues.append(FakeQueue(sample_rate, num_channels))
        return house.queue

    def open_track(track: Any, shape: AudioShape, noise: object, on_frame: FrameCallback, on_end: Any) -> TrackAudio:
        opened = FakeTrack(shape, on_frame, on_end)
        track.mic.opened.append(opened)
        return opened

    monkeypatch.setattr(voice_track, "open_queue", open_queue)
    monkeypatch.setattr(audio_in, "open_track", open_track)

    class Room(LoopbackRoom):
        def __init__(self) -> None:
            super().__init__(house)

    monkeypatch.setattr("livekit.rtc.Room", Room)
    return house
