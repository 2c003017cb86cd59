"""Where a session's video comes from and goes to: the ports that transports and inputs implement."""

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


class VideoSink(ABC):
    """A place where the agent is seen. :meth:`show` may be called from any thread."""

    label: str = "video-sink"

    @abstractmethod
    def show(self, frame: VideoFrame) -> None:
        """Show a frame, in place of the one before. Returns at once; nothing is shown after :meth:`aclose`.

        Raises:
            VideoFormatError: it cannot show pictures of that layout.
        """

    @abstractmethod
    async def aclose(self) -> None:
        """Show nothing more. On the transport's home. Safe to call twice."""
