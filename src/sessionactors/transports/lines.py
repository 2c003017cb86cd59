"""Lines typed or piped into a text stream, read beside the loop.

A thread reads them, not the loop: epoll refuses regular files and ``/dev/null``, a loop that reads a terminal has to
make it non-blocking, which the terminal's output side shares (long prints would then fail), and uvloop closes the
descriptor of a pipe it was given twice, the second time perhaps another's.
"""

from __future__ import annotations

import asyncio
import codecs
import io
import os
import select
import sys
import threading
from collections.abc import Callable
from typing import Final, TextIO

from sessionactors.model.errors import SessionStateError

MAX_LINE: Final = 64 * 1024
"""Characters after which a line is cut into several: input without an end must not fill the memory."""

_CHUNK: Final = 64 * 1024
_JOIN_SECONDS: Final = 1.0

LineCallback = Callable[[str], None]
EndCallback = Callable[[str], None]


class LineSplitter:
    """Turns bytes as they come into lines without their ends. Undecodable bytes become U+FFFD."""

    def __init__(self, encoding: str = "utf-8") -> None:
        self._decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
        self._rest = ""

    def feed(self, chunk: bytes, *, final: bool = False) -> list[str]:
        """Return the lines that ``chunk`` completes; with ``final`` also one that has no end."""
        *lines, self._rest = (self._rest + self._decoder.decode(chunk, final)).split("\n")
        whole = len(self._rest) if final else len(self._rest) // MAX_LINE * MAX_LINE
        lines.append(self._rest[:whole])
        self._rest = self._rest[whole:]
        return [part for line in lines for part in _cut(line.removesuffix("\r"))]


class LineInput:
    """Reads a text stream until its end.

    Args:
        stream: where lines come from, ``sys.stdin`` for example. It is not closed, and should not be read by others.
        on_line: given each line that is not blank; from another thread, must not block.
        on_end: called once with the reason, when nothing more will come; not after :meth:`aclose`.
    """

    def __init__(self, stream: TextIO, on_line: LineCallback, on_end: EndCallback) -> None:
        self._stream = stream
        self._on_line = on_line
        self._on_end = on_end
        self._splitter = LineSplitter(getattr(stream, "encoding", None) or "utf-8")
        self._over = False
        self._reader: _ReaderThread | None = None

    async def open(self) -> None:
        """Begin to read.

        Raises:
            SessionStateError: it was opened before.
        """
        if self._reader is not None or self._over:
            raise SessionStateError("a LineInput is opened once")
        self._reader = _ReaderThread(self._stream, _descriptor(self._stream), self._feed, self._end)
        self._reader.start()

    async def aclose(self) -> None:
        """Read no more. Safe to call twice."""
        self._over = True
        if self._reader is not None:
            reader, self._reader = self._reader, None
            await asyncio.to_thread(reader.stop)

    def _feed(self, chunk: bytes, *, final: bool = False) -> None:
        for line in self._splitter.feed(chunk, final=final):
            if line.strip() and not self._over:
                self._on_line(line)

    def _end(self, reason: str) -> None:
        self._feed(b"", final=True)
        if not self._over:
            self._over = True
            self._on_end(reason)


class _ReaderThread:
    """Waits for input or for the word to stop, whichever comes first, so that no thread outlives the transport."""

    def __init__(self, stream: TextIO, fd: int | None, feed: Callable[[bytes], None], end: EndCallback) -> None:
        self._stream = stream
        self._fd = fd
        self._feed = feed
        self._end = end
        self._stopping = threading.Event()
        self._wake_read, self._wake_write = os.pipe()
        self._thread = threading.Thread(target=self._run, name="sessionactors-console-input", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop reading. Blocks up to a second for a stream that cannot be woken (no descriptor, or Windows)."""
        self._stopping.set()
        os.write(self._wake_write, b"x")
        self._thread.join(_JOIN_SECONDS)
        # A thread that is still there never looks at the pipe: it is in a read that only the stream can end.
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _run(self) -> None:
        reason = "end of input"
        try:
            while (chunk := self._read()) and not self._stopping.is_set():
                self._feed(chunk)
        except (OSError, ValueError) as error:  # ValueError: somebody closed the stream under our hands
            reason = f"input failed: {error}"
        if not self._stopping.is_set():
            self._end(reason)

    def _read(self) -> bytes:
        """Next bytes; none at the end or when told to stop."""
        if self._fd is None:
            return self._stream.readline().encode(getattr(self._stream, "encoding", None) or "utf-8", "replace")
        if sys.platform != "win32":
            ready, _, _ = select.select([self._fd, self._wake_read], [], [])
            if self._wake_read in ready:
                return b""
        return os.read(self._fd, _CHUNK)


def _descriptor(stream: TextIO) -> int | None:
    try:
        return stream.fileno()
    except (OSError, io.UnsupportedOperation, AttributeError):
        return None


def _cut(line: str) -> list[str]:
    return [line[begin : begin + MAX_LINE] for begin in range(0, len(line), MAX_LINE)]
