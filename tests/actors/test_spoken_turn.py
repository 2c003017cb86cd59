"""A user speaks, with the providers well."""

from __future__ import annotations

import pytest

from sessionactors.interfaces.stt import SpeechEvent, SpeechEventType
from sessionactors.messages.ear import FlushTurn, TurnFlushed
from sessionactors.messages.turn import UserTurnEnded
from sessionactors.model.events import MetricsCollectedEvent, UserInputTranscribedEvent
from sessionactors.model.options import SessionOptions
from sessionactors.testing.scripted_ear import ScriptedSTT, ScriptedTurnDetector, ScriptedVAD

from tests.actors.ear_bench import Bench, about

SCHEDULES = [None, 1, 2]


@pytest.mark.parametrize("seed", SCHEDULES)
def test_a_turn_ends_half_a_second_after_the_voice(seed: int | None) -> None:
    bench = Bench(ScriptedVAD([(0.5, 2.5)]), ScriptedSTT([(2.7, "hello")]), seed=seed).call(5.0)
    assert bench.transcripts == ["hello"]
    assert bench.turn_times == [about(3.0)]


def test_voice_and_silence_are_reported_as_of_when_they_were() -> None:
    bench = Bench(ScriptedVAD([(0.5, 2.5)]), ScriptedSTT([(2.7, "hello")])).call(5.0)
    expected = [(True, about(0.5)), (False, about(2.5))]
    assert bench.activity == expected
    assert bench.facts == expected


def test_the_turn_carries_its_times_confidence_and_name() -> None:
    bench = Bench(ScriptedVAD([(0.5, 2.5)]), ScriptedSTT([(2.7, "hello")], confidence=0.8)).call(5.0)
    (turn,) = bench.turns
    assert (turn.participant, turn.confidence, turn.typed) == ("ann", 0.8, False)
    times = (turn.started_speaking_at, turn.stopped_speaking_at, turn.last_final_at)
    assert [at and at / 1e9 for at in times] == [about(0.5), about(2.5), about(2.7)]
    assert [note.turn for note in bench.agent if isinstance(note.message, UserTurnEnded)] == [turn.turn] == ["turn-1"]


@pytest.mark.parametrize("seed", SCHEDULES)
def test_a_late_final_does_not_wait_again(seed: int | None) -> None:
    bench = Bench(ScriptedVAD([(0.5, 2.5)]), ScriptedSTT([(3.8, "hello")], latency=1.3), seed=seed).call(6.0)
    assert bench.transcripts == ["hello"]
    assert bench.turn_times == [about(3.8)]


@pytest.mark.parametrize("seed", SCHEDULES)
def test_a_recogniser_that_finishes_when_told_to(seed: int | None) -> None:
    stt = ScriptedSTT([(2.5, "hello")], latency=0.0, on_flush=True)
    bench = Bench(ScriptedVAD([(0.5, 2.5)]), stt, seed=seed).call(5.0)
    assert stt.flushes == [about(3.0)]
    assert bench.transcripts == ["hello"]
    assert bench.turn_times == [about(3.0)]


@pytest.mark.parametrize("seed", SCHEDULES)
def test_two_finals_of_one_turn_are_merged(seed: int | None) -> None:
    stt = ScriptedSTT([(1.5, "good"), (4.2, "morning")])
    options = SessionOptions(min_endpointing_delay=1.5)
    bench = Bench(ScriptedVAD([(0.5, 1.4), (2.5, 4.0)]), stt, options=options, seed=seed).call(7.0)
    assert bench.transcripts == ["good morning"]
    assert bench.turn_times == [about(5.5)]
    assert bench.turns[0].started_speaking_at == about(0.5e9, 2e7)
    assert (bench.ledger["committed"], bench.ledger["merged"]) == (1, 1)


@pytest.mark.parametrize("seed", SCHEDULES)
def test_two_turns(seed: int | None) -> None:
    stt = ScriptedSTT([(1.7, "one"), (4.7, "two")])
    bench = Bench(ScriptedVAD([(0.5, 1.5), (3.5, 4.5)]), stt, seed=seed).call(7.0)
    assert bench.transcripts == ["one", "two"]
    assert bench.turn_times == [about(2.0), about(5.0)]
    assert [note.turn for note in bench.agent if isinstance(note.message, UserTurnEnded)] == ["turn-1", "turn-2"]


