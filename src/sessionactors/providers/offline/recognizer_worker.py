"""One recogniser process, seen from the owner: started, written to, read from, ended.

Two threads do what may block: one starts the process and reads from it, one writes to it. Not asyncio's subprocesses:
they belong to one loop and need a child watcher, while a recogniser serves the streams of any loop (an actor system's,
uvloop, a test's). Nothing here waits; what the process says is handed to the loop of the stream it is for.
"""

from __future__ import annotations

import asyncio
import copy
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final, cast

from sessionactors.model.errors import APIConnectionError, APIError

from .errors import IntentTableError
from .recognizer_wire import (
    BrokenStream,
    DictationConfig,
    GrammarConfig,
    Kind,
    Message,
    encode_json,
    read_message,
)
from .threads import call_on_loop, ended

_MODULE: Final = "sessionactors.providers.offline.recognizer_process"
_PROGRAM: Final = f"""
import runpy, sys, types
package = types.ModuleType("sessionactors")
package.__path__ = sys.argv[1:]
sys.modules["sessionactors"] = package
runpy.run_module({_MODULE!r}, run_name="__main__")
"""
"""Runs the module below a package without a front door: ours imports all of a session, which the process has no use for
(measured: 1.2 s of its start and 60 MB)."""
_PACKAGE: Final = Path(__file__).parents[2]
"""Where ``sessionactors`` lives; importing it to ask would be an import upward."""
_WRITE_SIZE: Final = 1 << 16
"""Bytes written at once; the size of a pipe on Linux."""

Deliver = Callable[[Message | APIError], None]
"""Takes a message for a stream, or the error that ended it. Called on the stream's loop."""
MakeConfig = Callable[[], GrammarConfig | DictationConfig]
"""Makes what the process is configured with; called in a thread, may read files."""


