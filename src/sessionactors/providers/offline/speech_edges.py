"""From speech probabilities to the edges of speech: what every detector here shares. Pure; knows no model, no loop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from sessionactors.interfaces.vad import VADEvent, VADEventType
from sessionactors.model.errors import OptionError


@dataclass(frozen=True, slots=True)
class EdgeRules:
    """When speech counts as begun and as ended. Defaults as in Silero's own examples and LiveKit's plugin.

    Args:
        activation_threshold: probability (0..1) at which a window is speech while silent.
        deactivation_threshold: probability (0..1) below which a window is silence while speaking.
        min_speech_duration: seconds >= 0 of speech in a row before it counts as begun.
        min_silence_duration: seconds >= 0 of silence in a row before it counts as ended.

    Raises:
        OptionError: out of range, or deactivation above activation.
    """

    activation_threshold: float = 0.5
    deactivation_threshold: float = 0.35
    min_speech_duration: float = 0.05
    min_silence_duration: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.deactivation_threshold <= self.activation_threshold <= 1:
            raise OptionError(
                "thresholds must be 0 <= deactivation_threshold <= activation_threshold <= 1, got "
                f"{self.deactivation_threshold} and {self.activation_threshold}"
            )
        if self.min_speech_duration < 0 or self.min_silence_duration < 0:
            raise OptionError("min_speech_duration and min_silence_duration must be >= 0")


@dataclass(slots=True)
class SpeechEdges:
    """The state of one stream.

    Times are positions in the audio in seconds, so nothing drifts with the pace at which it is handled.
    """

    rules: EdgeRules
    _speaking: bool = field(default=False, init=False)
    _began: float | None = field(default=None, init=False)
    """Where speech, or what may become speech, began."""
    _voiced_until: float = field(default=0.0, init=False)
    """End of the last window that was speech; the start of the stream before there was any."""

    def window(self, start: float, end: float, probability: float, now: float) -> Iterator[VADEvent]:
        """Events of one window.

        Args:
            start: position of the window's first sample, seconds.
            end: position after its last sample, seconds.
            probability: of speech in it, 0..1.
            now: position of the newest sample received, seconds >= ``end``. Durations count up to it, as the handler
                of an event takes them back from the time at which it handles it.
        """
        if self._speaking:
            if probability >= self.rules.deactivation_threshold:
                self._voiced_until = end
            ended = end - self._voiced_until >= self.rules.min_silence_duration and self._voiced_until < end
            self._speaking = not ended
            yield self._event(VADEventType.INFERENCE_DONE, probability, now)
            if ended:
                yield self._event(VADEventType.END_OF_SPEECH, probability, now)
                self._began = None
            return
        if probability < self.rules.activation_threshold:
            self._began = None
            yield self._event(VADEventType.INFERENCE_DONE, probability, now)
            return
        if self._began is None:
            self._began = start
        self._voiced_until = end
        started = end - self._began >= self.rules.min_speech_duration
        self._speaking = started
        if started:
            yield self._event(VADEventType.START_OF_SPEECH, probability, now)
        yield self._event(VADEventType.INFERENCE_DONE, probability, now)

    def finish(self, now: float) -> Iterator[VADEvent]:
        """The audio ended: speech ends with it, so that nobody waits for its end."""
        if self._speaking:
            self._speaking = False
            yield self._event(VADEventType.END_OF_SPEECH, 0.0, now)

    def _event(self, kind: VADEventType, probability: float, now: float) -> VADEvent:
        if self._began is None:
            speech = 0.0
        elif self._speaking:
            speech = now - self._began
        else:
            speech = self._voiced_until - self._began  # it is over, or has not quite begun
        return VADEvent(
            type=kind,
            speech_duration=speech,
            silence_duration=now - self._voiced_until,
            probability=probability,
            speaking=self._speaking,
        )


@dataclass(slots=True)
class Windows:
    """Frames of any length to windows of one length.

    Args:
        size: samples in a window, > 0.
    """

    size: int
    received: int = field(default=0, init=False)
    """Samples pushed so far."""
    taken: int = field(default=0, init=False)
    """Samples handed out so far."""
    _pending: bytearray = field(default_factory=bytearray, init=False)

    def push(self, pcm: bytes) -> None:
        """Add int16 samples."""
        self._pending += pcm
        self.received += len(pcm) // 2

    def pop(self) -> bytes | None:
        """The next whole window, or None."""
        length = 2 * self.size
        if len(self._pending) < length:
            return None
        window = bytes(self._pending[:length])
        del self._pending[:length]
        self.taken += self.size
        return window
