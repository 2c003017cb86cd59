"""How ``listen`` (v2, Flux) is spoken to: audio and options out, turns in. Flux says itself when the user is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import structlog
from deepgram.listen.v2.types.listen_v2close_stream import ListenV2CloseStream
from deepgram.listen.v2.types.listen_v2configure_failure import ListenV2ConfigureFailure
from deepgram.listen.v2.types.listen_v2connected import ListenV2Connected
from deepgram.listen.v2.types.listen_v2fatal_error import ListenV2FatalError
from deepgram.listen.v2.types.listen_v2force_end_turn import ListenV2ForceEndTurn
from deepgram.listen.v2.types.listen_v2turn_info import ListenV2TurnInfo

from sessionactors.interfaces.recognition_context import RecognitionContext
from sessionactors.interfaces.stt import RecognizedWord, SpeechData, SpeechEvent, SpeechEventType
from sessionactors.model.errors import APIError
from sessionactors.providers.recognition_socket import Dialect, Frame
from sessionactors.providers.wire_message import understood

from .listen_messages import type_of, typed
from .turn_options import TurnOptions

log = structlog.get_logger("sessionactors.deepgram")

CLOSE = ListenV2CloseStream(type="CloseStream").json()
END_TURN = ListenV2ForceEndTurn(type="ForceEndTurn").json()


class LiveTurns(Dialect):
    """One stream.

    A flush ends no turn: that is what Flux is asked to decide. Only when audio ceases to come in the middle of a turn,
    or ends there, it is told to end it: it would wait for silence that it does not get.

    Args:
        label: whose stream it is, for people.
        options: of the recogniser, as they are when it is asked.
        of_session: words to expect that the session knows of.
    """

    def __init__(self, label: str, options: Callable[[], TurnOptions], of_session: tuple[str, ...]) -> None:
        super().__init__(label, options().sample_rate, options().audio_chunk_duration_ms / 1000)
        self._options = options
        self._of_session = of_session
        self._told = options().tuning(of_session)
        self._configuring = False
        self._speaking = False
        self._request_id = ""

    @property
    def answers_audio(self) -> bool:
        """Within a turn it says something about every piece of audio."""
        return self._speaking

    # -- what is sent ------------------------------------------------------------------------------------------------

    def audio(self, pcm: bytes) -> Frame:
        return pcm

    def flush(self) -> Iterable[Frame]:
        return ()

    def idle(self) -> Iterable[Frame]:
        return (END_TURN,) if self._speaking else ()

    def end(self) -> Iterable[Frame]:
        return (*self.idle(), CLOSE)

    def context(self, context: RecognitionContext) -> Iterable[Frame]:
        self._of_session = context.keyterms
        return self.changed()

    def changed(self) -> Iterable[Frame]:
        """What has been changed since it was told: one update at a time."""
        wanted = self._options().tuning(self._of_session)
        if self._configuring or (update := wanted.since(self._told)) is None:
            return ()
        self._configuring, self._told = True, wanted
        return (update.json(exclude_unset=True),)

    # -- what is heard -----------------------------------------------------------------------------------------------

    def heard(self, message: Frame) -> Iterable[SpeechEvent]:
        return understood(message, self.label, self._events)

    def _events(self, fields: Mapping[str, object]) -> Iterator[SpeechEvent]:
        match type_of(fields):
            case "TurnInfo":
                yield from self._on_turn(typed(ListenV2TurnInfo, fields))
            case "Connected":
                self._request_id = typed(ListenV2Connected, fields).request_id
            case "ConfigureSuccess":
                self._configuring = False
            case "ConfigureFailure":
                self._configuring = False
                failure = typed(ListenV2ConfigureFailure, fields)
                log.warning("options_refused", label=self.label, code=failure.code, why=failure.description)
            case "Error":
                error = typed(ListenV2FatalError, fields)
                ours = error.code.startswith(("INVALID", "UNPARSABLE", "UNSUPPORTED"))
                said = f"{self.label}: {error.description} ({error.code}), request {self._request_id}"
                raise APIError(said, body=dict(fields), retryable=not ours)
            case "Warning":
                log.warning("deepgram_warning", label=self.label, told=fields)
            case other:
                log.debug("unknown_message", label=self.label, type=other)

    def _on_turn(self, turn: ListenV2TurnInfo) -> Iterator[SpeechEvent]:
        self._request_id = turn.request_id
        data = _data(turn)
        match turn.event:
            case "StartOfTurn":
                yield from self._begin(data)
                yield from self._words(SpeechEventType.INTERIM_TRANSCRIPT, data)
            case "Update" | "TurnResumed":
                if self._speaking or data.text:
                    yield from self._begin(data)
                    yield from self._words(SpeechEventType.INTERIM_TRANSCRIPT, data)
            case "EagerEndOfTurn":
                yield from self._begin(data)
                yield from self._words(SpeechEventType.PREFLIGHT_TRANSCRIPT, data)
            case "EndOfTurn":
                if self._speaking or data.text:
                    yield from self._begin(data)
                    self._speaking = False
                    # Also without words: the session waits for what becomes of the speech that it was told of.
                    yield self._event(SpeechEventType.FINAL_TRANSCRIPT, data)
                    end = turn.audio_window_end if data.end_time is None else data.end_time
                    yield SpeechEvent(SpeechEventType.END_OF_SPEECH, end_time=end, request_id=self._request_id)
            case other:
                log.debug("unknown_turn_event", label=self.label, turn_event=other)

    def _begin(self, data: SpeechData) -> Iterator[SpeechEvent]:
        if not self._speaking:
            self._speaking = True
            yield SpeechEvent(SpeechEventType.START_OF_SPEECH, start_time=data.start_time, request_id=self._request_id)

    def _words(self, kind: SpeechEventType, data: SpeechData) -> Iterator[SpeechEvent]:
        if data.text:
            yield self._event(kind, data)

    def _event(self, kind: SpeechEventType, data: SpeechData) -> SpeechEvent:
        return SpeechEvent(kind, request_id=self._request_id, alternatives=(data,))


def _data(turn: ListenV2TurnInfo) -> SpeechData:
    words = tuple(RecognizedWord(word.word, word.start, word.end, word.confidence) for word in turn.words or ())
    known = [word.confidence for word in words if word.confidence is not None]
    return SpeechData(
        language=turn.languages[0] if turn.languages else "en",
        text=turn.transcript,
        start_time=words[0].start_time if words else None,
        end_time=words[-1].end_time if words else None,
        confidence=sum(known) / len(known) if known else None,
        words=words,
    )
