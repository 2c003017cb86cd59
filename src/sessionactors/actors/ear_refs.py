"""Who is who inside one ear. The ear fills it while it starts its children; they read it when they handle a message."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sessionactors.interfaces.stt import STT
    from sessionactors.runtime import Ref

    from .detector import DetectorMessage
    from .input import InputMessage
    from .overlap import OverlapMessage
    from .realtime import RealtimeMessage
    from .stt import STTMessage
    from .turn import TurnMessage
    from .vad import VADMessage
    from .wiring import Wiring


@dataclass(slots=True)
class EarRefs:
    """The participant, the session around the ear, and the ear's actors."""

    participant: str
    wiring: Wiring
    input: Ref[InputMessage] = field(init=False)
    turn: Ref[TurnMessage] = field(init=False)
    vad: Ref[VADMessage] | None = None
    """None: nobody detects speech."""
    stt: Ref[STTMessage] | None = None
    """None: nobody recognises words."""
    realtime: Ref[RealtimeMessage] | None = None
    """The model that hears the audio itself, if it is a realtime one."""
    overlap: Ref[OverlapMessage] | None = None
    """None: nobody tells interruptions from listening noises. Else it stands before ``turn``."""
    overlap_rate: int | None = None
    """Hertz of the audio that its detector wants."""
    vad_rate: int | None = None
    """Hertz of the audio that the detector of speech wants."""
    stt_rate: int | None = None
    """Hertz of the audio that the recogniser wants."""
    recogniser: STT | None = None
    """What ``stt`` works with."""
    detects: bool = False
    """Somebody detects speech, or is about to."""
    detector: Ref[DetectorMessage] | None = None
    """None: nobody tells from the voice whether the user is done."""
    detector_rate: int | None = None
    """Hertz of the audio that it wants."""
