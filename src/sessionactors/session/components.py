"""From what the user gave to what the actors take: options, components, drop-ins, and the guard of silence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from types import MappingProxyType
from typing import Final, TypeVar, cast

from sessionactors.actors.wiring import Wiring
from sessionactors.model.errors import OptionError
from sessionactors.model.options import APIConnectOptions, SessionConnectOptions, SessionOptions, TextTransform
from sessionactors.model.sentinel import NOT_GIVEN, NotGivenOr, given
from sessionactors.runtime import (
    Actor,
    ActorSystem,
)

from .deprecations import warn_deprecated
from .drop_in import AnyDropIn, DropIn
from .turn_handling import TurnHandlingOptions, flattened, group_flattened, place


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
    options: Mapping[str, object],
    turn_handling: NotGivenOr[TurnHandlingOptions | None],
    flat: Mapping[str, object],
    conn_options: SessionConnectOptions | APIConnectOptions | None,
) -> SessionOptions:
    """The options that all ways of giving them amount to.

    Args:
        options: those that have one name only, by that name; what was not given is NOT_GIVEN.
        turn_handling: those about turns, as a dict.
        flat: those about turns under their old names; each one that is given warns.
        conn_options: for all providers, or for each kind.

    Raises:
        OptionError: an option is out of range, unknown, or given both ways.
    """
    from_dict = flattened(given(turn_handling, None) or {})
    old = {name: value for name, value in flat.items() if value is not NOT_GIVEN}
    deprecated = list(old)
    old = {RENAMED.get(name, name): value for name, value in old.items()}
    if isinstance(old.get("preemptive_generation"), Mapping):
        old |= group_flattened("preemptive_generation", old.pop("preemptive_generation"))
    twice = sorted(set(from_dict) & set(old))
    if twice:
        raise OptionError(f"{', '.join(twice)}: given both flat and in turn_handling; give each once")
    values = {name: value for name, value in options.items() if value is not NOT_GIVEN}
    if "tts_text_transforms" in values:
        transforms = cast("Sequence[TextTransform] | None", values["tts_text_transforms"])
        values["tts_text_transforms"] = tuple(transforms or ())
    resolved = SessionOptions.resolve({**values, **from_dict, **old, **_connection(conn_options)})
    for name in deprecated:
        warn_deprecated(f"AgentSession({name}=...)", place(RENAMED.get(name, name)))
    return resolved


RENAMED: Final[Mapping[str, str]] = MappingProxyType({"agent_false_interruption_timeout": "false_interruption_timeout"})
"""Old names of options that have another name now."""


def _connection(options: SessionConnectOptions | APIConnectOptions | None) -> dict[str, object]:
    match options:
        case None:
            return {}
        case APIConnectOptions():
            return dict.fromkeys(("stt_conn_options", "llm_conn_options", "tts_conn_options"), options)
        case SessionConnectOptions():
            return {option.name: getattr(options, option.name) for option in fields(options)}
        case _:
            raise OptionError(f"conn_options must be SessionConnectOptions, got {options!r}")


def options_for(options: SessionOptions, *, audio_output: bool) -> SessionOptions:
    """The options of a session that starts: without audio out there is no echo to warm up for, unless it was given."""
    if audio_output or options.was_given("aec_warmup_duration"):
        return options
    return replace(options, aec_warmup_duration=None)
