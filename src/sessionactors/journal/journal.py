"""``Journal``: what users give to a session to have it recorded."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sessionactors.model.errors import OptionError, SessionStateError
from sessionactors.runtime.witness import Witness

from .code_hash import code_hash
from .encoding import Redacts
from .errors import JournalError
from .recorder import Recorder
from .records import Captured
from .redaction import Redactor, masked
from .writer import JournalFile, writing_thread

if TYPE_CHECKING:
    from sessionactors.actors.wiring import Wiring
    from sessionactors.runtime import ActorSystem
    from sessionactors.runtime.cell import Cell

FLUSH_INTERVAL: Final = 0.5
"""Seconds: what a process that is killed loses at most."""
_ODD: Final = re.compile(r"[^\w.@-]+")


def redactor(*, transcripts: bool, redact: Callable[[str], str] | None) -> Redacts | None:
    """What is done to texts before they are kept; None: nothing."""
    if not transcripts:
        return Redactor(masked)
    return None if redact is None else Redactor(redact)


def given_to(wiring: Wiring) -> dict[str, object]:
    """What a session's root actor was made of."""
    return {"components": wiring.components, "guarded": wiring.guard_silence is not None}


class Journal:
    """Records a session into a file, so that it can be run again: ``AgentSession(journal=Journal("call.journal"))``.

    It holds what came to the session from outside (frames, what providers and user code gave, timers) in the order of
    its delivery, what was handled when, and hashes of states. Writing is done by a thread of its own; a process that is
    killed leaves everything but the last half second.

    Args:
        path: a new file; ``{room}`` in it becomes the session's name. Only its owner may read it.
        audio: what was heard and said as sound; False: only how much, it comes back as silence. Decisions are the same.
        transcripts: what was said and typed; False: only how many words of which length.
        redact: the user's own: gets each such text, and gives what is written in its place. It runs on the actor loop
            and must be quick. What it raises masks the text.
        hashes: of states, by which a replay sees at which message it parts.
        notes: what you want to find again, such as the id of a call.
        flush_interval: seconds, > 0, from one write to the next.
        overwrite: a file of this name gives way; False: it is an error.

    Raises:
        OptionError: ``flush_interval`` is not positive.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        audio: bool = True,
        transcripts: bool = True,
        redact: Callable[[str], str] | None = None,
        hashes: bool = True,
        notes: Mapping[str, str] | None = None,
        flush_interval: float = FLUSH_INTERVAL,
        overwrite: bool = False,
    ) -> None:
        if not flush_interval > 0:
            raise OptionError(f"Journal(flush_interval={flush_interval}): it must be positive")
        code_hash()  # reads files, so not while the session starts
        self._path = str(path)
        self._captured = Captured(
            audio=audio, transcripts=transcripts, redacted=transcripts and redact is not None, hashes=hashes
        )
        self._redact = redactor(transcripts=transcripts, redact=redact)
        self._notes = dict(notes or {})
        self._interval = flush_interval
        self._overwrite = overwrite
        self._file: JournalFile | None = None

    def begin(self, system: ActorSystem, room: str, wiring: Wiring) -> Witness:
        """For the session: it is about to start.

        Raises:
            SessionStateError: it records a session already.
        """
        if self._file is not None:
            raise SessionStateError(f"{self._path} holds the journal of {self._file.room!r}: make one for each session")
        path = Path(self._path.replace("{room}", _ODD.sub("-", room)))
        self._file = file = JournalFile(path, room, overwrite=self._overwrite)
        recorder = _FileRecorder(file, self._captured, self._redact, self._interval)
        recorder.begin(recorder.about(system, room, self._notes), given_to(wiring))
        return recorder

    @property
    def path(self) -> Path | None:
        """The file; None before the session has started."""
        return None if self._file is None else self._file.path

    @property
    def error(self) -> JournalError | None:
        """Why nothing is written (any more): the disk is full, or there is a file of this name. The session goes on."""
        return None if self._file is None else self._file.error

    @property
    def lost(self) -> int:
        """Records that were lost because the disk was too slow; the file says where."""
        return 0 if self._file is None else self._file.lost

    @property
    def closed(self) -> bool:
        """Whether the session is over and everything is in the file."""
        return self._file is not None and self._file.closed.is_set()

    def wait_closed(self, timeout: float = 5.0) -> bool:
        """Wait until everything is in the file, after the session is over. Blocks; False after ``timeout`` seconds."""
        return self._file is not None and self._file.closed.wait(timeout)


class _FileRecorder(Recorder):
    """Records into a file, which ends with the tree."""

    def __init__(self, file: JournalFile, captured: Captured, redact: Redacts | None, interval: float) -> None:
        super().__init__(file, captured, redact=redact)
        self._file = file
        file.when_resumed(self.again)
        self._thread = writing_thread(interval)
        self._thread.add(file)

    def finished(self, cell: Cell) -> None:
        """With the root, all has ended."""
        super().finished(cell)
        if cell.parent is None:
            self.end(cell.system.clock.now(), self._file.lost)
            self._file.close()
            self._thread.flush()
