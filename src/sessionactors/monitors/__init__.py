"""Monitors: promises that are looked at after each message of a live session. A violation is news, never a crash.

``Monitors`` is what users give to a session; the modules beside it say what is looked at. They are told by the kernel's
seam for witnesses, change nothing, and know the session by its messages only.
"""

from __future__ import annotations

from .live import Monitors
from .violation import CauseLink, PromiseViolated, Violation

__all__ = ["CauseLink", "Monitors", "PromiseViolated", "Violation"]
