"""A detector that looks at the loudest sample: it conforms, or has exactly the flaw that one check is there for."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager

from sessionactors.interfaces.vad import VAD, VADEvent, VADEventType
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import AudioFormatError
from sessionactors.providers.offline.speech_edges import EdgeRules, SpeechEdges, Windows
from sessionactors.testing import VirtualLoop
from sessionactors.testing.conformance import Fault, VADRig

from tests.conformance.fake_backend import KEY, FakeBackend

RATE = 16000
WINDOW = 512
BEGIN, INFERENCE, END = VADEventType.START_OF_SPEECH, VADEventType.INFERENCE_DONE, VADEventType.END_OF_SPEECH


class FakeVAD(VAD):
    """Speech is what is not silence."""

    label = "fake.VAD"

    def __init__(self, fault: Fault | None = None, flaw: str = "") -> None:
        self.backend = FakeBackend(fault, flaw)
        self._flaw = flaw
        self._shared = SpeechEdges(EdgeRules())
        if flaw == "names_itself":
            self.label = ""

    @property
    def min_silence_duration(self) -> float:
        return 0.5

    def detect(self, audio: AsyncIterable[AudioFrame]) -> AsyncIterator[VADEvent]:
        return self.backend.request(self._events(audio))

    async def aclose(self) -> None:
        self.backend.close()

    async def _events(self, audio: AsyncIterable[AudioFrame]) -> AsyncGenerator[VADEvent, None]:
        await self.backend.begin()
        windows = Windows(WINDOW)
        edges = self._shared if self._flaw == "mixes_no_streams" else SpeechEdges(EdgeRules())
        if self._flaw == "ends_without_audio":
            yield VADEvent(BEGIN, 0.1, 0.0)
        async for frame in audio:
            if self._flaw == "takes_frames_of_any_length" and frame.samples_per_channel != 320:
                raise AudioFormatError("20 ms, please")
            windows.push(frame.data)
            while (window := windows.pop()) is not None:
                if windows.taken == 5 * WINDOW and await self.backend.midway():
                    return
                end, now = windows.taken / RATE, windows.received / RATE
                loud = any(window) or self._flaw == "finds_no_speech_in_silence"
                for event in edges.window(end - WINDOW / RATE, end, float(loud), now):
                    for flawed in self._flawed(event):
                        yield flawed

    def _flawed(self, event: VADEvent) -> list[VADEvent]:
        kind, speech, silence = event.type, event.speech_duration, event.silence_duration
        match self._flaw:
            case "answers" if kind is BEGIN:
                return []
            case "finds_where_speech_begins" if kind is BEGIN:
                return [VADEvent(kind, speech + 0.5, silence)]
            case "finds_where_speech_ends" if kind is END:
                return [VADEvent(kind, speech, silence - 0.4, speaking=False)]
            case "edges_alternate" if kind is END:
                return [event, event]
            case "reports_each_window" if kind is INFERENCE:
                return []
        return [event]


def tone(seconds: float) -> bytes:
    return b"\x00\x10" * round(seconds * RATE)


def quiet(seconds: float) -> bytes:
    return bytes(2 * round(seconds * RATE))


SPEECH = AudioFrame(quiet(0.512) + tone(1.024) + quiet(1.024) + tone(0.512) + quiet(1.024), RATE)


def fake_vad_rig(flaw: str = "") -> VADRig:
    """A rig of a detector with a flaw."""
    detectors: list[FakeVAD] = []

    @asynccontextmanager
    async def opened(fault: Fault | None) -> AsyncIterator[VAD]:
        detectors.append(FakeVAD(fault, flaw))
        yield detectors[-1]

    return VADRig(
        name="fake.VAD",
        open=opened,
        faults=frozenset(Fault),
        secret=KEY,
        audio=SPEECH,
        speech=((0.512, 1.536), (2.56, 3.072)),
        connections=lambda: detectors[-1].backend.connections,
        most_connections=2,
        loop_factory=VirtualLoop,
    )
