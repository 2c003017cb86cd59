"""Options about turns, as flat names or as the ``turn_handling`` dict; one meaning for both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

from sessionactors.interfaces.turn_detector import TurnDetector
from sessionactors.model.errors import OptionError


class EndpointingOptions(TypedDict, total=False):
    """When a turn ends, in seconds of silence."""

    min_delay: float
    max_delay: float


class InterruptionOptions(TypedDict, total=False):
    """When the user cuts the agent off."""

    enabled: bool
    min_duration: float
    min_words: int


class TurnHandlingOptions(TypedDict, total=False):
    """All options about turns."""

    turn_detection: TurnDetector | None
    endpointing: EndpointingOptions
    interruption: InterruptionOptions


_KNOWN: Mapping[str, Mapping[str, str]] = {
    "endpointing": {"min_delay": "min_endpointing_delay", "max_delay": "max_endpointing_delay"},
    "interruption": {
        "enabled": "allow_interruptions",
        "min_duration": "min_interruption_duration",
        "min_words": "min_interruption_words",
    },
}


def flattened(options: TurnHandlingOptions) -> tuple[TurnDetector | None, dict[str, object]]:
    """The turn detector, and the other options under their flat names.

    Raises:
        OptionError: an unknown key; the text lists those that exist.
    """
    flat: dict[str, object] = {}
    for group, values in options.items():
        if group == "turn_detection":
            continue
        names = _KNOWN.get(group)
        if names is None:
            raise OptionError(f"turn_handling has no {group!r}; there are: turn_detection, {', '.join(_KNOWN)}")
        if not isinstance(values, Mapping):
            raise OptionError(f"turn_handling[{group!r}] must be a dict, got {values!r}")
        for key, value in values.items():
            if key not in names:
                raise OptionError(f"turn_handling[{group!r}] has no {key!r}; there are: {', '.join(names)}")
            flat[names[key]] = value
    return options.get("turn_detection"), flat
