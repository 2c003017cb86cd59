"""Multi-context synthesis: one WebSocket on which several texts are spoken side by side, each in its own context."""

from __future__ import annotations

import asyncio
import base64
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog
from elevenlabs.core.unchecked_base_model import construct_type
from elevenlabs.types.close_context import CloseContext
from elevenlabs.types.flush_context import FlushContext
from elevenlabs.types.initialize_connection_multi import InitializeConnectionMulti
from elevenlabs.types.keep_context_alive import KeepContextAlive
from elevenlabs.types.send_text_multi import SendTextMulti
from elevenlabs.types.websocket_tts_server_message_multi import WebsocketTtsServerMessageMulti

from sessionactors.model.errors import APIError
from sessionactors.providers.line_pool import Line
from sessionactors.providers.vendor_socket import VendorSocket
from sessionactors.providers.wire_message import garbled, parsed

from .endpoint import told_error
from .voice_options import VoiceOptions

if TYPE_CHECKING:
    from elevenlabs.types.alignment import Alignment

log = structlog.get_logger("sessionactors.elevenlabs")

SEATS: Final = 5
"""Contexts that ElevenLabs allows on one connection."""
MAX_AGE: Final = 3600.0
"""Seconds that a connection is used for new texts."""
MOST_HELD = 20.0
"""Seconds of audio that wait to be taken, beyond which the voice is given no more text."""
RELEASED_WITHIN = 2.0
"""Seconds in which ElevenLabs has to say that a context is closed; until then it counts as one of the five."""
CLOSE_WITHIN: Final = 0.5
"""Seconds for the word that a context is not wanted any more; then the connection is at fault."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of audio."""

    pcm: bytes
    alignment: Alignment | None


class Context:
    """One text on a line. Opened by :meth:`ContextLine.open`.

    Args:
        name: its id.
        line: where it is spoken.
        rate: bytes of audio in a second.
    """

    def __init__(self, name: str, line: ContextLine, rate: int) -> None:
        self.name = name
        self.is_over = False
        """ElevenLabs has closed it."""
        self._line = line
        self._rate = rate
        self._pieces: deque[Piece] = deque()
        self._held = 0
        self.is_finished = False
        """ElevenLabs has been told that no more text comes, and to close the context."""
        self._error: Exception | None = None
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    async def say(self, text: str, *, flush: bool) -> None:
        """Speak this; with ``flush`` at once, not when there is more."""
        await self._line.send(
            SendTextMulti(text=text, context_id=self.name, **({"flush": True} if flush else {})).json()
        )

    async def keep_alive(self) -> None:
        """Text will still come."""
        await self._line.send(KeepContextAlive(context_id=self.name, text="").json())

    async def finish(self) -> None:
        """No more text comes: speak what there is, and close."""
        await self._line.send(FlushContext(context_id=self.name, flush=True).json())
        self.is_finished = True
        await self._line.send(CloseContext(context_id=self.name, close_context=True).json())

    async def room(self) -> None:
        """Wait until not too much audio waits to be taken."""
        await self._room.wait()

    async def next(self) -> Piece | None:
        """The next piece of audio; None: that was all.

        Raises:
            APIError: the voice failed, or the line. What came before is given out first.
        """
        while not self._pieces:
            if self._error is not None:
                raise self._error
            if self.is_over:
                return None
            self._news.clear()
            await self._news.wait()
        piece = self._pieces.popleft()
        self._held -= len(piece.pcm)
        if self._held < MOST_HELD * self._rate:
            self._room.set()
        return piece

    def take(self, message: WebsocketTtsServerMessageMulti) -> None:
        """A message for it has come."""
        if message.audio:
            pcm = base64.b64decode(message.audio, validate=True)
            self._pieces.append(Piece(pcm, message.alignment))
            self._held += len(pcm)
            if self._held >= MOST_HELD * self._rate:
                self._room.clear()
        if message.is_final:
            self.is_over = True
        self._news.set()

    def fail(self, error: Exception) -> None:
        """Nothing more comes."""
        self._error = self._error or error
        self._news.set()
        self._room.set()


class ContextLine(Line):
    """A connection for one voice, model and format."""

    def __init__(self, connect: Callable[[], Awaitable[VendorSocket]], label: str) -> None:
        super().__init__(connect, label=label, seats=SEATS, max_age=MAX_AGE)
        self._contexts: dict[str, Context] = {}
        self._closing: dict[str, _Closing] = {}
        """Contexts that nobody listens to and that ElevenLabs has not closed yet."""

    async def open(self, name: str, options: VoiceOptions) -> Context:
        """Begin a text.

        Raises:
            APIError: the line could not be opened, or has ended.
        """
        await self.opened()
        context = self._contexts[name] = Context(name, self, 2 * options.sample_rate)
        first = {
            "voice_settings": options.sent_settings(),
            "generation_config": options.sent_schedule(),
            "pronunciation_dictionary_locators": options.sent_locators(),
        }
        given = {key: value for key, value in first.items() if value is not None}
        await self.send(InitializeConnectionMulti(text=" ", context_id=name, **given).json())
        return context

    async def release(self, name: str, leave: Callable[[], object]) -> None:
        """Nobody listens to a context any more: close it, if it is not, and give the seat back when it is.

        Args:
            name: of the context, which may not have been opened.
            leave: gives the seat back.
        """
        context = self._contexts.pop(name, None)
        if context is None or context.is_over or self.error is not None:
            leave()
            return
        overdue = asyncio.get_running_loop().call_later(RELEASED_WITHIN, self._overdue, name)
        self._closing[name] = _Closing(overdue, leave)
        if context.is_finished:
            return
        try:
            async with asyncio.timeout(CLOSE_WITHIN):
                await self.send(CloseContext(context_id=name, close_context=True).json())
        except (TimeoutError, APIError):
            self.cut()

    def route(self, message: str | bytes) -> None:
        """Audio to its context; an error to its context, or to all."""
        fields = parsed(message, self.label)
        name = fields.get("contextId") or fields.get("context_id")
        context = self._contexts.get(name) if isinstance(name, str) else None
        if error := fields.get("error"):
            told = told_error(self.label, str(error), str(fields.get("message") or ""), self.request_id, fields)
            if name is None:
                raise told
            if context is not None:
                context.is_over = True
                context.fail(told)
            return
        if fields.get("isFinal"):  # the wire's name; the SDK's type has its own
            fields = {**fields, "is_final": True}
        received: WebsocketTtsServerMessageMulti = construct_type(type_=WebsocketTtsServerMessageMulti, object_=fields)
        if context is not None:
            try:
                context.take(received)
            except (TypeError, ValueError, AttributeError):
                context.fail(garbled(self.label, message))
        elif received.is_final and isinstance(name, str):
            self._closed(name)
        elif name is None and (received.audio or received.is_final):
            raise garbled(self.label, message)  # with several texts nobody knows whose it is

    def ended(self, error: APIError) -> None:
        """All who listen hear of it."""
        for context in self._contexts.values():
            context.fail(error)
        for name in list(self._closing):
            self._closed(name)

    def _closed(self, name: str) -> None:
        """ElevenLabs has closed a context that nobody listened to."""
        if (closing := self._closing.pop(name, None)) is not None:
            closing.overdue.cancel()
            closing.leave()

    def _overdue(self, name: str) -> None:
        """It has not: who knows what else it does not do."""
        log.warning("context_not_closed", label=self.label, context=name)
        self.retire()
        self._closed(name)


@dataclass(frozen=True, slots=True)
class _Closing:
    overdue: asyncio.TimerHandle
    leave: Callable[[], object]
