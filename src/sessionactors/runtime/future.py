"""Pykka's future, made safe for event loops.

Stock Pykka futures block the loop in ``__await__``; ours suspends the task. Stock ``get`` waits for ever on the loop
that would have to answer; ours raises at once.
"""

from __future__ import annotations

import asyncio
import queue
import sys
import threading
import time
from collections.abc import Callable, Generator
from types import TracebackType
from typing import TypeAlias

import pykka

from .errors import AskTimeout, BlockingAskOnLoop

ExcInfo: TypeAlias = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]

_making_lists = threading.RLock()
"""Shared by all futures, for one assignment. Re-entrant, because a collector or a signal may strike inside it."""


class KernelFuture(pykka.Future[object]):
    """The reply to an ask: get it from a thread, or await it on any loop."""

    # Defaults of the class, not of __init__: an ask is made for every question, and most of this it never needs. There
    # is no lock either: taking the one item of ``_claims``, appending to a list and taking from it are atomic.
    _get_hook: Callable[[float | None], object] | None = None
    _value: object = None
    _error: BaseException | None = None
    _done = False
    _callbacks: list[Callable[[], None]] | None = None
    answering_thread: Callable[[], int | None] | None = None
    """Identity of the thread that must answer: waiting on that very thread can never end."""
    explain: Callable[[float], str] | None = None
    """Says, for a timeout, where the message is and what its target is doing."""
    timeout: float | None = None
    """Seconds to wait when the waiter names none."""
    deadline: int | None = None
    """Kernel clock, ns: an ask that is taken from its mailbox after this is not handled."""
    ask_chain: tuple[str, ...] = ()
    """Paths of the actors that wait, through asks, for this answer."""

    def __init__(self) -> None:
        # Not super().__init__(): what it sets is above, and needed by set_get_hook() only.
        self._claims = [None]

    def __repr__(self) -> str:
        return f"<KernelFuture {'done' if self._done else 'pending'}>"

    def done(self) -> bool:
        """Whether a reply or an error is there."""
        return self._done

    def set(self, value: object = None) -> None:
        """Resolve with a value.

        Raises:
            queue.Full: it is resolved already (as Pykka does).
        """
        self._resolve(value, None)

    def set_exception(self, exc_info: ExcInfo | None = None) -> None:
        """Resolve with an error: Pykka's three-tuple, or the exception being handled."""
        info = sys.exc_info() if exc_info is None else exc_info
        error = info[1]
        if error is None:
            kind = info[0]
            error = kind() if kind is not None else RuntimeError("set_exception() outside of an except block")
        self._resolve(None, error)

    def fail(self, error: BaseException) -> bool:
        """Resolve with an error unless it is resolved already; returns whether it did."""
        return self._resolve(None, error, quietly=True)

    def succeed(self, value: object) -> bool:
        """Resolve with a value unless it is resolved already; returns whether it did."""
        return self._resolve(value, None, quietly=True)

    def _resolve(self, value: object, error: BaseException | None, *, quietly: bool = False) -> bool:
        try:
            self._claims.pop()  # whoever gets it resolves
        except IndexError:
            if quietly:
                return False
            raise queue.Full from None
        self._value, self._error = value, error
        self._done = True
        if self._callbacks is not None:
            self._call_back(self._callbacks)
        return True

    @staticmethod
    def _call_back(callbacks: list[Callable[[], None]]) -> None:
        while True:
            try:
                callback = callbacks.pop(0)
            except IndexError:
                return
            callback()

    def set_get_hook(self, func: Callable[[float | None], object]) -> None:
        """Make this future a view of something else, as ``map``, ``filter``, ``join`` and ``reduce`` do."""
        try:
            self._claims.pop()
        except IndexError:
            raise queue.Full from None
        super().__init__()
        super().set_get_hook(func)

    def when_done(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` once it is resolved, on the resolving thread (at once if it is resolved already)."""
        if not self._done:
            with _making_lists:
                if self._callbacks is None:
                    self._callbacks = []
            self._callbacks.append(callback)
            if self.done():  # resolved meanwhile: each callback is called by whoever takes it out
                self._call_back(self._callbacks)
            return
        callback()

    def _result(self) -> object:
        if self._error is not None:
            raise self._error
        return self._value

    def _timed_out(self, waited: float) -> AskTimeout:
        reason = self.explain(waited) if self.explain is not None else f"no reply after {waited:.2f} s"
        return AskTimeout(reason)

    def _answered_by(self) -> int | None:
        return None if self.answering_thread is None else self.answering_thread()

    def _before_waiting(self) -> None:
        """On an event loop: what can be done so that it need not wait."""

    def get(self, *, timeout: float | None = None) -> object:
        """Wait for the reply on this thread.

        Raises:
            BlockingAskOnLoop: this thread is the one that must answer; await the future, or use ``tell``.
            AskTimeout: no reply in ``timeout`` seconds.
        """
        if self._get_hook is not None:
            return super().get(timeout=timeout)
        if not self._done:
            if self._answered_by() == threading.get_ident():
                raise BlockingAskOnLoop(
                    "a blocking ask on the actor loop waits for itself: await the future (ask(..., block=False)), "
                    "or tell the actor and handle its answer as a message"
                )
            limit = self.timeout if timeout is None else timeout
            resolved = threading.Lock()  # a tenth of an Event: this is made for every question from another thread
            resolved.acquire()
            self.when_done(resolved.release)
            began = time.monotonic()
            if not resolved.acquire(timeout=-1 if limit is None else max(0.0, limit)):
                raise self._timed_out(time.monotonic() - began)
        return self._result()

    def __await__(self) -> Generator[object, None, object]:  # type: ignore[override]  # Pykka's yields None only
        if self._get_hook is not None:
            return (yield from asyncio.to_thread(super().get).__await__())
        if not self._done:
            self._before_waiting()
        if self._done:
            return self._result()
        loop = asyncio.get_running_loop()
        arrived: asyncio.Future[None] = loop.create_future()
        home = threading.get_ident()

        def settle() -> None:
            if not arrived.done():
                arrived.set_result(None)

        def resolved() -> None:
            if threading.get_ident() == home:
                settle()
                return
            try:
                loop.call_soon_threadsafe(settle)
            except RuntimeError:  # the waiter's loop is closed: nobody is left to tell
                return

        self.when_done(resolved)
        handle = None
        if self.timeout is not None:
            handle = loop.call_later(self.timeout, settle)
        try:
            yield from arrived
        finally:
            if handle is not None:
                handle.cancel()
        if not self.done():
            raise self._timed_out(self.timeout or 0.0)
        return self._result()

    __iter__ = __await__  # type: ignore[assignment]  # as in Pykka
