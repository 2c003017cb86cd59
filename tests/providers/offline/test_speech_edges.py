"""From probabilities to the edges of speech, as tables."""

from __future__ import annotations

import pytest

from sessionactors.interfaces.vad import VADEvent, VADEventType
from sessionactors.model.errors import OptionError
from sessionactors.providers.offline.speech_edges import EdgeRules, SpeechEdges, Windows

WINDOW = 0.032
LETTERS = {VADEventType.START_OF_SPEECH: "S", VADEventType.END_OF_SPEECH: "E", VADEventType.INFERENCE_DONE: "."}


def events_of(
    probabilities: list[float], *, delay: float = 0.0, rules: EdgeRules | None = None, finish: bool = False
) -> list[VADEvent]:
    rules = rules or EdgeRules(min_speech_duration=0.05, min_silence_duration=0.09)
    edges = SpeechEdges(rules)
    events: list[VADEvent] = []
    for index, probability in enumerate(probabilities):
        start, end = index * WINDOW, (index + 1) * WINDOW
        events += edges.window(start, end, probability, end + delay)
    if finish:
        events += edges.finish(len(probabilities) * WINDOW + delay)
    return events


@pytest.mark.parametrize(
    "probabilities, expected",
    [
        ([0.1, 0.1], ".."),
        ([0.1, 0.9, 0.9, 0.9], "..S.."),
        ([0.9, 0.1, 0.9, 0.1], "...."),
        ([0.9, 0.9, 0.4, 0.4, 0.4, 0.4], ".S....."),
        ([0.9, 0.9, 0.1, 0.1, 0.1], ".S....E"),
        ([0.9, 0.9, 0.1, 0.1, 0.4, 0.1, 0.1, 0.1], ".S.......E"),
        ([0.9, 0.9, 0.1, 0.1, 0.1, 0.4, 0.9, 0.9], ".S....E..S."),
    ],
    ids=[
        "silence",
        "speech begins when it lasted",
        "clicks are no speech",
        "the lower threshold holds",
        "speech ends when silence lasted",
        "a sound restarts the silence",
        "after the end the upper threshold counts again",
    ],
)
def test_edges(probabilities: list[float], expected: str) -> None:
    assert "".join(LETTERS[event.type] for event in events_of(probabilities)) == expected


def test_every_window_reports_inference_once() -> None:
    events = events_of([0.9, 0.9, 0.1, 0.1, 0.1, 0.9])
    assert sum(event.type is VADEventType.INFERENCE_DONE for event in events) == 6


def test_durations_lead_back_to_where_speech_began_and_ended() -> None:
    delay = 0.011  # samples received beyond the window
    events = events_of([0.1, 0.1, 0.9, 0.9, 0.9, 0.1, 0.1, 0.1], delay=delay)
    start = next(event for event in events if event.type is VADEventType.START_OF_SPEECH)
    end = next(event for event in events if event.type is VADEventType.END_OF_SPEECH)
    assert 4 * WINDOW + delay - start.speech_duration == pytest.approx(2 * WINDOW)
    assert 8 * WINDOW + delay - end.silence_duration == pytest.approx(5 * WINDOW)
    assert end.speech_duration == pytest.approx(3 * WINDOW)


def test_speaking_is_told_after_each_event() -> None:
    events = events_of([0.9, 0.9, 0.1, 0.1, 0.1])
    assert [event.speaking for event in events] == [False, True, True, True, True, False, False]


def test_speech_ends_with_the_audio() -> None:
    assert [LETTERS[event.type] for event in events_of([0.9, 0.9], finish=True)] == [".", "S", ".", "E"]
    assert [LETTERS[event.type] for event in events_of([0.1], finish=True)] == ["."]


def test_without_minimum_durations_edges_are_immediate() -> None:
    rules = EdgeRules(min_speech_duration=0.0, min_silence_duration=0.0)
    assert "".join(LETTERS[event.type] for event in events_of([0.9, 0.1, 0.9], rules=rules)) == "S..ES."


@pytest.mark.parametrize(
    "options",
    [
        {"activation_threshold": 1.1},
        {"deactivation_threshold": -0.1},
        {"activation_threshold": 0.3},
        {"min_speech_duration": -1.0},
        {"min_silence_duration": -1.0},
    ],
    ids=str,
)
def test_rules_out_of_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(OptionError):
        EdgeRules(**options)


def test_windows_of_one_size_come_from_frames_of_any() -> None:
    windows = Windows(4)
    taken: list[bytes] = []
    for size in (3, 1, 9, 0, 2):
        windows.push(bytes(range(2 * size)))
        while (window := windows.pop()) is not None:
            taken.append(window)
    assert [len(window) for window in taken] == [8, 8, 8]
    assert (windows.received, windows.taken) == (15, 12)
