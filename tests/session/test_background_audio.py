"""Sounds beside the agent's voice: when each sample of them is heard, in virtual time."""

from __future__ import annotations

import asyncio
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sessionactors import (
    AgentSession,
    AudioConfig,
    AudioFrame,
    BackgroundAudioPlayer,
    BackgroundSink,
    BuiltinAudioClip,
    OptionError,
    SessionStateError,
)
from sessionactors.testing import Scenario, invariants
from sessionactors.testing.virtual_loop import run
from sessionactors.transports import FileTransport, MemoryTransport

from tests.session.talks import Session, keeper, one_turn

RATE = 48000


def tone(seconds: float, level: int = 1000) -> AudioFrame:
    return AudioFrame(np.full(round(seconds * RATE), level, "<i2").tobytes(), RATE)


async def frames(*levels: int, seconds: float = 0.1, pause: float = 0.0) -> AsyncIterator[AudioFrame]:
    for level in levels:
        await asyncio.sleep(pause)
        yield tone(seconds, level)


def heard(room: MemoryTransport) -> list[tuple[float, list[tuple[int, int]]]]:
    """When each run began, and its levels with the number of samples."""
    runs = []
    for played in room.background_audio:
        samples = np.frombuffer(played.pcm, "<i2")
        edges = [0, *(np.flatnonzero(np.diff(samples)) + 1).tolist(), len(samples)]
        levels = [(int(samples[a]), b - a) for a, b in pairwise(edges)]
        runs.append((round(played.at, 6), levels))
    return runs


def playing(play: Callable[[BackgroundAudioPlayer], Awaitable[object]], **sounds: Any) -> MemoryTransport:
    """A room in which a player does something; closed behind it."""
    room = MemoryTransport()

    async def main() -> None:
        player = BackgroundAudioPlayer(**sounds)
        await player.start(room=room)
        try:
            await play(player)
        finally:
            await player.aclose()
            await room.aclose()

    run(main)
    return room


def wav(path: Path, seconds: float, level: int = 1000, rate: int = RATE) -> str:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(np.full(round(seconds * rate), level, "<i2").tobytes())
    return str(path)


def test_a_sound_is_played_at_once_and_awaited_to_its_last_sample() -> None:
    over: list[float] = []

    async def play(player: BackgroundAudioPlayer) -> None:
        await asyncio.sleep(1.0)
        handle = player.play(frames(100, 200))
        assert await handle is handle
        assert handle.done()
        handle.stop()
        over.append(asyncio.get_running_loop().time())

    (one,) = heard(playing(play))
    assert one == (1.0, [(100, 4800), (200, 4800)])
    assert over == [pytest.approx(1.2, abs=0.002)]


def test_sounds_that_play_together_are_added_where_they_meet() -> None:
    async def play(player: BackgroundAudioPlayer) -> None:
        first = player.play(frames(100, seconds=0.6))
        await asyncio.sleep(0.2)
        await player.play(frames(7, seconds=0.1))
        await first

    ((_, levels),) = heard(playing(play))
    assert [level for level, _ in levels] == [100, 107, 100]
    assert levels[1][1] == 4800
    assert sum(samples for _, samples in levels) == 28800
    assert 9600 <= levels[0][1] <= 9600 + 7200  # it begins behind what was handed over


def test_a_sound_that_begins_after_silence_begins_at_once_and_one_in_the_tail_follows_it() -> None:
    async def play(player: BackgroundAudioPlayer) -> None:
        await player.play(frames(1, seconds=0.05))
        await player.play(frames(2, seconds=0.05))
        await asyncio.sleep(1.0)
        await player.play(frames(3, seconds=0.05))

    runs = heard(playing(play))
    assert [levels for _, levels in runs][-1] == [(3, 2400)]
    assert runs[-1][0] == pytest.approx(1.1, abs=0.01)


