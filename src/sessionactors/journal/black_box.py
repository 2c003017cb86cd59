"""``BlackBox``: the last seconds of every session in memory, written as a journal when something goes wrong."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from sessionactors.model.errors import OptionError
from sessionactors.runtime.messages import Kill
from sessionactors.runtime.witness import Hook, Witness

from .code_hash import code_hash
from .encoding import Redacts
from .file import Packer
from .journal import FLUSH_INTERVAL, given_to, redactor
from .recorder import Recorder
from .records import Captured
from .writer import FrameFile, writing_thread

if TYPE_CHECKING:
    from sessionactors.actors.wiring import Wiring
    from sessionactors.runtime import ActorSystem
    from sessionactors.runtime.cell import Cell
    from sessionactors.runtime.envelope import Envelope
    from sessionactors.runtime.messages import SystemMessage

PARTS: Final = 3
"""A ring forgets a third at a time: each begins with a checkpoint."""
NOT_AGAIN: Final = 10.0
"""Seconds in which one cause after another makes one file: a failure seldom comes alone."""
_ODD: Final = re.compile(r"[^\w.@-]+")

log = structlog.get_logger("sessionactors.journal")


class BlackBox:
    """Keeps the last seconds of each session it is given to; writes them when one crashes, stalls or breaks a promise.

    ``AgentSession(journal=BlackBox("black-boxes"))``; one object may serve all sessions of a process. What it writes is
    a journal. That of a session which is younger than the ring runs again like any other. Of an older one it begins
    with a checkpoint: it can be read, message by message with the states of all actors, and not be run again, for its
    actors were made by handlers before.

    Args:
        directory: where files go; made when the first is written.
        seconds: how much is kept, > 0; a third of it more, at times.
        most_bytes: what one session's ring may take, packed but for the newest third.
        most_files: that one session writes; later causes are only logged.
        audio: what was heard and said as sound; False: only how much.
        transcripts: as for a :class:`.Journal`.
        redact: as for a :class:`.Journal`.
        notes: as for a :class:`.Journal`.

    Raises:
        OptionError: a number is not positive.
    """

    def __init__(
        self,
        directory: str | Path,
        *,
        seconds: float = 30.0,
        most_bytes: int = 4 * 1024 * 1024,
        most_files: int = 5,
        audio: bool = False,
        transcripts: bool = True,
        redact: Callable[[str], str] | None = None,
        notes: Mapping[str, str] | None = None,
    ) -> None:
        for name, value in (("seconds", seconds), ("most_bytes", most_bytes), ("most_files", most_files)):
            if not value > 0:
                raise OptionError(f"BlackBox({name}={value}): it must be positive")
        code_hash()  # reads files, so not while the session starts
        self.directory = Path(directory)
        self.seconds = seconds
        self.most_bytes = most_bytes
        self.most_files = most_files
        self.notes = dict(notes or {})
        self.captured = Captured(
            audio=audio, transcripts=transcripts, redacted=transcripts and redact is not None, seconds=seconds
        )
        self._redact = redactor(transcripts=transcripts, redact=redact)

    def begin(self, system: ActorSystem, room: str, wiring: Wiring) -> Witness:
        """For the session: it is about to start."""
        ring = _Ring(round(self.seconds * 1e9 / PARTS), self.most_bytes)
        recorder = RingRecorder(self, system, room, ring, self._redact)
        recorder.open(given_to(wiring))
        return recorder


class _Ring:
    """Records in memory: the newest part as they are, those before packed."""

    def __init__(self, part: int, most_bytes: int) -> None:
        self._part = part
        self._most = most_bytes
        self._packer = Packer()
        self._packed: deque[tuple[bytes, ...]] = deque()
        self._bytes = 0
        self._newest: list[bytes] = []
        self._newest_bytes = 0
        self._until = 0
        self.whole = True
        """Nothing has been forgotten yet."""

    def put(self, record: bytes) -> None:
        """Take a record."""
        self._newest.append(record)
        self._newest_bytes += len(record)

    def full(self, now: int) -> bool:
        """Whether the newest part is complete, and the next may begin."""
        return now >= self._until or self._newest_bytes > self._most // PARTS

    def turn(self, now: int) -> None:
        """Begin the next part."""
        self._until = now + self._part
        newest, self._newest, self._newest_bytes = self._newest, [], 0
        if newest:
            frames = tuple(self._packer.pack(newest))
            self._packed.append(frames)
            self._bytes += sum(map(len, frames))
        while len(self._packed) > PARTS or (self._bytes > self._most and self._packed):
            self._bytes -= sum(map(len, self._packed.popleft()))
            self.whole = False

    def frames(self, packer: Packer, head: list[bytes]) -> list[bytes]:
        """All of it as frames, behind a head. From any thread."""
        packed, newest = self._packed.copy(), self._newest.copy()
        return [*packer.pack(head), *[frame for frames in packed for frame in frames], *packer.pack(newest)]


class RingRecorder(Recorder):
    """Records one session into its ring."""

    def __init__(self, box: BlackBox, system: ActorSystem, room: str, ring: _Ring, redact: Redacts | None) -> None:
        super().__init__(ring, box.captured, redact=redact)
        self._box = box
        self._system = system
        self._room = room
        self._ring = ring
        self._files = 0
        self._kept_at: float | None = None

    def open(self, given: object) -> None:
        """Begin the ring."""
        now = self._system.clock.now()
        self._ring.turn(now)
        self.begin(self.about(self._system, self._room, self._box.notes), given)

    def entered(self, cell: Cell, envelope: Envelope) -> None:
        """Also the moment to begin a new part of the ring."""
        if self._ring.full(envelope.at):
            self._ring.turn(envelope.at)
            self.checkpoint(cell.tree)
        super().entered(cell, envelope)

    def failed(self, cell: Cell, envelope: Envelope, error: BaseException, began: int) -> None:
        """An actor has crashed."""
        super().failed(cell, envelope, error, began)
        self.keep(f"{cell.path} failed at {type(envelope.message).__name__} #{envelope.id}: {error!r}")

    def committed(self, cell: Cell, envelope: Envelope, error: BaseException | None) -> None:
        """What it asked for has failed, and so has the actor."""
        super().committed(cell, envelope, error)
        if error is not None:
            self.keep(f"{cell.path} failed behind {type(envelope.message).__name__} #{envelope.id}: {error!r}")

    def hook_failed(self, cell: Cell, hook: Hook, now: int, error: BaseException) -> None:
        """An actor could not start, restart or end as it should."""
        super().hook_failed(cell, hook, now, error)
        self.keep(f"{cell.path} failed in {hook.value}(): {error!r}")

    def obeyed(self, cell: Cell, message: SystemMessage) -> None:
        """Somebody has killed an actor."""
        super().obeyed(cell, message)
        if isinstance(message, Kill):
            self.keep(f"{cell.path} was killed: {message.error!r}")

    def keep(self, why: str) -> Path | None:
        """Write what is there, on a thread: the file it will be; None: one was written just now, or enough were.

        From any thread.
        """
        now = time.monotonic()
        again = self._kept_at is not None and now - self._kept_at < NOT_AGAIN
        if again or self._files >= self._box.most_files:
            log.warning("black_box_not_kept", room=self._room, actor="", message_id=0, why=why)
            return None
        self._kept_at = now
        self._files += 1
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(self._system.clock.wall()))
        path = self._box.directory / f"{_ODD.sub('-', self._room)}-{stamp}-{self._files}.journal"
        self.write(path, why)
        log.error("black_box", room=self._room, actor="", message_id=0, why=why, path=str(path))
        return path

    def write(self, path: Path, why: str) -> FrameFile:
        """Write what is there, on a thread. From any thread."""
        at = self._system.clock.now()
        head = []
        if not self._ring.whole:
            captured = replace(self.captured, seconds=self._box.seconds)
            about = self.about(self._system, self._room, {**self._box.notes, "why": why})
            header = self.head(replace(about, captured=captured))
            head = [*self.definitions(), header]
        file = FrameFile(path, self._ring.frames(Packer(), head), self.remark(at, why), self._room)
        thread = writing_thread(FLUSH_INTERVAL)
        thread.add(file)
        thread.flush()
        return file
