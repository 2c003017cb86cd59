"""Where a component's coroutines may run.

Every provider and transport names its home; the kernel carries calls there, so nobody uses a client off its loop.
"""

from __future__ import annotations

from enum import Enum


class Home(Enum):
    """The loop or thread on which a component's coroutines run."""

    ACTOR = "actor"
    """The actor loop: clients are made there, one per provider and loop."""

    USER = "user"
    """The loop that started the session: for objects and clients that the user made."""
