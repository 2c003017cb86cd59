"""The recorder: what was heard, where it was heard, in a file that is whole or absent."""

from __future__ import annotations

import asyncio
import random
import wave
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from sessionactors import NS, Agent, AgentSession, AudioFrame, ErrorEvent, OptionError
from sessionactors.testing import run
from sessionactors.testing.scripted_tts import SECONDS_PER_CHARACTER, ScriptedTTS
from sessionactors.transports import MemoryTransport

from actors.recorder import AGENT, Recorder, Recording, Sound

Samples = npt.NDArray[np.int16]
RATE = 24000


def both(path: Path) -> tuple[Samples, Samples, int]:
    """Left, right and Hertz."""
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth()) == (2, 2)
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16).reshape(-1, 2)
        return samples[:, 0], samples[:, 1], file.getframerate()


def tone(seconds: float, rate: int = RATE, level: int = 8000, pitch: float = 440.0) -> AudioFrame:
    wave_form = level * np.sin(2 * np.pi * pitch * np.arange(round(seconds * rate)) / rate)
    return AudioFrame(wave_form.astype("<i2").tobytes(), rate)


def sounds(samples: Samples, rate: int = RATE, quiet: float = 0.05) -> list[tuple[float, float]]:
    """Stretches of sound, seconds; a silence shorter than ``quiet`` does not end one."""
    loud = np.flatnonzero(samples)
    if not len(loud):
        return []
    breaks = np.flatnonzero(np.diff(loud) > quiet * rate)
    starts = [loud[0], *loud[breaks + 1]]
    ends = [*loud[breaks], loud[-1]]
    return [(float(a) / rate, (float(b) + 1) / rate) for a, b in zip(starts, ends, strict=True)]


def near(*stretches: tuple[float, float], within: float = 0.002) -> object:
    """Equal to stretches that begin and end about there, seconds."""
    return [(pytest.approx(begin, abs=within), pytest.approx(end, abs=within)) for begin, end in stretches]


async def session_with(
    recorder: Recorder,
    transport: MemoryTransport,
    script: Callable[[AgentSession[None]], Awaitable[None]],
    errors: list[ErrorEvent] | None = None,
) -> None:
    session: AgentSession[None] = AgentSession(tts=ScriptedTTS(), actors=[recorder])
    if errors is not None:
        session.on("error", errors.append)
    await session.start(Agent(instructions=""), room=transport)
    try:
        await script(session)
    finally:
        await session.aclose()


def test_both_sides_are_where_they_were(tmp_path: Path) -> None:
    transport = MemoryTransport(silence_rate=RATE)

    async def script(session: AgentSession[None]) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        transport.play(tone(0.5), at=began + 1.0)
        await asyncio.sleep(2.0)
        await session.say("hello").wait_for_playout()
        await asyncio.sleep(0.5)

    run(lambda: session_with(Recorder(tmp_path / "call.wav"), transport, script))
    left, right, rate = both(tmp_path / "call.wav")
    assert rate == RATE
    assert sounds(left) == near((1.0, 1.5), within=0.021)
    (agent,) = transport.agent_audio
    assert sounds(right) == near((agent.at, agent.at + agent.duration))
    assert right[right != 0].tobytes() == agent.pcm
    assert len(left) / rate == pytest.approx(agent.at + agent.duration + 0.5, abs=0.05)


def test_the_agent_ends_at_the_sample_at_which_it_was_cut_off(tmp_path: Path) -> None:
    transport = MemoryTransport(silence_rate=RATE)
    cut: list[float] = []

    async def script(session: AgentSession[None]) -> None:
        speech = session.say("a long text that is cut off before its end")
        await asyncio.sleep(1.2345)
        cut.append(asyncio.get_running_loop().time())
        await session.interrupt()
        assert speech.interrupted
        await asyncio.sleep(0.5)
        await session.say("next").wait_for_playout()

    run(lambda: session_with(Recorder(tmp_path / "call.wav"), transport, script))
    _, right, _ = both(tmp_path / "call.wav")
    first, second = transport.agent_audio
    assert right[right != 0].tobytes() == first.pcm + second.pcm
    (_, until), (again, _) = sounds(right)
    assert until == pytest.approx(cut[0], abs=0.002)
    assert again == pytest.approx(second.at, abs=0.002)


