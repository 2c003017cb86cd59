"""A user speaks while providers fail, hang and end, and while the ear's actors are killed."""

from __future__ import annotations

import itertools
import random
from typing import cast

import pytest

from sessionactors.messages.session import ComponentFailed
from sessionactors.model.errors import APIConnectionError, APIError, APITimeoutError
from sessionactors.model.options import APIConnectOptions, SessionOptions
from sessionactors.runtime import RestartsExhausted
from sessionactors.testing.scripted_ear import Faults, ScriptedSTT, ScriptedTurnDetector, ScriptedVAD

from tests.actors.ear_bench import Bench, about

SCHEDULES = [None, 1, 2]
ACTORS = ["input", "vad", "stt", "turn"]


def ledger_balances(bench: Bench) -> bool:
    """Every final that was published ended, or is open, exactly once."""
    ledger = bench.ledger
    counts = cast("dict[str, int]", {name: ledger[name] for name in ("received", "committed", "merged", "discarded")})
    left = len(cast("list[str]", ledger["open"]))
    ended = counts["committed"] + counts["merged"] + counts["discarded"] + left
    return counts["received"] == ended == len(bench.finals)


# -- detector --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SCHEDULES)
def test_a_detector_that_fails_in_the_middle_of_speech_does_not_hold_the_turn(seed: int | None) -> None:
    vad = ScriptedVAD([(0.5, 2.5)], faults=Faults([2.4]))
    bench = Bench(vad, ScriptedSTT([(2.7, "hello")]), seed=seed).call(6.0)
    assert bench.transcripts == ["hello"]
    assert bench.activity == [(True, about(0.5)), (False, about(2.38))]
    assert bench.turn_times == [about(2.88)]
    assert [failure.component for failure in bench.failures] == ["vad"]
    assert isinstance(bench.failures[0].error, APIConnectionError)
    assert [recovery.component for recovery in bench.recoveries] == ["vad"]


@pytest.mark.parametrize("seed", SCHEDULES)
def test_speech_that_goes_on_is_found_again_by_the_next_stream(seed: int | None) -> None:
    vad = ScriptedVAD([(0.5, 4.5)], faults=Faults([1.5]))
    bench = Bench(vad, ScriptedSTT([(4.7, "hello")]), seed=seed).call(7.0)
    assert vad.streams == 2
    assert bench.activity == [(True, about(0.5)), (False, about(1.48)), (True, about(1.98, 0.04)), (False, about(4.5))]
    assert bench.turn_times == [about(5.0)]
    assert bench.turns[0].started_speaking_at == about(0.5e9, 2e7)


def test_a_detector_stream_that_ends_while_audio_flows_is_a_failure() -> None:
    vad = ScriptedVAD([(1.5, 2.5)], faults=Faults(ends=[0.5]))
    bench = Bench(vad, ScriptedSTT([(2.7, "hello")])).call(5.0)
    assert vad.streams == 2
    assert len(bench.failures) == 1
    assert bench.turn_times == [about(3.0)]


def test_a_detector_that_hangs_in_the_middle_of_speech_is_replaced() -> None:
    vad = ScriptedVAD([(0.5, 6.0)], faults=Faults(hangs=[1.5]))
    bench = Bench(vad, ScriptedSTT([(6.2, "hello")])).call(9.0)
    assert vad.streams == 2
    assert isinstance(bench.failures[0].error, APITimeoutError)
    assert bench.activity[1] == (False, about(3.5, 0.06))
    assert bench.transcripts == ["hello"]


def test_a_detector_that_cannot_be_opened_is_tried_ever_more_seldom() -> None:
    vad = ScriptedVAD([], faults=Faults([0.0] * 6))
    bench = Bench(vad, ScriptedSTT([])).call(30.0)
    failed_at = [note.at for note in bench.supervisor if isinstance(note.message, ComponentFailed)]
    gaps = [later - sooner for sooner, later in itertools.pairwise(failed_at)]
    assert gaps == [about(gap, 0.03) for gap in (0.5, 1.0, 2.0, 4.0, 5.0)]
    assert len(bench.recoveries) == 1


