"""``video``: looks at the user. Owns the video source, and decides which pictures are kept.

Told by ``supervisor`` what to look at and whether the users speak. What it keeps goes to the realtime model, if there
is one, and to the session's user. Pictures are not queued: while one is thought about, the others give way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias, assert_never

import pykka

from sessionactors.interfaces.video_io import VideoSource
from sessionactors.messages.session import Publish
from sessionactors.messages.video import (
    AttachVideo,
    PictureCaptured,
    SamplerAnswered,
    SetVideoEnabled,
    UsersSpeak,
    UserVideo,
)
from sessionactors.model.events import ErrorEvent, VideoSampledNote
from sessionactors.model.video import VideoFrame
from sessionactors.model.video_sampling import VoiceActivityVideoSampler
from sessionactors.runtime import NS, Actor, MailboxFull, Outbox, Ref, SystemClosed
from sessionactors.runtime.frozen import replace

from .wiring import UserSampler, Wiring

VideoMessage: TypeAlias = AttachVideo | SetVideoEnabled | UsersSpeak | PictureCaptured | SamplerAnswered

SAMPLER = "video_sampler"
SAMPLER_WITHIN = 1.0
"""Seconds for the user's sampler; then its picture is not taken."""


@dataclass(frozen=True, slots=True)
class VideoState:
    """What is looked at, and how much of it was kept."""

    source: VideoSource | None = None
    enabled: bool = True
    speaking: bool = False
    asking: bool = False
    """The user's sampler thinks about a picture."""
    last_kept: int | None = None
    """When, ns."""
    seen: int = 0
    kept: int = 0


class VideoActor(Actor[VideoState, VideoMessage]):
    """Keeps the pictures that are worth it."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._sampler = wiring.components.video_sampler

    def initial(self) -> VideoState:
        """Nothing to look at."""
        return VideoState()

    def restarted(self, state: VideoState, error: BaseException, out: Outbox[VideoMessage]) -> VideoState:
        """Go on with the source: it tells a ref that outlives the restart. Who was asked will not be heard."""
        return replace(state, asking=False)

    def receive(self, state: VideoState, message: VideoMessage, out: Outbox[VideoMessage]) -> VideoState:
        """One message."""
        match message:
            case PictureCaptured(frame):
                return self._on_picture(replace(state, seen=state.seen + 1), frame, out)
            case SamplerAnswered():
                return self._on_answer(state, message, out)
            case UsersSpeak(speaking):
                return replace(state, speaking=speaking)
            case SetVideoEnabled(enabled):
                return replace(state, enabled=enabled)
            case AttachVideo(source):
                return self._attach(state, source, out)
            case _:
                assert_never(message)

    def stopped(self, state: VideoState, out: Outbox[VideoMessage]) -> None:
        """Let the source go."""
        if state.source is not None:
            out.port(state.source.stop)

    def _attach(self, state: VideoState, source: VideoSource | None, out: Outbox[VideoMessage]) -> VideoState:
        if source is state.source:
            return state
        if state.source is not None:
            out.port(state.source.stop)
        if source is not None:
            myself = out.myself
            out.port(source.start, lambda frame: _tell(myself, PictureCaptured(frame)), lambda: None)
        return replace(state, source=source)

    def _on_picture(self, state: VideoState, frame: VideoFrame, out: Outbox[VideoMessage]) -> VideoState:
        if not state.enabled or state.asking:
            return state
        sampler = self._sampler
        if sampler is None:
            return self._keep(state, frame, out)
        if isinstance(sampler, VoiceActivityVideoSampler):
            since = None if state.last_kept is None else (out.now - state.last_kept) / NS
            return self._keep(state, frame, out) if sampler.wants(speaking=state.speaking, since_last=since) else state
        return self._ask(state, sampler, frame, out)

    @staticmethod
    def _ask(state: VideoState, sampler: UserSampler, frame: VideoFrame, out: Outbox[VideoMessage]) -> VideoState:
        async def ask(_port: object) -> bool:
            return bool(await sampler(frame))

        out.effect(
            SAMPLER,
            ask,
            done=lambda wanted: SamplerAnswered(frame, wanted),
            failed=lambda error: SamplerAnswered(frame, False, error),
            deadline=SAMPLER_WITHIN,
            user_loop=True,
        )
        return replace(state, asking=True)

    def _on_answer(self, state: VideoState, answer: SamplerAnswered, out: Outbox[VideoMessage]) -> VideoState:
        if answer.error is not None:
            error = ErrorEvent(answer.error, SAMPLER, recoverable=True, created_at=out.wall())
            out.tell(self._wiring.supervisor, Publish(error))
        state = replace(state, asking=False)
        return self._keep(state, answer.frame, out) if answer.wanted and state.enabled else state

    def _keep(self, state: VideoState, frame: VideoFrame, out: Outbox[VideoMessage]) -> VideoState:
        if self._wiring.realtime is not None:
            out.tell(self._wiring.realtime, UserVideo(frame))
        out.tell(self._wiring.supervisor, Publish(VideoSampledNote(frame)))
        return replace(state, last_kept=out.now, kept=state.kept + 1)

    def summary(self, state: VideoState) -> Mapping[str, object]:
        """Source and sums."""
        return {
            "source": None if state.source is None else state.source.label,
            "enabled": state.enabled,
            "seen": state.seen,
            "kept": state.kept,
            "asking": state.asking,
        }


def _tell(ref: Ref[VideoMessage], message: VideoMessage) -> None:
    """Tell from any thread. A source has nothing to learn from who is full or gone: the kernel counts it."""
    try:
        ref.tell(message)
    except (pykka.ActorDeadError, MailboxFull, SystemClosed):
        return
