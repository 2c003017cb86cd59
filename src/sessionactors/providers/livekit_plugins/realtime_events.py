"""What a plugin's realtime session says, as the events of a session's port; and the replies it was asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from itertools import count
from typing import Final

from livekit import agents
from livekit.agents import llm
from livekit.agents.metrics import RealtimeModelMetrics

from sessionactors.interfaces import realtime as port
from sessionactors.model.errors import APIConnectionError, APIError

from .conversation import item_from_plugin
from .plugin_errors import our_error
from .realtime_generation import Generation
from .realtime_outlet import Outlet

FIGURES_WITHIN: Final = 0.2
"""Seconds for the figures of a response, which some plugins tell behind its end."""

Future = asyncio.Future[llm.GenerationCreatedEvent]
Expect = Callable[[Future], None]
Ask = Callable[[Expect], None]


class PluginEvents:
    """Listens to a session of a plugin's.

    Args:
        label: the model's, for people.
    """

    def __init__(self, label: str) -> None:
        self._label = label
        self._outlet: Outlet[port.RealtimeEvent | Generation] = Outlet()
        self._open: dict[str, Generation] = {}
        self._reading: dict[str, asyncio.Task[None]] = {}
        self._asked: dict[str, Future] = {}
        self._held: dict[str, Ask] = {}
        """Replies to be asked for when the plugin has its connection again."""
        self._names = count(1)
        self._worked = False
        """It had a connection."""
        self._mending = False
        """It lost the connection, and has not said yet that it has another one."""
        self._attempts = 0
        """That the plugin made in vain by itself."""
        self._tells_figures = True

    def listen(self, session: llm.RealtimeSession[str]) -> None:
        """Hear all that it says."""
        session.on("input_speech_started", self._on_speech_started)
        session.on("input_speech_stopped", self._on_speech_stopped)
        session.on("input_audio_transcription_completed", self._on_transcript)
        session.on("generation_created", self._on_generation)
        session.on("remote_item_added", self._on_item)
        session.on("session_reconnected", self._on_reconnected)
        session.on("metrics_collected", self._on_metrics)
        session.on("error", self._on_error)

    async def read(self) -> AsyncGenerator[port.RealtimeEvent, None]:
        """All events, in the order in which they were told.

        Raises:
            APIError: the plugin has given up.
        """
        async with aclosing(self._outlet.read()) as said:
            async for one in said:
                if not isinstance(one, Generation):
                    yield one
                    continue
                yield port.GenerationCreated(one.name, self._request_of(one))
                if one.name in self._open:
                    self._reading[one.name] = asyncio.create_task(self._read(one), name=f"{one.name} of {self._label}")

    async def aclose(self) -> None:
        """Nothing more is told."""
        self._outlet.end()
        reading = list(self._reading.values())
        for task in reading:
            task.cancel()
        if reading:
            await asyncio.wait(reading)
        for future in self._asked.values():
            future.cancel()

    # -- replies that are asked for ----------------------------------------------------------------------------------

    def ask(self, request: str, ask: Ask) -> None:
        """Ask for a reply, now or when the plugin has its connection again.

        Args:
            request: names it.
            ask: asks, and gives the plugin's future to what it is given.
        """
        if self._mending:
            self._held[request] = ask
            return
        try:
            ask(lambda future: self._expect(request, future))
        except Exception as error:  # noqa: BLE001  of the plugin: it refuses by raising, too
            self._unanswered(request, error)

    def _expect(self, request: str, future: Future) -> None:
        self._asked[request] = future
        future.add_done_callback(lambda answered: self._answered(request, answered))

    def _answered(self, request: str, future: Future) -> None:
        if not future.cancelled() and future.exception() is None:
            self._on_generation(future.result())  # some tell it here only
        elif self._asked.pop(request, None) is not None:
            error = None if future.cancelled() else future.exception()
            self._unanswered(request, error if isinstance(error, Exception) else None)

    def _unanswered(self, request: str, error: Exception | None) -> None:
        """A reply that does not begin: refused, or no longer wanted."""
        name = self._name()
        self._outlet.tell(port.GenerationCreated(name, request))
        if error is None:
            self._outlet.tell(port.ResponseDone(name, "cancelled"))
        else:
            self._outlet.tell(port.ResponseDone(name, "failed", error=our_error(error, self._label)))

    def interrupt(self) -> bool:
        """Let go of the replies that have not begun; whether there is one that has."""
        for request in list(self._held):
            del self._held[request]
            self._unanswered(request, None)
        for future in list(self._asked.values()):
            future.cancel()  # the plugin cancels at the server what comes of it
        for generation in self._open.values():
            generation.interrupted = True
        return bool(self._open)

    def _request_of(self, generation: Generation) -> str | None:
        """The request that a response answers."""
        for request, future in self._asked.items():
            answered = future.done() and not future.cancelled() and future.exception() is None
            if answered and future.result() is generation.told:
                del self._asked[request]
                return request
        if not generation.told.user_initiated or not self._asked:
            return None
        request = next(iter(self._asked))
        del self._asked[request]
        return request

    # -- responses ---------------------------------------------------------------------------------------------------

    def _on_generation(self, told: llm.GenerationCreatedEvent) -> None:
        if any(generation.told is told for generation in self._open.values()):
            return
        self._works()
        generation = Generation(told, told.response_id or self._name(), self._label)
        self._open[generation.name] = generation
        self._outlet.tell(generation)

    async def _read(self, generation: Generation) -> None:
        done = await generation.read(self._outlet.hand)
        if self._tells_figures and not generation.measured.is_set() and generation.error is None:
            try:
                async with asyncio.timeout(FIGURES_WITHIN):
                    await generation.measured.wait()
            except TimeoutError:
                self._tells_figures = False
            done = generation.done()
        if generation.suspicion is not None and done.error is None:
            self._outlet.tell(port.RealtimeSessionError(generation.suspicion))
        self._over(generation, done)

    def _over(self, generation: Generation, done: port.ResponseDone) -> None:
        self._reading.pop(generation.name, None)
        if self._open.pop(generation.name, None) is not None:
            self._outlet.tell(done)

    def _on_metrics(self, figures: object) -> None:
        self._worked = True  # they are told of a connection, too
        if not isinstance(figures, RealtimeModelMetrics) or not figures.request_id:
            return
        generation = self._open.get(figures.request_id)
        if generation is None and len(self._open) == 1:
            (only,) = self._open.values()
            generation = only if only.told.response_id is None else None
        if generation is not None:
            generation.figures = figures
            generation.measured.set()
            self._tells_figures = True

    # -- the user ----------------------------------------------------------------------------------------------------

    def _on_speech_started(self, _: llm.InputSpeechStartedEvent) -> None:
        self._works()
        self._outlet.tell(port.InputSpeechStarted())

    def _on_speech_stopped(self, stopped: llm.InputSpeechStoppedEvent) -> None:
        self._works()
        self._outlet.tell(port.InputSpeechStopped(stopped.user_transcription_enabled))

    def _on_transcript(self, heard: llm.InputTranscriptionCompleted) -> None:
        self._works()
        self._outlet.tell(
            port.InputAudioTranscriptionCompleted(heard.item_id, heard.transcript, heard.is_final, heard.confidence)
        )

    def _on_item(self, added: llm.RemoteItemAddedEvent) -> None:
        self._outlet.tell(port.RemoteItemAdded(item_from_plugin(added.item), added.previous_item_id))

    # -- the connection ----------------------------------------------------------------------------------------------

    def _on_reconnected(self, _: llm.RealtimeSessionReconnectedEvent) -> None:
        self._outlet.tell(port.SessionReconnected())
        # What the plugin forgets with the connection it forgets before it says so; asked for now, a reply is its own.
        self._works()

    def _works(self) -> None:
        """The server says something: there is a connection."""
        self._worked, self._mending, self._attempts = True, False, 0
        held, self._held = self._held, {}
        for request, ask in held.items():
            self.ask(request, ask)

    def _on_error(self, told: llm.RealtimeModelError) -> None:
        error = our_error(told.error, self._label)
        lost = isinstance(told.error, agents.APIConnectionError)
        refused = lost and isinstance(error, APIError) and not error.retryable
        if not told.recoverable or refused:
            self._outlet.end(self._last_word(error))
        elif lost:
            self._lost(error)
        else:
            self._complaint(error)

    def _last_word(self, error: Exception) -> APIError:
        """With what the session ends: it is made again only if the plugin itself has not tried to."""
        if isinstance(error, APIError) and (not self._attempts or not error.retryable):
            return error
        what = APIConnectionError(f"{self._label} gave up: {error}", retryable=not self._attempts)
        what.__cause__ = error
        return what

    def _lost(self, error: Exception) -> None:
        """The connection is gone, and the plugin makes another one: what was under way does not go on."""
        self._attempts += 1
        self._mending = self._worked
        if not self._open:
            self._outlet.tell(port.RealtimeSessionError(error))
        for generation in list(self._open.values()):
            generation.error = error
            task = self._reading.get(generation.name)
            if task is not None:
                task.cancel()
            self._over(generation, generation.done())

    def _complaint(self, error: Exception) -> None:
        """About the response that is under way, or about something else."""
        newest = next(reversed(self._open.values()), None)
        if newest is not None and newest.figures is not None:
            newest.error = error
        elif newest is not None and not newest.released:
            newest.suspicion = error
        else:
            self._outlet.tell(port.RealtimeSessionError(error))

    def _name(self) -> str:
        return f"response_{next(self._names)}"
