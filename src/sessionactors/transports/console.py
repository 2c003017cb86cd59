"""The terminal as a room: what is typed goes in, transcripts are printed, and on request microphone and speakers.

Nothing here blocks the loop: lines are read by :class:`LineInput`, printing has a thread, devices are opened and
released in threads.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TextIO

from rich.console import Console

from sessionactors.interfaces.audio_io import AudioSink
from sessionactors.interfaces.background_audio import BackgroundSink
from sessionactors.interfaces.transport import TranscriptSegment, Transport, TransportEvents
from sessionactors.model.errors import OptionError, SessionStateError

from .device import Device, DeviceSink, DeviceSource, SoundDevice, load_sounddevice
from .lines import LineInput
from .transcript import TranscriptPrinter


class ConsoleTransport(Transport):
    """One person at a terminal, or a pipe in their place.

    Without audio the participant leaves at the end of the input (Ctrl-D, or the end of a pipe or file). With audio the
    end of the input ends only the typing. The agent hears itself through open speakers: use headphones.

    Args:
        participant: identity of the person.
        audio: use microphone and speakers; needs ``pip install 'sessionactors[console-audio]'``.
        stdin: where typed lines come from; None for ``sys.stdin``.
        console: where transcripts are printed; None for a console on ``sys.stdout``.
        input_device, output_device: number or name, as ``python -m sounddevice`` lists them; None for the defaults.
        input_rate, sample_rate: Hertz of microphone and speakers, > 0; None for the devices' own.
        sounddevice: the module ``sounddevice``, or what stands for it; None to import it.

    Raises:
        OptionError: a rate is out of range.
    """

    label = "console"

    def __init__(
        self,
        *,
        participant: str = "user",
        audio: bool = False,
        stdin: TextIO | None = None,
        console: Console | None = None,
        input_device: Device = None,
        output_device: Device = None,
        input_rate: int | None = None,
        sample_rate: int | None = None,
        sounddevice: SoundDevice | None = None,
    ) -> None:
        for name, rate in (("input_rate", input_rate), ("sample_rate", sample_rate)):
            if rate is not None and rate <= 0:
                raise OptionError(f"{name} must be > 0 Hz, got {rate}")
        self._participant = participant
        self._audio = audio
        self._stdin = stdin
        self._console = console
        self._input_device, self._output_device = input_device, output_device
        self._input_rate, self._sample_rate = input_rate, sample_rate
        self._sound = sounddevice
        self._used = False
        self._events: TransportEvents | None = None
        self._source: DeviceSource | None = None
        self._sink: DeviceSink | None = None
        self._printer: TranscriptPrinter | None = None
        self._lines: LineInput | None = None
        self._closing: asyncio.Task[None] | None = None

    async def connect(self, events: TransportEvents) -> None:
        """Open the devices, report the participant, and begin to read.

        Raises:
            OptionError: ``audio=True`` and sounddevice or PortAudio is missing, or there is no standard input.
            APIConnectionError: there is no such device.
            SessionStateError: it was connected or closed before.
        """
        if self._used or self._closing is not None:
            raise SessionStateError("a ConsoleTransport is connected once: make another one for the next session")
        self._used = True
        stdin = self._stdin or sys.stdin
        if stdin is None:
            raise OptionError("this program has no standard input: pass stdin=")
        self._events = events
        try:
            if self._audio:
                await asyncio.to_thread(self._open_devices)
            self._printer = TranscriptPrinter(self._console or Console(), events.closed)
            self._printer.start()
            events.participant_joined(self._participant, self._source)
            self._lines = LineInput(stdin, self._typed, self._input_ended)
            await self._lines.open()
        except BaseException:
            await self.aclose()
            raise

    @property
    def audio_sink(self) -> AudioSink | None:
        return self._sink

    async def open_background(self, options: object | None = None) -> BackgroundSink | None:
        return None if self._sink is None else self._sink.background

    def publish_transcript(self, segment: TranscriptSegment) -> None:
        if self._printer is not None:
            self._printer.show(segment)

    async def aclose(self) -> None:
        """Stop reading, print what is waiting (for a second at most) and release the devices."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(), name="console-transport-close")
        # Shielded: whoever gives up waiting does not leave threads and devices behind.
        await asyncio.shield(self._closing)

    def _open_devices(self) -> None:
        sound = self._sound or load_sounddevice()
        self._source = DeviceSource(sound, device=self._input_device, sample_rate=self._input_rate)
        self._sink = DeviceSink(
            sound, device=self._output_device, sample_rate=self._sample_rate, on_lost=self._speakers_lost
        )
        self._source.run()
        self._sink.start()

    def _typed(self, line: str) -> None:
        if self._events is not None:
            self._events.text_received(self._participant, line)

    def _input_ended(self, reason: str) -> None:
        if self._events is not None and not self._audio:
            self._events.participant_left(self._participant, reason)

    def _speakers_lost(self, reason: str) -> None:
        if self._events is not None:
            self._events.closed(reason)

    async def _close(self) -> None:
        if self._sink is not None:
            self._sink.close()
        if self._lines is not None:
            await self._lines.aclose()
        await asyncio.to_thread(self._release)

    def _release(self) -> None:
        if self._source is not None:
            self._source.release()
        if self._printer is not None:
            self._printer.stop()
        if self._sink is not None:
            self._sink.join()
