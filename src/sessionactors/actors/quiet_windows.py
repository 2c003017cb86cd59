"""What a detector says of silence, told a few times a second: nobody waits for it, and each message costs.

Used in ``vad``'s effect, where the stream is read. What is said of speech, and each edge of it, is told at once.
"""

from __future__ import annotations

from sessionactors.interfaces.vad import VADEvent, VADEventType
from sessionactors.messages.ear import DetectorSaid
from sessionactors.runtime import Scope

TELL_EVERY = 0.25
"""Seconds of silence, about, between two messages: ``vad`` takes a detector for hung that says nothing for 2 s."""


class QuietWindows:
    """Follows one stream of a detector.

    Args:
        interval: seconds of audio between two findings.
    """

    def __init__(self, interval: float) -> None:
        self._most = round(TELL_EVERY / max(interval, 0.01)) - 1
        self._held = self._most  # the first finding of a stream is told: the detector works
        self._counted = 0
        self._inference = 0.0
        self._speaking = False

    def told(self, event: VADEvent, scope: Scope) -> DetectorSaid | None:
        """The message of a finding, with what was held back before it; None: it is held back itself."""
        match event.type:
            case VADEventType.START_OF_SPEECH:
                self._speaking = True
            case VADEventType.END_OF_SPEECH:
                self._speaking = False
            case VADEventType.INFERENCE_DONE if not self._speaking and self._held < self._most:
                self._held += 1
                self._counted += 1
                self._inference += event.inference_duration
                return None
            case _:
                pass
        said = DetectorSaid(event, scope, self._counted, self._inference)
        self._held = self._counted = 0
        self._inference = 0.0
        return said
