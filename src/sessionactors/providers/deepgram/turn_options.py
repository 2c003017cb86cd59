"""Options of ``listen`` (v2, Flux) as a value: checked once, written as a query, and as what changes on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from deepgram.listen.v2.types.listen_v2configure import ListenV2Configure
from deepgram.listen.v2.types.listen_v2configure_thresholds import ListenV2ConfigureThresholds
from typing_extensions import TypedDict

from sessionactors.model.errors import OptionError
from sessionactors.model.option_checks import check_choice

from .endpoint import flag
from .listen_options import check_tags, several


class TurnChanges(TypedDict, total=False):
    """Options that may change while the recogniser is in use."""

    eager_eot_threshold: float | None
    eot_threshold: float | None
    eot_timeout_ms: int | None
    keyterm: str | Sequence[str]
    language_hint: str | Sequence[str]
    tags: Sequence[str]
    numerals: bool
    profanity_filter: bool
    redact: Literal["numbers", "aggressive_numbers"] | None
    mip_opt_out: bool


@dataclass(frozen=True, slots=True)
class Tuning:
    """What Deepgram takes while it listens. None: as it is."""

    eager_eot_threshold: float | None
    eot_threshold: float | None
    eot_timeout_ms: int | None
    keyterms: tuple[str, ...]
    language_hints: tuple[str, ...]
    numerals: bool

    def since(self, before: Tuning) -> ListenV2Configure | None:
        """What to tell it; None: nothing has changed."""
        names = ("eager_eot_threshold", "eot_threshold", "eot_timeout_ms")
        thresholds = {
            name: getattr(self, name)
            for name in names
            if getattr(self, name) is not None and getattr(self, name) != getattr(before, name)
        }
        changed: dict[str, object] = {}
        if thresholds:
            changed["thresholds"] = ListenV2ConfigureThresholds(**thresholds)
        if self.keyterms != before.keyterms:
            changed["keyterms"] = list(self.keyterms)
        if self.language_hints != before.language_hints:
            changed["language_hints"] = list(self.language_hints)
        if self.numerals != before.numerals:
            changed["numerals"] = self.numerals
        return ListenV2Configure(type="Configure", **changed) if changed else None


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnOptions:
    """What a recognition with Flux is asked to do; see :class:`.stt_v2.STTv2` for what each means.

    Raises:
        OptionError: one is out of range, or does not fit another.
    """

    model: str
    sample_rate: int
    audio_chunk_duration_ms: int
    eager_eot_threshold: float | None
    eot_threshold: float | None
    eot_timeout_ms: int | None
    keyterm: tuple[str, ...]
    tags: tuple[str, ...]
    language_hint: tuple[str, ...]
    mip_opt_out: bool
    numerals: bool
    profanity_filter: bool
    redact: str | None

    def __post_init__(self) -> None:
        if not self.model:
            raise OptionError("model must not be empty, such as 'flux-general-en'")
        if not 8000 <= self.sample_rate <= 48000:
            raise OptionError(f"sample_rate must be between 8000 and 48000 Hz, got {self.sample_rate}")
        if not 10 <= self.audio_chunk_duration_ms <= 500:
            raise OptionError(f"audio_chunk_duration_ms must be between 10 and 500, got {self.audio_chunk_duration_ms}")
        eager, end = self.eager_eot_threshold, self.eot_threshold
        if eager is not None and not 0.3 <= eager <= 0.9:
            raise OptionError(f"eager_eot_threshold must be between 0.3 and 0.9, got {eager}")
        if end is not None and not 0.5 <= end <= 0.9:
            raise OptionError(f"eot_threshold must be between 0.5 and 0.9, got {end}")
        if eager is not None and end is not None and eager > end:
            raise OptionError(f"eager_eot_threshold ({eager}) must not be above eot_threshold ({end})")
        if self.eot_timeout_ms is not None and not 500 <= self.eot_timeout_ms <= 10000:
            raise OptionError(f"eot_timeout_ms must be between 500 and 10000, got {self.eot_timeout_ms}")
        if self.language_hint and not self.model.endswith("-multi"):
            raise OptionError(f"language_hint works with flux-general-multi, not with {self.model}")
        check_choice("redact", self.redact, (None, "numbers", "aggressive_numbers"))
        check_tags(self.tags)

    def changed(self, changes: TurnChanges) -> TurnOptions:
        """With these instead.

        Raises:
            OptionError: there is no such option, or the whole does not fit together any more.
        """
        there_are = TurnChanges.__annotations__
        if unknown := [name for name in changes if name not in there_are]:
            raise OptionError(f"{unknown[0]} cannot be changed; there are: {', '.join(there_are)}")
        given = {name: several(value) for name, value in changes.items() if name in _SEVERAL}  # type: ignore[arg-type]
        return replace(self, **{**changes, **given})  # type: ignore[arg-type]

    def tuning(self, of_session: tuple[str, ...]) -> Tuning:
        """What can be told on the way.

        Args:
            of_session: words to expect that the session knows of.
        """
        return Tuning(
            self.eager_eot_threshold,
            self.eot_threshold,
            self.eot_timeout_ms,
            tuple(dict.fromkeys((*self.keyterm, *of_session))),
            self.language_hint,
            self.numerals,
        )

    def query(self, tuning: Tuning) -> list[tuple[str, str]]:
        """For the connection."""
        query = [
            ("model", self.model),
            ("encoding", "linear16"),
            ("sample_rate", str(self.sample_rate)),
            ("mip_opt_out", flag(self.mip_opt_out)),
        ]
        for name in ("eager_eot_threshold", "eot_threshold", "eot_timeout_ms"):
            value = getattr(tuning, name)
            if value is not None:
                query.append((name, f"{value:g}"))
        query += [("numerals", "true")] if tuning.numerals else []
        query += [("profanity_filter", "true")] if self.profanity_filter else []
        query += [("redact", self.redact)] if self.redact is not None else []
        query += [("keyterm", term) for term in tuning.keyterms]
        query += [("language_hint", hint) for hint in tuning.language_hints]
        return query + [("tag", tag) for tag in self.tags]


_SEVERAL = frozenset({"keyterm", "language_hint", "tags"})
