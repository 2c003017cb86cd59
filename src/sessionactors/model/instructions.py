"""Instructions that read differently for spoken and for typed conversation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Modality: TypeAlias = Literal["audio", "text"]
"""How the user spoke to the agent: aloud, or by typing."""


@dataclass(frozen=True, slots=True)
class Instructions:
    """A system prompt with additions for one modality.

    Args:
        common: what always holds.
        audio: added when the user speaks.
        text: added when the user types.
    """

    common: str = ""
    audio: str | None = None
    text: str | None = None

    def render(self, *, modality: Modality | None = None) -> str:
        """The prompt for this modality; without one, what always holds."""
        addition = None if modality is None else (self.audio if modality == "audio" else self.text)
        return "\n\n".join(part for part in (self.common, addition) if part)

    def __str__(self) -> str:
        return self.common


def rendered(instructions: Instructions | str, modality: Modality | None = None) -> str:
    """The text of instructions of either kind."""
    return instructions if isinstance(instructions, str) else instructions.render(modality=modality)
