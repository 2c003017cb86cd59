"""Microphone and speakers through sounddevice (PortAudio).

The stream's callback runs in PortAudio's thread and is the clock: samples count as played when the device takes them,
and the stream's latency is declared as the error of that count. What is here knows of sounddevice only the few calls in
:class:`SoundDevice`; :func:`load_sounddevice` is the only place that imports it.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Mapping
from typing import Final, Literal, Protocol, TypeAlias, cast

from sessionactors.interfaces.audio_io import AudioSink, AudioSource, FrameCallback, SinkCallback
from sessionactors.model.audio import BYTES_PER_SAMPLE, AudioFrame
from sessionactors.model.errors import APIConnectionError, OptionError, SessionStateError

from .device_background import DeviceBackground
from .segments import PlayoutStatistics, SegmentQueue

Device: TypeAlias = int | str | None
"""A device's number or (part of) its name, as in ``python -m sounddevice``; None for the default one."""

Buffer: TypeAlias = bytearray | memoryview
"""Stands for the stream's own buffer type, which is a writable buffer too."""

StreamCallback: TypeAlias = Callable[[Buffer, int, object, object], None]
"""``(buffer, frames, time, status)``; ``status`` is true when samples were lost."""

_PROGRESS_INTERVAL: Final = 0.1
_INPUT_FRAME_MS: Final = 20
_OUTPUT_BLOCK_MS: Final = 10


class DeviceStream(Protocol):
    """A stream of sounddevice."""

    @property
    def latency(self) -> float:
        """Seconds between the callback and the loudspeaker."""
        ...

    def start(self) -> None:
        """Begin to call back."""
        ...

    def close(self) -> None:
        """Stop at once and release the device."""
        ...


class OpenStream(Protocol):
    """``sounddevice.RawInputStream`` and ``RawOutputStream``."""

    def __call__(
        self,
        *,
        samplerate: int,
        blocksize: int,
        device: Device,
        channels: int,
        dtype: str,
        latency: str,
        callback: StreamCallback,
        finished_callback: Callable[[], None],
    ) -> DeviceStream:
        """Open a stream."""
        ...


class SoundDevice(Protocol):
    """What is used of the module ``sounddevice``."""

    @property
    def PortAudioError(self) -> type[Exception]:  # noqa: N802 -- the module's own name
        """Raised when a device cannot be used."""
        ...

    @property
    def RawInputStream(self) -> OpenStream:  # noqa: N802
        """A microphone."""
        ...

    @property
    def RawOutputStream(self) -> OpenStream:  # noqa: N802
        """Speakers."""
        ...

    def query_devices(self, device: Device, kind: str) -> Mapping[str, object]:
        """What is known of a device: ``default_samplerate`` among others."""
        ...


def load_sounddevice() -> SoundDevice:
    """Import sounddevice. Blocks while PortAudio looks for devices.

    Raises:
        OptionError: the package or the PortAudio library is missing; says what to install.
    """
    try:
        return cast("SoundDevice", importlib.import_module("sounddevice"))
    except ImportError as error:
        raise OptionError(
            "audio=True needs the package sounddevice: pip install 'sessionactors[console-audio]'"
        ) from error
    except OSError as error:
        raise OptionError(
            f"audio=True needs the PortAudio library ({error}): apt install libportaudio2, dnf install portaudio, "
            "or brew install portaudio"
        ) from error


