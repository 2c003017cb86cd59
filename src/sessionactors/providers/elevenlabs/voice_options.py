"""Options of the voice as values: checked once, and written as queries and messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from elevenlabs.types.generation_config import GenerationConfig
from elevenlabs.types.pronunciation_dictionary_locator import PronunciationDictionaryLocator as SentLocator
from elevenlabs.types.realtime_voice_settings import RealtimeVoiceSettings
from typing_extensions import TypedDict

from sessionactors.model.errors import OptionError
from sessionactors.model.option_checks import check_choice, check_share

NO_SOCKET = ("eleven_v3",)
"""Models, by the beginning of their names, that ElevenLabs serves over HTTP only."""
RATES = (8000, 16000, 22050, 24000, 32000, 44100, 48000)


@dataclass(frozen=True, slots=True)
class VoiceSettings:
    """How a voice speaks; what is None is the voice's own.

    Raises:
        OptionError: a value is out of range.
    """

    stability: float | None = None
    """0..1."""
    similarity_boost: float | None = None
    """0..1."""
    style: float | None = None
    """0..1."""
    speed: float | None = None
    """0.7..1.2; 1: its own."""
    use_speaker_boost: bool | None = None

    def __post_init__(self) -> None:
        for name in ("stability", "similarity_boost", "style"):
            if getattr(self, name) is not None:
                check_share(name, getattr(self, name))
        if self.speed is not None and not 0.7 <= self.speed <= 1.2:
            raise OptionError(f"speed must be between 0.7 and 1.2, got {self.speed}")

    def given(self) -> dict[str, float | bool]:
        """What is not None."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True)
class PronunciationDictionaryLocator:
    """A dictionary of pronunciations, as it was made with ElevenLabs."""

    pronunciation_dictionary_id: str
    version_id: str


class VoiceChanges(TypedDict, total=False):
    """Options that may change while the voice is in use."""

    voice_id: str
    voice_settings: VoiceSettings | None
    model: str
    language: str | None
    pronunciation_dictionary_locators: Sequence[PronunciationDictionaryLocator]


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceOptions:
    """What a synthesis is asked to be; see :class:`.tts.TTS` for what each means.

    Raises:
        OptionError: one is out of range, or does not fit another.
    """

    voice_id: str
    voice_settings: VoiceSettings | None
    model: str
    encoding: str
    streaming_latency: int | None
    inactivity_timeout: int
    auto_mode: bool
    apply_text_normalization: Literal["auto", "on", "off"]
    apply_language_text_normalization: bool | None
    enable_ssml_parsing: bool
    enable_logging: bool
    chunk_length_schedule: tuple[int, ...]
    language: str | None
    sync_alignment: bool
    pronunciation_dictionary_locators: tuple[PronunciationDictionaryLocator, ...]

    def __post_init__(self) -> None:
        for name in ("voice_id", "model"):
            if not getattr(self, name):
                raise OptionError(f"{name} must not be empty")
        check_choice("encoding", self.encoding, tuple(f"pcm_{rate}" for rate in RATES))
        check_choice("apply_text_normalization", self.apply_text_normalization, ("auto", "on", "off"))
        if not 1 <= self.inactivity_timeout <= 180:
            raise OptionError(f"inactivity_timeout must be between 1 and 180 seconds, got {self.inactivity_timeout}")
        if self.streaming_latency is not None and not 0 <= self.streaming_latency <= 4:
            raise OptionError(f"streaming_latency must be between 0 and 4, got {self.streaming_latency}")
        if wrong := [length for length in self.chunk_length_schedule if not 50 <= length <= 500]:
            raise OptionError(f"chunk_length_schedule has lengths between 50 and 500, got {wrong[0]}")
        if self.auto_mode and self.chunk_length_schedule:
            raise OptionError("auto_mode speaks each sentence at once: give it or a chunk_length_schedule")
        if len(self.pronunciation_dictionary_locators) > 3:
            raise OptionError("there may be 3 pronunciation_dictionary_locators at most")

    @property
    def sample_rate(self) -> int:
        """Hertz of the audio."""
        return int(self.encoding.removeprefix("pcm_"))

    @property
    def by_socket(self) -> bool:
        """Whether ElevenLabs serves the model over a WebSocket."""
        return not self.model.startswith(NO_SOCKET)

    def changed(self, changes: VoiceChanges) -> VoiceOptions:
        """With these instead.

        Raises:
            OptionError: there is no such option, or a value is out of range.
        """
        there_are = VoiceChanges.__annotations__
        if unknown := [name for name in changes if name not in there_are]:
            raise OptionError(f"{unknown[0]} cannot be changed; there are: {', '.join(there_are)}")
        locators = tuple(changes.get("pronunciation_dictionary_locators", self.pronunciation_dictionary_locators))
        return replace(self, **{**changes, "pronunciation_dictionary_locators": locators})  # type: ignore[arg-type]

    @property
    def path(self) -> str:
        """Of the multi-context WebSocket."""
        return f"text-to-speech/{self.voice_id}/multi-stream-input"

    def query(self) -> list[tuple[str, str]]:
        """Of the multi-context WebSocket: what all contexts of a connection share."""
        query = [
            ("model_id", self.model),
            ("output_format", self.encoding),
            ("enable_ssml_parsing", _flag(self.enable_ssml_parsing)),
            ("enable_logging", _flag(self.enable_logging)),
            ("inactivity_timeout", str(self.inactivity_timeout)),
            ("apply_text_normalization", self.apply_text_normalization),
            ("auto_mode", _flag(self.auto_mode)),
        ]
        if self.language is not None:
            query.append(("language_code", self.language))
        if self.streaming_latency is not None:
            query.append(("optimize_streaming_latency", str(self.streaming_latency)))
        if self.apply_language_text_normalization is not None:
            query.append(("apply_language_text_normalization", _flag(self.apply_language_text_normalization)))
        if self.sync_alignment:
            query.append(("sync_alignment", "true"))
        return query

    def sent_settings(self) -> RealtimeVoiceSettings | None:
        """For the first message of a context."""
        return None if self.voice_settings is None else RealtimeVoiceSettings(**self.voice_settings.given())

    def sent_schedule(self) -> GenerationConfig | None:
        """The same."""
        schedule = list(self.chunk_length_schedule)
        return GenerationConfig(chunk_length_schedule=schedule) if schedule else None

    def sent_locators(self) -> list[SentLocator] | None:
        """The same."""
        locators = [
            SentLocator(pronunciation_dictionary_id=known.pronunciation_dictionary_id, version_id=known.version_id)
            for known in self.pronunciation_dictionary_locators
        ]
        return locators or None


def _flag(value: bool) -> str:
    return "true" if value else "false"
