"""Several recognisers as one: when one fails, the session opens the next with the audio since the last final.

The session keeps that audio anyway, and knows which words were delivered: here is only decided who listens.

**Hung, or only noise?** A recogniser that reads on and says nothing may hear noise. It is taken for hung when it does
not take the audio behind a flush, when it showed words and does not finish them, or when it said nothing at all about
several utterances in a row.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Sequence
from typing import Final

from sessionactors.interfaces.recognition_context import RecognitionContext, recognition_context
from sessionactors.interfaces.stt import STT, SpeechEvent, SpeechEventType, STTCapabilities
from sessionactors.interfaces.vad import VAD
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import APIConnectionError, OptionError, ProviderReplaced
from sessionactors.model.resampling import MonoResampler
from sessionactors.model.sentinel import FlushSentinel

from .members import AvailabilityCallback, Members, is_final
from .patience import Patience, end
from .stt_stream import StreamAdapter

DEAF_AFTER: Final = 3
"""Utterances in a row of which nothing was said: one may be noise, and so may two."""
SIGNS_OF_LIFE: Final = 3
"""Attempt timeouts for which words may change without becoming final: one long sentence."""
BACKLOG: Final = 1500
"""Frames that a recogniser may be behind: about 30 s. The oldest give way."""


class FallbackAdapter(STT):
    """A recogniser that is several, first choice first.

    One that fails or hangs rests for ``cooldown`` seconds (doubled each time it fails again), and is asked again in its
    place when they are over, with the next stream. The next one hears what was said since the last final transcript.

    Args:
        stt: two or more, first choice first.
        vad: finds utterances for those that cannot stream; needed if there are any.
        attempt_timeout: seconds > 0 in which a recogniser must finish what it heard.
        max_retry_per_stt: streams after the first that one gets before the next one is asked.
        retry_interval: seconds after which its failures are forgotten.
        cooldown: seconds for which one that failed is not asked while another one works.

    Raises:
        OptionError: an argument is out of range, they live on different loops, or ``vad`` is missing.
    """

    def __init__(
        self,
        stt: Sequence[STT],
        *,
        vad: VAD | None = None,
        attempt_timeout: float = 10.0,
        max_retry_per_stt: int = 1,
        retry_interval: float = 5.0,
        cooldown: float = 10.0,
    ) -> None:
        self._members = Members(
            "stt",
            [_streaming(member, vad) for member in stt],
            retries=max_retry_per_stt,
            retry_interval=retry_interval,
            attempt_timeout=attempt_timeout,
            cooldown=cooldown,
        )
        self._failures: dict[int, list[float]] = {}
        self.home = self._members.home
        first = self._members.all[0]
        self.sample_rate = max(member.sample_rate for member in self._members.all)
        self.label, self.model, self.provider = f"FallbackAdapter({first.label})", first.model, first.provider

    @property
    def capabilities(self) -> STTCapabilities:
        """What all of them can do."""
        every = [member.capabilities for member in self._members.all]
        aligned = {each.aligned_transcript for each in every}
        return STTCapabilities(
            streaming=True,
            interim_results=all(each.interim_results for each in every),
            diarization=all(each.diarization for each in every),
            aligned_transcript=None if None in aligned else "chunk" if "chunk" in aligned else "word",
            end_of_speech=all(each.end_of_speech for each in every),
            keyterms=any(each.keyterms for each in every),
            chat_context=any(each.chat_context for each in every),
        )

    def on(self, event: str, callback: AvailabilityCallback[STT]) -> None:
        """Call back when a recogniser fails or works again. The one event is ``stt_availability_changed``.

        Raises:
            OptionError: there is no such event.
        """
        self._members.subscribe(event, callback)

    async def aclose(self) -> None:
        await self._members.aclose()

    async def transcribe(
        self, audio: AsyncIterable[AudioFrame | FlushSentinel], *, language: str | None = None
    ) -> AsyncGenerator[SpeechEvent, None]:
        """See :meth:`STT.transcribe`.

        Raises:
            ProviderReplaced: the recogniser failed, and the next stream is another one's.
            APIError: it failed, and the next stream is its own again; not retryable: all of them failed.
        """
        stt = self._members.order()[0]
        line = _Line(audio, stt.sample_rate, self._members.attempt_timeout)
        patience = Patience(self._members.attempt_timeout, stt.label)
        line.watched_by(patience)
        pump = asyncio.create_task(line.pump(), name=f"audio for {stt.label}")
        events = stt.transcribe(line, language=language)
        try:
            while True:
                try:
                    event = await patience.next(events)
                except StopAsyncIteration:
                    break
                line.said(event)
                if event.type is SpeechEventType.FINAL_TRANSCRIPT and event.text:
                    self._worked(stt)
                yield event
            if not line.ended:
                raise APIConnectionError(f"{stt.label} ended its stream while audio was flowing")
        except Exception as error:
            if line.error is not None:
                raise line.error from None
            raise self._failed(stt, error) from error
        finally:
            pump.cancel()
            await asyncio.wait((pump,))
            await end(events)

    def _worked(self, stt: STT) -> None:
        self._failures.pop(id(stt), None)
        self._members.answered(stt)
        self.model, self.provider = stt.model, stt.provider  # who is billed

    def _failed(self, stt: STT, error: Exception) -> Exception:
        now = asyncio.get_running_loop().time()
        recent = [at for at in self._failures.get(id(stt), ()) if now - at <= self._forgotten_after]
        self._failures[id(stt)] = [*recent, now]
        if not is_final(error) and len(recent) + 1 < self._members.attempts:
            return error
        self._failures.pop(id(stt), None)
        self._members.failed(stt, error)
        if self._members.replaced(stt):
            return ProviderReplaced(f"{stt.label} failed and another recogniser takes its place: {error}")
        return self._members.all_failed()

    @property
    def _forgotten_after(self) -> float:
        return self._members.retry_interval + self._members.attempts * self._members.attempt_timeout


def _streaming(stt: STT, vad: VAD | None) -> STT:
    if stt.capabilities.streaming:
        return stt
    if vad is None:
        raise OptionError(f"{stt.label} cannot stream: give the FallbackAdapter a vad, which finds its utterances")
    return StreamAdapter(stt=stt, vad=vad)


class _Line(AsyncIterator[AudioFrame | FlushSentinel]):
    """The audio on its way to a recogniser: read from the session here, so that it shows when nobody takes it.

    Args:
        audio: of the session.
        rate: Hertz that the recogniser wants.
        attempt_timeout: seconds in which it must finish what it heard.
    """

    def __init__(self, audio: AsyncIterable[AudioFrame | FlushSentinel], rate: int, attempt_timeout: float) -> None:
        self._attempt_timeout = attempt_timeout
        self._audio = audio
        self._resampler = MonoResampler(rate)
        self._items: deque[AudioFrame | FlushSentinel] = deque()
        self._arrived = asyncio.Event()
        self._patience: Patience | None = None
        self._untaken = 0
        self._unanswered = 0
        self._shown: float | None = None
        """Until when words that are not final yet may change: loop time. None: there are none."""
        self._due = False
        """The user stopped since the last final."""
        self.ended = False
        """No more audio comes."""
        self.error: Exception | None = None
        """Why the audio ended."""

    @property
    def context(self) -> RecognitionContext:
        """As the session gives it."""
        return recognition_context(self._audio)

    def watched_by(self, patience: Patience) -> None:
        """Nothing is owed yet."""
        self._patience = patience

    async def pump(self) -> None:
        """Read the session's audio, until cancelled."""
        try:
            async for item in self._audio:
                self._take(item)
        except Exception as error:  # noqa: BLE001 - raised where the stream is read
            self.error = error
        self.ended = True
        self._arrived.set()

    def _take(self, item: AudioFrame | FlushSentinel) -> None:
        if isinstance(item, FlushSentinel):
            if (rest := self._resampler.flush()) is not None:
                self._items.append(rest)
            self._untaken += 1
            self._unanswered += 1
            self._owes(renewed=not self._due)
            self._due = True
        elif (frame := self._resampler.feed(item)) is not None:
            item = frame
            if len(self._items) >= BACKLOG:
                self._items.popleft()
        else:
            return
        self._items.append(item)
        self._arrived.set()

    def said(self, event: SpeechEvent) -> None:
        """The recogniser lives; what it owes is a final for what it showed."""
        stale = False
        match event.type:
            case SpeechEventType.RECOGNITION_USAGE:
                return
            case SpeechEventType.INTERIM_TRANSCRIPT | SpeechEventType.PREFLIGHT_TRANSCRIPT:
                now = asyncio.get_running_loop().time()
                self._shown = self._shown or now + SIGNS_OF_LIFE * self._attempt_timeout
                stale = now > self._shown
            case SpeechEventType.FINAL_TRANSCRIPT:
                self._shown, self._due = None, False
            case SpeechEventType.START_OF_SPEECH | SpeechEventType.END_OF_SPEECH:
                pass
        if event.text:  # that somebody spoke the session knows by itself: it wants words
            self._unanswered = 0
        self._owes(renewed=not (self._due or stale))

    def _owes(self, *, renewed: bool) -> None:
        """Its time runs while it owes something, and stands still while it may rightly say nothing.

        Words that change do not renew it when the user has stopped: that might go on for ever.
        """
        patience = self._patience
        if patience is None:
            return
        if not (self._untaken or self._shown or self._unanswered >= DEAF_AFTER):
            self._due = False
            patience.pause()
        elif renewed:
            patience.begin()
        else:
            patience.go_on()

    async def __anext__(self) -> AudioFrame | FlushSentinel:
        while not self._items:
            if self.ended:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        item = self._items.popleft()
        if isinstance(item, FlushSentinel):
            self._untaken -= 1
            self._owes(renewed=False)
        return item
