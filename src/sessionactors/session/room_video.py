"""The agent's video in its room: an output for what an avatar, or code of one's own, draws."""

from __future__ import annotations

import asyncio
from typing import TypeVar, cast

from sessionactors.interfaces.home import Home
from sessionactors.interfaces.video_io import VideoSink
from sessionactors.model.errors import OptionError, SessionStateError
from sessionactors.model.video import VideoFrame

from .across_loops import called
from .agent_session import AgentSession
from .endpoints import VideoOutput

Userdata_T = TypeVar("Userdata_T")


class RoomVideoOutput(VideoOutput):
    """Shows frames in the session's room: assign it to ``session.output.video``. Made by :meth:`open`.

    Args:
        sink: the room's.
        home: the loop on which the sink is closed.
        next_in_chain: another output that gets the same.
    """

    def __init__(
        self, sink: VideoSink, home: asyncio.AbstractEventLoop, next_in_chain: VideoOutput | None = None
    ) -> None:
        super().__init__(label=sink.label, next_in_chain=next_in_chain)
        self._sink = sink
        self._home = home

    @classmethod
    async def open(
        cls,
        session: AgentSession[Userdata_T],
        *,
        width: int,
        height: int,
        options: object | None = None,
        next_in_chain: VideoOutput | None = None,
    ) -> RoomVideoOutput:
        """Be seen in the room of a session that runs.

        Args:
            session: whose room.
            width: pixels of the frames to come, > 0.
            height: pixels, > 0.
            options: how LiveKit publishes the track: ``rtc.TrackPublishOptions``.
            next_in_chain: another output that gets the same.

        Raises:
            SessionStateError: the session does not run.
            OptionError: it has no room, or one that shows no video; a size is out of range.
            APIConnectionError: the track could not be published.
        """
        if width <= 0 or height <= 0:
            raise OptionError(f"width and height must be > 0, got {width} x {height}")
        any_session = cast("AgentSession[object]", session)
        if any_session._wiring is None or any_session._system is None:
            raise SessionStateError("the session does not run: start it before its video")
        transport = any_session._wiring.components.transport
        if transport is None:
            raise OptionError("the session has no room to show video in")
        home = any_session._system.loop if transport.home is Home.ACTOR else asyncio.get_running_loop()
        sink = await called(home, lambda: transport.open_video(width, height, options))
        if sink is None:
            raise OptionError(f"{transport.label} shows no video")
        return cls(sink, home, next_in_chain)

    async def capture_frame(self, frame: VideoFrame) -> None:
        """Show a frame, in place of the one before.

        Raises:
            VideoFormatError: the room cannot show pictures of that layout.
        """
        self._sink.show(frame)
        if self.next_in_chain is not None:
            await self.next_in_chain.capture_frame(frame)

    def flush(self) -> None:
        """Frames are shown as they come: nothing waits."""
        if self.next_in_chain is not None:
            self.next_in_chain.flush()

    async def aclose(self) -> None:
        """Show nothing more. The room's end does so, too. Safe to call twice."""
        await called(self._home, self._sink.aclose)
