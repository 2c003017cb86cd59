"""espeak-ng through the library in the espeakng-loader package: small, instant, robotic, and GPL.

Loading it makes the running program a work under the GPL-3, which is why it is an extra of its own that nothing
installs by default; see ``docs/offline-quality.md``. The library is one global state machine (four threads without a
lock crashed it), so one lock of this module is held for every call; 119 s of speech take 0.24 s, nobody waits long.
"""

from __future__ import annotations

import ctypes
import importlib.util
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sessionactors.interfaces.tts import WordTiming
from sessionactors.model.errors import APIError, OptionError

from .errors import MissingDependencyError
from .synthesis import Emit, Spoken, ThreadedTTS
from .words_in_text import TextWords

SAMPLE_RATE: Final = 22050

_SYNCHRONOUS: Final = 2  # mode 1 ("retrieval") returns before there is audio in this build
_CHUNK_MS: Final = 60
_UTF8: Final = 0x1
_END_PAUSE: Final = 0x1000
_POSITION_CHARACTER: Final = 1
_RATE: Final = 1
_PITCH: Final = 3
_OK: Final = 0
_CONTINUE: Final = 0
_ABORT: Final = 1
_EVENT_END_OF_LIST: Final = 0
_EVENT_WORD: Final = 1
_EVENT_END: Final = 5


class EspeakTTS(ThreadedTTS):
    """Speaks with espeak-ng, in English and a hundred more languages.

    Needs the extra ``sessionactors[offline-tts-gpl]``. Word timings are exact, but for words that espeak joins ("a
    hundred"): those end together. The same text sounds a little different each time.

    Args:
        voice: language, optionally with a variant: ``en-us``, ``en``, ``de``, ``en-us+f3``, ``en-us+klatt4``.
        words_per_minute: speed, 80 to 450.
        pitch: 0 to 99.

    Raises:
        MissingDependencyError: the package is not installed.
        OptionError: speed or pitch is out of range.
    """

    label = "espeak"

    def __init__(self, *, voice: str = "en-us", words_per_minute: int = 175, pitch: int = 50) -> None:
        if not 80 <= words_per_minute <= 450 or not 0 <= pitch <= 99:
            raise OptionError(f"words_per_minute must be 80..450 and pitch 0..99, got {words_per_minute} and {pitch}")
        _package()
        super().__init__(threads=1)
        self._voice = voice
        self._words_per_minute = words_per_minute
        self._pitch = pitch

    @property
    def sample_rate(self) -> int:
        """22050 Hz."""
        return SAMPLE_RATE

    def __repr__(self) -> str:
        return f"<EspeakTTS {self._voice}>"

    def _speak(self, text: str, emit: Emit) -> None:
        with _lock:
            engine = _engine()
            engine.set_voice(self._voice, self._words_per_minute, self._pitch)
            engine.speak(text, emit)


def espeak_installed() -> bool:
    """Whether the package is there; it is not imported."""
    return importlib.util.find_spec("espeakng_loader") is not None


