"""What a detector of speech must do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from typing import ClassVar

from sessionactors.interfaces.vad import VAD, VADEvent, VADEventType
from sessionactors.model.audio import AudioFrame

from .check import Checks
from .outcome import Nonconforming
from .reading import within
from .request_checks import REQUEST_CHECKS
from .rig import RequestRig
from .spoken import Heard, Utterance, heard

VAD_CHECKS = Checks(REQUEST_CHECKS, without=("empty_answer_ends", "drip_is_passed_on"))
"""Each window has a finding: there is no empty answer, and none that comes in pieces."""
needs = VAD_CHECKS.needs

BEGIN, WINDOW, END = VADEventType.START_OF_SPEECH, VADEventType.INFERENCE_DONE, VADEventType.END_OF_SPEECH


@dataclass(frozen=True, kw_only=True)
class VADRig(RequestRig[VAD]):
    """A detector of speech.

    Args:
        audio: some speech, mono at its rate, with silence before, between (longer than its ``min_silence_duration``)
            and after.
        speech: where each stretch of speech begins and ends in it, seconds.
        tolerance: seconds by which it may be off.
        speed: seconds of audio that are given in one second; None: as fast as it reads.
    """

    kind: ClassVar[str] = "vad"
    audio: AudioFrame
    speech: tuple[tuple[float, float], ...]
    tolerance: float = 0.15
    speed: float | None = None

    def ask(self, provider: VAD) -> AsyncGenerator[object, None]:
        """The audio."""
        return self.detect(provider, self.line())

    def line(self, audio: AudioFrame | None = None, samples: int | None = None) -> Heard:
        """A line on which this, or the rig's audio, is heard."""
        return heard([Utterance(audio or self.audio, None)], self.speed, samples=samples)

    @staticmethod
    async def detect(provider: VAD, audio: Heard) -> AsyncGenerator[object, None]:
        """What it finds, closed as a session closes it."""
        events = provider.detect(audio.frames())
        try:
            async for event in events:
                yield event
        finally:
            aclose = getattr(events, "aclose", None)
            if aclose is not None:
                await aclose()

    def is_answer(self, item: object) -> bool:
        """Any finding."""
        return isinstance(item, VADEvent)

    def is_whole(self, items: list[object]) -> str:
        """As many beginnings as there are stretches of speech."""
        if strange := [item for item in items if not isinstance(item, VADEvent)]:
            return f"it yielded {strange[0]!r}, not a VADEvent"
        begun = sum(isinstance(item, VADEvent) and item.type is BEGIN for item in items)
        return "" if begun == len(self.speech) else f"{begun} stretches of speech, {len(self.speech)} there are"


@dataclass(frozen=True, slots=True)
class Found:
    """A finding, and the seconds of audio that had been read when it came."""

    event: VADEvent
    at: float


async def _found(rig: VADRig, provider: VAD, audio: Heard) -> list[Found]:
    found: list[Found] = []

    async def read() -> None:
        async with aclosing(rig.detect(provider, audio)) as events:
            found.extend([Found(event, audio.taken) async for event in events if isinstance(event, VADEvent)])

    await within(rig.patience, "detection", read())
    return found


def _of(found: Iterable[Found], *kinds: VADEventType) -> list[Found]:
    return [each for each in found if each.event.type in kinds]


@needs()
async def finds_where_speech_begins(rig: VADRig) -> None:
    """Each stretch began ``speech_duration`` before the event that says so, within the tolerance."""
    async with rig.opened() as provider:
        begun = [each.at - each.event.speech_duration for each in _of(await _found(rig, provider, rig.line()), BEGIN)]
    _near(rig, begun, [begin for begin, _ in rig.speech], "begins")


