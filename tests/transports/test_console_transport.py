from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys

import pytest
from rich.console import Console

from sessionactors.interfaces.transport import TranscriptSegment
from sessionactors.model.errors import OptionError, SessionStateError
from sessionactors.transports import ConsoleTransport

from .fakes import RoomLog


def console(out: io.StringIO) -> Console:
    return Console(file=out, width=80)


class RoomThatEmpties(RoomLog):
    """Says when somebody left."""

    def __init__(self) -> None:
        super().__init__()
        self.empty = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def participant_left(self, identity: str, reason: str) -> None:
        super().participant_left(identity, reason)
        self._loop.call_soon_threadsafe(self.empty.set)


async def test_typed_lines_go_in_and_transcripts_come_out() -> None:
    out, room = io.StringIO(), RoomThatEmpties()
    read, write = os.pipe()
    os.write(write, b"hello\nbye\n")
    os.close(write)
    with os.fdopen(read) as stdin:
        transport = ConsoleTransport(participant="ann", stdin=stdin, console=console(out))
        await transport.connect(room)
        assert transport.audio_sink is None
        transport.publish_transcript(TranscriptSegment("agent", "1", "Hi ", final=False))
        transport.publish_transcript(TranscriptSegment("agent", "1", "Ann.", final=True))
        await room.empty.wait()
        await transport.aclose()
        await transport.aclose()
    assert room.told == [
        ("joined", "ann"),
        ("text", "ann", "hello"),
        ("text", "ann", "bye"),
        ("left", "ann", "end of input"),
    ]
    assert out.getvalue() == "agent: Hi Ann.\n"


async def test_it_is_connected_once_and_not_after_its_end() -> None:
    read, write = os.pipe()
    with os.fdopen(read) as stdin, os.fdopen(write, "w"):
        transport = ConsoleTransport(stdin=stdin, console=console(io.StringIO()))
        await transport.connect(RoomLog())
        with pytest.raises(SessionStateError, match="connected once"):
            await transport.connect(RoomLog())
        await transport.aclose()
    closed = ConsoleTransport(stdin=io.StringIO())
    closed.publish_transcript(TranscriptSegment("agent", "1", "nobody sees this", final=True))
    await closed.aclose()
    with pytest.raises(SessionStateError):
        await closed.connect(RoomLog())


async def test_a_program_without_standard_input_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(OptionError, match="no standard input"):
        await ConsoleTransport().connect(RoomLog())


@pytest.mark.parametrize("option", ["input_rate", "sample_rate"])
def test_rates_out_of_range_are_errors(option: str) -> None:
    with pytest.raises(OptionError, match=option):
        ConsoleTransport(**{option: 0})  # type: ignore[arg-type]


async def test_a_terminal_that_is_gone_closes_the_room() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(32, "Broken pipe")

    room = RoomLog()
    read, write = os.pipe()
    with os.fdopen(read) as stdin, os.fdopen(write, "w"):
        transport = ConsoleTransport(stdin=stdin, console=Console(file=Gone()))
        await transport.connect(room)
        transport.publish_transcript(TranscriptSegment("agent", "1", "hello", final=True))
        await transport.aclose()
    assert [entry[0] for entry in room.told] == ["joined", "closed"]


def test_the_package_imports_only_what_is_asked_for() -> None:
    program = (
        "import sys, sessionactors.transports as t;"
        "loaded = lambda name: any(m == name or m.startswith(name + '.') for m in sys.modules);"
        "assert not loaded('numpy') and not loaded('rich') and not loaded('sounddevice');"
        "t.MemoryTransport; assert not loaded('rich') and not loaded('sounddevice');"
        "t.ConsoleTransport; assert not loaded('sounddevice');"
        "assert set(t.__all__) <= set(dir(t)) and all(getattr(t, name) for name in t.__all__)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)


def test_an_unknown_name_is_an_attribute_error() -> None:
    import sessionactors.transports

    with pytest.raises(AttributeError, match="no attribute 'TelephoneTransport'"):
        _ = sessionactors.transports.TelephoneTransport
