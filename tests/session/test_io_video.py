"""Video: which pictures are kept, who sees them, and how one gets into a message."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from sessionactors import (
    AgentSession,
    ErrorEvent,
    OptionError,
    RoomInputOptions,
    RoomOptions,
    RoomVideoOutput,
    SessionStateError,
    VideoFormatError,
    VideoFrame,
    VideoInput,
    VideoInputOptions,
    VideoOutput,
    VideoSource,
    VoiceActivityVideoSampler,
)
from sessionactors.testing import SPEAKING, Run, Scenario, virtual_loop
from sessionactors.transports.memory import MemoryTransport

from tests.session.realtime_talks import one_turn
from tests.session.talks import Session, keeper

DOT = VideoFrame(bytes(4), 1, 1)


class Camera(VideoInput):
    """Ten pictures a second, numbered by their width."""

    def __init__(self, fails: bool = False) -> None:
        super().__init__(label="camera")
        self.taken = 0
        self.log: list[str] = []
        self._fails = fails

    async def __anext__(self) -> VideoFrame:
        await asyncio.sleep(0.1)
        if self._fails:
            raise OSError("unplugged")
        self.taken += 1
        return VideoFrame(bytes(4 * self.taken), self.taken, 1)

    def on_attached(self) -> None:
        self.log.append("attached")

    def on_detached(self) -> None:
        self.log.append("detached")


def watched(camera: Camera, **options: object) -> Scenario:
    """Ten seconds of a camera; the user speaks from 5 to 8 s."""
    scenario = Scenario(keeper(), frame_ms=50, **options)  # type: ignore[arg-type]
    scenario.call(0.05, lambda session: setattr(session.input, "video", camera))
    scenario.user_says("Look at this.", at=5.0, until=8.0)
    scenario.llm_replies("I see.")
    scenario.close(at=10.1)
    return scenario


def kept(run: Run) -> object:
    return run.state_of("video")["kept"]


def test_more_pictures_are_kept_while_the_user_speaks() -> None:
    camera = Camera()
    run = watched(camera).play()
    assert camera.log == ["attached", "detached"]
    assert run.state_of("video")["seen"] == camera.taken
    assert kept(run) == 2 + 3 + 1  # 0.15, 3.55, each second from the voice on, and one in the silence


def test_every_picture_is_kept_without_a_sampler() -> None:
    camera = Camera()
    run = watched(camera, video_sampler=None).play()
    assert kept(run) == camera.taken > 90


def test_users_may_choose_themselves_on_their_own_loop() -> None:
    seen: list[int] = []

    async def every_third(frame: VideoFrame, session: Session) -> bool:
        assert session.agent_state in ("listening", "thinking", "speaking")
        await asyncio.sleep(0.01)
        seen.append(frame.width)
        return frame.width % 3 == 0

    camera = Camera()
    run = watched(camera, video_sampler=every_third).play()
    assert kept(run) == sum(1 for width in seen if width % 3 == 0)
    assert len(seen) > 90


def test_a_sampler_that_hangs_or_raises_costs_its_picture_and_is_reported() -> None:
    async def bad(frame: VideoFrame, session: Session) -> bool:
        if frame.width == 1:
            await asyncio.sleep(60)
        raise ValueError("no")

    run = watched(Camera(), video_sampler=bad).play()
    assert kept(run) == 0
    errors = [event.source for event in run.of(ErrorEvent)]
    assert len(errors) > 80
    assert set(errors) == {"video_sampler"}


def test_the_newest_picture_can_be_read_and_put_into_a_message() -> None:
    frames: list[VideoFrame | None] = []
    scenario = watched(Camera())
    scenario.call(0.04, lambda session: frames.append(session.input.last_frame))
    scenario.call(1.0, lambda session: frames.append(session.input.last_frame))
    scenario.play()
    nothing, picture = frames
    assert nothing is None
    assert picture is not None
    assert picture.as_image().mime_type == "image/jpeg"


def test_while_video_is_disabled_nothing_is_kept() -> None:
    camera = Camera()
    scenario = watched(camera, video_sampler=None)
    scenario.call(0.01, lambda session: session.input.set_video_enabled(False))
    scenario.call(9.0, lambda session: session.input.set_video_enabled(True))
    assert 9 <= int(str(kept(scenario.play()))) <= 12


def test_a_camera_may_be_replaced_and_may_fail() -> None:
    first, second = Camera(), Camera(fails=True)
    scenario = watched(first)
    scenario.call(2.0, lambda session: setattr(session.input, "video", second))
    scenario.call(3.0, lambda session: setattr(session.input, "video", None))
    scenario.play()
    assert first.taken == pytest.approx(19, abs=1)
    assert (first.log, second.log) == (["attached", "detached"], ["attached", "detached"])


def test_p12_a_failure_of_video_costs_the_call_nothing() -> None:
    camera = Camera()
    scenario = watched(camera, video_sampler=None)
    scenario.kill("video", message=20)
    run = scenario.play()
    assert run.killed == ("video",)
    assert run.said() == ["I see."]
    assert int(str(kept(run))) > 80


def test_a_realtime_model_sees_what_is_kept() -> None:
    camera = Camera()
    scenario = one_turn(SPEAKING)
    scenario.call(0.05, lambda session: setattr(session.input, "video", camera))
    run = scenario.play()
    assert run.realtime is not None
    pictures = run.realtime.last.pictures
    assert len(pictures) == kept(run)
    assert len(pictures) >= 4


@pytest.mark.parametrize(
    "speaking, since_last, wanted",
    [
        (False, None, True),
        (True, 0.99, False),
        (True, 1.0, True),
        (False, 1.0, False),
        (False, 3.3, False),
        (False, 3.34, True),
    ],
)
def test_what_the_sampler_wants(speaking: bool, since_last: float | None, wanted: bool) -> None:
    assert VoiceActivityVideoSampler().wants(speaking=speaking, since_last=since_last) is wanted


def test_rates_are_checked_and_none_in_silence_is_none() -> None:
    assert not VoiceActivityVideoSampler(silent_fps=0.0).wants(speaking=False, since_last=None)
    with pytest.raises(OptionError, match="speaking_fps must be > 0"):
        VoiceActivityVideoSampler(speaking_fps=0.0)
    with pytest.raises(OptionError, match="silent_fps"):
        VoiceActivityVideoSampler(silent_fps=-1.0)


def test_what_cannot_choose_is_refused() -> None:
    with pytest.raises(OptionError, match="video_sampler takes a callable"):
        AgentSession(video_sampler=1.0)  # type: ignore[arg-type]


def test_pictures_are_checked() -> None:
    with pytest.raises(VideoFormatError, match="must be positive"):
        VideoFrame(b"", 0, 1)
    with pytest.raises(VideoFormatError, match="are 12 bytes, got 5"):
        VideoFrame(bytes(5), 2, 2, "rgb24")
    with pytest.raises(VideoFormatError, match="unknown format 'jpg'"):
        VideoFrame(b"", 1, 1, "jpg")
    assert repr(VideoFrame(bytes(6), 2, 2, "i420")) == "<VideoFrame 2 x 2 i420>"


# -- what participants show --------------------------------------------------------------------------------------------


class Shown(VideoSource):
    """Ten pictures a second of some width."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.starts = 0
        self._task: asyncio.Task[None] | None = None

    def start(self, on_frame: Callable[[VideoFrame], None], on_end: Callable[[], None]) -> None:
        self.starts += 1
        self._task = asyncio.get_running_loop().create_task(self._show(on_frame))

    async def _show(self, on_frame: Callable[[VideoFrame], None]) -> None:
        while True:
            await asyncio.sleep(0.1)
            on_frame(VideoFrame(bytes(4 * self.width), self.width, 1))

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None


