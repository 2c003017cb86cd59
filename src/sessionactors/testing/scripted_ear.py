"""Scripted ears: a detector, a recogniser and a turn detector that follow a timeline instead of listening.

The timeline is in seconds from the first sample that the double ever gets, on the clock of the running loop, and goes
on over streams: a stream that is opened later, after a failure, finds itself at the right place, also when it is given
the audio of the last seconds again. What was not heard is not understood: a script stays silent about times of which no
audio came.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from typing import TypeAlias

from sessionactors.interfaces.stt import STT, SpeechEvent, SpeechEventType
from sessionactors.interfaces.turn_detector import TurnDetector
from sessionactors.interfaces.vad import VAD, VADEvent, VADEventType
from sessionactors.model.audio import AudioFrame
from sessionactors.model.chat import ChatContext, ChatMessage
from sessionactors.model.errors import APIConnectionError
from sessionactors.model.sentinel import FlushSentinel

AT_ONCE = 0.001
"""Seconds: what comes closer together than this was buffered, and is audio of the past."""
INSTANT = 1e-9
"""Seconds that no loop can wait: what is as near as that is due."""
NEAR = 0.1
"""Seconds of audio before a moment that must have been heard for it to be understood."""


_Line: TypeAlias = tuple[float, float, SpeechEvent]
"""When a recogniser says something, until when it must have heard for it, and what it says."""


class Timeline:
    """Where a double is: seconds since its first sample."""

    def __init__(self) -> None:
        self._origin: float | None = None

    def begin(self, first: AudioFrame) -> None:
        """The first frame has just come, complete."""
        if self._origin is None:
            self._origin = asyncio.get_running_loop().time() - first.duration

    def now(self) -> float:
        """Seconds since the first sample; 0.0 before it."""
        return 0.0 if self._origin is None else asyncio.get_running_loop().time() - self._origin


class Faults:
    """Times at which a stream fails or hangs, each used once, whichever stream it strikes.

    Args:
        failures: seconds at which the stream raises ``error``.
        hangs: seconds at which the stream neither reads nor says anything more.
        ends: seconds at which the stream ends by itself.
        error: what is raised.
    """

    def __init__(
        self,
        failures: Sequence[float] = (),
        *,
        hangs: Sequence[float] = (),
        ends: Sequence[float] = (),
        error: Exception | None = None,
    ) -> None:
        self._failures = sorted(failures)
        self._hangs = sorted(hangs)
        self._ends = sorted(ends)
        self._error = error or APIConnectionError("the script says that the connection breaks")

    def due(self) -> float | None:
        """Time of the next fault."""
        return min((times[0] for times in (self._failures, self._hangs, self._ends) if times), default=None)

    async def strike(self, now: float) -> bool:
        """Fail or hang, if it is time; True: end."""
        if self._failures and now >= self._failures[0]:
            self._failures.pop(0)
            raise self._error
        if self._hangs and now >= self._hangs[0]:
            self._hangs.pop(0)
            await asyncio.get_running_loop().create_future()
        if self._ends and now >= self._ends[0]:
            self._ends.pop(0)
            return True
        return False


class ScriptedVAD(VAD):
    """Finds speech where the script says.

    Args:
        speech: (begin, end) of each stretch, seconds, in order.
        min_silence: seconds of silence before the end of speech is reported.
        min_speech: seconds of speech before its beginning is reported.
        faults: when streams fail, hang or end.
    """

    label = "scripted-vad"

    def __init__(
        self,
        speech: Sequence[tuple[float, float]],
        *,
        min_silence: float = 0.5,
        min_speech: float = 0.05,
        faults: Faults | None = None,
    ) -> None:
        self.timeline = Timeline()
        self.streams = 0
        """Streams opened so far."""
        self._speech = list(speech)
        self._min_silence = min_silence
        self._min_speech = min_speech
        self._faults = faults or Faults()

    @property
    def min_silence_duration(self) -> float:
        """As given."""
        return self._min_silence

    async def detect(self, audio: AsyncIterable[AudioFrame]) -> AsyncIterator[VADEvent]:
        """One event at least for each frame."""
        self.streams += 1
        began: float | None = None  # this stream's beginning of the stretch it is in
        opened: float | None = None
        async for frame in audio:
            self.timeline.begin(frame)
            now = self.timeline.now()
            if opened is None:
                opened = now - frame.duration
            if await self._faults.strike(now):
                return
            stretch = self._stretch(now)
            if began is not None and (stretch is None or now - stretch[1] >= self._min_silence - INSTANT):
                end = began if stretch is None else stretch[1]
                yield VADEvent(VADEventType.END_OF_SPEECH, end - began, now - end, 0.0, speaking=False)
                began = None
            elif began is None and stretch is not None and now < stretch[1]:
                heard_from = max(stretch[0], opened)
                if now - heard_from >= self._min_speech - INSTANT:
                    began = heard_from
                    yield VADEvent(VADEventType.START_OF_SPEECH, now - began, 0.0)
            if began is None or stretch is None:
                yield VADEvent(VADEventType.INFERENCE_DONE, 0.0, 0.0, 0.0, speaking=False)
            else:
                end = min(now, stretch[1])
                yield VADEvent(VADEventType.INFERENCE_DONE, end - began, now - end)

    def _stretch(self, now: float) -> tuple[float, float] | None:
        """The last stretch that has begun, with those that follow too soon for its end to be noticed."""
        current: tuple[float, float] | None = None
        for begin, end in self._speech:
            if begin > now:
                break
            joins = current is not None and begin - current[1] < self._min_silence
            current = (current[0], end) if joins and current is not None else (begin, end)
        return current


class ScriptedSTT(STT):
    """Understands what the script says.

    Args:
        finals: (time of its coming, text); "" for words that turn out to be none.
        interims: the same.
        latency: seconds from the end of words to their final, so that it is known which audio a final belongs to.
        on_flush: finals do not come by themselves but with the first flush behind the end of their words.
        confidence: of each final.
        faults: when streams fail, hang or end.
        events: (time of its coming, event) of any other kind: preflights, edges of speech, usage.
    """

    label = "scripted-stt"

    def __init__(
        self,
        finals: Sequence[tuple[float, str]],
        interims: Sequence[tuple[float, str]] = (),
        *,
        latency: float = 0.2,
        on_flush: bool = False,
        confidence: float | None = None,
        faults: Faults | None = None,
        events: Sequence[tuple[float, SpeechEvent]] = (),
    ) -> None:
        self.timeline = Timeline()
        self.streams = 0
        """Streams opened so far."""
        self.flushes: list[float] = []
        """When flushes were read."""
        final, interim = SpeechEventType.FINAL_TRANSCRIPT, SpeechEventType.INTERIM_TRANSCRIPT
        self._script: list[_Line] = sorted(
            [
                *((at, at - latency, SpeechEvent(final, text, confidence=confidence)) for at, text in finals),
                *((at, at, SpeechEvent(interim, text)) for at, text in interims),
                *((at, at, event) for at, event in events),
            ],
            key=lambda line: line[0],
        )
        self._on_flush = on_flush
        self._faults = faults or Faults()

    async def transcribe(
        self, audio: AsyncIterable[AudioFrame | FlushSentinel], *, language: str | None = None
    ) -> AsyncIterator[SpeechEvent]:
        """Events at their times, as far as their audio was heard."""
        self.streams += 1
        reader = _Reader(aiter(audio), self.timeline)
        script = list(self._script)
        try:
            while True:
                read_on = await reader.read_until(self._next_time(script))
                now = self.timeline.now()
                self.flushes.extend(reader.new_flushes())
                if await self._faults.strike(now):
                    return
                for line in [line for line in script if self._due(line, now, reader)]:
                    script.remove(line)
                    if reader.heard(line[1]):
                        yield line[2]
                if not read_on:
                    return
        finally:
            await reader.aclose()

    def _due(self, line: _Line, now: float, reader: _Reader) -> bool:
        at, words_end, event = line
        if self._on_flush and event.type is SpeechEventType.FINAL_TRANSCRIPT:
            return reader.flushed_after(words_end)
        return now >= at - INSTANT and reader.position >= words_end - NEAR / 2  # audio may come late

    def _next_time(self, script: Sequence[_Line]) -> float | None:
        now = self.timeline.now()
        times = [line[0] for line in script if line[0] > now + INSTANT]
        fault = self._faults.due()
        return min((*times, *([] if fault is None else [fault])), default=None)


class _Reader:
    """Reads audio in the background of a wait, and knows which times it has heard.

    A frame that comes when it is expected ends now. After a gap (at the start of a stream, or when an actor before it
    was restarted) all that comes at once is audio of the past: the last of it ends now, the first is as much older.
    """

    def __init__(self, audio: AsyncIterator[AudioFrame | FlushSentinel], timeline: Timeline) -> None:
        self._audio = audio
        self._timeline = timeline
        self._pending: asyncio.Future[AudioFrame | FlushSentinel] | None = None
        self._heard: list[tuple[float, float]] = []
        self._flushes: list[float] = []
        self._told = 0
        self.position = -1.0
        """Where the newest frame ends."""

    async def read_until(self, at: float | None) -> bool:
        """Read until something was read or the timeline is at ``at``; False when the audio has ended."""
        item = await self._next(None if at is None else max(0.0, at - self._timeline.now()))
        if isinstance(item, AudioFrame):
            self._timeline.begin(item)
            now = self._timeline.now()
            if now - self.position < 2 * item.duration:
                self._place(item, now)
            else:
                await self._read_backlog(item)
        elif item is not None:
            self._place(item, self._timeline.now())
        return self._pending is None or not self._pending.done() or self._pending.exception() is None

    async def _read_backlog(self, first: AudioFrame) -> None:
        backlog: list[AudioFrame | FlushSentinel] = [first]
        while (item := await self._next(AT_ONCE)) is not None:
            backlog.append(item)
        end = self._timeline.now() - AT_ONCE
        for past in reversed(backlog):
            self._place(past, end)
            if isinstance(past, AudioFrame):
                end -= past.duration

    async def _next(self, patience: float | None) -> AudioFrame | FlushSentinel | None:
        if self._pending is None:
            self._pending = asyncio.ensure_future(_anext(self._audio))
        await asyncio.wait([self._pending], timeout=patience)
        if not self._pending.done() or self._pending.exception() is not None:
            return None
        item, self._pending = self._pending.result(), None
        return item

    def _place(self, item: AudioFrame | FlushSentinel, end: float) -> None:
        if isinstance(item, AudioFrame):
            self._heard.append((end - item.duration, end))
            self.position = max(self.position, end)
        else:
            self._flushes.append(end)

    def heard(self, moment: float) -> bool:
        """Whether the audio before a moment was heard."""
        slack = 0.05
        return any(begin < moment + slack and end > moment - NEAR + slack for begin, end in self._heard)

    def flushed_after(self, moment: float) -> bool:
        """Whether a flush came behind a moment."""
        return any(flush >= moment - 0.05 for flush in self._flushes)

    def new_flushes(self) -> list[float]:
        """Flushes since the last call."""
        new, self._told = self._flushes[self._told :], len(self._flushes)
        return new

    async def aclose(self) -> None:
        """Read nothing more."""
        if self._pending is not None:
            self._pending.cancel()
            await asyncio.wait([self._pending])
            if not self._pending.cancelled():
                self._pending.exception()  # taken, so that asyncio does not report it as never retrieved


async def _anext(audio: AsyncIterator[AudioFrame | FlushSentinel]) -> AudioFrame | FlushSentinel:
    return await anext(audio)


class ScriptedTurnDetector(TurnDetector):
    """Thinks of transcripts what the script says.

    Args:
        probabilities: by transcript; 1.0 for all others.
        takes: seconds for an opinion.
        error: raised instead of an opinion.
    """

    label = "scripted-turn-detector"

    def __init__(
        self, probabilities: Mapping[str, float], *, takes: float = 0.05, error: Exception | None = None
    ) -> None:
        self.asked: list[str] = []
        """Transcripts in the order of the questions."""
        self._probabilities = dict(probabilities)
        self._takes = takes
        self._error = error

    async def predict_end_of_turn(self, chat_ctx: ChatContext) -> float:
        """As scripted."""
        last = chat_ctx.items[-1]
        transcript = last.text_content if isinstance(last, ChatMessage) else ""
        self.asked.append(transcript)
        await asyncio.sleep(self._takes)
        if self._error is not None:
            raise self._error
        return self._probabilities.get(transcript, 1.0)
