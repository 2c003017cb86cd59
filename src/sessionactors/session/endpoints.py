"""Endpoints as LiveKit's users write them: classes of one's own that give audio or video, or take audio, video or text.

They live on the session's user loop. The session reaches them through :mod:`.endpoint_sources` and
:mod:`.endpoint_sinks`, which make ports of them; they know nothing of actors.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Generic, Literal, Self, TypeAlias, TypeVar, overload

import structlog

from sessionactors.model.audio import AudioFrame
from sessionactors.model.video import VideoFrame

log = structlog.get_logger("sessionactors.session")

FrameT = TypeVar("FrameT", AudioFrame, VideoFrame)
NextT = TypeVar("NextT", bound="_Endpoint")


class _Endpoint:
    """What a session attaches and detaches."""

    def __init__(self, label: str) -> None:
        self._label = label

    @property
    def label(self) -> str:
        """Its name, for people."""
        return self._label

    def on_attached(self) -> None:
        """The session begins to use it. Override for what has to be opened."""

    def on_detached(self) -> None:
        """The session has ceased to use it. Override for what has to be closed."""


class _Output(_Endpoint, Generic[NextT]):
    """What may pass on to another output of its kind, which is attached and detached with it."""

    def __init__(self, label: str, next_in_chain: NextT | None) -> None:
        super().__init__(label)
        self._next = next_in_chain

    @property
    def next_in_chain(self) -> NextT | None:
        """The output to which this one passes on."""
        return self._next

    def on_attached(self) -> None:
        """What it passes on to is attached with it."""
        if self._next is not None:
            self._next.on_attached()

    def on_detached(self) -> None:
        """What it passes on to is detached with it."""
        if self._next is not None:
            self._next.on_detached()


class _Input(_Endpoint, Generic[FrameT]):
    """An async iterator of frames; override ``__anext__``, or give a source to pass on."""

    def __init__(self, *, label: str, source: AsyncIterator[FrameT] | None = None) -> None:
        super().__init__(label)
        self._source: AsyncIterator[FrameT] | None = source

    @property
    def source(self) -> AsyncIterator[FrameT] | None:
        """Where its frames come from, if it passes on another input's."""
        return self._source

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> FrameT:
        if self._source is None:
            raise NotImplementedError(f"{self.label}: override __anext__, or give it a source")
        return await anext(self._source)

    def on_attached(self) -> None:
        """What it passes on to is attached with it."""
        if isinstance(self._source, _Endpoint):
            self._source.on_attached()

    def on_detached(self) -> None:
        """What it passes on to is detached with it."""
        if isinstance(self._source, _Endpoint):
            self._source.on_detached()


class AudioInput(_Input[AudioFrame]):
    """Where the user's audio comes from: frames of any rate, as they come in.

    Args:
        label: its name, for people.
        source: another input, whose frames this one passes on (changed, if ``__anext__`` is overridden).
    """


class VideoInput(_Input[VideoFrame]):
    """Where the user's video comes from.

    Args:
        label: its name, for people.
        source: another input, whose frames this one passes on (changed, if ``__anext__`` is overridden).
    """


@dataclass(frozen=True, slots=True)
class AudioOutputCapabilities:
    """What a sink can do."""

    pause: bool
    """It can be silent in the middle of a segment and go on later."""


