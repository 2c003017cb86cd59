"""Endpoints of the user's own: what they are given, what they report, and how one takes the place of another."""

from __future__ import annotations

import asyncio

import pytest

from sessionactors import (
    AgentSession,
    AudioFrame,
    AudioInput,
    AudioOutput,
    AudioOutputCapabilities,
    OptionError,
    PlaybackFinishedEvent,
    PlaybackStartedEvent,
    TextOutput,
    VideoFrame,
    VideoInput,
    VideoOutput,
)
from sessionactors.messages.output import PlayoutFinished
from sessionactors.testing import Run, Scenario
from sessionactors.transports.memory import MemorySink

from tests.session.talks import STORY, Session, keeper, near, played

RATE = 16000


class Speaker(AudioOutput):
    """Plays in the time of the loop, as a sound card would."""

    def __init__(self, *, can_pause: bool = True, next_in_chain: AudioOutput | None = None) -> None:
        super().__init__(
            label="speaker",
            capabilities=AudioOutputCapabilities(pause=can_pause),
            next_in_chain=next_in_chain,
            sample_rate=RATE,
        )
        self.log: list[str] = []
        self.captured = 0.0
        self._ends = self._began = 0.0
        self._done: asyncio.TimerHandle | None = None
        self._paused_at: float | None = None
        self._flushed = False
        self._segment = 0.0

    async def capture_frame(self, frame: AudioFrame) -> None:
        assert frame.sample_rate == RATE
        loop = asyncio.get_running_loop()
        first = not self._capturing
        await super().capture_frame(frame)
        if first:
            self._began, self._segment, self._flushed = loop.time(), 0.0, False
            self.log.append("started")
            self.on_playback_started()
        self._segment += frame.duration
        self.captured += frame.duration

    def flush(self) -> None:
        super().flush()
        self._flushed = True
        self._finish_later()

    def _finish_later(self) -> None:
        loop = asyncio.get_running_loop()
        if self._paused_at is None:
            self._done = loop.call_at(self._began + self._segment, self._finish, False)

    def _finish(self, interrupted: bool) -> None:
        loop = asyncio.get_running_loop()
        self._done = None
        position = min(self._segment, (self._paused_at or loop.time()) - self._began)
        self._paused_at = None
        self.log.append("interrupted" if interrupted else "finished")
        self.on_playback_finished(playback_position=position, interrupted=interrupted)

    def clear_buffer(self) -> None:
        if self._done is not None:
            self._done.cancel()
        self._finish(True)

    def pause(self) -> None:
        super().pause()
        self.log.append("paused")
        self._paused_at = asyncio.get_running_loop().time()
        if self._done is not None:
            self._done.cancel()
            self._done = None

    def resume(self) -> None:
        super().resume()
        self.log.append("resumed")
        if self._paused_at is not None:
            self._began += asyncio.get_running_loop().time() - self._paused_at
        self._paused_at = None
        if self._flushed:
            self._finish_later()

    def on_attached(self) -> None:
        self.log.append("attached")

    def on_detached(self) -> None:
        self.log.append("detached")


