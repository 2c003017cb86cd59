"""Texts as a session gives them to a voice, and what was spoken of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from typing import Any, cast

from sessionactors.interfaces.tts import TTS, SynthesizedAudio

from tests.wire.spoken_audio import spoken_in


class Text(AsyncIterator[str]):
    """Pieces of a text; an event is waited for, an error raised."""

    def __init__(self, pieces: Iterable[str | asyncio.Event | Exception]) -> None:
        self._pieces = iter(pieces)

    async def __anext__(self) -> str:
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            if isinstance(piece, str):
                return piece
            await piece.wait()
        raise StopAsyncIteration


async def spoken(tts: TTS, *pieces: str | asyncio.Event | Exception) -> list[SynthesizedAudio]:
    async with aclosing(cast("Any", tts.synthesize(Text(pieces)))) as audio:
        return [piece async for piece in audio]


def said(audio: Iterable[SynthesizedAudio], rate: int = 24000) -> str:
    return spoken_in(b"".join(piece.frame.data for piece in audio), rate)