def test_a_file_in_another_rate_is_ambient_again_and_again_until_the_end(tmp_path: Path) -> None:
    room = playing(
        lambda _: asyncio.sleep(1.0), ambient_sound=AudioConfig(wav(tmp_path / "a.wav", 0.3, 1000, 16000), 0.5)
    )
    ((begin, levels),) = heard(room)
    seconds = sum(samples for _, samples in levels) / RATE
    assert begin == pytest.approx(0.0, abs=0.01)
    assert 1.0 <= seconds <= 1.2
    middle = np.frombuffer(room.background_audio[0].pcm, "<i2")[4800:9600]
    assert abs(int(np.median(middle)) - 500) <= 2


def test_a_sound_that_is_stopped_is_silent_soon_and_one_with_a_fade_falls() -> None:
    async def play(player: BackgroundAudioPlayer) -> None:
        cut = player.play(frames(*[100] * 20))
        faded = player.play(AudioConfig(frames(*[1000] * 20), fade_out=0.1))
        await asyncio.sleep(0.5)
        cut.stop()
        faded.stop()
        faded.stop()
        await asyncio.sleep(0)
        assert cut.error is None
        await asyncio.gather(cut.wait_for_playout(), faded.wait_for_playout())

    room = playing(play)
    samples = np.concatenate([np.frombuffer(played.pcm, "<i2") for played in room.background_audio])
    whole = int(np.flatnonzero(samples == 1100)[-1]) / RATE
    assert 0.5 <= whole <= 0.66
    fall = samples[round(whole * RATE) + 1 :]
    assert len(np.flatnonzero(fall)) == pytest.approx(4800, abs=30)
    assert (np.diff(fall[:4700].astype(int)) <= 0).all()


def test_frames_that_come_late_are_waited_for_and_nothing_is_lost() -> None:
    async def play(player: BackgroundAudioPlayer) -> None:
        await player.play(frames(1, 2, 3, seconds=0.1, pause=0.2))

    runs = heard(playing(play))
    assert [level for _, levels in runs for level, _ in levels if level] == [1, 2, 3]
    assert sum(samples for _, levels in runs for level, samples in levels if level) == 14400


def test_what_cannot_be_played_is_over_with_the_reason() -> None:
    async def broken() -> AsyncIterator[AudioFrame]:
        yield tone(0.1)
        raise OSError("unplugged")

    async def play(player: BackgroundAudioPlayer) -> None:
        handle = player.play(broken())
        missing = player.play("/nowhere/at_all.wav")
        await handle
        await missing
        assert "unplugged" in str(handle.error)
        assert "/nowhere/at_all.wav" in str(missing.error)
        silence = player.play([AudioConfig(frames(1), probability=0.0)])
        await silence
        assert silence.error is None

    playing(play)


def test_what_plays_when_the_player_is_closed_is_over() -> None:
    handles: list[Any] = []

    async def play(player: BackgroundAudioPlayer) -> None:
        handles.append(player.play(frames(*[1] * 100)))
        await asyncio.sleep(0.1)

    playing(play)
    assert handles[0].done()


@pytest.mark.parametrize("clip", BuiltinAudioClip, ids=lambda clip: clip.value)
def test_the_clips_of_the_package_are_sound_that_loops_without_a_click(clip: BuiltinAudioClip) -> None:
    samples = np.frombuffer(clip.pcm(8000), "<i2").astype(int)
    assert len(samples) == 12 * 8000
    assert 15000 < np.abs(samples).max() <= 16000
    assert np.abs(samples).mean() > 50
    steps = np.abs(np.diff(samples))
    assert abs(samples[0] - samples[-1]) <= steps.max()


def accompanied(scenario: Scenario, **sounds: Any) -> MemoryTransport:
    """The scenario's session with a player in another room, so that both are looked at apart."""
    rooms: list[MemoryTransport] = []
    starting: list[asyncio.Task[None]] = []

    def start(session: Session) -> None:
        player = BackgroundAudioPlayer(**sounds)
        starting.append(asyncio.get_running_loop().create_task(player.start(agent_session=session)))
        room = session._wiring.components.transport  # type: ignore[union-attr]
        assert isinstance(room, MemoryTransport)
        rooms.append(room)

    scenario.call(0.01, start)
    invariants.check(scenario.play())
    return rooms[0]


