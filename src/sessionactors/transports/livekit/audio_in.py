"""What a participant says: one source for as long as they are in the room, whatever becomes of their tracks.

Tracks are plugged in and out on the room's loop; frames are read, and given to the session, on the actor loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from livekit import rtc

from sessionactors.interfaces.audio_io import AudioSource, FrameCallback
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import APIConnectionError, SessionStateError

from .noise import GainControl, NoiseCancellation
from .track_audio import AudioShape, TrackAudio, open_track

log = structlog.get_logger("sessionactors.livekit")

SILENCE_AT_END: Final = 0.5
"""Seconds of silence behind a track that ended: a recogniser that waits for silence finishes what it has."""
PIECE: Final = 10
"""Frames of a recording that are given at once, and then every :data:`PAUSE`: the session's mailboxes are bounded."""
PAUSE: Final = 0.01
HELD_SECONDS: Final = 5.0
"""What is kept of a track that waits for its recording, before the oldest gives way."""


@dataclass(frozen=True, slots=True, eq=False)
class PluggedTrack:
    """A track to be heard."""

    sid: str
    track: rtc.RemoteTrack
    noise_cancellation: NoiseCancellation | None = None
    after_recording: bool = False
    """What was recorded before is heard first: keep the frames until :meth:`ParticipantVoice.recorded` is called."""


class ParticipantVoice(AudioSource):
    """A participant's voice.

    Args:
        identity: who.
        shape: how frames are wanted.
        gain_control: even out how loud they are.
    """

    label = "livekit-voice"

    def __init__(self, identity: str, shape: AudioShape, *, gain_control: bool) -> None:
        self.identity = identity
        self._shape = shape
        self._gain = GainControl() if gain_control else None
        self._lock = threading.Lock()
        """For what is known before :meth:`start`, which is called on another loop."""
        self._plugged: PluggedTrack | None = None
        self._recording: tuple[AudioFrame, ...] | None = None
        self._gone = False
        self._loop: asyncio.AbstractEventLoop | None = None
        # From here on: of the actor loop.
        self._current: PluggedTrack | None = None
        self._audio: TrackAudio | None = None
        self._waiting: deque[AudioFrame] = deque()
        """Frames behind a recording that is awaited or being given."""
        self._holding = False
        self._giving: asyncio.TimerHandle | None = None
        self._spoke = False
        self._dropped = 0
        self._stopped = False
        self._on_frame: FrameCallback | None = None
        self._on_end: Callable[[], None] | None = None

    @property
    def dropped(self) -> int:
        """Frames that gave way because the session was late."""
        return self._dropped + (0 if self._audio is None else self._audio.dropped)

    # -- the session, on the actor loop ------------------------------------------------------------------------------

    def start(self, on_frame: FrameCallback, on_end: Callable[[], None]) -> None:
        with self._lock:
            if self._loop is not None:
                raise SessionStateError(f"the voice of {self.identity!r} is listened to already: a source starts once")
            self._loop = asyncio.get_running_loop()
            plugged, recording, gone = self._plugged, self._recording, self._gone
        self._on_frame, self._on_end = on_frame, on_end
        if plugged is not None:
            self._open(plugged)
            if recording is not None:
                self._play_recording(plugged.sid, recording)
        if gone:
            self._end()

    def stop(self) -> None:
        self._stopped = True
        self._close()

    # -- the room, on its loop ---------------------------------------------------------------------------------------

    def plug(self, plugged: PluggedTrack) -> None:
        """Listen to this track from now on, in place of another."""
        with self._lock:
            self._plugged, self._recording = plugged, None
        self._on_actor_loop(lambda: self._open(plugged))

    def unplug(self, sid: str) -> None:
        """A track is not there any more. Does nothing for one that is not listened to."""
        with self._lock:
            if self._plugged is None or self._plugged.sid != sid:
                return
            self._plugged = self._recording = None
        self._on_actor_loop(lambda: self._over(sid))

    @property
    def plugged(self) -> PluggedTrack | None:
        """What is listened to."""
        return self._plugged

    def recorded(self, sid: str, frames: Sequence[AudioFrame]) -> None:
        """What was recorded before a track was heard, or nothing: the track goes on behind it."""
        recording = tuple(frames)
        with self._lock:
            if self._plugged is None or self._plugged.sid != sid:
                return
            self._recording = recording
        self._on_actor_loop(lambda: self._play_recording(sid, recording))

    def leave(self) -> None:
        """The participant is gone."""
        with self._lock:
            self._gone = True
        self._on_actor_loop(self._end)

    def _on_actor_loop(self, call: Callable[[], None]) -> None:
        with self._lock:
            loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # it is closed: nobody listens any more
                loop.call_soon_threadsafe(call)

    # -- on the actor loop -------------------------------------------------------------------------------------------

    def _open(self, plugged: PluggedTrack) -> None:
        if self._stopped or self._current is plugged:
            return
        if self._current is not None:
            self._over(self._current.sid)
        self._current = plugged
        self._holding = plugged.after_recording

        def on_frame(frame: AudioFrame) -> None:
            self._live(plugged, frame)

        try:
            self._audio = open_track(
                plugged.track, self._shape, plugged.noise_cancellation, on_frame, lambda: self._over(plugged.sid)
            )
        except APIConnectionError as error:  # it went while we were about to listen: the room tells of its end
            log.info("livekit_track_gone", room="", actor="", message_id=0, track=plugged.sid, error=str(error))

    def _live(self, plugged: PluggedTrack, frame: AudioFrame) -> None:
        if self._current is not plugged:
            return
        if not self._holding and self._giving is None:
            self._give(frame)
            return
        self._waiting.append(frame)
        if sum(waiting.duration for waiting in self._waiting) > HELD_SECONDS and self._holding:
            self._waiting.popleft()
            self._dropped += 1

    def _play_recording(self, sid: str, recording: tuple[AudioFrame, ...]) -> None:
        if self._current is None or self._current.sid != sid or not self._holding:
            return
        self._holding = False
        self._waiting.extendleft(reversed(recording))
        self._give_waiting()

    def _give_waiting(self) -> None:
        """A piece at a time; what is live meanwhile goes behind."""
        self._giving = None
        for _ in range(min(PIECE, len(self._waiting))):
            self._give(self._waiting.popleft())
        if self._waiting and not self._stopped:
            self._giving = asyncio.get_running_loop().call_later(PAUSE, self._give_waiting)

    def _give(self, frame: AudioFrame) -> None:
        if self._stopped or self._on_frame is None:
            return
        self._spoke = True
        self._on_frame(frame if self._gain is None else self._gain.feed(frame))

    def _over(self, sid: str) -> None:
        """The track has ended: give what was kept, and the silence that lets recognisers finish."""
        if self._current is None or self._current.sid != sid:
            return
        self._close()
        while self._waiting:
            self._give(self._waiting.popleft())
        if self._spoke and self._on_frame is not None and not self._stopped:
            self._spoke = False
            silence = self._shape.silence()
            for _ in range(round(SILENCE_AT_END * 1000 / self._shape.frame_size_ms)):
                self._on_frame(silence)

    def _close(self) -> None:
        if self._giving is not None:
            self._giving.cancel()
            self._giving = None
        if self._audio is not None:
            self._dropped += self._audio.dropped
            self._audio.close()
            self._audio = None
        self._current, self._holding = None, False

    def _end(self) -> None:
        if self._current is not None:
            self._over(self._current.sid)
        on_end, self._on_end = self._on_end, None
        if on_end is not None and not self._stopped:
            on_end()
