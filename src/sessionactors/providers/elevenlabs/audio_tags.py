"""The markers that Eleven v3 knows: its audio tags, ``[excited]`` and the like, before what they are about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sessionactors.interfaces.markup import Marker, MarkerType, Markup

MANNERS: Final = (
    *("happy", "excited", "curious", "surprised", "mischievously", "sarcastic", "thoughtful"),
    *("sad", "angry", "annoyed", "appalled", "nervously", "whispers"),
)
PAUSES: Final = ("short pause", "long pause")
SOUNDS: Final[Mapping[str, tuple[str, ...]]] = {
    "laughing": ("laughs", "chuckles", "snorts"),
    "breathing": ("inhales deeply", "exhales"),
    "sighing": ("sighs",),
    "crying": ("crying",),
    "reflex_sounds": ("clears throat",),
}


@dataclass(frozen=True, slots=True)
class AudioTags(Markup):
    """Those of ElevenLabs' guide to prompting v3; a tag that is not in it is read as words."""

    @property
    def types(self) -> tuple[MarkerType, ...]:
        return (
            MarkerType("expression", "sets the manner of the words behind it, up to the next one", MANNERS),
            MarkerType("pause", "a moment of silence where it stands", PAUSES),
        )

    @property
    def sounds(self) -> Mapping[str, tuple[str, ...]]:
        return SOUNDS

    @property
    def examples(self) -> tuple[str, ...]:
        return (
            '<expr type="expression" label="excited"/> Your table is ready!',
            '<expr type="sound" label="sighs"/> I looked. <expr type="pause" label="short pause"/> It is gone.',
        )

    def native(self, marker: Marker) -> str:
        """The tag; of what v3 does not know, the words that it encloses."""
        known = (*MANNERS, *PAUSES, *(label for labels in SOUNDS.values() for label in labels))
        tag = f"[{marker.label}]" if marker.label in known else ""
        return " ".join(part for part in (tag, marker.text) if part)