def test_words_that_are_still_coming_hold_the_turn() -> None:
    stt = ScriptedSTT([(1.0, "I would like"), (3.4, "a table for two")], interims=[(2.0, "a table")])
    bench = Bench(ScriptedVAD([(0.2, 2.5)]), stt).call(5.0)
    assert bench.transcripts == ["I would like a table for two"]
    assert bench.turn_times == [about(3.4)]


def test_words_that_never_come_hold_the_turn_no_longer_than_the_maximum() -> None:
    options = SessionOptions(max_endpointing_delay=2.0)
    stt = ScriptedSTT([(1.0, "hello")], interims=[(2.0, "er")])
    bench = Bench(ScriptedVAD([(0.2, 2.5)]), stt, options=options).call(6.0)
    assert bench.transcripts == ["hello"]
    assert bench.turn_times == [about(4.5)]


def test_words_that_turn_out_to_be_none_let_the_turn_go_on() -> None:
    stt = ScriptedSTT([(1.0, "hello"), (3.2, "")], interims=[(2.0, "er")])
    bench = Bench(ScriptedVAD([(0.2, 2.5)]), stt).call(6.0)
    assert bench.transcripts == ["hello"]
    assert bench.turn_times == [about(3.2)]


@pytest.mark.parametrize("seed", SCHEDULES)
def test_noise_without_words_is_dropped(seed: int | None) -> None:
    options = SessionOptions(max_endpointing_delay=2.0)
    stt = ScriptedSTT([])
    bench = Bench(ScriptedVAD([(0.5, 1.0)]), stt, options=options, seed=seed).call(15.0)
    assert bench.turns == []
    assert bench.summaries["turn"]["phase"] == "dropped"
    assert (stt.streams, bench.failures) == (1, []), "a recogniser may say nothing about noise"
    assert bench.activity == [(True, about(0.5)), (False, about(1.0))]


def test_words_that_come_after_the_speech_was_dropped_are_a_turn_at_once() -> None:
    options = SessionOptions(max_endpointing_delay=1.0)
    stt = ScriptedSTT([(3.0, "hello")], latency=2.0)
    bench = Bench(ScriptedVAD([(0.5, 1.0)]), stt, options=options).call(5.0)
    assert bench.turn_times == [about(3.0)]


def test_words_too_quiet_for_the_detector_of_speech_are_a_turn() -> None:
    bench = Bench(ScriptedVAD([]), ScriptedSTT([(2.0, "psst")])).call(4.0)
    assert bench.transcripts == ["psst"]
    assert bench.turn_times == [about(2.5)]


def test_without_a_recogniser_speech_is_no_turn() -> None:
    bench = Bench(ScriptedVAD([(0.5, 2.5)])).call(5.0)
    assert bench.turns == []
    assert bench.activity == [(True, about(0.5)), (False, about(2.5))]
    assert bench.summaries["turn"]["phase"] == "dropped"
    assert [wish.words for _, wish in bench.wishes] == [None]


# -- turn detector ---------------------------------------------------------------------------------------------------


def test_an_unlikely_end_waits_for_the_maximum() -> None:
    detector = ScriptedTurnDetector({"I would like": 0.1})
    options = SessionOptions(max_endpointing_delay=3.0)
    bench = Bench(ScriptedVAD([(0.5, 2.5)]), ScriptedSTT([(2.7, "I would like")]), detector, options).call(8.0)
    assert bench.turn_times == [about(5.5)]
    assert detector.asked == ["I would like"]


def test_a_likely_end_waits_for_the_minimum() -> None:
    detector = ScriptedTurnDetector({})
    bench = Bench(ScriptedVAD([(0.5, 2.5)], min_silence=0.2), ScriptedSTT([(2.7, "goodbye")]), detector).call(5.0)
    assert bench.turn_times == [about(3.0)]


