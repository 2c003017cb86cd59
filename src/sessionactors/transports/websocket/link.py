"""One connection: reads it, writes it, and ends it for a reason. Lives on the loop on which it was accepted.

What a client says is checked here for size, rate and order, and told on as words of :mod:`.wire`. What it is told waits
in one bounded queue. The connection ends once, with a code: by us, by the client, or by its silence.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias

import structlog

from sessionactors.model.audio import BYTES_PER_SAMPLE
from sessionactors.model.errors import SessionStateError
from sessionactors.runtime.containment import escapes

from .close_code import CloseCode, WireError
from .limits import Allowance, WebSocketLimits
from .send_queue import SendQueue
from .sockets import Socket
from .statistics import WebSocketStatistics
from .wire import (
    Alive,
    Begin,
    Clear,
    Data,
    Fault,
    Heard,
    Hello,
    Left,
    Muted,
    Ping,
    Pressed,
    Sound,
    Spoken,
    Told,
    Typed,
    Wire,
)

log = structlog.get_logger("sessionactors.transports")

OnHeard: TypeAlias = Callable[[Heard], None]
OnDown: TypeAlias = Callable[[CloseCode | None, str], None]

FORGIVEN_EVERY = 10.0
"""Seconds after which one more fault is forgiven."""
BURST = 5
"""Texts and keys at once, as a multiple of those a second."""
LATE = 0.05
"""Seconds by which a timer may be late before that counts as this loop's own stall."""


