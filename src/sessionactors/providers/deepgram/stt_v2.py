"""Recognition with Deepgram's Flux: a recogniser that knows when the user is done (``listen`` v2)."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Sequence
from typing import Literal

from typing_extensions import Unpack

from sessionactors.interfaces import stt as port
from sessionactors.interfaces.recognition_context import recognition_context
from sessionactors.interfaces.stt import SpeechEvent, STTCapabilities
from sessionactors.model.audio import AudioFrame
from sessionactors.model.sentinel import FlushSentinel
from sessionactors.providers.recognition_socket import recognize
from sessionactors.providers.vendor_socket import VendorSocket

from .endpoint import Endpoint
from .listen_options import several
from .live_turns import LiveTurns
from .turn_options import TurnChanges, TurnOptions


class STTv2(port.STT):
    """A recogniser that listens to Flux. Made for ``turn_detection="stt"``: its end of turn ends the user's turn.

    With ``eager_eot_threshold`` it says before that the user is probably done: the session prepares the reply then, and
    gives it up if the user goes on (``preemptive_generation``).

    Args:
        model: ``flux-general-en``, or ``flux-general-multi``.
        sample_rate: hertz, 8000..48000; the session resamples to it.
        audio_chunk_duration_ms: 10..500, milliseconds of audio in a message; Deepgram recommends 80.
        eager_eot_threshold: 0.3..0.9, how sure it must be to say that the user is probably done; None: it does not.
        eot_threshold: 0.5..0.9, how sure it must be that the user is done; None: Deepgram's default (0.7).
        eot_timeout_ms: 500..10000 of silence after which the turn is over anyway; None: Deepgram's (5000).
        keyterm: words to expect; the session adds what it knows (``recognition_context``).
        tags: labels for Deepgram's usage reports, of at most 128 characters.
        language_hint: languages to expect, for ``flux-general-multi``.
        api_key: None: ``DEEPGRAM_API_KEY``.
        base_url: the endpoint with its path, for a proxy or a server of one's own.
        mip_opt_out: keep the audio out of Deepgram's model improvement.
        numerals: numbers as digits.
        profanity_filter: mask swear words.
        redact: mask numbers.

    Raises:
        OptionError: no key, a value out of range, or one that the model does not take.
    """

    label = "deepgram.STTv2"
    provider = "deepgram"

    def __init__(
        self,
        *,
        model: str = "flux-general-en",
        sample_rate: int = 16000,
        audio_chunk_duration_ms: int = 50,
        eager_eot_threshold: float | None = None,
        eot_threshold: float | None = None,
        eot_timeout_ms: int | None = None,
        keyterm: str | Sequence[str] = (),
        tags: Sequence[str] = (),
        language_hint: str | Sequence[str] = (),
        api_key: str | None = None,
        base_url: str = "https://api.deepgram.com/v2/listen",
        mip_opt_out: bool = False,
        numerals: bool = False,
        profanity_filter: bool = False,
        redact: Literal["numbers", "aggressive_numbers"] | None = None,
    ) -> None:
        self._endpoint = Endpoint.of(base_url, api_key, self.label)
        self._options = TurnOptions(
            model=model,
            sample_rate=sample_rate,
            audio_chunk_duration_ms=audio_chunk_duration_ms,
            eager_eot_threshold=eager_eot_threshold,
            eot_threshold=eot_threshold,
            eot_timeout_ms=eot_timeout_ms,
            keyterm=several(keyterm),
            tags=tuple(tags),
            language_hint=several(language_hint),
            mip_opt_out=mip_opt_out,
            numerals=numerals,
            profanity_filter=profanity_filter,
            redact=redact,
        )
        self.model = model
        self.sample_rate = sample_rate

    def __repr__(self) -> str:
        return f"<deepgram.STTv2 {self.model} at {self._endpoint.url}>"

    @property
    def capabilities(self) -> STTCapabilities:
        return STTCapabilities(aligned_transcript="word", end_of_speech=True, keyterms=True)

    def update_options(self, **changes: Unpack[TurnChanges]) -> None:
        """Other options from now on.

        Thresholds, ``keyterm``, ``language_hint`` and ``numerals`` reach the streams that are running; the others count
        from the next stream, because Deepgram takes them only where a connection begins. May be called on any thread.

        Raises:
            OptionError: as the constructor does; nothing has changed then.
        """
        self._options = self._options.changed(changes)

    def transcribe(
        self, audio: AsyncIterable[AudioFrame | FlushSentinel], *, language: str | None = None
    ) -> AsyncIterator[SpeechEvent]:
        options = self._options
        of_session = recognition_context(audio).keyterms
        query = options.query(options.tuning(of_session))
        dialect = LiveTurns(self.label, lambda: self._options, of_session)

        async def connect() -> VendorSocket:
            return await self._endpoint.connect(query)

        return recognize(connect, audio, dialect)
