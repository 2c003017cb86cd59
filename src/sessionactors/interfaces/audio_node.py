"""User code between a realtime model's voice and the listener: audio in, audio out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, AsyncIterator
from typing import ClassVar

from sessionactors.model.audio import AudioFrame

from .home import Home


class AudioNode(ABC):
    """Changes the audio of one reply after the other."""

    home: ClassVar[Home] = Home.USER
    label: str = "audio_node"

    @abstractmethod
    def process(self, audio: AsyncIterable[AudioFrame]) -> AsyncIterator[AudioFrame]:
        """The audio of a reply as it shall be heard: mono, at the rate that it came with.

        Raises:
            NodeError: the user's code raised, or gave something else than audio.
        """
