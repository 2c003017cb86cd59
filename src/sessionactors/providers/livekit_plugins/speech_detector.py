"""A detector of speech of livekit.agents."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from contextlib import aclosing, suppress
from typing import Final

from livekit.agents import vad

from sessionactors.interfaces import vad as port
from sessionactors.interfaces.home import Home
from sessionactors.model.audio import AudioFrame

from .fed_stream import fed
from .frames import to_plugin
from .http_context import plugin_context
from .plugin_errors import our_error

USUAL_SILENCE: Final = 0.55
"""Seconds: livekit's own detectors wait as long, and none of them says so."""


class PluginVAD(port.VAD):
    """Has a plugin detect speech.

    Args:
        plugin: the user's object.
    """

    home = Home.USER

    def __init__(self, plugin: vad.VAD) -> None:
        self.plugin = plugin
        self.label = type(plugin).__module__ + "." + type(plugin).__name__
        self.model = plugin.model
        self.provider = plugin.provider

    def __repr__(self) -> str:
        return f"<{self.label} {self.model}>"

    @property
    def capabilities(self) -> port.VADCapabilities:
        return port.VADCapabilities(self.plugin.capabilities.update_interval)

    @property
    def min_silence_duration(self) -> float:
        return float(getattr(self.plugin, "min_silence_duration", USUAL_SILENCE))

    async def detect(self, audio: AsyncIterable[AudioFrame]) -> AsyncIterator[port.VADEvent]:
        context = await plugin_context()
        try:
            stream = context.run(self.plugin.stream)
            async with aclosing(fed(stream, _feed(audio, stream), context)) as events:
                async for event in events:
                    yield _event(event)
        except Exception as error:
            raise our_error(error, self.label) from error


async def _feed(audio: AsyncIterable[AudioFrame], stream: vad.VADStream) -> None:
    with suppress(RuntimeError):  # the stream has ended: why, its reader is told
        try:
            async for frame in audio:
                stream.push_frame(to_plugin(frame))
        finally:
            stream.end_input()


def _event(event: vad.VADEvent) -> port.VADEvent:
    return port.VADEvent(
        port.VADEventType(event.type.value),
        speech_duration=event.speech_duration,
        silence_duration=event.silence_duration,
        probability=event.probability,
        speaking=event.speaking,
        inference_duration=event.inference_duration,
        raw_accumulated_silence=event.raw_accumulated_silence,
        raw_accumulated_speech=event.raw_accumulated_speech,
    )