def test_the_thinking_sound_plays_while_the_agent_thinks_and_stops_when_it_speaks(tmp_path: Path) -> None:
    scenario = one_turn()
    scenario.close(at=8.0)
    room = accompanied(scenario, thinking_sound=wav(tmp_path / "t.wav", 0.2))
    ((begin, levels),) = heard(room)
    (spoken,) = room.agent_audio
    silent_from = begin + sum(samples for level, samples in levels if level) / RATE
    assert 2.5 < begin < spoken.at
    assert spoken.at <= silent_from <= spoken.at + 0.16


def test_it_ends_with_its_session() -> None:
    scenario = one_turn()
    scenario.close(at=6.0)
    room = accompanied(scenario, ambient_sound=frames(*[5] * 1000))
    ((_, levels),) = heard(room)
    seconds = sum(samples for _, samples in levels) / RATE
    assert 5.9 <= seconds <= 6.3


def test_a_file_gets_both_in_one_recording(tmp_path: Path) -> None:
    caller = wav(tmp_path / "in.wav", 0.2)

    async def main() -> None:
        transport = FileTransport(caller, tmp_path / "out.wav", sample_rate=24000)
        session: AgentSession[None] = AgentSession()
        await session.start(keeper(), room=transport)
        player = BackgroundAudioPlayer()
        await player.start(agent_session=session)
        await player.play(frames(300, seconds=0.5))
        await session.aclose()
        with pytest.raises(SessionStateError, match="does not play"):
            player.play(frames(1))

    run(main)
    with wave.open(str(tmp_path / "out.wav")) as file:
        assert file.getframerate() == 24000
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    assert len(np.flatnonzero(abs(samples.astype(int) - 300) <= 3)) == pytest.approx(12000, abs=50)


def test_mistakes_are_told_with_what_to_do() -> None:
    async def main() -> None:
        with pytest.raises(OptionError, match="thinking_sound needs"):
            await BackgroundAudioPlayer(thinking_sound=frames(1)).start(room=MemoryTransport())
        with pytest.raises(OptionError, match="needs start"):
            await BackgroundAudioPlayer().start()
        with pytest.raises(OptionError, match="no place"):
            await BackgroundAudioPlayer().start(room=MemoryTransport(audio=False))
        with pytest.raises(OptionError, match="is no room"):
            await BackgroundAudioPlayer().start(room=object())  # type: ignore[arg-type]
        with pytest.raises(SessionStateError, match="start it before"):
            await BackgroundAudioPlayer().start(agent_session=AgentSession())
        with pytest.raises(SessionStateError, match=r"start\(\) it first"):
            BackgroundAudioPlayer().play(frames(1))
        with pytest.raises(OptionError, match=r"volume must be >= 0, got -1"):
            BackgroundAudioPlayer(ambient_sound=AudioConfig(frames(1), volume=-1))
        with pytest.raises(OptionError, match="probability must be"):
            BackgroundAudioPlayer(ambient_sound=AudioConfig(frames(1), probability=2))
        with pytest.raises(OptionError, match="is no sound"):
            BackgroundAudioPlayer(ambient_sound=7)  # type: ignore[arg-type]
        player = BackgroundAudioPlayer()
        await player.aclose()
        await player.start(room=MemoryTransport())
        with pytest.raises(SessionStateError, match="plays already"):
            await player.start(room=MemoryTransport())
        with pytest.raises(OptionError, match="frames come once"):
            player.play(frames(1), loop=True)
        await player.aclose()

    run(main)


class Broken(BackgroundSink):
    """A sink that cannot."""

    def play(self, frame: AudioFrame) -> None:
        raise OSError("no such device")

    async def aclose(self) -> None:
        pass


class BrokenRoom(MemoryTransport):
    async def open_background(self, options: object | None = None) -> BackgroundSink:
        return Broken()


def test_a_sink_that_fails_ends_what_plays_and_nobody_waits_for_ever() -> None:
    async def main() -> None:
        player = BackgroundAudioPlayer()
        await player.start(room=BrokenRoom())
        handle = player.play(frames(1))
        await asyncio.wait_for(handle.wait_for_playout(), 60)
        with pytest.raises(SessionStateError, match="does not play"):
            player.play(frames(1))
        await player.aclose()

    run(main)
