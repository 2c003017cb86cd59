"""Why an actor's messages are held, and the words for where it is in its life."""

from __future__ import annotations

from enum import Enum

SUSPENDED, RESTARTING, STOPPING, BUSY, STARTING, LEAVING = 1, 2, 4, 8, 16, 32
"""Reasons to hold an actor's messages, as bits. BUSY: its handler runs on its own thread. LEAVING: its last words and
the count of what waited are still to come, so it has not ended though nothing of it runs."""

ENDING = RESTARTING | STOPPING
"""This incarnation is over: nothing starts any more that would have to end with it."""


class Status(Enum):
    """Where an actor is in its life."""

    STARTING = "starting"
    IDLE = "idle"
    RUNNING = "running"
    SUSPENDED = "suspended"
    RESTARTING = "restarting"
    STOPPING = "stopping"
    STOPPED = "stopped"