class _Event(ctypes.Structure):
    """``espeak_EVENT`` of speak_lib.h."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class _Engine:
    """The library. Every method is called with :data:`_lock` held."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self._heard: Callable[[bytes, list[tuple[int, int, float]]], bool] | None = None
        self._failure: BaseException | None = None
        self._set: tuple[str, int, int] | None = None
        """What the voice was set to last; setting it reads files."""
        self._callback = _Callback(self._received)  # the library keeps a pointer: it must live as long
        library.espeak_SetSynthCallback(self._callback)
        library.espeak_Synth.argtypes = [
            *(ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int),
            *(ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p),
        ]

    def set_voice(self, voice: str, words_per_minute: int, pitch: int) -> None:
        """Use a voice from now on."""
        if self._set == (voice, words_per_minute, pitch):
            return
        if self._library.espeak_SetVoiceByName(voice.encode()) != _OK:
            raise APIError(
                f"espeak has no voice {voice!r}; names are like 'en-us', 'en' or 'en-us+klatt4'", retryable=False
            )
        self._library.espeak_SetParameter(_RATE, words_per_minute, 0)
        self._library.espeak_SetParameter(_PITCH, pitch, 0)
        self._set = voice, words_per_minute, pitch

    def speak(self, text: str, emit: Emit) -> None:
        """Hand out the audio of a text as it is made."""
        words = _WordClock(TextWords(text))

        def heard(pcm: bytes, events: list[tuple[int, int, float]]) -> bool:
            return emit(Spoken(pcm, tuple(timing for event in events for timing in words.take(*event))))

        self._heard, self._failure = heard, None
        encoded = text.replace("\0", " ").encode()
        try:
            status = self._library.espeak_Synth(
                encoded + b"\0", len(encoded) + 1, 0, _POSITION_CHARACTER, 0, _UTF8 | _END_PAUSE, None, None
            )
        finally:
            self._heard = None
        if self._failure is not None:
            raise self._failure
        if status != _OK:
            raise APIError(f"espeak_Synth returned {status}")

    def _received(self, samples: ctypes._Pointer[ctypes.c_short], count: int, events: ctypes._Pointer[_Event]) -> int:
        """Called by the library, in the thread that speaks. An exception must not pass through C, so it is kept."""
        try:
            pcm = ctypes.string_at(samples, 2 * count) if samples and count > 0 else b""
            listed: list[tuple[int, int, float]] = []
            index = 0
            while (event := events[index]).type != _EVENT_END_OF_LIST:
                listed.append((event.type, event.text_position, event.sample / SAMPLE_RATE))
                index += 1
            if self._heard is None or not self._heard(pcm, listed):
                return _ABORT
        except BaseException as error:  # noqa: BLE001 - raised again by speak()
            self._failure = error
            return _ABORT
        return _CONTINUE


class _WordClock:
    """From word starts, which espeak reports, to word ends: a word ends where the next one or a pause begins."""

    def __init__(self, words: TextWords) -> None:
        self._words = words
        self._open: int | None = None
        """Where in the text the word being spoken ends."""
        self._told = 0

    def take(self, kind: int, position: int, seconds: float) -> list[WordTiming]:
        """The word that ends with an event, if one does.

        Args:
            kind: type of the event.
            position: characters, from 1.
            seconds: from the start of the audio.
        """
        if kind not in (_EVENT_WORD, _EVENT_END):
            return []
        starting = self._words.end_of_word_at(position - 1) if kind == _EVENT_WORD else None
        # A number is one word of the text and several words of speech: it ends with the last of them.
        ended = [] if self._open is None or self._open == starting else [self._open]
        self._open = starting
        timings = [WordTiming(text_end, seconds) for text_end in ended if text_end > self._told]
        self._told = max(self._told, *(timing.text_end for timing in timings)) if timings else self._told
        return timings


_lock: Final = threading.Lock()
_loaded: list[_Engine] = []
"""The one engine of the process, once it is loaded; 6 MB that stay, as the library is not made to be started twice."""


def _engine() -> _Engine:
    if not _loaded:
        import espeakng_loader

        library = ctypes.CDLL(espeakng_loader.get_library_path())
        rate = library.espeak_Initialize(_SYNCHRONOUS, _CHUNK_MS, espeakng_loader.get_data_path().encode(), 0)
        if rate != SAMPLE_RATE:
            raise APIError(f"espeak_Initialize returned {rate}, expected {SAMPLE_RATE} Hz", retryable=False)
        _loaded.append(_Engine(library))
    return _loaded[0]


def _package() -> Path:
    spec = importlib.util.find_spec("espeakng_loader")
    if spec is None or not spec.submodule_search_locations:
        raise MissingDependencyError(
            "EspeakTTS needs espeakng-loader, which is GPL-3: pip install 'sessionactors[offline-tts-gpl]'"
        )
    return Path(spec.submodule_search_locations[0])
