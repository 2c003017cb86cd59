"""Ways in and out: where a session's participants are, and where its agent is heard.

``MemoryTransport`` for tests and embedding, ``FileTransport`` for recorded callers, ``ScriptedCaller`` for callers who
react to the agent, ``ConsoleTransport`` for the terminal. ``PacedPlayout`` is the base of sinks that play against the
clock. Each is imported when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sessionactors.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from .console import ConsoleTransport
    from .device import DeviceSink, DeviceSource
    from .file import FileSink, FileSource, FileTransport
    from .memory import MemorySink, MemoryTransport
    from .memory_source import MemorySource
    from .played_runs import AudioRun
    from .playout import PacedPlayout
    from .recording import StereoRecording, Track
    from .scripted_caller import CallerLine, ScriptedCaller
    from .segments import PlayoutStatistics

__all__ = [
    "AudioRun",
    "CallerLine",
    "ConsoleTransport",
    "DeviceSink",
    "DeviceSource",
    "FileSink",
    "FileSource",
    "FileTransport",
    "MemorySink",
    "MemorySource",
    "MemoryTransport",
    "PacedPlayout",
    "PlayoutStatistics",
    "ScriptedCaller",
    "StereoRecording",
    "Track",
]

_HOMES: Final = {
    "console": ("ConsoleTransport",),
    "device": ("DeviceSink", "DeviceSource"),
    "file": ("FileSink", "FileSource", "FileTransport"),
    "memory": ("MemorySink", "MemoryTransport"),
    "memory_source": ("MemorySource",),
    "played_runs": ("AudioRun",),
    "playout": ("PacedPlayout",),
    "recording": ("StereoRecording", "Track"),
    "scripted_caller": ("CallerLine", "ScriptedCaller"),
    "segments": ("PlayoutStatistics",),
}

__getattr__, __dir__ = lazy_exports(__name__, _HOMES)
