"""Where a session's video comes from: the port that transports and inputs implement."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeAlias

from sessionactors.model.video import VideoFrame

VideoCallback: TypeAlias = Callable[[VideoFrame], None]


class VideoSource(ABC):
    """Video of one participant. Methods are called from the actor loop and return at once."""

    label: str = "video-source"

    @abstractmethod
    def start(self, on_frame: VideoCallback, on_end: Callable[[], None]) -> None:
        """Begin to deliver frames as they come.

        ``on_frame`` and ``on_end`` are thread-safe and never block.
        """

    @abstractmethod
    def stop(self) -> None:
        """Deliver nothing more. Safe to call twice."""
