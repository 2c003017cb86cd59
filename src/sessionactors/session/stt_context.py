"""What a session tells its recogniser about the conversation: ``stt_context_options``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

from sessionactors.interfaces.llm import LLM
from sessionactors.interfaces.recognition_context import RecognitionContextOptions
from sessionactors.model.errors import OptionError
from sessionactors.model.option_checks import check_count, check_flag, check_seconds
from sessionactors.model.sentinel import NOT_GIVEN, NotGivenOr, given

from .deprecations import warn_deprecated


class KeytermDetectionOptions(TypedDict, total=False):
    """How names and terms are found in the conversation."""

    enabled: bool
    """False."""
    llm: LLM | None
    """The model that looks; the session's if absent."""
    turn_interval: int
    """1: user turns from one search to the next."""
    max_keyterms: int | None
    """None: all that are found are kept."""
    instructions: str | None
    """Instead of the built-in prompt."""
    timeout: float
    """10.0 seconds for a search."""


class STTContextOptions(TypedDict, total=False):
    """What the recogniser is told."""

    keyterms: Sequence[str]
    """Words to expect, for recognisers whose capabilities name ``keyterms``."""
    keyterm_detection: KeytermDetectionOptions
    """Off."""
    forward_chat_context: bool
    """True: the last messages, for recognisers whose capabilities name ``chat_context``."""


class KeytermsOptions(TypedDict, total=False):
    """Deprecated spelling of :class:`STTContextOptions`."""

    keyterms: Sequence[str]
    keyterm_detection: KeytermDetectionOptions


def recognition_options(
    context: NotGivenOr[STTContextOptions | None], old: NotGivenOr[KeytermsOptions]
) -> RecognitionContextOptions:
    """What both spellings amount to; the newer one wins.

    Raises:
        OptionError: an unknown key, or a value that cannot be.
    """
    if old is not NOT_GIVEN:
        warn_deprecated("AgentSession(keyterms_options=...)", "stt_context_options")
    newer: STTContextOptions | None = given(context, None)
    older: KeytermsOptions | None = given(old, None)
    options: Mapping[str, object] = dict(newer or older or {})
    _check_keys("stt_context_options", options, STTContextOptions)
    detection = options.get("keyterm_detection") or {}
    if not isinstance(detection, Mapping):
        raise OptionError(f"stt_context_options['keyterm_detection'] must be a dict, got {detection!r}")
    _check_keys("stt_context_options['keyterm_detection']", detection, KeytermDetectionOptions)
    llm = detection.get("llm")
    if llm is not None and not isinstance(llm, LLM):
        raise OptionError(f"keyterm_detection['llm'] must be an LLM object or None, got {llm!r}")
    enabled, forward = detection.get("enabled", False), options.get("forward_chat_context", True)
    interval, timeout = detection.get("turn_interval", 1), detection.get("timeout", 10.0)
    check_flag("keyterm_detection['enabled']", enabled)
    check_flag("forward_chat_context", forward)
    check_count("keyterm_detection['turn_interval']", interval)
    check_count("keyterm_detection['max_keyterms']", detection.get("max_keyterms"), or_none=True)
    check_seconds("keyterm_detection['timeout']", timeout)
    return RecognitionContextOptions(
        keyterms=checked_keyterms(options.get("keyterms", ())),
        detection=bool(enabled),
        llm=llm,
        turn_interval=max(1, int(interval)),
        max_keyterms=detection.get("max_keyterms"),
        instructions=detection.get("instructions"),
        timeout=float(timeout),
        forward_chat_context=bool(forward),
    )


def checked_keyterms(terms: object) -> tuple[str, ...]:
    """Words to expect, each once.

    Raises:
        OptionError: no list of texts.
    """
    if isinstance(terms, str) or not isinstance(terms, Sequence) or not all(isinstance(term, str) for term in terms):
        raise OptionError(f"keyterms must be a list of texts, got {terms!r}")
    return tuple(dict.fromkeys(terms))


def as_given(options: RecognitionContextOptions) -> STTContextOptions:
    """As users read it back."""
    return {
        "keyterms": list(options.keyterms),
        "keyterm_detection": {
            "enabled": options.detection,
            "llm": options.llm,
            "turn_interval": options.turn_interval,
            "max_keyterms": options.max_keyterms,
            "instructions": options.instructions,
            "timeout": options.timeout,
        },
        "forward_chat_context": options.forward_chat_context,
    }


def _check_keys(name: str, options: Mapping[str, object], kind: type) -> None:
    for key in options:
        if key not in kind.__annotations__:
            raise OptionError(f"{name} has no {key!r}; there are: {', '.join(kind.__annotations__)}")
