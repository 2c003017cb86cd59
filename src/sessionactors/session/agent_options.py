"""Options that an agent has of its own: they take the place of the session's while it is in charge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sessionactors.model.errors import OptionError
from sessionactors.model.options import SessionOptions
from sessionactors.model.sentinel import NOT_GIVEN, NotGivenOr, given

from .deprecations import warn_deprecated
from .turn_handling import GROUPS, SINGLE, TurnHandlingOptions, flattened, place

OVERRIDABLE: Final[frozenset[str]] = frozenset(
    {
        "turn_detection",
        *GROUPS["endpointing"].values(),
        *GROUPS["preemptive_generation"].values(),
        "allow_interruptions",
        "interruption_mode",
        "min_consecutive_speech_delay",
        "use_tts_aligned_transcript",
        "expressive",
    }
)
"""What an agent may have its own value of; the rest is a matter of the line and of the whole call."""


def agent_overrides(
    turn_handling: NotGivenOr[TurnHandlingOptions | None],
    flat: Mapping[str, object],
    options: Mapping[str, object],
) -> dict[str, object]:
    """What an agent was given, by the names of :class:`SessionOptions`.

    Args:
        turn_handling: those about turns, as a dict.
        flat: those about turns under their old names; each one that is given warns.
        options: the others; what was not given is NOT_GIVEN.

    Raises:
        OptionError: an option is unknown, out of range, given both ways, or none that an agent can have.
    """
    from_dict = flattened(given(turn_handling, None) or {})
    old = {name: value for name, value in flat.items() if value is not NOT_GIVEN}
    twice = sorted(set(from_dict) & set(old))
    if twice:
        raise OptionError(f"{', '.join(twice)}: given both flat and in turn_handling; give each once")
    overrides = {**from_dict, **old, **{name: value for name, value in options.items() if value is not NOT_GIVEN}}
    strange = [name for name in overrides if name not in OVERRIDABLE]
    if strange:
        may = ", ".join(sorted(place(name) for name in OVERRIDABLE if name in _ABOUT_TURNS))
        raise OptionError(
            f"an agent has no {', '.join(map(place, strange))} of its own: give it to AgentSession; "
            f"an agent may have: {may}"
        )
    SessionOptions.resolve(overrides)  # values that no session could have are told here, not when it takes over
    for name in old:
        warn_deprecated(f"Agent({name}=...)", place(name))
    return overrides


_ABOUT_TURNS: Final = set(SINGLE.values()).union(*(keys.values() for keys in GROUPS.values()))