class RecognizerWorker:
    """A recogniser process and the streams it serves.

    Args:
        make_config: see :data:`MakeConfig`; what it raises fails the start.
        python: the interpreter that runs the process.
    """

    def __init__(self, make_config: MakeConfig, python: str) -> None:
        self._make_config = make_config
        self._python = python
        self._lock = threading.Lock()
        self._streams: dict[int, tuple[asyncio.AbstractEventLoop, Deliver]] = {}
        self._started: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._backlog = 0
        self._ready = False
        self._closing = False
        self.claims = 0
        """Streams that are, or are about to be, served here; kept by who spreads them."""
        self._error: APIError | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._reader = threading.Thread(target=self._run, name="sessionactors-recognizer", daemon=True)
        self._reader.start()

    @property
    def usable(self) -> bool:
        """Whether new streams may be opened: it is starting or running."""
        return self._error is None and not self._closing

    @property
    def gone(self) -> bool:
        """Whether the process and the threads that served it have ended."""
        return not self._reader.is_alive()  # which ends last

    @property
    def streams(self) -> int:
        """Number of open streams."""
        return len(self._streams)

    @property
    def backlog(self) -> int:
        """Bytes that the process has not taken yet."""
        return self._backlog

    @property
    def pid(self) -> int | None:
        """Process id, once started."""
        return None if self._process is None else self._process.pid

    async def started(self) -> None:
        """Wait until the process is ready.

        Raises:
            APIError: it could not be started, or ended.
        """
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        with self._lock:
            if self._error is not None:
                raise _copy_of(self._error)
            if self._ready:
                return
            self._started.append((loop, ready))
        await ready

    def open(self, stream: int, deliver: Deliver) -> None:
        """Serve a stream: its messages go to ``deliver`` on the running loop, the last one is an error if it ends so.

        Raises:
            APIError: the process has ended.
        """
        with self._lock:
            if self._error is not None:
                raise _copy_of(self._error)
            self._streams[stream] = (asyncio.get_running_loop(), deliver)
        self.send(Message(Kind.OPEN, stream))

    def send(self, message: Message) -> None:
        """Write a message, some time soon. Never waits; see :attr:`backlog`."""
        encoded = message.encode()
        with self._lock:
            self._backlog += len(encoded)
        self._outbox.put(encoded)

    def forget(self, stream: int) -> None:
        """Serve a stream no longer."""
        with self._lock:
            known = self._streams.pop(stream, None) is not None
        if known:
            self.send(Message(Kind.CLOSE, stream))

    def end(self) -> None:
        """Ask the process to end. Returns at once."""
        self._closing = True
        self._outbox.put(None)

    def kill(self, reason: APIError) -> None:
        """End a process that does not answer; its streams fail with ``reason``."""
        self._fail(reason)
        self.end()
        if self._process is not None:
            self._process.kill()

    async def closed(self, grace: float) -> None:
        """End the process, and wait until process and threads are gone.

        Args:
            grace: seconds >= 0 after which it is killed.
        """
        self.end()
        try:
            async with asyncio.timeout(grace):
                await ended(self._reader)
        except TimeoutError:
            if self._process is not None:
                self._process.kill()
            await ended(self._reader)

    def _run(self) -> None:
        """Body of the reader: the life of the process, from start to end."""
        try:
            config = encode_json(Kind.CONFIGURE, 0, self._make_config())
            self._process = process = self._start()
        except APIError as error:
            self._fail(error)
        except IntentTableError as error:
            self._fail(_caused_by(error, APIError(str(error), retryable=False)))
        except OSError as error:
            self._fail(_caused_by(error, APIConnectionError(f"the recogniser process could not be started: {error}")))
        except BaseException as error:
            self._fail(_caused_by(error, APIError(f"the recogniser has no configuration: {error!r}", retryable=False)))
            raise
        else:
            self._serve(process, config)

    def _start(self) -> subprocess.Popen[bytes]:
        # -P: the working directory must not come first on the path, where a user's "wave.py" would shadow the library.
        # A program of its own, not multiprocessing: that would import the user's __main__ again.
        return subprocess.Popen(  # noqa: S603 - our own module, by the interpreter that was given
            [self._python, "-P", "-c", _PROGRAM, str(_PACKAGE)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_environment(),
        )

    def _serve(self, process: subprocess.Popen[bytes], config: bytes) -> None:
        """From the start of the process to its end."""
        source, sink = cast("IO[bytes]", process.stdout), cast("IO[bytes]", process.stdin)
        writer = threading.Thread(
            target=self._write, args=(sink, config), name="sessionactors-recognizer-write", daemon=True
        )
        writer.start()
        how = "it ended"
        try:
            with source:
                while (message := read_message(source)) is not None:
                    self._received(message)
        except BrokenStream as error:
            how = str(error)
        finally:
            self._outbox.put(None)
            code = _wait_or_kill(process)
            writer.join()
            self._fail(self._ended(how, code))

    def _ended(self, how: str, code: int) -> APIError:
        if self._closing:
            return APIConnectionError("the recogniser was closed")
        return APIConnectionError(f"the recogniser process is gone: {how}, exit status {code}")

    def _write(self, sink: IO[bytes], config: bytes) -> None:
        """Body of the writer: bytes to the process until told to stop or until it is gone."""
        try:
            with sink:
                sink.write(config)
                sink.flush()
                while (encoded := self._outbox.get()) is not None:
                    self._write_with_more(sink, encoded)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the reader sees the end too, and reports it with the exit status

    def _write_with_more(self, sink: IO[bytes], encoded: bytes) -> None:
        """Write, together with what else waits: many small frames make one system call."""
        pieces, size = [encoded], len(encoded)
        while size < _WRITE_SIZE:
            try:
                more = self._outbox.get_nowait()
            except queue.Empty:
                break
            if more is None:
                self._outbox.put(None)
                break
            pieces.append(more)
            size += len(more)
        sink.write(b"".join(pieces))
        sink.flush()
        with self._lock:
            self._backlog -= size

    def _received(self, message: Message) -> None:
        if message.kind is Kind.READY:
            self._set_ready()
        elif message.kind is Kind.FAILED:
            error = APIConnectionError(f"the recogniser failed: {message.payload.decode(errors='replace')}")
            if message.stream == 0:
                self._fail(error)
            else:
                self._fail_stream(message.stream, error)
        else:
            with self._lock:
                served = self._streams.get(message.stream)
            if served is not None:
                loop, deliver = served
                call_on_loop(loop, deliver, message)

    def _set_ready(self) -> None:
        if self._closing:
            return  # too late: who waits hears of the end
        with self._lock:
            self._ready = True
            waiting, self._started = self._started, []
        for loop, ready in waiting:
            call_on_loop(loop, _resolve, ready)

    def _fail_stream(self, stream: int, error: APIError) -> None:
        with self._lock:
            served = self._streams.pop(stream, None)
        if served is not None:
            loop, deliver = served
            call_on_loop(loop, deliver, error)

    def _fail(self, error: APIError) -> None:
        """Everything that waits for the process gets the error; the first one counts."""
        with self._lock:
            if self._error is None:
                self._error = error
            error = self._error
            waiting, self._started = self._started, []
            served, self._streams = self._streams, {}
        for loop, ready in waiting:
            call_on_loop(loop, _reject, ready, _copy_of(error))
        for loop, deliver in served.values():
            call_on_loop(loop, deliver, _copy_of(error))


def _copy_of(error: APIError) -> APIError:
    """One instance per raise: a shared one would collect the tracebacks of all streams."""
    return _caused_by(error.__cause__, copy.copy(error))


def _caused_by(cause: BaseException | None, error: APIError) -> APIError:
    error.__cause__ = cause
    return error


def _wait_or_kill(process: subprocess.Popen[bytes]) -> int:
    """Exit status of a process that has closed its output, so is ending or of no use."""
    try:
        return process.wait(timeout=1.0)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _environment() -> dict[str, str]:
    """Ours, with a path on which the process finds the same packages as we do, however we found them."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}


def _resolve(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


def _reject(ready: asyncio.Future[None], error: APIError) -> None:
    if not ready.done():
        ready.set_exception(error)
