"""Continuous audio of one stream to recognised utterances. Runs in the recogniser process only; synchronous.

Where an utterance begins
    A session sends everything, silence too, and says where speech ended (FLUSH), not where it began. Decoding minutes
    of silence would cost 2 % of a core a stream and let the grammar explain noise as words. So a cheap detector
    (WebRTC's, in pocketsphinx; 0.02 % of a core) gates the decoder: closed, audio only passes through a ring of
    0.5 s; when 60 of the last 90 ms sound like speech, the ring is decoded first, then what follows. The detector is
    set to its most permissive mode: a false opening costs CPU, a missed word costs the turn. WebRTC's weakness, being
    stuck in "speech" in noise, is bounded: an utterance without a plausible word is dropped after a few seconds.

Rejection
    A grammar recogniser forces whatever it hears into a phrase. What gives it away is the acoustic score per frame of
    its *words*: over the whole utterance, well-matched silence hides a bad word (measured: words alone separate
    in-grammar from other sentences almost completely, the whole-utterance score does not). The same test is put to
    interim results, so noise and half-heard words do not flicker.

Pauses inside a phrase
    "Book a table" - 0.7 s - "for two at seven": the VAD ends the utterance in the middle of a phrase, and the second
    half alone is no phrase of the grammar. The audio of a plausible first half is therefore kept and decoded again in
    front of the next utterance; only the words that are new are reported.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol

from .recognizer_wire import Heard

SAMPLE_RATE: Final = 16000
_BYTES_PER_SECOND: Final = 2 * SAMPLE_RATE
_BLOCK_MS: Final = 30
_BLOCK_SECONDS: Final = _BLOCK_MS / 1000
_BLOCK: Final = _BYTES_PER_SECOND * _BLOCK_MS // 1000
"""Bytes of one step of the gate: the longest frame that WebRTC's detector takes."""

PREROLL: Final = 0.5
"""Seconds before the gate opened that are decoded too. Covers soft first consonants, which the gate hears late."""
CARRY_GAP: Final = 5.0
"""Seconds of silence after which the first half of a phrase is no longer waited for."""
WORDLESS_LIMIT: Final = 4.0
"""Seconds of decoding without a plausible word after which the utterance is dropped as noise."""
WORDLESS_SILENCE: Final = 0.6
"""Seconds of silence that end an utterance without a plausible word."""
_LOG_BASE: Final = math.log(1.0001)
"""pocketsphinx counts likelihoods in logarithms to this base."""
_GATE_BLOCKS: Final = 3
_GATE_SPEECH: Final = 2
"""The gate opens when so many of the last :data:`_GATE_BLOCKS` blocks sound like speech."""
_INTERIM_BLOCKS: Final = 2
"""Look for an interim result every 60 ms; each look costs a trace back through the search."""


@dataclass(frozen=True, slots=True)
class Words:
    """A hypothesis: its words and how well they fit the sound."""

    words: tuple[str, ...]
    score: float
    """Log likelihood per frame of 10 ms in pocketsphinx's units, <= 0; well-matched words have -10 to -25."""


NO_WORDS: Final = Words((), -math.inf)


class Search(Protocol):
    """The decoder as an utterance needs it."""

    def begin(self) -> None:
        """Start an utterance."""

    def feed(self, pcm: bytes) -> None:
        """Search through more audio."""

    def words(self) -> Words:
        """The best hypothesis so far."""

    def end(self) -> Words:
        """Finish the utterance: the best hypothesis that is a whole phrase, or no words."""


class Gate(Protocol):
    """The cheap detector as an utterance needs it."""

    def is_speech(self, block: bytes) -> bool:
        """Whether 30 ms of audio sound like speech."""


@dataclass(slots=True)
class Carry:
    """The first half of a phrase: its audio, its words, and the silence since."""

    audio: bytes
    words: tuple[str, ...]
    silence: float = 0.0


