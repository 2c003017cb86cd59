"""Where the agent's words are shown: the port that text outputs implement."""

from __future__ import annotations

from abc import ABC, abstractmethod


class TextSink(ABC):
    """A place for the agent's words, one segment after the other. Called from the actor loop; returns at once."""

    label: str = "text-sink"

    @abstractmethod
    def show(self, text: str) -> None:
        """More of the words, as they are spoken."""

    @abstractmethod
    def end(self) -> None:
        """That was all of a segment."""

    def detach(self) -> None:
        """Another one has taken its place, or the session has ended: nothing more comes."""
