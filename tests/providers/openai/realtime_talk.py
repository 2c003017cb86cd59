"""A session with the realtime model whose events are read in a task of their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from sessionactors.interfaces.realtime import (
    InputAudioTranscriptionCompleted,
    RealtimeEvent,
    ResponseAudio,
    ResponseDone,
    ResponseText,
)
from sessionactors.model.audio import AudioFrame
from sessionactors.providers.openai.realtime import RealtimeModel, RealtimeSession

from tests.wire.openai_realtime import OpenAIRealtimeServer

E = TypeVar("E", bound=RealtimeEvent)
PATIENCE = 5.0


def model_at(server: OpenAIRealtimeServer, **options: Any) -> RealtimeModel:
    return RealtimeModel(**{"api_key": server.key, "base_url": server.url, **options})


class Talk:
    """A session and what it has said."""

    def __init__(self, session: RealtimeSession) -> None:
        self.session = session
        self.events: list[RealtimeEvent] = []
        self._more = asyncio.Event()
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            async for event in self.session.events():
                self.events.append(event)
                self._more.set()
        finally:
            self._more.set()

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, kind: type[E], which: Callable[[E], bool] = lambda _: True) -> E:
        """The first event of a kind; if the events end before, their error is raised."""
        async with asyncio.timeout(PATIENCE):
            while True:
                found = [event for event in self.of(kind) if which(event)]
                if found:
                    return found[0]
                if self.task.done():
                    self.task.result()
                    raise AssertionError(f"the events ended without {kind.__name__}: {self.events}")
                self._more.clear()
                await self._more.wait()

    async def ended(self) -> BaseException | None:
        """Why the events ended."""
        await asyncio.wait({self.task}, timeout=PATIENCE)
        return self.task.exception()

    async def done(self, number: int = 1) -> ResponseDone:
        """The end of the n-th response."""
        seen: list[ResponseDone] = []

        def is_it(event: ResponseDone) -> bool:
            if event not in seen:
                seen.append(event)
            return len(seen) >= number

        return await self.until(ResponseDone, is_it)

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.of(ResponseText))

    @property
    def seconds(self) -> float:
        """Of sound."""
        return round(sum(event.frame.duration for event in self.of(ResponseAudio)), 3)

    @property
    def understood(self) -> list[str]:
        return [event.transcript for event in self.of(InputAudioTranscriptionCompleted) if event.is_final]

    def speak(self, seconds: float) -> None:
        """Push so much audio, in frames of 20 ms."""
        for _ in range(round(seconds * 50)):
            self.session.push_audio(AudioFrame(bytes(960), 24000))

    async def ready(self) -> None:
        """The first settings are in force."""
        await self.session.update_instructions("Be kind.")

    async def heard_by(self, server: OpenAIRealtimeServer) -> None:
        """Until the server has handled what was sent so far."""
        await self.session.update_instructions("Be kind.")
        assert server.open_now


@asynccontextmanager
async def talking(
    server: OpenAIRealtimeServer, *, turn_detection_disabled: bool = False, **options: Any
) -> AsyncGenerator[Talk, None]:
    """A session in a running server, connected; closed behind it, with no connection left."""
    model = model_at(server, **options)
    talk = Talk(model.session(turn_detection_disabled=turn_detection_disabled))
    try:
        await talk.ready()
        yield talk
    finally:
        await talk.session.aclose()
        await asyncio.wait({talk.task}, timeout=PATIENCE)
        assert talk.task.done()
        await model.aclose()
        await server.all_gone()
