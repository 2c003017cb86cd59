"""Options of Scribe's realtime recognition as a value: checked once, and written as a query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from typing_extensions import TypedDict

from sessionactors.model.errors import OptionError
from sessionactors.model.option_checks import check_choice

RATES: Final = (8000, 16000, 22050, 24000, 44100, 48000)
MOST_KEYTERMS: Final = 50
LONGEST_KEYTERM: Final = 20


class VADOptions(TypedDict, total=False):
    """When ElevenLabs takes an utterance for over; what is left out is its default."""

    vad_silence_threshold_secs: float
    """0.3..3."""
    vad_threshold: float
    """0.1..0.9."""
    min_speech_duration_ms: int
    """50..2000."""
    min_silence_duration_ms: int
    """50..2000."""


_LIMITS: Final[Mapping[str, tuple[float, float]]] = {
    "vad_silence_threshold_secs": (0.3, 3.0),
    "vad_threshold": (0.1, 0.9),
    "min_speech_duration_ms": (50, 2000),
    "min_silence_duration_ms": (50, 2000),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScribeOptions:
    """What a recognition is asked to do; see :class:`.stt.STT` for what each means.

    Raises:
        OptionError: one is out of range.
    """

    model: str
    language_code: str | None
    secondary_languages: tuple[str, ...]
    include_language_detection: bool
    sample_rate: int
    audio_chunk_duration_ms: int
    server_vad: VADOptions | None
    include_timestamps: bool
    keyterms: tuple[str, ...]
    no_verbatim: bool
    enable_logging: bool
    previous_text: str | None

    def __post_init__(self) -> None:
        if "realtime" not in self.model:
            raise OptionError(f"model must be a realtime one, such as 'scribe_v2_realtime', got {self.model!r}")
        check_choice("sample_rate", self.sample_rate, RATES)
        if not 10 <= self.audio_chunk_duration_ms <= 1000:
            raise OptionError(
                f"audio_chunk_duration_ms must be between 10 and 1000, got {self.audio_chunk_duration_ms}"
            )
        for name, value in (self.server_vad or {}).items():
            check_choice("server_vad", name, tuple(_LIMITS))
            least, most = _LIMITS[name]
            if not isinstance(value, int | float) or not least <= value <= most:
                raise OptionError(f"server_vad: {name} must be between {least:g} and {most:g}, got {value!r}")
        if len(self.keyterms) > MOST_KEYTERMS:
            raise OptionError(f"there may be {MOST_KEYTERMS} keyterms at most, got {len(self.keyterms)}")
        if long := [term for term in self.keyterms if len(term) > LONGEST_KEYTERM]:
            raise OptionError(f"a keyterm has at most {LONGEST_KEYTERM} characters, got {long[0]!r}")

    @property
    def commits_by_hand(self) -> bool:
        """Whether we say when an utterance is over."""
        return self.server_vad is None

    @property
    def finals(self) -> str:
        """The kind of message that tells of the end of an utterance: each is told twice when more is asked for."""
        more = self.include_timestamps or self.include_language_detection
        return "committed_transcript_with_timestamps" if more else "committed_transcript"

    def with_keyterms(self, more: tuple[str, ...]) -> tuple[str, ...]:
        """Its own words and as many of these as ElevenLabs takes."""
        fitting = (term for term in more if len(term) <= LONGEST_KEYTERM)
        return tuple(dict.fromkeys((*self.keyterms, *fitting)))[:MOST_KEYTERMS]

    def query(self, language: str | None, keyterms: tuple[str, ...]) -> list[tuple[str, str]]:
        """For the connection."""
        query = [
            ("model_id", self.model),
            ("audio_format", f"pcm_{self.sample_rate}"),
            ("commit_strategy", "manual" if self.commits_by_hand else "vad"),
            ("include_timestamps", _flag(self.include_timestamps)),
            ("include_language_detection", _flag(self.include_language_detection)),
            ("enable_logging", _flag(self.enable_logging)),
        ]
        if language is not None:
            query.append(("language_code", language))
        if self.no_verbatim:
            query.append(("no_verbatim", "true"))
        query += [("secondary_languages", language) for language in self.secondary_languages]
        query += [("keyterms", term) for term in keyterms]
        return query + [(name, f"{value:g}") for name, value in (self.server_vad or {}).items() if _is_number(value)]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


def _flag(value: bool) -> str:
    return "true" if value else "false"
