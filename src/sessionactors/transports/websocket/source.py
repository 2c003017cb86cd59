"""What the client says, in frames of one length. Fed on the connection's loop, started and stopped on the actor's."""

from __future__ import annotations

from collections.abc import Callable

from sessionactors.interfaces.audio_io import AudioSource, FrameCallback
from sessionactors.model.audio import BYTES_PER_SAMPLE, AudioFrame
from sessionactors.model.errors import SessionStateError


class WebSocketSource(AudioSource):
    """The client's microphone. Clients send pieces of any length; the session gets frames of ``frame_ms``."""

    label = "websocket-source"

    def __init__(self) -> None:
        self.frame_ms = 50
        """10 to 100, as the session wants it; set before it is started. Each frame is a message to several actors."""
        self._on_frame: FrameCallback | None = None
        self._on_end: Callable[[], None] | None = None
        self._stopped = False
        self._muted = False
        self._rest = b""
        self._format = 0, 0
        self.unheard = 0.0
        """Seconds of audio that came while the microphone was off, or nobody listened."""

    def start(self, on_frame: FrameCallback, on_end: Callable[[], None]) -> None:
        if self._on_frame is not None or self._stopped:
            raise SessionStateError("a WebSocketSource is started once")
        self._on_end, self._on_frame = on_end, on_frame

    def stop(self) -> None:
        self._stopped = True

    def feed(self, frame: AudioFrame) -> None:
        """More audio of the client."""
        on_frame = self._on_frame
        if on_frame is None or self._stopped or self._muted:
            self.unheard += frame.duration
            return
        rate, channels = frame.sample_rate, frame.num_channels
        if self._format != (rate, channels):
            self._format, self._rest = (rate, channels), b""
        pcm = self._rest + frame.data
        size = rate * self.frame_ms // 1000 * channels * BYTES_PER_SAMPLE
        whole = len(pcm) // size * size
        self._rest = pcm[whole:]
        for at in range(0, whole, size):
            on_frame(AudioFrame(pcm[at : at + size], rate, channels))

    def mute(self, *, muted: bool) -> None:
        """The microphone is off, or on again. Those who listen are told that nothing follows for now."""
        if muted and not self._muted:
            self.end()
        self._muted = muted

    def end(self) -> None:
        """Nothing follows, for now or for good."""
        self._rest = b""
        if self._on_end is not None and not self._stopped:
            self._on_end()
