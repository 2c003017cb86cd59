"""The agent's words as people read them: with the voice, word by word, and never more than was heard."""

from __future__ import annotations

import pytest

from sessionactors import AgentSession, RoomOptions, RoomOutputOptions, TextOutput, TextOutputOptions, Toolset
from sessionactors.messages.room import PublishTranscript
from sessionactors.testing import Run, Scenario, explore

from tests.session.talks import STORY, Session, barge_in, keeper, near, one_turn, played, typed


def shown(run: Run) -> list[tuple[float, str]]:
    """When which of the agent's words were shown."""
    return [
        (run.time_of(delivery), delivery.message.segment.text)
        for delivery in run.handled(PublishTranscript)
        if isinstance(delivery.message, PublishTranscript) and delivery.message.segment.participant == "agent"
    ]


def story(**options: object) -> Scenario:
    """The story is said from about 0.7 s, for 15 s."""
    scenario = Scenario(keeper(), **options)  # type: ignore[arg-type]
    scenario.call(0.5, lambda session: session.say(STORY))
    scenario.tts_speaks(duration=15.0, text=STORY)
    return scenario


def by(run: Run, moment: float) -> int:
    """How many words had been shown by a moment."""
    return len("".join(text for at, text in shown(run) if at <= moment).split())


def test_words_are_shown_as_they_are_spoken() -> None:
    run = played(story())
    times = shown(run)
    assert "".join(text for _, text in times) == STORY
    assert times[0][0] > 0.7
    assert 14.0 < times[-1][0] - 0.7 < 15.1
    assert all(len(text.split()) <= 1 for _, text in times)


def test_without_word_timings_a_rate_of_syllables_paces_the_words() -> None:
    run = played(story(word_timings=False))
    assert [by(run, 0.7 + at) for at in (0.75, 1.0, 1.15)] == [1, 2, 3]  # syllables: 1, 2 and 1 of 3.83 a second
    faster = played(story(word_timings=False, room_output_options=RoomOutputOptions(transcription_speed_factor=2.0)))
    assert by(faster, 0.7 + 1.05) == 6  # twice the rate: "there" and "was" as well


def test_what_is_not_shown_yet_is_shown_at_once_when_the_voice_has_ended() -> None:
    scenario = Scenario(keeper(), word_timings=False)
    scenario.call(0.5, lambda session: session.say(STORY))
    scenario.tts_speaks(duration=1.0, text=STORY)
    run = played(scenario)
    assert by(run, 1.6) < 6
    at, rest = shown(run)[-1]
    assert at == near(1.7)
    assert rest.endswith("a very old horse.")


def test_f29_the_transcript_is_right_in_any_order() -> None:
    def as_heard(run: Run) -> None:
        cut = run.said()[0]
        assert "".join(text for _, text in shown(run) if text in STORY) == cut

    explore(lambda: barge_in(frame_ms=50), schedules=3, expect=as_heard)


def test_words_need_not_wait_for_the_voice() -> None:
    for options in (
        {"room_output_options": RoomOutputOptions(sync_transcription=False)},
        {"room_options": RoomOptions(text_output=TextOutputOptions(sync_transcription=False))},
    ):
        run = played(story(**options))
        assert shown(run)[0] == (near(0.5), STORY)


def test_without_a_voice_words_are_shown_as_the_model_says_them() -> None:
    run = played(typed(None, "Hello"))
    assert shown(run)[0][0] == near(0.6)


def test_without_transcripts_nothing_is_shown_and_history_is_the_same() -> None:
    scenario = one_turn(room_output_options=RoomOutputOptions(transcription_enabled=False))
    run = scenario.play()
    assert shown(run) == []
    assert run.said() == ["I am fine, thank you."]


class Subtitles(TextOutput):
    """Keeps what it is shown."""

    def __init__(self, fails: bool = False) -> None:
        super().__init__(label="subtitles")
        self.lines: list[str] = [""]
        self.log: list[str] = []
        self._fails = fails

    async def capture_text(self, text: str) -> None:
        if self._fails:
            raise ValueError("no screen")
        self.lines[-1] += text

    def flush(self) -> None:
        self.lines.append("")

    def on_attached(self) -> None:
        self.log.append("attached")

    def on_detached(self) -> None:
        self.log.append("detached")


def test_a_users_own_text_output_takes_the_place_of_the_room() -> None:
    subtitles = Subtitles()
    scenario = barge_in()

    def attach(session: Session) -> None:
        session.output.transcription = subtitles
        assert session.output.transcription is subtitles

    scenario.call(0.1, attach)
    run = scenario.play()
    assert subtitles.lines == [*run.said(), ""]
    assert subtitles.log == ["attached", "detached"]
    assert shown(run) == []


def test_the_next_output_in_the_chain_gets_what_the_room_gets() -> None:
    beside, instead = Subtitles(), Subtitles()
    options = RoomOptions(text_output=TextOutputOptions(next_in_chain=beside))
    scenario = barge_in(room_options=options)
    run = scenario.play()
    assert beside.lines == [*run.said(), ""]
    assert beside.log == ["attached", "detached"]
    assert "".join(text for _, text in shown(run)) == "".join(run.said())

    beside.lines, scenario = [""], story(room_options=options)
    scenario.call(4.0, lambda session: setattr(session.output, "transcription", instead))
    run = scenario.play()
    assert "".join((*beside.lines, *instead.lines)) == STORY
    assert [line for line in beside.lines if line]
    assert beside.lines[-1] == "", "its segment is ended when another output takes the room's place"


async def test_the_next_output_is_let_go_when_the_start_fails() -> None:
    class Broken(Toolset):
        async def setup(self) -> None:
            raise ValueError("no")

    beside = Subtitles()
    session: Session = AgentSession(tools=[Broken(id="broken")])
    with pytest.raises(ValueError, match="no"):
        await session.start(keeper(), room_options=RoomOptions(text_output=TextOutputOptions(next_in_chain=beside)))
    assert beside.log == ["attached", "detached"]


def test_a_text_output_may_be_replaced_in_the_middle_of_a_segment() -> None:
    first, second = Subtitles(), Subtitles()
    scenario = story()

    def use(output: Subtitles) -> None:
        scenario.call(0.1 if output is first else 5.0, lambda session: setattr(session.output, "transcription", output))

    use(first)
    use(second)
    run = scenario.play()
    assert first.lines[0] + second.lines[0] == STORY
    assert (len(first.lines), len(second.lines)) == (2, 2)  # each has heard of the end of its part
    assert (first.log, second.log) == (["attached", "detached"], ["attached", "detached"])
    assert run.said() == [STORY]


def test_a_text_output_that_fails_costs_nothing_but_its_words() -> None:
    scenario = one_turn()
    scenario.call(0.1, lambda session: setattr(session.output, "transcription", Subtitles(fails=True)))
    assert scenario.play().said() == ["I am fine, thank you."]


def test_an_output_set_before_the_start_is_used() -> None:
    session: Session = AgentSession()
    output = Subtitles()
    session.output.transcription = output
    assert (session.output.transcription, output.log) == (output, [])
