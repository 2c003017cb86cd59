"""The recogniser process: ``python -m sessionactors.providers.offline.recognizer_process``.

pocketsphinx holds the interpreter lock while it decodes (12 s of audio in one call stalled a main thread for 2.5 s), so
it lives in a process of its own. :class:`~.recognizer_worker.RecognizerWorker` starts it and speaks to it over its
standard input and output; nobody else does. It ends when its input ends, so it cannot outlive its owner.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

from .dither import Dither
from .recognizer_wire import (
    DictationConfig,
    GrammarConfig,
    Heard,
    Kind,
    Message,
    decode_config,
    encode_json,
    read_message,
)
from .utterance import SAMPLE_RATE, UtteranceStream, Words, words_of

if TYPE_CHECKING:
    from pocketsphinx import Decoder, Vad

_SEARCH = "intents"
_MAX_IDLE_DECODERS = 8
"""Decoders of closed streams kept for the next ones: 8 MB each, and 15 ms saved."""


class GrammarDecoder:
    """One pocketsphinx decoder with the grammar of a table.

    Args:
        jsgf: the grammar.
        dictionary: lines ``word PH ON ES``; every word of the grammar is there.
    """

    def __init__(self, jsgf: str, dictionary: str) -> None:
        import pocketsphinx

        # loglevel is set per decoder too: making one resets the global level, and fsg_search logs every rejection.
        pocketsphinx.set_loglevel("FATAL")
        # Without bestpath the end of an utterance is a whole phrase or nothing; with it, also pieces of phrases.
        self._decoder: Decoder = pocketsphinx.Decoder(
            samprate=SAMPLE_RATE, lm=None, dict=None, bestpath=False, loglevel="FATAL"
        )
        # Word by word, as dictionaries are otherwise read from files only, and a killed process leaves its file behind.
        for line in dictionary.splitlines():
            word, phones = line.split(maxsplit=1)
            self._decoder.add_word(word, phones, update=False)
        self._decoder.add_jsgf_string(_SEARCH, jsgf)
        self._decoder.activate_search(_SEARCH)
        self._fresh_cmn: str = self._decoder.get_cmn()
        self._dither = Dither()

    def renew(self) -> None:
        """Forget the channel of the last stream."""
        self._dither.restart()
        self._decoder.set_cmn(self._fresh_cmn)

    def begin(self) -> None:
        self._decoder.start_utt()

    def feed(self, pcm: bytes) -> None:
        if pcm:
            self._decoder.process_raw(self._dither(pcm))

    def words(self) -> Words:
        if self._decoder.hyp() is None:
            return words_of(iter(()))
        return words_of((s.word, s.start_frame, s.end_frame, s.ascore) for s in self._decoder.seg())

    def end(self) -> Words:
        self._decoder.end_utt()
        return self.words()


class WebRtcGate:
    """WebRTC's detector as pocketsphinx carries it, in its most permissive mode."""

    def __init__(self) -> None:
        import pocketsphinx

        self._vad: Vad = pocketsphinx.Vad(pocketsphinx.Vad.LOOSE, SAMPLE_RATE, 0.03)

    def is_speech(self, block: bytes) -> bool:
        return bool(self._vad.is_speech(block))


class GrammarEngine:
    """Many streams, each with a decoder of its own."""

    def __init__(self, config: GrammarConfig, send: IO[bytes]) -> None:
        self._config = config
        self._send = send
        self._streams: dict[int, tuple[UtteranceStream, GrammarDecoder]] = {}
        self._idle = [GrammarDecoder(config.jsgf, config.dictionary)]

    def handle(self, message: Message) -> None:
        stream = message.stream
        match message.kind:
            case Kind.OPEN:
                self._open(stream)
            case Kind.AUDIO if stream in self._streams:
                self._streams[stream][0].feed(message.payload)
            case Kind.FLUSH if stream in self._streams:
                self._streams[stream][0].flush()
            case Kind.CLOSE:
                self._close_stream(stream)
            case Kind.AUDIO | Kind.FLUSH:
                pass  # the stream has failed; its owner has been told
            case _:
                raise ValueError(f"a grammar process does not take {message.kind.name}")

    def fail(self, stream: int) -> None:
        """Forget a stream whose decoder raised, decoder included: its state is unknown."""
        self._streams.pop(stream, None)

    def _open(self, stream: int) -> None:
        decoder = self._idle.pop() if self._idle else GrammarDecoder(self._config.jsgf, self._config.dictionary)
        self._streams[stream] = (
            UtteranceStream(
                search=decoder,
                gate=WebRtcGate(),
                min_score=self._config.min_score,
                max_utterance=self._config.max_utterance,
                on_interim=lambda heard: self._tell(Kind.INTERIM, stream, heard),
                on_final=lambda heard, audio: self._final(stream, heard, audio),
            ),
            decoder,
        )

    def _close_stream(self, stream: int) -> None:
        if (gone := self._streams.pop(stream, None)) is None:
            return
        utterances, decoder = gone
        utterances.abandon()
        if len(self._idle) < _MAX_IDLE_DECODERS:
            decoder.renew()
            self._idle.append(decoder)

    def _final(self, stream: int, heard: Heard, rejected: bytes) -> None:
        if rejected and self._config.return_rejected_audio:
            self._send.write(Message(Kind.REJECTED_AUDIO, stream, rejected).encode())
        self._tell(Kind.FINAL, stream, heard)

    def _tell(self, kind: Kind, stream: int, heard: Heard) -> None:
        self._send.write(encode_json(kind, stream, heard))


