"""The effect in which a voice speaks: text in on demand, audio out as far as credit allows. Runs at the voice's home.

The actor feeds text and credit through one inlet; here they part. Text is handed on only when the voice asks for it, so
that the actor knows at any time whether the voice waits for text, for credit, or works.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from sessionactors.interfaces.speech_in_hand import in_hand
from sessionactors.interfaces.tts import TTS, SynthesizedAudio
from sessionactors.messages.tts import AudioSynthesized, TextWanted
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import APIError, SessionStateError
from sessionactors.runtime import Scope


@dataclass(frozen=True, slots=True)
class MoreText:
    """The next piece, as asked for."""

    text: str


@dataclass(frozen=True, slots=True)
class NoMoreText:
    """The text is complete."""


@dataclass(frozen=True, slots=True)
class MayReceive:
    """So many samples of the segment may be received, from its start."""

    samples: int


SynthesisFeed: TypeAlias = MoreText | NoMoreText | MayReceive


@dataclass(frozen=True, slots=True)
class SynthesisOrder:
    """What one attempt is about."""

    segment: str
    attempt: int
    scope: Scope
    received: int
    """Samples of the segment that there are already."""
    may_receive: int
    """Samples that may be received, from the start of the segment."""


Send: TypeAlias = Callable[[TextWanted | AudioSynthesized], Awaitable[None]]


async def speak_in_hand(send: Send, inlet: AsyncIterator[object], order: SynthesisOrder, voice: TTS | None) -> None:
    """The effect.

    Raises:
        SessionStateError: there is no voice.
        APIError: as for :func:`speak`.
    """
    if voice is None:
        raise SessionStateError(
            "speech was asked for, but there is no tts: give one to AgentSession, start() or the agent"
        )
    with in_hand(order.segment, voice.label):
        await speak(send, inlet, voice, order)


async def speak(send: Send, inlet: AsyncIterator[object], voice: TTS, order: SynthesisOrder) -> None:
    """Let the voice speak until it ends; its errors are the effect's.

    Args:
        send: passes a message to the actor, within the effect's window.
        inlet: what the actor feeds (:data:`SynthesisFeed`).
        voice: speaks.
        order: what about.

    Raises:
        APIError: the voice failed, or yielded something that is not mono audio at its rate.
    """
    feed = _Feed(send, inlet, order)
    reading = asyncio.create_task(feed.read(), name=f"feed of {order.segment}")
    try:
        async with _closed_at_the_end(voice.synthesize(feed)) as audio:
            async for piece in audio:
                await _pass_on(send, feed, order, _checked(piece, voice))
    finally:
        reading.cancel()
        await asyncio.wait((reading,))


async def _pass_on(send: Send, feed: _Feed, order: SynthesisOrder, audio: SynthesizedAudio) -> None:
    """Send the audio on in parts that the credit has room for; the voice is not asked for more meanwhile."""
    rest, timings = audio.frame, audio.timings
    while rest.data or timings:
        part, rest = rest.split(await feed.room() if rest.data else 0)
        feed.received += part.samples_per_channel
        await send(AudioSynthesized(order.segment, order.attempt, SynthesizedAudio(part, timings), order.scope))
        timings = ()


class _Feed(AsyncIterator[str]):
    """What the actor feeds, parted: an iterator of text for the voice, and the room for audio."""

    def __init__(self, send: Send, inlet: AsyncIterator[object], order: SynthesisOrder) -> None:
        self._send = send
        self._inlet = inlet
        self._order = order
        self._texts: asyncio.Queue[MoreText | NoMoreText | Exception] = asyncio.Queue()
        self._text_ended = False
        self._may_receive = order.may_receive
        self._changed = asyncio.Event()
        self._broken: Exception | None = None
        self.received = order.received

    async def read(self) -> None:
        """Take in what is fed, until cancelled. A broken inlet breaks whoever waits for it."""
        try:
            async for item in self._inlet:
                self._take(item)  # type: ignore[arg-type]  # the actor feeds nothing else
        except Exception as error:  # noqa: BLE001 - raised again where it is waited for
            self._broken = error
            self._texts.put_nowait(error)
            self._changed.set()

    def _take(self, item: SynthesisFeed) -> None:
        match item:
            case MoreText() | NoMoreText():
                self._texts.put_nowait(item)  # at most one for each TextWanted
            case MayReceive(samples):
                self._may_receive = max(self._may_receive, samples)
                self._changed.set()
            case _:
                assert_never(item)

    async def __anext__(self) -> str:
        if self._text_ended:
            raise StopAsyncIteration
        await self._send(TextWanted(self._order.segment, self._order.attempt))
        match await self._texts.get():
            case MoreText(text):
                return text
            case NoMoreText():
                self._text_ended = True
                raise StopAsyncIteration
            case error:
                raise error

    async def room(self) -> int:
        """Samples that may be received now, at least one; waits for credit."""
        while self._may_receive <= self.received:
            if self._broken is not None:
                raise self._broken
            self._changed.clear()
            await self._changed.wait()
        return self._may_receive - self.received


def _checked(audio: object, voice: TTS) -> SynthesizedAudio:
    """A provider is not ours to trust: what is no audio must not reach a handler."""
    if not isinstance(audio, SynthesizedAudio) or not isinstance(audio.frame, AudioFrame):
        raise APIError(f"{voice.label} yielded {type(audio).__name__} instead of SynthesizedAudio", retryable=False)
    frame = audio.frame
    if frame.num_channels != 1 or frame.sample_rate != voice.sample_rate:
        raise APIError(f"{voice.label} yielded {frame}, not mono at its {voice.sample_rate} Hz", retryable=False)
    return audio


@asynccontextmanager
async def _closed_at_the_end(audio: AsyncIterator[SynthesizedAudio]) -> AsyncIterator[AsyncIterator[SynthesizedAudio]]:
    """Closing is what aborts a synthesis; an iterator that is no generator may have nothing to close."""
    try:
        yield audio
    finally:
        aclose = getattr(audio, "aclose", None)
        if aclose is not None:
            await aclose()
