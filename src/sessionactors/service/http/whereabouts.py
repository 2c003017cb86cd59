"""Which services run on this machine: each says in a file where its inspection endpoint listens.

The command line asks there when a service does not answer, which is when its loop is blocked. A file lies in a
directory of this user alone and is locked as long as its process lives: one that is not locked is of a dead process,
whose port may be a stranger's by now. It names no token.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

DIRECTORY = "sessionactors"


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """A service that runs."""

    pid: int
    inspection: str
    """The address of its inspection endpoint."""


class Announcement:
    """A file that says where this process can be looked into, until it is withdrawn or the process ends."""

    def __init__(self, file: IO[str], path: Path) -> None:
        self._file = file
        self._path = path

    def withdraw(self) -> None:
        """Say it no more."""
        self._path.unlink(missing_ok=True)
        self._file.close()


def directory() -> Path:
    """Where the files of this user are: in ``$XDG_RUNTIME_DIR``, else among the temporary files."""
    given = os.environ.get("XDG_RUNTIME_DIR")
    if given:
        return Path(given) / DIRECTORY
    user = os.getuid() if sys.platform != "win32" else os.environ.get("USERNAME", "")
    return Path(tempfile.gettempdir()) / f"{DIRECTORY}-{user}"


def announce(address: str, port: int) -> Announcement | None:
    """Say where this process can be looked into. Blocks for as long as it takes to write a small file.

    Returns:
        None on a system without file locks.

    Raises:
        OSError: the directory cannot be used, or is not this user's alone.
    """
    if sys.platform == "win32":
        return None
    import fcntl  # noqa: PLC0415  Unix only

    folder = directory()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not _is_ours_alone(folder):
        raise PermissionError(f"{folder} is not this user's alone")
    path = folder / f"{os.getpid()}-{port}.json"
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    file = os.fdopen(descriptor, "w")
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    json.dump({"pid": os.getpid(), "inspection": address}, file)
    file.flush()
    return Announcement(file, path)


def running() -> Iterator[Whereabouts]:
    """The services that run, newest first. Files of dead processes are swept away."""
    if sys.platform == "win32":
        return
    folder = directory()
    if not folder.is_dir() or not _is_ours_alone(folder):
        return
    for path in sorted(folder.glob("*.json"), key=_age):
        with suppress(OSError, ValueError, KeyError, TypeError):  # it went away meanwhile, or is not written yet
            with path.open(encoding="utf-8") as file:
                if not _is_locked(file):
                    path.unlink(missing_ok=True)
                    continue
                said = json.load(file)
            yield Whereabouts(int(said["pid"]), str(said["inspection"]))


def _age(path: Path) -> float:
    try:
        return -path.stat().st_mtime
    except OSError:
        return 0.0


def _is_ours_alone(folder: Path) -> bool:
    """Whether nobody else could have put a file there."""
    if sys.platform == "win32":
        return False
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022


def _is_locked(file: IO[str]) -> bool:
    if sys.platform == "win32":
        return False
    import fcntl  # noqa: PLC0415  Unix only

    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False
