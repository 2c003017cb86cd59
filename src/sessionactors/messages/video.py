"""From a video source to who looks at it: ``video`` keeps the pictures that are worth it."""

from __future__ import annotations

from sessionactors.interfaces.video_io import VideoSource
from sessionactors.model.video import VideoFrame
from sessionactors.runtime import Lane, Overflow, message

PICTURES = 2
"""Pictures that may wait: an old one is worth nothing."""


@message()
class AttachVideo:
    """Look at this source from now on (None: at nothing). Session to ``supervisor``, and on to ``video``."""

    source: VideoSource | None


@message(lane=Lane.CONTROL, overflow=Overflow.CONFLATE)
class SetVideoEnabled:
    """Look, or not: pictures that come meanwhile are dropped. The same way."""

    enabled: bool


@message(lane=Lane.CONTROL, overflow=Overflow.CONFLATE)
class UsersSpeak:
    """Whether any user speaks now. ``supervisor`` to ``video``."""

    speaking: bool


@message(overflow=Overflow.DROP_OLDEST, limit=PICTURES)
class PictureCaptured:
    """``video``, to itself: a picture as the source delivered it."""

    frame: VideoFrame


@message()
class SamplerAnswered:
    """``video``, to itself: what the user's sampler said of a picture, or why it said nothing."""

    frame: VideoFrame
    wanted: bool
    error: BaseException | None = None


@message(overflow=Overflow.DROP_OLDEST, limit=PICTURES)
class UserVideo:
    """A picture that the model shall see. ``video`` to ``realtime``."""

    frame: VideoFrame
