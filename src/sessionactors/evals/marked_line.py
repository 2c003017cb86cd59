"""The caller's line in virtual time: sound whose samples say what is being said, and ears that read them.

The ears hear what really arrives. What was muted, gated or lost on the way is not understood, and a stream that is
opened anew, or is given the last seconds again, hears what is in them.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from sessionactors.interfaces.stt import STT, SpeechEvent, SpeechEventType
from sessionactors.interfaces.vad import VAD, VADEvent, VADEventType
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import OptionError
from sessionactors.model.sentinel import FlushSentinel

RATE: Final = 16000
"""Hertz of the line: what the ears want, so that nothing is resampled."""
PLACES: Final = 127
"""A sample tells how much of the saying is over, in so many steps."""
MOST: Final = 255
"""Sayings of one caller: what fits into a sample beside the place."""
SECONDS_PER_CHARACTER: Final = 0.06
SHORTEST: Final = 0.3
"""Seconds that a saying takes at least."""
MIN_SPEECH: Final = 0.05
MIN_SILENCE: Final = 0.5
"""Seconds of speech and of silence that the detector waits for before it reports them."""

_WORD: Final = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Saying:
    """Something that the caller says."""

    text: str
    """What a recogniser makes of it; empty for a noise."""
    seconds: float

    def words_between(self, begin: float, end: float) -> str:
        """The words of a stretch of it, 0..1, that are wholly inside."""
        length = max(1, len(self.text))
        inside = [
            word.group()
            for word in _WORD.finditer(self.text)
            if word.start() / length >= begin - 1 / PLACES and word.end() / length <= end + 1 / PLACES
        ]
        return " ".join(inside)


class Sayings:
    """All that one caller says, by number: what the samples refer to."""

    def __init__(self) -> None:
        self._said: list[Saying] = []

    def sound_of(self, text: str, seconds: float | None = None) -> AudioFrame:
        """The sound of something new.

        Args:
            text: what a recogniser makes of it.
            seconds: how long it takes, > 0; None: by its length.

        Raises:
            OptionError: the caller has said too much.
        """
        if len(self._said) == MOST:
            raise OptionError(f"a caller says at most {MOST} things in one conversation: make it several")
        length = max(SHORTEST, len(text) * SECONDS_PER_CHARACTER) if seconds is None else seconds
        self._said.append(Saying(text, length))
        samples = max(1, round(length * RATE))
        places = np.arange(samples) * PLACES // samples + 1
        return AudioFrame((len(self._said) * (PLACES + 1) + places - 1).astype("<i2").tobytes(), RATE)

    def said(self, number: int) -> Saying | None:
        """The saying of this number, from 1."""
        return self._said[number - 1] if 0 < number <= len(self._said) else None


@dataclass(frozen=True, slots=True)
class Heard:
    """What a frame says: the last mark in it."""

    number: int
    """0: silence."""
    begin: float
    """How much of the saying was over at the first sample of it in the frame, 0..1."""
    end: float


def heard_in(frame: AudioFrame) -> Heard:
    """The marks of a frame."""
    values = np.frombuffer(frame.data, dtype="<i2").astype(np.int32)
    if not len(values) or not (number := int(values[-1]) // (PLACES + 1)):
        marked = values[values >= PLACES + 1]
        if not len(marked):
            return Heard(0, 0.0, 0.0)
        number = int(marked[-1]) // (PLACES + 1)  # it ends inside of the frame
        values = marked
    own = values[values // (PLACES + 1) == number] % (PLACES + 1)
    return Heard(number, int(own[0]) / PLACES, (int(own[-1]) + 1) / PLACES)


class MarkedVAD(VAD):
    """Finds speech where there are marks."""

    label = "marked-vad"

    @property
    def min_silence_duration(self) -> float:
        """Half a second."""
        return MIN_SILENCE

    async def detect(self, audio: AsyncIterable[AudioFrame]) -> AsyncIterator[VADEvent]:
        """One event at least for each frame."""
        speech = silence = 0.0
        speaking = False
        async for frame in audio:
            if heard_in(frame).number:
                speech, silence = speech + (silence if speaking else 0.0) + frame.duration, 0.0
            else:
                silence += frame.duration
            if not speaking and speech >= MIN_SPEECH and not silence:
                speaking = True
                yield VADEvent(VADEventType.START_OF_SPEECH, speech, 0.0)
            elif speaking and silence >= MIN_SILENCE - 1e-9:
                yield VADEvent(VADEventType.END_OF_SPEECH, speech, silence, 0.0, speaking=False)
                speaking, speech = False, 0.0
            elif not speaking and silence:
                speech = 0.0
            yield VADEvent(VADEventType.INFERENCE_DONE, speech, silence, float(not silence), speaking=speaking)


class MarkedSTT(STT):
    """Understands what the marks say: words as they come, and all of it a little after its end.

    Args:
        sayings: what they refer to.
        latency: seconds from the end of the words to their final transcript.
    """

    label = "marked-stt"

    def __init__(self, sayings: Sayings, *, latency: float = 0.2) -> None:
        self._sayings = sayings
        self._latency = latency

    async def transcribe(
        self, audio: AsyncIterable[AudioFrame | FlushSentinel], *, language: str | None = None
    ) -> AsyncIterator[SpeechEvent]:
        """Interims while somebody speaks, then a final; with a flush at once."""
        stretch = _Stretch(self._sayings, self._latency)
        async for item in audio:
            events = stretch.over() if isinstance(item, FlushSentinel) else stretch.hear(item)
            for event in events:
                yield event
        for event in stretch.over():
            yield event


@dataclass(slots=True)
class _Stretch:
    """What a stream has heard of the saying that is under way."""

    sayings: Sayings
    latency: float
    number: int = 0
    """0: there is none."""
    begin: float = 0.0
    end: float = 0.0
    silent: float = 0.0
    words: str = ""

    def hear(self, frame: AudioFrame) -> list[SpeechEvent]:
        """Another frame: what can be told of it."""
        heard = heard_in(frame)
        if not heard.number:
            self.silent += frame.duration
            return self.over() if self.number and self.silent >= self.latency - 1e-9 else []
        events: list[SpeechEvent] = []
        if heard.number != self.number:
            events = self.over()
            self.number, self.begin = heard.number, heard.begin
        self.end, self.silent = heard.end, 0.0
        so_far = self._so_far()
        if so_far != self.words:
            self.words = so_far
            events.append(SpeechEvent(SpeechEventType.INTERIM_TRANSCRIPT, so_far))
        return events

    def over(self) -> list[SpeechEvent]:
        """Nothing more comes of it: its final, if there were words."""
        text, self.number, self.words = self._so_far(), 0, ""
        return [SpeechEvent(SpeechEventType.FINAL_TRANSCRIPT, text)] if text else []

    def _so_far(self) -> str:
        saying = self.sayings.said(self.number)
        return "" if saying is None else saying.words_between(self.begin, self.end)
