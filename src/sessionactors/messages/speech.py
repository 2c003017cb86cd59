"""What a speech is told by itself and its helpers: the text and audio that user code gives it, and its deadlines."""

from __future__ import annotations

from typing import TypeAlias

from sessionactors.model.audio import AudioFrame
from sessionactors.runtime import Scope, message

from .tts import AudioCredit, CancelSynthesis


@message(fenced=True)
class SourceText:
    """A piece of the text that ``say`` was given as an iterable."""

    text: str
    scope: Scope


@message()
class SourceTextEnded:
    """The iterable ended, or raised."""

    error: BaseException | None


@message()
class WholeText:
    """All of the text of the iterable, for a voice that takes it as a whole."""

    text: str


@message()
class AccountsOverdue:
    """An interrupted speech has not settled its accounts in time."""


@message()
class ToolsReviewed:
    """The user's callbacks have seen what the tools of a step gave. Session to ``floor``, which passes it on."""

    speech: str
    step: int
    reply: bool
    """False: a callback cancelled the reply."""
    handoff: bool = True
    """False: a callback cancelled the handoff."""


@message()
class AudioGone:
    """A speech, to itself: the actor that reads its audio ended before the audio did."""

    error: BaseException | None


@message(fenced=True)
class FrameRead:
    """The reader of a speech's audio, to itself: the user's iterable gave a frame."""

    frame: AudioFrame
    scope: Scope


@message()
class FramesEnded:
    """The reader of a speech's audio, to itself: the user's iterable ended, or raised."""

    error: BaseException | None


RecordingMessage: TypeAlias = AudioCredit | CancelSynthesis | FrameRead | FramesEnded
"""What the reader of a speech's audio is told."""