def test_voice_at_other_rates_is_brought_to_the_recordings(tmp_path: Path) -> None:
    transport = MemoryTransport(silence_rate=16000, sample_rate=RATE)

    async def script(session: AgentSession[None]) -> None:
        transport.play(tone(3.0, 16000))
        await asyncio.sleep(4.0)

    run(lambda: session_with(Recorder(tmp_path / "call.wav", sample_rate=RATE), transport, script))
    left, _, _ = both(tmp_path / "call.wav")
    spectrum = np.abs(np.fft.rfft(left[RATE // 2 : RATE // 2 + 2 * RATE].astype(float)))
    assert int(np.argmax(spectrum)) / 2 == 440.0  # one pitch, and not a click in two seconds:
    assert spectrum[900:].max() < 0.001 * spectrum.max()


def test_a_closed_ear_is_not_recorded(tmp_path: Path) -> None:
    transport = MemoryTransport(silence_rate=RATE)

    async def script(session: AgentSession[None]) -> None:
        transport.play(tone(3.0))
        await asyncio.sleep(1.0)
        session.input.set_audio_enabled(False)
        await asyncio.sleep(1.0)
        session.input.set_audio_enabled(True)
        await asyncio.sleep(1.5)

    run(lambda: session_with(Recorder(tmp_path / "call.wav"), transport, script))
    left, _, _ = both(tmp_path / "call.wav")
    assert sounds(left) == near((0.0, 1.0), (2.0, 3.0), within=0.03)


def test_file_is_named_after_the_room_and_replaces_an_older_one(tmp_path: Path) -> None:
    (tmp_path / "lobby.wav").write_text("old")

    async def hold() -> None:
        session: AgentSession[None] = AgentSession(actors=[Recorder(tmp_path / "{room}.wav")])
        await session.start(Agent(instructions=""), room=MemoryTransport(silence_rate=RATE), room_name="lobby")
        await asyncio.sleep(0.5)
        await session.aclose()

    run(hold)
    left, _, _ = both(tmp_path / "lobby.wav")
    assert len(left) == pytest.approx(RATE / 2, abs=RATE * 0.03)
    assert [path.name for path in tmp_path.iterdir()] == ["lobby.wav"]


def test_session_that_ends_at_once_has_its_file(tmp_path: Path) -> None:
    async def script(session: AgentSession[None]) -> None:
        pass

    run(lambda: session_with(Recorder(tmp_path / "call.wav"), MemoryTransport(silence_rate=RATE), script))
    left, _, _ = both(tmp_path / "call.wav")
    assert len(left) < RATE * 0.1


def test_recording_that_cannot_be_written_is_reported_and_the_call_goes_on(tmp_path: Path) -> None:
    errors: list[ErrorEvent] = []
    transport = MemoryTransport(silence_rate=RATE)

    async def script(session: AgentSession[None]) -> None:
        await asyncio.sleep(1.0)
        await session.say("hello").wait_for_playout()

    run(lambda: session_with(Recorder(tmp_path / "gone" / "call.wav"), transport, script, errors))
    assert [(event.source.split("/")[1], event.recoverable) for event in errors] == [("recorder", True)]
    assert "No such file or directory" in repr(errors[0].error)
    (agent,) = transport.agent_audio
    assert agent.duration == pytest.approx(len("hello") * SECONDS_PER_CHARACTER)


def test_nothing_is_left_of_a_file_that_broke_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Recording, "write", full)
    errors: list[ErrorEvent] = []

    async def script(session: AgentSession[None]) -> None:
        await asyncio.sleep(2.0)

    run(lambda: session_with(Recorder(tmp_path / "call.wav"), MemoryTransport(silence_rate=RATE), script, errors))
    assert "No space left" in repr(errors[0].error)
    assert list(tmp_path.iterdir()) == []


def test_a_session_that_breaks_keeps_its_recording(tmp_path: Path) -> None:
    transport = MemoryTransport(silence_rate=RATE)

    async def script(session: AgentSession[None]) -> None:
        await asyncio.sleep(1.0)
        transport.drop("the network is gone")
        await session.wait_closed()

    run(lambda: session_with(Recorder(tmp_path / "call.wav"), transport, script))
    left, _, _ = both(tmp_path / "call.wav")
    assert len(left) == pytest.approx(RATE, abs=RATE * 0.05)


@pytest.mark.parametrize("rate", [0, 7999, 48001])
def test_rate_out_of_range(rate: int) -> None:
    with pytest.raises(OptionError, match=f"got {rate}"):
        Recorder(sample_rate=rate)


@pytest.mark.parametrize("seed", range(8))
def test_late_reports_do_not_move_a_steady_voice(tmp_path: Path, seed: int) -> None:
    """Frames of an unbroken line are told late, some in bursts after a stall; the recording is the line as it was."""
    rng = random.Random(seed)
    line = tone(6.0, level=9000, pitch=rng.uniform(100, 1000))
    recording = Recording(tmp_path / "call.wav", sample_rate=RATE, began=0)
    recording.open()
    blocked_until = 0
    for number in range(300):
        end = (number + 1) * 20_000_000
        if end > blocked_until and number < 250 and rng.random() < 0.03:
            blocked_until = end + rng.randrange(50_000_000, 400_000_000)
        frame = AudioFrame(line.data[number * 960 : (number + 1) * 960], RATE)
        recording.write([Sound("caller", frame, max(blocked_until, end + rng.randrange(0, 8_000_000)))])
    recording.finish([])
    left, right, _ = both(tmp_path / "call.wav")
    heard = left[np.flatnonzero(left)[0] :].tobytes().rstrip(b"\0")
    assert heard in line.data  # no gap, no click, nothing twice
    assert len(heard) > 0.99 * len(line.data)
    assert len(left) / RATE == pytest.approx(6.0, abs=0.07)
    assert not right.any()


def test_callers_are_mixed_and_clipped_not_wrapped(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "call.wav", sample_rate=RATE, began=0)
    recording.open()
    loud = AudioFrame(np.full(RATE, 30000, "<i2").tobytes(), RATE)
    recording.write([Sound("ann", loud, NS), Sound("bob", loud, NS), Sound(AGENT, tone(1.0), NS)])
    recording.finish([])
    left, right, _ = both(tmp_path / "call.wav")
    assert set(left.tolist()) == {32767}
    assert right.tobytes() == tone(1.0).data


def test_stereo_callers_are_mixed_down(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "call.wav", sample_rate=RATE, began=0)
    recording.open()
    stereo = AudioFrame(np.tile(np.array([1000, 3000], "<i2"), RATE).tobytes(), RATE, 2)
    recording.finish([Sound("ann", stereo, NS)])
    left, _, _ = both(tmp_path / "call.wav")
    assert set(left.tolist()) == {2000}
