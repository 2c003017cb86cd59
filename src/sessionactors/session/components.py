"""From what the user gave to what the actors take: options, components, drop-ins, and the guard of silence."""

from __future__ import annotations

from typing import TypeVar

from sessionactors.actors.wiring import Wiring
from sessionactors.interfaces.turn_detector import TurnDetector
from sessionactors.model.errors import OptionError
from sessionactors.model.options import APIConnectOptions, SessionOptions
from sessionactors.model.sentinel import NOT_GIVEN, NotGivenOr, given
from sessionactors.runtime import (
    Actor,
    ActorSystem,
)

from .drop_in import AnyDropIn, DropIn
from .turn_handling import TurnHandlingOptions, flattened


class SilenceGuard:
    """Has the watchdog mute the sink when ``output`` does not acknowledge silence in time."""

    def __init__(self, system: ActorSystem, room: str, wiring: Wiring) -> None:
        self._system = system
        self._room = room
        self._wiring = wiring

    def __call__(self, speech: str, seconds: float) -> None:
        """Mute the sink in so many seconds, unless released before."""
        watchdog, transport = self._system.watchdog, self._wiring.components.transport
        sink = None if transport is None else transport.audio_sink
        if watchdog is not None and sink is not None:
            watchdog.guard(f"{self._room}/{speech}", seconds, sink.mute)


def release_guard(system: ActorSystem, room: str, speech: str) -> None:
    """The named speech is silent: its guard is not needed any more."""
    if system.watchdog is not None:
        system.watchdog.release(f"{room}/{speech}")


T = TypeVar("T")


def as_actor(drop_in: AnyDropIn) -> DropIn[object, object]:
    """The drop-in, checked."""
    if not isinstance(drop_in, DropIn):
        raise OptionError(f"{drop_in!r} is not a drop-in actor: subclass DropIn")
    return drop_in


def itself(drop_in: DropIn[object, object]) -> Actor[object, object]:
    """A drop-in is made by the user; it is never restarted, so its factory gives the same one."""
    return drop_in


def one_of(name: str, before: T | None, now: T | None) -> T | None:
    """The component that was given, to the constructor or to ``start``."""
    if before is not None and now is not None and before is not now:
        raise OptionError(f"{name} was given to AgentSession(...) and another one to start(...): give it once")
    return before if now is None else now


def resolve(
    turn_detection: NotGivenOr[TurnDetector | str | None],
    turn_handling: TurnHandlingOptions | None,
    flat: dict[str, object],
    conn_options: APIConnectOptions | None,
) -> tuple[TurnDetector | None, SessionOptions]:
    """The turn detector and the options that flat names and ``turn_handling`` amount to."""
    detection: TurnDetector | str | None = given(turn_detection, None)
    if turn_handling is not None:
        in_dict, from_dict = flattened(turn_handling)
        twice = sorted(set(from_dict) & set(flat))
        if "turn_detection" in turn_handling and turn_detection is not NOT_GIVEN:
            twice.append("turn_detection")
        if twice:
            raise OptionError(f"{', '.join(twice)}: given both flat and in turn_handling; give each once")
        flat = {**flat, **from_dict}
        detection = in_dict if "turn_detection" in turn_handling else detection
    if isinstance(detection, str):
        if detection != "vad":
            raise OptionError(f'turn_detection must be "vad", a TurnDetector or None, got {detection!r}')
        detection = None
    if conn_options is not None:
        flat = {
            **flat,
            "stt_conn_options": conn_options,
            "llm_conn_options": conn_options,
            "tts_conn_options": conn_options,
        }
    return detection, SessionOptions(**flat)  # type: ignore[arg-type]