class Microphone(AudioInput):
    """Frames of silence, 20 ms each, in the time of the loop."""

    def __init__(self) -> None:
        super().__init__(label="microphone")
        self.log: list[str] = []
        self.frames = 0

    async def __anext__(self) -> AudioFrame:
        await asyncio.sleep(0.02)
        self.frames += 1
        return AudioFrame(bytes(2 * RATE // 50), RATE)

    def on_attached(self) -> None:
        self.log.append("attached")

    def on_detached(self) -> None:
        self.log.append("detached")


def through(*speakers: tuple[float, AudioOutput | MemorySink | None]) -> Scenario:
    """The story, said from 0.5 s through these outputs, each put in at its time."""
    scenario = Scenario(keeper())
    for at, speaker in speakers:
        scenario.call(at, lambda session, speaker=speaker: setattr(session.output, "audio", speaker))  # type: ignore[misc]
    scenario.call(0.5, lambda session: session.say(STORY))
    scenario.tts_speaks(duration=6.0, text=STORY)
    return scenario


def reports(run: Run) -> list[PlayoutFinished]:
    return run.told(PlayoutFinished)


def test_an_output_is_given_all_frames_and_its_reports_count() -> None:
    speaker = Speaker()
    run = through((0.1, speaker)).play()
    assert speaker.captured == near(6.0)
    assert speaker.log == ["attached", "started", "finished", "detached"]
    assert run.agent_became("speaking") == [near(0.7)]
    assert run.agent_became("listening")[1:] == [near(6.7)]
    assert run.said() == [STORY]
    (report,) = reports(run)
    assert (report.position, report.interrupted) == (near(6.0), False)


def test_an_interruption_clears_the_output_and_keeps_what_was_heard() -> None:
    speaker = Speaker()
    scenario = through((0.1, speaker))
    scenario.call(2.7, lambda session: session.interrupt())
    run = scenario.play()
    assert speaker.log == ["attached", "started", "interrupted", "detached"]
    (report,) = reports(run)
    assert (report.position, report.interrupted) == (near(2.0), True)
    (said,) = run.said()
    assert STORY.startswith(said)
    assert said == report.heard != STORY


def test_a_sink_replaced_in_the_middle_of_a_segment_is_cleared_and_reported_once() -> None:
    first, second = Speaker(), Speaker()
    scenario = through((0.1, first), (2.7, second))
    scenario.call(4.0, lambda session: session.say("And now here."))
    run = scenario.play()
    assert first.log == ["attached", "started", "interrupted", "detached"]
    assert second.log == ["attached", "started", "finished", "detached"]
    story, after = reports(run)
    assert (story.interrupted, story.position) == (True, near(2.0))
    assert not after.interrupted
    assert len(run.said()) == 2


def test_ports_and_classes_may_take_each_others_place() -> None:
    speaker, sink = Speaker(), MemorySink()
    scenario = through((0.1, speaker), (2.7, sink))
    scenario.call(4.0, lambda session: session.say("And now here."))
    run = scenario.play()
    assert speaker.log == ["attached", "started", "interrupted", "detached"]
    assert sum(piece.duration for piece in sink.runs) > 0.5
    assert [report.interrupted for report in reports(run)] == [True, False]


class Wrapper(AudioOutput):
    """Passes on, and counts."""

    def __init__(self, behind: AudioOutput) -> None:
        super().__init__(label="wrapper", capabilities=AudioOutputCapabilities(pause=True), next_in_chain=behind)
        self.passed: list[tuple[float, bool]] = []
        self.on("playback_finished", lambda event: self.passed.append((event.playback_position, event.interrupted)))

    async def capture_frame(self, frame: AudioFrame) -> None:
        await super().capture_frame(frame)
        assert self.next_in_chain is not None
        await self.next_in_chain.capture_frame(frame)

    def flush(self) -> None:
        super().flush()
        assert self.next_in_chain is not None
        self.next_in_chain.flush()

    def clear_buffer(self) -> None:
        assert self.next_in_chain is not None
        self.next_in_chain.clear_buffer()


def test_the_end_of_a_chain_is_replaced_and_the_rest_of_it_stays() -> None:
    first, second = Speaker(), Speaker(can_pause=False)
    wrapper = Wrapper(first)
    scenario = through((0.1, wrapper))
    scenario.call(2.7, lambda session: session.output.replace_audio_tail(second))
    scenario.call(4.0, lambda session: session.say(STORY.lower()))
    scenario.user_says("Stop it.", at=4.5, until=5.3)
    scenario.llm_replies("Well then.")
    run = scenario.play()
    assert first.log == ["attached", "started", "interrupted", "detached"]
    assert second.log[:3] == ["attached", "started", "interrupted"]  # and not paused: it cannot
    assert wrapper.passed[0] == (near(2.0), True)
    assert len(wrapper.passed) == 3
    assert [report.interrupted for report in reports(run)] == [True, True, False]
    assert run.said()[-1] == "Well then."


def test_the_end_of_a_chain_is_replaced_in_silence_and_before_the_start() -> None:
    first, second, third = Speaker(), Speaker(), Speaker()
    wrapper = Wrapper(first)
    scenario = through((0.0, wrapper))
    scenario.call(0.2, lambda session: session.output.replace_audio_tail(second))
    scenario.play()
    assert (first.log, second.captured) == (["attached", "detached"], near(6.0))
    output = AgentSession[object]().output
    output.audio = wrapper
    output.replace_audio_tail(third)
    assert (wrapper.next_in_chain, output.audio) == (third, wrapper)


def test_an_output_without_a_chain_is_replaced_itself() -> None:
    first, second = Speaker(), Speaker()
    scenario = through((0.1, first))
    scenario.call(2.7, lambda session: session.output.replace_audio_tail(second))
    run = scenario.play()
    assert first.log == ["attached", "started", "interrupted", "detached"]
    assert run.said() == [reports(run)[0].heard]
    with pytest.raises(OptionError, match="takes an AudioOutput"):
        AgentSession[object]().output.replace_audio_tail(MemorySink())  # type: ignore[arg-type]


class Mute(Speaker):
    """Never says that it was cleared."""

    def clear_buffer(self) -> None:
        self.log.append("cleared")


def test_an_end_that_does_not_say_that_it_was_cleared_is_replaced_all_the_same() -> None:
    first, second = Mute(), Speaker()
    scenario = through((0.1, Wrapper(first)))
    scenario.call(2.7, lambda session: session.output.replace_audio_tail(second))
    scenario.call(3.0, lambda session: session.interrupt())
    scenario.call(5.0, lambda session: session.say("And now here."))
    run = scenario.play()
    assert run.said()[-1] == "And now here."
    assert second.log == ["attached", "started", "finished", "detached"]


class Knowing(Speaker):
    """Knows what was heard."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def on_playback_finished(
        self, *, playback_position: float, interrupted: bool, synchronized_transcript: str | None = None
    ) -> None:
        super().on_playback_finished(
            playback_position=playback_position, interrupted=interrupted, synchronized_transcript=self.text
        )


@pytest.mark.parametrize("text, kept", [("Once upon a time there was a king", True), ("", False)])
def test_the_text_that_an_output_says_was_heard_is_what_is_kept(text: str, kept: bool) -> None:
    scenario = through((0.1, Knowing(text)))
    scenario.call(2.7, lambda session: session.interrupt())
    assert scenario.play().said() == ([text] if kept else [])


def test_of_a_segment_that_is_heard_to_its_end_all_is_kept() -> None:
    assert through((0.1, Knowing("Once"))).play().said() == [STORY]


def test_without_a_sink_the_next_words_are_text() -> None:
    speaker = Speaker()
    scenario = through((0.1, speaker), (2.7, None))
    scenario.call(4.0, lambda session: session.say("In writing."))
    run = scenario.play()
    assert speaker.log == ["attached", "started", "interrupted", "detached"]
    assert run.said()[1] == "In writing."


def test_an_output_that_can_pause_is_held_by_a_voice_and_goes_on() -> None:
    speaker = Speaker()
    scenario = through((0.1, speaker))
    scenario.user_says("", at=2.0, until=2.8)
    run = scenario.play()
    assert speaker.log == ["attached", "started", "paused", "resumed", "finished", "detached"]
    assert speaker.captured == near(6.0)
    (report,) = reports(run)
    assert (report.position, report.interrupted) == (near(6.0), False)
    assert run.said() == [STORY]


def test_an_output_that_cannot_pause_is_cut_off() -> None:
    speaker = Speaker(can_pause=False)
    scenario = through((0.1, speaker))
    scenario.user_says("Stop it.", at=2.0, until=2.8)
    scenario.llm_replies("Well then.")
    scenario.play()
    assert speaker.log[:3] == ["attached", "started", "interrupted"]
    assert "paused" not in speaker.log


def test_an_output_that_raises_ends_its_segment_and_hurts_nobody() -> None:
    class Broken(Speaker):
        async def capture_frame(self, frame: AudioFrame) -> None:
            raise OSError("unplugged")

    scenario = through((0.1, Broken()))
    scenario.call(3.0, lambda session: setattr(session.output, "audio", MemorySink()))
    scenario.call(3.5, lambda session: session.say("Here I am."))
    run = scenario.play()
    assert run.said()[-1] == "Here I am."
    assert reports(run)[0].interrupted


async def test_one_report_too_many_is_dropped() -> None:
    speaker = Speaker()
    seen: list[PlaybackFinishedEvent] = []
    speaker.on("playback_finished", seen.append)
    await speaker.capture_frame(AudioFrame(bytes(320), RATE))
    speaker.on_playback_finished(playback_position=0.01, interrupted=False)
    speaker.on_playback_finished(playback_position=9.0, interrupted=True)
    assert seen == [PlaybackFinishedEvent(0.01, interrupted=False)]
    assert await speaker.wait_for_playout() == seen[0]
    speaker.off("playback_finished", seen.append)


async def test_a_wrapper_hears_what_its_sink_reports_and_pauses_only_if_it_can() -> None:
    class Wrapper(AudioOutput):
        async def capture_frame(self, frame: AudioFrame) -> None:
            await super().capture_frame(frame)
            assert self.next_in_chain is not None
            await self.next_in_chain.capture_frame(frame)

        def flush(self) -> None:
            super().flush()

        def clear_buffer(self) -> None:
            """Nothing."""

    leaf = Speaker(can_pause=False)
    head = Wrapper(label="head", capabilities=AudioOutputCapabilities(pause=True), next_in_chain=leaf)
    events: list[object] = []
    head.on("playback_started", events.append)
    head.on("playback_finished", events.append)
    await head.capture_frame(AudioFrame(bytes(320), RATE))
    waiting = asyncio.ensure_future(head.wait_for_playout())
    await asyncio.sleep(0)
    leaf.on_playback_finished(playback_position=0.01, interrupted=False)
    assert await waiting == PlaybackFinishedEvent(0.01, interrupted=False)
    assert [type(event) for event in events] == [PlaybackStartedEvent, PlaybackFinishedEvent]
    assert (head.sample_rate, head.can_pause, leaf.can_pause) == (RATE, False, False)
    head.on_attached()
    head.on_detached()
    assert leaf.log[-2:] == ["attached", "detached"]


# -- inputs -----------------------------------------------------------------------------------------------------------


def test_an_input_is_read_until_another_takes_its_place() -> None:
    first, second = Microphone(), Microphone()
    scenario = Scenario(keeper())
    scenario.call(0.1, lambda session: setattr(session.input, "audio", first))
    scenario.call(2.1, lambda session: setattr(session.input, "audio", second))
    scenario.close(at=4.1)
    scenario.play()
    assert first.frames == pytest.approx(100, abs=2)
    assert second.frames == pytest.approx(100, abs=2)
    assert (first.log, second.log) == (["attached", "detached"], ["attached", "detached"])


async def test_an_input_set_before_the_start_takes_the_place_of_the_rooms() -> None:
    microphone = Microphone()
    session: Session = AgentSession()
    session.input.audio = microphone
    await session.start(keeper())
    await asyncio.sleep(0.1)
    ears = [path for path in session.inspect() if path.rpartition("/")[2].startswith("ear-")]
    await session.aclose()
    assert len(ears) <= 1
    assert microphone.log in (["attached", "detached"], [])


def test_an_input_that_fails_is_silence() -> None:
    class Broken(Microphone):
        async def __anext__(self) -> AudioFrame:
            raise OSError("unplugged")

    scenario = Scenario(keeper())
    broken = Broken()
    scenario.call(0.1, lambda session: setattr(session.input, "audio", broken))
    scenario.user_says("Hello?", at=0.5, until=1.0)
    scenario.llm_replies("Hello.")
    run = played(scenario)
    assert broken.log == ["attached", "detached"]
    assert run.said() == ["Hello."]


def test_who_speaks_when_the_input_is_disabled_has_ended() -> None:
    scenario = Scenario(keeper())
    scenario.user_says("I was about to say something long.", at=0.5, until=4.0)
    scenario.call(2.0, lambda session: session.input.set_audio_enabled(False))
    scenario.close(at=5.0)
    run = scenario.play()
    assert run.user_states == ["listening", "speaking", "listening"]
    assert run.user_became("listening") == [near(2.0)]


def test_who_joins_while_the_input_is_disabled_is_not_heard() -> None:
    scenario = Scenario(keeper())
    scenario.call(0.1, lambda session: session.input.set_audio_enabled(False))
    scenario.joins("bob", at=0.5)
    scenario.user_says("Hello?", at=1.0, until=2.0, participant="bob")
    run = scenario.play()
    assert run.user_states == ["listening"]


def test_a_voice_that_is_switched_off_leaves_words() -> None:
    scenario = Scenario(keeper())
    scenario.call(0.1, lambda session: session.output.set_audio_enabled(False))
    scenario.call(0.5, lambda session: session.say("In writing."))
    run = played(scenario)
    assert run.said() == ["In writing."]
    assert run.audio == ()


async def test_a_chain_of_inputs_passes_frames_on() -> None:
    class Louder(AudioInput):
        async def __anext__(self) -> AudioFrame:
            frame = await super().__anext__()
            return AudioFrame(b"\1" * len(frame.data), frame.sample_rate)

    microphone = Microphone()
    louder = Louder(label="louder", source=microphone)
    louder.on_attached()
    louder.on_detached()
    assert (louder.source, microphone.log) == (microphone, ["attached", "detached"])
    assert (await anext(aiter(louder))).data[:2] == b"\1\1"
    with pytest.raises(NotImplementedError, match="override __anext__"):
        await anext(AudioInput(label="nothing"))


def test_endpoints_of_another_kind_are_refused() -> None:
    session: Session = AgentSession()
    with pytest.raises(OptionError, match=r"output\.audio takes an AudioOutput or AudioSink"):
        session.output.audio = "speaker"  # type: ignore[assignment]
    with pytest.raises(OptionError, match=r"input\.audio takes an AudioInput or AudioSource"):
        session.input.audio = Speaker()  # type: ignore[assignment]
    with pytest.raises(OptionError, match=r"input\.video"):
        session.input.video = Microphone()  # type: ignore[assignment]
    with pytest.raises(OptionError, match=r"output\.transcription"):
        session.output.transcription = print  # type: ignore[assignment]


def test_switches_say_how_they_stand() -> None:
    session: Session = AgentSession()
    switches = [session.input.audio_enabled, session.input.video_enabled, session.output.transcription_enabled]
    session.input.set_video_enabled(False)
    session.output.set_video_enabled(False)
    session.output.set_transcription_enabled(False)
    assert switches == [True, True, True]
    switches = [session.input.video_enabled, session.output.video_enabled, session.output.transcription_enabled]
    assert switches == [False, False, False]


def test_a_video_output_is_attached_and_detached() -> None:
    class Screen(VideoOutput):
        async def capture_frame(self, frame: VideoFrame) -> None:
            """Nothing."""

        def flush(self) -> None:
            """Nothing."""

        def on_attached(self) -> None:
            log.append("attached")

        def on_detached(self) -> None:
            log.append("detached")

    log: list[str] = []
    session: Session = AgentSession()
    screen = Screen(label="screen")
    session.output.video = screen
    assert session.output.video is screen
    session.output.video = None
    assert log == ["attached", "detached"]
    assert (screen.label, screen.next_in_chain) == ("screen", None)


async def test_a_camera_passes_frames_on() -> None:
    class Still(VideoInput):
        async def __anext__(self) -> VideoFrame:
            return VideoFrame(bytes(4), 1, 1)

    camera = VideoInput(label="camera", source=Still(label="still"))
    assert (await anext(aiter(camera))).width == 1


class Log(TextOutput):
    async def capture_text(self, text: str) -> None:
        """Nothing."""

    def flush(self) -> None:
        """Nothing."""


def test_text_outputs_may_be_chained() -> None:
    behind = Log(label="behind")
    head = Log(label="head", next_in_chain=behind)
    head.on_attached()
    head.on_detached()
    assert head.next_in_chain is behind
