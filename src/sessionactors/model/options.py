"""Options of a session, checked once when they are given.

Absent, ``None`` and a value are three things: absent is the default, ``None`` is off.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Collection, Mapping
from dataclasses import dataclass, field, fields
from typing import Final, Literal, Protocol, TypeAlias, get_args, runtime_checkable

from .errors import OptionError
from .expressive import Expressive
from .option_checks import check_choice, check_count, check_flag, check_seconds, check_share
from .sentinel import NOT_GIVEN, NotGivenOr
from .turn_strategies import MuteStrategy, StartStrategy

TurnDetectionMode: TypeAlias = Literal["vad", "stt", "manual", "realtime_llm"]
EndpointingMode: TypeAlias = Literal["fixed", "dynamic"]
InterruptionMode: TypeAlias = Literal["adaptive", "vad"]

NamedTransform: TypeAlias = Literal["filter_markdown", "filter_emoji"]
"""What is left out of a text before a voice is given it."""
TextStreamTransform: TypeAlias = Callable[[AsyncIterable[str]], AsyncIterable[str]]
"""The user's own: text as it streams in, and as it shall be said."""
TextTransform: TypeAlias = NamedTransform | TextStreamTransform


@runtime_checkable
class TurnDetectorLike(Protocol):
    """An end-of-turn detector, as far as options know it; the whole of it is in ``sessionactors.interfaces``."""

    streaming: bool
    """Listens to the audio itself. The delays that were not given are shorter then."""


@runtime_checkable
class InterruptionDetectorLike(Protocol):
    """A detector of interruptions, as far as options know it; the whole of it is in ``sessionactors.interfaces``."""

    judges_overlaps: bool
    """True."""


TurnDetection: TypeAlias = TurnDetectionMode | TurnDetectorLike | None
"""Who says that a turn is over."""


@dataclass(frozen=True, slots=True)
class APIConnectOptions:
    """How often and how patiently a provider is asked.

    Raises:
        OptionError: a negative value.
    """

    max_retry: int = 3
    """Attempts after the first."""
    retry_interval: float = 2.0
    """Seconds between attempts; the first retry comes after 0.1 s."""
    timeout: float = 10.0
    """Seconds to the first answer, and between answers."""

    def __post_init__(self) -> None:
        check_count("max_retry", self.max_retry)
        check_seconds("retry_interval", self.retry_interval)
        check_seconds("timeout", self.timeout)

    def delay_before(self, attempt: int) -> float:
        """Seconds to wait before attempt ``attempt`` (1 is the first retry)."""
        return 0.1 if attempt == 1 else self.retry_interval


@dataclass(frozen=True, slots=True)
class SessionConnectOptions:
    """How a session treats its providers' failures.

    Raises:
        OptionError: a negative value.
    """

    stt_conn_options: APIConnectOptions = APIConnectOptions()
    llm_conn_options: APIConnectOptions = APIConnectOptions()
    tts_conn_options: APIConnectOptions = APIConnectOptions()
    max_unrecoverable_errors: int = 3
    """Failures of one component in a row that a session survives."""

    def __post_init__(self) -> None:
        check_count("max_unrecoverable_errors", self.max_unrecoverable_errors)


