"""Journals to disk: one thread for all of a process, so that no audio waits for a file.

The actor loop appends records to a list; every half a second the thread takes what is there, packs and writes it. Both
sides touch the list by single steps that the interpreter does whole, so neither waits for the other. The list is
bounded: when the disk does not keep up, records are lost, counted, and the journal says so.
"""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
import structlog

from .errors import JournalError
from .file import Packer, created
from .layout import Code

log = structlog.get_logger("sessionactors.journal")

MOST_BYTES: Final = 32 * 1024 * 1024
"""Of one journal, waiting to be written."""
_row = msgspec.msgpack.Encoder().encode


class JournalFile:
    """What waits to be written to one file.

    Args:
        path: a new file, made by the thread that writes: disks may hang.
        room: whose, for log lines.
        overwrite: a file of this name gives way.
        most_bytes: what may wait.
    """

    def __init__(self, path: Path, room: str, *, overwrite: bool = False, most_bytes: int = MOST_BYTES) -> None:
        self.path = path
        self.room = room
        self.lost = 0
        """Records that there was no room for."""
        self.written = 0
        """Bytes in the file."""
        self.error: JournalError | None = None
        """Why nothing more is written."""
        self._most = most_bytes
        self._waiting: list[bytes] = []
        self._append = self._waiting.append
        self._came = self._went = 0
        self._losing = 0
        self._resumed: Callable[[], None] | None = None
        self._packer = Packer()
        self._overwrite = overwrite
        self._file: int | None = None
        self._closing = False
        self._writing = threading.Lock()
        self.closed = threading.Event()
        """Everything is written."""

    def when_resumed(self, call: Callable[[], None]) -> None:
        """Call this on the actor loop after a loss, when there is room again: what was lost must be said anew."""
        self._resumed = call

    def put(self, record: bytes) -> None:
        """On the actor loop: take a record."""
        came = self._came + len(record)
        if came - self._went > self._most or self.error is not None:
            self._losing += 1
            self.lost += 1
            return
        if self._losing:
            gap, self._losing = self._losing, 0
            self.put(_row([int(Code.LOST), gap]))
            if self._resumed is not None:
                self._resumed()
            came = self._came + len(record)
        self._came = came
        self._append(record)

    def close(self) -> None:
        """No more records come; the thread writes what waits and closes the file."""
        self._closing = True

    # -- on the writing thread ---------------------------------------------------------------------------------------

    def write(self) -> None:
        """Write what waits. On the writing thread, or at the end of the program."""
        with self._writing:
            self._write()

    def _write(self) -> None:
        closing = self._closing  # before the list is read: what came before it is written
        count = len(self._waiting)
        if count and self.error is None:
            records = self._waiting[:count]
            del self._waiting[:count]
            self._went += sum(map(len, records))
            try:
                for frame in self._packer.pack(records):
                    self._write_all(frame)
            except FileExistsError:
                self._failed(f"{self.path} is there already: name another file, or say Journal(overwrite=True)")
            except Exception as error:  # noqa: BLE001  whatever it is, the other journals go on
                self._failed(f"the journal {self.path} cannot be written: {error!r}")
        if closing and not self.closed.is_set():
            if self._file is not None:
                os.close(self._file)
            self.closed.set()

    def _failed(self, why: str) -> None:
        self.error = JournalError(why)
        log.error("journal_failed", room=self.room, actor="", message_id=0, error=why)

    def _write_all(self, data: bytes) -> None:
        if self._file is None:
            self._file = created(self.path, overwrite=self._overwrite)
        view = memoryview(data)
        while view:
            done = os.write(self._file, view)
            self.written += done
            view = view[done:]


class FrameFile:
    """A file that is whole when it is written: what a black box keeps.

    Args:
        path: a new file.
        frames: what it holds.
        remark: the record behind them.
        room: whose, for log lines.
    """

    def __init__(self, path: Path, frames: list[bytes], remark: bytes, room: str) -> None:
        self.path = path
        self.room = room
        self.error: JournalError | None = None
        """Why there is none."""
        self.closed = threading.Event()
        """It is written, or is not to be."""
        self._frames = frames
        self._remark = remark

    def write(self) -> None:
        """On the writing thread: write it."""
        try:
            file = created(self.path, overwrite=False)
            with os.fdopen(file, "wb") as opened:
                opened.writelines((*self._frames, *Packer().pack([self._remark])))
        except OSError as error:
            self.error = JournalError(f"the black box {self.path} cannot be written: {error}")
            log.error("black_box_failed", room=self.room, actor="", message_id=0, error=str(self.error))  # noqa: TRY400
        self._frames = []
        self.closed.set()


class WritingThread:
    """Writes the journals of a process, one after the other.

    Args:
        interval: seconds from one round to the next, > 0.
    """

    def __init__(self, interval: float = 0.5) -> None:
        self._interval = interval
        self._files: list[JournalFile | FrameFile] = []
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, file: JournalFile | FrameFile) -> None:
        """Write this one too, from now until it is closed."""
        with self._lock:
            self._files.append(file)
            if self._thread is None:
                atexit.register(self._last)
                self._thread = threading.Thread(target=self._run, name="sessionactors journals", daemon=True)
                self._thread.start()

    def flush(self) -> None:
        """Write what waits now; returns at once."""
        self._wake.set()

    def _last(self) -> None:
        """The interpreter ends, and its daemons with it: what waits is written."""
        for file in tuple(self._files):
            file.write()

    def _run(self) -> None:
        while True:
            self._wake.wait(self._interval)
            self._wake.clear()
            for file in tuple(self._files):
                file.write()
            with self._lock:
                self._files = [file for file in self._files if not file.closed.is_set()]
                if not self._files:
                    self._thread = None
                    atexit.unregister(self._last)
                    return


_threads: Final[weakref.WeakValueDictionary[float, WritingThread]] = weakref.WeakValueDictionary()
_lock: Final = threading.Lock()


def writing_thread(interval: float) -> WritingThread:
    """The thread that writes at this interval."""
    with _lock:
        thread = _threads.get(interval)
        if thread is None:
            thread = _threads[interval] = WritingThread(interval)
        return thread
