"""What the ``error`` event of a provider carries: which kind of provider, which one, and whether it is asked again."""

from __future__ import annotations

from typing import ClassVar

from .errors import SessionActorsError


class ComponentError(SessionActorsError):
    """A provider failed. Its text is that of the cause.

    Args:
        error: the cause.
        label: which provider, as it calls itself.
        recoverable: True while it is asked again by itself: nothing is lost yet. False: it is not asked again; such
            failures are counted, and too many in a row end the session.
        timestamp: wall clock, seconds.
    """

    type: ClassVar[str] = "component_error"
    error: BaseException
    label: str
    recoverable: bool
    timestamp: float

    def __init__(self, error: BaseException, *, label: str, recoverable: bool, timestamp: float) -> None:
        super().__init__(str(error) or repr(error))
        self.error = error
        self.label = label
        self.recoverable = recoverable
        self.timestamp = timestamp
        self.__cause__ = error


class STTError(ComponentError):
    """Reported when a recogniser failed."""

    type = "stt_error"


class LLMError(ComponentError):
    """Reported when a model failed."""

    type = "llm_error"


class TTSError(ComponentError):
    """Reported when a voice failed."""

    type = "tts_error"


class VADError(ComponentError):
    """Reported when voice activity detection failed."""

    type = "vad_error"


class RealtimeModelError(ComponentError):
    """Reported when a realtime model failed; one that is not recoverable ends the session at once."""

    type = "realtime_model_error"
