"""A voice of livekit.agents."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import aclosing
from functools import partial

from livekit.agents import tts, types

from sessionactors.interfaces import tts as port
from sessionactors.interfaces.home import Home
from sessionactors.model.errors import OptionError

from .connect import ONCE
from .fed_stream import fed
from .frames import from_plugin
from .http_context import plugin_context
from .plugin_errors import our_error
from .recogniser import seconds


class PluginTTS(port.TTS):
    """Has a plugin speak.

    Args:
        plugin: the user's object.

    Raises:
        OptionError: it speaks in more than one channel.
    """

    home = Home.USER

    def __init__(self, plugin: tts.TTS[str]) -> None:
        if plugin.num_channels != 1:
            raise OptionError(f"{plugin.label} speaks in {plugin.num_channels} channels: a session's voice has one")
        self.plugin = plugin
        self.label = plugin.label
        self.model = plugin.model
        self.provider = plugin.provider

    def __repr__(self) -> str:
        return f"<{self.label} {self.model}>"

    @property
    def sample_rate(self) -> int:
        return self.plugin.sample_rate

    @property
    def aligned_transcript(self) -> bool:
        return self.plugin.capabilities.aligned_transcript

    async def synthesize(self, text: AsyncIterable[str]) -> AsyncIterator[port.SynthesizedAudio]:
        try:
            spoken = self._stream(text) if self.plugin.capabilities.streaming else self._each(text)
            async with aclosing(spoken):
                async for audio in spoken:
                    yield audio
        except Exception as error:
            raise our_error(error, self.label) from error

    async def _stream(self, text: AsyncIterable[str]) -> AsyncGenerator[port.SynthesizedAudio, None]:
        """One stream for the whole text."""
        context = await plugin_context()
        stream = context.run(lambda: self.plugin.stream(conn_options=ONCE))
        words = WordPlaces()
        async with aclosing(fed(stream, _feed(text, stream, words), context)) as spoken:
            async for audio in spoken:
                yield _audio(audio, words)

    async def _each(self, text: AsyncIterable[str]) -> AsyncGenerator[port.SynthesizedAudio, None]:
        """A request for each piece, which is a sentence."""
        context, words, begin = await plugin_context(), WordPlaces(), 0.0
        async for piece in text:
            words.push(piece)
            if not piece.strip():
                continue
            stream = context.run(partial(self.plugin.synthesize, piece.strip(), conn_options=ONCE))
            try:
                spoken = 0.0
                async for audio in stream:
                    yield _audio(audio, words, begin)
                    spoken += audio.frame.duration
                begin += spoken
            finally:
                await stream.aclose()

    def prewarm(self) -> None:
        self.plugin.prewarm()

    async def aclose(self) -> None:
        await self.plugin.aclose()


class WordPlaces:
    """Where words that a voice reports are in the text it was given."""

    def __init__(self) -> None:
        self._text = ""
        self._end = 0
        self._last = 0.0

    def push(self, piece: str) -> None:
        """More text."""
        self._text += piece

    def timing(self, word: str, end_time: float) -> port.WordTiming | None:
        """When the next word has been spoken; None: it does not come in the text (a voice may rewrite words).

        Args:
            word: as the voice reports it.
            end_time: seconds of the whole audio; times that go back count as the last one.
        """
        stripped = word.strip()
        at = self._text.find(stripped, self._end) if stripped else -1
        if at < 0:
            return None
        self._end = at + len(stripped)
        self._last = max(self._last, end_time)
        return port.WordTiming(self._end, self._last)


async def _feed(text: AsyncIterable[str], stream: tts.SynthesizeStream, words: WordPlaces) -> None:
    try:
        async for piece in text:
            words.push(piece)
            stream.push_text(piece)
    finally:
        stream.end_input()


def _audio(audio: tts.SynthesizedAudio, words: WordPlaces, begin: float = 0.0) -> port.SynthesizedAudio:
    """The audio, with the words that the plugin attached to it. ``begin``: seconds of audio before this request's."""
    timed = audio.frame.userdata.get(types.USERDATA_TIMED_TRANSCRIPT, ())
    ends = ((str(word), seconds(word.end_time)) for word in timed)
    timings = (words.timing(word, begin + end) for word, end in ends if end is not None)
    return port.SynthesizedAudio(from_plugin(audio.frame), tuple(timing for timing in timings if timing is not None))
