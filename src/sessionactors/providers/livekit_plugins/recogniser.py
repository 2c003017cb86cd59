"""A recogniser of livekit.agents."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from contextlib import aclosing, suppress

from livekit.agents import stt, types

from sessionactors.interfaces import stt as port
from sessionactors.interfaces.home import Home
from sessionactors.interfaces.recognition_context import recognition_context
from sessionactors.model.audio import AudioFrame
from sessionactors.model.sentinel import FlushSentinel

from .connect import ONCE
from .fed_stream import fed
from .frames import to_plugin
from .http_context import plugin_context
from .keyterms import Expect, SharedKeyterms
from .plugin_errors import our_error


class PluginSTT(port.STT):
    """Has a plugin recognise.

    Args:
        plugin: the user's object.
    """

    home = Home.USER

    def __init__(self, plugin: stt.STT[str]) -> None:
        self.plugin = plugin
        self.label = plugin.label
        self.model = plugin.model
        self.provider = plugin.provider
        self._keyterms = SharedKeyterms(plugin)

    def __repr__(self) -> str:
        return f"<{self.label} {self.model}>"

    @property
    def capabilities(self) -> port.STTCapabilities:
        can = self.plugin.capabilities
        return port.STTCapabilities(
            streaming=can.streaming,
            interim_results=can.interim_results,
            diarization=can.diarization,
            aligned_transcript=can.aligned_transcript or None,
            keyterms=self._keyterms.taken,
            end_of_speech=can.streaming,  # whether it reports them, no plugin says; the user does by turn_detection
        )

    async def transcribe(
        self, audio: AsyncIterable[AudioFrame | FlushSentinel], *, language: str | None = None
    ) -> AsyncIterator[port.SpeechEvent]:
        context = await plugin_context()
        with self._keyterms.of(audio) as expect:
            expect(recognition_context(audio).keyterms)  # before it begins: a change makes some connect anew
            try:
                stream = context.run(
                    lambda: self.plugin.stream(
                        language=types.NOT_GIVEN if language is None else language, conn_options=ONCE
                    )
                )
                async with aclosing(fed(stream, self._feed(audio, stream, expect), context)) as events:
                    async for event in events:
                        yield _event(event)
            except Exception as error:
                raise our_error(error, self.label) from error

    async def _feed(
        self, audio: AsyncIterable[AudioFrame | FlushSentinel], stream: stt.RecognizeStream, expect: Expect
    ) -> None:
        flushes = self.plugin.capabilities.manual_flush  # others take a flush as something else, or fail on it
        with suppress(RuntimeError):  # the stream has ended: why, its reader is told
            try:
                async for frame in audio:
                    expect(recognition_context(audio).keyterms)
                    if not isinstance(frame, FlushSentinel):
                        stream.push_frame(to_plugin(frame))
                    elif flushes:
                        stream.flush()
            finally:
                stream.end_input()

    async def recognize(self, audio: Sequence[AudioFrame], *, language: str | None = None) -> port.SpeechEvent:
        context = await plugin_context()
        heard = self.plugin.recognize(
            [to_plugin(frame) for frame in audio],
            language=types.NOT_GIVEN if language is None else language,
            conn_options=ONCE,
        )
        try:
            return _event(await asyncio.create_task(heard, context=context))
        except Exception as error:
            raise our_error(error, self.label) from error

    async def aclose(self) -> None:
        await self.plugin.aclose()


def _event(event: stt.SpeechEvent) -> port.SpeechEvent:
    used = event.recognition_usage
    return port.SpeechEvent(
        port.SpeechEventType(event.type.value),
        usage=None if used is None else _usage(used),
        request_id=event.request_id,
        alternatives=tuple(_data(data) for data in event.alternatives),
    )


def _usage(usage: stt.RecognitionUsage) -> port.RecognitionUsage:
    return port.RecognitionUsage(usage.audio_duration, usage.input_tokens, usage.output_tokens)


def _data(data: stt.SpeechData) -> port.SpeechData:
    timed = data.end_time > 0.0  # both are 0.0 where the recogniser does not tell
    return port.SpeechData(
        language=str(data.language),
        text=data.text,
        start_time=data.start_time if timed else None,
        end_time=data.end_time if timed else None,
        confidence=data.confidence or None,
        speaker_id=data.speaker_id,
        words=tuple(_word(word) for word in data.words or ()),
    )


def _word(word: types.TimedString) -> port.RecognizedWord:
    return port.RecognizedWord(
        str(word),
        start_time=seconds(word.start_time),
        end_time=seconds(word.end_time),
        confidence=seconds(word.confidence),
        speaker_id=word.speaker_id if isinstance(word.speaker_id, str) else None,
    )


def seconds(value: object) -> float | None:
    """A number that may not be given."""
    return float(value) if isinstance(value, int | float) else None