# -- recogniser ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SCHEDULES)
def test_after_a_failure_the_next_stream_hears_what_no_final_covers(seed: int | None) -> None:
    stt = ScriptedSTT([(2.7, "hello")], faults=Faults([2.6]))
    bench = Bench(ScriptedVAD([(0.5, 2.5)]), stt, seed=seed).call(6.0)
    assert stt.streams == 2
    assert bench.finals == ["hello"]
    assert bench.transcripts == ["hello"]
    assert bench.turn_times == [about(3.0, 0.03)]
    (stumble,) = bench.stumbles
    assert (stumble.component, type(stumble.error), stumble.label) == ("stt", APIConnectionError, stt.label)
    assert bench.failures == [], "within its budget a failure is not final"
    assert [recovery.component for recovery in bench.recoveries] == ["stt"]


@pytest.mark.parametrize("seed", SCHEDULES)
def test_a_failure_between_flush_and_final_does_not_lose_the_utterance(seed: int | None) -> None:
    stt = ScriptedSTT([(2.5, "hello")], latency=0.0, on_flush=True, faults=Faults([3.0]))
    bench = Bench(ScriptedVAD([(0.5, 2.5)]), stt, seed=seed).call(6.0)
    assert stt.streams == 2
    assert bench.finals == ["hello"]
    assert bench.turn_times == [about(3.1, 0.05)]


def test_a_final_is_not_heard_again() -> None:
    stt = ScriptedSTT([(1.7, "one"), (4.7, "two")], faults=Faults([2.2, 3.0, 4.0]))
    bench = Bench(ScriptedVAD([(0.5, 1.5), (3.5, 4.5)]), stt).call(9.0)
    assert stt.streams == 4
    assert bench.finals == bench.transcripts == ["one", "two"]


@pytest.mark.parametrize("victim", ["vad", "stt"])
def test_a_stream_that_is_replaced_is_fenced(victim: str) -> None:
    """What an older stream still says belongs to a closed scope; only the running streams' scopes are open."""
    stt = ScriptedSTT([], faults=Faults([1.0]))
    vad = ScriptedVAD([], faults=Faults([1.0]))
    bench = Bench(vad, stt)
    bench.call(4.0, (2.0, bench.kill(victim)))
    assert (vad.streams, stt.streams) == ((3, 2) if victim == "vad" else (2, 3))
    assert len(bench.open_scopes) == 2


@pytest.mark.parametrize("seed", SCHEDULES)
def test_a_final_of_doubtful_audio_that_is_heard_again_is_discarded(seed: int | None) -> None:
    """A final that comes in the middle of an utterance while an older one is unanswered may be of either."""
    stt = ScriptedSTT([(4.0, "first half"), (6.2, "second half")], faults=Faults([4.5]))
    bench = Bench(ScriptedVAD([(0.5, 1.0), (2.5, 6.0)]), stt, seed=seed).call(9.0)
    assert stt.streams == 2
    assert bench.finals == ["first half", "second half"]
    assert bench.transcripts == ["first half second half"]
    assert bench.summaries["stt"]["discarded"] == {"replayed": 1, "empty": 0}


def test_a_spent_budget_is_reported_and_the_call_goes_on() -> None:
    options = SessionOptions(stt_conn_options=APIConnectOptions(max_retry=1, retry_interval=0.5))
    stt = ScriptedSTT([(4.7, "hello")], faults=Faults([0.1, 0.1, 0.1, 0.1]))
    bench = Bench(ScriptedVAD([(3.5, 4.5)]), stt, options=options).call(7.0)
    assert stt.streams == 5
    assert len(bench.stumbles) == 1
    assert [failure.component for failure in bench.failures] == ["stt"] * 3
    assert bench.transcripts == ["hello"]
    assert len(bench.recoveries) == 1