STREAMING_DETECTOR_DELAYS: Final[Mapping[str, float]] = {"min_endpointing_delay": 0.3, "max_endpointing_delay": 2.5}
"""Delays beside a detector that listens to the audio, where none were given: it has made up its mind by then."""


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """All options of a session, resolved.

    Raises:
        OptionError: a value is out of range, or two contradict each other.
    """

    turn_detection: NotGivenOr[TurnDetection] = NOT_GIVEN
    """A mode, a detector, or None: silence alone decides. Not given: whatever the components allow."""

    turn_start: tuple[StartStrategy, ...] = ()
    """What begins a user's turn: any of them. None given: voice and words."""
    turn_mute: tuple[MuteStrategy, ...] = ()
    """When the user is not listened to: when any of them says so."""

    min_endpointing_delay: float = 0.5
    """Seconds of silence after which a turn that seems complete ends."""
    max_endpointing_delay: float = 3.0
    """Seconds of silence after which any turn ends (a turn detector makes a session wait longer than the minimum)."""
    endpointing_mode: EndpointingMode = "fixed"
    """``"dynamic"``: the minimum follows the pauses that this user makes."""
    endpointing_alpha: float = 0.9
    """0..1: how much the pauses so far weigh against the newest one, in dynamic mode."""

    allow_interruptions: bool = True
    interruption_mode: InterruptionMode | InterruptionDetectorLike | None = None
    """A detector that tells interruptions from listening noises; ``"vad"`` or None: any voice that is long enough
    interrupts; ``"adaptive"``: that too, with a warning, for there is no detector that comes by itself."""
    discard_audio_if_uninterruptible: bool = True
    """What is said over a protected speech is not recognised: recogniser and realtime model get silence instead."""
    min_interruption_duration: float = 0.5
    """Seconds the user must speak to interrupt."""
    min_interruption_words: int = 0
    """Words the user must say to interrupt; needs a recogniser."""
    resume_false_interruption: bool = True
    """An interruption without words pauses the speech; it goes on when nothing follows."""
    false_interruption_timeout: float | None = 2.0
    """Seconds of silence after which it goes on. None: speeches are cut at once, never paused."""
    backchannel_boundary: tuple[float, float] | None = (1.0, 1.0)
    """Seconds after the start and before the end of a speech in which any voice interrupts, in adaptive mode."""

    preemptive_generation: bool = True
    """Start the reply while the turn may still go on."""
    preemptive_tts: bool = False
    """Start the voice, too."""
    preemptive_max_speech_duration: float = 10.0
    """Seconds the user may have spoken for a reply to be started early."""
    preemptive_max_retries: int = 3
    """Early replies for one turn."""

    user_turn_max_words: int | None = None
    """Words after which the agent is told that the user does not stop."""
    user_turn_max_duration: float | None = None
    """Seconds after which it is told so."""

    user_away_timeout: float | None = 15.0
    """Seconds in which nobody speaks until the user counts as away. None: never."""
    transcription_timeout: float | None = None
    """Seconds after the end of speech in which a transcript must come; else an event says so. None: no event."""
    aec_warmup_duration: float | None = 3.0
    """Seconds of the first speech that the echo canceller gets to adapt: the agent cannot be interrupted by voice."""

    use_tts_aligned_transcript: bool = False
    """The transcript comes from the voice's word timings, where it has them."""
    tts_text_transforms: tuple[TextTransform, ...] = ("filter_markdown", "filter_emoji")
    """What becomes of the text that the voice is given; transcript and history keep it. What is left out by name goes
    first, then the user's own functions in their order."""
    min_consecutive_speech_delay: float = 0.0
    """Seconds between the end of one speech and the start of the next."""
    max_tool_steps: int = 3
    """Model requests with tools in one reply; then one more without tools."""
    expressive: Expressive | None = None
    """The model may steer the voice. None: it may not."""
    ivr_detection: bool = False
    """The other side may be a telephone menu."""

    stt_conn_options: APIConnectOptions = APIConnectOptions()
    llm_conn_options: APIConnectOptions = APIConnectOptions()
    tts_conn_options: APIConnectOptions = APIConnectOptions()
    max_unrecoverable_errors: int = 3
    """Failures of one component in a row that a session survives."""
    session_close_transcript_timeout: float = 2.0
    """Seconds a closing session waits for the final transcript of a trailing turn."""
    synthesis_lead: float = 2.0
    """Seconds of audio that synthesis may be ahead of playout."""

    given: frozenset[str] | None = field(default=None, compare=False, repr=False)
    """Names of the options that were given. None: those that differ from their default."""

    def __post_init__(self) -> None:
        for name in _SECONDS:
            check_seconds(name, getattr(self, name))
        for name in _COUNTS:
            check_count(name, getattr(self, name))
        for name in _FLAGS:
            check_flag(name, getattr(self, name))
        for name in ("false_interruption_timeout", "user_turn_max_duration", "user_away_timeout"):
            check_seconds(name, getattr(self, name), or_none=True)
        for name in ("transcription_timeout", "aec_warmup_duration"):
            check_seconds(name, getattr(self, name), or_none=True)
        check_count("user_turn_max_words", self.user_turn_max_words, or_none=True)
        check_share("endpointing_alpha", self.endpointing_alpha)
        check_choice("endpointing_mode", self.endpointing_mode, get_args(EndpointingMode))
        _check_interruption_mode(self.interruption_mode)
        _check_detection(self.turn_detection)
        _check_strategies("turn_start", self.turn_start, StartStrategy)
        _check_strategies("turn_mute", self.turn_mute, MuteStrategy)
        if self.backchannel_boundary is not None:
            for seconds in self.backchannel_boundary:
                check_seconds("backchannel_boundary", seconds)
        if self.synthesis_lead <= 0:
            raise OptionError(f"synthesis_lead must be positive, got {self.synthesis_lead}")
        for transform in self.tts_text_transforms:
            if not callable(transform):
                check_choice("tts_text_transforms", transform, (*get_args(NamedTransform), "a function"))
        if self.min_endpointing_delay > self.max_endpointing_delay:
            raise OptionError(
                f"min_endpointing_delay ({self.min_endpointing_delay}) is greater than "
                f"max_endpointing_delay ({self.max_endpointing_delay})"
            )

    @property
    def named_transforms(self) -> tuple[NamedTransform, ...]:
        """The text transforms by name."""
        return tuple(transform for transform in self.tts_text_transforms if isinstance(transform, str))

    @property
    def own_transforms(self) -> tuple[TextStreamTransform, ...]:
        """The user's own text transforms."""
        return tuple(transform for transform in self.tts_text_transforms if not isinstance(transform, str))

    @classmethod
    def resolve(cls, given: Mapping[str, object]) -> SessionOptions:
        """The options that amount to what was given; what was not has its default, which depends on the rest.

        Beside a streaming detector the delays are 0.3 and 2.5 s. A delay that was given moves the other one's default.
        """
        values = dict(given)
        detector = values.get("turn_detection", NOT_GIVEN)
        if isinstance(detector, TurnDetectorLike) and detector.streaming:
            values = {**STREAMING_DETECTOR_DELAYS, **values}
        least, most = (values.get(name, _DEFAULTS[name]) for name in ("min_endpointing_delay", "max_endpointing_delay"))
        if isinstance(least, int | float) and isinstance(most, int | float) and least > most:
            if "max_endpointing_delay" not in given:
                values["max_endpointing_delay"] = least
            elif "min_endpointing_delay" not in given:
                values["min_endpointing_delay"] = most
        return cls(**values, given=frozenset(given))  # type: ignore[arg-type]

    def changed(self, changes: Mapping[str, object]) -> SessionOptions:
        """These options with some given anew; defaults that depend on them are resolved again.

        Raises:
            OptionError: a value is out of range, or contradicts one that was given before.
        """
        return SessionOptions.resolve({**self.settings(), **changes})

    def overridden(self, overrides: Mapping[str, object]) -> SessionOptions:
        """These options as they are for an agent with its own. Where one delay contradicts the other, the agent's wins.

        Args:
            overrides: options that were checked by themselves; a combination of them with these is never an error.
        """
        values = {**self.settings(), **overrides}
        least, most = values.get("min_endpointing_delay"), values.get("max_endpointing_delay")
        if isinstance(least, int | float) and isinstance(most, int | float) and least > most:
            yields = "min_endpointing_delay" if "max_endpointing_delay" in overrides else "max_endpointing_delay"
            del values[yields]
        return SessionOptions.resolve(values)

    def settings(self, names: Collection[str] | None = None) -> dict[str, object]:
        """The options that were given, of these names."""
        return {
            option.name: getattr(self, option.name)
            for option in fields(self)
            if option.name != "given" and (names is None or option.name in names) and self.was_given(option.name)
        }

    def was_given(self, name: str) -> bool:
        """Whether the option's value is the user's, not the default."""
        if self.given is not None:
            return name in self.given
        return bool(getattr(self, name) != _DEFAULTS[name])


