"""The words of a turn as they come: finals, the newest interim, a preflight. A value; it knows nothing of time."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sessionactors.messages.ear import FinalTranscript
from sessionactors.model.words import word_count
from sessionactors.runtime.frozen import replace


@dataclass(frozen=True, slots=True)
class Utterance:
    """What the user has said in the turn that is open."""

    finals: tuple[FinalTranscript, ...] = ()
    interim: str = ""
    """Words behind the last final."""
    preflight: str = ""
    """Words behind the last final that will most likely be the next one."""

    @property
    def transcript(self) -> str:
        """All finals so far."""
        return joined(final.text for final in self.finals)

    @property
    def seems(self) -> str:
        """All words so far, those too that may change."""
        return joined((self.transcript, self.interim or self.preflight))

    @property
    def words(self) -> int:
        """How many they are."""
        return word_count(self.seems)

    @property
    def owes_words(self) -> bool:
        """Words were seen that no final covers."""
        return bool(self.interim or self.preflight)

    @property
    def confidence(self) -> float | None:
        """Mean of the finals' (0..1); None when the recogniser gives none."""
        known = [final.confidence for final in self.finals if final.confidence is not None]
        return sum(known) / len(known) if known else None

    @property
    def language(self) -> str | None:
        """Of the newest final."""
        return self.finals[-1].language if self.finals else None

    def with_final(self, final: FinalTranscript) -> Utterance:
        """A final came: it covers what was seen before."""
        return Utterance((*self.finals, final))

    def without(self, finals: Collection[str]) -> Utterance:
        """The same without these finals."""
        return replace(self, finals=tuple(final for final in self.finals if final.id not in finals))

    def with_interim(self, text: str) -> Utterance:
        """Words so far; "" for words that turned out to be none."""
        return replace(self, interim=text, preflight="")

    def with_preflight(self, text: str) -> Utterance:
        """Words that will most likely be final."""
        return replace(self, interim="", preflight=text)


def joined(texts: Iterable[str]) -> str:
    """Texts with one space in between."""
    return " ".join(text for text in texts if text)
