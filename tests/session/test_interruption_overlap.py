"""Adaptive interruption: a detector tells interruptions from listening noises, and no word is lost silently.

The story is heard from 3.51 on. The detector is asked every 0.1 s of voice, with new words, and when the voice ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest

from sessionactors import Agent, AgentSession, APIError, InterruptionDetector, Overlap, OverlapVerdict
from sessionactors.messages.floor import PauseSpeech, SilenceSpeech
from sessionactors.model.events import UserTranscriptionTimeoutEvent
from sessionactors.model.interruption_events import OverlappingSpeechEvent
from sessionactors.testing import Run, Scenario, explore, invariants

from tests.session.talks import STORY, keeper, near, played

INTERRUPTION = OverlapVerdict(is_interruption=True, probability=0.9)
BACKCHANNEL = OverlapVerdict(is_interruption=False, probability=0.1)


class Judge(InterruptionDetector):
    """Judges by a function; takes so long."""

    label = "judge"
    sample_rate = 16000

    def __init__(self, opinion: Callable[[Overlap], OverlapVerdict | None], *, takes: float = 0.05) -> None:
        self.opinion = opinion
        self.takes = takes
        self.seen: list[Overlap] = []

    async def judge(self, overlap: Overlap) -> OverlapVerdict | None:
        self.seen.append(overlap)
        await asyncio.sleep(self.takes)
        return self.opinion(overlap)


def after(seconds: float, verdict: OverlapVerdict = INTERRUPTION) -> Callable[[Overlap], OverlapVerdict | None]:
    return lambda overlap: verdict if overlap.duration >= seconds else None


def ended(verdict: OverlapVerdict) -> Callable[[Overlap], OverlapVerdict | None]:
    return lambda overlap: verdict if overlap.ended else None


def said(
    words: str,
    at: float,
    until: float,
    judge: InterruptionDetector,
    session: Mapping[str, object] | None = None,
    **interruption: object,
) -> Scenario:
    scenario = Scenario(keeper(), turn_handling={"interruption": {"mode": judge, **interruption}}, **(session or {}))  # type: ignore[arg-type]
    scenario.user_says("Tell me a story.", at=0.5, until=2.5)
    scenario.llm_replies(STORY)
    scenario.tts_speaks(duration=15.0)
    scenario.user_says(words, at=at, until=until)
    scenario.llm_otherwise("Fine.")
    return scenario


def overlaps(run: Run) -> list[tuple[float, bool]]:
    return [
        (timed.at, timed.event.is_interruption)
        for timed in run.events
        if isinstance(timed.event, OverlappingSpeechEvent)
    ]


def times(run: Run, kind: type) -> list[float]:
    return [run.time_of(delivery) for delivery in run.handled(kind, "output")]


def transcripts(run: Run) -> dict[str, int]:
    (state,) = [actor.state for path, actor in (run.snapshot or {}).items() if "/overlap" in path]
    account = state["transcripts"]
    assert isinstance(account, dict)
    return account


def test_a_backchannel_neither_stops_the_agent_nor_becomes_a_turn() -> None:
    run = played(said("mm-hm", 6.0, 6.9, Judge(ended(BACKCHANNEL))))
    assert run.audible("speech-1") == [(near(3.5), near(18.5))]
    assert run.conversation == [("user", "Tell me a story."), ("assistant", STORY)]
    assert overlaps(run) == [(near(6.9 + 0.5 + 0.05), False)]
    assert not run.told(PauseSpeech)
    assert run.user_became("speaking") == [near(0.56), near(6.06)]


def test_f28_the_words_of_a_backchannel_are_discarded_by_name() -> None:
    run = played(said("mm-hm", 6.0, 6.9, Judge(ended(BACKCHANNEL))))
    assert transcripts(run) == {"held_back": 1, "released": 0, "discarded": 1, "open": 0}


def test_an_interruption_stops_the_agent_when_it_is_judged_so() -> None:
    run = played(said("Stop it now!", 6.0, 7.5, Judge(after(0.25))))
    ((at, interruption),) = overlaps(run)
    assert interruption
    assert at == pytest.approx(6.35, abs=0.06)  # sooner than the half second of a voice that nobody judges
    assert times(run, PauseSpeech) == [near(at)]
    assert times(run, SilenceSpeech) == [near(7.7)]
    assert run.conversation[-2:] == [("user", "Stop it now!"), ("assistant", "Fine.")]


def test_f28_held_words_are_released_in_order_when_it_was_an_interruption() -> None:
    """The verdict comes behind the final transcript: it was held, and makes the turn."""
    run = played(said("Stop it now!", 6.0, 6.6, Judge(lambda overlap: INTERRUPTION if overlap.final else None)))
    assert run.conversation[-2:] == [("user", "Stop it now!"), ("assistant", "Fine.")]
    assert transcripts(run) == {"held_back": 1, "released": 1, "discarded": 0, "open": 0}


def test_a_long_voice_does_not_interrupt_while_the_detector_has_the_say() -> None:
    run = played(said("", 6.0, 9.0, Judge(ended(BACKCHANNEL))))
    assert run.audible("speech-1") == [(near(3.5), near(18.5))]


def test_the_detector_hears_the_voice_from_its_onset_and_reads_the_words() -> None:
    judge = Judge(lambda overlap: BACKCHANNEL if overlap.final else None)
    scenario = said("mm-hm", 6.0, 6.9, judge)
    played(scenario)
    lengths = [sum(frame.duration for frame in overlap.audio) for overlap in judge.seen]
    assert lengths == sorted(lengths)
    assert lengths[-1] == pytest.approx(1.35, abs=0.1)  # from when the voice was noticed to when its end was
    assert judge.seen[-1].transcript == "mm-hm"
    assert judge.seen[-1].final
    assert not judge.seen[0].ended


def test_words_that_never_come_leave_the_decision_to_duration_and_time() -> None:
    run = played(said("", 6.0, 6.9, Judge(lambda overlap: BACKCHANNEL if overlap.final else None)))
    ((at, interruption),) = overlaps(run)
    assert not interruption
    assert at <= 6.9 + 0.5 + 2.0 + 0.1


def test_a_detector_that_never_has_an_opinion_gives_the_words_to_the_user() -> None:
    run = played(said("Stop it now!", 6.0, 6.6, Judge(lambda _: None)))
    assert run.conversation[-2:] == [("user", "Stop it now!"), ("assistant", "Fine.")]
    assert overlaps(run) == []
    assert transcripts(run)["released"] == 1


# -- boundaries --------------------------------------------------------------------------------------------------------


def test_right_after_the_agent_began_any_voice_interrupts() -> None:
    judge = Judge(ended(BACKCHANNEL))
    run = played(said("Stop!", 4.0, 5.2, judge))  # the agent began at 3.51, the boundary is 1.0
    assert times(run, PauseSpeech) == [near(4.5)]
    assert judge.seen == []
    assert run.conversation[-1] == ("assistant", "Fine.")


def test_the_boundary_is_an_option() -> None:
    run = played(said("mm-hm", 4.0, 4.9, Judge(ended(BACKCHANNEL)), backchannel_boundary=None))
    assert run.audible("speech-1") == [(near(3.5), near(18.5))]


def test_what_begins_when_the_agent_is_about_to_end_is_an_answer() -> None:
    scenario = Scenario(keeper(), turn_handling={"interruption": {"mode": Judge(ended(BACKCHANNEL))}})
    scenario.tts_speaks(duration=4.0, text="Do you want it?")
    scenario.call(0.3, lambda session: session.say("Do you want it?"))
    scenario.user_says("Yes.", at=4.0, until=4.8)  # the agent ends at 4.51
    scenario.llm_replies("Very well.")
    run = played(scenario)
    assert run.conversation == [("assistant", "Do you want it?"), ("user", "Yes."), ("assistant", "Very well.")]
    assert transcripts(run)["discarded"] == 0


# -- a detector that fails ---------------------------------------------------------------------------------------------


class Failing(Judge):
    def __init__(self, error: Exception) -> None:
        super().__init__(lambda _: None)
        self.error = error

    async def judge(self, overlap: Overlap) -> OverlapVerdict | None:
        self.seen.append(overlap)
        raise self.error


@pytest.mark.parametrize("error", [APIError("gone", retryable=False), ValueError("a bug")])
def test_a_detector_that_fails_for_good_gives_way_to_voice_and_is_no_error_of_the_session(error: Exception) -> None:
    judge = Failing(error)
    scenario = said("", 6.0, 7.2, judge)
    for at in (11.0, 17.0):
        scenario.user_says("", at=at, until=at + 1.2)
    run = played(scenario)
    assert run.errors == []
    assert len(judge.seen) == (1 if isinstance(error, APIError) else 3)
    assert times(run, PauseSpeech)[-1] == near(17.5)
    (state,) = [actor.state for path, actor in (run.snapshot or {}).items() if "/overlap" in path]
    assert state["lost"]


def test_a_detector_that_hangs_holds_no_word_back() -> None:
    run = played(said("Stop it now!", 6.0, 7.5, Judge(lambda _: None, takes=1e6)))
    assert run.conversation[-2:] == [("user", "Stop it now!"), ("assistant", "Fine.")]


def test_adaptive_without_a_detector_is_voice() -> None:
    scenario = said("", 6.0, 7.2, Judge(lambda _: None), mode="adaptive")
    run = played(scenario)
    assert times(run, PauseSpeech) == [near(6.5)]


def test_the_detector_of_a_session_can_be_read() -> None:
    judge = Judge(ended(BACKCHANNEL))
    assert AgentSession(turn_handling={"interruption": {"mode": judge}}).interruption_detection is judge
    assert AgentSession(turn_handling={"interruption": {"mode": "adaptive"}}).interruption_detection is None


def test_an_agent_may_have_a_detector_of_its_own() -> None:
    judge = Judge(ended(BACKCHANNEL))
    agent = Agent(instructions="Be kind.", turn_handling={"interruption": {"mode": judge}})
    scenario = Scenario(agent)
    scenario.user_says("Tell me a story.", at=0.5, until=2.5)
    scenario.llm_replies(STORY)
    scenario.tts_speaks(duration=15.0)
    scenario.user_says("mm-hm", at=6.0, until=6.9)
    run = played(scenario)
    assert judge.seen
    assert run.said() == [STORY]


# -- any order, any death ----------------------------------------------------------------------------------------------


def crosstalk() -> Scenario:
    def opinion(overlap: Overlap) -> OverlapVerdict | None:
        if "stop" in overlap.transcript.lower():
            return INTERRUPTION
        return BACKCHANNEL if overlap.final else None

    scenario = Scenario(
        keeper(), frame_ms=100, turn_handling={"interruption": {"mode": Judge(opinion), "backchannel_boundary": 0.2}}
    )
    scenario.user_says("Tell me a story.", at=0.5, until=1.5)
    scenario.llm_replies(STORY)
    scenario.tts_speaks(duration=12.0)
    scenario.user_says("mm-hm", at=4.0, until=4.5)
    scenario.user_says("Stop!", at=8.0, until=9.0)
    scenario.llm_otherwise("Fine.")
    return scenario


def test_f28_transcripts_are_conserved_in_any_order() -> None:
    def conserved(run: Run) -> None:
        account = transcripts(run)
        assert account["open"] == 0
        assert account["held_back"] == account["released"] + account["discarded"]
        assert run.conversation[-2:] == [("user", "Stop!"), ("assistant", "Fine.")]

    explore(crosstalk, schedules=3, expect=conserved)


@pytest.mark.parametrize("number", [40, 60, 80, 100])
def test_p12_the_death_of_the_judge_is_in_the_users_favour(number: int) -> None:
    scenario = crosstalk()
    scenario.kill("ear-caller/overlap-1", message=number)
    run = scenario.play()
    assert run.killed
    assert run.conversation[-2:] == [("user", "Stop!"), ("assistant", "Fine.")]
    assert not [found for found in invariants.broken(run) if found.promise != "P12"]


# -- what follows for the turn -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("verdict, learned", [(BACKCHANNEL, 0.5), (INTERRUPTION, 1.4)])
def test_a_listening_noise_teaches_nothing_about_the_users_pauses(verdict: OverlapVerdict, learned: float) -> None:
    """The voice sets in 0.4 s behind the agent's, 1.4 s behind the user's own: as if the turn had not been over."""
    scenario = Scenario(
        keeper(),
        turn_handling={
            "endpointing": {"mode": "dynamic", "alpha": 0.0},
            "interruption": {"mode": Judge(ended(verdict)), "backchannel_boundary": None},
        },
    )
    scenario.user_says("Tell me a story.", at=0.5, until=2.5)
    scenario.llm_replies(STORY)
    scenario.tts_speaks(duration=8.0)
    scenario.user_says("mm-hm", at=3.9, until=4.4)
    scenario.llm_otherwise("Fine.")
    run = played(scenario)
    assert [verdict for _, verdict in overlaps(run)] == [verdict.is_interruption]
    assert run.state_of("ear-caller/turn")["learned_delay"] == near(learned)


@pytest.mark.parametrize("words, told", [("mm-hm", []), ("", [near(8.2)])])
def test_words_that_are_held_were_not_missed(words: str, told: list[object]) -> None:
    """The detector says at 7.2 that the voice ended at 6.7; with no words for 1.5 s that is told."""
    judge = Judge(lambda overlap: BACKCHANNEL if overlap.final else None)
    run = played(said(words, 6.0, 6.7, judge, session={"transcription_timeout": 1.5}))
    assert [timed.at for timed in run.events if isinstance(timed.event, UserTranscriptionTimeoutEvent)] == told
