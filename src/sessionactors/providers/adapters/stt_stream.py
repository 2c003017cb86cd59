"""A recogniser of single utterances as a streaming one: a detector of speech finds the utterances."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from dataclasses import replace
from typing import Final

from sessionactors.interfaces.stt import STT, SpeechEvent, SpeechEventType, STTCapabilities
from sessionactors.interfaces.vad import VAD, VADEventType
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import OptionError
from sessionactors.model.sentinel import FLUSH, FlushSentinel

from .patience import end

PREFIX: Final = 0.5
"""Seconds of audio before the detected beginning that belong to an utterance: detectors notice late."""
LOOKBACK: Final = 2.0
"""Seconds that are kept between utterances: a detector reports a beginning when so much of it was heard at most."""
LONGEST: Final = 60.0
"""Seconds after which an utterance is recognised though nobody has paused: memory and requests are bounded."""
WAITING: Final = 8
"""Utterances that may wait for the recogniser."""


class StreamAdapter(STT):
    """A recogniser that understands an utterance when it is over, for sessions.

    The detector runs over the audio; each stretch of speech becomes a stream of its own, and its final is passed on
    with times of the whole audio. The next utterance is heard meanwhile. It tells the edges of speech, as the detector
    finds them. A flush in the middle of speech ends the utterance too.

    Args:
        stt: the recogniser.
        vad: the detector.

    Raises:
        OptionError: they live on different loops, or want audio of different rates.
    """

    def __init__(self, *, stt: STT, vad: VAD) -> None:
        if stt.home is not vad.home:
            raise OptionError(f"{stt.label} and {vad.label} must live on one loop: {stt.home.value}, {vad.home.value}")
        if stt.sample_rate != vad.sample_rate:
            raise OptionError(
                f"{stt.label} wants {stt.sample_rate} Hz and {vad.label} {vad.sample_rate} Hz: they must be the same"
            )
        self._stt = stt
        self._vad = vad
        self.home = stt.home
        self.sample_rate = stt.sample_rate
        self.label, self.model, self.provider = stt.label, stt.model, stt.provider

    @property
    def wrapped_stt(self) -> STT:
        """The recogniser."""
        return self._stt

    @property
    def capabilities(self) -> STTCapabilities:
        """Those of the recogniser, with streaming and the edges of speech, and without interims."""
        return replace(self._stt.capabilities, streaming=True, interim_results=False, end_of_speech=True)

    async def aclose(self) -> None:
        await self._stt.aclose()
        await self._vad.aclose()

    async def transcribe(
        self, audio: AsyncIterable[AudioFrame | FlushSentinel], *, language: str | None = None
    ) -> AsyncGenerator[SpeechEvent, None]:
        """See :meth:`STT.transcribe`.

        Raises:
            APIError: the recogniser or the detector failed.
        """
        reports: asyncio.Queue[SpeechEvent | None] = asyncio.Queue()
        utterances: asyncio.Queue[_Utterance | None] = asyncio.Queue(WAITING)
        line = _Line(audio)
        tasks = [
            asyncio.create_task(self._find(line, utterances, reports), name=f"utterances for {self.label}"),
            asyncio.create_task(self._recognise(utterances, reports, language), name=f"recognition by {self.label}"),
        ]
        for task in tasks:
            task.add_done_callback(lambda _: reports.put_nowait(None))
        try:
            while True:
                event = await reports.get()
                if event is not None:
                    yield event
                    continue
                for task in tasks:
                    if task.done():
                        task.result()
                if all(task.done() for task in tasks) and reports.empty():
                    return
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _find(
        self,
        line: _Line,
        utterances: asyncio.Queue[_Utterance | None],
        reports: asyncio.Queue[SpeechEvent | None],
    ) -> None:
        """Cut the audio into utterances."""
        events = self._vad.detect(line)
        try:
            async for event in events:
                if event.type is VADEventType.START_OF_SPEECH:
                    at = line.begin(event.speech_duration)
                    reports.put_nowait(SpeechEvent(SpeechEventType.START_OF_SPEECH, start_time=at))
                elif event.type is VADEventType.END_OF_SPEECH:
                    if event.silence_duration < line.seconds:  # else there is nothing but silence since a flush
                        await self._cut(line, utterances)
                    line.drop()
                    at = line.position - event.silence_duration
                    reports.put_nowait(SpeechEvent(SpeechEventType.END_OF_SPEECH, end_time=at))
                elif line.is_due:
                    await self._cut(line, utterances)
                    line.begin(0.0)
            if line.is_open:  # the audio ended in the middle of speech
                await self._cut(line, utterances)
                reports.put_nowait(SpeechEvent(SpeechEventType.END_OF_SPEECH, end_time=line.position))
        finally:
            await end(events)
        await utterances.put(None)

    @staticmethod
    async def _cut(line: _Line, utterances: asyncio.Queue[_Utterance | None]) -> None:
        utterance = line.cut()
        if utterance is not None:
            await utterances.put(utterance)

    async def _recognise(
        self,
        utterances: asyncio.Queue[_Utterance | None],
        reports: asyncio.Queue[SpeechEvent | None],
        language: str | None,
    ) -> None:
        """Have one utterance after the other recognised."""
        while (utterance := await utterances.get()) is not None:
            begins = utterance.begins
            events = self._stt.transcribe(utterance, language=language)
            try:
                async for event in events:
                    if event.type in (SpeechEventType.FINAL_TRANSCRIPT, SpeechEventType.RECOGNITION_USAGE):
                        reports.put_nowait(event.later(begins))
            finally:
                await end(events)


class _Utterance(AsyncIterator[AudioFrame | FlushSentinel]):
    """The audio of one utterance, with a flush behind it."""

    def __init__(self, begins: float, frames: list[AudioFrame]) -> None:
        self.begins = begins
        """Seconds of the whole audio before it."""
        self._items: deque[AudioFrame | FlushSentinel] = deque([*frames, FLUSH])

    async def __anext__(self) -> AudioFrame | FlushSentinel:
        if not self._items:
            raise StopAsyncIteration
        return self._items.popleft()


class _Line(AsyncIterator[AudioFrame]):
    """The audio as the detector reads it, kept for the recogniser.

    Between utterances the last two seconds are kept; in an utterance, all of it.
    """

    def __init__(self, audio: AsyncIterable[AudioFrame | FlushSentinel]) -> None:
        self._audio = aiter(audio)
        self._kept: deque[AudioFrame] = deque()
        self.seconds = 0.0
        """Seconds that are kept."""
        self._open = False
        self._flushed = False
        self.position = 0.0
        """Seconds that were read."""

    @property
    def is_open(self) -> bool:
        """Somebody speaks."""
        return self._open

    @property
    def is_due(self) -> bool:
        """The utterance has to be recognised now: the session says that it is over, or it is too long."""
        return self._open and (self._flushed or self.seconds >= LONGEST)

    async def __anext__(self) -> AudioFrame:
        while True:
            item = await anext(self._audio)
            if isinstance(item, AudioFrame):
                break
            self._flushed = True
        self._kept.append(item)
        self.seconds += item.duration
        self.position += item.duration
        if not self._open:
            self._flushed = False
            self._keep(LOOKBACK)
        return item

    def begin(self, spoken: float) -> float:
        """An utterance began ``spoken`` seconds ago; where that is, in seconds of the whole audio."""
        self._open, self._flushed = True, False
        self._keep(PREFIX + spoken)
        return max(0.0, self.position - spoken)

    def cut(self) -> _Utterance | None:
        """The utterance, if there is one: the next begins from here."""
        if not self._open:
            return None
        utterance = _Utterance(self.position - self.seconds, list(self._kept))
        self._open, self._flushed = False, False
        self._kept.clear()
        self.seconds = 0.0
        return utterance

    def drop(self) -> None:
        """No utterance is open any more."""
        self._open, self._flushed = False, False

    def _keep(self, seconds: float) -> None:
        while self._kept and self.seconds - self._kept[0].duration >= seconds:
            self.seconds -= self._kept.popleft().duration