def room_with(camera: Shown) -> MemoryTransport:
    room = MemoryTransport(frame_ms=100)
    room.show(camera)
    return room


def widths(scenario: Scenario, *times: float) -> list[int | None]:
    """How wide the last picture is that was kept, at these times."""
    seen: list[int | None] = []

    def look(session: Session) -> None:
        frame = session.input.last_frame
        seen.append(None if frame is None else frame.width)

    for at in times:
        scenario.call(at, look)
    scenario.close(at=times[-1] + 0.1)
    scenario.play()
    return seen


def test_what_a_participant_shows_is_looked_at_if_that_is_wanted() -> None:
    camera = Shown(3)
    options = RoomOptions(video_input=True)
    watched = Scenario(keeper(), room=lambda: room_with(camera), room_options=options, video_sampler=None, frame_ms=100)
    assert widths(watched, 0.5) == [3]
    blind = Shown(3)
    assert widths(Scenario(keeper(), room=lambda: room_with(blind), video_sampler=None, frame_ms=100), 0.5) == [None]
    assert (camera.starts, blind.starts) == (1, 0)


def test_one_participant_is_looked_at_the_first_who_is_listened_to_and_shows_something() -> None:
    first, second = Shown(3), Shown(5)
    rooms: list[MemoryTransport] = []

    def room() -> MemoryTransport:
        rooms.append(room_with(first))
        return rooms[-1]

    def show(_: Session) -> None:
        rooms[-1].join("second")
        rooms[-1].show(second, "second")

    options = RoomInputOptions(video_enabled=True)
    scenario = Scenario(keeper(), room=room, room_input_options=options, video_sampler=None, frame_ms=100)
    scenario.call(1.0, show)
    scenario.call(2.0, lambda session: session.room_io.set_participant("second"))
    scenario.call(3.0, lambda session: session.room_io.unset_participant())
    scenario.call(4.0, lambda _: rooms[-1].show(None))
    scenario.call(5.0, lambda _: rooms[-1].leave("second"))
    assert widths(scenario, 1.5, 2.5, 3.5, 4.5) == [3, 5, 3, 5]
    assert (first.starts, second.starts) == (2, 2)


