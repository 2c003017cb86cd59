"""From a participant's audio source to the turn: ``input`` -> ``vad`` and ``stt`` -> ``turn``."""

from __future__ import annotations

from sessionactors.interfaces.audio_io import AudioSource
from sessionactors.interfaces.stt import STT, SpeechEvent
from sessionactors.interfaces.vad import VAD, VADEvent
from sessionactors.model.audio import AudioFrame
from sessionactors.runtime import Lane, Overflow, Ref, Scope, message

HALF_A_SECOND = 50
"""Frames of 10 ms: what may wait before the oldest give way."""


@message()
class AttachSource:
    """Listen to this source from now on (None: to nothing)."""

    source: AudioSource | None


@message(overflow=Overflow.DROP_OLDEST, limit=HALF_A_SECOND)
class FrameCaptured:
    """A frame as the source delivered it."""

    frame: AudioFrame


@message()
class SourceEnded:
    """The source will deliver nothing more."""

    source: AudioSource | None = None
    """Which one; None: the one that is attached."""


@message()
class SourceFailed:
    """``input``, to itself: a source could not be started."""

    source: AudioSource
    error: Exception


@message(lane=Lane.CONTROL, overflow=Overflow.CONFLATE)
class SetInputEnabled:
    """Open or close the ear: frames of a closed ear are counted and dropped."""

    enabled: bool


@message(lane=Lane.CONTROL, overflow=Overflow.CONFLATE)
class SubstituteSilence:
    """Recognisers get silence of the same size in place of what the users say, or no longer; detectors hear all.

    ``floor`` to ``supervisor``, to every ear, to ``input``.
    """

    active: bool


@message(overflow=Overflow.DROP_OLDEST, limit=HALF_A_SECOND)
class AudioHeard:
    """A mono frame at the rate that the receiver wants."""

    frame: AudioFrame
    number: int = 0
    """Counts the frames for ``stt`` from 1, without a gap; 0 for ``vad``."""


@message()
class AudioPaused:
    """No more audio follows for now: finish what is open. ``input`` to ``vad`` and ``stt``."""


@message()
class UseComponents:
    """Another agent is in charge, and this is what it hears with. ``supervisor`` to the ears."""

    stt: STT | None
    vad: VAD | None


@message()
class RecognizerReplaced:
    """The next recogniser wants audio of another rate. The ear to ``input``."""


@message()
class ReplayWanted:
    """A new recognition stream needs the audio that no final covers yet. ``stt`` to ``input``."""

    after: int
    """Number of the last frame that it does not need."""


@message()
class AudioReplayed:
    """The audio that was asked for. All that ``input`` sent before is in it; what it sends later follows it."""

    first: int
    """Number of the first of the frames."""
    frames: tuple[AudioFrame, ...]


@message()
class AudioSettled:
    """What was said up to this frame has been delivered or was noise: it need not be kept. ``stt`` to ``input``."""

    upto: int


@message()
class UtteranceBegan:
    """The user began to speak. ``vad`` to ``stt``."""


@message()
class UtteranceEnded:
    """The voice fell silent: recognise what is open now."""


@message()
class SpeechStarted:
    """The user began to speak."""

    at: int
    """When the voice set in (before it was noticed)."""


@message(overflow=Overflow.CONFLATE)
class SpeechContinues:
    """The user is still in a stretch of speech. Only the newest matters."""

    duration: float
    """Seconds of speech so far."""
    silence: float
    """Seconds since the voice was last heard; 0.0 while it is."""


@message()
class SpeechEnded:
    """The user fell silent."""

    at: int
    """When the voice ended (before it was noticed)."""
    duration: float = 0.0
    """Seconds of the stretch of speech; 0.0: not known."""


@message(overflow=Overflow.CONFLATE, fenced=True)
class InterimTranscript:
    """What the user seems to say so far. Only the newest matters."""

    text: str
    scope: Scope
    """The recognition stream."""
    language: str | None = None


@message(overflow=Overflow.CONFLATE, fenced=True)
class PreflightTranscript:
    """Words that will most likely be the next final. Only the newest matters. ``stt`` to ``turn``."""

    text: str
    scope: Scope
    """The recognition stream."""
    confidence: float | None = None


@message()
class FinalTranscript:
    """What the user said; accounted for until it is committed, merged or discarded."""

    id: str
    text: str
    language: str
    confidence: float | None
    complete: bool | None
    """Whether it is a complete utterance, if the recogniser can tell."""
    ended_at: int | None = None
    """When the last word ended, if the recogniser knows the times of words."""
    speaker_id: str | None = None
    """Who spoke, if the recogniser tells speakers apart."""
    item_id: str = ""
    """Of a realtime model: its id of what was said, which is a turn already."""
    started_at: int | None = None
    """When the user began to say it, if a realtime model's words are known to belong to that speech."""