class Link:
    """A connection from the hello to its end.

    Args:
        socket: the connection.
        wire: its format.
        limits: its bounds.
    """

    def __init__(self, socket: Socket, wire: Wire, limits: WebSocketLimits) -> None:
        self._socket = socket
        self._wire = wire
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        now = self._loop.time()
        self._queue = SendQueue(limits.max_audio_age)
        self._wake = asyncio.Event()
        self._any = Allowance(limits.messages_per_second, 2 * limits.messages_per_second, now)
        self._texts = Allowance(limits.texts_per_second, BURST * limits.texts_per_second, now)
        self._keys = Allowance(limits.keys_per_second, BURST * limits.keys_per_second, now)
        self._audio = Allowance(1.25, limits.audio_burst, now)
        self._forgiven = Allowance(1 / FORGIVEN_EVERY, limits.faults, now)
        self._faults: Counter[CloseCode] = Counter()
        self._received = self._sent = 0
        self._flood, self._flood_fault = 0.0, limits.audio_burst
        self._heard_at = self._look_at = now
        self._sending_since: float | None = None
        self._pinged = False
        self._silenced = False
        self._stretch: int | None = None
        self._on_heard: OnHeard | None = None
        self._on_down: OnDown | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._watch: asyncio.TimerHandle | None = None
        self._ending: asyncio.Task[None] | None = None
        self._over = asyncio.Event()

    async def wait_over(self) -> None:
        """Wait until it has ended."""
        await self._over.wait()

    def unsent(self) -> list[Told]:
        """What waits to be sent."""
        return self._queue.waiting()

    @property
    def statistics(self) -> WebSocketStatistics:
        """The account up to now."""
        rate = self._wire.sample_rate * BYTES_PER_SAMPLE
        return WebSocketStatistics(
            received=self._received,
            sent=self._sent,
            waiting=len(self._queue),
            audio_dropped=self._queue.dropped_bytes / rate,
            flood_dropped=self._flood,
            faults=dict(self._faults),
        )

    @property
    def closed(self) -> bool:
        """Whether it has ended, or is about to."""
        return self._ending is not None

    # -- the hello ---------------------------------------------------------------------------------------------------

    async def hello(self) -> Hello:
        """Wait for the client to say who it is. One that does not, or says it wrong, is sent away.

        Raises:
            WireError: there was no hello.
        """
        try:
            async with asyncio.timeout(self._limits.hello_within):
                return await self._read_hello()
        except TimeoutError:
            error = WireError(CloseCode.NO_HELLO, f"no hello within {self._limits.hello_within:g} s", fatal=True)
        except WireError as wrong:
            error = wrong
        if error.code is not CloseCode.GOING_AWAY:
            self._faults[error.code] += 1
        await self.end(error.code, error.message)
        raise error

    async def _read_hello(self) -> Hello:
        while (data := await self._socket.receive()) is not None:
            self._check_size(data)
            for heard in self._wire.read(data):
                self._received += 1
                self._heard_at = self._loop.time()
                if isinstance(heard, Hello):
                    return heard
                raise WireError(CloseCode.OUT_OF_ORDER, f"{type(heard).__name__} came before hello")
        raise WireError(CloseCode.GOING_AWAY, "the client left before its hello", fatal=True)

    async def last_words(self) -> CloseCode | None:
        """Read what came before the end of a connection that is over: what a client does that waits in vain."""
        try:
            while await self._socket.receive() is not None:
                self._received += 1
        except WireError as error:
            self._faults[error.code] += 1
            return error.code
        return None

    # -- life --------------------------------------------------------------------------------------------------------

    def start(self, on_heard: OnHeard, on_down: OnDown) -> None:
        """Read and write from now on.

        Args:
            on_heard: what the client says, in order.
            on_down: called once when the connection ends, unless :meth:`end` was called: with the code that we ended it
                with (None: the client did), and why.
        """
        if self.closed or self._tasks:
            raise SessionStateError("this connection was started before, or has ended")
        self._on_heard, self._on_down = on_heard, on_down
        self._heard_at = self._look_at = self._loop.time()
        self._tasks = [
            self._loop.create_task(self._read(), name="websocket reader"),
            self._loop.create_task(self._write(), name="websocket writer"),
        ]
        self._look()

    def post(self, *words: Told) -> None:
        """Send, behind what waits. From any thread; after the end nothing happens."""
        if threading.get_ident() == self._thread:
            self._enqueue(words)
        else:
            with suppress(RuntimeError):  # the loop is closed, and the connection with it
                self._loop.call_soon_threadsafe(self._enqueue, words)

    def silence(self) -> None:
        """Drop the audio that waits here and there, and send none, until :meth:`unsilence`. From any thread."""
        self._silenced = True
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._be_silent)

    def unsilence(self) -> None:
        """Send audio again."""
        self._silenced = False

    async def end(self, code: CloseCode, reason: str) -> None:
        """Send what waits, close with this status, release everything. Safe to call twice; the first call counts."""
        self._on_down = None
        await asyncio.shield(self._end(code, reason))

    # -- within ------------------------------------------------------------------------------------------------------

    def _enqueue(self, words: tuple[Told, ...]) -> None:
        if self.closed:
            return
        now = self._loop.time()
        for told in words:
            if isinstance(told, Sound) and self._silenced:
                continue
            if isinstance(told, Begin):
                self._stretch = told.stretch
            elif isinstance(told, Clear):
                self._queue.drop_audio()
            self._queue.put(told, now)
        self._wake.set()

    def _be_silent(self) -> None:
        self._queue.drop_audio()
        if self._stretch is not None:
            self._enqueue((Clear(self._stretch),))

    async def _write(self) -> None:
        try:
            while True:
                told = self._queue.take(self._loop.time())
                if told is None:
                    self._wake.clear()
                    await self._wake.wait()
                    continue
                for data in self._wire.write(told):
                    self._sending_since = self._loop.time()
                    await self._socket.send(data)
                    self._sending_since = None
                    self._sent += 1
        except ConnectionError:
            return  # the reader sees the end too, and what came before it

    async def _read(self) -> None:
        while True:
            try:
                data = await self._socket.receive()
                if data is None:
                    return self._down(None, "connection_lost")
                self._received += 1
                self._heard_at, self._pinged = self._loop.time(), False
                for heard in self._understood(data):
                    if isinstance(heard, Left):
                        return self._down(None, heard.reason)
                    if self._on_heard is not None:
                        self._on_heard(heard)
            except WireError as error:
                if not self._forgive(error):
                    return self._down(error.code, error.message)
            except ConnectionError:
                return self._down(None, "connection_lost")
            except asyncio.CancelledError:
                raise
            except BaseException as error:  # a wire of somebody's own may raise SystemExit: it would end the loop
                if escapes(error):
                    raise
                log.exception("connection_failed", room="", actor="", message_id=0, error=repr(error))
                return self._down(CloseCode.FAILED, "internal error")

    def _understood(self, data: Data) -> list[Heard]:
        self._check_size(data)
        now = self._loop.time()
        if not self._any.take(1, now):
            raise WireError(CloseCode.RATE_LIMITED, f"more than {self._limits.messages_per_second:g} messages a second")
        understood: list[Heard] = []
        for heard in self._wire.read(data):
            if isinstance(heard, Typed) and not self._texts.take(1, now):
                raise WireError(CloseCode.RATE_LIMITED, f"more than {self._limits.texts_per_second:g} texts a second")
            if isinstance(heard, Pressed | Muted) and not self._keys.take(1, now):
                raise WireError(CloseCode.RATE_LIMITED, f"more than {self._limits.keys_per_second:g} keys a second")
            if isinstance(heard, Spoken) and not self._audio.take(heard.frame.duration, now):
                self._flood += heard.frame.duration
                if self._flood >= self._flood_fault:
                    self._flood_fault += self._limits.audio_burst
                    raise WireError(CloseCode.RATE_LIMITED, "audio comes faster than anybody speaks")
            elif not isinstance(heard, Alive):
                understood.append(heard)
        return understood

    def _check_size(self, data: Data) -> None:
        size = len(data)  # characters of a text: at most its bytes
        if size > self._limits.max_message_bytes:
            raise WireError(
                CloseCode.TOO_BIG, f"a message of {size} bytes; at most {self._limits.max_message_bytes}", fatal=True
            )

    def _forgive(self, error: WireError) -> bool:
        self._faults[error.code] += 1
        if error.fatal or not self._forgiven.take(1, self._loop.time()):
            return False
        self.post(Fault(error.code, error.message))
        return True

    def _look(self) -> None:
        """Is the client there, and does it read? A few times within each deadline."""
        limits, now = self._limits, self._loop.time()
        if (late := now - self._look_at) > LATE:
            # This loop was blocked: for so long the client could not be heard, and it is not to blame.
            self._heard_at += late
            self._queue.forgive(late)
            self._sending_since = None if self._sending_since is None else self._sending_since + late
        self._look_at = now + min(limits.silent_after, limits.slow_after) / 8
        self._watch = self._loop.call_at(self._look_at, self._look)
        quiet = now - self._heard_at
        stuck = 0.0 if self._sending_since is None else now - self._sending_since
        if quiet > limits.silent_after:
            self._down(CloseCode.SILENT, f"nothing came for {quiet:.0f} s")
        elif max(stuck, self._queue.oldest(now)) > limits.slow_after:
            self._down(CloseCode.TOO_SLOW, f"nothing was read for {limits.slow_after:g} s")
        elif len(self._queue) > limits.max_waiting:
            self._down(CloseCode.TOO_SLOW, f"{len(self._queue)} messages wait to be read")
        elif quiet > limits.silent_after / 2 and self._wire.answers_ping and not self._pinged:
            self._pinged = True
            self.post(Ping())

    def _down(self, code: CloseCode | None, reason: str) -> None:
        if self.closed:
            return
        on_down, self._on_down = self._on_down, None
        self._ending = self._end(code or CloseCode.NORMAL, reason)
        if on_down is not None:
            on_down(code, reason)

    def _end(self, code: CloseCode, reason: str) -> asyncio.Task[None]:
        if self._ending is None:
            self._ending = self._loop.create_task(self._close(code, reason), name="websocket end")
        return self._ending

    async def _close(self, code: CloseCode, reason: str) -> None:
        """What waits is sent if the client reads; then the handshake; then, or when the time is over, the cut."""
        if self._watch is not None:
            self._watch.cancel()
        try:
            async with asyncio.timeout(self._limits.close_within):
                if code in (CloseCode.TOO_SLOW, CloseCode.SILENT):
                    self._queue.give_up()
                else:
                    await self._send_rest(code, reason)
                await self._socket.close(code, f"{code.label}: {reason}" if code >= 4000 else reason)
        except (TimeoutError, ConnectionError):
            self._socket.abort()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._over.set()

    async def _send_rest(self, code: CloseCode, reason: str) -> None:
        if code not in (CloseCode.NORMAL, CloseCode.GOING_AWAY):
            self._queue.put(Fault(code, reason), self._loop.time())
        if self._tasks:
            self._tasks[1].cancel()  # one writer at a time
            await asyncio.wait(self._tasks[1:])
        self._queue.drop_audio()
        while (told := self._queue.take(self._loop.time())) is not None:
            for data in self._wire.write(told):
                await self._socket.send(data)
                self._sent += 1
