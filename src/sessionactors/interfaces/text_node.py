"""User code between the text of a reply and those who read it: text in, text out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterable
from typing import ClassVar

from .home import Home


class TextNode(ABC):
    """Makes of the text of one segment after the other what is shown and remembered of it."""

    home: ClassVar[Home] = Home.USER
    label: str = "text_node"

    @abstractmethod
    def process(self, text: AsyncIterable[str]) -> AsyncGenerator[str, None]:
        """The text of a segment as it shall be shown.

        Pieces may be :class:`~sessionactors.model.timed_string.TimedString`: those that are given, where the voice
        tells when each word is spoken, and those that are yielded.

        Raises:
            NodeError: the user's code raised, or gave something else than text.
        """
