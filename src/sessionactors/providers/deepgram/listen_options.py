"""Options of ``listen`` (v1) as a value: checked once, and written as a query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from typing_extensions import TypedDict

from sessionactors.model.errors import OptionError
from sessionactors.model.option_checks import check_count

from .endpoint import flag

T = TypeVar("T")

LONGEST_TAG = 128
"""Characters."""
SHORTEST_UTTERANCE_END = 1000
"""Milliseconds: interim results, which it is made of, come about once a second."""


class ListenChanges(TypedDict, total=False):
    """Options that may change while the recogniser is in use. The sample rate may not: the session resamples to it."""

    model: str
    language: str
    detect_language: bool
    interim_results: bool
    punctuate: bool
    smart_format: bool
    no_delay: bool
    endpointing_ms: int
    enable_diarization: bool
    filler_words: bool
    keywords: Sequence[tuple[str, float]]
    keyterm: str | Sequence[str]
    tags: Sequence[str]
    profanity_filter: bool
    redact: str | Sequence[str]
    numerals: bool
    mip_opt_out: bool
    vad_events: bool
    utterance_end_ms: int | None
    dictation: bool
    replace: Mapping[str, str]
    search: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenOptions:
    """What a recognition is asked to do; see :class:`.stt.STT` for what each means.

    Raises:
        OptionError: one is out of range, or does not fit the model.
    """

    model: str
    language: str
    detect_language: bool
    interim_results: bool
    punctuate: bool
    smart_format: bool
    sample_rate: int
    no_delay: bool
    endpointing_ms: int
    enable_diarization: bool
    filler_words: bool
    keywords: tuple[tuple[str, float], ...]
    keyterm: tuple[str, ...]
    tags: tuple[str, ...]
    profanity_filter: bool
    redact: tuple[str, ...]
    numerals: bool
    mip_opt_out: bool
    vad_events: bool
    utterance_end_ms: int | None
    dictation: bool
    replace: Mapping[str, str]
    search: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.model:
            raise OptionError("model must not be empty, such as 'nova-3'")
        if not 8000 <= self.sample_rate <= 48000:
            raise OptionError(f"sample_rate must be between 8000 and 48000 Hz, got {self.sample_rate}")
        check_count("endpointing_ms", self.endpointing_ms)
        if self.utterance_end_ms is not None:
            check_count("utterance_end_ms", self.utterance_end_ms)
            if self.utterance_end_ms < SHORTEST_UTTERANCE_END:
                raise OptionError(
                    f"utterance_end_ms must be at least {SHORTEST_UTTERANCE_END}, got {self.utterance_end_ms}"
                )
            if not self.interim_results:
                raise OptionError("utterance_end_ms needs interim_results=True: it is made of them")
        check_tags(self.tags)
        if self.keywords and self.takes_keyterms:
            raise OptionError(f"keywords do not work with {self.model}; use keyterm")
        if self.keyterm and not self.takes_keyterms:
            raise OptionError(f"keyterm works with nova-3 models only, not with {self.model}; use keywords")

    @property
    def takes_keyterms(self) -> bool:
        """Whether the model takes words to expect, also while it listens."""
        return self.model.startswith("nova-3")

    @property
    def has_punctuated_words(self) -> bool:
        """Whether words come as they are written in the transcript."""
        return self.punctuate or self.smart_format

    @property
    def hears_ends(self) -> bool:
        """Whether it says that somebody is done speaking."""
        return self.endpointing_ms > 0 or self.utterance_end_ms is not None

    def changed(self, changes: ListenChanges) -> ListenOptions:
        """With these instead.

        Raises:
            OptionError: there is no such option, or the whole does not fit together any more.
        """
        there_are = ListenChanges.__annotations__
        if unknown := [name for name in changes if name not in there_are]:
            raise OptionError(f"{unknown[0]} cannot be changed; there are: {', '.join(there_are)}")
        several_of = {name: several(value) for name, value in changes.items() if name in _SEVERAL}  # type: ignore[arg-type]
        return replace(self, **{**changes, **several_of})  # type: ignore[arg-type]

    def with_keyterms(self, more: tuple[str, ...]) -> tuple[str, ...]:
        """Its own words and these, each once."""
        return tuple(dict.fromkeys((*self.keyterm, *more))) if self.takes_keyterms else ()

    def live_query(self, language: str, keyterms: tuple[str, ...]) -> list[tuple[str, str]]:
        """For streaming.

        Args:
            language: of the speech; ``multi``: several.
            keyterms: words to expect, its own among them.
        """
        query = [
            *self._query(keyterms),
            ("language", language),
            ("encoding", "linear16"),
            ("sample_rate", str(self.sample_rate)),
            ("channels", "1"),
            ("interim_results", flag(self.interim_results)),
            ("no_delay", flag(self.no_delay)),
            ("endpointing", str(self.endpointing_ms) if self.endpointing_ms else "false"),
            ("vad_events", flag(self.vad_events)),
        ]
        if self.utterance_end_ms is not None:
            query.append(("utterance_end_ms", str(self.utterance_end_ms)))
        return query

    def _query(self, keyterms: tuple[str, ...]) -> list[tuple[str, str]]:
        query = [
            ("model", self.model),
            ("punctuate", flag(self.punctuate)),
            ("smart_format", flag(self.smart_format)),
            ("filler_words", flag(self.filler_words)),
            ("profanity_filter", flag(self.profanity_filter)),
            ("numerals", flag(self.numerals)),
            ("mip_opt_out", flag(self.mip_opt_out)),
        ]
        if self.enable_diarization:
            query.append(("diarize", "true"))
        if self.dictation:
            query.append(("dictation", "true"))
        query += [("keywords", f"{word}:{boost:g}") for word, boost in self.keywords]
        query += [("keyterm", term) for term in keyterms]
        query += [("tag", tag) for tag in self.tags]
        query += [("redact", what) for what in self.redact]
        query += [("replace", f"{found}:{put}") for found, put in self.replace.items()]
        query += [("search", term) for term in self.search]
        return query


def check_tags(tags: tuple[str, ...]) -> None:
    """Labels for Deepgram's usage reports."""
    for tag in tags:
        if len(tag) > LONGEST_TAG:
            raise OptionError(f"a tag has at most {LONGEST_TAG} characters, this one has {len(tag)}: {tag[:20]}...")


_SEVERAL = frozenset({"keywords", "keyterm", "tags", "redact", "search"})


def several(value: str | Sequence[T]) -> tuple[T | str, ...]:
    """One, or several."""
    return (value,) if isinstance(value, str) else tuple(value)
