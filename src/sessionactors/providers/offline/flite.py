"""flite, Carnegie Mellon's small synthesiser: permissive licence, US English, where the system has it.

It is loaded from the system (Debian and Ubuntu: ``apt install flite``), not from a Python package. Calls into it are
independent of each other and release the interpreter lock, so several texts are spoken at once.

A warning to who edits this: asking flite for a feature as the wrong type ends the process (``cst_error`` calls
``exit``). Only features that every token has are asked for here, as the types they have.
"""

from __future__ import annotations

import ctypes
import threading
import unicodedata
from collections.abc import Iterator
from typing import Final

from sessionactors.interfaces.tts import WordTiming
from sessionactors.model.errors import APIError, OptionError

from .errors import MissingDependencyError
from .synthesis import Emit, Spoken, ThreadedTTS
from .words_in_text import TextWords, split_long

SAMPLE_RATE: Final = 16000
VOICES: Final = ("slt", "rms", "awb", "kal16")
"""The voices at 16 kHz: a woman and three men. ``kal16`` sounds worst, costs least, and never differs by a bit."""

_PART: Final = 120
"""Characters spoken in one go, at most 8 s: bounds the time to the first audio (100 ms) and to an abort."""
_LEAD_KEPT: Final = 0.02
"""Seconds kept of the 0.2 s of silence that flite begins with. The rest would only be latency."""
_WORD_END: Final = b"daughtern.R:SylStructure.daughtern.daughtern.R:Segment.end"
_PUNCTUATION: Final = str.maketrans("\u2018\u2019\u201c\u201d\u2013\u2014\u2026", "''\"\"--.")


class FliteTTS(ThreadedTTS):
    """Speaks US English with flite.

    Word timings are those of the synthesiser. Letters that are not ASCII are spoken without their marks.

    Args:
        voice: one of :data:`VOICES`.
        threads: texts spoken at the same time, >= 1.

    Raises:
        MissingDependencyError: the library or the voice is not installed.
        OptionError: there is no such voice, or ``threads`` is not positive.
    """

    label = "flite"

    def __init__(self, *, voice: str = "slt", threads: int = 2) -> None:
        if voice not in VOICES:
            raise OptionError(f"flite has no voice {voice!r} at 16 kHz; there are {', '.join(VOICES)}")
        self._voice = _load(voice)
        super().__init__(threads)
        self._name = voice

    @property
    def sample_rate(self) -> int:
        """16000 Hz."""
        return SAMPLE_RATE

    def __repr__(self) -> str:
        return f"<FliteTTS {self._name}>"

    def _speak(self, text: str, emit: Emit) -> None:
        start = 0
        samples = 0
        for part in split_long(text, _PART):
            spoken = self._voice.speak(part, start, samples / SAMPLE_RATE)
            if not emit(spoken):
                return
            start += len(part)
            samples += len(spoken.pcm) // 2


def flite_installed() -> bool:
    """Whether the library and its voices can be loaded."""
    try:
        _load(VOICES[0])
    except MissingDependencyError:
        return False
    return True


class _Wave(ctypes.Structure):
    """``cst_wave`` of cst_wave.h."""

    _fields_ = (
        ("type", ctypes.c_char_p),
        ("sample_rate", ctypes.c_int),
        ("num_samples", ctypes.c_int),
        ("num_channels", ctypes.c_int),
        ("samples", ctypes.POINTER(ctypes.c_short)),
    )


