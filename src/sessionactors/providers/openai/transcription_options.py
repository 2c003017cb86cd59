"""What a recogniser of OpenAI's is told, and which of its models take what. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from sessionactors.model.errors import OptionError
from sessionactors.model.sentinel import NOT_GIVEN, NotGiven, NotGivenOr, given

from .clients import OFFICIAL_HOST

TurnDetection: TypeAlias = Mapping[str, object]

SERVER_VAD: Final[TurnDetection] = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 600,
    "silence_duration_ms": 350,
}
"""How the server finds the ends of utterances unless told otherwise."""

_REALTIME_ONLY: Final = ("gpt-realtime-whisper", "gpt-live-transcribe")
"""Served over the socket alone, and without the server's turn detection."""
_HINTS: Final = ("gpt-transcribe", "gpt-live-transcribe")
"""Take words to expect, and several languages."""
_NO_PROMPT: Final = ("gpt-realtime-whisper", "gpt-4o-transcribe-diarize")


def realtime_only(model: str) -> bool:
    """Whether it is served over the socket alone."""
    return model.startswith(_REALTIME_ONLY)


@dataclass(frozen=True, slots=True)
class TranscriptionOptions:
    """The options, checked.

    Raises:
        OptionError: one that the model, or the way it is reached, does not take.
    """

    model: str
    languages: tuple[str, ...]
    """Of the audio; empty: the model finds out."""
    realtime: bool
    prompt: str = ""
    keywords: tuple[str, ...] = ()
    turn_detection: TurnDetection | None = None
    noise_reduction_type: str = ""
    temperature: float | None = None

    def __post_init__(self) -> None:
        if len(self.languages) > 1 and not self.takes_hints:
            raise OptionError(f"{self.model} takes one language; {' and '.join(_HINTS)} take several")
        if self.keywords and not self.takes_hints:
            raise OptionError(f"{self.model} takes no keywords; {' and '.join(_HINTS)} do")
        if self.prompt and self.model.startswith(_NO_PROMPT):
            raise OptionError(f"{self.model} takes no prompt")
        if realtime_only(self.model) and not self.realtime:
            raise OptionError(f"{self.model} is served in realtime only: leave use_realtime out, or give True")
        if self.turn_detection is not None and realtime_only(self.model):
            raise OptionError(f"{self.model} has no turn detection of its own: leave turn_detection out")
        if self.turn_detection is not None and self.turn_detection.get("type") not in ("server_vad", "semantic_vad"):
            raise OptionError(f"turn_detection must be of type server_vad or semantic_vad, got {self.turn_detection!r}")
        if self.noise_reduction_type not in ("", "near_field", "far_field"):
            raise OptionError(
                f"noise_reduction_type must be near_field or far_field, got {self.noise_reduction_type!r}"
            )
        if self.noise_reduction_type and not self.realtime:
            raise OptionError("noise_reduction_type needs use_realtime=True")
        if self.temperature is not None and (self.realtime or not 0 <= self.temperature <= 1):
            raise OptionError(f"temperature must be between 0 and 1, and is not for realtime; got {self.temperature}")

    @property
    def takes_hints(self) -> bool:
        """Whether it takes words to expect, and several languages."""
        return self.model.startswith(_HINTS)

    @property
    def language(self) -> str:
        """What transcripts are in, as long as the model does not say it; empty: not known."""
        return self.languages[0] if len(self.languages) == 1 else ""

    def in_language(self, language: str | None) -> TranscriptionOptions:
        """For one stream or request, in this language; None: as it is."""
        return self if language is None else replace(self, languages=(language,))

    def session(self, of_session: Sequence[str] = ()) -> dict[str, object]:
        """The configuration of a transcription session.

        Args:
            of_session: words to expect that the voice session knows of.
        """
        transcription: dict[str, object] = {"model": self.model}
        if self.prompt:
            transcription["prompt"] = self.prompt
        if self.takes_hints:
            transcription["keywords"] = self.expecting(of_session)
            if self.languages:
                transcription["languages"] = [_base(language) for language in self.languages]
        elif self.languages:
            transcription["language"] = _base(self.languages[0])
        audio: dict[str, object] = {
            "format": {"type": "audio/pcm", "rate": 24000},
            "transcription": transcription,
            "turn_detection": None if self.turn_detection is None else dict(self.turn_detection),
        }
        if self.noise_reduction_type:
            audio["noise_reduction"] = {"type": self.noise_reduction_type}
        return {"type": "transcription", "audio": {"input": audio}}

    def request(self, of_session: Sequence[str] = ()) -> dict[str, object]:
        """The fields of a request for a whole file, besides file and model."""
        fields: dict[str, object] = {"response_format": "verbose_json" if self.model == "whisper-1" else "json"}
        if self.prompt:
            fields["prompt"] = self.prompt
        if self.temperature is not None:
            fields["temperature"] = self.temperature
        if self.takes_hints:
            if keywords := self.expecting(of_session):
                fields["keywords"] = keywords
            if self.languages:
                fields["languages"] = [_base(language) for language in self.languages]
        elif self.languages:
            fields["language"] = _base(self.languages[0])
        return fields

    def expecting(self, of_session: Sequence[str]) -> list[str]:
        """All words to expect, the user's first."""
        return list(dict.fromkeys((*self.keywords, *of_session)))