@message()
class NoWords:
    """The recogniser finished an utterance and found no words. ``stt`` to ``turn``."""


@message()
class RecognizerHeardStart:
    """The recogniser reports that the user began to speak. ``stt`` to ``turn``."""

    at: int


@message()
class RecognizerHeardEnd:
    """The recogniser reports that the user is done. ``stt`` to ``turn``."""

    at: int


@message()
class ResetRecognition:
    """What was heard so far counts no more: begin anew with the next audio. ``turn`` to ``stt``."""


@message()
class RecognitionReset:
    """All that I told before belongs to what was given up. ``stt`` to ``turn``."""


@message(fenced=True)
class DetectorSaid:
    """``vad``, to itself: an event of the running detector stream."""

    event: VADEvent
    scope: Scope
    quiet: int = 0
    """Windows of silence before it that were not told one by one."""
    inference: float = 0.0
    """Seconds that the detector took for those."""


@message(fenced=True)
class RecognizerSaid:
    """``stt``, to itself: an event of the running recognition stream."""

    event: SpeechEvent
    scope: Scope


@message()
class StreamEnded:
    """``vad``, ``stt`` and ``detector``, to themselves: a stream ended or failed."""

    stream: str
    error: BaseException | None


@message()
class StreamRetry:
    """``vad``, ``stt`` and ``detector``, to themselves: open the next stream now."""


@message(fenced=True)
class FlushTaken:
    """``stt``, to itself: the recogniser has read a flush and asks for more."""

    scope: Scope


@message()
class RecognizerOverdue:
    """``stt``, to itself: nothing came of an utterance in time."""

    stream: str


@message()
class SpeechStateWanted:
    """Is the user still speaking? Answered by :class:`SpeechEnded` if not. ``turn`` to ``vad``, after a restart."""


@message()
class TurnFlushed:
    """What was said has been committed. ``turn`` to who asked."""

    participant: str
    turn: str | None
    """The turn it became; None when there was nothing to commit."""
    transcript: str = ""
    request: str = ""
    """As in the order."""


@message()
class FlushTurn:
    """Commit what was said: ``commit_user_turn()``, or the session closes. ``supervisor`` to ``turn``, by the ear."""

    within: float = 0.0
    """Seconds to wait for a final transcript that is still to come."""
    reply_to: Ref[TurnFlushed] | None = None
    request: str = ""
    """Names the call; empty: the session closes."""
    silence: float = 0.0
    """Seconds of silence for the recogniser to finish with, where no audio comes any more."""
    reply: bool = True
    """False: keep the words, and reply nothing."""


@message()
class ClearTurn:
    """Forget what was said and not committed: ``clear_user_turn()``. ``supervisor`` to ``turn``, by the ear."""


@message()
class FlushOverdue:
    """``turn``, to itself: the final that a flush waited for did not come."""


@message()
class ResetOverdue:
    """``turn``, to itself: the recogniser has not begun anew."""


@message()
class RestartDetection:
    """The turn is over though the voice may go on: if it does, report its start again. ``turn`` to ``vad``."""


@message()
class SilenceWanted:
    """Let the recogniser hear so much silence, if nothing else is heard. ``turn`` to ``input``."""

    seconds: float


@message()
class EndpointingElapsed:
    """``turn``, to itself: the user has been silent long enough."""


@message()
class TranscriptOverdue:
    """``turn``, to itself: speech ended, and no words came of it in time."""


@message()
class PredictEndOfTurn:
    """Is the user done, going by the voice so far? ``turn`` to ``detector``."""

    question: int


@message()
class VoiceCommitted:
    """What was heard so far belongs to a turn that is over. ``turn`` to ``detector``."""


@message()
class EndOfTurnPredicted:
    """The detector's opinion. ``detector`` to ``turn``; from a detector that reads text: ``turn`` to itself."""

    question: int
    probability: float | None
    """0..1; None when the detector failed."""
    error: BaseException | None = None


@message()
class OpinionOverdue:
    """``turn``, to itself: the detector took too long."""

    question: int


@message(fenced=True)
class DetectorPredicted:
    """``detector``, to itself: what its stream thinks."""

    question: int
    probability: float | None
    scope: Scope
    error: BaseException | None = None