def test_an_input_of_the_sessions_own_takes_the_place_of_what_is_shown_in_the_room() -> None:
    camera, own = Shown(3), Camera()
    options = RoomOptions(video_input=VideoInputOptions())
    rooms = [room_with(camera)]
    scenario = Scenario(keeper(), room=lambda: rooms[0], room_options=options, frame_ms=100)
    scenario.call(0.2, lambda session: setattr(session.input, "video", own))
    scenario.call(0.5, lambda _: rooms[0].join("second"))
    scenario.call(1.5, lambda session: setattr(session.input, "video", None))
    widths(scenario, 2.0)
    assert 10 < own.taken < 14
    assert camera.starts == 2


# -- what the agent shows ----------------------------------------------------------------------------------------------


class Mirror(VideoOutput):
    """Keeps what is shown."""

    def __init__(self) -> None:
        super().__init__(label="mirror")
        self.log: list[object] = []

    async def capture_frame(self, frame: VideoFrame) -> None:
        self.log.append(frame)

    def flush(self) -> None:
        self.log.append("flush")


def test_what_is_drawn_for_the_agent_is_shown_in_its_room_and_passed_on() -> None:
    async def main() -> None:
        room, mirror = MemoryTransport(), Mirror()
        session: AgentSession[None] = AgentSession()
        with pytest.raises(SessionStateError, match="start it before its video"):
            await RoomVideoOutput.open(session, width=1, height=1)
        with pytest.raises(OptionError, match="must be > 0, got 0 x 1"):
            await RoomVideoOutput.open(session, width=0, height=1)
        await session.start(keeper(), room=room)
        output = await RoomVideoOutput.open(session, width=1, height=1, next_in_chain=mirror)
        session.output.video = output
        await session.output.video.capture_frame(DOT)
        output.flush()
        await output.aclose()
        await output.capture_frame(DOT)
        assert room.agent_video == [DOT]
        assert mirror.log == [DOT, "flush", DOT]
        await session.aclose()

    virtual_loop.run(main)


def test_a_room_that_shows_no_video_says_so() -> None:
    async def main() -> None:
        session: AgentSession[None] = AgentSession()
        await session.start(keeper())
        with pytest.raises(OptionError, match="no room to show video in"):
            await RoomVideoOutput.open(session, width=1, height=1)
        await session.aclose()
        silent: AgentSession[None] = AgentSession()
        await silent.start(keeper(), room=Blind())
        with pytest.raises(OptionError, match="shows no video"):
            await RoomVideoOutput.open(silent, width=1, height=1)
        await silent.aclose()

    virtual_loop.run(main)


class Blind(MemoryTransport):
    """A room in which nobody can look."""

    async def open_video(self, width: int, height: int, options: object | None = None) -> None:
        return None
