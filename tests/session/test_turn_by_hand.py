"""``commit_user_turn()`` and ``clear_user_turn()`` (1.3, 4.2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable

import pytest

from sessionactors import STT, AudioFrame, FlushSentinel, OptionError, SessionStateError, SpeechEvent, SpeechEventType
from sessionactors.messages.turn import UserTurnEnded
from sessionactors.testing import Run, Scenario, ScriptedTurnDetector, explore

from tests.session.talks import STORY, Session, keeper, near, played, typed
from tests.session.test_turn_modes import turns_at

Answers = list[tuple[str, float]]


def committing(answers: Answers, **arguments: object) -> Callable[[Session], Awaitable[None]]:
    """A call that notes what the turn said, and how long that took."""

    async def commit(session: Session) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        transcript = await session.commit_user_turn(**arguments)  # type: ignore[arg-type]
        answers.append((transcript, round(loop.time() - began, 3)))

    return commit


def by_hand(**options: object) -> Scenario:
    """Push to talk: the user asks from 0.5 to 2.5 s; the final comes at 2.7."""
    scenario = Scenario(keeper(), turn_handling={"turn_detection": "manual"}, **options)  # type: ignore[arg-type]
    scenario.user_says("How are you?", at=0.5, until=2.5, interims=[(1.5, "how are")])
    scenario.llm_otherwise("Fine.")
    return scenario


def test_the_last_words_are_waited_for() -> None:
    answers: Answers = []
    scenario = by_hand()
    scenario.call(2.5, committing(answers))
    run = played(scenario)
    assert answers == [("How are you?", near(0.2))]
    assert turns_at(run) == [(near(2.7), "How are you?")]
    assert run.said() == ["Fine."]


def test_a_turn_whose_words_have_come_is_committed_at_once() -> None:
    answers: Answers = []
    scenario = by_hand()
    scenario.call(4.0, committing(answers))
    run = played(scenario)
    assert answers == [("How are you?", 0.0)]
    assert turns_at(run) == [(near(4.0), "How are you?")]


def test_an_interim_whose_final_does_not_come_in_time_is_taken_for_final_and_not_heard_twice() -> None:
    answers: Answers = []
    scenario = by_hand()
    scenario.call(2.5, committing(answers, transcript_timeout=0.1))
    run = played(scenario)
    assert answers == [("how are", near(0.1))]
    assert [text for _, text in turns_at(run)] == ["how are"], "the final of the same words is given up"
    assert run.state_of("ear-caller/stt")["resets"] == 1


def test_words_of_a_committed_turn_that_come_late_are_no_new_turn() -> None:
    """Nothing was recognised yet at 2.6: what comes of it at 2.7 is given up, as the turn is over."""
    answers: Answers = []
    scenario = Scenario(keeper(), turn_handling={"turn_detection": "manual"})
    scenario.user_says("How are you?", at=0.5, until=2.5)
    scenario.call(2.5, committing(answers, transcript_timeout=0.1))
    scenario.user_says("Hello.", at=4.0, until=5.0)
    scenario.call(5.0, committing(answers))
    scenario.llm_otherwise("Fine.")
    run = played(scenario)
    assert answers == [("", near(0.1)), ("Hello.", near(0.2))]
    assert run.conversation[0] == ("user", "Hello.")


def test_a_commit_overtakes_the_question_to_a_detector() -> None:
    """The final that the commit waits for would also be asked about: what comes of that is of no use any more."""
    scenario = Scenario(keeper(), turn_detection=ScriptedTurnDetector({}))
    scenario.user_says("How are you?", at=0.5, until=2.5, stt_delay=0.9)
    scenario.llm_otherwise("Fine.")
    scenario.call(3.2, committing([]))
    run = played(scenario)  # no handler fails
    assert turns_at(run) == [(near(3.4), "How are you?")]


def test_without_a_recogniser_there_is_nothing_to_wait_for() -> None:
    answers: Answers = []
    scenario = Scenario(keeper(), without=["stt"], turn_handling={"turn_detection": "manual"})
    scenario.user_says("x", at=0.5, until=2.5)
    scenario.call(2.0, committing(answers))
    played(scenario)
    assert answers == [("", 0.0)]


def test_in_a_text_room_there_is_no_turn_to_commit() -> None:
    answers: Answers = []
    scenario = typed(None, "Hello")
    scenario.call(0.2, committing(answers))
    played(scenario)
    assert answers == [("", 0.0)]


class Hungry(STT):
    """Finishes its words when it has heard so many seconds."""

    def __init__(self, needs: float) -> None:
        self._needs = needs

    async def transcribe(
        self, audio: AsyncIterable[AudioFrame | FlushSentinel], *, language: str | None = None
    ) -> AsyncIterator[SpeechEvent]:
        heard = 0.0
        async for item in audio:
            if isinstance(item, AudioFrame):
                heard += item.duration
                if heard - item.duration < self._needs <= heard:
                    yield SpeechEvent(SpeechEventType.FINAL_TRANSCRIPT, "How are you?")


@pytest.mark.parametrize("flush, expected", [(2.0, ("How are you?", near(0.0))), (0.5, ("", near(2.0)))])
def test_a_closed_microphone_gives_the_recogniser_silence_to_finish_with(
    flush: float, expected: tuple[str, float]
) -> None:
    """The recogniser needs 3.5 s of audio; none comes after 2.6."""
    answers: Answers = []
    scenario = Scenario(keeper(), stt=Hungry(3.5), turn_handling={"turn_detection": "manual"})
    scenario.user_says("", at=0.5, until=2.5)
    scenario.call(2.6, lambda session: session.input.set_audio_enabled(False))
    scenario.call(2.7, committing(answers, stt_flush_duration=flush))
    scenario.llm_otherwise("Fine.")
    played(scenario)
    assert answers == [expected]


def test_without_a_reply_the_words_are_only_kept() -> None:
    answers: Answers = []
    scenario = by_hand()
    scenario.call(3.0, committing(answers, skip_reply=True))
    run = played(scenario)
    assert answers == [("How are you?", 0.0)]
    assert run.conversation == [("user", "How are you?")]
    assert run.requests == ()


def test_without_a_reply_the_agent_is_not_cut_off() -> None:
    scenario = Scenario(keeper(), turn_handling={"turn_detection": "manual"})
    scenario.call(0.5, lambda session: session.say(STORY))
    scenario.tts_speaks(text=STORY, duration=8.0)
    scenario.user_says("Nice.", at=2.0, until=3.0)
    scenario.call(4.0, committing([], skip_reply=True))
    run = played(scenario)
    assert run.said() == [STORY]
    assert ("user", "Nice.") in run.conversation


def test_a_commit_in_the_middle_of_speech_ends_the_turn_and_the_voice_begins_another() -> None:
    """The user goes on to 4.0: whoever still speaks is seen to speak."""
    answers: Answers = []
    scenario = Scenario(keeper())
    scenario.user_says("and so on", at=0.5, until=4.0)
    scenario.stt_reports(SpeechEvent(SpeechEventType.FINAL_TRANSCRIPT, "Well,"), at=1.9)
    scenario.call(2.0, committing(answers))
    scenario.llm_otherwise("Fine.")
    run = played(scenario)
    assert answers == [("Well,", near(0.0))]
    assert run.user_states == ["listening", "speaking", "listening", "speaking", "listening"]
    assert [text for _, text in turns_at(run)] == ["Well,", "and so on"]


def test_two_commits_are_answered_together() -> None:
    answers: Answers = []
    scenario = by_hand()
    scenario.call(2.4, committing(answers))
    scenario.call(2.5, committing(answers))
    run = played(scenario)
    assert answers == [("How are you?", near(0.3)), ("How are you?", near(0.2))]
    assert len(turns_at(run)) == 1


def test_what_is_cleared_is_forgotten() -> None:
    answers: Answers = []
    scenario = by_hand()
    scenario.call(3.0, lambda session: session.clear_user_turn())
    scenario.call(4.0, committing(answers))
    run = played(scenario)
    assert answers == [("", 0.0)]
    assert run.conversation == []
    account = run.state_of("ear-caller/turn")["transcripts"]
    assert isinstance(account, dict)
    assert (account["discarded"], account["lost"]) == (1, ["transcript-1: cleared"])


def test_clearing_forgets_what_the_recogniser_has_not_said_yet() -> None:
    """Cleared at 2.6, the final would come at 2.7."""
    scenario = by_hand()
    scenario.call(2.6, lambda session: session.clear_user_turn())
    scenario.user_says("Hello.", at=4.0, until=5.0)
    scenario.call(6.0, committing([]))
    run = played(scenario)
    assert [text for _, text in turns_at(run)] == ["Hello."]


def test_clearing_ends_the_wait_of_a_commit() -> None:
    answers: Answers = []
    scenario = by_hand()
    scenario.call(2.5, committing(answers))
    scenario.call(2.6, lambda session: session.clear_user_turn())
    run = played(scenario)
    assert answers == [("", near(0.1))]
    assert run.told(UserTurnEnded) == []


@pytest.mark.parametrize("at", [2.4, 2.7, 2.9])
def test_p03_commit_and_clear_conserve_transcripts_in_any_order(at: float) -> None:
    def scenario() -> Scenario:
        made = Scenario(keeper(), frame_ms=100, turn_handling={"turn_detection": "manual"})
        made.user_says("How are you?", at=0.5, until=2.5, interims=[(1.5, "how are")])
        made.call(at, lambda session: session.commit_user_turn(transcript_timeout=0.3))
        made.call(at, lambda session: session.clear_user_turn())
        made.call(at + 0.1, lambda session: session.commit_user_turn(transcript_timeout=0.3))
        made.llm_otherwise("Fine.")
        return made

    explore(scenario, schedules=3)


@pytest.mark.parametrize("victim", ["turn", "stt"])
def test_p12_a_commit_survives_a_restart(victim: str) -> None:
    answers: Answers = []
    scenario = by_hand()
    scenario.call(2.5, committing(answers))

    def strike(session: Session) -> None:
        from sessionactors.runtime.messages import Kill

        system = session._system
        assert system is not None
        system.tree("scenario").cells[f"scenario/ear-caller/{victim}"].deliver_system(Kill(RuntimeError("killed")))

    scenario.call(2.6, strike)
    run = scenario.play()
    assert [transcript for transcript, _ in answers] == ["How are you?"]
    assert [text for _, text in turns_at(run)] == ["How are you?"]


@pytest.mark.parametrize("name", ["transcript_timeout", "stt_flush_duration"])
def test_a_negative_time_is_refused(name: str) -> None:
    def commit(session: Session) -> None:
        with pytest.raises(OptionError, match=f"{name} must not be negative, got -1"):
            session.commit_user_turn(**{name: -1})  # type: ignore[arg-type]

    scenario = typed()
    scenario.call(0.5, commit)
    played(scenario)


def test_a_session_that_does_not_run_has_no_turn() -> None:
    session: Session = Session()
    with pytest.raises(SessionStateError, match=r"commit_user_turn\(\): the session is not running"):
        session.commit_user_turn()
    with pytest.raises(SessionStateError, match=r"clear_user_turn\(\): the session is not running"):
        session.clear_user_turn()


def test_a_commit_that_the_close_overtakes_says_so() -> None:
    caught: list[BaseException] = []

    async def commit(session: Session) -> None:
        try:
            await session.commit_user_turn(transcript_timeout=60.0)
        except SessionStateError as error:
            caught.append(error)

    scenario = Scenario(keeper(), turn_handling={"turn_detection": "manual"})
    scenario.user_says("How are you?", at=0.5, until=9.0)
    scenario.call(2.0, commit)
    scenario.close(3.0, deadline=1.0)
    run: Run = scenario.play()
    assert run.close_took < 1.1
    assert len(caught) <= 1, "what the flush of the close commits answers it, too"