_DEFAULTS: Final[Mapping[str, object]] = {option.name: option.default for option in fields(SessionOptions)}
_SECONDS: Final = (
    "min_endpointing_delay",
    "max_endpointing_delay",
    "min_interruption_duration",
    "preemptive_max_speech_duration",
    "min_consecutive_speech_delay",
    "session_close_transcript_timeout",
    "synthesis_lead",
)
_COUNTS: Final = ("min_interruption_words", "preemptive_max_retries", "max_tool_steps", "max_unrecoverable_errors")
_FLAGS: Final = (
    "allow_interruptions",
    "discard_audio_if_uninterruptible",
    "resume_false_interruption",
    "preemptive_generation",
    "preemptive_tts",
    "use_tts_aligned_transcript",
    "ivr_detection",
)


def _check_interruption_mode(mode: InterruptionMode | InterruptionDetectorLike | None) -> None:
    if not isinstance(mode, InterruptionDetectorLike):
        check_choice("interruption_mode", mode, (*get_args(InterruptionMode), None))


def _check_strategies(name: str, strategies: tuple[object, ...], kind: type) -> None:
    for strategy in strategies:
        if not isinstance(strategy, kind):
            raise OptionError(f"{name} takes a list of {kind.__name__}, got {strategy!r} in it")


def _check_detection(detection: NotGivenOr[TurnDetection]) -> None:
    modes = get_args(TurnDetectionMode)
    if detection is None or detection is NOT_GIVEN or detection in modes or isinstance(detection, TurnDetectorLike):
        return
    raise OptionError(f"turn_detection must be one of {', '.join(modes)}, a TurnDetector or None, got {detection!r}")