@dataclass(frozen=True, slots=True)
class PlaybackStartedEvent:
    """The first frame of a segment is heard."""

    created_at: float
    """Seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class PlaybackFinishedEvent:
    """A segment is over."""

    playback_position: float
    """Seconds of it that were heard."""
    interrupted: bool
    synchronized_transcript: str | None = None
    """What was heard of it, where a wrapper knows."""


PlaybackEventName: TypeAlias = Literal["playback_started", "playback_finished"]
OnStarted: TypeAlias = Callable[[PlaybackStartedEvent], None]
OnFinished: TypeAlias = Callable[[PlaybackFinishedEvent], None]


class AudioOutput(_Output["AudioOutput"], ABC):
    """Where the agent's voice goes: a player of segments.

    The first frame after a :meth:`flush` opens a segment. When it begins to be heard, call
    :meth:`on_playback_started`; when it is over, :meth:`on_playback_finished`: exactly once for each segment that got a
    frame, also after :meth:`clear_buffer`. Frames may come faster than they are played.

    Args:
        label: its name, for people.
        capabilities: what it can do.
        next_in_chain: another output to which this one passes on; its reports become this one's.
        sample_rate: Hertz of the frames it wants; that of ``next_in_chain``, or 24000, if not given.
    """

    def __init__(
        self,
        *,
        label: str,
        capabilities: AudioOutputCapabilities,
        next_in_chain: AudioOutput | None = None,
        sample_rate: int | None = None,
    ) -> None:
        super().__init__(label, next_in_chain)
        self._capabilities = capabilities
        self._sample_rate = sample_rate
        self._on_started: list[OnStarted] = []
        self._on_finished: list[OnFinished] = []
        self._capturing = False
        self._captured = self._finished = 0
        self._last = PlaybackFinishedEvent(0.0, interrupted=False)
        self._progress = asyncio.Event()
        if next_in_chain is not None:
            self._hear(next_in_chain)

    @property
    def sample_rate(self) -> int | None:
        """Hertz of the frames it wants; None for any."""
        if self._sample_rate is None and self._next is not None:
            return self._next.sample_rate
        return self._sample_rate

    @property
    def can_pause(self) -> bool:
        """Whether it, and every output behind it, can pause."""
        return self._capabilities.pause and (self._next is None or self._next.can_pause)

    # -- what the session does with it -------------------------------------------------------------------------------

    @abstractmethod
    async def capture_frame(self, frame: AudioFrame) -> None:
        """Take a frame; call this one first in what you override. It may wait until there is room."""
        if not self._capturing:
            self._capturing = True
            self._captured += 1

    @abstractmethod
    def flush(self) -> None:
        """The segment has no more frames; call this one first in what you override."""
        self._capturing = False

    @abstractmethod
    def clear_buffer(self) -> None:
        """Drop what was not heard, and report the segment as interrupted."""

    def pause(self) -> None:
        """Be silent until :meth:`resume`."""
        if self._next is not None:
            self._next.pause()

    def resume(self) -> None:
        """Go on where it was paused."""
        if self._next is not None:
            self._next.resume()

    # -- the end of the chain ----------------------------------------------------------------------------------------

    def _put_in(self, tail: AudioOutput) -> AudioOutput | None:
        """Let the last output behind this one be another, and give the one before; None if there is none behind."""
        old = self._next
        if old is None:
            return None
        if old._next is not None:
            return old._put_in(tail)
        old.off("playback_started", self._pass_started)
        old.off("playback_finished", self._pass_finished)
        self._next = tail
        self._hear(tail)
        return old

    def _hear(self, behind: AudioOutput) -> None:
        behind.on("playback_started", self._pass_started)
        behind.on("playback_finished", self._pass_finished)

    def _pass_started(self, event: PlaybackStartedEvent) -> None:
        self.on_playback_started(created_at=event.created_at)

    def _pass_finished(self, event: PlaybackFinishedEvent) -> None:
        self.on_playback_finished(
            playback_position=event.playback_position,
            interrupted=event.interrupted,
            synchronized_transcript=event.synchronized_transcript,
        )

    # -- what it reports ---------------------------------------------------------------------------------------------

    def on_playback_started(self, *, created_at: float | None = None) -> None:
        """Report that a segment begins to be heard."""
        event = PlaybackStartedEvent(time.time() if created_at is None else created_at)
        for listener in tuple(self._on_started):
            listener(event)

    def on_playback_finished(
        self, *, playback_position: float, interrupted: bool, synchronized_transcript: str | None = None
    ) -> None:
        """Report that a segment is over: once for each. One too many is dropped, with a warning."""
        if self._finished >= self._captured:
            log.warning("playback_finished_too_often", output=self.label, segments=self._captured)
            return
        self._finished += 1
        self._last = PlaybackFinishedEvent(playback_position, interrupted, synchronized_transcript)
        for listener in tuple(self._on_finished):
            listener(self._last)
        self._progress.set()
        self._progress = asyncio.Event()

    async def wait_for_playout(self) -> PlaybackFinishedEvent:
        """Wait until every segment captured so far is over; gives the report of the last one that ended."""
        wanted = self._captured
        while self._finished < wanted:
            await self._progress.wait()
        return self._last

    @overload
    def on(self, event: Literal["playback_started"], callback: OnStarted) -> None: ...
    @overload
    def on(self, event: Literal["playback_finished"], callback: OnFinished) -> None: ...
    def on(self, event: PlaybackEventName, callback: OnStarted | OnFinished) -> None:
        """Call ``callback`` at each report."""
        listeners: list[OnStarted | OnFinished] = (
            self._on_started if event == "playback_started" else self._on_finished  # type: ignore[assignment]
        )
        listeners.append(callback)

    def off(self, event: PlaybackEventName, callback: OnStarted | OnFinished) -> None:
        """Forget a callback."""
        listeners: list[OnStarted | OnFinished] = (
            self._on_started if event == "playback_started" else self._on_finished  # type: ignore[assignment]
        )
        if callback in listeners:
            listeners.remove(callback)


class TextOutput(_Output["TextOutput"], ABC):
    """Where the agent's words are shown, as they are spoken.

    Args:
        label: its name, for people.
        next_in_chain: another output that gets the same, if this one passes it on.
    """

    def __init__(self, *, label: str, next_in_chain: TextOutput | None = None) -> None:
        super().__init__(label, next_in_chain)

    @abstractmethod
    async def capture_text(self, text: str) -> None:
        """More of the agent's words."""

    @abstractmethod
    def flush(self) -> None:
        """That was all of a segment."""


class VideoOutput(_Output["VideoOutput"], ABC):
    """Where the agent's video goes. The session makes none itself: what draws it (an avatar) uses it.

    Args:
        label: its name, for people.
        next_in_chain: another output that gets the same, if this one passes it on.
    """

    def __init__(self, *, label: str, next_in_chain: VideoOutput | None = None) -> None:
        super().__init__(label, next_in_chain)

    @abstractmethod
    async def capture_frame(self, frame: VideoFrame) -> None:
        """Show a frame."""

    @abstractmethod
    def flush(self) -> None:
        """Show what is there."""