def test_after_an_unlikely_end_the_user_goes_on() -> None:
    detector = ScriptedTurnDetector({"I would like": 0.1})
    stt = ScriptedSTT([(2.7, "I would like"), (5.2, "some tea")])
    bench = Bench(ScriptedVAD([(0.5, 2.5), (4.0, 5.0)]), stt, detector).call(8.0)
    assert bench.transcripts == ["I would like some tea"]
    assert bench.turn_times == [about(5.55, 0.03)]  # silence known at 5.5, then 50 ms for an opinion
    assert detector.asked == ["I would like", "I would like some tea"]


def test_a_detector_that_fails_is_not_waited_for() -> None:
    detector = ScriptedTurnDetector({}, error=RuntimeError("no model"))
    bench = Bench(ScriptedVAD([(0.5, 2.5)], min_silence=0.2), ScriptedSTT([(2.7, "hello")]), detector).call(5.0)
    assert bench.turn_times == [about(3.0)]


def test_a_detector_that_hangs_is_not_waited_for_longer_than_a_second() -> None:
    detector = ScriptedTurnDetector({}, takes=60.0)
    bench = Bench(ScriptedVAD([(0.5, 2.5)], min_silence=0.2), ScriptedSTT([(2.7, "hello")]), detector).call(5.0)
    assert bench.turn_times == [about(3.7)]


# -- words alone -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SCHEDULES)
def test_without_a_detector_of_speech_words_make_the_turn(seed: int | None) -> None:
    stt = ScriptedSTT([(2.0, "what time"), (3.0, "is it")], interims=[(1.0, "what"), (2.4, "is")])
    bench = Bench(stt=stt, seed=seed).call(6.0)
    assert bench.transcripts == ["what time is it"]
    assert bench.turn_times == [about(3.5)]
    assert bench.activity == [(True, about(1.0)), (False, about(2.0)), (True, about(2.4)), (False, about(3.0))]


def test_without_a_detector_of_speech_words_that_are_never_finished_are_given_up() -> None:
    options = SessionOptions(max_endpointing_delay=2.0)
    bench = Bench(stt=ScriptedSTT([], interims=[(1.0, "what"), (1.5, "what er")]), options=options).call(5.0)
    assert bench.turns == []
    assert bench.activity == [(True, about(1.0)), (False, about(1.5))]


# -- barge-in --------------------------------------------------------------------------------------------------------


def test_the_floor_hears_of_an_interruption_when_it_is_long_enough_and_when_its_words_change() -> None:
    stt = ScriptedSTT([(2.7, "stop it now")], interims=[(0.8, "stop"), (1.5, "stop it"), (1.7, "stop it")])
    bench = Bench(ScriptedVAD([(0.5, 2.5)]), stt).call(5.0)
    assert [(at, wish.words) for at, wish in bench.wishes] == [
        (about(1.0), 1),
        (about(1.5), 2),
        (about(2.7), 3),
    ]
    assert {wish.at for _, wish in bench.wishes} == {round(0.5e9)}
    assert bench.wishes[0][1].duration == about(0.5, 0.02)


def test_a_cough_interrupts_nothing() -> None:
    bench = Bench(ScriptedVAD([(0.5, 0.8)]), ScriptedSTT([])).call(3.0)
    assert [at for at, _ in bench.wishes] == []


def test_without_a_minimum_the_first_sound_interrupts() -> None:
    options = SessionOptions(min_interruption_duration=0.0)
    bench = Bench(ScriptedVAD([(0.5, 2.5)]), ScriptedSTT([]), options=options).call(3.0)
    assert [at for at, _ in bench.wishes] == [about(0.56)]


def test_without_a_detector_of_speech_words_interrupt() -> None:
    bench = Bench(stt=ScriptedSTT([(2.0, "stop that")], interims=[(1.0, "stop")])).call(4.0)
    assert [(at, wish.words) for at, wish in bench.wishes] == [(about(1.0), 1), (about(2.0), 2)]
    assert all(wish.duration >= SessionOptions().min_interruption_duration for _, wish in bench.wishes)


# -- public events ---------------------------------------------------------------------------------------------------


