"""To ``background``, the actor that mixes what is heard beside the agent's voice."""

from __future__ import annotations

from sessionactors.interfaces.background_audio import Sound
from sessionactors.runtime import Lane, Overflow, message


@message()
class PlaySound:
    """Play one of these, by their probabilities. The user's player to ``background``."""

    sound: str
    """Names the playing."""
    choices: tuple[Sound, ...]
    loop: bool = False


@message(lane=Lane.CONTROL, overflow=Overflow.CONFLATE, key=lambda stop: stop.sound)
class StopSound:
    """Play it no more, or fade it out. The same way."""

    sound: str


@message(lane=Lane.CONTROL, overflow=Overflow.CONFLATE)
class AgentStateSeen:
    """What the agent does now, as its session has told its user. The same way."""

    state: str


@message()
class SoundLoaded:
    """``background``, to itself: a whole sound, int16 mono in the sink's rate."""

    sound: str
    pcm: bytes


@message()
class SoundBrought:
    """``background``, to itself: more of a sound that comes frame by frame."""

    sound: str
    pcm: bytes


@message()
class SoundOver:
    """``background``, to itself: no more of it comes; with the error if it failed."""

    sound: str
    error: BaseException | None = None


@message()
class SoundHeard:
    """``background``, to itself: the last sample of it has been heard."""

    sound: str


@message()
class MixDue:
    """``background``, to itself: the sink needs more."""