def test_an_error_that_no_retry_heals_is_reported_at_once() -> None:
    fatal = Faults([1.0], error=APIError("the key is wrong", retryable=False))
    bench = Bench(ScriptedVAD([]), ScriptedSTT([], faults=fatal)).call(5.0)
    assert [failure.component for failure in bench.failures] == ["stt"]


def test_a_stream_that_worked_long_begins_a_new_budget() -> None:
    options = SessionOptions(stt_conn_options=APIConnectOptions(max_retry=1))
    stt = ScriptedSTT([], faults=Faults([31.0, 62.0, 93.0]))
    bench = Bench(ScriptedVAD([]), stt, options=options).call(95.0)
    assert (stt.streams, bench.failures) == (4, [])


def test_a_recogniser_that_reads_no_more_is_replaced() -> None:
    options = SessionOptions(stt_conn_options=APIConnectOptions(timeout=2.0))
    stt = ScriptedSTT([(2.7, "hello")], faults=Faults(hangs=[1.5]))
    bench = Bench(ScriptedVAD([(0.5, 2.5)]), stt, options=options).call(8.0)
    assert stt.streams == 2
    assert bench.transcripts == ["hello"]
    assert bench.turn_times == [about(5.1, 0.05)]  # flush at 3.0, timeout, first retry
    assert isinstance(bench.stumbles[0].error, APITimeoutError)


def test_a_recogniser_that_owes_a_final_is_replaced() -> None:
    options = SessionOptions(stt_conn_options=APIConnectOptions(timeout=2.0))
    stt = ScriptedSTT([], interims=[(1.5, "hel")])
    bench = Bench(ScriptedVAD([(0.5, 2.5)]), stt, options=options).call(6.0)
    assert stt.streams == 2
    assert len(bench.stumbles) == 1


def test_without_a_detector_of_speech_words_that_stay_unfinished_are_a_sign_of_a_hung_recogniser() -> None:
    options = SessionOptions(stt_conn_options=APIConnectOptions(timeout=2.0), max_endpointing_delay=6.0)
    stt = ScriptedSTT([(1.7, "hello")], interims=[(1.5, "hel")], faults=Faults(hangs=[1.6]))
    bench = Bench(stt=stt, options=options).call(8.0)
    assert stt.streams == 2
    assert bench.transcripts == ["hello"]


@pytest.mark.parametrize("detected", [False, True], ids=["without a detector", "the user stopped"])
def test_words_that_change_for_ever_are_a_sign_of_a_hung_recogniser(detected: bool) -> None:
    options = SessionOptions(stt_conn_options=APIConnectOptions(timeout=1.0), max_endpointing_delay=20.0)

    def streams(seconds: float) -> tuple[int, list[str]]:
        stt = ScriptedSTT([], interims=[(1.0 + 0.5 * number, f"hel{number}") for number in range(40)])
        vad = ScriptedVAD([(0.5, 2.5)]) if detected else None
        bench = Bench(vad, stt, options=options).call(seconds)
        return stt.streams, [str(stumble.error) for stumble in bench.stumbles]

    assert streams(13.0) == (1, [])  # somebody may speak for long
    assert streams(18.0) == (2, ["the recogniser finished nothing within 1 s"])


# -- killed actors ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [None, 1])
@pytest.mark.parametrize("at", [0.3, 1.0, 2.45, 2.55, 2.75, 2.9])
@pytest.mark.parametrize("victim", ACTORS)
def test_p12_a_killed_actor_costs_neither_the_turn_nor_the_next(victim: str, at: float, seed: int | None) -> None:
    stt = ScriptedSTT([(2.7, "hello"), (4.7, "goodbye")])
    bench = Bench(ScriptedVAD([(0.5, 2.5), (4.0, 4.5)]), stt, seed=seed)
    bench.call(6.0, (at, bench.kill(victim)))
    assert bench.transcripts == ["hello", "goodbye"]
    assert bench.turn_times[0] == about(3.0, 0.2)
    assert bench.turn_times[1] == about(5.0)
    assert bench.ended == []
    assert ledger_balances(bench)
    assert bench.activity[-1] == (False, about(4.5))


