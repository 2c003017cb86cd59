"""How a voice is steered by what stands in its text: the markers that a model may write for it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Marker:
    """``<expr type="..." label="..."/>``, or ``<expr type="...">text</expr>``, in the text of a reply."""

    type: str
    label: str = ""
    text: str = ""
    """What it is about, if it encloses something."""


@dataclass(frozen=True, slots=True)
class MarkerType:
    """A type of marker that a voice knows."""

    name: str
    guide: str
    """For the model: what it does, and where it stands."""
    labels: tuple[str, ...] = ()
    """Those that there are; empty: any."""
    encloses: bool = False
    """It stands around words."""


class Markup(ABC):
    """The markers of one voice. A value: the same for all texts."""

    @property
    @abstractmethod
    def types(self) -> tuple[MarkerType, ...]:
        """Those that the model is told of, sounds excepted."""

    @property
    def sounds(self) -> Mapping[str, tuple[str, ...]]:
        """Labels of the markers of type ``sound``, by kind: the names are those of ``NonverbalOptions``."""
        return {}

    @property
    def examples(self) -> tuple[str, ...]:
        """Sentences with markers, for the model."""
        return ()

    @abstractmethod
    def native(self, marker: Marker) -> str:
        """What the voice is given in place of a marker; empty: nothing. Words that it encloses must not be lost."""
