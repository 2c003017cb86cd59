"""Transforms of the text that a voice is given, for ``tts_text_transforms``. Transcript and history keep the text.

A transform takes an async iterable of text and gives one. Users write their own, or take one from here.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Mapping
from dataclasses import replace as replace_field
from typing import Final, TypeAlias

from sessionactors.interfaces.home import Home
from sessionactors.interfaces.markup import Markup
from sessionactors.interfaces.tts import TTS, SynthesizedAudio, WordTiming
from sessionactors.interfaces.user_code import AgentComponents
from sessionactors.model.errors import APIError, NodeError, OptionError
from sessionactors.model.options import TextStreamTransform
from sessionactors.model.text_alignment import aligned_place

from .across_loops import carried

HomeOf: TypeAlias = Callable[[Home], asyncio.AbstractEventLoop]
"""The loop that is a provider's home."""


class Replacement:
    """Says other words for some. Made by :func:`replace`."""

    def __init__(self, replacements: Mapping[str, str], *, case_sensitive: bool) -> None:
        flags = re.NOFLAG if case_sensitive else re.IGNORECASE
        keys = sorted(replacements, key=len, reverse=True)  # of two that begin alike, the longer one
        self._words = {self._folded(word, case_sensitive): other for word, other in replacements.items()}
        self._case_sensitive = case_sensitive
        self._pattern = re.compile("|".join(map(re.escape, keys)), flags)
        beginnings = sorted({word[:end] for word in keys for end in range(1, len(word))}, key=len, reverse=True)
        self._begun = re.compile(f"(?:{'|'.join(map(re.escape, beginnings))})\\Z", flags) if beginnings else None
        self._longest = max(map(len, keys))

    @staticmethod
    def _folded(word: str, case_sensitive: bool) -> str:
        return word if case_sensitive else word.lower()

    async def __call__(self, text: AsyncIterable[str]) -> AsyncGenerator[str, None]:
        """The text with the words replaced; what may be the beginning of one waits for what follows."""
        held = ""
        async for piece in text:
            held += piece
            cut = self._settled(held)
            if said := self._replaced(held[:cut]):
                yield said
            held = held[cut:]
        if said := self._replaced(held):
            yield said

    def _settled(self, text: str) -> int:
        """How much of the text cannot become another word by what follows."""
        begun = self._begun.search(text, max(0, len(text) - self._longest)) if self._begun is not None else None
        cut = len(text) if begun is None else begun.start()
        for word in self._pattern.finditer(text):
            if word.start() < cut < word.end():
                return word.end()
        return cut

    def _replaced(self, text: str) -> str:
        return self._pattern.sub(lambda word: self._words[self._folded(word.group(), self._case_sensitive)], text)


def replace(replacements: Mapping[str, str], *, case_sensitive: bool = False) -> TextStreamTransform:
    """Say other words for some, as in ``replace({"SQL": "sequel"})``.

    Args:
        replacements: what to say for which words; a word is found inside of others, too.
        case_sensitive: whether ``sql`` is another word than ``SQL``.

    Raises:
        OptionError: no words, or an empty one.
    """
    if not replacements or "" in replacements:
        raise OptionError(f"text_transforms.replace needs words to replace, got {dict(replacements)!r}")
    return Replacement(replacements, case_sensitive=case_sensitive)


class TransformedVoice(TTS):
    """A voice that is given transformed text. To the actors it says the text as it was."""

    home = Home.USER
    may_be_silent = True  # when the transforms leave nothing to say

    def __init__(self, voice: TTS, transforms: tuple[TextStreamTransform, ...], home_of: HomeOf) -> None:
        self._voice = voice
        self._transforms = transforms
        self._home_of = home_of
        self.label, self.model, self.provider = voice.label, voice.model, voice.provider
        self.answers_within = voice.answers_within

    @property
    def sample_rate(self) -> int:
        """That of the voice."""
        return self._voice.sample_rate

    @property
    def aligned_transcript(self) -> bool:
        """As of the voice."""
        return self._voice.aligned_transcript

    @property
    def markup(self) -> Markup | None:
        """As of the voice."""
        return self._voice.markup

    def prewarm(self) -> None:
        """Have the voice get ready."""
        self._voice.prewarm()

    def synthesize(self, text: AsyncIterable[str]) -> AsyncIterator[SynthesizedAudio]:
        """Have the voice say the transformed text."""
        return self._speak(text)

    async def _speak(self, text: AsyncIterable[str]) -> AsyncGenerator[SynthesizedAudio, None]:
        given = _Noted(text)
        stream: AsyncIterable[str] = given.read()
        for transform in self._transforms:
            stream = transform(stream)
        said = _Noted(stream)
        here, there = self._home_of(self.home), self._home_of(self._voice.home)
        silent = True
        async for audio in carried(there, lambda: self._voice.synthesize(carried(here, said.read))):
            timings = tuple(
                WordTiming(aligned_place(said.text, given.text, timing.text_end), timing.end_time)
                for timing in audio.timings
            )
            silent = silent and not audio.frame.data
            yield SynthesizedAudio(audio.frame, timings)
        if silent and not self._voice.may_be_silent and any(map(str.isalnum, said.text)):
            raise APIError(f"{self.label} gave no audio for {said.text!r}")


class _Noted:
    """A stream of text, and what of it has been read."""

    def __init__(self, stream: AsyncIterable[str]) -> None:
        self._stream = stream
        self.text = ""

    async def read(self) -> AsyncGenerator[str, None]:
        try:
            async for piece in self._stream:
                if not isinstance(piece, str):
                    raise NodeError(f"a text transform yielded {type(piece).__name__}: it is to yield text")
                self.text += piece
                yield piece
        except (APIError, NodeError):
            raise
        except Exception as error:
            raise NodeError(f"a text transform raised {error!r}") from error


def with_transforms(
    components: AgentComponents, transforms: tuple[TextStreamTransform, ...], home_of: HomeOf
) -> AgentComponents:
    """The providers, the voice being given transformed text."""
    if components.tts is None or not transforms:
        return components
    return replace_field(components, tts=TransformedVoice(components.tts, transforms, home_of))


text_transforms: Final = sys.modules[__name__]
"""This module, under the name that users import."""
