"""What a detector says of silence: few messages, all of it counted, and no edge of speech is late."""

from __future__ import annotations

from sessionactors.actors.quiet_windows import QuietWindows
from sessionactors.interfaces.vad import VADEvent, VADEventType
from sessionactors.messages.ear import DetectorSaid
from sessionactors.runtime import Scope

SCOPE = Scope("detection-1")
WINDOW = 0.032


def told(kinds: str, interval: float = WINDOW) -> list[DetectorSaid | None]:
    """For each letter (`s`tart, `w`indow, `e`nd) what is told."""
    types = {"s": VADEventType.START_OF_SPEECH, "w": VADEventType.INFERENCE_DONE, "e": VADEventType.END_OF_SPEECH}
    quiet = QuietWindows(interval)
    return [quiet.told(VADEvent(types[kind], 0.0, 0.0, inference_duration=0.001), SCOPE) for kind in kinds]


def test_silence_is_told_at_once_and_then_four_times_a_second() -> None:
    said = told("w" * 250)  # 8 s
    assert said[0] is not None
    assert sum(each is not None for each in said) == 32


def test_every_window_is_counted_with_its_inference() -> None:
    messages = [each for each in told("w" * 20 + "s" + "w" * 5 + "e" + "w" * 8) if each is not None]
    windows = sum(each.quiet + (each.event.type is VADEventType.INFERENCE_DONE) for each in messages)
    seconds = sum(each.inference for each in messages)
    assert windows == 20 + 5 + 8
    told_themselves = sum(each.event.type is VADEventType.INFERENCE_DONE for each in messages)
    assert round(seconds * 1000) + told_themselves == windows


def test_edges_and_windows_of_speech_are_told_at_once() -> None:
    said = told("www" + "swwww" + "e" + "ww")
    assert all(each is not None for each in said[3:9])
    assert said[3] is not None
    assert said[3].quiet == 2
    assert said[9] is None


def test_a_detector_that_is_slow_is_told_each_time() -> None:
    assert all(each is not None for each in told("wwww", interval=0.3))
