"""What is heard beside the agent: it fills the pauses of its voice, and moves no position."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from sessionactors import Agent, BackgroundAudioPlayer, RoomSupervisor, SessionSpec, SessionStateError, serve_rooms
from sessionactors.interfaces.audio_io import PlaybackFinished
from sessionactors.model.audio import AudioFrame
from sessionactors.testing.scripted_llm import ScriptedLLM, ScriptedReply
from sessionactors.testing.websocket_clients import NativeClient
from sessionactors.transports.websocket import TwilioMediaStream, WebSocketTransport, Wire
from sessionactors.transports.websocket.beside import WebSocketBackground
from sessionactors.transports.websocket.wire import Begin, Clear, End, Mark, Sound, Told

from tests.transports.virtual import in_virtual_time
from tests.transports.websocket.test_remote_playout import RATE, Stage, native

HUM = AudioFrame(b"\x07\x00" * (RATE // 20), RATE)
"""50 ms, as the mixer hands it over."""


class WhatIsTold:
    """What a stage's client was told, without times."""

    def __init__(self, stage: Stage) -> None:
        self.words: list[Told] = []
        post = stage.line.post

        def noted(*words: Told) -> None:
            self.words += words
            post(*words)

        stage.line.post = noted  # type: ignore[method-assign]

    def kinds(self) -> list[tuple[str, int]]:
        """In order, what comes again and again once."""
        kinds = [
            (type(word).__name__, word.stretch) for word in self.words if isinstance(word, Begin | Sound | Clear | End)
        ]
        return [kind for number, kind in enumerate(kinds) if number == 0 or kinds[number - 1] != kind]


async def hum(background: WebSocketBackground, seconds: float) -> None:
    """In the mixer's time."""
    for _ in range(round(seconds / 0.05)):
        background.play(HUM)
        await asyncio.sleep(0.05)


@in_virtual_time
@pytest.mark.parametrize("make", [native, TwilioMediaStream])
async def test_it_is_heard_in_pauses_and_taken_back_when_the_agent_begins(make: type[Wire]) -> None:
    stage = Stage(make())
    told, background = WhatIsTold(stage), WebSocketBackground(stage.sink)
    await hum(background, 0.5)
    stage.sink.begin("one")  # its first sound is on its way to us: the pause is not over
    await hum(background, 0.2)
    pcm = stage.write("one", 1.0)
    stage.sink.end("one")
    await hum(background, 0.5)
    await stage.ended()
    await hum(background, 0.2)
    assert told.kinds() == [
        *(("Begin", 1), ("Sound", 1), ("Clear", 1)),
        *(("Begin", 2), ("Sound", 2), ("End", 2)),
        *(("Begin", 3), ("Sound", 3)),
    ]
    assert b"".join(word.pcm for word in told.words if isinstance(word, Sound) and word.stretch == 2) == pcm
    assert all(word.stretch == 2 for word in told.words if isinstance(word, Mark))
    assert {len(word.pcm) % (2 * RATE // 50) for word in told.words if isinstance(word, Sound)} == {0}
    assert stage.end == PlaybackFinished("one", 1.0, interrupted=False)


@in_virtual_time
async def test_it_moves_no_position_of_the_agent_that_is_cut_off() -> None:
    stage, quiet = Stage(), Stage()
    background = WebSocketBackground(stage.sink)
    await hum(background, 0.3)
    for each in (stage, quiet):
        each.sink.begin("one")
        each.write("one", 2.0)
    await hum(background, 0.7)
    for each in (stage, quiet):
        each.sink.clear("one")
    await hum(background, 0.3)
    await stage.ended()
    await quiet.ended()
    assert stage.end.position == pytest.approx(quiet.end.position, abs=0.001)


@in_virtual_time
async def test_nothing_is_sent_while_the_agent_is_paused_or_muted_or_nobody_listens() -> None:
    stage = Stage()
    background = WebSocketBackground(stage.sink)
    stage.sink.begin("one")
    stage.write("one", 2.0)
    await asyncio.sleep(0.5)
    stage.sink.pause("one")
    await asyncio.sleep(0.5)
    told = WhatIsTold(stage)
    background.play(HUM)
    assert told.words == []
    stage.sink.mute()
    background.play(HUM)
    await asyncio.sleep(0.1)
    assert not [word for word in told.words if isinstance(word, Sound)]
    stage.sink.begin("two")
    background.play(HUM)
    assert [type(word) for word in told.words[-2:]] == [Begin, Sound]
    stage.sink.away()
    background.play(HUM)
    stage.sink.back(stage.line, native())
    background.play(HUM)  # to a client that knows nothing of what was before
    assert [type(word) for word in told.words[-2:]] == [Begin, Sound]
    await background.aclose()
    said = len(told.words)
    background.play(HUM)
    assert len(told.words) == said


async def test_a_client_hears_what_is_played_while_the_agent_thinks() -> None:
    player = BackgroundAudioPlayer(thinking_sound=endless())

    class Thinker(Agent):
        async def on_enter(self) -> None:
            await player.start(agent_session=self.session)

    def spec(_room: str) -> SessionSpec:
        return SessionSpec(
            agent=Thinker(instructions="Think."),
            llm=ScriptedLLM(otherwise=ScriptedReply("Well.", ttft=5.0)),
        )

    async with (
        RoomSupervisor(spec, system="running") as rooms,
        serve_rooms(rooms, token=None, port=0) as server,
        NativeClient(server.url) as client,
    ):
        await client.until(lambda: client.of("ready"))
        await client.send(type="text", text="Hm?")
        await client.until(lambda: any(b"\x07\x00" in pcm for _, pcm in client.player.heard))
        assert [message["type"] for message in client.messages if "stretch" in message] == ["begin"]


async def endless() -> AsyncIterator[AudioFrame]:
    """A hum without an end."""
    while True:
        yield AudioFrame(b"\x07\x00" * 1200, 24000)


async def test_it_needs_a_connection() -> None:
    class NoSocket:
        headers: dict[str, str] = {}  # noqa: RUF012

    with pytest.raises(SessionStateError, match="not connected"):
        await WebSocketTransport(NoSocket()).open_background()  # type: ignore[arg-type]
