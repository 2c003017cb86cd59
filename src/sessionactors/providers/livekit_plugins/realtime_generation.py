"""One response of a plugin's realtime session: its streams, read into events."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

from livekit.agents import llm
from livekit.agents.metrics import RealtimeModelMetrics

from sessionactors.interfaces import realtime as port
from sessionactors.interfaces.llm import FunctionToolCall
from sessionactors.model.audio import AudioFrame
from sessionactors.model.resampling import MonoResampler

from .frames import from_plugin
from .plugin_errors import our_error

SAMPLE_RATE = 24000
"""Hertz of the sound passed on: no plugin says beforehand in what rate its model speaks."""

Hand = Callable[[port.RealtimeEvent], Awaitable[None]]


class Generation:
    """A response under way.

    Args:
        told: as the plugin announced it.
        name: the server's id of it, or another one.
        label: whose, for people.
    """

    def __init__(self, told: llm.GenerationCreatedEvent, name: str, label: str) -> None:
        self.told = told
        self.name = name
        self.figures: RealtimeModelMetrics | None = None
        """What the plugin measured: told when the server is done with it."""
        self.measured = asyncio.Event()
        """There are figures."""
        self.error: Exception | None = None
        """Why it failed."""
        self.suspicion: Exception | None = None
        """An error that was told before anything of it came: why it failed, if nothing comes."""
        self.interrupted = False
        self.released = False
        """Something of it has been passed on."""
        self._label = label

    async def read(self, hand: Hand) -> port.ResponseDone:
        """Pass on all that it brings.

        Args:
            hand: takes a piece.

        Returns:
            How it ended.
        """
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._messages(hand))
                group.create_task(self._calls(hand))
        except* Exception as failed:  # noqa: BLE001  whatever the plugin's streams raise is how the response ended
            first: BaseException = failed
            while isinstance(first, BaseExceptionGroup):
                first = first.exceptions[0]
            if self.error is None and isinstance(first, Exception):
                self.error = our_error(first, self._label)
        return self.done()

    def done(self) -> port.ResponseDone:
        """How it ended, as far as is known."""
        figures = self.figures
        usage = None if figures is None else usage_of(figures)
        error = self.error or (None if self.released else self.suspicion)
        if error is not None:
            return port.ResponseDone(self.name, "failed", usage, error)
        cancelled = self.interrupted if figures is None else figures.cancelled
        status: Literal["completed", "cancelled"] = "cancelled" if cancelled else "completed"
        return port.ResponseDone(self.name, status, usage)

    async def _messages(self, hand: Hand) -> None:
        async for message in self.told.message_stream:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._text(message, hand))
                group.create_task(self._audio(message, hand))

    async def _text(self, message: llm.MessageGeneration, hand: Hand) -> None:
        async for text in message.text_stream:
            if text:
                self.released = True
                await hand(port.ResponseText(self.name, message.message_id, str(text)))

    async def _audio(self, message: llm.MessageGeneration, hand: Hand) -> None:
        resampler = MonoResampler(SAMPLE_RATE)
        async for frame in message.audio_stream:
            await self._sound(message, resampler.feed(from_plugin(frame)), hand)
        await self._sound(message, resampler.flush(), hand)

    async def _sound(self, message: llm.MessageGeneration, frame: AudioFrame | None, hand: Hand) -> None:
        if frame is not None:
            self.released = True
            await hand(port.ResponseAudio(self.name, message.message_id, frame))

    async def _calls(self, hand: Hand) -> None:
        async for call in self.told.function_stream:
            self.released = True
            wanted = FunctionToolCall(call.call_id, call.name, call.arguments, dict(call.extra or {}))
            await hand(port.ResponseToolCall(self.name, wanted))


def usage_of(figures: RealtimeModelMetrics) -> port.RealtimeUsage:
    """The tokens of a response."""
    read, made = figures.input_token_details, figures.output_token_details
    return port.RealtimeUsage(
        input_tokens=figures.input_tokens,
        output_tokens=figures.output_tokens,
        input_audio_tokens=read.audio_tokens,
        input_text_tokens=read.text_tokens,
        input_cached_tokens=read.cached_tokens,
        output_audio_tokens=made.audio_tokens,
        output_text_tokens=made.text_tokens,
    )
