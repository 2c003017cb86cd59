"""Ways in and out: where a session's participants are, and where its agent is heard.

``MemoryTransport`` for tests and embedding, ``FileTransport`` for recorded callers, ``ScriptedCaller`` for callers who
react to the agent, ``ConsoleTransport`` for the terminal. ``PacedPlayout`` is the base of sinks that play against the
clock. Each is imported when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

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
    "AudioRun": "played_runs",
    "CallerLine": "scripted_caller",
    "ConsoleTransport": "console",
    "DeviceSink": "device",
    "DeviceSource": "device",
    "FileSink": "file",
    "FileSource": "file",
    "FileTransport": "file",
    "MemorySink": "memory",
    "MemorySource": "memory_source",
    "MemoryTransport": "memory",
    "PacedPlayout": "playout",
    "PlayoutStatistics": "segments",
    "ScriptedCaller": "scripted_caller",
    "StereoRecording": "recording",
    "Track": "recording",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