@dataclass(slots=True)
class Utterance:
    """An utterance that is being decoded."""

    audio: bytearray
    quiet: float = 0.0
    """Seconds since the gate last heard speech."""
    shown: tuple[str, ...] = ()
    """Words of the last interim result."""
    unseen_blocks: int = 0
    """Blocks decoded since the last look for an interim result."""

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.audio) / _BYTES_PER_SECOND


@dataclass(slots=True)
class UtteranceStream:
    """The utterances of one stream.

    Args:
        search: a decoder of its own, kept for the stream: it adapts to the channel from utterance to utterance.
        gate: a detector of its own.
        min_score: per frame, in the units of :class:`Words`; hypotheses below are rejected.
        max_utterance: seconds after which an utterance is finalised without a flush.
        on_interim: called with what was heard so far, when it changed.
        on_final: called with what was heard at the end, and with the audio if it was rejected.
    """

    search: Search
    gate: Gate
    min_score: float
    max_utterance: float
    on_interim: Callable[[Heard], None]
    on_final: Callable[[Heard, bytes], None]
    _unblocked: bytearray = field(default_factory=bytearray, init=False)
    _ring: deque[bytes] = field(default_factory=lambda: deque(maxlen=int(PREROLL * 1000) // _BLOCK_MS), init=False)
    _recent: deque[bool] = field(default_factory=lambda: deque(maxlen=_GATE_BLOCKS), init=False)
    _open: Utterance | None = field(default=None, init=False)
    _skipped: float = field(default=0.0, init=False)
    _carry: Carry | None = field(default=None, init=False)

    def feed(self, pcm: bytes) -> None:
        """Take more audio (int16 little-endian, mono, 16 kHz), any length."""
        self._unblocked += pcm
        while len(self._unblocked) >= _BLOCK:
            block = bytes(self._unblocked[:_BLOCK])
            del self._unblocked[:_BLOCK]
            speech = self.gate.is_speech(block)
            if self._open is None:
                self._wait(block, speech=speech)
            else:
                self._decode(self._open, block, speech=speech)

    def flush(self) -> None:
        """The user stopped speaking: finalise. Always calls ``on_final`` once."""
        if self._open is not None:
            self._open.audio += self._unblocked
            self.search.feed(bytes(self._unblocked))
            self._finish(self._open, flushed=True)
        else:
            self.on_final(Heard("", flushed=True, silence=self._skipped), b"")
        # What came before the flush was speech and its end; as pre-roll it would be recognised twice.
        self._unblocked.clear()
        self._ring.clear()
        self._recent.clear()
        self._skipped = 0.0

    def abandon(self) -> None:
        """The stream is over: leave the search ready for another one."""
        if self._open is not None:
            self.search.end()
            self._open = None

    def _wait(self, block: bytes, *, speech: bool) -> None:
        self._recent.append(speech)
        if len(self._ring) == self._ring.maxlen:
            self._skipped += _BLOCK_SECONDS
        self._ring.append(block)
        if self._carry is not None:
            self._carry.silence += _BLOCK_SECONDS
            if self._carry.silence > CARRY_GAP:
                self._carry = None
        if sum(self._recent) >= _GATE_SPEECH:
            self._begin(b"".join(self._ring))
            self._ring.clear()

    def _begin(self, preroll: bytes) -> None:
        self._open = Utterance(bytearray(preroll))
        self.search.begin()
        if self._carry is not None:
            self.search.feed(self._carry.audio)
        self.search.feed(preroll)

    def _decode(self, utterance: Utterance, block: bytes, *, speech: bool) -> None:
        utterance.audio += block
        self.search.feed(block)
        utterance.quiet = 0.0 if speech else utterance.quiet + _BLOCK_SECONDS
        utterance.unseen_blocks += 1
        if utterance.unseen_blocks >= _INTERIM_BLOCKS:
            utterance.unseen_blocks = 0
            self._look(utterance)
        if utterance.seconds >= self.max_utterance:
            self._finish(utterance, flushed=False)
        elif not utterance.shown and (utterance.quiet >= WORDLESS_SILENCE or utterance.seconds >= WORDLESS_LIMIT):
            self._give_up(utterance)

    def _look(self, utterance: Utterance) -> None:
        found = self._new_words(self.search.words())
        if found.words and found.score >= self.min_score and found.words != utterance.shown:
            utterance.shown = found.words
            self.on_interim(Heard(" ".join(found.words), score=found.score, before=self._before(found)))

    def _give_up(self, utterance: Utterance) -> None:
        """Nothing was said, as far as one can hear."""
        self.search.end()
        if self._carry is not None:
            # It may be no continuation but something new, which with the first half in front is no phrase.
            self._carry = None
            self.search.begin()
            self.search.feed(bytes(utterance.audio))
            self._look(utterance)
            return
        # Its end may be the beginning of the next.
        for start in range(0, len(utterance.audio) - _BLOCK + 1, _BLOCK):
            self._ring.append(bytes(utterance.audio[start : start + _BLOCK]))
        self._recent.clear()
        self._open = None

    def _finish(self, utterance: Utterance, *, flushed: bool) -> None:
        self._open = None
        audio = bytes(utterance.audio)
        partial, whole = self._ended_search()
        if self._carry is not None and not whole.words:
            # A caller who was asked again starts over.
            alone = self._decoded_alone(audio)
            if alone.words:
                self._carry, whole = None, alone
        found = whole if whole.words else partial
        new = self._new_words(found)
        skipped, self._skipped = self._skipped, 0.0
        if new.words and found.score >= self.min_score:
            heard = Heard(" ".join(new.words), found.score, self._before(new), flushed, skipped)
            self._carry = self._carry_of(partial, audio) if found is partial else None
            self.on_final(heard, b"")
        else:
            self._carry = None
            score = found.score if math.isfinite(found.score) else None
            self.on_final(Heard("", score, flushed=flushed, silence=skipped), audio)

    def _ended_search(self) -> tuple[Words, Words]:
        """The best hypothesis, and the best that is a whole phrase, or no words if that is implausible."""
        partial = self.search.words()
        whole = self.search.end()
        return partial, whole if whole.score >= self.min_score else NO_WORDS

    def _decoded_alone(self, audio: bytes) -> Words:
        self.search.begin()
        self.search.feed(audio)
        return self._ended_search()[1]

    def _carry_of(self, partial: Words, audio: bytes) -> Carry | None:
        """What is kept of an utterance that ended inside a phrase."""
        joined = (self._carry.audio if self._carry is not None else b"") + audio
        if len(joined) > self.max_utterance * _BYTES_PER_SECOND:
            return None
        return Carry(joined, partial.words)

    def _new_words(self, found: Words) -> Words:
        """What was not reported with the first half already."""
        if self._carry is None:
            return found
        told = len(self._carry.words)
        if found.words[:told] == self._carry.words:
            return Words(found.words[told:], found.score)
        # Hearing the rest changed the mind about the first half: report all of it. The text then repeats some words,
        # and the whole phrase is at its end, where the matcher looks.
        return found if len(found.words) > told else NO_WORDS

    def _before(self, new: Words) -> str:
        """The words that ``new`` continues."""
        if self._carry is None or new.words[: len(self._carry.words)] == self._carry.words:
            return ""
        return " ".join(self._carry.words)


def words_of(segments: Iterator[tuple[str, int, int, float]]) -> Words:
    """The words and their score from a segmentation.

    Args:
        segments: word, first frame, last frame, acoustic likelihood (a probability; pocketsphinx gives it as one).
    """
    words: list[str] = []
    log_likelihood = 0.0
    frames = 0
    for word, first, last, likelihood in segments:
        if word.startswith(("<", "[", "+", "(")):
            continue  # silence, noises and null transitions
        words.append(word.split("(", 1)[0])
        frames += last - first + 1
        # A hopeless word underflows to zero.
        log_likelihood += math.log(likelihood) / _LOG_BASE if likelihood > 0 else -math.inf
    return Words(tuple(words), log_likelihood / frames) if frames else NO_WORDS
