"""How Scribe's realtime socket is spoken to: audio in base64 and commits out; partial and committed transcripts in."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import structlog
from elevenlabs.core.unchecked_base_model import construct_type
from elevenlabs.types.committed_transcript_with_timestamps_payload import CommittedTranscriptWithTimestampsPayload
from elevenlabs.types.input_audio_chunk_payload import InputAudioChunkPayload
from elevenlabs.types.partial_transcript_payload import PartialTranscriptPayload
from elevenlabs.types.session_started_payload import SessionStartedPayload
from elevenlabs.types.transcription_word import TranscriptionWord

from sessionactors.interfaces.stt import RecognizedWord, SpeechData, SpeechEvent, SpeechEventType
from sessionactors.providers.recognition_socket import Dialect, Frame
from sessionactors.providers.wire_message import understood

from .endpoint import told_error
from .scribe_options import ScribeOptions

log = structlog.get_logger("sessionactors.elevenlabs")

COMMITTED: Final = ("committed_transcript", "committed_transcript_with_timestamps")


class LiveScribe(Dialect):
    """One stream.

    Args:
        label: whose stream it is, for people.
        options: of the recogniser.
        language: that was asked for; None: found out.
    """

    def __init__(self, label: str, options: ScribeOptions, language: str | None) -> None:
        super().__init__(label, options.sample_rate, options.audio_chunk_duration_ms / 1000)
        self._options = options
        self._language = language or "en"
        self._previous_text = options.previous_text
        self._uncommitted = False
        """Audio was sent since the last commit."""
        self._commits = 0
        """That were not answered."""
        self._speaking = False
        self._request_id = ""

    @property
    def answers_audio(self) -> bool:
        """It says nothing about silence, nor how soon it says something about speech."""
        return False

    # -- what is sent ------------------------------------------------------------------------------------------------

    def audio(self, pcm: bytes) -> Frame:
        self._uncommitted = True
        return self._chunk_of(pcm, commit=False)

    def flush(self) -> Iterable[Frame]:
        return self._commit() if self._options.commits_by_hand else ()

    def idle(self) -> Iterable[Frame]:
        """It waits for silence that does not come."""
        return self._commit() if self._speaking else ()

    def end(self) -> Iterable[Frame]:
        return self._commit()  # also with its own VAD: what it has not heard yet is not answered otherwise

    def is_over(self) -> bool:
        """Whether all that was committed has been told: it never closes by itself."""
        return self._commits == 0

    def _commit(self) -> Iterable[Frame]:
        if not self._uncommitted:
            return ()
        self._uncommitted = False
        self._commits += 1
        return (self._chunk_of(b"", commit=True),)

    def _chunk_of(self, pcm: bytes, *, commit: bool) -> str:
        more = {} if self._previous_text is None or commit else {"previous_text": self._previous_text}
        self._previous_text = self._previous_text if commit else None
        audio = base64.b64encode(pcm).decode()
        rate = self._options.sample_rate
        return InputAudioChunkPayload(audio_base_64=audio, commit=commit, sample_rate=rate, **more).json()

    # -- what is heard -----------------------------------------------------------------------------------------------

    def heard(self, message: Frame) -> Iterable[SpeechEvent]:
        return understood(message, self.label, self._events)

    def _events(self, fields: Mapping[str, object]) -> Iterator[SpeechEvent]:
        kind = str(fields["message_type"])
        if kind == self._options.finals:
            committed: CommittedTranscriptWithTimestampsPayload = construct_type(
                type_=CommittedTranscriptWithTimestampsPayload, object_=fields
            )
            yield from self._on_committed(committed)
        elif kind == "partial_transcript":
            partial: PartialTranscriptPayload = construct_type(type_=PartialTranscriptPayload, object_=fields)
            if partial.text.strip():
                yield from self._began()
                data = SpeechData(self._language, partial.text)
                yield self._event(SpeechEventType.INTERIM_TRANSCRIPT, data)
        elif kind == "session_started":
            started: SessionStartedPayload = construct_type(type_=SessionStartedPayload, object_=fields)
            self._request_id = started.session_id
        elif kind == "commit_throttled":
            # There was too little audio to make words of: that is the answer.
            self._commits = max(0, self._commits - 1)
            yield self._event(SpeechEventType.FINAL_TRANSCRIPT, SpeechData(self._language, ""))
        elif "error" in fields:
            raise told_error(self.label, kind, str(fields["error"]), self._request_id, dict(fields))
        elif kind not in COMMITTED:
            log.debug("unknown_message", label=self.label, type=kind)

    def _on_committed(self, committed: CommittedTranscriptWithTimestampsPayload) -> Iterator[SpeechEvent]:
        self._commits = max(0, self._commits - 1)
        text = committed.text.strip()
        words = tuple(_words(committed.words or ()))
        if text:
            yield from self._began()
        data = SpeechData(
            language=committed.language_code or self._language,
            text=text,
            start_time=words[0].start_time if words else None,
            end_time=words[-1].end_time if words else None,
            confidence=_mean([word.confidence for word in words if word.confidence is not None]),
            words=words,
        )
        if text or self._options.commits_by_hand or self._speaking:
            yield self._event(SpeechEventType.FINAL_TRANSCRIPT, data)
        if self._speaking:
            self._speaking = False
            if not self._options.commits_by_hand:
                yield SpeechEvent(SpeechEventType.END_OF_SPEECH, end_time=data.end_time, request_id=self._request_id)

    def _began(self) -> Iterator[SpeechEvent]:
        if not self._speaking:
            self._speaking = True
            if not self._options.commits_by_hand:
                yield SpeechEvent(SpeechEventType.START_OF_SPEECH, request_id=self._request_id)

    def _event(self, kind: SpeechEventType, data: SpeechData) -> SpeechEvent:
        return SpeechEvent(kind, language=data.language, request_id=self._request_id, alternatives=(data,))


def _words(found: Sequence[TranscriptionWord]) -> Iterator[RecognizedWord]:
    for word in found:
        if word.type in (None, "word") and word.text:
            confidence = None if word.logprob is None else math.exp(min(0.0, word.logprob))
            yield RecognizedWord(word.text, word.start, word.end, confidence, word.speaker_id)


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