class _Voice:
    """A voice of the library. Safe to use from several threads."""

    def __init__(self, library: ctypes.CDLL, voice: int) -> None:
        self._library = library
        self._voice = voice

    def speak(self, text: str, characters: int, seconds: float) -> Spoken:
        """The audio of a text.

        Args:
            text: what to say.
            characters: before it, for the timings.
            seconds: before it, for the timings.
        """
        plain = _ascii(text)
        if not any(character.isalnum() for character in plain):
            return Spoken(b"")
        utterance = self._library.flite_synth_text(plain.encode("ascii"), self._voice)
        if not utterance:
            raise APIError("flite could not speak the text")
        try:
            lead = max(0.0, self._end_of_first_segment(utterance) - _LEAD_KEPT)
            return Spoken(
                self._audio(utterance, lead),
                tuple(self._timings(utterance, plain, characters, seconds - lead)),
            )
        finally:
            self._library.delete_utterance(utterance)

    def _audio(self, utterance: int, lead: float) -> bytes:
        wave = self._library.utt_wave(utterance).contents
        if wave.sample_rate != SAMPLE_RATE or wave.num_channels != 1:
            raise APIError(f"flite made {wave.sample_rate} Hz x {wave.num_channels}, expected 16000 Hz mono")
        return ctypes.string_at(wave.samples, 2 * wave.num_samples)[2 * round(lead * SAMPLE_RATE) :]

    def _end_of_first_segment(self, utterance: int) -> float:
        """Where the silence before the first word ends, seconds."""
        first = next(self._items(utterance, b"Segment"), None)
        return 0.0 if first is None else float(self._library.flite_ffeature_float(first, b"end"))

    def _timings(self, utterance: int, text: str, characters: int, seconds: float) -> Iterator[WordTiming]:
        words = TextWords(text)
        at = 0
        told = 0
        for token in self._items(utterance, b"Token"):
            name = self._library.flite_ffeature_string(token, b"name").decode("ascii", "replace")
            found = text.find(name, at)
            spoken_until = float(self._library.flite_ffeature_float(token, _WORD_END))
            if found < 0 or spoken_until <= 0:
                continue  # rewritten or not spoken: the next word's end covers it
            at = found + len(name)
            end = words.end_of_word_at(found)
            if end > told:
                told = end
                yield WordTiming(characters + end, seconds + spoken_until)

    def _items(self, utterance: int, relation: bytes) -> Iterator[int]:
        item = self._library.relation_head(self._library.utt_relation(utterance, relation))
        while item:
            yield item
            item = self._library.item_next(item)


_lock: Final = threading.Lock()
_libraries: dict[str, ctypes.CDLL] = {}
_voices: dict[str, _Voice] = {}


def _load(voice: str) -> _Voice:
    with _lock:
        if voice not in _voices:
            _voices[voice] = _register(_library(), voice)
        return _voices[voice]


def _library() -> ctypes.CDLL:
    if "flite" not in _libraries:
        # Voices find the library and the lexicon through the global symbols of the process.
        library, *_ = (_open(f"libflite{part}.so.1", ctypes.RTLD_GLOBAL) for part in ("", "_usenglish", "_cmulex"))
        for name, result, arguments in (
            ("flite_init", ctypes.c_int, []),
            ("flite_synth_text", ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_void_p]),
            ("utt_wave", ctypes.POINTER(_Wave), [ctypes.c_void_p]),
            ("utt_relation", ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_char_p]),
            ("relation_head", ctypes.c_void_p, [ctypes.c_void_p]),
            ("item_next", ctypes.c_void_p, [ctypes.c_void_p]),
            ("flite_ffeature_string", ctypes.c_char_p, [ctypes.c_void_p, ctypes.c_char_p]),
            ("flite_ffeature_float", ctypes.c_float, [ctypes.c_void_p, ctypes.c_char_p]),
            ("delete_utterance", None, [ctypes.c_void_p]),
        ):
            function = getattr(library, name)
            function.restype = result
            function.argtypes = arguments
        library.flite_init()
        _libraries["flite"] = library
    return _libraries["flite"]


def _register(library: ctypes.CDLL, name: str) -> _Voice:
    voice_library = _open(f"libflite_cmu_us_{name}.so.1", ctypes.RTLD_LOCAL)
    register = getattr(voice_library, f"register_cmu_us_{name}")
    register.restype = ctypes.c_void_p
    register.argtypes = [ctypes.c_char_p]
    voice = register(None)
    if not voice:
        raise MissingDependencyError(f"flite could not register the voice {name!r}")
    return _Voice(library, voice)


def _open(name: str, mode: int) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(name, mode=mode)
    except OSError as error:
        raise MissingDependencyError(
            f"FliteTTS needs {name}: install flite from the system's packages (Debian, Ubuntu: apt install flite)"
        ) from error


def _ascii(text: str) -> str:
    """The text as flite can read it, character for character, so that positions stay."""
    return "".join(_ascii_character(character) for character in text.translate(_PUNCTUATION))


def _ascii_character(character: str) -> str:
    if character.isascii() and character.isprintable():
        return character
    base = unicodedata.normalize("NFKD", character)[0]
    return base if base.isascii() and base.isprintable() else " "
