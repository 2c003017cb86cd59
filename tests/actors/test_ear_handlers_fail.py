"""A handler raises: the message is lost, and nobody waits for it for ever."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sessionactors.actors.input import InputActor
from sessionactors.actors.recognized import Recognized
from sessionactors.actors.turn import TurnActor
from sessionactors.actors.vad import VADActor
from sessionactors.messages.ear import FlushTurn, SetInputEnabled
from sessionactors.model.events import ErrorEvent
from sessionactors.model.options import APIConnectOptions, SessionOptions
from sessionactors.testing.scripted_ear import Faults, ScriptedSTT, ScriptedVAD

from tests.actors.ear_bench import Bench, about


def fails_once(monkeypatch: pytest.MonkeyPatch, actor: type, handler: str) -> None:
    """The handler raises the first time, and is itself afterwards."""
    original: Callable[..., object] = getattr(actor, handler)
    struck: list[bool] = []

    def failing(*arguments: object) -> object:
        if not struck:
            struck.append(True)
            raise RuntimeError(f"{handler} fails")
        return original(*arguments)

    monkeypatch.setattr(actor, handler, failing)


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_a_turn_that_missed_the_end_of_speech_asks_for_it(monkeypatch: pytest.MonkeyPatch, seed: int | None) -> None:
    fails_once(monkeypatch, TurnActor, "_on_speech_ended")
    bench = Bench(ScriptedVAD([(0.5, 2.5)]), ScriptedSTT([(2.7, "hello")]), seed=seed).call(5.0)
    assert bench.transcripts == ["hello"]
    assert bench.turn_times == [about(3.05)]
    assert bench.activity == [(True, about(0.5)), (False, about(2.5))]


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_a_detector_that_fails_at_the_end_of_speech_ends_it_when_it_is_back(
    monkeypatch: pytest.MonkeyPatch, seed: int | None
) -> None:
    fails_once(monkeypatch, VADActor, "_speech_ended")
    bench = Bench(ScriptedVAD([(0.5, 2.5)]), ScriptedSTT([(2.7, "hello")]), seed=seed).call(5.0)
    assert bench.turn_times == [about(3.05)]


def test_an_input_that_fails_to_replay_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    fails_once(monkeypatch, InputActor, "_on_replay_wanted")
    stt = ScriptedSTT([(2.7, "hello")], faults=Faults([2.0]))
    bench = Bench(ScriptedVAD([(0.5, 2.5)]), stt).call(6.0)
    assert bench.transcripts == ["hello"]
    assert bench.turn_times == [about(3.1, 0.05)]  # failed at 2.0, asked at 2.1 and again a second later


def test_a_recogniser_actor_that_fails_on_a_final_gets_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    fails_once(monkeypatch, Recognized, "_deliver")
    bench = Bench(ScriptedVAD([(0.5, 2.5)]), ScriptedSTT([(2.7, "hello")])).call(5.0)
    assert bench.finals == bench.transcripts == ["hello"]


def test_an_input_that_fails_at_its_start_attaches_its_source_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    fails_once(monkeypatch, InputActor, "_attach")
    bench = Bench(ScriptedVAD([(0.5, 2.5)]), ScriptedSTT([(2.7, "hello")])).call(5.0)
    assert bench.transcripts == ["hello"]


def test_a_turn_that_fails_while_it_flushes_keeps_the_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(ScriptedVAD([(0.5, 9.0)]), ScriptedSTT([(2.0, "wait")]))
    bench.call(6.0, (3.0, bench.tell(FlushTurn(within=1.0))), (3.5, bench.kill("turn")))
    assert bench.transcripts == ["wait"]


@pytest.mark.parametrize("stage", [2.05, 2.3])
def test_p12_a_recogniser_actor_killed_while_it_waits_to_retry(stage: float) -> None:
    options = SessionOptions(stt_conn_options=APIConnectOptions(retry_interval=1.0))
    stt = ScriptedSTT([(2.7, "hello")], faults=Faults([2.0]))
    bench = Bench(ScriptedVAD([(0.5, 2.5)]), stt, options=options)
    bench.call(6.0, (stage, bench.kill("stt")))
    assert bench.finals == bench.transcripts == ["hello"]


def test_a_stream_that_ends_when_the_audio_has_paused_is_no_failure() -> None:
    stt = ScriptedSTT([(1.7, "one"), (6.7, "two")], faults=Faults([3.5]))
    bench = Bench(ScriptedVAD([(0.5, 1.5), (5.5, 6.5)]), stt)
    bench.call(9.0, (3.0, bench.tell(SetInputEnabled(False))), (5.0, bench.tell(SetInputEnabled(True))))
    assert stt.streams == 2
    assert (bench.failures, bench.events(ErrorEvent)) == ([], [])
    assert bench.transcripts == ["one", "two"]


def test_a_stream_that_ends_by_itself_when_the_audio_has_paused_is_opened_again() -> None:
    stt = ScriptedSTT([(1.7, "one"), (6.7, "two")], faults=Faults(ends=[3.5]))
    bench = Bench(ScriptedVAD([(0.5, 1.5), (5.5, 6.5)]), stt)
    bench.call(9.0, (3.0, bench.tell(SetInputEnabled(False))), (5.0, bench.tell(SetInputEnabled(True))))
    assert stt.streams == 2
    assert bench.transcripts == ["one", "two"]


def test_audio_that_the_ring_forgot_is_counted() -> None:
    options = SessionOptions(stt_conn_options=APIConnectOptions(max_retry=0, retry_interval=20.0))
    stt = ScriptedSTT([(26.0, "still there")], faults=Faults([1.0]))
    bench = Bench(ScriptedVAD([(25.0, 25.8)]), stt, options=options).call(30.0)
    lost = bench.summaries["stt"]["lost_frames"]
    assert isinstance(lost, int)
    assert 5.5 * 50 < lost < 7.0 * 50
    assert bench.transcripts == ["still there"]
