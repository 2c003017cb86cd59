"""Our transports. The console's devices are fakes that are driven by a thread at the pace of a sound card."""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import tempfile
import threading
import time
import wave
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from sessionactors.interfaces.transport import Transport
from sessionactors.model.audio import AudioFrame
from sessionactors.testing import VirtualLoop
from sessionactors.testing.conformance import Fault, TransportRig
from sessionactors.transports import CallerLine, ConsoleTransport, FileTransport, MemoryTransport, ScriptedCaller

from tests.conformance.fake_transport import speaks, types

RATE = 48000


class NoDevice(Exception):
    """What sounddevice raises when there is no such device."""


@dataclass
class DrivenStream:
    """A stream of a sound card: its callback is called every ten milliseconds, by a thread."""

    callback: Callable[[Any, int, object, object], None]
    finished_callback: Callable[[], None]
    _stopped: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    latency: float = 0.01

    def start(self) -> None:
        self._thread = threading.Thread(target=self._drive, name="sound card", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stopped.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self.finished_callback()

    def _drive(self) -> None:
        due = time.monotonic()
        while not self._stopped.is_set():
            self.callback(memoryview(bytearray(2 * RATE // 100)), RATE // 100, None, 0)
            due += 0.01
            self._stopped.wait(max(0.0, due - time.monotonic()))


class SoundCard:
    """The module sounddevice, with a card."""

    PortAudioError = NoDevice

    def __init__(self, *, missing: bool = False) -> None:
        self._missing = missing

    def query_devices(self, device: int | str | None, kind: str) -> Mapping[str, object]:
        if self._missing:
            raise NoDevice("Error querying device -1")
        return {"default_samplerate": float(RATE)}

    def RawInputStream(self, **options: Any) -> DrivenStream:  # noqa: N802
        return DrivenStream(options["callback"], options["finished_callback"])

    RawOutputStream = RawInputStream


@asynccontextmanager
async def memory(fault: Fault | None) -> AsyncIterator[Transport]:
    yield MemoryTransport()


@asynccontextmanager
async def text_room(fault: Fault | None) -> AsyncIterator[Transport]:
    yield MemoryTransport(audio=False)


@asynccontextmanager
async def file(fault: Fault | None) -> AsyncIterator[Transport]:
    folder = await asyncio.to_thread(_folder)
    try:
        yield FileTransport(folder / "in.wav", folder / "out.wav")
    finally:
        await asyncio.to_thread(shutil.rmtree, folder)


def _folder() -> Path:
    """One with a caller's recording of a second."""
    folder = Path(tempfile.mkdtemp())
    with wave.open(str(folder / "in.wav"), "wb") as recording:
        recording.setparams((1, 2, 16000, 0, "NONE", ""))
        recording.writeframes(bytes(2 * 16000))
    return folder


@asynccontextmanager
async def scripted(fault: Fault | None) -> AsyncIterator[Transport]:
    yield ScriptedCaller([CallerLine("Hello?", AudioFrame(bytes(2 * 16000), 16000))])


@asynccontextmanager
async def console(fault: Fault | None) -> AsyncIterator[Transport]:
    read, write = os.pipe()
    with os.fdopen(read) as stdin, os.fdopen(write, "w") as keyboard:
        transport = ConsoleTransport(stdin=stdin, console=Console(file=io.StringIO()))
        KEYBOARDS[id(transport)] = keyboard
        yield transport
        del KEYBOARDS[id(transport)]


@asynccontextmanager
async def console_with_audio(fault: Fault | None) -> AsyncIterator[Transport]:
    sound: Any = SoundCard(missing=fault is Fault.UNREACHABLE)
    read, write = os.pipe()
    with os.fdopen(read) as stdin, os.fdopen(write, "w"):
        yield ConsoleTransport(audio=True, sounddevice=sound, stdin=stdin, console=Console(file=io.StringIO()))


KEYBOARDS: dict[int, io.TextIOWrapper[Any]] = {}


def press(transport: Transport, text: str) -> None:
    """Type on the keyboard of a console."""
    keyboard = KEYBOARDS[id(transport)]
    keyboard.write(f"{text}\n")
    keyboard.flush()


RIGS = (
    TransportRig(name="MemoryTransport", open=memory, speak=speaks, type=types, loop_factory=VirtualLoop),
    TransportRig(name="MemoryTransport(audio=False)", open=text_room, type=types, loop_factory=VirtualLoop),
    TransportRig(name="FileTransport", open=file, speak=lambda _: None, loop_factory=VirtualLoop),
    TransportRig(name="ScriptedCaller", open=scripted, loop_factory=VirtualLoop),
    TransportRig(name="ConsoleTransport", open=console, type=press),
    TransportRig(
        name="ConsoleTransport(audio=True)",
        open=console_with_audio,
        faults=frozenset({Fault.UNREACHABLE}),
        speak=lambda _: None,
        tolerance=0.05,
    ),
)
LONG = frozenset({"ConsoleTransport(audio=True)", "ConsoleTransport"})
"""In the time of a sound card and a keyboard: ``make conformance`` checks them, the suite does not."""
