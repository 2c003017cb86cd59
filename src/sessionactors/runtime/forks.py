"""Tells actor systems that they have been copied into a child process, where their threads do not exist.

The one thing in the kernel that belongs to the process: Python calls functions after a fork, not objects. It holds
systems weakly; who reports a failure finds them here.
"""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .system import ActorSystem

_started: weakref.WeakSet[ActorSystem] = weakref.WeakSet()


def tell(system: ActorSystem) -> None:
    """Call ``system.forked`` in every child process."""
    _started.add(system)


def started() -> list[ActorSystem]:
    """The actor systems of this process that were started and that somebody still holds."""
    return list(_started)


def _in_child() -> None:
    for system in list(_started):
        system.forked()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_in_child)
