"""Speech to text for the phrases of an intent table: pocketsphinx in a process of its own.

The session talks to :class:`PocketSphinxSTT`; it talks to :class:`~.recognizer_worker.RecognizerWorker`, which owns the
process. What an utterance is and when one is rejected is decided in the process (:mod:`.utterance`). Nothing here
imports pocketsphinx.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import sys
import threading
import warnings
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from sessionactors.interfaces.stt import STT, SpeechEvent, SpeechEventType
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import APIError, APITimeoutError, AudioFormatError, OptionError
from sessionactors.model.sentinel import FlushSentinel

from .grammar import cmudict_path, jsgf_grammar, trimmed_dictionary
from .intents import IntentTable
from .recognizer_wire import DictationConfig, GrammarConfig, Heard, Kind, Message, decode_heard
from .recognizer_worker import MakeConfig, RecognizerWorker

_MAX_BACKLOG: Final = 512 * 1024
"""Bytes a process may be behind before its streams wait: 16 s of one stream."""
_BACKLOG_POLL: Final = 0.02
_CLOSE_GRACE: Final = 1.0
"""Seconds a process has to end by itself."""
_CONFIDENCE_SCALE: Final = 6.0
"""Score units in which the confidence goes from 0.5 (just accepted) to 0.73."""


class PocketSphinxSTT(STT):
    """Recognises the phrases of an intent table, in English, without network or model download.

    Quality, limits and the figures behind the defaults: ``docs/offline-quality.md``. Speech that is no phrase of the
    table is rejected (a final with empty text), or, with ``free_form``, given to a general language model whose text
    is good for logs and fallbacks, not for commands.

    The process starts with the first stream, or with :meth:`prewarm`.

    Args:
        intents: what can be heard.
        min_score: log likelihood per frame of the words, in pocketsphinx's units, below which an utterance is
            rejected. Well-matched human speech has -9 to -25. Higher rejects more.
        max_utterance: seconds > 0 after which an utterance is finalised without a flush.
        free_form: ask a general language model about rejected utterances. Costs a second process of 130 MB and, for
            those utterances, about 0.2 s of CPU per second of speech.
        processes: grammar processes >= 1 among which streams are spread; one serves about 50 people talking at once.
        start_timeout: seconds > 0 for a process to be ready.
        response_timeout: seconds > 0 for a process to answer a flush, or to take audio when it is behind.
        python: the interpreter that runs the processes; None is the running one. Needed where :data:`sys.executable` is
            not an interpreter (embedded Python, frozen applications).

    Raises:
        OptionError: an option is out of range.
    """

    label = "pocketsphinx"

    def __init__(
        self,
        intents: IntentTable,
        *,
        min_score: float = -36.0,
        max_utterance: float = 20.0,
        free_form: bool = False,
        processes: int = 1,
        start_timeout: float = 20.0,
        response_timeout: float = 5.0,
        python: str | None = None,
    ) -> None:
        if min(max_utterance, start_timeout, response_timeout) <= 0 or processes < 1:
            raise OptionError("max_utterance, start_timeout and response_timeout must be > 0, processes >= 1")
        self._intents = intents
        self._min_score = min_score
        self._max_utterance = max_utterance
        self._free_form = free_form
        self._processes = processes
        self._start_timeout = start_timeout
        self._response_timeout = response_timeout
        self._python = python if python is not None else sys.executable
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._grammar_workers: list[RecognizerWorker] = []
        self._dictation_workers: list[RecognizerWorker] = []
        self._closed = False

    async def prewarm(self) -> None:
        """Start what the first utterance would otherwise wait for (0.2 to 1 s).

        Raises:
            APIError: a process could not be started.
        """
        with ExitStack() as claims:
            workers = [claims.enter_context(self._grammar_worker()) for _ in range(self._processes)]
            if self._free_form:
                workers.append(claims.enter_context(self._dictation_worker()))
            for worker in workers:
                await self._ready(worker)

    async def transcribe(
        self, audio: AsyncIterable[AudioFrame | FlushSentinel], *, language: str | None = None
    ) -> AsyncGenerator[SpeechEvent, None]:
        """See :meth:`STT.transcribe`. Every flush is answered by one final; its text is empty if nothing was heard.

        Raises:
            APIConnectionError: the process ended; a new stream gets a new process.
            APITimeoutError: the process was not ready, or did not answer, in time.
            APIError: not retryable: a package is missing, a word has no pronunciation, the language is not English.
            AudioFormatError: frames are not 16 kHz mono.
        """
        if language is not None and language.lower().replace("_", "-").split("-")[0] != "en":
            raise APIError(f"offline recognition knows English only, not {language!r}", retryable=False)
        with ExitStack() as claims:
            stream = await self._opened(claims.enter_context(self._grammar_worker()))
            dictation: _Stream | None = None
            pump = asyncio.create_task(_pump(audio, stream), name="pocketsphinx-audio")
            pump.add_done_callback(lambda _: stream.wake())
            rejected = b""
            try:
                while (message := await stream.next(pump)) is not None:
                    if message.kind is Kind.REJECTED_AUDIO:
                        rejected = message.payload
                        continue
                    heard = decode_heard(message.payload)
                    if message.kind is Kind.INTERIM:
                        yield self._event(SpeechEventType.INTERIM_TRANSCRIPT, heard)
                        continue
                    if rejected:
                        if dictation is None:
                            dictation = await self._opened(claims.enter_context(self._dictation_worker()))
                        yield self._dictated(await dictation.dictate(rejected))
                        rejected = b""
                    else:
                        yield self._event(SpeechEventType.FINAL_TRANSCRIPT, heard)
            finally:
                stream.close()
                if dictation is not None:
                    dictation.close()
                await _cancelled(pump)

    async def aclose(self) -> None:
        """End the processes and their threads. Streams still open fail with APIConnectionError. Safe to call twice."""
        self._closed = True
        with self._lock:
            workers = [*self._grammar_workers, *self._dictation_workers]
        for worker in workers:
            worker.end()
        for worker in workers:
            await worker.closed(_CLOSE_GRACE)
        with self._lock:
            self._grammar_workers.clear()
            self._dictation_workers.clear()

    def __del__(self) -> None:
        made = self.__dict__  # an option that is out of range leaves an object without attributes
        workers = (*made.get("_grammar_workers", ()), *made.get("_dictation_workers", ()))
        running = [worker for worker in workers if worker.usable]
        if running:
            warnings.warn(f"unclosed {self!r}: call aclose()", ResourceWarning, source=self, stacklevel=2)
            for worker in running:
                worker.end()

    def __repr__(self) -> str:
        return f"<PocketSphinxSTT {len(self._intents.intents)} intents, {len(self._grammar_workers)} process(es)>"

    def _grammar_worker(self) -> AbstractContextManager[RecognizerWorker]:
        # Not a method of ours: the worker's thread would keep us alive, and nobody could forget to close us.
        make_config = partial(
            _grammar_config, self._intents, self._min_score, self._max_utterance, return_rejected=self._free_form
        )
        return self._claimed(self._grammar_workers, self._processes, make_config)

    def _dictation_worker(self) -> AbstractContextManager[RecognizerWorker]:
        return self._claimed(self._dictation_workers, 1, _dictation_config)

    @contextmanager
    def _claimed(
        self, workers: list[RecognizerWorker], most: int, make_config: MakeConfig
    ) -> Iterator[RecognizerWorker]:
        """The process with the fewest streams; a new one while there are fewer than ``most`` and none is idle."""
        with self._lock:
            if self._closed:
                raise APIError("the recogniser is closed", retryable=False)
            workers[:] = [worker for worker in workers if not worker.gone]
            usable = [worker for worker in workers if worker.usable]
            if len(usable) < most and all(worker.claims for worker in usable):
                usable.append(RecognizerWorker(make_config, self._python))
                workers.append(usable[-1])
            worker = min(usable, key=lambda worker: worker.claims)
            worker.claims += 1
        try:
            yield worker
        finally:
            with self._lock:
                worker.claims -= 1

    async def _ready(self, worker: RecognizerWorker) -> None:
        try:
            async with asyncio.timeout(self._start_timeout):
                await worker.started()
        except TimeoutError:
            error = APITimeoutError(f"the recogniser process was not ready within {self._start_timeout:g} s")
            worker.kill(error)
            raise error from None

    async def _opened(self, worker: RecognizerWorker) -> _Stream:
        await self._ready(worker)
        return _Stream(next(self._numbers), worker, self._response_timeout)

    def _event(self, kind: SpeechEventType, heard: Heard) -> SpeechEvent:
        if not heard.text or heard.score is None:
            return SpeechEvent(kind, "")
        return SpeechEvent(
            type=kind,
            text=heard.text,
            confidence=1 / (1 + math.exp((self._min_score - heard.score) / _CONFIDENCE_SCALE)),
            complete=self._intents.is_complete(f"{heard.before} {heard.text}"),
        )

    def _dictated(self, heard: Heard) -> SpeechEvent:
        """Free text: complete if it ends with a phrase after all, otherwise nobody can tell."""
        complete = self._intents.is_complete(heard.text) or None
        return SpeechEvent(SpeechEventType.FINAL_TRANSCRIPT, heard.text, complete=complete)


def _grammar_config(
    intents: IntentTable, min_score: float, max_utterance: float, *, return_rejected: bool
) -> GrammarConfig:
    with cmudict_path().open(encoding="utf-8") as cmudict:
        dictionary = trimmed_dictionary(intents, cmudict)
    return GrammarConfig(jsgf_grammar(intents), dictionary, min_score, max_utterance, return_rejected)


def _dictation_config() -> DictationConfig:
    cmudict_path()  # the same typed error when pocketsphinx is missing
    return DictationConfig()


@dataclass(slots=True)
class _Stream:
    """One stream of a process: what it said and which answers are due."""

    number: int
    worker: RecognizerWorker
    timeout: float
    _inbox: deque[Message | APIError] = field(default_factory=deque, init=False)
    _woken: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _due: deque[float] = field(default_factory=deque, init=False)
    """Loop times by which the flushes so far must be answered, oldest first."""

    def __post_init__(self) -> None:
        self.worker.open(self.number, self._deliver)

    def wake(self) -> None:
        """Look again: the audio ended."""
        self._woken.set()

    def close(self) -> None:
        """Tell the process that the stream is over."""
        self.worker.forget(self.number)

    def send(self, kind: Kind, payload: bytes = b"") -> None:
        """Send to the process; kinds that are answered start their deadline."""
        if kind in (Kind.FLUSH, Kind.DICTATE):
            self._due.append(asyncio.get_running_loop().time() + self.timeout)
            self._woken.set()
        self.worker.send(Message(kind, self.number, payload))

    async def drained(self) -> None:
        """Wait while the process is behind.

        Raises:
            APITimeoutError: it takes nothing any more.
        """
        try:
            async with asyncio.timeout(self.timeout):
                # Polled: this happens in overload only, and an event per written frame would cost always.
                while self.worker.backlog > _MAX_BACKLOG and self.worker.usable:  # noqa: ASYNC110
                    await asyncio.sleep(_BACKLOG_POLL)
        except TimeoutError:
            raise self._stuck("take audio") from None

    async def next(self, pump: asyncio.Task[None]) -> Message | None:
        """The next message; None when the audio has ended and everything is answered.

        Raises:
            APIError: the process failed or is stuck.
            Exception: what the audio raised.
        """
        while not self._inbox:
            if pump.done() and not self._due:
                pump.result()
                return None
            if pump.done() and pump.exception() is not None:
                pump.result()
            await self._wait()
        return self._take()

    async def dictate(self, audio: bytes) -> Heard:
        """Text of one utterance, from a dictation process."""
        self.send(Kind.DICTATE, audio)
        while not self._inbox:
            await self._wait()
        return decode_heard(self._take().payload)

    def _take(self) -> Message:
        item = self._inbox.popleft()
        if isinstance(item, APIError):
            raise item
        return item

    async def _wait(self) -> None:
        self._woken.clear()
        try:
            async with asyncio.timeout_at(self._due[0] if self._due else None):
                await self._woken.wait()
        except TimeoutError:
            raise self._stuck("answer") from None

    def _stuck(self, what: str) -> APITimeoutError:
        error = APITimeoutError(f"the recogniser process did not {what} within {self.timeout:g} s")
        self.worker.kill(error)
        return error

    def _deliver(self, item: Message | APIError) -> None:
        if isinstance(item, Message):
            if item.kind is Kind.FINAL and self._due and decode_heard(item.payload).flushed:
                self._due.popleft()
            elif item.kind is Kind.INTERIM and self._inbox and _is_interim(self._inbox[-1]):
                self._inbox.pop()  # nobody took it yet, and the newer one replaces it
        self._inbox.append(item)
        self._woken.set()


def _is_interim(item: Message | APIError) -> bool:
    return isinstance(item, Message) and item.kind is Kind.INTERIM


async def _pump(audio: AsyncIterable[AudioFrame | FlushSentinel], stream: _Stream) -> None:
    """Audio and flushes to the process; the end of the audio is a flush too."""
    async for item in audio:
        if isinstance(item, FlushSentinel):
            stream.send(Kind.FLUSH)
            continue
        if item.sample_rate != STT.sample_rate or item.num_channels != 1:
            raise AudioFormatError(f"the recogniser takes {STT.sample_rate} Hz mono, got {item!r}")
        stream.send(Kind.AUDIO, item.data)
        if stream.worker.backlog > _MAX_BACKLOG:
            await stream.drained()
    stream.send(Kind.FLUSH)


async def _cancelled(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait for its end. What it raised was raised to the reader already, or no longer matters."""
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.exception()  # taken, so that asyncio does not report it as never retrieved
