"""The offline voices, and the choice between them."""

from __future__ import annotations

from typing import Final, Literal

from sessionactors.interfaces.tts import TTS

from .errors import MissingDependencyError
from .espeak import EspeakTTS, espeak_installed
from .flite import FliteTTS, flite_installed

__all__ = ["EspeakTTS", "FliteTTS", "VoiceRole", "default_tts"]

VoiceRole = Literal["agent", "caller"]
"""Two roles, two voices: an agent can be told from the synthetic caller that tests it."""

_FLITE_VOICES: Final[dict[VoiceRole, str]] = {"agent": "slt", "caller": "rms"}
_ESPEAK_VOICES: Final[dict[VoiceRole, str]] = {"agent": "en-us+f3", "caller": "en-us+klatt4"}
"""The offline recogniser understands the klatt variants best, so the caller has one."""


def default_tts(voice_role: VoiceRole = "agent") -> TTS:
    """The best voice that is installed: flite, else espeak.

    Args:
        voice_role: who will speak with it.

    Raises:
        MissingDependencyError: neither is installed; says what to install.
    """
    if flite_installed():
        return FliteTTS(voice=_FLITE_VOICES[voice_role])
    if espeak_installed():
        return EspeakTTS(voice=_ESPEAK_VOICES[voice_role])
    raise MissingDependencyError(
        "no offline voice is installed: install flite from the system's packages (Debian, Ubuntu: apt install flite), "
        "or, if the GPL-3 is acceptable, pip install 'sessionactors[offline-tts-gpl]'"
    )
