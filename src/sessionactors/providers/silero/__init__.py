"""Silero's voice activity detection: one model in one thread for all rooms of the process.

Needs the extra ``silero``. Use it as the plugin of that name: ``silero.VAD.load()``. One object may serve all rooms;
several objects, with options of their own, share the model too.
"""

from __future__ import annotations

from .vad import VAD

__all__ = ["VAD"]
