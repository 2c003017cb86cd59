"""Scripted ears: a detector, a recogniser and a turn detector that follow a timeline instead of listening.

The timeline is in seconds from the first sample that the double ever gets, on the clock of the running loop, and goes
on over streams: a stream that is opened later, after a failure, finds itself at the right place, also when it is given
the audio of the last seconds again. What was not heard is not understood: a script stays silent about times of which no
audio came.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from operator import itemgetter
from typing import TypeAlias

from sessionactors.interfaces.stt import STT, SpeechEvent, SpeechEventType
from sessionactors.interfaces.turn_detector import TurnDetector
from sessionactors.interfaces.vad import VAD, VADEvent, VADEventType
from sessionactors.model.audio import AudioFrame
from sessionactors.model.chat import ChatContext, ChatMessage
from sessionactors.model.errors import APIConnectionError
from sessionactors.model.sentinel import FlushSentinel

from .scripted_hearing import NEAR, Hearing, Timeline

INSTANT = 1e-9
"""Seconds that no loop can wait: what is as near as that is due."""


_Line: TypeAlias = tuple[float, float, SpeechEvent]
"""When a recogniser says something, until when it must have heard for it, and what it says."""


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

    def strikes(self, now: float) -> bool:
        """Whether it is time for a fault."""
        due = self.due()
        return due is not None and now >= due

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
        last = bisect_right(self._speech, now, key=itemgetter(0)) - 1
        if last < 0:
            return None
        begin, end = self._speech[last]
        while last > 0 and begin - self._speech[last - 1][1] < self._min_silence:
            last -= 1
            begin = self._speech[last][0]
        return begin, end


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
        hearing = Hearing(audio, self.timeline)
        script = list(self._script)
        try:
            while True:
                before = self.timeline.now()
                owed = any(line[0] <= before + INSTANT for line in script)
                hears_on = await hearing.until(self._next_time(script, before), frames=owed)
                now = self.timeline.now()
                self.flushes.extend(hearing.new_flushes())
                if self._faults.strikes(now):
                    hearing.stop()
                if await self._faults.strike(now):
                    return
                for line in [line for line in script if self._due(line, now, hearing)]:
                    script.remove(line)
                    if hearing.heard(line[1]):
                        yield line[2]
                if not hears_on:
                    return
        finally:
            await hearing.aclose()

    def _due(self, line: _Line, now: float, hearing: Hearing) -> bool:
        at, words_end, event = line
        if self._on_flush and event.type is SpeechEventType.FINAL_TRANSCRIPT:
            return hearing.flushed_after(words_end)
        return now >= at - INSTANT and hearing.position >= words_end - NEAR / 2  # audio may come late

    def _next_time(self, script: Sequence[_Line], now: float) -> float | None:
        times = [line[0] for line in script if line[0] > now + INSTANT]
        fault = self._faults.due()
        return min((*times, *([] if fault is None else [fault])), default=None)


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
