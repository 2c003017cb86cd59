"""Whether and how the model steers the voice: options as users give them, and the value that they amount to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, TypedDict, cast, get_args

from .errors import OptionError
from .instructions import Instructions
from .sentinel import NotGiven, NotGivenOr

Pace: TypeAlias = Literal["slow", "normal", "fast"]


class NonverbalOptions(TypedDict, total=False):
    """Sounds that are no words. Each is allowed unless it is False."""

    laughing: bool
    breathing: bool
    sighing: bool
    crying: bool
    vocalizing: bool
    """Humming, singing."""
    mouth_sounds: bool
    reflex_sounds: bool
    """Coughing, yawning, clearing the throat."""


class SpeechSteeringOptions(TypedDict, total=False):
    """How the agent speaks, whatever the moment asks for."""

    disfluencies: bool
    """Filler words such as "um"; allowed if absent."""
    nonverbal_sounds: bool | NonverbalOptions
    """Which sounds the voice may make; all that it knows if absent."""
    pace: Pace


class ExpressiveOptions(TypedDict, total=False):
    """What the model is told of the voice's markers. All keys may be absent."""

    speech_steering: SpeechSteeringOptions
    tts_instructions_template: Instructions | str
    """Instead of the stock text; ``{tts.markup.llm_instructions}`` in it stands for the guide to the markers."""
    tts_instructions_append: str
    """Rules of your own behind it."""


@dataclass(frozen=True, slots=True)
class Expressive:
    """The model may steer the voice, in this manner."""

    disfluencies: bool = True
    silenced: frozenset[str] = frozenset()
    """Kinds of sounds that are not allowed, by their names in :class:`NonverbalOptions`."""
    pace: Pace = "normal"
    template: Instructions | str | None = None
    append: str = ""


SOUNDS: Final = frozenset(NonverbalOptions.__annotations__)


def expressive_of(given: NotGivenOr[bool | ExpressiveOptions]) -> NotGivenOr[Expressive | None]:
    """The value that an option amounts to; None: the model does not steer the voice.

    Raises:
        OptionError: it is neither a bool nor a dict, or has a key or a value that there is not.
    """
    if isinstance(given, NotGiven):
        return given
    if isinstance(given, bool):
        return Expressive() if given else None
    options = _checked("expressive", given, ExpressiveOptions)
    steering = _checked("expressive['speech_steering']", options.get("speech_steering", {}), SpeechSteeringOptions)
    sounds = steering.get("nonverbal_sounds", True)
    allowed = {} if isinstance(sounds, bool) else _checked("nonverbal_sounds", sounds, NonverbalOptions)
    pace = steering.get("pace", "normal")
    if pace not in get_args(Pace):
        raise OptionError(f"pace must be one of {', '.join(get_args(Pace))}, got {pace!r}")
    return Expressive(
        disfluencies=bool(steering.get("disfluencies", True)),
        silenced=SOUNDS if sounds is False else frozenset(name for name, wanted in allowed.items() if not wanted),
        pace=cast("Pace", pace),
        template=cast("Instructions | str | None", options.get("tts_instructions_template")),
        append=str(options.get("tts_instructions_append", "")),
    )


def _checked(name: str, given: object, shape: type) -> Mapping[str, object]:
    if not isinstance(given, Mapping):
        raise OptionError(f"{name} must be a dict (or True, or False), got {given!r}")
    if strange := sorted(set(given) - set(shape.__annotations__)):
        raise OptionError(f"{name} has no {', '.join(strange)}: it has {', '.join(shape.__annotations__)}")
    return given
