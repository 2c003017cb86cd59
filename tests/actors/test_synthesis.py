"""The effect in which a voice speaks: text on demand, audio as far as there is room, and no way to hang."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from sessionactors.actors.synthesis import MayReceive, MoreText, NoMoreText, SynthesisFeed, SynthesisOrder, speak
from sessionactors.interfaces.tts import TTS, SynthesizedAudio
from sessionactors.messages.tts import AudioSynthesized, TextWanted
from sessionactors.runtime import Scope
from sessionactors.testing.scripted_tts import SAMPLE_RATE, ScriptedTTS

from tests.actors.service_stage import virtually

ORDER = SynthesisOrder("segment", 1, Scope("speech"), received=0, may_receive=SAMPLE_RATE)


class Owner:
    """What the effect sees of its actor."""

    def __init__(self) -> None:
        self.told: list[TextWanted | AudioSynthesized] = []
        self._fed: asyncio.Queue[SynthesisFeed | Exception] = asyncio.Queue()

    def feed(self, *items: SynthesisFeed | Exception) -> None:
        for item in items:
            self._fed.put_nowait(item)

    async def send(self, message: TextWanted | AudioSynthesized) -> None:
        self.told.append(message)

    async def inlet(self) -> AsyncIterator[object]:
        while True:
            item = await self._fed.get()
            if isinstance(item, Exception):
                raise item
            yield item

    def seconds(self) -> float:
        return sum(m.audio.frame.duration for m in self.told if isinstance(m, AudioSynthesized))

    def wishes(self) -> int:
        return sum(isinstance(message, TextWanted) for message in self.told)


def with_owner(body: Callable[[Owner, asyncio.Task[None]], Awaitable[None]], voice: TTS | None = None) -> None:
    async def main() -> None:
        owner = Owner()
        running = asyncio.create_task(speak(owner.send, owner.inlet(), voice or ScriptedTTS(), ORDER))
        try:
            await body(owner, running)
        finally:
            running.cancel()
            await asyncio.wait((running,))

    virtually(main)


def test_text_is_asked_for_piece_by_piece() -> None:
    async def body(owner: Owner, running: asyncio.Task[None]) -> None:
        await asyncio.sleep(1)
        assert owner.told == [TextWanted("segment", 1)]
        owner.feed(MoreText("Hello. "))
        await asyncio.sleep(1)
        assert owner.wishes() == 2
        owner.feed(NoMoreText())
        await asyncio.sleep(1)
        assert running.done()
        assert owner.wishes() == 2

    with_owner(body)


def test_an_ended_text_stays_ended() -> None:
    class AsksAgain(ScriptedTTS):
        def synthesize(self, text: AsyncIterable[str]) -> AsyncIterator[SynthesizedAudio]:
            async def twice() -> AsyncIterator[str]:
                for _ in range(2):
                    async for piece in text:
                        yield piece

            return super().synthesize(twice())

    async def body(owner: Owner, running: asyncio.Task[None]) -> None:
        owner.feed(MoreText("Hi. "), NoMoreText())
        await asyncio.sleep(5)
        assert running.done()
        assert owner.wishes() == 2

    with_owner(body, AsksAgain())


def test_the_voice_is_not_asked_for_more_than_there_is_room() -> None:
    async def body(owner: Owner, running: asyncio.Task[None]) -> None:
        owner.feed(MoreText("A text that takes more than a second to say. "), NoMoreText())
        await asyncio.sleep(10)
        assert owner.seconds() == pytest.approx(1.0)
        owner.feed(MayReceive(SAMPLE_RATE // 2))  # less than before: it was overtaken
        await asyncio.sleep(10)
        assert owner.seconds() == pytest.approx(1.0)
        owner.feed(MayReceive(SAMPLE_RATE * 2))
        await asyncio.sleep(10)
        assert owner.seconds() == pytest.approx(2.0)
        owner.feed(MayReceive(SAMPLE_RATE * 99))
        await asyncio.sleep(10)
        assert running.done()

    with_owner(body)


@pytest.mark.parametrize("fed", [(), (MoreText("A text that takes more than a second to say. "),)])
def test_a_broken_inlet_breaks_whoever_waits_for_it(fed: Any) -> None:
    async def body(owner: Owner, running: asyncio.Task[None]) -> None:
        owner.feed(*fed)
        await asyncio.sleep(10)
        owner.feed(RuntimeError("too many items wait"))
        await asyncio.sleep(1)
        with pytest.raises(RuntimeError, match="too many items"):
            running.result()

    with_owner(body)
