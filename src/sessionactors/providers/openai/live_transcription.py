"""How a transcription session of the Realtime API is spoken to: audio and commits out; items with their words in.

The server cuts the audio into items, by its own turn detection or where it is told to, and transcribes each by itself:
the words of a later item may come first. Finals are told in the order of the audio.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from sessionactors.interfaces.recognition_context import RecognitionContext
from sessionactors.interfaces.stt import RecognitionUsage, SpeechEvent, SpeechEventType
from sessionactors.model.errors import APIConnectionError, APIError
from sessionactors.providers.recognition_socket import Dialect, Frame
from sessionactors.providers.wire_message import understood

from .sdk_errors import reported
from .transcription_options import TranscriptionOptions

SAMPLE_RATE: Final = 24000
LEAST: Final = 0.1
"""Seconds of audio that the server takes as an item."""
PADDING: Final = 0.15
"""Seconds of silence beyond what the server takes for the end of speech."""
_COMMIT: Final = json.dumps({"type": "input_audio_buffer.commit"})


@dataclass(slots=True)
class _Item:
    """An utterance, as the server names it."""

    text: str = ""
    """So far."""
    final: str | None = None
    start: float | None = None
    end: float | None = None
    language: str = ""
    confirmed: bool = False
    """The server has said that its audio is complete."""


class LiveTranscription(Dialect):
    """One session.

    Args:
        label: whose it is, for people.
        options: of the recogniser, as they are when it is asked.
        language: of this stream alone; None: the options'.
        of_session: words to expect that the voice session knows of.
    """

    answers_audio = False  # silence is no news to it

    def __init__(
        self,
        label: str,
        options: Callable[[], TranscriptionOptions],
        language: str | None,
        of_session: tuple[str, ...],
    ) -> None:
        super().__init__(label, SAMPLE_RATE)
        self._options = options
        self._language = language
        self._of_session = of_session
        self._told = self._configuration()
        self._detects = options().turn_detection
        self._items: dict[str, _Item] = {}
        self._speaking = False
        self._uncommitted = 0.0
        """Seconds since the last item that we ended."""
        self._commits = 0
        """Items that we ended and the server has not confirmed."""
        self._padded: list[tuple[float, float]] = []
        """Where silence was put in: seconds of the server's audio, and how long."""
        self._sent = 0.0
        self._ending = False
        self._fenced = False
        """The server has answered what was sent after all audio."""
        self._updates = 0

    # -- what is sent ------------------------------------------------------------------------------------------------

    def _configuration(self) -> dict[str, object]:
        return self._options().in_language(self._language).session(self._of_session)

    def begin(self) -> Frame:
        """Sent before anything else."""
        return self._update()

    def _update(self) -> Frame:
        self._updates += 1
        return json.dumps({"type": "session.update", "session": self._told})

    def audio(self, pcm: bytes) -> Frame:
        self._sent += self.seconds(pcm)
        self._uncommitted += self.seconds(pcm)
        return json.dumps({"type": "input_audio_buffer.append", "audio": base64.b64encode(pcm).decode()})

    def flush(self) -> Iterable[Frame]:
        if self._detects is None:
            return self._commit()
        # The server ends utterances itself; ended here too, they would be cut twice. But it has to hear the silence:
        # none may come any more, as when a microphone is switched off.
        return self._silence() if self._speaking else ()

    def _commit(self) -> Iterable[Frame]:
        if self._uncommitted < LEAST:
            return ()
        self._uncommitted = 0.0
        self._commits += 1
        return (_COMMIT,)

    def _silence(self) -> Iterable[Frame]:
        if self._detects is None or self._detects.get("type") != "server_vad":
            return self._commit()
        told = self._detects.get("silence_duration_ms", 500)
        seconds = PADDING + (told / 1000 if isinstance(told, int | float) else 0.5)
        self._padded.append((self._sent, seconds))
        return (self.audio(bytes(2 * round(seconds * SAMPLE_RATE))),)

    def end(self) -> Iterable[Frame]:
        self._ending = True
        if self._sent == 0.0:
            self._fenced = True
            return ()
        last = self._commit() if self._detects is None else self._silence()
        return (*last, self._update())

    def context(self, context: RecognitionContext) -> Iterable[Frame]:
        self._of_session = context.keyterms
        return self.changed()

    def changed(self) -> Iterable[Frame]:
        """Options that are others by now. A session can be told all but another way to find the ends of utterances."""
        wanted = self._configuration()
        if wanted == self._told or self._options().turn_detection != self._detects:
            return ()
        self._told = wanted
        return (self._update(),)

    # -- what is heard -----------------------------------------------------------------------------------------------

    def is_over(self) -> bool:
        return self._fenced and not self._speaking and not self._items and not self._commits

    def heard(self, message: Frame) -> Iterable[SpeechEvent]:
        return understood(message, self.label, self._events)

    def _events(self, fields: Mapping[str, object]) -> Iterator[SpeechEvent]:
        match fields["type"]:
            case "input_audio_buffer.speech_started":
                self._speaking = True
                item = self._item(fields)
                item.start = self._seconds(fields["audio_start_ms"])
                yield SpeechEvent(SpeechEventType.START_OF_SPEECH, start_time=item.start)
            case "input_audio_buffer.speech_stopped":
                self._speaking = False
                item = self._item(fields)
                item.end = self._seconds(fields["audio_end_ms"])
                yield SpeechEvent(SpeechEventType.END_OF_SPEECH, end_time=item.end)
            case "input_audio_buffer.committed":
                self._commits = max(0, self._commits - 1)
                self._item(fields).confirmed = True
            case "conversation.item.input_audio_transcription.delta":
                yield from self._on_delta(fields)
            case "conversation.item.input_audio_transcription.completed":
                yield from self._on_completed(fields)
            case "conversation.item.input_audio_transcription.failed":
                raise _error(fields, self.label, "the transcription failed")
            case "session.updated":
                self._updates -= 1
                self._fenced = self._ending and self._updates == 0
            case "error":
                self._on_error(fields)
            case _:
                pass  # what else is told of the session is no speech

    def _item(self, fields: Mapping[str, object]) -> _Item:
        return self._items.setdefault(_text(fields["item_id"]), _Item())

    def _on_delta(self, fields: Mapping[str, object]) -> Iterator[SpeechEvent]:
        item = self._item(fields)
        item.text += _text(fields.get("delta") or "")
        if item is next(iter(self._items.values())) and item.text:
            yield SpeechEvent(SpeechEventType.INTERIM_TRANSCRIPT, item.text, self._spoken_in(item))

    def _on_completed(self, fields: Mapping[str, object]) -> Iterator[SpeechEvent]:
        item = self._item(fields)
        item.final = _text(fields["transcript"])
        detected = fields.get("languages")
        if isinstance(detected, list) and detected:
            item.language = _text(detected[0]["code"])
        usage = fields.get("usage")
        if isinstance(usage, Mapping) and "input_tokens" in usage:
            # The seconds are told by who sends the audio.
            tokens = RecognitionUsage(0.0, int(usage["input_tokens"]), int(usage["output_tokens"]))
            yield SpeechEvent(
                SpeechEventType.RECOGNITION_USAGE, usage=tokens, request_id=_text(fields.get("item_id") or "")
            )
        while self._items:
            name, first = next(iter(self._items.items()))
            if first.final is None:
                break
            del self._items[name]
            yield SpeechEvent(
                SpeechEventType.FINAL_TRANSCRIPT,
                first.final,
                self._spoken_in(first),
                start_time=first.start,
                end_time=first.end,
                request_id=name,
            )

    def _spoken_in(self, item: _Item) -> str:
        return item.language or self._options().in_language(self._language).language

    def _on_error(self, fields: Mapping[str, object]) -> None:
        error = fields.get("error")
        code = error.get("code") if isinstance(error, Mapping) else None
        if code == "input_audio_buffer_commit_empty":
            self._commits = max(0, self._commits - 1)
            return  # its own turn detection was quicker
        if code == "session_expired":
            raise APIConnectionError(f"{self.label}: the session has lasted as long as it may", body=error)
        raise _error(fields, self.label, "the session failed")

    def _seconds(self, milliseconds: object) -> float:
        """A place in the server's audio as one in ours, which has no silence put in."""
        at = float(_number(milliseconds)) / 1000
        padding = sum(max(0.0, min(at - begin, seconds)) for begin, seconds in self._padded)
        return round(at - padding, 6)


def _error(fields: Mapping[str, object], label: str, otherwise: str) -> APIError:
    error = fields.get("error")
    message = error.get("message") if isinstance(error, Mapping) else None
    return reported(error, str(message or otherwise), label)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"no text: {value!r}")
    return value


def _number(value: object) -> float:
    if not isinstance(value, int | float):
        raise TypeError(f"no number: {value!r}")
    return value
