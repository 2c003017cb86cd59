"""Options about turns, as flat names or as the ``turn_handling`` dict; one meaning for both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, TypedDict

from sessionactors.model.errors import OptionError
from sessionactors.model.options import (
    EndpointingMode,
    InterruptionDetectorLike,
    InterruptionMode,
    TurnDetection,
)
from sessionactors.model.turn_strategies import MuteStrategy, StartStrategy


class EndpointingOptions(TypedDict, total=False):
    """When a turn ends, in seconds of silence."""

    mode: EndpointingMode
    """``"fixed"`` (default), or ``"dynamic"``: the minimum follows the pauses that this user makes."""
    min_delay: float
    """0.5; beside a streaming detector 0.3."""
    max_delay: float
    """3.0; beside a streaming detector 2.5."""
    alpha: float
    """0.9: how much the pauses so far weigh, in dynamic mode."""


class InterruptionOptions(TypedDict, total=False):
    """When the user cuts the agent off."""

    enabled: bool
    """True."""
    mode: InterruptionMode | InterruptionDetectorLike | None
    """A detector tells interruptions from listening noises. Absent, None, ``"vad"``: any voice that is long enough."""
    discard_audio_if_uninterruptible: bool
    """True: what is said over a protected speech is not recognised."""
    min_duration: float
    """0.5 seconds of speech."""
    min_words: int
    """0; needs a recogniser."""
    resume_false_interruption: bool
    """True: an interruption without words pauses, and the speech goes on when nothing follows."""
    false_interruption_timeout: float | None
    """2.0 seconds of silence; None: speeches are cut at once, never paused."""
    backchannel_boundary: float | tuple[float, float] | None
    """1.0 seconds at the start and at the end of a speech in which any voice interrupts, in adaptive mode."""


class PreemptiveGenerationOptions(TypedDict, total=False):
    """Replies that are started while the turn may still go on."""

    enabled: bool
    """True."""
    preemptive_tts: bool
    """False: only the model starts early."""
    max_speech_duration: float
    """10.0 seconds the user may have spoken."""
    max_retries: int
    """3 early replies for one turn."""


class UserTurnLimitOptions(TypedDict, total=False):
    """When the agent is told that the user does not stop."""

    max_words: int | None
    """None: no limit."""
    max_duration: float | None
    """Seconds. None: no limit."""


class TurnHandlingOptions(TypedDict, total=False):
    """All options about turns. Absent keys have their defaults, or the session's value when an agent is given them."""

    turn_detection: TurnDetection
    """A mode, a detector, or None: silence alone decides."""
    start: Sequence[StartStrategy]
    """What begins a user's turn: any of them. Absent: voice and words."""
    mute: Sequence[MuteStrategy]
    """When the user is not listened to. Absent: never."""
    endpointing: EndpointingOptions
    interruption: InterruptionOptions
    preemptive_generation: PreemptiveGenerationOptions
    user_turn_limit: UserTurnLimitOptions


GROUPS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "endpointing": {
            "mode": "endpointing_mode",
            "min_delay": "min_endpointing_delay",
            "max_delay": "max_endpointing_delay",
            "alpha": "endpointing_alpha",
        },
        "interruption": {
            "enabled": "allow_interruptions",
            "mode": "interruption_mode",
            "discard_audio_if_uninterruptible": "discard_audio_if_uninterruptible",
            "min_duration": "min_interruption_duration",
            "min_words": "min_interruption_words",
            "resume_false_interruption": "resume_false_interruption",
            "false_interruption_timeout": "false_interruption_timeout",
            "backchannel_boundary": "backchannel_boundary",
        },
        "preemptive_generation": {
            "enabled": "preemptive_generation",
            "preemptive_tts": "preemptive_tts",
            "max_speech_duration": "preemptive_max_speech_duration",
            "max_retries": "preemptive_max_retries",
        },
        "user_turn_limit": {"max_words": "user_turn_max_words", "max_duration": "user_turn_max_duration"},
    }
)
"""The keys of ``turn_handling`` and the fields of :class:`SessionOptions` that they set."""

SINGLE: Final[Mapping[str, str]] = MappingProxyType(
    {"turn_detection": "turn_detection", "start": "turn_start", "mute": "turn_mute"}
)
"""The keys of ``turn_handling`` that are no groups, and their fields of :class:`SessionOptions`."""

PLACES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {flat: (key,) for key, flat in SINGLE.items()}
    | {flat: (group, key) for group, keys in GROUPS.items() for key, flat in keys.items()}
)
"""The way back: where a field of :class:`SessionOptions` is in ``turn_handling``."""


def place(name: str) -> str:
    """Where an option is given now, as users write it."""
    keys = "".join(f"[{key!r}]" for key in PLACES[name])
    return f"turn_handling{keys}"


def flattened(options: TurnHandlingOptions) -> dict[str, object]:
    """The options under their flat names.

    Raises:
        OptionError: an unknown key; the text lists those that exist.
    """
    if not isinstance(options, Mapping):
        raise OptionError(f"turn_handling must be a dict, got {options!r}")
    flat: dict[str, object] = {}
    for group, values in options.items():
        if group in SINGLE:
            flat[SINGLE[group]] = tuple(values) if group in ("start", "mute") else values  # type: ignore[arg-type]
            continue
        names = GROUPS.get(group)
        if names is None:
            raise OptionError(f"turn_handling has no {group!r}; there are: {', '.join((*SINGLE, *GROUPS))}")
        flat |= group_flattened(group, values)
    boundary = flat.get("backchannel_boundary")
    if isinstance(boundary, int | float) and not isinstance(boundary, bool):
        flat["backchannel_boundary"] = (boundary, boundary)
    return flat


def group_flattened(group: str, values: object) -> dict[str, object]:
    """The options of one group under their flat names.

    Raises:
        OptionError: an unknown key; the text lists those that exist.
    """
    names = GROUPS[group]
    if not isinstance(values, Mapping):
        raise OptionError(f"turn_handling[{group!r}] must be a dict, got {values!r}")
    for key in values:
        if key not in names:
            raise OptionError(f"turn_handling[{group!r}] has no {key!r}; there are: {', '.join(names)}")
    return {names[key]: value for key, value in values.items()}


def grouped(flat: Mapping[str, object]) -> TurnHandlingOptions:
    """The ``turn_handling`` dict of options under their flat names; names that are not about turns are left out."""
    options: dict[str, dict[str, object] | object] = {}
    for name, value in flat.items():
        match PLACES.get(name):
            case (group, key):
                inner = options.setdefault(group, {})
                if isinstance(inner, dict):
                    inner[key] = value
            case (key,):
                options[key] = value
            case _:
                pass
    return options  # type: ignore[return-value]
