"""Where a session's inputs and outputs are put in: from the user's loop to the actors, while the session runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sessionactors.interfaces.audio_io import AudioSink, AudioSource
from sessionactors.interfaces.text_io import TextSink
from sessionactors.interfaces.video_io import VideoSource
from sessionactors.messages.ear import AttachSource, SetInputEnabled
from sessionactors.messages.output import AttachSink, AttachText, SetOutputEnabled
from sessionactors.messages.video import AttachVideo, SetVideoEnabled
from sessionactors.runtime import Ref

if TYPE_CHECKING:
    from sessionactors.actors.supervisor import SupervisorMessage
    from sessionactors.actors.wiring import Wiring


class SessionEnds:
    """Tells the actors; says nothing while the session does not run.

    Args:
        running: the session's root and who is who, or None.
    """

    def __init__(self, running: Callable[[], tuple[Ref[SupervisorMessage], Wiring] | None]) -> None:
        self._running = running

    def attach_source(self, source: AudioSource | None) -> None:
        """Listen to this one."""
        if (running := self._running()) is not None:
            running[0].tell(AttachSource(source))

    def attach_video(self, source: VideoSource | None) -> None:
        """Look at this one."""
        if (running := self._running()) is not None:
            running[0].tell(AttachVideo(source))

    def enable_input(self, *, audio: bool, video: bool) -> None:
        """Open or close ears and eyes."""
        if (running := self._running()) is not None:
            running[0].tell(SetInputEnabled(audio))
            running[0].tell(SetVideoEnabled(video))

    def attach_sink(self, sink: AudioSink | None) -> None:
        """Speak there."""
        if (running := self._running()) is not None:
            running[1].output.tell(AttachSink(sink))

    def attach_text(self, sink: TextSink | None) -> None:
        """Show words there."""
        if (running := self._running()) is not None:
            running[1].output.tell(AttachText(sink))

    def enable_output(self, *, audio: bool, transcription: bool) -> None:
        """Switch voice and transcript."""
        if (running := self._running()) is not None:
            running[1].output.tell(SetOutputEnabled(audio, transcription))
