"""Pause and resume: the user's voice stops the agent, and what comes of it decides whether the agent goes on.

The base of the times: the story is heard from 3.51 on; a voice interrupts after 0.5 s; the detector is sure of silence
0.5 s behind the voice; a false interruption is over 2.0 s later.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sessionactors import Agent
from sessionactors.messages.floor import PauseSpeech, ResumeSpeech, SilenceSpeech
from sessionactors.messages.tts import AudioCredit
from sessionactors.model.interruption_events import AgentFalseInterruptionEvent
from sessionactors.runtime import Delivery
from sessionactors.testing import Run, Scenario, explore, invariants
from sessionactors.transports.memory import MemorySink, MemoryTransport

from tests.session.talks import STORY, Session, barge_in, keeper, near, played
from tests.session.test_speech_segments import in_two_parts


def noise(*stretches: tuple[float, float], **options: object) -> Scenario:
    """The story of 15 s, heard from 3.51 on, and noises without words meanwhile."""
    scenario = Scenario(keeper(), **options)  # type: ignore[arg-type]
    scenario.user_says("Tell me a story.", at=0.5, until=2.5)
    scenario.llm_replies(STORY)
    scenario.tts_speaks(duration=15.0)
    for at, until in stretches:
        scenario.user_says("", at=at, until=until)
    return scenario


def false_interruptions(run: Run) -> list[tuple[float, bool]]:
    return [
        (timed.at, timed.event.resumed) for timed in run.events if isinstance(timed.event, AgentFalseInterruptionEvent)
    ]


def heard(run: Run, speech: str = "speech-1") -> float:
    return sum(until - at for at, until in run.audible(speech))


def times(run: Run, kind: type) -> list[float]:
    return [run.time_of(delivery) for delivery in run.handled(kind, "output")]


def plain_room() -> MemoryTransport:
    """A room whose sink cannot pause."""
    room = MemoryTransport(silence_rate=16000)
    room.sink.can_pause = False
    return room


# -- a noise --------------------------------------------------------------------------------------------------------


def test_a_noise_pauses_the_agent_which_goes_on_where_it_was() -> None:
    run = played(noise((5.0, 5.7)))
    assert run.agent_states == [
        *("initializing", "listening", "thinking", "speaking", "listening", "speaking", "listening"),
    ]
    assert run.agent_became("listening")[1:] == [near(5.5), near(21.21)]
    assert run.agent_became("speaking") == [near(3.5), near(8.2)]
    assert run.audible("speech-1") == [(near(3.5), near(5.5)), (near(8.2), near(21.2))]
    assert heard(run) == pytest.approx(15.0, abs=1e-3)
    assert false_interruptions(run) == [(near(8.2), True)]
    assert run.said() == [STORY]
    assert not run.told(SilenceSpeech)


def test_the_speech_goes_on_at_the_first_sample_that_was_not_played() -> None:
    run = played(noise((5.0, 5.7)))
    sink = run.sink
    assert sink is not None
    assert sink.discarded == 0
    assert sink.played == sink.written == pytest.approx(15.0 * 24000, abs=24)
    assert [word for piece in run.audio[-1:] for word in piece.words] == STORY.split()


def test_a_noise_shorter_than_an_interruption_stops_nothing() -> None:
    run = played(noise((5.0, 5.3)))
    assert run.audible("speech-1") == [(near(3.5), near(18.5))]
    assert not run.told(PauseSpeech)


def test_another_noise_within_the_pause_counts_the_silence_from_anew() -> None:
    run = played(noise((5.0, 5.7), (7.0, 7.2)))
    assert run.agent_became("speaking") == [near(3.5), near(9.7)]
    assert false_interruptions(run) == [(near(9.7), True)]


def test_a_speech_can_be_paused_again_and_again() -> None:
    run = played(noise((5.0, 5.7), (9.0, 9.7), (13.0, 13.7)))
    assert [at for at, _ in false_interruptions(run)] == [near(8.2), near(12.2), near(16.2)]
    assert len(run.audible("speech-1")) == 4
    assert heard(run) == pytest.approx(15.0, abs=1e-3)
    assert run.said() == [STORY]
    assert run.state_of("floor")["false_interruptions"] == 3


def test_the_timeout_is_an_option() -> None:
    run = played(noise((5.0, 5.7), false_interruption_timeout=0.7))
    assert run.agent_became("speaking") == [near(3.5), near(6.9)]


def test_while_it_is_paused_no_more_audio_is_asked_for_and_no_word_is_shown() -> None:
    run = played(noise((5.0, 5.7)))
    credits = [run.time_of(d) for d in run.handled(AudioCredit, "tts")]
    assert not [at for at in credits if 5.52 < at < 8.19]
    assert [at for at in credits if at >= 8.19]
    shown = [d for d in run.deliveries if type(d.message).__name__ == "PublishTranscript"]
    assert not [d for d in shown if 5.55 < run.time_of(d) < 8.19]


def test_nothing_is_overdue_while_the_user_holds_the_floor() -> None:
    """A noise of 70 s: longer than any patience with a first sound, a sink or a voice."""
    run = noise((5.0, 75.0), frame_ms=100).play()
    assert [type(event.error).__name__ for event in run.errors] == ["APIError"]  # names the pause itself
    assert "user to fall silent" in str(run.errors[0].error)
    assert heard(run) == pytest.approx(15.0, abs=1e-3)
    assert run.said() == [STORY]


# -- words ----------------------------------------------------------------------------------------------------------


def test_final_words_make_a_pause_an_interruption() -> None:
    run = played(barge_in())
    assert times(run, PauseSpeech) == [near(5.5)]
    assert times(run, SilenceSpeech) == [near(6.2)]
    assert run.agent_became("listening")[1] == near(5.5)
    assert run.agent_became("thinking") == [near(3.0), near(6.5)]
    assert run.conversation[1:3] == [("assistant", "Once upon"), ("user", "Stop!")]
    assert false_interruptions(run) == []


def test_words_that_come_after_the_silence_still_interrupt() -> None:
    """The final comes 0.8 s behind the voice, when the detector has said that the user is silent."""
    scenario = Scenario(keeper())
    scenario.user_says("Tell me a story.", at=0.5, until=2.5, stt_delay=0.8)
    scenario.llm_replies(STORY)
    scenario.tts_speaks(duration=15.0)
    scenario.user_says("Stop!", at=6.0, until=6.7, stt_delay=0.8)
    scenario.llm_replies("Fine.")
    run = played(scenario)
    assert times(run, PauseSpeech) == [near(6.5)]
    assert times(run, SilenceSpeech) == [near(7.5)]
    assert run.conversation[-2:] == [("user", "Stop!"), ("assistant", "Fine.")]


def test_an_open_decision_is_waited_for_before_the_agent_goes_on() -> None:
    """Interim words are there and the final is late: the pause outlasts its 2 s, and the final cuts the speech off."""
    scenario = Scenario(keeper(), max_endpointing_delay=6.0)
    scenario.user_says("Tell me a story.", at=0.5, until=2.5, stt_delay=3.0)
    scenario.llm_replies(STORY)
    scenario.tts_speaks(duration=15.0)
    scenario.user_says("Stop!", at=8.0, until=8.7, stt_delay=3.0, interims=[(8.6, "stop")])
    scenario.llm_replies("Fine.")
    run = played(scenario)
    assert times(run, PauseSpeech) == [near(8.5)]
    assert times(run, SilenceSpeech) == [near(11.7)]  # 9.2 + 2.0 passed at 11.2
    assert false_interruptions(run) == []
    assert run.conversation[-2:] == [("user", "Stop!"), ("assistant", "Fine.")]


def test_a_decision_that_ends_in_nothing_lets_the_agent_go_on() -> None:
    """The interim words turn out to be none: what is owed is waited for longer than the 2 s."""
    scenario = Scenario(keeper(), max_endpointing_delay=4.0)
    scenario.user_says("Tell me a story.", at=0.5, until=2.5, stt_delay=3.0)
    scenario.llm_replies(STORY)
    scenario.tts_speaks(duration=15.0)
    scenario.user_says("", at=8.0, until=8.7, stt_delay=3.0, interims=[(8.6, "mm")])
    run = played(scenario)
    assert times(run, PauseSpeech) == [near(8.5)]
    assert false_interruptions(run) == [(near(11.7), True)]  # so long the words were owed
    assert run.said() == [STORY]


# -- no pausing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [{"resume_false_interruption": False}, {"false_interruption_timeout": None}, {"room": plain_room}],
    ids=["resume", "timeout", "sink"],
)
def test_without_pausing_the_voice_cuts_the_speech_off(options: dict[str, object]) -> None:
    run = played(noise((5.0, 5.7), **options))
    assert run.audible("speech-1") == [(near(3.5), near(5.5))]
    assert times(run, SilenceSpeech) == [near(5.5)]
    assert not run.told(PauseSpeech)
    assert run.said() == ["Once upon"]
    assert false_interruptions(run) == []


# -- while the agent thinks -------------------------------------------------------------------------------------------


def thinking(text: str, at: float, until: float, **options: object) -> Scenario:
    scenario = Scenario(keeper(), **options)  # type: ignore[arg-type]
    scenario.user_says("Tell me a story.", at=0.5, until=2.5)
    scenario.llm_replies(STORY, duration=1.0)
    scenario.tts_speaks(duration=5.0)
    scenario.user_says(text, at=at, until=until)
    scenario.llm_otherwise("Fine.")
    return scenario


@pytest.mark.parametrize("room", [None, plain_room], ids=["pausable", "plain"])
def test_an_interruption_while_thinking_leaves_no_assistant_item(room: Callable[[], MemoryTransport] | None) -> None:
    run = played(thinking("Stop!", 3.05, 4.05, room=room))
    assert run.conversation == [("user", "Tell me a story."), ("user", "Stop!"), ("assistant", "Fine.")]
    assert run.agent_states[2:5] == ["thinking", "listening", "thinking"]
    assert run.agent_became("listening")[1] == near(3.55)
    assert run.agent_became("thinking") == [near(3.0), near(4.55)]
    assert run.audible("speech-1") == []


@pytest.mark.parametrize("ttft, room, begins", [(0.06, None, 3.82), (0.3, None, 3.82), (0.3, plain_room, 3.58)])
def test_a_noise_while_thinking_delays_the_reply_to_its_end(
    ttft: float, room: Callable[[], MemoryTransport] | None, begins: float
) -> None:
    """The first one is granted when the noise is noticed, so that its first frame is held; the others are not.

    Where nothing can be held, half of the minimal delay without voice is enough.
    """
    scenario = Scenario(keeper(), ttfb=0.05, room=room)
    scenario.user_says("Tell me a story.", at=0.5, until=2.5)
    scenario.llm_replies("Here is a short reply.", ttft=ttft, duration=ttft)
    scenario.tts_speaks(duration=5.0)
    scenario.user_says("", at=3.02, until=3.32)
    run = played(scenario)
    assert run.agent_states[2:] == ["thinking", "speaking", "listening"]
    assert run.agent_became("speaking") == [near(begins)]
    assert heard(run) == pytest.approx(5.0, abs=1e-3)
    assert run.said() == ["Here is a short reply."]


def test_a_voice_between_the_grant_and_the_first_sound_holds_the_first_frame() -> None:
    scenario = Scenario(keeper(), ttfb=1.0)
    scenario.user_says("Tell me a story.", at=0.5, until=2.5)
    scenario.llm_replies("Here is a short reply.")
    scenario.tts_speaks(duration=2.0)
    scenario.user_says("", at=3.6, until=3.9)  # the floor was granted at 3.3, the sound is due at 4.1
    run = played(scenario)
    assert times(run, PauseSpeech) == [near(3.66)]  # the detector wants to hear 0.05 s
    assert run.audible("speech-1") == [(near(4.4), near(6.4))]
    assert run.agent_became("speaking") == [near(4.4)]


def test_who_speaks_already_when_say_is_called_is_not_spoken_over() -> None:
    """The threshold was crossed long before the speech began: it waits, and the words cut it off."""
    scenario = Scenario(keeper())
    scenario.user_says("I am telling you something long.", at=0.5, until=4.0)
    scenario.call(2.0, lambda session: session.say("Excuse me."))
    scenario.llm_replies("I see.")
    run = played(scenario)
    assert run.audible("speech-1") == []
    assert run.conversation == [("user", "I am telling you something long."), ("assistant", "I see.")]


def test_what_is_said_over_a_noise_comes_behind_it() -> None:
    scenario = Scenario(keeper())
    scenario.tts_speaks(duration=1.0, text="Excuse me.")
    scenario.user_says("", at=1.8, until=2.2)
    scenario.call(2.0, lambda session: session.say("Excuse me."))
    run = played(scenario)
    assert run.audible("speech-1") == [(near(2.46), near(3.46))]  # half of the minimal delay behind it
    assert run.said() == ["Excuse me."]


# -- by text, by order, by protection ---------------------------------------------------------------------------------


def test_an_interruption_by_text_goes_from_speaking_to_thinking() -> None:
    scenario = noise()

    def stop(session: Session) -> None:
        session.interrupt()
        session.generate_reply(user_input="Stop it.")

    scenario.call(5.0, stop)
    scenario.llm_replies("Fine.")
    run = played(scenario)
    assert run.agent_states[3:6] == ["speaking", "thinking", "speaking"]
    assert run.agent_became("thinking") == [near(3.0), near(5.0)]
    assert run.conversation[1:] == [("assistant", "Once"), ("user", "Stop it."), ("assistant", "Fine.")]


def test_two_segments_interrupted_in_the_first_leave_the_second_unsaid() -> None:
    """The second segment is synthesised already when the first one is paused, and cut off by the words."""
    scenario = in_two_parts()
    scenario.user_says("Stop!", at=4.0, until=4.8)
    run = played(scenario)
    assert times(run, PauseSpeech) == [near(4.5)]
    assert times(run, SilenceSpeech) == [near(5.0)]
    assert run.audible("speech-1") == [(near(3.3), near(4.5))]
    assert run.conversation[1] == ("assistant", "Here is")


def test_a_pause_in_the_first_of_two_segments_delays_the_second() -> None:
    scenario = in_two_parts()
    scenario.user_says("", at=4.0, until=4.7)
    run = played(scenario)
    (first, again, second) = run.audio
    assert [first.at, first.until] == [near(3.3), near(4.5)]
    assert [again.at, again.until] == [near(7.2), near(8.0)]
    assert [second.at, second.until] == [near(8.0), near(10.0)]
    assert run.said() == ["Here is one. Here is two."]


def test_a_paused_speech_that_is_cut_by_order_stays_silent() -> None:
    scenario = noise((5.0, 5.7))
    scenario.call(6.5, lambda session: session.interrupt())
    run = played(scenario)
    assert run.audible("speech-1") == [(near(3.5), near(5.5))]
    assert run.said() == ["Once upon"]
    assert false_interruptions(run) == []


def test_a_paused_speech_that_is_protected_goes_on_at_once() -> None:
    scenario = noise((5.0, 5.7))

    def protect(session: Session) -> None:
        assert session.current_speech is not None
        session.current_speech.allow_interruptions = False

    scenario.call(6.5, protect)
    run = played(scenario)
    assert run.agent_became("speaking") == [near(3.5), near(6.5)]
    assert run.said() == [STORY]
    assert false_interruptions(run) == []


def test_a_session_closes_in_time_while_its_speech_is_paused() -> None:
    scenario = noise((5.0, 5.7))
    scenario.close(6.5, deadline=2.0)
    run = played(scenario)
    assert run.said() == ["Once upon"]


def test_a_sink_that_is_replaced_while_it_is_paused_cannot_go_on() -> None:
    scenario = noise((5.0, 5.7))
    scenario.call(6.5, lambda session: setattr(session.output, "audio", MemorySink()))
    run = scenario.play()
    assert invariants.broken(run) == []
    assert run.said() == ["Once upon"]
    assert false_interruptions(run) == [(near(8.2), False)]
    assert run.agent_states[-1] == "listening"


def test_the_summary_tells_who_is_paused_and_what_for() -> None:
    seen: list[tuple[object, object]] = []
    scenario = noise((5.0, 5.7))

    def look(session: Session) -> None:
        snapshot = session.inspect()
        seen.append((snapshot["floor"].state["pause"], snapshot["output"].state["paused"]))

    for at in (5.6, 7.0, 9.0):
        scenario.call(at, look)
    played(scenario)
    assert seen == [
        ("speech-1 interrupted, waits for silence", "speech-1"),
        ("speech-1 interrupted, waits for lasting silence", "speech-1"),
        (None, None),
    ]


# -- any order, any death ---------------------------------------------------------------------------------------------


def talk_with_pauses() -> Scenario:
    """A noise that pauses, a noise at the first sound, words that interrupt, a cough, a tool user's say."""
    scenario = Scenario(Agent(instructions="Be kind."), frame_ms=100, false_interruption_timeout=0.6)
    scenario.user_says("Tell me a story.", at=0.5, until=1.5)
    scenario.llm_replies(STORY)
    scenario.tts_speaks(duration=6.0)
    scenario.user_says("", at=2.4, until=2.6)
    scenario.user_says("", at=3.5, until=4.3)
    scenario.user_says("Stop!", at=6.2, until=7.0)
    scenario.llm_otherwise("Fine.")
    scenario.call(6.5, lambda session: session.say("By the way."))
    return scenario