@pytest.mark.parametrize("at", [2.6, 2.75])
def test_a_turn_that_is_restarted_asks_its_detector_again(at: float) -> None:
    detector = ScriptedTurnDetector({"I would like": 0.1}, takes=0.2)
    options = SessionOptions(max_endpointing_delay=2.0)
    vad = ScriptedVAD([(0.5, 2.5)], min_silence=0.1)
    bench = Bench(vad, ScriptedSTT([(2.7, "I would like")]), detector, options)
    bench.call(6.0, (at, bench.kill("turn")))
    assert bench.turn_times == [about(4.5)]


def test_a_turn_that_is_restarted_without_a_detector_of_speech_does_not_wait_for_ever() -> None:
    options = SessionOptions(max_endpointing_delay=2.0)
    bench = Bench(stt=ScriptedSTT([], interims=[(1.0, "what")]), options=options)
    bench.call(5.0, (1.5, bench.kill("turn")))
    assert bench.activity == [(True, about(1.0)), (False, about(1.0))]


def test_p12_a_turn_that_fails_twice_ends_the_ear() -> None:
    bench = Bench(ScriptedVAD([]), ScriptedSTT([]))
    bench.call(3.0, (1.0, bench.kill("turn")), (2.0, bench.kill("turn")))
    (ended,) = bench.ended
    assert (ended.path, type(ended.error)) == ("room/ear-ann", RestartsExhausted)


@pytest.mark.parametrize("victim", ["input", "vad", "stt"])
def test_p12_an_actor_that_keeps_failing_ends_the_ear(victim: str) -> None:
    bench = Bench(ScriptedVAD([]), ScriptedSTT([]))
    bench.call(14.0, *((1.0 + 1.2 * number, bench.kill(victim)) for number in range(9)))
    assert [ended.path for ended in bench.ended] == ["room/ear-ann"]


@pytest.mark.parametrize("seed", range(20))
def test_p03_finals_are_conserved_under_random_faults(seed: int) -> None:
    chance = random.Random(seed)
    speech, finals = [], []
    at = 0.5
    for number in range(5):
        end = at + chance.uniform(0.3, 1.5)
        speech.append((at, end))
        finals.append((end + chance.uniform(0.15, 0.6), f"words {number}" if chance.random() < 0.8 else ""))
        at = end + chance.uniform(0.3, 2.0)
    stt = ScriptedSTT(
        finals,
        interims=[(end, "words") for _, end in speech if chance.random() < 0.3],
        latency=0.15,
        faults=Faults([chance.uniform(0.0, at) for _ in range(chance.randrange(3))]),
    )
    vad = ScriptedVAD(speech, faults=Faults([chance.uniform(0.0, at) for _ in range(chance.randrange(3))]))
    bench = Bench(vad, stt, seed=seed)
    kills = [(chance.uniform(0.0, at), bench.kill(chance.choice(ACTORS[:3]))) for _ in range(chance.randrange(4))]
    if chance.random() < 0.5:
        kills.append((chance.uniform(0.0, at), bench.kill("turn")))
    bench.call(at + 8.0, *kills)
    spoken = [text for _, text in finals if text]
    assert bench.ended == []
    assert " ".join(bench.finals).split() == " ".join(spoken).split(), "nothing lost, nothing twice"
    assert " ".join(bench.transcripts).split() == " ".join(spoken).split()
    assert ledger_balances(bench)
    assert not bench.activity or not bench.activity[-1][0], "nobody waits for an end of speech"
