"""Who finds the turns beside a realtime model: its server, or this side. One pure function, tested as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sessionactors.interfaces.llm import LLM
from sessionactors.interfaces.realtime import RealtimeCapabilities, RealtimeModel
from sessionactors.model.errors import OptionError
from sessionactors.model.options import SessionOptions, TurnDetection
from sessionactors.model.sentinel import NOT_GIVEN, NotGiven

BY_SERVER: Final = "the realtime model's server detects turns"


@dataclass(frozen=True, slots=True)
class RealtimeTurns:
    """What was decided, and what could not be had."""

    server: bool
    """The server detects turns and replies by itself; if it could and must not, it is told so."""
    detection: TurnDetection
    """``"realtime_llm"``: by the server; anything else: on this side. None: by voice and words as they come."""
    ignored: str = ""
    """Why the detection that was asked for is not used; empty if it is."""


def realtime_turns(
    options: SessionOptions, capabilities: RealtimeCapabilities, *, vad: bool, stt: bool
) -> RealtimeTurns:
    """Who finds the turns, by what was asked for and what the model can do.

    A server that detects turns goes on to do so, unless it can be told not to and it was asked for: by ``"manual"``, or
    (with a VAD) by ``"vad"``, a streaming detector, or an interruption mode.

    Args:
        options: of the session or the agent.
        capabilities: the model's.
        vad: the user has given one.
        stt: there is a recogniser beside the model.

    Raises:
        OptionError: the server detects turns, and interruptions shall not be allowed: it interrupts by itself.
    """
    wanted = options.turn_detection
    if capabilities.turn_detection and not _turned_off(options, capabilities, vad=vad):
        if not options.allow_interruptions:
            raise OptionError(
                "allow_interruptions=False is not possible while the realtime model's server detects turns: it "
                "interrupts by itself; allow interruptions, or turn its detection off (turn_detection='manual', or "
                "'vad' with a VAD) if the model can do without"
            )
        asked = wanted is not None and not isinstance(wanted, NotGiven) and wanted != "realtime_llm"
        ignored = f"turn_detection={_name(wanted)} is ignored: {BY_SERVER}" if asked else ""
        return RealtimeTurns(server=True, detection="realtime_llm", ignored=ignored)
    automatic: TurnDetection = "vad" if vad else None
    match wanted:
        case NotGiven() | None:
            return RealtimeTurns(server=False, detection=automatic)
        case "realtime_llm":
            return _instead(automatic, wanted, "its server detects no turns")
        case "stt":
            return _instead(automatic, wanted, "a realtime model takes the audio and not the words")
        case "vad" if not vad:
            return _instead(None, wanted, "there is no vad")
        case "manual" | "vad":
            return RealtimeTurns(server=False, detection=wanted)
        case _:
            if wanted.streaming and not vad:
                return _instead(automatic, wanted, "there is no vad")
            if not wanted.streaming and not stt:
                return _instead(automatic, wanted, "there is no stt whose words it could read")
            return RealtimeTurns(server=False, detection=wanted)


def turns_beside(
    model: LLM | RealtimeModel | None, options: SessionOptions, *, vad: bool, stt: bool
) -> RealtimeTurns | None:
    """The same for whatever the session replies with; None beside a model that is no realtime one."""
    if not isinstance(model, RealtimeModel):
        return None
    return realtime_turns(options, model.capabilities, vad=vad, stt=stt)


def _instead(detection: TurnDetection, wanted: TurnDetection, why: str) -> RealtimeTurns:
    return RealtimeTurns(server=False, detection=detection, ignored=f"turn_detection={_name(wanted)} is ignored: {why}")


def _turned_off(options: SessionOptions, capabilities: RealtimeCapabilities, *, vad: bool) -> bool:
    """Whether the server is to detect no turns."""
    if not capabilities.can_disable_turn_detection:
        return False
    wanted = options.turn_detection
    if wanted == "realtime_llm":
        return False
    if wanted == "manual":
        return True
    if not vad:
        return False
    if options.was_given("interruption_mode") and options.interruption_mode is not None:
        return True
    return wanted == "vad" or bool(getattr(wanted, "streaming", False))


def _name(wanted: object) -> str:
    if wanted is NOT_GIVEN or wanted is None or isinstance(wanted, str):
        return repr(wanted)
    return str(getattr(wanted, "label", wanted))
