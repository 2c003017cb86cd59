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

_UNSET = object()


class KernelFuture(pykka.Future[object]):
    """The reply to an ask: get it from a thread, or await it on any loop."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._value: object = _UNSET
        self._error: BaseException | None = None
        self._done = False
        self._callbacks: list[Callable[[], None]] | None = None
        self.answering_thread: Callable[[], int | None] | None = None
        """Identity of the thread that must answer: waiting on that very thread can never end."""
        self.explain: Callable[[float], str] | None = None
        """Says, for a timeout, where the message is and what its target is doing."""
        self.timeout: float | None = None
        """Seconds to wait when the waiter names none."""

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
        with self._lock:
            if self._done or self._get_hook is not None:
                if quietly:
                    return False
                raise queue.Full
            self._value, self._error = value, error
            self._done = True
            callbacks, self._callbacks = self._callbacks, None
        for callback in callbacks or ():
            callback()
        return True

    def when_done(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` once it is resolved, on the resolving thread (at once if it is resolved already)."""
        with self._lock:
            if not self._done:
                if self._callbacks is None:
                    self._callbacks = []
                self._callbacks.append(callback)
                return
        callback()

    def _result(self) -> object:
        if self._error is not None:
            raise self._error
        return self._value

    def _timed_out(self, waited: float) -> AskTimeout:
        reason = self.explain(waited) if self.explain is not None else f"no reply after {waited:.2f} s"
        return AskTimeout(reason)

    def get(self, *, timeout: float | None = None) -> object:
        """Wait for the reply on this thread.

        Raises:
            BlockingAskOnLoop: this thread is the one that must answer; await the future, or use ``tell``.
            AskTimeout: no reply in ``timeout`` seconds.
        """
        if self._get_hook is not None:
            return super().get(timeout=timeout)
        if not self._done:
            answering = self.answering_thread() if self.answering_thread is not None else None
            if answering is not None and answering == threading.get_ident():
                raise BlockingAskOnLoop(
                    "a blocking ask on the actor loop waits for itself: await the future (ask(..., block=False)), "
                    "or tell the actor and handle its answer as a message"
                )
            limit = self.timeout if timeout is None else timeout
            resolved = threading.Event()
            self.when_done(resolved.set)
            began = time.monotonic()
            if not resolved.wait(limit):
                raise self._timed_out(time.monotonic() - began)
        return self._result()

    def __await__(self) -> Generator[object, None, object]:  # type: ignore[override]  # Pykka's yields None only
        if self._get_hook is not None:
            return (yield from asyncio.to_thread(super().get).__await__())
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
