"""What a provider's failure amounts to: an event, and the end of the session when too many come in a row. Pure.

A failure that is tried again by itself only raises its event. One that is not is counted for its component. The count
of ``stt`` starts anew with words, those of ``llm`` and ``tts`` when the agent is heard.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sessionactors.model.component_errors import (
    ComponentError,
    LLMError,
    RealtimeModelError,
    STTError,
    TTSError,
    VADError,
)
from sessionactors.model.events import ErrorEvent

KINDS: Final[Mapping[str, type[ComponentError]]] = {
    "stt": STTError,
    "llm": LLMError,
    "tts": TTSError,
    "vad": VADError,
    "realtime": RealtimeModelError,
}


def failure_event(component: str, error: BaseException, label: str, at: float, *, recoverable: bool) -> ErrorEvent:
    """The event that tells of a failure.

    Args:
        component: a key of :data:`KINDS`.
        error: the cause.
        label: which provider.
        at: wall clock, seconds.
        recoverable: it is tried again by itself.
    """
    kind = KINDS.get(component, ComponentError)
    told = kind(error, label=label or component, recoverable=recoverable, timestamp=at)
    return ErrorEvent(told, component, recoverable, at)


def counted(failures: Mapping[str, int], component: str) -> dict[str, int]:
    """The counts with one more failure."""
    return {**failures, component: failures.get(component, 0) + 1}


def is_fatal(failures: Mapping[str, int], component: str, limit: int) -> bool:
    """Whether the session ends of this component's failures. A realtime model is all there is: it fails but once."""
    return component == "realtime" or failures.get(component, 0) > limit


def recovered(failures: Mapping[str, int], components: tuple[str, ...]) -> Mapping[str, int]:
    """The counts when these components work again."""
    return {name: count for name, count in failures.items() if name not in components}