class DeviceSink(AudioSink):
    """Speakers. Made and opened off the loop; a clear or a pause is silent from the next block on (10 ms).

    Positions are the samples that the device took, and are reported when it took them; it plays them up to
    :attr:`position_error` seconds later.

    Args:
        sound: the sounddevice module.
        device: which speakers.
        sample_rate: Hertz > 0; None for the device's own rate.
        on_lost: called once if the device goes away during the call; from any thread.

    Raises:
        APIConnectionError: there is no such device, or it cannot play at this rate.
    """

    label = "speakers"
    can_pause = True

    def __init__(
        self,
        sound: SoundDevice,
        *,
        device: Device = None,
        sample_rate: int | None = None,
        on_lost: Callable[[str], None] | None = None,
    ) -> None:
        self._sound, self._device = sound, device
        self.sample_rate = _rate(sound, device, "output") if sample_rate is None else sample_rate
        self.background = DeviceBackground(self.sample_rate)
        self._queue = SegmentQueue(self.sample_rate, _PROGRESS_INTERVAL)
        # Events are reported under the lock, so that they come in order from whichever thread. Reentrant, because a
        # listener may answer an event by the next call.
        self._lock = threading.RLock()
        self._on_event: SinkCallback | None = None
        self._on_lost = on_lost
        self._muted = False
        self._closed = False
        self._lost = False
        self._underflows = 0
        self._releasing: threading.Thread | None = None
        self._stream = _open(
            sound, "output", self._fill, self._stream_finished, self.sample_rate, device, _OUTPUT_BLOCK_MS
        )
        self.position_error = float(self._stream.latency)

    @property
    def statistics(self) -> PlayoutStatistics:
        """The account of what was written."""
        with self._lock:
            return self._queue.statistics

    @property
    def device_underflows(self) -> int:
        """Blocks that the device did not get in time, whatever was queued: the machine is too slow."""
        return self._underflows

    @property
    def refused(self) -> int:
        return self._queue.refused

    def attach(self, on_event: SinkCallback) -> None:
        with self._lock:
            self._on_event = on_event

    def begin(self, segment: str) -> None:
        with self._lock:
            if self._on_event is None:
                raise SessionStateError(f"segment {segment!r} cannot begin: attach() to the sink first")
            if self._muted:
                self._queue.clear_all()  # what the mute ended, if no block has come since
                self._muted = False
            self._queue.begin(segment)
            if self._is_silent():
                self._queue.clear_all()
            self._report()

    def write(self, segment: str, frame: AudioFrame) -> None:
        with self._lock:
            self._queue.write(segment, frame)

    def end(self, segment: str) -> None:
        with self._lock:
            self._queue.end(segment)
            self._report()

    def clear(self, segment: str) -> None:
        with self._lock:
            self._queue.clear(segment)
            self._report()

    def pause(self, segment: str) -> None:
        with self._lock:
            self._queue.pause(segment)
            self._report()

    def resume(self, segment: str) -> None:
        with self._lock:
            self._queue.resume(segment)

    def mute(self) -> None:
        # Without the lock: the loop that hangs may hold it. The next block sees the flag before it asks for the lock.
        self._muted = True

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._queue.clear_all()
            self._report()
            # PortAudio waits for its callback before it lets go, and the loop must not wait with it.
            self._releasing = threading.Thread(target=self._stream.close, name="sessionactors-speakers-close")
        self._releasing.start()

    def join(self) -> None:
        """Wait until the device is released. Blocks."""
        if self._releasing is not None:
            self._releasing.join()

    def start(self) -> None:
        """Let the device run: it plays silence until there is something to say. Blocks for a moment.

        Raises:
            APIConnectionError: the device does not start.
        """
        _start(self._sound, self._stream, "output", self._device)

    def _fill(self, outdata: Buffer, frames: int, _time: object, status: object) -> None:
        if status:
            self._underflows += 1
        size = frames * BYTES_PER_SAMPLE
        if self._is_silent():
            outdata[:] = bytes(size)
            self._finish_all()
            return
        with self._lock:
            if self._is_silent():  # while we waited for the lock; later than here it counts as played, and is heard
                outdata[:] = bytes(size)
                self._queue.clear_all()
                self._report()
                return
            starved = self._queue.starving
            parts = self._queue.take(frames)
            heard = b"".join(part.data for part in parts)
            if starved or self._queue.starving:
                self._queue.stall((frames - len(heard) // BYTES_PER_SAMPLE) / self.sample_rate)
            outdata[:] = self.background.added(heard.ljust(size, b"\0"))
            self._report()

    def _is_silent(self) -> bool:
        return self._muted or self._closed or self._lost

    def _finish_all(self) -> None:
        with self._lock:
            self._queue.clear_all()
            self._report()

    def _stream_finished(self) -> None:
        if self._closed or self._lost:
            return
        self._lost = True
        self._finish_all()
        if self._on_lost is not None:
            self._on_lost("the speakers are gone")

    def _report(self) -> None:
        while self._queue.events and self._on_event is not None:
            self._on_event(self._queue.events.popleft())


class DeviceSource(AudioSource):
    """A microphone. Made and opened off the loop; what is heard before :meth:`start` goes nowhere.

    Args:
        sound: the sounddevice module.
        device: which microphone.
        sample_rate: Hertz > 0; None for the device's own rate.

    Raises:
        APIConnectionError: there is no such device, or it cannot record at this rate.
    """

    label = "microphone"

    def __init__(self, sound: SoundDevice, *, device: Device = None, sample_rate: int | None = None) -> None:
        self._sound, self._device = sound, device
        self.sample_rate = _rate(sound, device, "input") if sample_rate is None else sample_rate
        self._on_frame: FrameCallback | None = None
        self._on_end: Callable[[], None] | None = None
        self._stopped = False
        self._lost = False
        self._overflows = 0
        self._stream = _open(
            sound, "input", self._captured, self._stream_finished, self.sample_rate, device, _INPUT_FRAME_MS
        )

    @property
    def overflows(self) -> int:
        """Times the device had recorded more than was fetched in time: samples are missing."""
        return self._overflows

    def start(self, on_frame: FrameCallback, on_end: Callable[[], None]) -> None:
        if self._on_frame is not None or self._stopped:
            raise SessionStateError("a DeviceSource is started once")
        self._on_end, self._on_frame = on_end, on_frame
        if self._lost:
            self._end()

    def stop(self) -> None:
        self._stopped = True

    def run(self) -> None:
        """Let the device run. Blocks for a moment.

        Raises:
            APIConnectionError: the device does not start.
        """
        _start(self._sound, self._stream, "input", self._device)

    def release(self) -> None:
        """Stop and release the device. Blocks for a moment."""
        self._stopped = True
        self._stream.close()

    def _captured(self, indata: Buffer, frames: int, _time: object, status: object) -> None:
        if status:
            self._overflows += 1
        if self._on_frame is not None and not self._stopped:
            self._on_frame(AudioFrame(bytes(indata), self.sample_rate))

    def _stream_finished(self) -> None:
        self._lost = True
        self._end()

    def _end(self) -> None:
        if not self._stopped and self._on_end is not None:
            self._stopped = True
            self._on_end()


def _rate(sound: SoundDevice, device: Device, kind: Literal["input", "output"]) -> int:
    try:
        return round(float(cast("float", sound.query_devices(device, kind)["default_samplerate"])))
    except (sound.PortAudioError, ValueError) as error:
        raise _no_device(kind, device, error) from error


def _open(
    sound: SoundDevice,
    kind: Literal["input", "output"],
    callback: StreamCallback,
    finished: Callable[[], None],
    sample_rate: int,
    device: Device,
    block_ms: int,
) -> DeviceStream:
    stream = sound.RawInputStream if kind == "input" else sound.RawOutputStream
    try:
        return stream(
            samplerate=sample_rate,
            blocksize=sample_rate * block_ms // 1000,
            device=device,
            channels=1,
            dtype="int16",
            latency="low",
            callback=callback,
            finished_callback=finished,
        )
    except (sound.PortAudioError, ValueError) as error:
        raise _no_device(kind, device, error) from error


def _start(sound: SoundDevice, stream: DeviceStream, kind: str, device: Device) -> None:
    try:
        stream.start()
    except sound.PortAudioError as error:
        raise _no_device(kind, device, error) from error


def _no_device(kind: str, device: Device, error: Exception) -> APIConnectionError:
    what = f"default {kind} device" if device is None else f"{kind} device {device!r}"
    return APIConnectionError(
        f"cannot use the {what}: {error}. List the devices with: python -m sounddevice", retryable=False
    )
