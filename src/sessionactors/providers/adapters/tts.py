"""Several voices as one: the next one is asked when one fails, as long as nothing of it was given out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Sequence
from contextlib import aclosing

from sessionactors.interfaces.markup import Markup
from sessionactors.interfaces.tts import TTS, SynthesizedAudio
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import APIError
from sessionactors.model.resampling import MonoResampler

from .members import AvailabilityCallback, Members, Request
from .patience import Patience, end


class FallbackAdapter(TTS):
    """A voice that is several, first choice first; all sound at the rate of the one with the highest.

    A voice that fails, hangs or gives no audio is followed by the next one, which speaks the text from where it began.
    It then rests for ``cooldown`` seconds (doubled each time it fails again), and is asked again in its place when they
    are over. A voice that breaks off in the middle ends the synthesis with its error: the session has the rest of the
    text spoken, from the last word that was heard whole, and that by another voice.

    Until a voice has begun to speak, the attempts here are the only ones.

    Args:
        tts: two or more, first choice first.
        attempt_timeout: seconds > 0 in which a voice that has text must yield audio.
        max_retry_per_tts: attempts after the first that each voice gets.
        retry_interval: seconds between them.
        sample_rate: Hertz; None: the highest of them.
        cooldown: seconds for which a voice that failed is not asked while another one works.

    Raises:
        OptionError: an argument is out of range, or the voices live on different loops.
    """

    def __init__(
        self,
        tts: Sequence[TTS],
        *,
        attempt_timeout: float = 5.0,
        max_retry_per_tts: int = 2,
        retry_interval: float = 0.5,
        sample_rate: int | None = None,
        cooldown: float = 10.0,
    ) -> None:
        self._members = Members(
            "tts",
            tts,
            retries=max_retry_per_tts,
            retry_interval=retry_interval,
            attempt_timeout=attempt_timeout,
            cooldown=cooldown,
        )
        self.home = self._members.home
        self.answers_within = self._members.answers_within
        self._sample_rate = sample_rate or max(voice.sample_rate for voice in self._members.all)
        first = self._members.all[0]
        self.label, self.model, self.provider = f"FallbackAdapter({first.label})", first.model, first.provider

    @property
    def sample_rate(self) -> int:
        return self._sample_rate

    @property
    def aligned_transcript(self) -> bool:
        """Whether all of them tell when words were spoken."""
        return all(voice.aligned_transcript for voice in self._members.all)

    @property
    def markup(self) -> Markup | None:
        """The markers that all of them know in the same way: a text may reach any of them."""
        first, *others = (voice.markup for voice in self._members.all)
        return first if all(other == first for other in others) else None

    def on(self, event: str, callback: AvailabilityCallback[TTS]) -> None:
        """Call back when a voice fails or works again. The one event is ``tts_availability_changed``.

        Raises:
            OptionError: there is no such event.
        """
        self._members.subscribe(event, callback)

    def prewarm(self) -> None:
        for member in self._members.all:
            member.prewarm()

    async def aclose(self) -> None:
        await self._members.aclose()

    async def synthesize(self, text: AsyncIterable[str]) -> AsyncGenerator[SynthesizedAudio, None]:
        """See :meth:`TTS.synthesize`.

        Raises:
            APIError: not retryable when no voice began; a voice's own when it broke off.
        """
        request = _Speech(text, self._sample_rate, self._members.attempt_timeout, self._billed)
        async with aclosing(self._members.in_turn(request)) as spoken:
            async for audio in spoken:
                yield audio

    def _billed(self, voice: TTS) -> None:
        self.model, self.provider = voice.model, voice.provider


class _Speech(Request[TTS, SynthesizedAudio]):
    """One text to be spoken.

    Args:
        text: its pieces, as they come.
        sample_rate: Hertz of what is given out.
        attempt_timeout: seconds in which a voice that has text must yield audio.
        answered: told who spoke.
    """

    def __init__(
        self, text: AsyncIterable[str], sample_rate: int, attempt_timeout: float, answered: Callable[[TTS], None]
    ) -> None:
        self._text = _Text(aiter(text))
        self._sample_rate = sample_rate
        self._seconds = attempt_timeout
        self._answered = answered

    async def ask(self, provider: TTS) -> AsyncGenerator[SynthesizedAudio, None]:
        """The text, from its beginning."""
        text = self._text.again()
        patience = Patience(self._seconds, provider.label)
        text.waiting_holds(patience)
        patience.begin()
        resampler = MonoResampler(self._sample_rate)
        audio = provider.synthesize(text)
        try:
            while True:
                try:
                    piece = await patience.next(audio)
                except StopAsyncIteration:
                    break
                if piece.frame.data:
                    patience.renew()
                frame = resampler.feed(piece.frame) if piece.frame.data else None
                if frame is not None or piece.timings:
                    yield SynthesizedAudio(frame or AudioFrame(b"", self._sample_rate), piece.timings)
        finally:
            await end(audio)
        rest = resampler.flush()
        if rest is not None:
            yield SynthesizedAudio(rest)

    def is_answer(self, item: SynthesizedAudio) -> bool:
        return bool(item.frame.data)

    def missing(self, provider: TTS) -> Exception | None:
        silent = provider.may_be_silent or not self._text.has_words
        return None if silent else APIError(f"{provider.label} gave no audio for its text")

    def own_fault(self) -> Exception | None:
        return self._text.error

    def answered(self, provider: TTS) -> None:
        self._answered(provider)


class _Text:
    """A text that can be read again from its beginning, and goes on behind what was read."""

    def __init__(self, pieces: AsyncIterator[str]) -> None:
        self._pieces = pieces
        self._read: list[str] = []
        self._ended = False
        self.error: Exception | None = None
        """Why the text ended."""

    @property
    def has_words(self) -> bool:
        """Whether something of what was read can be spoken."""
        return any(character.isalnum() for piece in self._read for character in piece)

    def again(self) -> _Reading:
        """From its beginning."""
        return _Reading(self)

    def known(self, number: int) -> str | None:
        """A piece that was read before."""
        return self._read[number] if number < len(self._read) else None

    async def more(self) -> str:
        """The next piece that was not read before."""
        if self._ended:
            raise StopAsyncIteration
        try:
            piece = await anext(self._pieces)
        except StopAsyncIteration:
            self._ended = True
            raise
        except Exception as error:
            self.error = error
            raise
        self._read.append(piece)
        return piece


class _Reading(AsyncIterator[str]):
    """One reading of a text, by one voice."""

    def __init__(self, text: _Text) -> None:
        self._text = text
        self._number = 0
        self._patience: Patience | None = None

    def waiting_holds(self, patience: Patience) -> None:
        """While the voice waits for text, its time stands still."""
        self._patience = patience

    async def __anext__(self) -> str:
        known = self._text.known(self._number)
        self._number += 1
        if known is not None:
            return known
        patience = self._patience
        if patience is None:
            return await self._text.more()
        patience.pause()
        try:
            return await self._text.more()
        finally:
            patience.begin()


class StreamAdapter(TTS):
    """A voice that speaks one text at a time, for sessions: each sentence is a synthesis of its own.

    The session cuts replies into sentences anyway, and every :class:`TTS` is given them one by one; this is for voices
    that make their audio only when the whole text is there. Timings, if the voice gives any, count on over sentences.

    Args:
        tts: the voice.
    """

    def __init__(self, *, tts: TTS) -> None:
        self._tts = tts
        self.home = tts.home
        self.label, self.model, self.provider = tts.label, tts.model, tts.provider

    @property
    def wrapped_tts(self) -> TTS:
        """The voice."""
        return self._tts

    @property
    def sample_rate(self) -> int:
        return self._tts.sample_rate

    @property
    def aligned_transcript(self) -> bool:
        return self._tts.aligned_transcript

    @property
    def markup(self) -> Markup | None:
        return self._tts.markup

    def prewarm(self) -> None:
        self._tts.prewarm()

    async def aclose(self) -> None:
        await self._tts.aclose()

    async def synthesize(self, text: AsyncIterable[str]) -> AsyncGenerator[SynthesizedAudio, None]:
        """See :meth:`TTS.synthesize`.

        Raises:
            APIError: as the voice raises it.
        """
        characters, samples = 0, 0
        async for sentence in text:
            if any(character.isalnum() for character in sentence):
                seconds = samples / self.sample_rate
                async with aclosing(_sentence(self._tts, sentence)) as audio:
                    async for piece in audio:
                        samples += piece.frame.samples_per_channel
                        yield piece.moved(characters, seconds)
            characters += len(sentence)


async def _sentence(voice: TTS, sentence: str) -> AsyncGenerator[SynthesizedAudio, None]:
    audio = voice.synthesize(_OneSentence(sentence))
    spoken = False
    try:
        async for piece in audio:
            spoken = spoken or bool(piece.frame.data)
            yield piece
    finally:
        await end(audio)
    if not spoken and not voice.may_be_silent:
        raise APIError(f"{voice.label} gave no audio for {sentence!r}")


class _OneSentence(AsyncIterator[str]):
    def __init__(self, sentence: str) -> None:
        self._left = [sentence]

    async def __anext__(self) -> str:
        if not self._left:
            raise StopAsyncIteration
        return self._left.pop()
