"""What a recogniser must do."""

from __future__ import annotations

import asyncio
import string
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from typing import ClassVar

from sessionactors.interfaces.stt import STT, SpeechEvent, SpeechEventType
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import APIError
from sessionactors.model.sentinel import FLUSH, FlushSentinel

from .check import Checks
from .outcome import Nonconforming, NotApplicable
from .reading import within
from .request_checks import REQUEST_CHECKS
from .rig import RequestRig
from .spoken import Heard, Utterance, heard

STT_CHECKS = Checks(REQUEST_CHECKS)
needs = STT_CHECKS.needs

FINAL, INTERIM = SpeechEventType.FINAL_TRANSCRIPT, SpeechEventType.INTERIM_TRANSCRIPT


@dataclass(frozen=True, kw_only=True)
class STTRig(RequestRig[STT]):
    """A recogniser.

    Args:
        utterances: two or more that it understands, each with silence around it, mono at its rate.
        speed: seconds of audio that are given in one second; None: as fast as it reads.
        language: that it is asked for.
        usage: it reports what it bills.
    """

    kind: ClassVar[str] = "stt"
    utterances: tuple[Utterance, ...]
    speed: float | None = None
    language: str | None = None
    usage: bool = False

    def ask(self, provider: STT) -> AsyncGenerator[object, None]:
        """The first utterance, a flush, and silence for as long as nothing final has come."""
        return self._until_final(provider)

    async def _until_final(self, provider: STT) -> AsyncGenerator[object, None]:
        line = heard([self.utterances[0], FLUSH], self.speed, stays_open=True)
        async with aclosing(self.listen(provider, line)) as events:
            async for event in events:
                yield event
                if isinstance(event, SpeechEvent) and event.type is FINAL:
                    line.hang_up()

    async def listen(
        self, provider: STT, audio: AsyncIterable[AudioFrame | FlushSentinel]
    ) -> AsyncGenerator[object, None]:
        """What it makes of some audio, closed as a session closes it."""
        events = provider.transcribe(audio, language=self.language)
        try:
            async for event in events:
                yield event
        finally:
            aclose = getattr(events, "aclose", None)
            if aclose is not None:
                await aclose()

    def is_answer(self, item: object) -> bool:
        """Words, final or not."""
        return isinstance(item, SpeechEvent) and item.type in (FINAL, INTERIM) and bool(item.text)

    def is_whole(self, items: list[object]) -> str:
        """A final with the words of the utterance."""
        if strange := [item for item in items if not isinstance(item, SpeechEvent)]:
            return f"it yielded {strange[0]!r}, not a SpeechEvent"
        return self.misheard(finals(items), self.utterances[:1])

    def misheard(self, texts: list[str], utterances: Iterable[Utterance]) -> str:
        """What is wrong with these finals for these utterances; empty: nothing."""
        expected = [utterance.text for utterance in utterances]
        if not any(texts):
            return f"no final transcript with words; {expected} was said"
        if None in expected:
            return ""
        said, got = plain_words(" ".join(text or "" for text in expected)), plain_words(" ".join(texts))
        return "" if said == got else f"it heard {' '.join(got)!r}, {' '.join(said)!r} was said"


def plain_words(text: str) -> list[str]:
    """Words without case and punctuation: recognisers differ in these."""
    return text.lower().translate(str.maketrans("", "", string.punctuation)).split()


def finals(items: Iterable[object]) -> list[str]:
    """The texts of the final transcripts."""
    return [item.text for item in items if isinstance(item, SpeechEvent) and item.type is FINAL]


async def _heard(
    rig: STTRig, provider: STT, audio: Heard, until: Callable[[list[SpeechEvent]], bool] = lambda _: False
) -> list[SpeechEvent]:
    """All events of some audio, up to those that are enough."""
    events: list[SpeechEvent] = []

    async def read() -> None:
        async with aclosing(rig.listen(provider, audio)) as reports:
            async for event in reports:
                if isinstance(event, SpeechEvent):
                    events.append(event)
                if until(events):
                    return

    await within(rig.patience, f"hearing ({[event.text for event in events]} so far)", read())
    return events


@needs()
async def finishes_at_a_flush(rig: STTRig) -> None:
    """A flush says that the user stopped: the final comes then, while the audio goes on, not when it ends."""
    async with rig.opened() as provider:
        audio = heard([rig.utterances[0], FLUSH], rig.speed, stays_open=True)
        events = await _heard(rig, provider, audio, lambda events: any(finals(events)))
    if wrong := rig.misheard(finals(events), rig.utterances[:1]):
        raise Nonconforming(wrong)


@needs()
async def goes_on_after_a_flush(rig: STTRig) -> None:
    """One stream hears several utterances, each with a flush, and tells them in order."""
    parts = [part for utterance in rig.utterances for part in (utterance, FLUSH)]
    async with rig.opened() as provider:
        events = await _heard(rig, provider, heard(parts, rig.speed))
    if wrong := rig.misheard(finals(events), rig.utterances):
        raise Nonconforming(wrong)


@needs()
async def ends_with_the_audio(rig: STTRig) -> None:
    """When the audio ends without a flush, what was said is finished all the same, and then the stream ends."""
    async with rig.opened() as provider:
        events = await _heard(rig, provider, heard([rig.utterances[0]], rig.speed))
    if wrong := rig.misheard(finals(events), rig.utterances[:1]):
        raise Nonconforming(wrong)


