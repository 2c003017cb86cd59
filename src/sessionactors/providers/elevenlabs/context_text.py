"""Gives a context its text as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator

from .char_alignment import CharAlignment
from .context_line import Context
from .voice_options import VoiceOptions

KEPT_ALIVE_AFTER = 1 / 3
"""Of the time without text after which ElevenLabs closes a context."""


async def feed(text: AsyncIterable[str], context: Context, alignment: CharAlignment, options: VoiceOptions) -> None:
    """Speak the text in the context until it ends. What fails here fails the context.

    Args:
        text: in pieces of about a sentence.
        context: where it is spoken.
        alignment: is told the text too.
        options: how soon a piece is spoken, and how long a context may wait for text.
    """
    try:
        pieces = aiter(text)
        while (piece := await _next(pieces, context, options.inactivity_timeout * KEPT_ALIVE_AFTER)) is not None:
            await context.room()
            alignment.push(piece)
            if piece.strip():
                # Without a space at its end ElevenLabs waits for the rest of the word.
                await context.say(piece if piece[-1].isspace() else f"{piece} ", flush=options.auto_mode)
        alignment.end()
        await context.finish()
    except Exception as error:  # noqa: BLE001 - of the user's text, or of the line: who reads the audio raises it
        context.fail(error)


async def _next(pieces: AsyncIterator[str], context: Context, every: float) -> str | None:
    """The next piece, None at the end; the context is kept alive meanwhile."""
    waiting = asyncio.ensure_future(_piece(pieces))
    try:
        while not (await asyncio.wait((waiting,), timeout=every))[0]:
            await context.keep_alive()
        return waiting.result()
    finally:
        waiting.cancel()
        await asyncio.wait((waiting,))


async def _piece(pieces: AsyncIterator[str]) -> str | None:
    try:
        return await anext(pieces)
    except StopAsyncIteration:
        return None
