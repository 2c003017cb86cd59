"""A simulated run has no real world: what opens a socket, looks up a name or starts a process in one is named.

A seeded run is the same run again only if all that happens in it is decided in it. A request that a tool makes is
answered when the network likes; it would be another run each time, and a failure that nobody can have again.
"""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Final

ESCAPES: Final = {
    "socket.connect": "connects a socket",
    "socket.bind": "binds a socket",
    "socket.sendto": "sends from a socket",
    "socket.getaddrinfo": "looks up a name",
    "socket.gethostbyname": "looks up a name",
    "subprocess.Popen": "starts a process",
    "os.system": "starts a process",
    "os.posix_spawn": "starts a process",
}
"""Audit events of Python, and what each is."""
_OURS: Final = str(Path(__file__).parents[1])
_LIBRARIES: Final = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})


class Escaped(RuntimeError):
    """Raised where simulated code reaches for the real world, and again when its run is over: says who, and where."""

    def __init__(self, what: str, site: str) -> None:
        super().__init__(
            f"{site} {what}: a simulated run has no real world, or it would not be the same run again. Give the agent "
            "a scripted client, or play the scenario without a schedule"
        )
        self.site = site
        """``file:line in function``, the nearest that is no library's."""


_simulation: ContextVar[list[Escaped] | None] = ContextVar("sessionactors_simulation", default=None)
"""Set in a seeded run, in its tasks, and in the threads in which its tools run: what has escaped so far."""


@contextmanager
def refused(really: bool) -> Iterator[None]:
    """While the body runs, nothing may escape.

    Args:
        really: False: it may, the run is as in production.

    Raises:
        Escaped: something wanted to, whatever became of the error there.
    """
    if not really:
        yield
        return
    _listen()
    escaped: list[Escaped] = []
    before = _simulation.set(escaped)
    try:
        yield
    finally:
        _simulation.reset(before)
        if escaped:
            raise escaped[0]


def refuse(event: str) -> None:
    """What the audit does not see in this context, since another thread does it.

    Raises:
        Escaped: this is a seeded run.
    """
    escaped = _simulation.get()
    if escaped is not None:
        error = Escaped(ESCAPES[event], _site(sys._getframe(1)))
        escaped.append(error)
        raise error


@cache
def _listen() -> None:
    """Once in a process: an audit hook cannot be taken back. Outside of seeded runs it costs a look-up an event."""

    def hook(event: str, _: object) -> None:
        if event in ESCAPES:
            refuse(event)

    sys.addaudithook(hook)


def _site(frame: FrameType | None) -> str:
    nearest = frame
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith((_OURS, "<")) and not file.startswith(_LIBRARIES):
            nearest = frame
            break
        frame = frame.f_back
    if nearest is None:
        return "code without a frame"
    return f"{nearest.f_code.co_filename}:{nearest.f_lineno} in {nearest.f_code.co_name}"
