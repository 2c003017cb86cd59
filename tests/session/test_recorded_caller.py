"""A session whose caller is a WAV file: files that cannot be read are named, and nothing of it stays behind."""

from __future__ import annotations

import asyncio
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sessionactors import Agent, AgentSession, APIConnectionError, AudioFormatError, OptionError
from sessionactors.testing.scripted_ear import ScriptedSTT, ScriptedVAD
from sessionactors.testing.scripted_llm import ScriptedLLM
from sessionactors.transports import FileTransport


def write(path: Path, *, rate: int = 16000, channels: int = 1, width: int = 2, seconds: float = 1.0) -> Path:
    tone = np.sin(np.arange(round(rate * seconds)) * 0.1)
    scaled = (tone * 100 + 128).astype(np.uint8) if width == 1 else (tone * 9000).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, width, rate, 0, "NONE", ""))
        file.writeframes(np.repeat(scaled, channels).tobytes())
    return path


def empty(path: Path) -> None:
    path.write_bytes(b"")


def truncated(path: Path) -> None:
    write(path)
    path.write_bytes(path.read_bytes()[:-2000])


def no_wav(path: Path) -> None:
    path.write_bytes(b"ID3 this is music" * 10)


def missing(path: Path) -> None:
    assert not path.exists()


@pytest.mark.parametrize(
    "make, kind, what",
    [
        (empty, AudioFormatError, "is empty (0 bytes): a WAV file was expected"),
        (truncated, AudioFormatError, "is truncated: its header promises 16000 samples"),
        (no_wav, AudioFormatError, "is not a WAV file of integer PCM"),
        (missing, OptionError, "cannot read"),
    ],
)
async def test_file_that_cannot_be_read(
    make: Callable[[Path], object], kind: type[Exception], what: str, tmp_path: Path
) -> None:
    path = tmp_path / "caller.wav"
    make(path)
    session: AgentSession[None] = AgentSession()
    agent = Agent(instructions="")
    with pytest.raises(APIConnectionError) as raised:
        await session.start(agent, room=FileTransport(path, tmp_path / "out.wav"))
    assert what in str(raised.value)
    assert str(path) in str(raised.value)
    assert isinstance(raised.value.__cause__, kind)
    assert not (tmp_path / "out.wav").exists()
    await AgentSession().start(agent)  # it is free again
    await agent.session.aclose()


@pytest.mark.parametrize("width, rate, channels", [(1, 16000, 1), (2, 48000, 2), (2, 8000, 1)])
async def test_file_in_an_unusual_format_is_heard(width: int, rate: int, channels: int, tmp_path: Path) -> None:
    path = write(tmp_path / "caller.wav", rate=rate, channels=channels, width=width, seconds=0.5)
    answered = asyncio.Event()
    session: AgentSession[None] = AgentSession(
        vad=ScriptedVAD([(0.05, 0.3)], min_silence=0.1),
        stt=ScriptedSTT([(0.35, "hello")], latency=0.05),
        llm=ScriptedLLM(["Good evening."]),
        turn_handling={"endpointing": {"min_delay": 0.1}},
    )
    session.on("conversation_item_added", lambda event: answered.set() if "evening" in str(event.item) else None)
    await session.start(Agent(instructions=""), room=FileTransport(path))
    try:
        await asyncio.wait_for(answered.wait(), 5.0)
    finally:
        await session.aclose()