@needs()
async def finds_where_speech_ends(rig: VADRig) -> None:
    """Each stretch ended ``silence_duration`` before the event that says so, which comes after the least silence."""
    async with rig.opened() as provider:
        ended = _of(await _found(rig, provider, rig.line()), END)
        least = provider.min_silence_duration
    _near(rig, [each.at - each.event.silence_duration for each in ended], [end for _, end in rig.speech], "ends")
    for each in ended:
        if each.event.silence_duration < least - rig.tolerance:
            raise Nonconforming(f"speech ended after {each.event.silence_duration:.3f} s of silence, least is {least}")


def _near(rig: VADRig, found: list[float], expected: list[float], what: str) -> None:
    off = [abs(at - wanted) for at, wanted in zip(found, expected, strict=False)]
    if len(found) != len(expected) or any(seconds > rig.tolerance for seconds in off):
        raise Nonconforming(f"speech {what} at {[round(at, 3) for at in found]}, not at {expected}")


@needs()
async def edges_alternate(rig: VADRig) -> None:
    """A beginning comes before its end, an end before the next beginning; ``speaking`` says the same at any time."""
    async with rig.opened() as provider:
        found = await _found(rig, provider, rig.line())
    speaking = False
    for each in found:
        if each.event.type is BEGIN and speaking:
            raise Nonconforming(f"speech begins in speech at {each.at:.2f} s")
        if each.event.type is END and not speaking:
            raise Nonconforming(f"speech ends in silence at {each.at:.2f} s")
        if each.event.type is WINDOW:
            # A window may come just before the edge that it brings.
            continue
        speaking = each.event.type is BEGIN
        if each.event.speaking is not speaking:
            raise Nonconforming(f"{each.event.type.value} says speaking={each.event.speaking}")


@needs()
async def reports_each_window(rig: VADRig) -> None:
    """Each window is reported, with a probability and sensible durations: without, a hung detector is not noticed."""
    async with rig.opened() as provider:
        windows = [each.event for each in _of(await _found(rig, provider, rig.line()), WINDOW)]
        expected = rig.audio.duration / provider.capabilities.update_interval
    if not 0.7 * expected <= len(windows) <= 1.3 * expected + 1:
        raise Nonconforming(f"{len(windows)} windows reported, about {expected:.0f} there are")
    for event in windows:
        if not 0.0 <= event.probability <= 1.0 or min(event.speech_duration, event.raw_silence) < 0.0:
            raise Nonconforming(f"what cannot be: {event}")


@needs()
async def finds_no_speech_in_silence(rig: VADRig) -> None:
    """Silence is silence."""
    async with rig.opened() as provider:
        edges = _of(await _found(rig, provider, rig.line(rig.audio.silenced())), BEGIN, END)
    if edges:
        raise Nonconforming(f"{edges[0].event.type.value} at {edges[0].at:.2f} s of silence")


@needs()
async def takes_frames_of_any_length(rig: VADRig) -> None:
    """The same is found in frames of 10 ms, of 100 ms, and of odd lengths."""
    async with rig.opened() as provider:
        for samples in (160, 1600, 333):
            found: list[object] = [each.event for each in await _found(rig, provider, rig.line(samples=samples))]
            if wrong := rig.is_whole(found):
                raise Nonconforming(f"in frames of {samples} samples: {wrong}")


@needs()
async def mixes_no_streams(rig: VADRig) -> None:
    """Speech on one line is not heard on the other: each stream has a memory of its own."""
    async with rig.opened() as provider:
        speech, silence = await asyncio.gather(
            _found(rig, provider, rig.line()), _found(rig, provider, rig.line(rig.audio.silenced()))
        )
    if wrong := rig.is_whole([each.event for each in speech]):
        raise Nonconforming(wrong)
    if edges := _of(silence, BEGIN):
        raise Nonconforming(f"the silent line has speech at {edges[0].at:.2f} s")


@needs()
async def ends_without_audio(rig: VADRig) -> None:
    """A stream without a sample ends and finds nothing."""
    async with rig.opened() as provider:
        found = await _found(rig, provider, heard([], rig.speed))
    if found:
        raise Nonconforming(f"{found[0].event.type.value} in nothing")
