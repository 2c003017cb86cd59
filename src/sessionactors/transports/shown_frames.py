"""A place where the agent is seen, and nobody looks."""

from __future__ import annotations

from sessionactors.interfaces.video_io import VideoSink
from sessionactors.model.video import VideoFrame


class ShownFrames(VideoSink):
    """Keeps what is shown.

    Args:
        frames: where to.
    """

    label = "memory-video"

    def __init__(self, frames: list[VideoFrame]) -> None:
        self._frames = frames
        self._closed = False

    def show(self, frame: VideoFrame) -> None:
        if not self._closed:
            self._frames.append(frame)

    async def aclose(self) -> None:
        self._closed = True