def languages_of(language: str | Sequence[str], *, detect: bool) -> tuple[str, ...]:
    """One language, several, or none to let the model find out."""
    if detect:
        return ()
    return tuple(code for code in ([language] if isinstance(language, str) else language) if code)


def turn_detection_of(
    given_detection: NotGivenOr[TurnDetection | None], model: str, *, realtime: bool
) -> TurnDetection | None:
    """What finds the ends of utterances; None: the session's own voice detection.

    Args:
        given_detection: by the user; the type may be left out.
        model: its name.
        realtime: whether it is streamed; a whole file needs none.
    """
    if isinstance(given_detection, NotGiven):
        return SERVER_VAD if realtime and not realtime_only(model) else None
    return None if given_detection is None else {"type": "server_vad", **given_detection}


def socket_url(base_url: str, model: str) -> str:
    """Where a transcription session is opened. OpenAI's own endpoint takes the model later, proxies need it here."""
    scheme, _, rest = base_url.rstrip("/").partition("://")
    host = rest.partition("/")[0].partition(":")[0]
    query = "intent=transcription" if host == OFFICIAL_HOST else f"intent=transcription&model={model}"
    return f"{'wss' if scheme == 'https' else 'ws'}://{rest}/realtime?{query}"


def _base(language: str) -> str:
    """The vendor wants ``en``, not ``en-US``."""
    return language.replace("_", "-").split("-")[0].lower()


@dataclass(frozen=True, slots=True)
class TranscriptionChanges:
    """Other values for some of the options."""

    model: NotGivenOr[str] = NOT_GIVEN
    language: NotGivenOr[str | Sequence[str]] = NOT_GIVEN
    detect_language: NotGivenOr[bool] = NOT_GIVEN
    prompt: NotGivenOr[str] = NOT_GIVEN
    keywords: NotGivenOr[Sequence[str]] = NOT_GIVEN
    turn_detection: NotGivenOr[TurnDetection | None] = NOT_GIVEN
    noise_reduction_type: NotGivenOr[str] = NOT_GIVEN
    temperature: NotGivenOr[float] = NOT_GIVEN

    def applied(self, options: TranscriptionOptions) -> TranscriptionOptions:
        """The options with these changes.

        Raises:
            OptionError: as :class:`TranscriptionOptions`.
        """
        model = given(self.model, options.model)
        languages = options.languages
        if not isinstance(self.language, NotGiven) or self.detect_language:
            languages = languages_of(given(self.language, ""), detect=given(self.detect_language, False))
        detection = options.turn_detection
        if not isinstance(self.turn_detection, NotGiven) or realtime_only(model) != realtime_only(options.model):
            detection = turn_detection_of(self.turn_detection, model, realtime=options.realtime)
        return replace(
            options,
            model=model,
            languages=languages,
            prompt=given(self.prompt, options.prompt),
            keywords=tuple(given(self.keywords, options.keywords)),
            turn_detection=detection,
            noise_reduction_type=given(self.noise_reduction_type, options.noise_reduction_type),
            temperature=given(self.temperature, options.temperature),
        )