def test_transcripts_and_metrics_are_published() -> None:
    stt = ScriptedSTT([(2.7, " hello there ")], interims=[(1.0, "hello")])
    bench = Bench(ScriptedVAD([(0.5, 2.5)]), stt).call(5.0)
    transcribed = bench.events(UserInputTranscribedEvent)
    assert [(event.transcript, event.is_final, event.speaker_id) for event in transcribed] == [
        ("hello", False, "ann"),
        ("hello there", True, "ann"),
    ]
    figures = [event.metrics for event in bench.events(MetricsCollectedEvent)]
    (metrics,) = (item for item in figures if item.type == "stt_metrics")
    assert metrics.audio_duration == about(2.7, 0.02)
    assert sum(1 for item in figures if item.type == "vad_metrics") > 1


# -- close -----------------------------------------------------------------------------------------------------------


def test_a_flush_commits_what_was_said() -> None:
    bench = Bench(ScriptedVAD([(0.5, 9.0)]), ScriptedSTT([(2.0, "wait")]))
    bench.call(5.0, (3.0, bench.tell(FlushTurn())))
    assert bench.transcripts == ["wait"]
    assert bench.turn_times == [about(3.0)]
    assert bench.activity[-1] == (False, about(3.0))


def test_a_flush_may_wait_for_the_last_words() -> None:
    stt = ScriptedSTT([(2.9, "wait for me")], latency=0.0, on_flush=True)
    bench = Bench(ScriptedVAD([(0.5, 9.0)]), stt)
    bench.call(6.0, (3.0, bench.tell(FlushTurn(within=2.0))))
    assert bench.transcripts == ["wait for me"]
    assert bench.turn_times == [about(3.0)]


def test_a_flush_waits_no_longer_than_it_was_given() -> None:
    bench = Bench(ScriptedVAD([(0.5, 9.0)]), ScriptedSTT([(2.0, "wait")]))
    bench.call(6.0, (3.0, bench.tell(FlushTurn(within=1.0))))
    assert bench.turn_times == [about(4.0)]


def test_a_flush_of_nothing_commits_nothing() -> None:
    bench = Bench(ScriptedVAD([(0.5, 1.5)]), ScriptedSTT([]))
    bench.call(4.0, (1.0, bench.tell(FlushTurn())), (3.0, bench.tell(FlushTurn(within=1.0))))
    assert bench.turns == []


def test_what_is_open_at_the_end_is_named(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(ScriptedVAD([(0.5, 9.0)]), ScriptedSTT([(2.0, "wait")])).call(3.0)
    assert bench.turns == []
    assert bench.ledger["open"] == ["transcript-1"]
    assert "transcript_discarded" in caplog.text
    assert "session closed" in caplog.text


@pytest.mark.parametrize("words, turn", [("wait", "turn-1"), ("", None)])
def test_who_asks_for_a_flush_hears_what_became_of_it(words: str, turn: str | None) -> None:
    bench = Bench(ScriptedVAD([(0.5, 9.0)]), ScriptedSTT([(2.0, words)]))

    def flush() -> None:
        supervisor = bench.system.tree("room").cells["room/supervisor"].ref
        bench.ear.tell(FlushTurn(reply_to=supervisor))

    bench.call(5.0, (3.0, flush))
    assert bench.of(bench.supervisor, TurnFlushed) == [TurnFlushed("ann", turn, words)]


@pytest.mark.parametrize("by_default, ends", [(False, 4.7), (True, 4.0)])
def test_times_of_words_count_more_than_a_detector_of_speech_that_nobody_chose(by_default: bool, ends: float) -> None:
    """The detector hears a noise up to 3.2 s; the recogniser, at 3.75, says that the words ended at 2.5."""
    words = SpeechEvent(SpeechEventType.FINAL_TRANSCRIPT, "hello", end_time=2.5)
    options = SessionOptions(min_endpointing_delay=1.5)
    stt = ScriptedSTT([], events=[(3.75, words)])
    bench = Bench(ScriptedVAD([(0.5, 3.2)]), stt, options=options, vad_is_default=by_default).call(7.0)
    assert bench.turn_times == [about(ends)]