def test_p01_p08_pauses_are_exact_in_any_order() -> None:
    explore(talk_with_pauses, schedules=3)


def one_pause() -> Scenario:
    """A reply that was prepared early is paused by a noise and goes on; then the user says something else."""
    scenario = Scenario(keeper(), frame_ms=100, false_interruption_timeout=0.6, preemptive_generation=True)
    scenario.user_says("Tell me a story.", at=0.5, until=1.0)
    scenario.llm_replies(STORY)
    scenario.tts_speaks(duration=3.0)
    scenario.user_says("", at=2.5, until=3.2)
    scenario.user_says("Are you there?", at=7.0, until=7.5)
    scenario.llm_otherwise("Fine.")
    return scenario


def test_p12_the_floor_may_die_at_any_message_from_the_first_words_to_the_end_of_a_pause() -> None:
    """What it was preparing, what was heard and what was paused die with it; the next turn is answered all the same."""
    reference = one_pause().play()
    own = [d for d in reference.deliveries if d.target.endswith("/floor") and d.outcome == "handled"]
    within = [number for number, d in enumerate(own, 1) if 1.1 < reference.time_of(d) < 4.5]
    assert len(within) > 10
    for number in within:
        scenario = one_pause()
        scenario.kill("floor", message=number)
        run = scenario.play()
        assert run.killed == ("floor",)
        assert invariants.broken(run) == [], f"killed at {number}"
        assert run.conversation[-2:] == [("user", "Are you there?"), ("assistant", "Fine.")], f"killed at {number}"
        assert run.agent_became("speaking")[-1] == near(8.2), f"killed at {number}"


def _paused(delivery: Delivery) -> bool:
    return isinstance(delivery.message, PauseSpeech | ResumeSpeech)


@pytest.mark.parametrize("actor", ["floor", "output", "tts", "ear-caller/turn", "ear-caller/vad"])
def test_p12_a_death_in_the_middle_of_a_pause_leaves_the_call_alive(actor: str) -> None:
    reference = talk_with_pauses().play()
    own = [d for d in reference.deliveries if d.target.endswith(f"/{actor}") and d.outcome == "handled"]
    within = [number for number, d in enumerate(own, 1) if 3.9 < reference.time_of(d) < 5.6]
    assert within, "nothing reaches it in the pause"
    for number in within[:: max(1, len(within) // 4)]:
        scenario = talk_with_pauses()
        scenario.user_says("Are you there?", at=14.0, until=15.0)
        scenario.kill(actor, message=number)
        run = scenario.play()
        assert run.killed == (actor,)
        found = [b for b in invariants.broken(run) if b.promise not in {"P2", "P3", "P12"}]
        assert not found, f"killed at {number}: {found}"
        assert run.conversation[-1] == ("assistant", "Fine."), f"killed at {number}"
