"""Tells actor systems that they have been copied into a child process, where their threads do not exist.

The one thing in the kernel that belongs to the process: Python calls functions after a fork, not objects. It holds
systems weakly, and does nothing else.
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


def _in_child() -> None:
    for system in list(_started):
        system.forked()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_in_child)
