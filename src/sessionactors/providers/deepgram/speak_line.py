"""Synthesis over Deepgram's WebSocket (``speak`` v1): one text at a time on a connection, then the next one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from deepgram.speak.v1.types.speak_v1clear import SpeakV1Clear
from deepgram.speak.v1.types.speak_v1flush import SpeakV1Flush
from deepgram.speak.v1.types.speak_v1metadata import SpeakV1Metadata
from deepgram.speak.v1.types.speak_v1text import SpeakV1Text
from deepgram.speak.v1.types.speak_v1warning import SpeakV1Warning

from sessionactors.model.errors import APIError, APIStatusError
from sessionactors.providers.line_pool import Line
from sessionactors.providers.vendor_socket import VendorSocket
from sessionactors.providers.wire_message import garbled, parsed

from .listen_messages import type_of, typed

log = structlog.get_logger("sessionactors.deepgram")

MAX_AGE: Final = 3300.0
"""Seconds that a connection is used for new texts; Deepgram ends it after an hour."""
FLUSHES: Final = 20
"""Flushes that Deepgram takes on one connection in a minute; it ignores more."""
WINDOW = 60.0
"""Seconds of that minute."""
MOST_HELD = 20.0
"""Seconds of audio that wait to be taken, beyond which the voice is given no more text."""
CLEARED_WITHIN = 2.0
"""Seconds in which Deepgram has to forget a text that nobody wants; then the connection is at fault."""
CLOSE_WITHIN: Final = 0.5
"""Seconds to tell it."""

FLUSH: Final = SpeakV1Flush(type="Flush").json()
CLEAR: Final = SpeakV1Clear(type="Clear").json()


class SpeakLine(Line):
    """A connection for one voice and format.

    Args:
        connect: opens the connection.
        label: whose it is, for people.
        rate: bytes of audio in a second.
    """

    def __init__(self, connect: Callable[[], Awaitable[VendorSocket]], label: str, rate: int) -> None:
        super().__init__(connect, label=label, seats=1, max_age=MAX_AGE)
        self._rate = rate
        self._flushes: deque[float] = deque()
        """When they were sent, in the last minute."""
        self._begin()
        self._clearing: asyncio.TimerHandle | None = None
        """A text that nobody wanted is being forgotten; when that has taken too long."""
        self._clean = asyncio.Event()
        self._clean.set()

    @property
    def is_free(self) -> bool:
        """Also that it may be told to speak: once for the first piece, once for the rest."""
        return super().is_free and self.flushes_left >= 2

    @property
    def flushes_left(self) -> int:
        """Flushes that Deepgram will take now."""
        now = self._clock()
        while self._flushes and now - self._flushes[0] >= WINDOW:
            self._flushes.popleft()
        return FLUSHES - len(self._flushes)

    @property
    def is_ready(self) -> bool:
        """Also that nothing is being forgotten."""
        return super().is_ready and self._clean.is_set()

    async def opened(self) -> None:
        """Wait until it can be used, and what was said last is forgotten.

        Raises:
            APIError: it could not be opened, or has ended since.
        """
        await super().opened()
        await self._clean.wait()
        if self.error is not None:
            raise self.error

    def _begin(self) -> None:
        self._pieces: deque[bytes] = deque()
        self._held = 0
        self._owed = 0
        """Flushes that have not been answered."""
        self._silent = True
        """Nothing was said that was not flushed."""
        self._ended = False
        self._error: Exception | None = None
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    # -- one text ----------------------------------------------------------------------------------------------------

    async def say(self, text: str) -> None:
        """Speak this, at once if Deepgram lets us."""
        self._silent = False  # also if the sending is cancelled: then it has to be forgotten over there
        await self.send(SpeakV1Text(type="Speak", text=text).json())
        if self.flushes_left > 1:  # the last one is for the end of the text
            await self._flush()

    async def finish(self) -> None:
        """No more text comes."""
        if not self._silent:
            await self._flush()
        self._ended = True
        self._news.set()

    def fail(self, error: Exception) -> None:
        """Nothing more comes of this text."""
        self._error = self._error or error
        self._news.set()
        self._room.set()

    async def room(self) -> None:
        """Wait until not too much audio waits to be taken."""
        await self._room.wait()

    async def next(self) -> bytes | None:
        """The next piece of audio; None: that was all.

        Raises:
            APIError: the voice failed, or the line. What came before is given out first.
        """
        while not self._pieces:
            if self._error is not None:
                raise self._error
            if self._ended and not self._owed:
                return None
            self._news.clear()
            await self._news.wait()
        pcm = self._pieces.popleft()
        self._held -= len(pcm)
        if self._held < MOST_HELD * self._rate:
            self._room.set()
        return pcm

    async def release(self) -> None:
        """The text is done, or nobody wants it any more: then it is forgotten before the next one is spoken."""
        is_clean = self._ended and not self._owed and self._error is None
        untouched = self._silent and not self._owed
        self._begin()
        if is_clean or untouched or self.error is not None:
            return
        self._clean.clear()
        self._clearing = asyncio.get_running_loop().call_later(CLEARED_WITHIN, self.cut)
        try:
            async with asyncio.timeout(CLOSE_WITHIN):
                await self.send(CLEAR)
        except (TimeoutError, APIError):
            self.cut()

    async def _flush(self) -> None:
        self._flushes.append(self._clock())
        self._owed += 1
        self._silent = True
        await self.send(FLUSH)

    # -- what comes --------------------------------------------------------------------------------------------------

    def route(self, message: str | bytes) -> None:
        """Audio and ends to the text that is spoken; of one that is being forgotten nothing."""
        if isinstance(message, bytes):
            if self._clearing is None:
                self._take(message)
            return
        fields = parsed(message, self.label)
        try:
            kind = type_of(fields)
        except (LookupError, TypeError):
            raise garbled(self.label, message) from None
        match kind:
            case "Flushed" if self._clearing is None:
                self._owed = max(0, self._owed - 1)
                self._news.set()
            case "Cleared":
                self._cleared()
            case "Metadata":
                log.debug("voice", label=self.label, request_id=typed(SpeakV1Metadata, fields).request_id)
            case "Warning":
                warning = typed(SpeakV1Warning, fields)
                log.warning("deepgram_warning", label=self.label, code=warning.code, why=warning.description)
                if self._owed:
                    # What was not accepted will not be answered.
                    said = f"{self.label}: {warning.description} ({warning.code})"
                    self.fail(
                        APIStatusError(said, status_code=429, request_id=self.request_id or None, body=dict(fields))
                    )
            case "Error":
                said = f"{self.label}: {fields.get('description') or fields.get('err_msg')}, request {self.request_id}"
                raise APIError(said, body=dict(fields))
            case _:
                pass

    def ended(self, error: APIError) -> None:
        """Whoever listens hears of it."""
        self.fail(error)
        self._cleared()

    def _take(self, pcm: bytes) -> None:
        self._pieces.append(pcm)
        self._held += len(pcm)
        if self._held >= MOST_HELD * self._rate:
            self._room.clear()
        self._news.set()

    def _cleared(self) -> None:
        """Deepgram has forgotten the text: the next one may be spoken."""
        if self._clearing is not None:
            self._clearing.cancel()
            self._clearing = None
        self._clean.set()
