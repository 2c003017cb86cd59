"""A WAV file as the caller, and a WAV file of what the agent said.

For trying an agent on a recorded call and for tests with real audio. Files are read before the call and written after
it, in threads: no disk can hold up the loop while somebody speaks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from sessionactors.interfaces.audio_io import AudioSink, AudioSource, FrameCallback
from sessionactors.interfaces.background_audio import BackgroundSink
from sessionactors.interfaces.transport import TranscriptSegment, Transport, TransportEvents
from sessionactors.model.audio import BYTES_PER_SAMPLE, AudioFrame
from sessionactors.model.errors import OptionError, SessionStateError

from .background import FrameAt, TimedBackground
from .pacing import FramePacer, check_frame_ms
from .playout import PacedPlayout
from .recording import StereoRecording, Track
from .wav import WavAudio, check_writable, read_wav


class FileSource(AudioSource):
    """A recording as a caller's line: silence, the recording, and silence for as long as the line is open.

    Frames keep the recording's rate and channels, and are delivered when their last sample has been spoken.

    Args:
        audio: the recording.
        frame_ms: length of a frame, 10 to 100 ms.
        lead_in: seconds >= 0 of silence before the recording.
        tail: seconds >= 0 of silence after which the caller hangs up; None to stay on the line.
        on_hang_up: called once, after the last frame, when the caller hangs up.
        heard: given every frame that was delivered.

    Raises:
        OptionError: an argument is out of range.
    """

    label = "file-source"

    def __init__(
        self,
        audio: WavAudio,
        *,
        frame_ms: int = 20,
        lead_in: float = 0.0,
        tail: float | None = None,
        on_hang_up: Callable[[], None] | None = None,
        heard: FrameAt | None = None,
    ) -> None:
        self._audio = audio
        self._frame_ms = check_frame_ms(frame_ms)
        self._lead_in = round(_seconds("lead_in", lead_in) * audio.sample_rate)
        self._speech_ends = self._lead_in + audio.samples_per_channel
        self._line_ends = (
            None if tail is None else self._speech_ends + round(_seconds("tail", tail) * audio.sample_rate)
        )
        self._on_hang_up = on_hang_up
        self._heard = heard
        self._origin = 0.0
        self._pacer: FramePacer | None = None
        self._on_frame: FrameCallback | None = None
        self._on_end: Callable[[], None] | None = None
        self._stopped = False

    def start(self, on_frame: FrameCallback, on_end: Callable[[], None]) -> None:
        if self._pacer is not None or self._stopped:
            raise SessionStateError("a FileSource is started once")
        loop = asyncio.get_running_loop()
        self._on_frame, self._on_end = on_frame, on_end
        self._origin = loop.time()
        self._pacer = FramePacer(loop, self._origin, self._frame_ms / 1000, self._deliver)

    def stop(self) -> None:
        self._stopped = True
        if self._pacer is not None:
            self._pacer.stop()

    def _deliver(self, number: int) -> bool:
        begin, end = self._sample(number), self._sample(number + 1)
        if self._line_ends is not None and begin >= self._line_ends:
            self._hang_up()
            return False
        frame = AudioFrame(self._cut(begin, end), self._audio.sample_rate, self._audio.num_channels)
        if self._heard is not None:
            self._heard(frame, self._origin + begin / self._audio.sample_rate)
        if self._on_frame is not None:
            self._on_frame(frame)
        return True

    def _sample(self, number: int) -> int:
        # From the frame's number, so that rates in which a frame is no whole number of samples do not drift.
        return number * self._frame_ms * self._audio.sample_rate // 1000

    def _cut(self, begin: int, end: int) -> bytes:
        instant = BYTES_PER_SAMPLE * self._audio.num_channels
        first, last = (min(max(at, self._lead_in), self._speech_ends) for at in (begin, end))
        speech = self._audio.pcm[(first - self._lead_in) * instant : (last - self._lead_in) * instant]
        ahead = max(0, min(self._lead_in, end) - begin) * instant
        return bytes(ahead) + speech + bytes((end - begin) * instant - ahead - len(speech))

    def _hang_up(self) -> None:
        self._stopped = True
        if self._on_end is not None:
            self._on_end()
        if self._on_hang_up is not None:
            self._on_hang_up()


class FileSink(PacedPlayout):
    """Plays the agent's voice without sound and hands on what was played, with the time of its first sample.

    Args:
        sample_rate: Hertz of the frames to be written.
        heard: given everything that was played.
    """

    label = "file-sink"

    def __init__(self, *, sample_rate: int, heard: FrameAt | None = None) -> None:
        super().__init__(sample_rate=sample_rate)
        self._heard = heard

    def _played(self, frame: AudioFrame, at: float) -> None:
        if self._heard is not None:
            self._heard(frame, at)


class FileTransport(Transport):
    """One caller, who says what is in a WAV file; what the agent says goes to another one.

    The recording begins when the transport is connected and is written, whole or not at all, when it is closed:
    silence where nobody spoke, so that a second in the file is a second of the call.

    Args:
        input_wav: integer PCM of 8 to 32 bit, mono or stereo, any rate.
        output_wav: where the recording goes; an existing file is replaced. None for no recording.
        layout: ``"agent"`` for the agent alone; ``"stereo"`` for the caller left and the agent right, in the rate
            of the input file (the agent's audio is resampled to it by the session).
        participant: identity of the caller.
        sample_rate: Hertz > 0 of the agent's audio, unless ``layout`` is ``"stereo"``.
        frame_ms: length of the caller's frames, 10 to 100 ms.
        lead_in: seconds >= 0 of silence before the caller speaks.
        tail: seconds >= 0 of silence after which the caller hangs up; None: stays on the line until the call is closed.
        on_transcript: shown every published transcript, on the actor loop; must not block.

    Raises:
        OptionError: an argument is out of range.
    """

    label = "file"

    def __init__(
        self,
        input_wav: str | Path,
        output_wav: str | Path | None = None,
        *,
        layout: Literal["agent", "stereo"] = "agent",
        participant: str = "caller",
        sample_rate: int = 24000,
        frame_ms: int = 20,
        lead_in: float = 0.0,
        tail: float | None = None,
        on_transcript: Callable[[TranscriptSegment], None] | None = None,
    ) -> None:
        if layout not in {"agent", "stereo"}:
            raise OptionError(f'layout must be "agent" or "stereo", got {layout!r}')
        if sample_rate <= 0:
            raise OptionError(f"sample_rate must be > 0 Hz, got {sample_rate}")
        self._input = Path(input_wav)
        self._output = None if output_wav is None else Path(output_wav)
        self._layout = layout
        self._participant = participant
        self._sample_rate = sample_rate
        self._frame_ms = check_frame_ms(frame_ms)
        self._lead_in = _seconds("lead_in", lead_in)
        self._tail = None if tail is None else _seconds("tail", tail)
        self._on_transcript = on_transcript
        self._used = False
        self._source: FileSource | None = None
        self._sink: FileSink | None = None
        self._recording: StereoRecording | Track | None = None
        self._beside: Track | None = None
        """What is heard beside the agent."""
        self._began = 0.0
        self._closing: asyncio.Task[None] | None = None

    async def connect(self, events: TransportEvents) -> None:
        """Read the input file, make sure that the output can be written, and report the caller.

        Raises:
            AudioFormatError: the input is empty, truncated or no WAV file that can be read.
            OptionError: the input is not there, or the output cannot be written there.
            SessionStateError: it was connected or closed before.
        """
        if self._used or self._closing is not None:
            raise SessionStateError("a FileTransport is connected once: make another one for the next session")
        self._used = True
        audio = await asyncio.to_thread(self._prepare)
        if self._closing is not None:
            raise SessionStateError("the FileTransport was closed while it was connecting")
        self._open(audio, events)

    @property
    def audio_sink(self) -> AudioSink | None:
        return self._sink

    async def open_background(self, options: object | None = None) -> BackgroundSink | None:
        """What is heard beside the agent is mixed into the agent's side of the recording.

        Raises:
            SessionStateError: it is not connected.
        """
        if self._sink is None:
            raise SessionStateError("the FileTransport is not connected: start the session before background audio")
        beside = self._beside = Track(sample_rate=self._sink.sample_rate, start=self._began)
        return TimedBackground(beside.sample_rate, beside.add)

    def publish_transcript(self, segment: TranscriptSegment) -> None:
        if self._on_transcript is not None:
            self._on_transcript(segment)

    async def aclose(self) -> None:
        """Hang up and write the recording.

        Raises:
            OSError: the recording cannot be written (the disk is full, the directory is gone).
        """
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(), name="file-transport-close")
        # Shielded: whoever gives up waiting does not cost the recording, and a second caller waits for the same end.
        await asyncio.shield(self._closing)

    def _prepare(self) -> WavAudio:
        audio = read_wav(self._input)
        if self._output is not None:
            check_writable(self._output, source=self._input)
        return audio

    def _open(self, audio: WavAudio, events: TransportEvents) -> None:
        now = self._began = asyncio.get_running_loop().time()
        caller: FrameAt | None = None
        agent: FrameAt | None = None
        rate = self._sample_rate
        if self._layout == "stereo":
            rate = audio.sample_rate
        if self._output is not None and self._layout == "stereo":
            stereo = StereoRecording(sample_rate=rate, start=now)
            self._recording, caller, agent = stereo, stereo.caller, stereo.agent
        elif self._output is not None:
            track = Track(sample_rate=rate, start=now)
            self._recording, agent = track, track.add
        self._sink = FileSink(sample_rate=rate, heard=agent)
        self._source = FileSource(
            audio,
            frame_ms=self._frame_ms,
            lead_in=self._lead_in,
            tail=self._tail,
            on_hang_up=lambda: events.participant_left(self._participant, "hung up"),
            heard=caller,
        )
        events.participant_joined(self._participant, self._source)

    async def _close(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._source is not None:
            self._source.stop()
        if self._sink is not None:
            self._sink.close()
        if self._recording is not None and self._output is not None:
            recording, self._recording = self._recording, None
            await asyncio.to_thread(recording.write, self._output, until=now, beside=self._beside)


def _seconds(name: str, value: float) -> float:
    if not 0 <= value < float("inf"):
        raise OptionError(f"{name} must be >= 0 seconds, got {value}")
    return value