@needs()
async def ends_without_audio(rig: STTRig) -> None:
    """A stream without a sample ends, with an APIError at the worst, and tells no words."""
    async with rig.opened() as provider:
        for parts in ([], [FLUSH]):
            try:
                events = await _heard(rig, provider, heard(parts, rig.speed))
            except APIError:
                continue
            if any(finals(events)):
                raise Nonconforming(f"it heard {finals(events)} in nothing")


@needs()
async def hears_nothing_in_silence(rig: STTRig) -> None:
    """Silence, with a flush after it, has no words in it."""
    quiet = Utterance(rig.utterances[0].audio.silenced(), "")
    async with rig.opened() as provider:
        events = await _heard(rig, provider, heard([quiet, FLUSH], rig.speed))
    if words := [text for text in finals(events) if text.strip()]:
        raise Nonconforming(f"it heard {words} in silence")


@needs()
async def takes_frames_of_any_length(rig: STTRig) -> None:
    """The same is heard in frames of 10 ms, of 100 ms, and of odd lengths."""
    async with rig.opened() as provider:
        for samples in (160, 1600, 333):
            audio = heard([rig.utterances[0], FLUSH], rig.speed, samples=samples)
            if wrong := rig.misheard(finals(await _heard(rig, provider, audio)), rig.utterances[:1]):
                raise Nonconforming(f"in frames of {samples} samples: {wrong}")


@needs()
async def interims_come_before_the_final(rig: STTRig) -> None:
    """With ``interim_results`` words are shown before they are final."""
    async with rig.opened() as provider:
        if not provider.capabilities.interim_results:
            raise NotApplicable("it gives no interim results")
        audio = heard([rig.utterances[0], FLUSH], rig.speed)
        kinds = [event.type for event in await _heard(rig, provider, audio) if event.text]
    if INTERIM not in kinds or (FINAL in kinds and kinds.index(INTERIM) > kinds.index(FINAL)):
        raise Nonconforming("no interim transcript before the final one, though interim_results is true")


@needs()
async def mixes_no_streams(rig: STTRig) -> None:
    """Different audio at once (rooms share a recogniser) gives each stream its own words."""
    async with rig.opened() as provider:
        streams = [_heard(rig, provider, heard([said, FLUSH], rig.speed)) for said in rig.utterances]
        for said, events in zip(rig.utterances, await asyncio.gather(*streams), strict=True):
            if wrong := rig.misheard(finals(events), (said,)):
                raise Nonconforming(wrong)


@needs()
async def times_its_words(rig: STTRig) -> None:
    """Times of transcripts and words go forward, inside of the stream's audio; a word ends after it begins."""
    parts = [part for utterance in rig.utterances for part in (utterance, FLUSH)]
    async with rig.opened() as provider:
        if provider.capabilities.aligned_transcript is None:
            raise NotApplicable("it does not tell when words were said")
        events = await _heard(rig, provider, heard(parts, rig.speed))
        by_word = provider.capabilities.aligned_transcript == "word"
    spoken = sum(utterance.audio.duration for utterance in rig.utterances)
    told = [event for event in events if event.type is FINAL and event.text]
    words = [word for event in told for word in event.words]
    if by_word and not words:
        raise Nonconforming("no words, though aligned_transcript is 'word'")
    spans = [(word.start_time, word.end_time, word.text) for word in words] if by_word else []
    spans = spans or [(event.start_time, event.end_time, event.text) for event in told]
    latest = 0.0
    for start, end, text in spans:
        if start is None or end is None:
            raise Nonconforming(f"no times for {text!r}")
        if not (latest - 0.01 <= start <= end <= spoken + 0.1):
            raise Nonconforming(f"{text!r} from {start} to {end} s, after {latest} s, in {spoken:.2f} s of audio")
        latest = start


@needs()
async def reports_usage(rig: STTRig) -> None:
    """What was billed is told, and is about as long as the audio."""
    if not rig.usage:
        raise NotApplicable("it reports no usage")
    async with rig.opened() as provider:
        events = await _heard(rig, provider, heard([rig.utterances[0], FLUSH], rig.speed))
    told = [event.usage for event in events if event.type is SpeechEventType.RECOGNITION_USAGE]
    billed = sum(usage.audio_duration for usage in told if usage is not None)
    given = rig.utterances[0].audio.duration
    if not 0.5 * given <= billed <= 2 * given + 1.0:
        raise Nonconforming(f"{billed:.2f} s billed in {len(told)} reports, {given:.2f} s heard")


@needs()
async def tells_the_edges_of_speech(rig: STTRig) -> None:
    """With ``end_of_speech`` each stretch begins before it ends, and ends."""
    parts = [part for utterance in rig.utterances for part in (utterance, FLUSH)]
    async with rig.opened() as provider:
        if not provider.capabilities.end_of_speech:
            raise NotApplicable("it does not tell the edges of speech")
        events = await _heard(rig, provider, heard(parts, rig.speed))
    begin, end = SpeechEventType.START_OF_SPEECH, SpeechEventType.END_OF_SPEECH
    edges = [event.type for event in events if event.type in (begin, end)]
    if not edges or edges != [begin, end] * (len(edges) // 2):
        raise Nonconforming(f"edges that make no stretches: {[edge.value for edge in edges]}")
