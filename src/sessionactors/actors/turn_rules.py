"""Who ends the user's turn: the modes of ``turn_detection``. Pure, tested as tables.

A mode that the session's components cannot serve gives way to the automatic one, with a warning: a session whose turns
never ended would be silent for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sessionactors.interfaces.turn_detector import MIN_VAD_SILENCE, StreamingTurnDetector, TurnDetector
from sessionactors.interfaces.vad import VAD
from sessionactors.model.errors import OptionError
from sessionactors.model.options import SessionOptions
from sessionactors.model.sentinel import NotGiven


class EndsBy(Enum):
    """What proposes that the user's turn is over."""

    VOICE = "voice"
    """The end of speech, with final transcripts; a detector picks the delay. Modes ``"vad"``, None and detectors."""
    RECOGNIZER = "recognizer"
    """The recogniser's end of speech. Mode ``"stt"``."""
    COMMAND = "command"
    """``commit_user_turn()`` alone. Mode ``"manual"``."""
    SERVER = "server"
    """The realtime model: nothing here ends turns. Mode ``"realtime_llm"``."""


@dataclass(frozen=True, slots=True)
class TurnRules:
    """The mode as it works in this session."""

    ends_by: EndsBy = EndsBy.VOICE
    detector: TurnDetector | None = None
    """Asked about the words."""
    streaming: StreamingTurnDetector | None = None
    """Asked about the voice."""
    warning: str = ""
    """Why another mode works than the one that was asked for."""

    @property
    def voice_interrupts(self) -> bool:
        """Whether the user's voice and words may cut the agent off."""
        return self.ends_by in (EndsBy.VOICE, EndsBy.RECOGNIZER)


@dataclass(frozen=True, slots=True)
class TurnParts:
    """What there is to tell the end of a turn from."""

    vad: bool
    stt: bool
    realtime: bool = False
    """The model is a realtime model."""
    server_turns: bool = False
    """It ends turns itself."""


def resolve_rules(options: SessionOptions, parts: TurnParts) -> TurnRules:
    """The rules that ``turn_detection`` amounts to with these parts."""
    wanted = options.turn_detection
    absent = wanted is None or isinstance(wanted, NotGiven)
    if parts.server_turns:
        if absent or wanted == "realtime_llm":
            return TurnRules(EndsBy.SERVER)
        return TurnRules(EndsBy.SERVER, warning=f"turn_detection={wanted!r}: the realtime model ends turns itself")
    if absent:
        return TurnRules()
    missing = _missing(wanted, parts)
    if missing:
        return TurnRules(warning=f"turn_detection={wanted!r} needs {missing}; turns end automatically instead")
    match wanted:
        case "stt":
            return TurnRules(EndsBy.RECOGNIZER)
        case "manual":
            return TurnRules(EndsBy.COMMAND)
        case "realtime_llm":
            return TurnRules(EndsBy.SERVER)
        case TurnDetector():
            return TurnRules(detector=wanted)
        case StreamingTurnDetector():
            return TurnRules(streaming=wanted)
        case _:
            return TurnRules()


def _missing(wanted: object, parts: TurnParts) -> str:
    match wanted:
        case "vad" if not parts.vad:
            return "a vad"
        case "stt" if parts.realtime:
            return "a model that is no realtime model"
        case "stt" if not parts.stt:
            return "an stt"
        case "realtime_llm" if not parts.realtime:
            return "a realtime model"
        case StreamingTurnDetector() if not parts.vad:
            return "a vad"
        case _:
            return ""


def check_detector(options: SessionOptions, vad: VAD | None) -> None:
    """Check that a streaming detector has time to predict in; before anything is started or changed.

    Raises:
        OptionError: the VAD reports the end of speech too early.
    """
    detector = options.turn_detection
    if vad is None or not isinstance(detector, StreamingTurnDetector):
        return
    if vad.min_silence_duration < MIN_VAD_SILENCE:
        raise OptionError(
            f"{detector.label} needs a VAD that waits for at least {MIN_VAD_SILENCE} s of silence; {vad.label} has "
            f"min_silence_duration={vad.min_silence_duration}"
        )