class DictationEngine:
    """Whole utterances of any stream through one decoder with the large language model (91 MB, so only one).

    What a decoder learns about the channel is kept per stream and swapped in (measured: a fresh start for each
    utterance costs 6 points of word error rate).
    """

    def __init__(self, send: IO[bytes]) -> None:
        import pocketsphinx

        pocketsphinx.set_loglevel("FATAL")
        self._send = send
        self._decoder: Decoder = pocketsphinx.Decoder(samprate=SAMPLE_RATE, loglevel="FATAL")
        self._fresh_cmn: str = self._decoder.get_cmn()
        self._cmn: dict[int, str] = {}

    def handle(self, message: Message) -> None:
        match message.kind:
            case Kind.OPEN:
                self._cmn[message.stream] = self._fresh_cmn
            case Kind.DICTATE:
                self._dictate(message.stream, message.payload)
            case Kind.CLOSE:
                self._cmn.pop(message.stream, None)
            case _:
                raise ValueError(f"a dictation process does not take {message.kind.name}")

    def fail(self, stream: int) -> None:
        self._cmn.pop(stream, None)

    def _dictate(self, stream: int, pcm: bytes) -> None:
        self._decoder.set_cmn(self._cmn.get(stream, self._fresh_cmn))
        self._decoder.start_utt()
        self._decoder.process_raw(pcm)
        self._decoder.end_utt()
        if stream in self._cmn:
            self._cmn[stream] = self._decoder.get_cmn(update=True)
        hypothesis = self._decoder.hyp()
        text = "" if hypothesis is None else hypothesis.hypstr
        self._send.write(encode_json(Kind.FINAL, stream, Heard(text, flushed=True)))


def serve(source: IO[bytes], send: IO[bytes]) -> None:
    """Answer messages until the source ends.

    An exception in one stream ends that stream with FAILED; the others go on.
    """
    first = read_message(source)
    if first is None:
        return
    config = decode_config(first.payload)
    engine = DictationEngine(send) if isinstance(config, DictationConfig) else GrammarEngine(config, send)
    send.write(Message(Kind.READY, 0).encode())
    send.flush()
    for message in _messages(source):
        try:
            engine.handle(message)
        except Exception as error:  # noqa: BLE001 - whatever it was ends one stream, and its owner is told
            engine.fail(message.stream)
            send.write(Message(Kind.FAILED, message.stream, _described(error)).encode())
        send.flush()


def _messages(source: IO[bytes]) -> Iterator[Message]:
    while (message := read_message(source)) is not None:
        yield message


def _described(error: BaseException) -> bytes:
    return f"{type(error).__name__}: {error}".encode()


def main() -> int:
    """Serve on standard input and output; 0 when the input ended, 1 when the engine could not be made."""
    # The owner decides when we end. Ctrl-C goes to the whole process group and must not race with its orderly close.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    source = sys.stdin.buffer
    # Messages get a descriptor of their own: a stray print of a C library would break the framing.
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as send:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        try:
            serve(source, send)
        except BrokenPipeError:
            return 0  # the owner is gone
        except Exception as error:  # noqa: BLE001 - the owner is told, by name
            send.write(Message(Kind.FAILED, 0, _described(error)).encode())
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
