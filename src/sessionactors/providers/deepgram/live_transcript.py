"""How ``listen`` (v1) is spoken to: audio, Finalize, KeepAlive, Configure out; transcripts and edges of speech in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import structlog
from deepgram.listen.v1.types.listen_v1close_stream import ListenV1CloseStream
from deepgram.listen.v1.types.listen_v1configure import ListenV1Configure
from deepgram.listen.v1.types.listen_v1configure_failure import ListenV1ConfigureFailure
from deepgram.listen.v1.types.listen_v1error import ListenV1Error
from deepgram.listen.v1.types.listen_v1finalize import ListenV1Finalize
from deepgram.listen.v1.types.listen_v1keep_alive import ListenV1KeepAlive
from deepgram.listen.v1.types.listen_v1results import ListenV1Results
from deepgram.listen.v1.types.listen_v1results_channel_alternatives_item import (
    ListenV1ResultsChannelAlternativesItem as Alternative,
)
from deepgram.listen.v1.types.listen_v1speech_started import ListenV1SpeechStarted

from sessionactors.interfaces.recognition_context import RecognitionContext
from sessionactors.interfaces.stt import RecognizedWord, SpeechData, SpeechEvent, SpeechEventType
from sessionactors.model.errors import APIError
from sessionactors.providers.recognition_socket import Dialect, Frame
from sessionactors.providers.wire_message import understood

from .listen_messages import type_of, typed
from .listen_options import ListenOptions

log = structlog.get_logger("sessionactors.deepgram")

KEEP_ALIVE = ListenV1KeepAlive(type="KeepAlive").json()
FINALIZE = ListenV1Finalize(type="Finalize").json()
CLOSE = ListenV1CloseStream(type="CloseStream").json()


class LiveTranscript(Dialect):
    """One stream.

    Args:
        label: whose stream it is, for people.
        options: of the recogniser, as they are when it is asked.
        language: that was asked for.
        of_session: words to expect that the session knows of.
    """

    def __init__(
        self, label: str, options: Callable[[], ListenOptions], language: str, of_session: tuple[str, ...]
    ) -> None:
        super().__init__(label, options().sample_rate)
        self._options = options
        self._punctuated = options().has_punctuated_words
        self._language = language
        self._of_session = of_session
        self._told = options().with_keyterms(of_session)
        self._configuring = False
        self._speaking = False
        self._words_since_flush = False
        self._request_id = ""

    # -- what is sent ------------------------------------------------------------------------------------------------

    def audio(self, pcm: bytes) -> Frame:
        return pcm

    def flush(self) -> Iterable[Frame]:
        return (FINALIZE,)

    def end(self) -> Iterable[Frame]:
        return (CLOSE,)

    def idle(self) -> Iterable[Frame]:
        return (KEEP_ALIVE,)

    def context(self, context: RecognitionContext) -> Iterable[Frame]:
        self._of_session = context.keyterms
        return self.changed()

    def changed(self) -> Iterable[Frame]:
        """The words to expect, if they are others by now: one update at a time, Deepgram refuses a second."""
        wanted = self._options().with_keyterms(self._of_session)
        if self._configuring or wanted == self._told:
            return ()
        self._configuring, self._told = True, wanted
        return (ListenV1Configure(keyterms=list(wanted)).json(),)

    # -- what is heard -----------------------------------------------------------------------------------------------

    def heard(self, message: Frame) -> Iterable[SpeechEvent]:
        return understood(message, self.label, self._events)

    def _events(self, fields: Mapping[str, object]) -> Iterator[SpeechEvent]:
        match type_of(fields):
            case "Results":
                yield from self._on_results(typed(ListenV1Results, fields))
            case "SpeechStarted":
                yield from self._began(typed(ListenV1SpeechStarted, fields).timestamp)
            case "UtteranceEnd":
                yield from self._ended(None)
            case "ConfigureSuccess":
                self._configuring = False
            case "ConfigureFailure":
                self._configuring = False
                failure = typed(ListenV1ConfigureFailure, fields)
                log.warning("keyterms_refused", label=self.label, code=failure.code, why=failure.description)
            case "Error":
                error = typed(ListenV1Error, fields)
                # What cannot be parsed is what we sent: a second stream would send it again.
                raise APIError(
                    f"{self.label}: {error.description} ({error.variant})",
                    body=dict(fields),
                    retryable=error.variant != "SchemaError",
                )
            case "Metadata":
                pass  # the account of the connection, at its end
            case other:
                log.debug("unknown_message", label=self.label, type=other)

    def _on_results(self, results: ListenV1Results) -> Iterator[SpeechEvent]:
        self._request_id = results.metadata.request_id
        is_final = bool(results.is_final)
        end = results.start + results.duration
        alternatives = tuple(self._data(found, is_final=is_final) for found in results.channel.alternatives)
        if alternatives and alternatives[0].text:
            yield from self._began(alternatives[0].start_time)
            self._words_since_flush = self._words_since_flush or is_final
            kind = SpeechEventType.FINAL_TRANSCRIPT if is_final else SpeechEventType.INTERIM_TRANSCRIPT
            yield SpeechEvent(kind, request_id=self._request_id, alternatives=alternatives)
        if results.from_finalize:
            if not self._words_since_flush:
                # Nothing was understood of what was flushed, and nothing more comes of it.
                yield SpeechEvent(
                    SpeechEventType.FINAL_TRANSCRIPT,
                    language=self._language,
                    start_time=results.start,
                    end_time=end,
                    request_id=self._request_id,
                )
            self._words_since_flush = False
        if results.speech_final:
            yield from self._ended(alternatives[0].end_time if alternatives else None)

    def _began(self, at: float | None) -> Iterator[SpeechEvent]:
        """Deepgram tells of speech more than once, or not at all when words come first."""
        if not self._speaking:
            self._speaking = True
            yield SpeechEvent(SpeechEventType.START_OF_SPEECH, start_time=at, request_id=self._request_id)

    def _ended(self, at: float | None) -> Iterator[SpeechEvent]:
        if self._speaking:
            self._speaking = False
            yield SpeechEvent(SpeechEventType.END_OF_SPEECH, end_time=at, request_id=self._request_id)

    def _data(self, found: Alternative, *, is_final: bool) -> SpeechData:
        words = tuple(
            RecognizedWord(
                (word.punctuated_word or word.word) if self._punctuated else word.word,
                word.start,
                word.end,
                word.confidence,
                speaker_name(word.speaker),
            )
            for word in found.words or ()
        )
        return SpeechData(
            language=_language(found.languages, self._language),
            text=found.transcript,
            start_time=words[0].start_time if words else None,
            end_time=words[-1].end_time if words else None,
            confidence=found.confidence,
            speaker_id=main_speaker(words) if is_final else None,  # before, Deepgram still changes its mind
            words=words,
        )


def speaker_name(speaker: int | None) -> str | None:
    """As it is told to the session."""
    return None if speaker is None else f"S{speaker}"


def main_speaker(words: Sequence[RecognizedWord]) -> str | None:
    """Who spoke most of the words."""
    speakers = Counter(word.speaker_id for word in words if word.speaker_id is not None)
    return speakers.most_common(1)[0][0] if speakers else None


def _language(found: Sequence[str] | None, asked: str) -> str:
    return found[0] if asked == "multi" and found else asked
